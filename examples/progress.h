/* progress.h - the progress line on standard error, redrawn in place. */
#ifndef PROGRESS_H
#define PROGRESS_H

/* Enables the line if standard error is a terminal that can erase it, and erases it when a signal
 * ends the process. Without this call the functions below do nothing. */
void progress_enable(void);

/* Draws the line, which consists of printable ASCII characters, cut to the width of the terminal.
 * The line that was drawn before must have been erased. */
void progress_draw(const char *line);

/* Erases the line. Required before any other output. */
void progress_erase(void);

#endif
