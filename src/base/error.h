/* error.h - filling of reply_error: result, message, quoting. Nothing here allocates. */
#ifndef REPLYIO_ERROR_H
#define REPLYIO_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

/* Clears the error that a public function is to fill, and returns it: the caller's, or spare if
 * that is NULL. spare may be NULL if error is not. */
reply_error *error_begin(reply_error *error, reply_error *spare);

/* Sets result and message, unless the error already has a result: the first one is the cause.
 * Foreign text among the arguments must have gone through error_quote. Returns the error's result.
 */
reply_result error_set(reply_error *error, reply_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets NO_MEMORY. */
reply_result error_set_no_memory(reply_error *error);

/* Sets NO_MEMORY for a resource that has run out: "memory" or "file descriptors". */
reply_result error_set_out_of(reply_error *error, const char *resource);

/* Sets NO_MEMORY, and says whether the process has run out of memory or of file descriptors. */
reply_result error_set_exhausted(reply_error *error);

/* Sets INVALID_ARGUMENT for an argument of this name that is NULL. */
reply_result error_set_null_argument(reply_error *error, const char *name);

/* Puts a text of at most 127 bytes before the message, whose end is cut if it does not fit. */
void error_prefix(reply_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies foreign text into target, of size bytes. Removes the key, which may be NULL, replaces by
 * U+FFFD what is not UTF-8 or controls a terminal, and cuts between characters what does not fit.
 */
void error_quote(char *target, size_t size, const char *text, size_t length, const char *key);

#endif
