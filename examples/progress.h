/* progress.h - the progress line on standard error, redrawn in place. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Enables the line if standard error is a terminal that can erase it, and erases it when a signal
 * ends the process. Without this call the functions below do nothing. */
void progress_enable(void);

/* Sets the line's text, printable ASCII characters, and draws it, cut to the width of the terminal.
 * The line must be erased. If only_while_waiting, it is drawn only during a wait for the rate
 * limit. An empty text is never drawn. */
void progress_set(const char *text, bool only_while_waiting);

/* Adds a wait for the rate limit to the line from its next drawing on, until the wait is over. */
void progress_note_wait(int64_t wait_ms);

/* Draws the line again. The line must be erased. */
void progress_redraw(void);

/* Erases the line. Required before any other output. */
void progress_erase(void);

#endif
