/* get_sequence_contact.c - example program: prints contacts of a sequence as cards or JSON. All
 * calls of the library are in this file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <replyio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "card.h"
#include "options.h"
#include "progress.h"
#include "terminal.h"

struct run {
    const struct options *options;
    bool use_colour;
    size_t printed_count;
    size_t failed_count;
    size_t unsent_count;       /* failed without an attempt, because the call had ended */
    int64_t rate_limit_end_ms; /* end of the wait for the rate limit, on the monotonic clock */
};

/* ---- Progress ---- */

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void draw_progress(const struct run *run) {
    const size_t total = run->options->contact_count;
    const int64_t left_ms = run->rate_limit_end_ms - monotonic_ms();
    char line[160];
    /* A single contact arrives soon, unless there is a rate limit. */
    if (run->printed_count + run->failed_count == total || (total == 1 && left_ms <= 0)) {
        return;
    }
    const int length = snprintf(line, sizeof line, "%zu done, %zu failed, %zu in all",
                                run->printed_count, run->failed_count, total);
    if (left_ms > 0) {
        snprintf(line + length, sizeof line - (size_t)length,
                 ", waiting %" PRId64 " s for the rate limit", (left_ms + 999) / 1000);
    }
    progress_draw(line);
}

/* Returns the duration in a log line "wait 1000 ms: rate limit", or 0 for any other line. */
static int64_t parse_rate_limit_wait(const char *line) {
    static const char prefix[] = "wait ";
    if (strncmp(line, prefix, strlen(prefix)) != 0) {
        return 0;
    }
    char *rest = NULL;
    const int64_t wait_ms = strtoll(line + strlen(prefix), &rest, 10);
    return strcmp(rest, " ms: rate limit") == 0 ? wait_ms : 0;
}

static void on_log(const char *line, void *user_data) {
    struct run *run = user_data;
    const int64_t wait_ms = parse_rate_limit_wait(line);
    if (wait_ms > 0) {
        run->rate_limit_end_ms = monotonic_ms() + wait_ms;
    }
    progress_erase();
    if (run->options->is_verbose) {
        terminal_write(stderr, line, strlen(line));
        fputc('\n', stderr);
    }
    draw_progress(run);
}

/* ---- Standard output ---- */

/* Reports a failed write, such as to a full disk. If the reader of a pipe has exited, ends the
 * process as SIGPIPE would have done. Returns EXIT_FAILURE. */
static int report_write_error(void) {
    if (errno == EPIPE) {
        signal(SIGPIPE, SIG_DFL);
        kill(getpid(), SIGPIPE);
        _exit(128 + SIGPIPE); /* SIGPIPE is blocked */
    }
    return terminal_report(EXIT_FAILURE, "cannot write to standard output: %s", strerror(errno));
}

static int flush_output(void) {
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : report_write_error();
}

/* Some file systems report a failed write only at close. A failure that flush_output has reported
 * is not reported a second time. */
static int close_output(int status) {
    return ferror(stdout) || fclose(stdout) == 0 ? status : report_write_error();
}

/* ---- Errors ---- */

enum { REFERENCE_SIZE = 160 };

/* Formats what Reply.io's support needs to find the request: " (code X, request Y)", or "" if the
 * response has neither. Returns reference. */
static const char *format_reference(const reply_error *error, char reference[REFERENCE_SIZE]) {
    const char *code = error->problem_code;
    const char *request = error->request_id;
    if (*code != '\0' && *request != '\0') {
        snprintf(reference, REFERENCE_SIZE, " (code %s, request %s)", code, request);
    } else if (*code != '\0') {
        snprintf(reference, REFERENCE_SIZE, " (code %s)", code);
    } else if (*request != '\0') {
        snprintf(reference, REFERENCE_SIZE, " (request %s)", request);
    } else {
        *reference = '\0';
    }
    return reference;
}

/* Returns the exit status. */
static int report_error(const reply_error *error) {
    char reference[REFERENCE_SIZE];
    const bool is_usage_error = error->result == REPLY_ERROR_INVALID_ARGUMENT;
    return terminal_report(is_usage_error ? EXIT_WRONG_USAGE : EXIT_FAILURE, "%s%s", error->message,
                           format_reference(error, reference));
}

