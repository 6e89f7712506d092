/* options.c - the command line, and the ids on standard input, to what is to be done. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

#define NOT_AN_ID "\"%s\" is not an id: ids are positive whole numbers, 1 to 9223372036854775807"

enum { MOST_TIMEOUT_SECONDS = 2147483 }; /* the library takes no more than INT32_MAX milliseconds */

const char options_help[] =
    "Usage: get_sequence_contact [OPTION]... SEQUENCE_ID CONTACT_ID...\n"
    "Prints contacts of a Reply.io sequence as cards, in the order in which they come.\n"
    "\n"
    "With - as the only CONTACT_ID, ids are read from standard input, one a line.\n"
    "The environment variable REPLY_API_KEY holds the API key.\n"
    "\n"
    "  --json             print each contact as the service sent it, on one line\n"
    "  --base-url URL     where the API is, if not at https://api.reply.io/v4\n"
    "  --ca-file FILE     trust the CA certificates in FILE instead of the system's\n"
    "  --timeout SECONDS  longest time for all contacts together; without it there is none\n"
    "  --verbose          report each request and each wait on standard error\n"
    "  --help             print this text\n"
    "  --version          print the version\n"
    "\n"
    "Exit status: 0 all contacts printed, 1 something failed, 2 wrong usage.\n";

/* A whole number of 1 to most in digits alone; 0 where the text is none. */
static int64_t parse_number(const char *text, int64_t most) {
    int64_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        const int digit = *text - '0';
        if (number > (most - digit) / 10) {
            return 0;
        }
        number = number * 10 + digit;
    }
    return *text == '\0' ? number : 0;
}

static int add_contact_id(struct options *options, int64_t contact_id) {
    /* Room is made whenever the count reaches a power of two. */
    if ((options->contact_count & (options->contact_count - 1)) == 0) {
        const size_t room = options->contact_count == 0 ? 1 : 2 * options->contact_count;
        int64_t *grown = realloc(options->contact_ids, room * sizeof *grown);
        if (grown == NULL) {
            return terminal_report(EXIT_FAILURE, "memory ran out after %zu contact ids",
                                   options->contact_count);
        }
        options->contact_ids = grown;
    }
    options->contact_ids[options->contact_count++] = contact_id;
    return EXIT_SUCCESS;
}

/* A line without the white space at its ends, its line feed among it. */
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

static int read_contact_ids(struct options *options) {
    char *line = NULL;
    size_t line_size = 0;
    ssize_t length = 0;
    int status = EXIT_SUCCESS;
    for (size_t number = 1;
         status == EXIT_SUCCESS && (length = getline(&line, &line_size, stdin)) >= 0; number++) {
        const bool has_nul = strlen(line) != (size_t)length;
        const char *text = trim(line);
        const int64_t contact_id = has_nul ? 0 : parse_number(text, INT64_MAX);
        if (contact_id > 0) {
            status = add_contact_id(options, contact_id);
        } else if (has_nul || *text != '\0') {
            status = terminal_report(EXIT_WRONG_USAGE, "standard input, line %zu: " NOT_AN_ID,
                                     number, text);
        }
    }
    if (status == EXIT_SUCCESS && !feof(stdin)) {
        status =
            terminal_report(EXIT_FAILURE, "standard input cannot be read: %s", strerror(errno));
    }
    free(line);
    return status;
}

static int take_operands(struct options *options, int count, char *const *operands) {
    if (count < 2) {
        return terminal_report(EXIT_WRONG_USAGE,
                               "%s missing: give SEQUENCE_ID CONTACT_ID..., or see --help",
                               count == 0 ? "the ids are" : "a contact id is");
    }
    options->sequence_id = parse_number(operands[0], INT64_MAX);
    if (options->sequence_id == 0) {
        return terminal_report(EXIT_WRONG_USAGE, NOT_AN_ID, operands[0]);
    }
    if (count == 2 && strcmp(operands[1], "-") == 0) {
        const int status = read_contact_ids(options);
        if (status == EXIT_SUCCESS && options->contact_count == 0) {
            return terminal_report(EXIT_WRONG_USAGE, "standard input holds no contact id");
        }
        return status;
    }
    int status = EXIT_SUCCESS;
    for (int i = 1; status == EXIT_SUCCESS && i < count; i++) {
        const int64_t contact_id = parse_number(operands[i], INT64_MAX);
        status = contact_id > 0 ? add_contact_id(options, contact_id)
                                : terminal_report(EXIT_WRONG_USAGE, NOT_AN_ID, operands[i]);
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

static int take_timeout(struct options *options, const char *text) {
    options->timeout_ms = 1000 * parse_number(text, MOST_TIMEOUT_SECONDS);
    if (options->timeout_ms == 0) {
        return terminal_report(EXIT_WRONG_USAGE,
                               "--timeout \"%s\" is not a whole number of seconds, 1 to %d", text,
                               MOST_TIMEOUT_SECONDS);
    }
    return EXIT_SUCCESS;
}

static int refuse_option(int kind, const char *argument) {
    if (kind == ':') {
        return terminal_report(EXIT_WRONG_USAGE, "%s needs a value", argument);
    }
    if (argument[1] >= '0' && argument[1] <= '9') {
        return terminal_report(EXIT_WRONG_USAGE, NOT_AN_ID, argument);
    }
    return terminal_report(EXIT_WRONG_USAGE, "%s is not an option, see --help", argument);
}

/* Takes the option of that kind, as getopt_long returned it for the argument. */
static int take_option(struct options *options, int kind, const char *argument) {
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
        return take_timeout(options, optarg);
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
        return refuse_option(kind, argument);
    }
}

int options_read(int argument_count, char **arguments, struct options *options) {
    int operand_count = 0;
    int status = EXIT_SUCCESS;
    memset(options, 0, sizeof *options);
    opterr = 0;
    /* By its "-", getopt_long goes through the arguments in their order and returns 1 for an
     * operand. Operands are moved to the front, over what has been read. */
    while (status == EXIT_SUCCESS && options->task == OPTIONS_FETCH) {
        const char *argument = arguments[optind];
        const int kind = getopt_long(argument_count, arguments, "-:", known_options, NULL);
        if (kind == -1) {
            break;
        }
        if (kind == 1) {
            arguments[operand_count++] = optarg;
        } else {
            status = take_option(options, kind, argument);
        }
    }
    while (optind < argument_count) {
        arguments[operand_count++] = arguments[optind++];
    }
    if (status == EXIT_SUCCESS && options->task == OPTIONS_FETCH) {
        status = take_operands(options, operand_count, arguments);
    }
    return status;
}

void options_free(struct options *options) {
    free(options->contact_ids);
}
