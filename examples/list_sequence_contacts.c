/* list_sequence_contacts.c - example program: lists all contacts of a sequence as a table, JSON or
 * CSV. The table is printed at the end, because its columns are as wide as their contents. */
#include <inttypes.h>
#include <replyio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contact_text.h"
#include "csv.h"
#include "filter.h"
#include "options.h"
#include "output.h"
#include "program.h"
#include "progress.h"
#include "report.h"
#include "table.h"
#include "terminal.h"

const char program_name[] = "list_sequence_contacts";

static const char help[] =
    "Usage: list_sequence_contacts [OPTION]... SEQUENCE_ID\n"
    "Lists all contacts of a Reply.io sequence as a table.\n"
    "\n"
    "The environment variable REPLY_API_KEY must contain the API key.\n"
    "\n"
    "  --json             print the JSON that the service sent, one contact per line\n"
    "  --csv              print CSV with all fields\n"
    "  --opted-out        print only contacts that have opted out\n"
    "  --status NAME      print only contacts with this status, such as Active\n"
    "  --page-size COUNT  contacts per request, 10 to 1000 (default: 1000)\n" OPTIONS_HELP "\n"
    "Exit status: 0 if all contacts were read, 1 after an error, 2 for invalid usage.\n";

enum { MIN_PAGE_SIZE = 10, MAX_PAGE_SIZE = 1000 };

/* "OPTED OUT" is never cut: it has the minimum width of its column. */
static const char opted_out[] = "OPTED OUT";

enum { ID, NAME, EMAIL, STATUS, STEP, NEXT_SEND, COLUMN_COUNT };

static const struct table_column columns[COLUMN_COUNT] = {
    [ID] = {.title = "id", .is_right_aligned = true},
    [NAME] = {.title = "name", .min_width = 8, .hide_rank = 2},
    [EMAIL] = {.title = "email", .min_width = 8, .hide_rank = 1},
    [STATUS] = {.title = "status", .min_width = sizeof opted_out - 1},
    [STEP] = {.title = "step", .hide_rank = 3, .is_right_aligned = true},
    [NEXT_SEND] = {.title = "next send",
                   .min_width = sizeof "2024-03-09 09:00" - 1,
                   .hide_rank = 4},
};

struct run {
    struct options options;
    bool is_csv;
    struct filter filter;
    int64_t page_size;
    int64_t sequence_id;
    struct table table;
    bool has_failed; /* an output failed, and the error was reported */
    size_t contact_count;
    size_t opted_out_count;
    size_t unreadable_count;
    size_t printed_count;
};

/* ---- Contacts ---- */

static const char *or_dash(const char *text) {
    return contact_text_has(text) ? text : "-";
}

/* Returns the first and the last name. The caller frees it. Returns NULL if out of memory. */
static char *join_names(const reply_sequence_contact *contact) {
    const char *first = contact->first_name != NULL ? contact->first_name : "";
    const char *last = contact->last_name != NULL ? contact->last_name : "";
    const size_t size = strlen(first) + strlen(last) + sizeof " ";
    char *name = malloc(size);
    if (name != NULL) {
        snprintf(name, size, "%s%s%s", first, *first != '\0' && *last != '\0' ? " " : "", last);
    }
    return name;
}

static int add_to_table(struct table *table, const reply_sequence_contact *contact) {
    char id[32];
    char step[32];
    char date[64];
    const reply_datetime *next_send = &contact->next_send_after;
    const bool has_date = contact_text_local_time(next_send, false, date, sizeof date);
    char *name = join_names(contact);
    snprintf(id, sizeof id, "%" PRId64, contact->contact_id);
    snprintf(step, sizeof step, "%" PRId32, contact->current_step);
    const char *cells[COLUMN_COUNT] = {
        [ID] = id,
        [NAME] = or_dash(name),
        [EMAIL] = or_dash(contact->email),
        [STATUS] = contact->is_opted_out ? opted_out : or_dash(contact_text_status(contact)),
        [STEP] = step,
        [NEXT_SEND] = has_date ? date : or_dash(next_send->text),
    };
    const bool is_added =
        name != NULL && table_add(table, cells, contact->is_opted_out ? STATUS : -1);
    free(name);
    return is_added ? EXIT_SUCCESS
                    : report(EXIT_FAILURE, "out of memory after %zu contacts; use --csv or --json",
                             table->row_count);
}

