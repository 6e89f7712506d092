/* body.c - words for the body of a response that cannot be decoded. It is never quoted, because it
 * may contain a person's data. */
#include "decode/body.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "decode/json.h"

bool body_is_object(const char *body, size_t length) {
    const size_t start = length > 0 ? json_find_start(body, length) : 0;
    return start < length && body[start] == '{';
}

static const char *describe_start(const char *body, size_t length) {
    static const struct {
        const char *start;
        const char *description;
    } starts[] = {
        {"[", "an array"}, {"\"", "a string"}, {"<!doctype html", "HTML"}, {"<html", "HTML"},
        {"<?xml", "XML"},  {"<", "markup"},    {")]}'", "a )]}' prefix"},  {"null", "null"},
    };
    const size_t skipped = length > 0 ? json_find_start(body, length) : 0;
    if (skipped == length) {
        return "nothing";
    }
    body += skipped;
    length -= skipped;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const size_t start_length = strlen(starts[i].start);
        if (start_length <= length &&
            text_equals_ignoring_case(body, starts[i].start, start_length)) {
            return starts[i].description;
        }
    }
    return body[0] >= 0x20 && body[0] < 0x7F ? "text" : "binary data";
}

/* The body probably comes from a captive portal or a proxy. */
reply_result body_reject(const char *body, size_t length, const char *content_type, const char *key,
                         const char *expected, reply_error *error) {
    const char *type = content_type != NULL ? content_type : "none";
    char quoted_type[64];
    error_quote(quoted_type, sizeof quoted_type, type, strlen(type), key);
    return error_set(
        error, REPLY_ERROR_INVALID_RESPONSE,
        "invalid response: HTTP 200 without %s (Content-Type %s, %zu bytes, starts "
        "with %s); check the base URL, and the network for a captive portal or a proxy",
        expected, quoted_type, length, describe_start(body, length));
}
