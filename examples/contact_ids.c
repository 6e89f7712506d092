/* contact_ids.c - contact ids from the command line or standard input. */
#include "contact_ids.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "report.h"

static int add_contact_id(struct contact_ids *contact_ids, int64_t contact_id) {
    /* The capacity doubles whenever the count reaches a power of two. */
    if ((contact_ids->count & (contact_ids->count - 1)) == 0) {
        const size_t capacity = contact_ids->count == 0 ? 1 : 2 * contact_ids->count;
        int64_t *grown = realloc(contact_ids->ids, capacity * sizeof *grown);
        if (grown == NULL) {
            return report(EXIT_FAILURE, "out of memory after %zu contact ids; pass fewer",
                          contact_ids->count);
        }
        contact_ids->ids = grown;
    }
    contact_ids->ids[contact_ids->count++] = contact_id;
    return EXIT_SUCCESS;
}

static bool is_white_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Removes white space, including the newline, from both ends of a line. */
static char *trim(char *line) {
    while (is_white_space(*line)) {
        line++;
    }
    char *end = line + strlen(line);
    while (end > line && is_white_space(end[-1])) {
        end--;
    }
    *end = '\0';
    return line;
}

/* number is that of the line, from 1. Blank lines are skipped. */
static int read_line(struct contact_ids *contact_ids, char *line, size_t length, size_t number) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const size_t mark_length = sizeof byte_order_mark - 1;
    const bool has_nul = strlen(line) != length;
    const bool has_mark = number == 1 && strncmp(line, byte_order_mark, mark_length) == 0;
    const char *text = trim(has_mark ? line + mark_length : line);
    if (has_nul) {
        return report(EXIT_WRONG_USAGE,
                      "standard input, line %zu: NUL after \"%s\"; write ids as plain text, "
                      "one per line",
                      number, text);
    }
    if (*text == '\0') {
        return EXIT_SUCCESS;
    }
    const int64_t contact_id = options_parse_number(text, INT64_MAX);
    if (contact_id == 0) {
        return report(EXIT_WRONG_USAGE, "standard input, line %zu: " OPTIONS_INVALID_ID, number,
                      text);
    }
    return add_contact_id(contact_ids, contact_id);
}

static int read_standard_input(struct contact_ids *contact_ids) {
    char *line = NULL;
    size_t line_size = 0;
    ssize_t length = 0;
    int status = EXIT_SUCCESS;
    for (size_t number = 1;
         status == EXIT_SUCCESS && (length = getline(&line, &line_size, stdin)) >= 0; number++) {
        status = read_line(contact_ids, line, (size_t)length, number);
    }
    if (status == EXIT_SUCCESS && !feof(stdin)) {
        status = report(EXIT_FAILURE, "cannot read standard input: %s", strerror(errno));
    }
    free(line);
    return status;
}

int contact_ids_read(struct contact_ids *contact_ids, int count, char *const *operands) {
    int status = EXIT_SUCCESS;
    if (count == 1 && strcmp(operands[0], "-") == 0) {
        status = read_standard_input(contact_ids);
        if (status == EXIT_SUCCESS && contact_ids->count == 0) {
            status =
                report(EXIT_WRONG_USAGE, "no contact id on standard input; write one per line");
        }
        return status;
    }
    for (int i = 0; status == EXIT_SUCCESS && i < count; i++) {
        int64_t contact_id = 0;
        status = options_read_id(operands[i], &contact_id);
        if (status == EXIT_SUCCESS) {
            status = add_contact_id(contact_ids, contact_id);
        }
    }
    return status;
}

void contact_ids_free(struct contact_ids *contact_ids) {
    free(contact_ids->ids);
}
