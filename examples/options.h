/* options.h - command-line options and contact ids. */
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
    const char *ca_file;  /* NULL: the system's certificates */
    int64_t timeout_ms;   /* 0: none */
    int64_t sequence_id;
    int64_t *contact_ids;
    size_t contact_count;
};

/* Output of --help. */
extern const char options_help[];

/* Reads the command line, and standard input if the contact id is "-". Returns EXIT_SUCCESS, or
 * another exit status after reporting an error. The caller frees options with options_free in
 * either case. */
int options_read(int argument_count, char **arguments, struct options *options);

/* Frees what options_read allocated. */
void options_free(struct options *options);

#endif
