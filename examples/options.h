/* options.h - command-line options: those that both programs have, and those of one. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options that both programs have. */
struct options {
    bool is_help;
    bool is_version;
    bool is_json;
    bool is_verbose;
    const char *base_url;    /* NULL: the library's default */
    const char *ca_file;     /* NULL: the system's certificates */
    int64_t timeout_seconds; /* 0: none */
};

/* An option, and the variable that receives it: one of flag, text and number. */
struct options_row {
    const char *name; /* without the dashes */
    bool *flag;
    const char **text;
    int64_t *number;
    int64_t min; /* smallest number, at least 1 */
    int64_t max; /* largest number */
    const char *unit;
};

/* Lines of --help for the options that both programs have, except --json. */
#define OPTIONS_HELP                                                                               \
    "  --base-url URL     API base URL (default: https://api.reply.io/v4)\n"                       \
    "  --ca-file FILE     trust the CA certificates in FILE instead of the system's\n"             \
    "  --timeout SECONDS  timeout for the whole run (default: none)\n"                             \
    "  --verbose          log each attempt and each wait to standard error\n"                      \
    "  --help             print this help\n"                                                       \
    "  --version          print the version\n"

/* Reads the options of the command line, including the program's own rows. Moves the operands to
 * the front of arguments and stores their number. Does not read on after --help or --version.
 * Returns EXIT_SUCCESS, or another exit status after reporting an error. */
int options_read(int argument_count, char **arguments, struct options *options,
                 const struct options_row *rows, size_t row_count, int *operand_count);

/* Parses decimal digits, without a sign. Returns 0 unless the number is from 1 to max. */
int64_t options_parse_number(const char *text, int64_t max);

/* Parses an id. Returns EXIT_SUCCESS, or another exit status after reporting an error. */
int options_read_id(const char *text, int64_t *id);

/* Format of the error for an invalid id. */
#define OPTIONS_INVALID_ID "invalid id \"%s\": must be a whole number from 1 to 9223372036854775807"

#endif
