/* json.h - text to "sound JSON, with these members" or to where and why it is not; pure. */
#ifndef REPLYIO_JSON_GUARD_H
#define REPLYIO_JSON_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value where it stands in the text, a string with its quotes. */
struct json_value {
    enum json_kind kind;
    const char *text;
    size_t length;
    bool has_escape;  /* a string with a backslash in it */
    bool is_not_text; /* a string that escapes a NUL or half a surrogate pair */
    bool is_integer;  /* a number of digits alone, perhaps with a minus */
};

/* Receives a member of the document's object, in the order of the text. */
typedef void (*json_member_fn)(const struct json_value *name, const struct json_value *value,
                               void *context);

struct json_fault {
    size_t offset;      /* the byte at which the text stops being JSON */
    const char *reason; /* a constant string */
};

/* The deepest nesting that is read; the document itself is level 1. */
enum { JSON_MAX_DEPTH = 512 };

/* The length of the byte-order mark at the start of a text, or 0. */
size_t json_mark_length(const char *text, size_t length);

/* Reads length bytes as RFC 8259 JSON in UTF-8, after a byte-order mark if there is one. Returns
 * true where they are one value and nothing else, with its kind and its span in *document; where it
 * is an object, on_member, which may be NULL, has received each of its members. Otherwise returns
 * false with *fault filled, perhaps after some members were handed out. Reads no byte beyond. */
bool json_guard(const char *text, size_t length, json_member_fn on_member, void *context,
                struct json_value *document, struct json_fault *fault);

#endif
