/* get_sequence_contact.c - example program: prints contacts of a sequence as cards or JSON. */
#include <replyio.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "card.h"
#include "contact_ids.h"
#include "options.h"
#include "output.h"
#include "program.h"
#include "progress.h"
#include "report.h"
#include "terminal.h"

const char program_name[] = "get_sequence_contact";

static const char help[] =
    "Usage: get_sequence_contact [OPTION]... SEQUENCE_ID CONTACT_ID...\n"
    "Prints contacts of a Reply.io sequence as cards, in the order of their arrival.\n"
    "\n"
    "If the only CONTACT_ID is -, ids are read from standard input, one per line.\n"
    "The environment variable REPLY_API_KEY must contain the API key.\n"
    "\n"
    "  --json             print the JSON that the service sent, one contact per line\n" OPTIONS_HELP
    "\n"
    "Exit status: 0 if all contacts were printed, 1 after an error, 2 for invalid usage.\n";

struct run {
    struct options options;
    int64_t sequence_id;
    struct contact_ids contact_ids;
    bool use_colour;
    size_t printed_count;
    size_t failed_count;
    size_t unsent_count; /* failed without an attempt, because the call had ended */
};

/* A single contact arrives soon, unless there is a rate limit. */
static void draw_progress(const struct run *run) {
    const size_t total = run->contact_ids.count;
    const bool is_done = run->printed_count + run->failed_count == total;
    char text[100];
    snprintf(text, sizeof text, "%zu done, %zu failed, %zu in all", run->printed_count,
             run->failed_count, total);
    progress_set(is_done ? "" : text, total == 1);
}

static int print_contact(const struct run *run, const reply_sequence_contact *contact) {
    if (run->options.is_json) {
        output_write_json(contact->json);
    } else {
        fputs(run->printed_count > 0 ? "\n" : "", stdout);
        card_write(stdout, contact, time(NULL), run->use_colour);
    }
    return output_flush();
}

/* Stops the call if standard output cannot be written. */
static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    struct run *run = user_data;
    (void)index; /* the contact and the error message both contain the id */
    progress_erase();
    if (result != REPLY_OK && error->attempts == 0 && result != REPLY_ERROR_INVALID_ARGUMENT) {
        run->unsent_count++;
        run->failed_count++;
    } else if (result != REPLY_OK) {
        report_error(error);
        run->failed_count++;
    } else if (print_contact(run, contact) == EXIT_SUCCESS) {
        run->printed_count++;
    } else {
        run->failed_count++;
    }
    reply_sequence_contact_free(contact);
    draw_progress(run);
    return ferror(stdout);
}

static int fetch_contacts(void *context, reply_client *client) {
    struct run *run = context;
    reply_error error;
    run->use_colour = terminal_has_colour(stdout);
    draw_progress(run);
    const reply_result result =
        reply_get_sequence_contacts(client, run->sequence_id, run->contact_ids.ids,
                                    run->contact_ids.count, on_contact, run, &error);
    progress_erase();
    if (run->unsent_count > 0) {
        report_unsent(run->unsent_count, &error);
    }
    return result == REPLY_OK && run->failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int read_operands(void *context, int count, char *const *operands) {
    struct run *run = context;
    if (count < 2) {
        return report(EXIT_WRONG_USAGE, "missing %s; pass SEQUENCE_ID CONTACT_ID..., or see --help",
                      count == 0 ? "ids" : "contact id");
    }
    const int status = options_read_id(operands[0], &run->sequence_id);
    return status == EXIT_SUCCESS ? contact_ids_read(&run->contact_ids, count - 1, operands + 1)
                                  : status;
}

int main(int argument_count, char **arguments) {
    struct run run = {.sequence_id = 0};
    const struct program program = {.help = help,
                                    .options = &run.options,
                                    .read_operands = read_operands,
                                    .run = fetch_contacts,
                                    .context = &run};
    const int status = program_run(&program, argument_count, arguments);
    contact_ids_free(&run.contact_ids);
    return status;
}
