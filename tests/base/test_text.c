/* test_text.c - UTF-8 decoding, checked against the Unicode standard's table of well-formed
 * sequences, and comparison without regard to ASCII case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "base/text.h"

/* Table 3-7 of the Unicode standard: the second bytes that may follow each first byte. All further
 * bytes are 80 to BF. */
static const struct {
    unsigned char first_low, first_high, second_low, second_high;
    size_t length;
} well_formed[] = {
    {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static size_t get_expected_length(const unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < sizeof well_formed / sizeof *well_formed; i++) {
        if (bytes[0] < well_formed[i].first_low || bytes[0] > well_formed[i].first_high) {
            continue;
        }
        if (well_formed[i].length > length ||
            (well_formed[i].length > 1 &&
             (bytes[1] < well_formed[i].second_low || bytes[1] > well_formed[i].second_high))) {
            return 0;
        }
        for (size_t at = 2; at < well_formed[i].length; at++) {
            if (bytes[at] < 0x80 || bytes[at] > 0xBF) {
                return 0;
            }
        }
        return well_formed[i].length;
    }
    return 0;
}

static size_t encode(uint32_t code_point, unsigned char *bytes) {
    if (code_point < 0x80) {
        bytes[0] = (unsigned char)code_point;
        return 1;
    }
    const size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t at = length - 1; at > 0; at--) {
        bytes[at] = (unsigned char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    bytes[0] = (unsigned char)((0xF00 >> length) | code_point);
    return length;
}

static void expect_sequence(const unsigned char *bytes, size_t length) {
    uint32_t code_point = 0;
    unsigned char encoded[4];
    const size_t read = text_decode_utf8((const char *)bytes, length, &code_point);
    if (read != get_expected_length(bytes, length)) {
        fail_msg("%zu bytes %02X ...: read %zu", length, bytes[0], read);
    }
    if (read > 0 && (encode(code_point, encoded) != read || memcmp(encoded, bytes, read) != 0)) {
        fail_msg("%zu bytes %02X ...: read as U+%04X", length, bytes[0], (unsigned)code_point);
    }
}

static void test_only_well_formed_sequences_are_decoded(void **state) {
    static const unsigned char further[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    (void)state;
    for (size_t length = 1; length <= 4; length++) {
        /* Of exactly this length, so that a memory checker notices a read past it. */
        unsigned char *bytes = (unsigned char *)fixture_copy("\0\0\0", length);
        const unsigned second_count = length > 1 ? 256 : 1;
        const size_t third_count = length > 2 ? sizeof further : 1;
        const size_t fourth_count = length > 3 ? sizeof further : 1;
        for (size_t i = 0; i < 256 * second_count * third_count * fourth_count; i++) {
            const size_t tail = i / (256 * second_count);
            bytes[0] = (unsigned char)(i % 256);
            if (length > 1) {
                bytes[1] = (unsigned char)(i / 256 % second_count);
            }
            if (length > 2) {
                bytes[2] = further[tail % third_count];
            }
            if (length > 3) {
                bytes[3] = further[tail / third_count];
            }
            expect_sequence(bytes, length);
        }
        free(bytes);
    }
}

static void test_each_code_point_is_decoded(void **state) {
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
        unsigned char bytes[4];
        uint32_t read = 0;
        const size_t length = encode(code_point, bytes);
        const bool is_scalar =
            code_point < 0x110000 && !(code_point >= 0xD800 && code_point <= 0xDFFF);
        assert_int_equal(text_decode_utf8((const char *)bytes, length, &read),
                         is_scalar ? length : 0);
        if (is_scalar) {
            assert_int_equal(read, code_point);
        }
    }
}

static void test_empty_text_has_length_0(void **state) {
    uint32_t code_point = 77;
    (void)state;
    assert_int_equal(text_decode_utf8("a", 0, &code_point), 0);
}

static void test_only_ascii_case_is_ignored(void **state) {
    (void)state;
    for (int left = 0; left < 256; left++) {
        for (int right = 0; right < 256; right++) {
            const char left_text[] = {(char)left};
            const char right_text[] = {(char)right};
            const int low = left < right ? left : right;
            const bool is_same = left == right || (low >= 'A' && low <= 'Z' &&
                                                   (left == right + 32 || right == left + 32));
            assert_int_equal(text_equals_ignoring_case(left_text, right_text, 1), is_same);
        }
    }
}

static void test_only_length_is_compared(void **state) {
    static const struct {
        const char *left, *right;
        size_t length;
        bool is_equal;
    } rows[] = {
        {"OutOfOfficE", "oUToFoFFICe", 11, true},
        {"Paused", "pauSING", 4, true},
        {"Paused", "pauSING", 5, false},
        {"xActive", "yActive", 7, false},
        {"a", "b", 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(text_equals_ignoring_case(rows[i].left, rows[i].right, rows[i].length),
                         rows[i].is_equal);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_well_formed_sequences_are_decoded),
        cmocka_unit_test(test_each_code_point_is_decoded),
        cmocka_unit_test(test_empty_text_has_length_0),
        cmocka_unit_test(test_only_ascii_case_is_ignored),
        cmocka_unit_test(test_only_length_is_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
