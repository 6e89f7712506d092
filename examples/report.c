/* report.c - error messages on standard error. */
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

int report(int status, const char *format, ...) {
    char message[1024] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: ", program_name);
    terminal_write(stderr, message, strlen(message));
    fputc('\n', stderr);
    return status;
}

enum { REFERENCE_SIZE = 160 };

/* Formats " (code X, request Y)", or "" if the response has neither. Returns reference. */
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

int report_error(const reply_error *error) {
    char reference[REFERENCE_SIZE];
    const bool is_usage_error = error->result == REPLY_ERROR_INVALID_ARGUMENT;
    return report(is_usage_error ? EXIT_WRONG_USAGE : EXIT_FAILURE, "%s%s", error->message,
                  format_reference(error, reference));
}

void report_unsent(size_t count, const reply_error *error) {
    char reference[REFERENCE_SIZE];
    report(EXIT_FAILURE, "%zu more contacts not fetched: %s%s", count, error->message,
           format_reference(error, reference));
}

int report_write_error(void) {
    if (errno == EPIPE) {
        signal(SIGPIPE, SIG_DFL);
        kill(getpid(), SIGPIPE);
        _exit(128 + SIGPIPE); /* SIGPIPE is blocked */
    }
    return report(EXIT_FAILURE, "cannot write to standard output: %s", strerror(errno));
}
