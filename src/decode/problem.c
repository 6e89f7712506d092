/* problem.c - RFC 9457 problem documents. cJSON decodes the strings and the list of errors, after
 * json_scan has accepted the whole text. */
#include "decode/problem.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "decode/json.h"
#include "decode/locked_cjson.h"

struct members {
    struct json_value code, error_code, title, detail, errors;
};

static void keep_member(const struct json_value *name, const struct json_value *value,
                        void *context) {
    struct members *members = context;
    const struct {
        const char *name;
        struct json_value *value;
    } known[] = {{"\"code\"", &members->code},
                 {"\"errorCode\"", &members->error_code},
                 {"\"title\"", &members->title},
                 {"\"detail\"", &members->detail},
                 {"\"errors\"", &members->errors}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == name->length &&
            memcmp(known[i].name, name->text, name->length) == 0) {
            *known[i].value = *value;
        }
    }
}

/* Appends text to the detail, after the separator unless the detail is empty. Every separator has a
 * space, which a key cannot have: no two texts can form the key together. For the same reason
 * nothing is appended if the separator does not fit. */
static void append_detail(struct problem *problem, const char *separator, const char *text,
                          const char *key) {
    size_t used = strlen(problem->detail);
    if (used > 0) {
        if (used + strlen(separator) >= sizeof problem->detail) {
            return;
        }
        strcpy(problem->detail + used, separator);
        used += strlen(separator);
    }
    error_quote(problem->detail + used, sizeof problem->detail - used, text, strlen(text), key);
}

/* Returns NULL unless the value is a string without NUL and lone surrogates. */
static cJSON *parse_string(const struct json_value *value) {
    return value->kind == JSON_STRING && value->is_text ? locked_cjson_parse(value) : NULL;
}

static void append_string(struct problem *problem, const struct json_value *value,
                          const char *key) {
    cJSON *item = parse_string(value);
    if (item != NULL) {
        append_detail(problem, ": ", item->valuestring, key);
        locked_cjson_free(item);
    }
}

/* An error has a JSON Pointer and a text. The service's pages disagree on their names, so all
 * strings of an error are appended. cJSON would leave copies in freed memory where it stops: at a
 * NUL or at a lone surrogate. */
static void append_errors(struct problem *problem, const struct json_value *value,
                          const char *key) {
    cJSON *errors = value->kind == JSON_ARRAY && value->is_text ? locked_cjson_parse(value) : NULL;
    const cJSON *entry = NULL;
    const cJSON *part = NULL;
    cJSON_ArrayForEach(entry, errors) {
        const char *separator = ", ";
        cJSON_ArrayForEach(part, entry) {
            if (cJSON_IsString(part)) {
                append_detail(problem, separator, part->valuestring, key);
                separator = " ";
            }
        }
    }
    locked_cjson_free(errors);
}

static void set_code(struct problem *problem, const struct json_value *value, const char *key) {
    if (value->kind == JSON_NUMBER) {
        error_quote(problem->code, sizeof problem->code, value->text, value->length, key);
        return;
    }
    cJSON *item = parse_string(value);
    if (item != NULL) {
        error_quote(problem->code, sizeof problem->code, item->valuestring,
                    strlen(item->valuestring), key);
        locked_cjson_free(item);
    }
}

void problem_decode(const char *body, size_t length, const char *key, struct problem *problem) {
    struct members members;
    struct json_document document;
    struct json_fault fault;
    memset(&members, 0, sizeof members); /* a missing member is JSON_NULL */
    memset(problem, 0, sizeof *problem);
    if (length == 0 || !json_scan(body, length, keep_member, &members, &document, &fault)) {
        return;
    }
    const bool has_code = members.code.kind == JSON_STRING || members.code.kind == JSON_NUMBER;
    set_code(problem, has_code ? &members.code : &members.error_code, key);
    append_string(problem, &members.title, key);
    append_string(problem, &members.detail, key);
    append_errors(problem, &members.errors, key);
}