static int print_contact(struct run *run, const reply_sequence_contact *contact) {
    if (run->options.is_json) {
        output_write_json(contact->json);
    } else if (run->is_csv) {
        csv_write_contact(stdout, contact, terminal_width(stdout) > 0);
    } else {
        return add_to_table(&run->table, contact);
    }
    return output_flush();
}

static const char *noun(size_t count) {
    return count == 1 ? "contact" : "contacts";
}

static void draw_progress(const struct run *run) {
    char text[100];
    snprintf(text, sizeof text, "%zu %s", run->contact_count, noun(run->contact_count));
    progress_set(text, false);
}

/* Stops the call if the output fails. */
static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    struct run *run = user_data;
    (void)index;
    progress_erase();
    run->contact_count++;
    if (result != REPLY_OK) {
        report_error(error);
        run->unreadable_count++;
    } else {
        run->opted_out_count += contact->is_opted_out ? 1 : 0;
        if (filter_matches(&run->filter, contact)) {
            run->printed_count++;
            run->has_failed = print_contact(run, contact) != EXIT_SUCCESS;
        }
    }
    reply_sequence_contact_free(contact);
    draw_progress(run);
    return run->has_failed;
}

/* ---- The list ---- */

static void print_summary(const struct run *run, bool is_complete) {
    if (filter_is_set(&run->filter)) {
        fprintf(stderr, "%zu of ", run->printed_count);
    }
    fprintf(stderr, "%zu %s, %zu opted out, %zu could not be read%s\n", run->contact_count,
            noun(run->contact_count), run->opted_out_count, run->unreadable_count,
            is_complete ? "" : "; the list is incomplete");
}

/* Prints what is only known at the end. */
static int finish(struct run *run, const reply_error *error) {
    const bool is_complete = error->result == REPLY_OK;
    int status = is_complete && run->unreadable_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    table_write(stdout, &run->table, terminal_width(stdout), terminal_has_colour(stdout));
    if (run->has_failed || output_flush() != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    if (!is_complete) {
        status = report_error(error);
    }
    if (is_complete || run->contact_count > 0) {
        print_summary(run, is_complete);
    }
    return status;
}

static int list_contacts(void *context, reply_client *client) {
    struct run *run = context;
    reply_error error;
    if (run->page_size > 0 &&
        reply_client_set_page_size(client, (int32_t)run->page_size, &error) != REPLY_OK) {
        return report_error(&error);
    }
    if (run->is_csv) {
        csv_write_header(stdout);
    }
    draw_progress(run);
    reply_list_sequence_contacts(client, run->sequence_id, on_contact, run, &error);
    progress_erase();
    return finish(run, &error);
}

static int read_operands(void *context, int count, char *const *operands) {
    struct run *run = context;
    if (run->options.is_json && run->is_csv) {
        return report(EXIT_WRONG_USAGE, "--json and --csv exclude each other; pass one of them");
    }
    if (count != 1) {
        return report(EXIT_WRONG_USAGE, "%s; pass one SEQUENCE_ID, or see --help",
                      count == 0 ? "missing sequence id" : "more than one sequence id");
    }
    return options_read_id(operands[0], &run->sequence_id);
}

int main(int argument_count, char **arguments) {
    struct run run = {.table = {.columns = columns, .column_count = COLUMN_COUNT}};
    const struct options_row rows[] = {
        {.name = "csv", .flag = &run.is_csv},
        {.name = "opted-out", .flag = &run.filter.is_opted_out},
        {.name = "status", .text = &run.filter.status},
        {.name = "page-size",
         .number = &run.page_size,
         .min = MIN_PAGE_SIZE,
         .max = MAX_PAGE_SIZE,
         .unit = "contacts"},
    };
    const struct program program = {.help = help,
                                    .options = &run.options,
                                    .rows = rows,
                                    .row_count = sizeof rows / sizeof rows[0],
                                    .read_operands = read_operands,
                                    .run = list_contacts,
                                    .context = &run};
    const int status = program_run(&program, argument_count, arguments);
    table_free(&run.table);
    return status;
}
