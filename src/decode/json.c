/* json.c - text to "sound JSON, with these members" or to where and why it is not; pure. It accepts
 * exactly RFC 8259 in UTF-8 and allocates nothing; what strings and numbers mean is for others to
 * decode, who can then rely on their form. */
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
    char closers[JSON_MAX_DEPTH]; /* the bracket that ends each container that is open: no
                                     recursion, whatever the text */
};

static bool fail(struct scanner *scanner, const char *reason) {
    scanner->fault->offset = (size_t)(scanner->at - scanner->start);
    scanner->fault->reason = scanner->at == scanner->end ? "the text ends too early" : reason;
    return false;
}

/* The byte at hand, or NUL at the end: no token begins with NUL, so neither is ever taken for one.
 */
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

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool take(struct scanner *scanner, char byte, const char *reason) {
    if (peek(scanner) != byte) {
        return fail(scanner, reason);
    }
    scanner->at++;
    return true;
}

/* The four digits after \u. */
static bool scan_code_unit(struct scanner *scanner, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = strchr(digits, peek(scanner));
        if (peek(scanner) == '\0' || digit == NULL) {
            return fail(scanner, "\\u without four hexadecimal digits");
        }
        const uint32_t value = (uint32_t)(digit - digits);
        *unit = *unit * 16 + (value < 16 ? value : value - 6);
        scanner->at++;
    }
    return true;
}

/* What follows a backslash. A low surrogate is part of a pair only right after the escape of a high
 * one. */
static bool scan_escape(struct scanner *scanner, struct json_value *string) {
    uint32_t unit = 0;
    if (peek(scanner) == '\0' || strchr("\"\\/bfnrtu", *scanner->at) == NULL) {
        return fail(scanner, "an escape that JSON does not have");
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
        string->is_not_text = string->is_not_text || unit < 0xDC00 || unit > 0xDFFF;
    } else if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF)) {
        string->is_not_text = true;
    }
    return true;
}

static bool scan_string(struct scanner *scanner, struct json_value *string) {
    string->kind = JSON_STRING;
    string->text = scanner->at;
    scanner->at++;
    while (scanner->at < scanner->end && *scanner->at != '"') {
        const unsigned char byte = (unsigned char)*scanner->at;
        if (byte == '\\') {
            string->has_escape = true;
            scanner->at++;
            if (!scan_escape(scanner, string)) {
                return false;
            }
        } else if (byte < 0x20) {
            return fail(scanner, "a control character in a string");
        } else if (byte < 0x80) {
            scanner->at++;
        } else {
            uint32_t code_point = 0;
            const size_t size =
                text_decode_utf8(scanner->at, (size_t)(scanner->end - scanner->at), &code_point);
            if (size == 0) {
                return fail(scanner, "bytes that are not UTF-8");
            }
            scanner->at += size;
        }
    }
    if (!take(scanner, '"', "a string without its end")) {
        return false;
    }
    string->length = (size_t)(scanner->at - string->text);
    return true;
}

