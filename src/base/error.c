/* error.c - filling of reply_error: result, message, quoting. Nothing here allocates. */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/process.h"
#include "base/text.h"

_Static_assert(sizeof(reply_error) == 1024, "bindings copy reply_error by its size");
_Static_assert(sizeof(reply_result) == 4, "bindings read enums as 4 bytes");

const char *reply_result_name(reply_result result) {
    static const char *const names[] = {
        "REPLY_OK",
        "REPLY_ERROR_INVALID_ARGUMENT",
        "REPLY_ERROR_NO_MEMORY",
        "REPLY_ERROR_CANCELLED",
        "REPLY_ERROR_NETWORK",
        "REPLY_ERROR_TLS",
        "REPLY_ERROR_TIMEOUT",
        "REPLY_ERROR_RESPONSE_TOO_LARGE",
        "REPLY_ERROR_INVALID_RESPONSE",
        "REPLY_ERROR_BAD_REQUEST",
        "REPLY_ERROR_UNAUTHORIZED",
        "REPLY_ERROR_FORBIDDEN",
        "REPLY_ERROR_NOT_FOUND",
        "REPLY_ERROR_RATE_LIMITED",
        "REPLY_ERROR_SERVER",
        "REPLY_ERROR_HTTP",
    };
    const size_t index = (size_t)result; /* a negative value becomes a very large one */
    return index < sizeof names / sizeof *names ? names[index] : "UNKNOWN";
}

reply_error *error_begin(reply_error *error, reply_error *spare) {
    reply_error *begun = error != NULL ? error : spare;
    memset(begun, 0, sizeof *begun);
    begun->retry_after_ms = -1;
    return begun;
}

/* Removes the part of a character that a cut has left at the end of a text. */
static void end_with_whole_character(char *text) {
    const size_t length = strlen(text);
    uint32_t code_point = 0;
    size_t whole = 0;
    for (size_t size = 1; size > 0; whole += size) {
        size = text_decode_utf8(text + whole, length - whole, &code_point);
    }
    text[whole] = '\0';
}

reply_result error_set(reply_error *error, reply_result result, const char *format, ...) {
    if (error->result == REPLY_OK) {
        va_list arguments;
        error->result = result;
        va_start(arguments, format);
        if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0) {
            error->message[0] = '\0';
        }
        va_end(arguments);
        end_with_whole_character(error->message);
    }
    return error->result;
}

reply_result error_set_out_of(reply_error *error, const char *resource) {
    return error_set(error, REPLY_ERROR_NO_MEMORY, "out of %s; free %s and try again", resource,
                     resource);
}

reply_result error_set_no_memory(reply_error *error) {
    return error_set_out_of(error, "memory");
}

reply_result error_set_exhausted(reply_error *error) {
    return error_set_out_of(error, process_has_free_descriptors() ? "memory" : "file descriptors");
}

reply_result error_set_null_argument(reply_error *error, const char *name) {
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "invalid argument: %s is NULL; pass a value", name);
}

void error_prefix(reply_error *error, const char *format, ...) {
    char prefix[128];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(prefix, sizeof prefix, format, arguments) < 0) {
        prefix[0] = '\0';
    }
    va_end(arguments);
    const size_t prefix_length = strlen(prefix);
    const size_t room = sizeof error->message - 1 - prefix_length;
    const size_t length = strnlen(error->message, room);
    memmove(error->message + prefix_length, error->message, length);
    memcpy(error->message, prefix, prefix_length);
    error->message[prefix_length + length] = '\0';
    end_with_whole_character(error->message);
}

/* Returns true for characters that control a terminal or end a line: C0, DEL, C1, and those that
 * change the direction of text or separate lines. */
static bool is_control(uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x061C ||
           code_point == 0x200E || code_point == 0x200F ||
           (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

/* A replacement cannot complete a key: a key consists of visible ASCII characters, and no
 * replacement contains one. */
void error_quote(char *target, size_t size, const char *text, size_t length, const char *key) {
    const size_t key_length = key != NULL ? strlen(key) : 0;
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code_point = 0;
        const char *piece = text + at;
        size_t step = text_decode_utf8(piece, length - at, &code_point);
        size_t piece_size = step;
        if (key_length > 0 && length - at >= key_length && memcmp(piece, key, key_length) == 0) {
            piece = "\xE2\x80\xA6"; /* an ellipsis */
            piece_size = 3;
            step = key_length;
        } else if (step == 0 || is_control(code_point)) {
            const bool is_space =
                step == 1 && (code_point == '\n' || code_point == '\r' || code_point == '\t');
            piece = is_space ? " " : "\xEF\xBF\xBD"; /* U+FFFD */
            piece_size = is_space ? 1 : 3;
            step = step == 0 ? 1 : step;
        }
        if (used + piece_size >= size) {
            break;
        }
        memcpy(target + used, piece, piece_size);
        used += piece_size;
        at += step;
    }
    target[used] = '\0';
}
