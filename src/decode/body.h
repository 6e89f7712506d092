/* body.h - words for the body of a response that cannot be decoded. */
#ifndef REPLYIO_BODY_H
#define REPLYIO_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "replyio.h"

/* Returns true if the body starts as an object. It may be NULL if length is 0. */
bool body_is_object(const char *body, size_t length);

/* Sets INVALID_RESPONSE for a body that is not an object. expected says what it should be. Does not
 * quote the body. content_type and key may be NULL. Removes the key from the message. */
reply_result body_reject(const char *body, size_t length, const char *content_type, const char *key,
                         const char *expected, reply_error *error);

#endif