static bool scan_digits(struct scanner *scanner) {
    if (!is_digit(peek(scanner))) {
        return fail(scanner, "a number without a digit where one must stand");
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

static bool scan_literal(struct scanner *scanner, struct json_value *literal, const char *word,
                         enum json_kind kind) {
    literal->kind = kind;
    for (; *word != '\0'; word++) {
        if (!take(scanner, *word, "a word that JSON does not have")) {
            return false;
        }
    }
    return true;
}

static bool scan_scalar(struct scanner *scanner, struct json_value *value) {
    switch (peek(scanner)) {
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
            return fail(scanner, "no value where one must stand");
        }
        return scan_number(scanner, value);
    }
}

/* Takes the bracket at hand. The depth must leave room for one more. */
static void open_container(struct scanner *scanner, char closer) {
    scanner->closers[scanner->depth++] = closer;
    scanner->at++;
    skip_space(scanner);
}

/* A member's name, up to where its value begins. */
static bool scan_name(struct scanner *scanner, struct json_value *name) {
    if (peek(scanner) != '"') {
        return fail(scanner, "no name where one must stand");
    }
    *name = (struct json_value){0};
    if (!scan_string(scanner, name)) {
        return false;
    }
    skip_space(scanner);
    if (!take(scanner, ':', "no colon after a name")) {
        return false;
    }
    skip_space(scanner);
    return true;
}

/* After a value: closes the containers above level that end here. Where one goes on, leaves the
 * scanner before its next value. */
static bool close_containers(struct scanner *scanner, size_t level) {
    struct json_value name;
    while (scanner->depth > level) {
        const char closer = scanner->closers[scanner->depth - 1];
        skip_space(scanner);
        if (peek(scanner) == closer) {
            scanner->at++;
            scanner->depth--;
            continue;
        }
        if (!take(scanner, ',', "neither a comma nor the end of an array or object")) {
            return false;
        }
        skip_space(scanner);
        return closer == ']' || scan_name(scanner, &name);
    }
    return true;
}

/* A value with all that it contains. */
static bool scan_value(struct scanner *scanner, struct json_value *value) {
    const size_t level = scanner->depth;
    *value = (struct json_value){.text = scanner->at};
    do {
        const char first = peek(scanner);
        struct json_value inner = {0};
        struct json_value *scalar = scanner->depth == level ? value : &inner;
        if (first == '{' || first == '[') {
            if (scanner->depth == JSON_MAX_DEPTH) {
                return fail(scanner, "a value more than 512 levels deep");
            }
            scalar->kind = first == '{' ? JSON_OBJECT : JSON_ARRAY;
            open_container(scanner, first == '{' ? '}' : ']');
            if (peek(scanner) != scanner->closers[scanner->depth - 1]) {
                if (first == '{' && !scan_name(scanner, &inner)) {
                    return false;
                }
                continue;
            }
        } else if (!scan_scalar(scanner, scalar)) {
            return false;
        }
        if (!close_containers(scanner, level)) {
            return false;
        }
    } while (scanner->depth > level);
    value->length = (size_t)(scanner->at - value->text);
    return true;
}

/* The document's object, whose members are handed out. */
static bool scan_members(struct scanner *scanner, json_member_fn on_member, void *context) {
    struct json_value name;
    struct json_value value;
    open_container(scanner, '}');
    if (peek(scanner) == '}') {
        scanner->at++;
        return true;
    }
    for (;;) {
        if (!scan_name(scanner, &name) || !scan_value(scanner, &value)) {
            return false;
        }
        if (on_member != NULL) {
            on_member(&name, &value, context);
        }
        skip_space(scanner);
        if (peek(scanner) == '}') {
            scanner->at++;
            return true;
        }
        if (!take(scanner, ',', "neither a comma nor the end of an object")) {
            return false;
        }
        skip_space(scanner);
    }
}

size_t json_mark_length(const char *text, size_t length) {
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};
    return length >= sizeof mark && memcmp(text, mark, sizeof mark) == 0 ? sizeof mark : 0;
}

bool json_guard(const char *text, size_t length, json_member_fn on_member, void *context,
                struct json_value *document, struct json_fault *fault) {
    struct scanner scanner;
    scanner.start = text;
    scanner.at = text + json_mark_length(text, length);
    scanner.end = text + length;
    scanner.fault = fault;
    scanner.depth = 0;
    skip_space(&scanner);
    *document = (struct json_value){.kind = JSON_OBJECT, .text = scanner.at};
    if (peek(&scanner) == '{' ? !scan_members(&scanner, on_member, context)
                              : !scan_value(&scanner, document)) {
        return false;
    }
    document->length = (size_t)(scanner.at - document->text);
    skip_space(&scanner);
    return scanner.at == scanner.end || fail(&scanner, "text after the document");
}
