/* json.c - strict JSON scanner; pure. It accepts exactly RFC 8259 in UTF-8, and never allocates. It
 * does not recurse either, because a hostile text could exhaust the stack. */
#include "decode/json.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

struct scanner {
    const char *start;
    const char *at;
    const char *end;
    struct json_fault *fault;
    size_t depth;
    char closers[JSON_MAX_DEPTH]; /* closing brackets of the open containers */
};

static bool fail(struct scanner *scanner, const char *reason) {
    scanner->fault->offset = (size_t)(scanner->at - scanner->start);
    scanner->fault->reason = scanner->at == scanner->end ? "unexpected end of text" : reason;
    return false;
}

/* Returns NUL at the end of the text. No token starts with NUL, so the two cannot be confused. */
static char peek(const struct scanner *scanner) {
    if (scanner->at < scanner->end) {
        return *scanner->at;
    }
    return '\0';
}

static void skip_space(struct scanner *scanner) {
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\n' ||
                                          *scanner->at == '\r' || *scanner->at == '\t')) {
        scanner->at++;
    }
}

static void skip_byte_order_mark(struct scanner *scanner) {
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};
    if ((size_t)(scanner->end - scanner->at) >= sizeof mark &&
        memcmp(scanner->at, mark, sizeof mark) == 0) {
        scanner->at += sizeof mark;
    }
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool expect_byte(struct scanner *scanner, char byte, const char *reason) {
    if (peek(scanner) != byte) {
        return fail(scanner, reason);
    }
    scanner->at++;
    return true;
}

/* ---- Scalars ---- */

static bool scan_code_unit(struct scanner *scanner, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = strchr(digits, peek(scanner));
        if (peek(scanner) == '\0' || digit == NULL) {
            return fail(scanner, "expected four hexadecimal digits after \\u");
        }
        const uint32_t value = (uint32_t)(digit - digits);
        *unit = *unit * 16 + (value < 16 ? value : value - 6);
        scanner->at++;
    }
    return true;
}

/* The scanner is after the backslash. A low surrogate belongs to a pair only if its escape directly
 * follows that of a high surrogate. */
static bool scan_escape(struct scanner *scanner, struct json_value *string) {
    uint32_t unit = 0;
    if (peek(scanner) == '\0' || strchr("\"\\/bfnrtu", *scanner->at) == NULL) {
        return fail(scanner, "invalid escape");
    }
    if (*scanner->at++ != 'u') {
        return true;
    }
    if (!scan_code_unit(scanner, &unit)) {
        return false;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF && scanner->end - scanner->at >= 2 &&
        memcmp(scanner->at, "\\u", 2) == 0) {
        scanner->at += 2;
        if (!scan_code_unit(scanner, &unit)) {
            return false;
        }
        string->is_text = string->is_text && unit >= 0xDC00 && unit <= 0xDFFF;
    } else if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF)) {
        string->is_text = false;
    }
    return true;
}

/* Rows of 16 bytes. */
#define NO_BYTE      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define EACH_BYTE    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define NO_QUOTE     1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define NO_BACKSLASH 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1

/* Bytes that need no look inside a string: ASCII but control characters, quote and backslash. */
static const bool is_ordinary[256] = {
    NO_BYTE,   NO_BYTE,      NO_QUOTE,  EACH_BYTE, /* 0x00 to 0x3F */
    EACH_BYTE, NO_BACKSLASH, EACH_BYTE, EACH_BYTE, /* 0x40 to 0x7F */
};

/* Scans a byte of a string, or bytes that belong together, that is not ordinary. */
static bool scan_special(struct scanner *scanner, struct json_value *string) {
    uint32_t code_point = 0;
    const unsigned char byte = (unsigned char)*scanner->at;
    if (byte == '\\') {
        string->has_escape = true;
        scanner->at++;
        return scan_escape(scanner, string);
    }
    if (byte < 0x20) {
        return fail(scanner, "unescaped control character in a string");
    }
    const size_t size =
        text_decode_utf8(scanner->at, (size_t)(scanner->end - scanner->at), &code_point);
    scanner->at += size;
    return size > 0 || fail(scanner, "invalid UTF-8");
}

