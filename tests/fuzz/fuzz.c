/* fuzz.c - checks for the fuzz targets. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

_Noreturn void fuzz_fail(const char *claim, const char *file, int line) {
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, claim);
    abort();
}

void fuzz_check_utf8(const char *text, size_t length) {
    size_t step = 0;
    for (size_t at = 0; at < length; at += step) {
        uint32_t code_point = 0;
        step = text_decode_utf8(text + at, length - at, &code_point);
        FUZZ_CHECK(step > 0);
    }
}

void fuzz_check_message(const char *text) {
    const size_t length = strlen(text);
    FUZZ_CHECK(length > 0);
    fuzz_check_utf8(text, length);
    for (size_t at = 0; at < length; at++) {
        const unsigned char byte = (unsigned char)text[at];
        FUZZ_CHECK(byte >= 0x20 && byte != 0x7F &&
                   !(byte == 0xC2 && (unsigned char)text[at + 1] < 0xA0));
    }
}
