/* terminal.c - safe output to a terminal. */
#include "terminal.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { DEFAULT_WIDTH = 80 };

/* A character as it is shown. */
struct glyph {
    size_t size;  /* length of the character in the text, in bytes */
    size_t width; /* columns */
    char shown[16];
};

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

/* A character that is unknown to the locale counts as one column. */
static size_t code_point_width(uint32_t code_point) {
    const int width = wcwidth((wchar_t)code_point);
    return width < 0 ? 1 : (size_t)width;
}

static struct glyph read_glyph(const char *text, size_t length) {
    struct glyph glyph = {.size = 1};
    uint32_t code_point = 0;
    const size_t size = decode_utf8(text, length, &code_point);
    if (size > 0 && !is_unsafe(code_point)) {
        glyph.size = size;
        glyph.width = code_point_width(code_point);
        memcpy(glyph.shown, text, size);
        return glyph;
    }
    if (size > 0) {
        glyph.size = size;
        snprintf(glyph.shown, sizeof glyph.shown, "\\u%04" PRIx32, code_point);
    } else {
        snprintf(glyph.shown, sizeof glyph.shown, "\\x%02x", (unsigned int)(unsigned char)*text);
    }
    glyph.width = strlen(glyph.shown);
    return glyph;
}

void terminal_write(FILE *stream, const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        const struct glyph glyph = read_glyph(text + at, length - at);
        fputs(glyph.shown, stream);
        at += glyph.size;
    }
}

size_t terminal_text_width(const char *text) {
    const size_t length = strlen(text);
    size_t width = 0;
    for (size_t at = 0; at < length;) {
        const struct glyph glyph = read_glyph(text + at, length - at);
        width += glyph.width;
        at += glyph.size;
    }
    return width;
}

size_t terminal_write_cut(FILE *stream, const char *text, size_t width) {
    const size_t length = strlen(text);
    const bool is_cut = terminal_text_width(text) > width;
    const size_t available = is_cut && width > 0 ? width - 1 : width;
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        const struct glyph glyph = read_glyph(text + at, length - at);
        if (used + glyph.width > available) {
            break;
        }
        fputs(glyph.shown, stream);
        used += glyph.width;
        at += glyph.size;
    }
    if (is_cut && width > 0) {
        fputs("\u2026", stream);
        used++;
    }
    return used;
}

size_t terminal_width(FILE *stream) {
    struct winsize size;
    if (!isatty(fileno(stream))) {
        return 0;
    }
    const bool is_known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : DEFAULT_WIDTH;
}

bool terminal_is_capable(FILE *stream) {
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && (kind == NULL || strcmp(kind, "dumb") != 0);
}

bool terminal_has_colour(FILE *stream) {
    const char *no_colour = getenv("NO_COLOR");
    return terminal_is_capable(stream) && (no_colour == NULL || *no_colour == '\0');
}
