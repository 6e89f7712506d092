/* error.h - the one home of reply_error: codes, sentences, first error wins. */
#ifndef REPLYIO_ERROR_H
#define REPLYIO_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

/* The error to fill: the caller's, or where it gave none, spare. Clears it. Public functions begin
 * with this. */
reply_error *error_begin(reply_error *error, reply_error *spare);

/* Sets result and message, unless error holds an error already: the first one is the cause. Foreign
 * text among the arguments must have gone through error_quote. Returns the result that error then
 * holds. */
reply_result error_set(reply_error *error, reply_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory, wherever it happens. */
reply_result error_set_no_memory(reply_error *error);

/* The result and the sentence for a response whose HTTP status is not 200. detail is what the
 * service said of it, or ""; how long it asks to wait is taken from error. */
reply_result error_set_http_status(reply_error *error, int32_t http_status, const char *detail);

/* The result and the sentence for an attempt that brought no response. detail says what happened,
 * or "". */
reply_result error_set_failure(reply_error *error, reply_result failure, const char *detail);

/* Copies text that comes from elsewhere into target, of size bytes: the key is taken out wherever
 * it stands (key may be NULL), what is not UTF-8 or controls a terminal is replaced by U+FFFD, and
 * what does not fit is cut between characters. */
void error_quote(char *target, size_t size, const char *text, size_t length, const char *key);

#endif
