/* options.c - command-line options and contact ids. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

#define INVALID_ID "invalid id \"%s\": must be a whole number from 1 to 9223372036854775807"

enum { MAX_TIMEOUT_SECONDS = 2147483 }; /* the library's limit is INT32_MAX milliseconds */

const char options_help[] =
    "Usage: get_sequence_contact [OPTION]... SEQUENCE_ID CONTACT_ID...\n"
    "Prints contacts of a Reply.io sequence as cards, in the order of their arrival.\n"
    "\n"
    "If the only CONTACT_ID is -, ids are read from standard input, one per line.\n"
    "The environment variable REPLY_API_KEY must contain the API key.\n"
    "\n"
    "  --json             print the JSON that the service sent, one contact per line\n"
    "  --base-url URL     API base URL (default: https://api.reply.io/v4)\n"
    "  --ca-file FILE     trust the CA certificates in FILE instead of the system's\n"
    "  --timeout SECONDS  timeout for the whole run (default: none)\n"
    "  --verbose          log each attempt and each wait to standard error\n"
    "  --help             print this help\n"
    "  --version          print the version\n"
    "\n"
    "Exit status: 0 if all contacts were printed, 1 after an error, 2 for invalid usage.\n";

/* Parses decimal digits, without a sign. Returns 0 unless the number is from 1 to max. */
static int64_t parse_number(const char *text, int64_t max) {
    int64_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        const int digit = *text - '0';
        if (number > (max - digit) / 10) {
            return 0;
        }
        number = number * 10 + digit;
    }
    return *text == '\0' ? number : 0;
}

static int add_contact_id(struct options *options, int64_t contact_id) {
    /* The capacity doubles whenever the count reaches a power of two. */
    if ((options->contact_count & (options->contact_count - 1)) == 0) {
        const size_t capacity = options->contact_count == 0 ? 1 : 2 * options->contact_count;
        int64_t *grown = realloc(options->contact_ids, capacity * sizeof *grown);
        if (grown == NULL) {
            return terminal_report(EXIT_FAILURE, "out of memory after %zu contact ids; pass fewer",
                                   options->contact_count);
        }
        options->contact_ids = grown;
    }
    options->contact_ids[options->contact_count++] = contact_id;
    return EXIT_SUCCESS;
}

/* Removes white space, including the newline, from both ends of a line. */
static char *trim(char *line) {
    static const char white_space[] = " \t\r\n";
    char *first = line + strspn(line, white_space);
    size_t length = strlen(first);
    while (length > 0 && strchr(white_space, first[length - 1]) != NULL) {
        length--;
    }
    first[length] = '\0';
    return first;
}

/* number is that of the line, from 1. Blank lines are skipped. */
static int read_line(struct options *options, char *line, size_t length, size_t number) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const size_t mark_length = sizeof byte_order_mark - 1;
    const bool has_nul = strlen(line) != length;
    const bool has_mark = number == 1 && strncmp(line, byte_order_mark, mark_length) == 0;
    const char *text = trim(has_mark ? line + mark_length : line);
    if (has_nul) {
        return terminal_report(
            EXIT_WRONG_USAGE,
            "standard input, line %zu: NUL after \"%s\"; write ids as plain text, "
            "one per line",
            number, text);
    }
    if (*text == '\0') {
        return EXIT_SUCCESS;
    }
    const int64_t contact_id = parse_number(text, INT64_MAX);
    if (contact_id == 0) {
        return terminal_report(EXIT_WRONG_USAGE, "standard input, line %zu: " INVALID_ID, number,
                               text);
    }
    return add_contact_id(options, contact_id);
}

static int read_contact_ids(struct options *options) {
    char *line = NULL;
    size_t line_size = 0;
    ssize_t length = 0;
    int status = EXIT_SUCCESS;
    for (size_t number = 1;
         status == EXIT_SUCCESS && (length = getline(&line, &line_size, stdin)) >= 0; number++) {
        status = read_line(options, line, (size_t)length, number);
    }
    if (status == EXIT_SUCCESS && !feof(stdin)) {
        status = terminal_report(EXIT_FAILURE, "cannot read standard input: %s", strerror(errno));
    }
    free(line);
    return status;
}

