/* request.h - ids and configuration to URL and headers; pure. */
#ifndef REPLYIO_REQUEST_H
#define REPLYIO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/transport.h"

enum {
    REQUEST_LONGEST_KEY = 4096,
    REQUEST_LONGEST_PRODUCT = 256,
    REQUEST_LONGEST_HEADER_NAME = 256,
    REQUEST_LONGEST_HEADER_VALUE = 8192,
    REQUEST_URL_SIZE = TRANSPORT_LONGEST_BASE_URL + sizeof "/sequences//contacts/" +
                       2 * sizeof "-9223372036854775808",
};

/* Whether text may be an API key, the product of a User-Agent, the name or the value of a header to
 * add. text is not NULL. */
bool request_is_key(const char *text);
bool request_is_product(const char *text);
bool request_is_header_name(const char *text);
bool request_is_header_value(const char *text);

/* Whether a header line, as request_make_header makes it, is of this name, in whatever case. */
bool request_has_header_name(const char *line, const char *name);

/* Makes the line of a header, without spaces at the value's ends, in the form that libcurl sends as
 * it is. Returns NULL where memory ran out; else the caller frees it with secret_free_text. */
char *request_make_header(const char *name, const char *value);

/* Makes the User-Agent header: the calling program's product, which may be NULL, then the library
 * and libcurl with their versions. Returned and freed like request_make_header's. */
char *request_make_user_agent(const char *product, const char *libcurl_version);

/* Writes the URL of a contact in a sequence. base_url has no slash at its end. */
void request_write_url(char url[REQUEST_URL_SIZE], const char *base_url, int64_t sequence_id,
                       int64_t contact_id);

#endif
