/* datetime.h - text to time: RFC 3339, and the IMF-fixdate of HTTP headers; pure. */
#ifndef REPLYIO_DATETIME_H
#define REPLYIO_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "replyio.h"

/* Reads an RFC 3339 date and time, whose offset may be missing (then it is read as UTC), and which
 * ends the text. *datetime keeps text itself, with a time where it has one. text may be NULL. */
void datetime_read(const char *text, reply_datetime *datetime);

/* Reads an HTTP date in the form "Sun, 06 Nov 1994 08:49:37 GMT", and no other. Returns false, with
 * *unix_seconds untouched, where the text is none; text may be NULL. */
bool datetime_read_http_date(const char *text, int64_t *unix_seconds);

#endif
