/* json.h - strict JSON scanner; pure. */
#ifndef REPLYIO_JSON_H
#define REPLYIO_JSON_H

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

/* A value's span of the text; a string's includes the quotes. */
struct json_value {
    enum json_kind kind;
    const char *text;
    size_t length;
    bool has_escape; /* a string with a backslash */
    bool is_text;    /* no string in it, itself included, contains \u0000 or a lone surrogate */
    bool is_integer; /* a number of digits only, with an optional minus sign */
};

struct json_document {
    const char *text; /* the text without a byte-order mark, with its white space */
    size_t length;
    struct json_value value;
};

struct json_fault {
    size_t offset;      /* index of the first byte that is not valid JSON */
    const char *reason; /* a constant string */
};

/* Receives a member of the document's object, in the order of the text. */
typedef void (*json_member_fn)(const struct json_value *name, const struct json_value *value,
                               void *context);

/* Maximum nesting; the document itself is level 1. */
enum { JSON_MAX_DEPTH = 512 };

/* Scans RFC 8259 JSON in UTF-8, after an optional byte-order mark. Returns true if the text is one
 * valid value, with the value in *document. If it is an object, on_member has received each of its
 * members; on_member may be NULL. Otherwise returns false with *fault set; on_member may have
 * received some members. Never reads beyond length bytes. */
bool json_scan(const char *text, size_t length, json_member_fn on_member, void *context,
               struct json_document *document, struct json_fault *fault);

/* Returns the index of the first byte after a byte-order mark and white space; length if there is
 * none. */
size_t json_find_start(const char *text, size_t length);

#endif
