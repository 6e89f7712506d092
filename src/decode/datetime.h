/* datetime.h - RFC 3339 dates and HTTP dates; pure. */
#ifndef REPLYIO_DATETIME_H
#define REPLYIO_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "replyio.h"

/* Parses a whole text as an RFC 3339 date and time, in UTC if the offset is missing. *datetime
 * borrows text, which may be NULL. If text is not a date, has_time is false. */
void datetime_parse(const char *text, reply_datetime *datetime);

/* Parses an HTTP date, only in the form "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate). text may be
 * NULL. Returns false, and leaves *unix_seconds unchanged, if the text is not such a date. */
bool datetime_parse_http_date(const char *text, int64_t *unix_seconds);

#endif