static bool scan_string(struct scanner *scanner, struct json_value *string) {
    string->kind = JSON_STRING;
    string->text = scanner->at;
    string->is_text = true;
    scanner->at++;
    for (;;) {
        const char *at = scanner->at;
        while (at < scanner->end && is_ordinary[(unsigned char)*at]) {
            at++;
        }
        scanner->at = at;
        if (at == scanner->end || *at == '"') {
            break;
        }
        if (!scan_special(scanner, string)) {
            return false;
        }
    }
    if (!expect_byte(scanner, '"', "expected the end of a string")) {
        return false;
    }
    string->length = (size_t)(scanner->at - string->text);
    return true;
}

static bool scan_digits(struct scanner *scanner) {
    if (!is_digit(peek(scanner))) {
        return fail(scanner, "expected a digit");
    }
    while (is_digit(peek(scanner))) {
        scanner->at++;
    }
    return true;
}

static bool scan_number(struct scanner *scanner, struct json_value *number) {
    number->kind = JSON_NUMBER;
    number->is_integer = true;
    if (peek(scanner) == '-') {
        scanner->at++;
    }
    if (peek(scanner) == '0') {
        scanner->at++;
    } else if (!scan_digits(scanner)) {
        return false;
    }
    if (peek(scanner) == '.') {
        number->is_integer = false;
        scanner->at++;
        if (!scan_digits(scanner)) {
            return false;
        }
    }
    if (peek(scanner) == 'e' || peek(scanner) == 'E') {
        number->is_integer = false;
        scanner->at++;
        if (peek(scanner) == '+' || peek(scanner) == '-') {
            scanner->at++;
        }
        return scan_digits(scanner);
    }
    return true;
}

static bool scan_literal(struct scanner *scanner, struct json_value *value, const char *literal,
                         enum json_kind kind) {
    value->kind = kind;
    for (; *literal != '\0'; literal++) {
        if (!expect_byte(scanner, *literal, "invalid literal")) {
            return false;
        }
    }
    return true;
}

/* ---- Containers ---- */

static bool is_at_closer(const struct scanner *scanner) {
    return peek(scanner) == scanner->closers[scanner->depth - 1];
}

static void close_container(struct scanner *scanner) {
    scanner->at++;
    scanner->depth--;
}

/* Opens a container, and closes it again if it is empty. */
static inline bool open_container(struct scanner *scanner, struct json_value *value,
                                  enum json_kind kind, char closer) {
    if (scanner->depth >= JSON_MAX_DEPTH) {
        return fail(scanner, "nested more than 512 levels deep");
    }
    value->kind = kind;
    scanner->closers[scanner->depth++] = closer;
    scanner->at++;
    skip_space(scanner);
    if (is_at_closer(scanner)) {
        close_container(scanner);
    }
    return true;
}

/* Scans a scalar or an empty container, or opens a container. */
static bool start_value(struct scanner *scanner, struct json_value *value) {
    switch (peek(scanner)) {
    case '{':
        return open_container(scanner, value, JSON_OBJECT, '}');
    case '[':
        return open_container(scanner, value, JSON_ARRAY, ']');
    case '"':
        return scan_string(scanner, value);
    case 'n':
        return scan_literal(scanner, value, "null", JSON_NULL);
    case 'f':
        return scan_literal(scanner, value, "false", JSON_FALSE);
    case 't':
        return scan_literal(scanner, value, "true", JSON_TRUE);
    default:
        if (peek(scanner) != '-' && !is_digit(peek(scanner))) {
            return fail(scanner, "expected a value");
        }
        return scan_number(scanner, value);
    }
}

static bool is_in_array(const struct scanner *scanner) {
    return scanner->closers[scanner->depth - 1] == ']';
}

