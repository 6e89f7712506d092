/* report.h - error messages on standard error, and the exit statuses. */
#ifndef REPORT_H
#define REPORT_H

#include <replyio.h>
#include <stddef.h>

enum { EXIT_WRONG_USAGE = 2 };

/* Name of the program, which begins each message. The file with main defines it. */
extern const char program_name[];

/* Writes one line to standard error: the program's name and a message, formatted as by printf and
 * escaped as by terminal_write. Returns status. */
int report(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reports an error of the library, with what Reply.io's support needs to find the request: the
 * service's code and the request's id. Returns the exit status. */
int report_error(const reply_error *error);

/* Reports the error that left count contacts unsent. */
void report_unsent(size_t count, const reply_error *error);

/* Reports a failed write to standard output, such as to a full disk. If the reader of a pipe has
 * exited, ends the process as SIGPIPE would have done. Returns EXIT_FAILURE. */
int report_write_error(void);

#endif
