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

/* Writes text as terminal_write does, cut between characters to at most width columns. An ellipsis
 * replaces what is cut off. Returns the number of columns written. */
size_t terminal_write_cut(FILE *stream, const char *text, size_t width);

/* Returns the number of columns that terminal_write needs for the text. Wide characters count as
 * two and combining ones as none, if the locale's LC_CTYPE is UTF-8. */
size_t terminal_text_width(const char *text);

/* Returns the width of the stream's terminal in columns, or 0 if the stream is not a terminal. */
size_t terminal_width(FILE *stream);

/* Returns true if the stream is a terminal that understands escape sequences. */
bool terminal_is_capable(FILE *stream);

/* Returns true if the stream is such a terminal and the user has not turned off colour. */
bool terminal_has_colour(FILE *stream);

#endif