/* Scans a member's name, up to the start of its value. */
static bool scan_name(struct scanner *scanner, struct json_value *name) {
    if (peek(scanner) != '"') {
        return fail(scanner, "expected a name");
    }
    *name = (struct json_value){0};
    if (!scan_string(scanner, name)) {
        return false;
    }
    skip_space(scanner);
    if (!expect_byte(scanner, ':', "expected a colon")) {
        return false;
    }
    skip_space(scanner);
    return true;
}

/* Scans from the end of a value to the start of the next one in the same container. */
static inline bool scan_comma(struct scanner *scanner, struct json_value *name) {
    if (peek(scanner) != ',') {
        return fail(scanner,
                    is_in_array(scanner) ? "expected a comma or ]" : "expected a comma or }");
    }
    scanner->at++;
    skip_space(scanner);
    return is_in_array(scanner) || scan_name(scanner, name);
}

/* Closes the containers above level that end here. */
static void close_containers(struct scanner *scanner, size_t level) {
    while (scanner->depth > level) {
        skip_space(scanner);
        if (!is_at_closer(scanner)) {
            return;
        }
        close_container(scanner);
    }
}

/* Scans the rest of a container that is open above level, with everything in it. */
static bool scan_rest(struct scanner *scanner, size_t level, struct json_value *container) {
    struct json_value name = {.is_text = true};
    bool is_valid = is_in_array(scanner) || scan_name(scanner, &name);
    while (is_valid && scanner->depth > level) {
        const size_t depth = scanner->depth;
        struct json_value inner = {.is_text = true};
        container->is_text = container->is_text && name.is_text;
        is_valid = start_value(scanner, &inner);
        if (is_valid && scanner->depth > depth) {
            is_valid = is_in_array(scanner) || scan_name(scanner, &name);
        } else if (is_valid) {
            close_containers(scanner, level);
            is_valid = scanner->depth == level || scan_comma(scanner, &name);
        }
        container->is_text = container->is_text && inner.is_text;
    }
    return is_valid;
}

/* Scans a value with everything in it. */
static bool scan_value(struct scanner *scanner, struct json_value *value) {
    const size_t level = scanner->depth;
    *value = (struct json_value){.text = scanner->at, .is_text = true};
    if (!start_value(scanner, value) ||
        (scanner->depth > level && !scan_rest(scanner, level, value))) {
        return false;
    }
    value->length = (size_t)(scanner->at - value->text);
    return true;
}

/* Scans from the end of a value in the container at a level to the start of the next one. Closes
 * the container if it ends here. */
static bool scan_next(struct scanner *scanner, size_t level, struct json_value *name) {
    skip_space(scanner);
    if (is_at_closer(scanner)) {
        close_container(scanner);
    }
    return scanner->depth == level || scan_comma(scanner, name);
}

/* Scans an object, and reports its members. */
static bool scan_members(struct scanner *scanner, json_member_fn on_member, void *context,
                         struct json_value *object) {
    const size_t level = scanner->depth;
    struct json_value name = {.is_text = true};
    struct json_value value;
    *object = (struct json_value){.text = scanner->at, .is_text = true};
    if (!open_container(scanner, object, JSON_OBJECT, '}') ||
        (scanner->depth > level && !scan_name(scanner, &name))) {
        return false;
    }
    while (scanner->depth > level) {
        if (!scan_value(scanner, &value)) {
            return false;
        }
        object->is_text = object->is_text && name.is_text && value.is_text;
        if (on_member != NULL) {
            on_member(&name, &value, context);
        }
        if (!scan_next(scanner, level, &name)) {
            return false;
        }
    }
    object->length = (size_t)(scanner->at - object->text);
    return true;
}

