/* options.c - command-line options. */
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum {
    MAX_TIMEOUT_SECONDS = 2147483, /* the library's limit is INT32_MAX milliseconds */
    MAX_ROW_COUNT = 16,
    FIRST_ROW = 256 /* above the characters that getopt_long returns */
};

int64_t options_parse_number(const char *text, int64_t max) {
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

int options_read_id(const char *text, int64_t *id) {
    *id = options_parse_number(text, INT64_MAX);
    return *id > 0 ? EXIT_SUCCESS : report(EXIT_WRONG_USAGE, OPTIONS_INVALID_ID, text);
}

static int store(const struct options_row *row, const char *value) {
    if (row->flag != NULL) {
        *row->flag = true;
    } else if (row->text != NULL) {
        *row->text = value;
    } else {
        *row->number = options_parse_number(value, row->max);
        if (*row->number < row->min) {
            return report(EXIT_WRONG_USAGE,
                          "invalid --%s \"%s\": must be a whole number of %s from %" PRId64
                          " to %" PRId64,
                          row->name, value, row->unit, row->min, row->max);
        }
    }
    return EXIT_SUCCESS;
}

static int reject_option(int kind, const char *argument) {
    if (kind == ':') {
        return report(EXIT_WRONG_USAGE, "missing value for %s; see --help", argument);
    }
    if (argument[1] >= '0' && argument[1] <= '9') {
        return report(EXIT_WRONG_USAGE, OPTIONS_INVALID_ID, argument);
    }
    return report(EXIT_WRONG_USAGE, "invalid option %s; see --help", argument);
}

/* Reads the command line with a table of rows. Stops after an error, --help and --version. */
static int read_rows(int argument_count, char **arguments, const struct options *options,
                     const struct options_row *rows, size_t row_count, int *operand_count) {
    struct option known[MAX_ROW_COUNT + 1] = {{NULL, 0, NULL, 0}};
    int status = EXIT_SUCCESS;
    for (size_t i = 0; i < row_count; i++) {
        known[i].name = rows[i].name;
        known[i].has_arg = rows[i].flag != NULL ? no_argument : required_argument;
        known[i].val = FIRST_ROW + (int)i;
    }
    opterr = 0;
    /* The "-" makes getopt_long process the arguments in order and return 1 for an operand.
     * Operands move to the front, over arguments that have been read. */
    while (status == EXIT_SUCCESS && !options->is_help && !options->is_version) {
        const char *argument = arguments[optind];
        const int kind = getopt_long(argument_count, arguments, "-:", known, NULL);
        if (kind == -1) {
            break;
        }
        if (kind == 1) {
            arguments[(*operand_count)++] = optarg;
        } else {
            status = kind < FIRST_ROW ? reject_option(kind, argument)
                                      : store(&rows[kind - FIRST_ROW], optarg);
        }
    }
    while (optind < argument_count) {
        arguments[(*operand_count)++] = arguments[optind++];
    }
    return status;
}

int options_read(int argument_count, char **arguments, struct options *options,
                 const struct options_row *rows, size_t row_count, int *operand_count) {
    const struct options_row common[] = {
        {.name = "json", .flag = &options->is_json},
        {.name = "base-url", .text = &options->base_url},
        {.name = "ca-file", .text = &options->ca_file},
        {.name = "timeout",
         .number = &options->timeout_seconds,
         .min = 1,
         .max = MAX_TIMEOUT_SECONDS,
         .unit = "seconds"},
        {.name = "verbose", .flag = &options->is_verbose},
        {.name = "help", .flag = &options->is_help},
        {.name = "version", .flag = &options->is_version},
    };
    const size_t common_count = sizeof common / sizeof common[0];
    struct options_row all[MAX_ROW_COUNT];
    memset(options, 0, sizeof *options);
    memcpy(all, common, sizeof common);
    for (size_t i = 0; i < row_count; i++) {
        all[common_count + i] = rows[i];
    }
    *operand_count = 0;
    return read_rows(argument_count, arguments, options, all, common_count + row_count,
                     operand_count);
}