static void report_unsent(size_t count, const reply_error *error) {
    char reference[REFERENCE_SIZE];
    terminal_report(EXIT_FAILURE, "%zu more contacts not fetched: %s%s", count, error->message,
                    format_reference(error, reference));
}

/* ---- Contacts ---- */

/* In valid JSON a newline is white space between tokens, so a space can replace it. Any other
 * control character is inside a string, where the escape has the same meaning. */
static void print_json(const char *json) {
    while (*json != '\0') {
        const size_t length = strcspn(json, "\t\n\r");
        terminal_write(stdout, json, length);
        json += length;
        if (*json != '\0') {
            fputc(' ', stdout);
            json++;
        }
    }
    fputc('\n', stdout);
}

static int print_contact(const struct run *run, const reply_sequence_contact *contact) {
    if (run->options->is_json) {
        print_json(contact->json);
    } else {
        fputs(run->printed_count > 0 ? "\n" : "", stdout);
        card_write(stdout, contact, time(NULL), run->use_colour);
    }
    return flush_output();
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

/* ---- The program ---- */

static reply_result configure(reply_client *client, struct run *run, reply_error *error) {
    const struct options *options = run->options;
    reply_result result = reply_client_set_user_agent(client, "get_sequence_contact", error);
    if (result == REPLY_OK && options->base_url != NULL) {
        result = reply_client_set_base_url(client, options->base_url, error);
    }
    if (result == REPLY_OK && options->ca_file != NULL) {
        result = reply_client_set_ca_file(client, options->ca_file, error);
    }
    if (result == REPLY_OK && options->timeout_ms > 0) {
        result = reply_client_set_timeout_ms(client, options->timeout_ms, error);
    }
    if (result == REPLY_OK) {
        result = reply_client_set_log(client, on_log, run, error);
    }
    return result;
}

static int fetch_contacts(reply_client *client, struct run *run) {
    const struct options *options = run->options;
    reply_error error;
    if (configure(client, run, &error) != REPLY_OK) {
        return report_error(&error);
    }
    draw_progress(run);
    const reply_result result =
        reply_get_sequence_contacts(client, options->sequence_id, options->contact_ids,
                                    options->contact_count, on_contact, run, &error);
    progress_erase();
    if (run->unsent_count > 0) {
        report_unsent(run->unsent_count, &error);
    }
    return result == REPLY_OK && run->failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int fetch(const struct options *options) {
    const char *api_key = getenv("REPLY_API_KEY");
    const char *no_colour = getenv("NO_COLOR");
    const bool allows_colour = no_colour == NULL || *no_colour == '\0';
    struct run run = {.options = options,
                      .use_colour = allows_colour && terminal_is_capable(stdout)};
    reply_client *client = NULL;
    reply_error error;
    if (api_key == NULL || *api_key == '\0') {
        return terminal_report(EXIT_WRONG_USAGE, "REPLY_API_KEY is not set; set it to the API key");
    }
    if (reply_client_create(api_key, &client, &error) != REPLY_OK) {
        return report_error(&error);
    }
    progress_enable();
    const int status = fetch_contacts(client, &run);
    reply_client_destroy(client);
    return status;
}

/* If a standard stream is closed, a connection could get its descriptor, and output would be sent
 * to the server. Opens /dev/null instead, read-only so that writing fails. */
static void open_standard_streams(void) {
    int descriptor = 0;
    do {
        descriptor = open("/dev/null", O_RDONLY);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) {
        close(descriptor);
    }
}

static int run_task(const struct options *options) {
    switch (options->task) {
    case OPTIONS_SHOW_HELP:
        fputs(options_help, stdout);
        return flush_output();
    case OPTIONS_SHOW_VERSION:
        printf("get_sequence_contact %s\n", reply_version());
        return flush_output();
    default:
        return fetch(options);
    }
}

int main(int argument_count, char **arguments) {
    struct options options;
    open_standard_streams();
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* each line is one write */
    signal(SIGPIPE, SIG_IGN);              /* a closed connection is an error like any other */
    int status = options_read(argument_count, arguments, &options);
    if (status == EXIT_SUCCESS) {
        status = run_task(&options);
    }
    options_free(&options);
    return close_output(status);
}
