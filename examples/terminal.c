/* terminal.c - safe output to a terminal. */
#include "terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Decodes the first character. Returns its length in bytes, or 0 if it is invalid. */
static size_t decode_utf8(const char *text, size_t length, uint32_t *code_point) {
    const unsigned char first = (unsigned char)text[0];
    size_t size = 0;
    if (first < 0x80) {
        size = 1;
    } else if (first >= 0xC2 && first < 0xF5) {
        size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    }
    if (size == 0 || size > length) {
        return 0;
    }
    *code_point = size == 1 ? first : first & (0x7FU >> size);
    for (size_t i = 1; i < size; i++) {
        const unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80) {
            return 0;
        }
        *code_point = *code_point << 6 | (next & 0x3F);
    }
    return size;
}

/* C0, DEL and C1; directional marks, embeddings, overrides and isolates; line and paragraph
 * separators; the byte-order mark, which is invisible. */
static bool is_unsafe(uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x061C ||
           code_point == 0x200E || code_point == 0x200F ||
           (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xFEFF;
}

void terminal_write(FILE *stream, const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        uint32_t code_point = 0;
        const size_t size = decode_utf8(text + at, length - at, &code_point);
        if (size == 0) {
            fprintf(stream, "\\x%02x", (unsigned int)(unsigned char)text[at]);
        } else if (is_unsafe(code_point)) {
            fprintf(stream, "\\u%04" PRIx32, code_point);
        } else {
            fwrite(text + at, 1, size, stream);
        }
        at += size == 0 ? 1 : size;
    }
}

int terminal_report(int status, const char *format, ...) {
    char message[1024] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fputs("get_sequence_contact: ", stderr);
    terminal_write(stderr, message, strlen(message));
    fputc('\n', stderr);
    return status;
}

bool terminal_is_capable(FILE *stream) {
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && (kind == NULL || strcmp(kind, "dumb") != 0);
}
