/* program.h - the course of both programs: options, client, call, exit status. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <replyio.h>
#include <stddef.h>

#include "options.h"

/* One of the programs. The functions receive context. They return EXIT_SUCCESS, or another exit
 * status after reporting an error. */
struct program {
    const char *help;               /* output of --help */
    struct options *options;        /* receives the options that both programs have */
    const struct options_row *rows; /* the program's own options; may be NULL */
    size_t row_count;
    int (*read_operands)(void *context, int count, char *const *operands);
    int (*run)(void *context, reply_client *client);
    void *context;
};

/* Runs a program. Returns its exit status. */
int program_run(const struct program *program, int argument_count, char **arguments);

#endif