static int read_operands(struct options *options, int count, char *const *operands) {
    if (count < 2) {
        return terminal_report(EXIT_WRONG_USAGE,
                               "missing %s; pass SEQUENCE_ID CONTACT_ID..., or see --help",
                               count == 0 ? "ids" : "contact id");
    }
    options->sequence_id = parse_number(operands[0], INT64_MAX);
    if (options->sequence_id == 0) {
        return terminal_report(EXIT_WRONG_USAGE, INVALID_ID, operands[0]);
    }
    if (count == 2 && strcmp(operands[1], "-") == 0) {
        const int status = read_contact_ids(options);
        if (status == EXIT_SUCCESS && options->contact_count == 0) {
            return terminal_report(EXIT_WRONG_USAGE,
                                   "no contact id on standard input; write one per line");
        }
        return status;
    }
    int status = EXIT_SUCCESS;
    for (int i = 1; status == EXIT_SUCCESS && i < count; i++) {
        const int64_t contact_id = parse_number(operands[i], INT64_MAX);
        status = contact_id > 0 ? add_contact_id(options, contact_id)
                                : terminal_report(EXIT_WRONG_USAGE, INVALID_ID, operands[i]);
    }
    return status;
}

enum { JSON = 256, BASE_URL, CA_FILE, TIMEOUT, VERBOSE, HELP, VERSION };

static const struct option known_options[] = {
    {"json", no_argument, NULL, JSON},
    {"base-url", required_argument, NULL, BASE_URL},
    {"ca-file", required_argument, NULL, CA_FILE},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"verbose", no_argument, NULL, VERBOSE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

static int read_timeout(struct options *options, const char *text) {
    options->timeout_ms = 1000 * parse_number(text, MAX_TIMEOUT_SECONDS);
    if (options->timeout_ms == 0) {
        return terminal_report(
            EXIT_WRONG_USAGE,
            "invalid --timeout \"%s\": must be a whole number of seconds from 1 to %d", text,
            MAX_TIMEOUT_SECONDS);
    }
    return EXIT_SUCCESS;
}

static int reject_option(int kind, const char *argument) {
    if (kind == ':') {
        return terminal_report(EXIT_WRONG_USAGE, "missing value for %s; see --help", argument);
    }
    if (argument[1] >= '0' && argument[1] <= '9') {
        return terminal_report(EXIT_WRONG_USAGE, INVALID_ID, argument);
    }
    return terminal_report(EXIT_WRONG_USAGE, "invalid option %s; see --help", argument);
}

/* Stores an option. kind is what getopt_long returned for the argument. */
static int store_option(struct options *options, int kind, const char *argument) {
    switch (kind) {
    case JSON:
        options->is_json = true;
        return EXIT_SUCCESS;
    case BASE_URL:
        options->base_url = optarg;
        return EXIT_SUCCESS;
    case CA_FILE:
        options->ca_file = optarg;
        return EXIT_SUCCESS;
    case TIMEOUT:
        return read_timeout(options, optarg);
    case VERBOSE:
        options->is_verbose = true;
        return EXIT_SUCCESS;
    case HELP:
        options->task = OPTIONS_SHOW_HELP;
        return EXIT_SUCCESS;
    case VERSION:
        options->task = OPTIONS_SHOW_VERSION;
        return EXIT_SUCCESS;
    default:
        return reject_option(kind, argument);
    }
}

int options_read(int argument_count, char **arguments, struct options *options) {
    int operand_count = 0;
    int status = EXIT_SUCCESS;
    memset(options, 0, sizeof *options);
    opterr = 0;
    /* The "-" makes getopt_long process the arguments in order and return 1 for an operand.
     * Operands move to the front, over arguments that have been read. */
    while (status == EXIT_SUCCESS && options->task == OPTIONS_FETCH) {
        const char *argument = arguments[optind];
        const int kind = getopt_long(argument_count, arguments, "-:", known_options, NULL);
        if (kind == -1) {
            break;
        }
        if (kind == 1) {
            arguments[operand_count++] = optarg;
        } else {
            status = store_option(options, kind, argument);
        }
    }
    while (optind < argument_count) {
        arguments[operand_count++] = arguments[optind++];
    }
    if (status == EXIT_SUCCESS && options->task == OPTIONS_FETCH) {
        status = read_operands(options, operand_count, arguments);
    }
    return status;
}

void options_free(struct options *options) {
    free(options->contact_ids);
}
