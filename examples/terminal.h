/* terminal.h - what may go to a terminal: text from elsewhere only in a form that it shows and does
 * not obey. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes UTF-8 text with escapes (\u001b, \u202e) in place of control characters, of characters
 * that turn the direction of writing and of those that end a line; bytes that are no UTF-8 come as
 * \x9b. */
void terminal_write(FILE *stream, const char *text, size_t length);

/* Writes one line to standard error, made as by printf and escaped as above, after the program's
 * name. Returns status. */
int terminal_report(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the stream goes to a terminal that knows more than lines of text. */
bool terminal_is_capable(FILE *stream);

#endif
