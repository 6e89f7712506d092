/* problem.h - RFC 9457 problem documents. */
#ifndef REPLYIO_PROBLEM_H
#define REPLYIO_PROBLEM_H

#include <stddef.h>

#include "replyio.h"

/* Text for an error message, quoted by error_quote; "" if the document has none. */
struct problem {
    char code[64];    /* "code" or "errorCode" as text */
    char detail[256]; /* title, detail and errors */
};

/* Decodes the body of an error response into *problem. The body may be anything, and NULL if length
 * is 0. Removes the key, which may be NULL, from the text. Parts that cannot be decoded, also for
 * lack of memory, are left out: only the HTTP status decides the result. */
void problem_decode(const char *body, size_t length, const char *key, struct problem *problem);

/* Keeps the code of a problem document that was sent with status 200 in the error. */
void problem_keep_code(const char *body, size_t length, const char *key, reply_error *error);

#endif
