/* options.h - the command line, and the ids on standard input, to what is to be done. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_WRONG_USAGE = 2 };

enum options_task { OPTIONS_FETCH, OPTIONS_SHOW_HELP, OPTIONS_SHOW_VERSION };

struct options {
    enum options_task task;
    bool is_json;
    bool is_verbose;
    const char *base_url; /* NULL: the library's default */
    const char *ca_file;  /* NULL: the system's */
    int64_t timeout_ms;   /* 0: none */
    int64_t sequence_id;
    int64_t *contact_ids;
    size_t contact_count;
};

/* The text of --help. */
extern const char options_help[];

/* Fills options, which the caller hands to options_free in any case. Returns EXIT_SUCCESS, or the
 * exit status after an error that it has reported. */
int options_read(int argument_count, char **arguments, struct options *options);

void options_free(struct options *options);

#endif