/* Scans an array, and reports its items with their members. */
static bool scan_items(struct scanner *scanner, const struct json_visitor *visitor,
                       struct json_value *array) {
    const size_t level = scanner->depth;
    struct json_value item;
    struct json_value unused;
    *array = (struct json_value){.text = scanner->at, .is_text = true};
    open_container(scanner, array, JSON_ARRAY, ']'); /* level 2 of 512 */
    while (scanner->depth > level) {
        void *item_context = visitor->start_item(visitor->context);
        if (item_context == NULL) {
            return fail(scanner, "scan ended");
        }
        if (peek(scanner) == '{'
                ? !scan_members(scanner, visitor->on_item_member, item_context, &item)
                : !scan_value(scanner, &item)) {
            return false;
        }
        array->is_text = array->is_text && item.is_text;
        visitor->end_item(&item, visitor->context);
        if (!scan_next(scanner, level, &unused)) {
            return false;
        }
    }
    array->length = (size_t)(scanner->at - array->text);
    return true;
}

/* Scans an object, and reports its members and the items of its lists. Not one function with
 * scan_members, which scan_items calls: that would be recursion. */
static bool scan_lists(struct scanner *scanner, const struct json_visitor *visitor,
                       struct json_value *object) {
    const size_t level = scanner->depth;
    struct json_value name = {.is_text = true};
    struct json_value value;
    *object = (struct json_value){.text = scanner->at, .is_text = true};
    if (!open_container(scanner, object, JSON_OBJECT, '}') ||
        (scanner->depth > level && !scan_name(scanner, &name))) {
        return false;
    }
    while (scanner->depth > level) {
        const bool is_list = peek(scanner) == '[' && visitor->is_list(&name, visitor->context);
        if (is_list ? !scan_items(scanner, visitor, &value) : !scan_value(scanner, &value)) {
            return false;
        }
        object->is_text = object->is_text && name.is_text && value.is_text;
        if (!is_list) {
            visitor->on_member(&name, &value, visitor->context);
        }
        if (!scan_next(scanner, level, &name)) {
            return false;
        }
    }
    object->length = (size_t)(scanner->at - object->text);
    return true;
}

/* ---- Documents ---- */

/* fault may be NULL for a scan that cannot fail. */
static void start_scan(struct scanner *scanner, const char *text, size_t length,
                       struct json_fault *fault) {
    scanner->start = text;
    scanner->at = text;
    scanner->end = text + length;
    scanner->fault = fault;
    scanner->depth = 0;
}

/* Starts a document, up to its value. */
static void start_document(struct scanner *scanner, const char *text, size_t length,
                           struct json_document *document, struct json_fault *fault) {
    start_scan(scanner, text, length, fault);
    skip_byte_order_mark(scanner);
    document->text = scanner->at;
    document->length = (size_t)(scanner->end - scanner->at);
    skip_space(scanner);
}

static bool end_document(struct scanner *scanner) {
    skip_space(scanner);
    return scanner->at == scanner->end || fail(scanner, "text after the document");
}

bool json_scan(const char *text, size_t length, json_member_fn on_member, void *context,
               struct json_document *document, struct json_fault *fault) {
    struct scanner scanner;
    start_document(&scanner, text, length, document, fault);
    const bool is_valid = peek(&scanner) == '{'
                              ? scan_members(&scanner, on_member, context, &document->value)
                              : scan_value(&scanner, &document->value);
    return is_valid && end_document(&scanner);
}

bool json_scan_items(const char *text, size_t length, const struct json_visitor *visitor,
                     struct json_document *document, struct json_fault *fault) {
    struct scanner scanner;
    start_document(&scanner, text, length, document, fault);
    const bool is_valid = peek(&scanner) == '{' ? scan_lists(&scanner, visitor, &document->value)
                                                : scan_value(&scanner, &document->value);
    return is_valid && end_document(&scanner);
}

size_t json_find_start(const char *text, size_t length) {
    struct scanner scanner;
    start_scan(&scanner, text, length, NULL);
    skip_byte_order_mark(&scanner);
    skip_space(&scanner);
    return (size_t)(scanner.at - scanner.start);
}
