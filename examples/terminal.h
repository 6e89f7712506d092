/* terminal.h - safe output to a terminal: untrusted text is escaped. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes UTF-8 text. Escapes (\u001b, \u202e) replace control characters, line and paragraph
 * separators, byte-order marks and characters that change the writing direction; \x9b replaces an
 * invalid byte. */
void terminal_write(FILE *stream, const char *text, size_t length);

/* Writes one line to standard error: the program's name and a message, formatted as by printf and
 * escaped as above. Returns status. */
int terminal_report(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns true if the stream is a terminal that understands escape sequences. */
bool terminal_is_capable(FILE *stream);

#endif
