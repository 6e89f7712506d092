/* request.c - the texts of a request: its headers and its URL; pure. */
#include "dispatch/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Returns true if the length is from min to max and each byte is from first to last. */
static bool is_made_of(const char *text, size_t min, size_t max, unsigned char first,
                       unsigned char last) {
    const size_t length = strnlen(text, max + 1);
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < first || byte > last) {
            return false;
        }
    }
    return length >= min && length <= max;
}

bool request_is_key(const char *text) {
    return is_made_of(text, 1, REQUEST_MAX_KEY, '!', '~');
}

bool request_is_product(const char *text) {
    return is_made_of(text, 1, REQUEST_MAX_PRODUCT, ' ', '~') && text[0] != ' ' &&
           text[strlen(text) - 1] != ' ';
}

bool request_is_header_name(const char *text) {
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const own[] = {"X-API-Key",
                                      "Host",
                                      "Accept",
                                      "User-Agent",
                                      "Accept-Encoding",
                                      "Content-Length",
                                      "Transfer-Encoding",
                                      "Connection"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strlen(text) == strlen(own[i]) &&
            text_equals_ignoring_case(text, own[i], strlen(text))) {
            return false;
        }
    }
    return is_made_of(text, 1, REQUEST_MAX_HEADER_NAME, '!', '~') &&
           text[strspn(text, token)] == '\0';
}

bool request_is_header_value(const char *text) {
    return is_made_of(text, 0, REQUEST_MAX_HEADER_VALUE, ' ', 0xFF) && strchr(text, 0x7F) == NULL;
}

bool request_has_header_name(const char *line, const char *name) {
    const size_t length = strcspn(line, ":;");
    return length == strlen(name) && text_equals_ignoring_case(line, name, length);
}

char *request_make_header(const char *name, const char *value) {
    const size_t name_length = strlen(name);
    value += strspn(value, " ");
    size_t value_length = strlen(value);
    while (value_length > 0 && value[value_length - 1] == ' ') {
        value_length--;
    }
    /* libcurl takes a name and a colon alone as an order to leave the header out; "name;" sends it
     * empty. */
    const char *separator = value_length > 0 ? ": " : ";";
    const size_t separator_length = strlen(separator);
    char *line = malloc(name_length + separator_length + value_length + 1);
    if (line != NULL) {
        /* Not snprintf, which may leave copies of the key on the stack. */
        memcpy(line, name, name_length);
        memcpy(line + name_length, separator, separator_length);
        memcpy(line + name_length + separator_length, value, value_length);
        line[name_length + separator_length + value_length] = '\0';
    }
    return line;
}

char *request_make_user_agent(const char *product, const char *libcurl_version) {
    char value[REQUEST_MAX_PRODUCT + 64];
    snprintf(value, sizeof value, "%s%slibreplyio/%s libcurl/%s", product != NULL ? product : "",
             product != NULL ? " " : "", REPLYIO_VERSION, libcurl_version);
    return request_make_header("User-Agent", value);
}
