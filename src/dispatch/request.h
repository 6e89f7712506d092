/* request.h - the texts of a request: its headers and its URL; pure. */
#ifndef REPLYIO_REQUEST_H
#define REPLYIO_REQUEST_H

#include <stdbool.h>

enum {
    REQUEST_MAX_KEY = 4096,
    REQUEST_MAX_PRODUCT = 256,
    REQUEST_MAX_HEADER_NAME = 256,
    REQUEST_MAX_HEADER_VALUE = 8192,
    REQUEST_PATH_SIZE = 128, /* of a path and query after the base URL, with its NUL */
};

/* Each returns true if text, which is not NULL, is valid as what the name says: an API key, a
 * product for the User-Agent, the name or the value of an added header. */
bool request_is_key(const char *text);
bool request_is_product(const char *text);
bool request_is_header_name(const char *text);
bool request_is_header_value(const char *text);

/* Returns true if a header line that request_make_header made has this name, in any case. */
bool request_has_header_name(const char *line, const char *name);

/* Makes a header line, without spaces at the value's ends, in the form that libcurl sends as it is.
 * Returns NULL if out of memory. The caller frees it with secret_free_text. */
char *request_make_header(const char *name, const char *value);

/* Makes the User-Agent header: the caller's product, which may be NULL, then the library and
 * libcurl with their versions. Returned and freed like request_make_header's. */
char *request_make_user_agent(const char *product, const char *libcurl_version);

#endif
