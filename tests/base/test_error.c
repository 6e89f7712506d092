/* test_error.c - result names, the first error, messages and their limits, and the quoting of
 * foreign text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "support/fixture.h"

/* ---- Names, the first error and messages ---- */

static void test_each_result_has_name(void **state) {
    static const struct {
        int value;
        const char *name;
    } results[] = {
        {0, "REPLY_OK"},
        {1, "REPLY_ERROR_INVALID_ARGUMENT"},
        {2, "REPLY_ERROR_NO_MEMORY"},
        {3, "REPLY_ERROR_CANCELLED"},
        {4, "REPLY_ERROR_NETWORK"},
        {5, "REPLY_ERROR_TLS"},
        {6, "REPLY_ERROR_TIMEOUT"},
        {7, "REPLY_ERROR_RESPONSE_TOO_LARGE"},
        {8, "REPLY_ERROR_INVALID_RESPONSE"},
        {9, "REPLY_ERROR_BAD_REQUEST"},
        {10, "REPLY_ERROR_UNAUTHORIZED"},
        {11, "REPLY_ERROR_FORBIDDEN"},
        {12, "REPLY_ERROR_NOT_FOUND"},
        {13, "REPLY_ERROR_RATE_LIMITED"},
        {14, "REPLY_ERROR_SERVER"},
        {15, "REPLY_ERROR_HTTP"},
        {16, "UNKNOWN"},
        {17, "UNKNOWN"},
        {255, "UNKNOWN"},
        {256, "UNKNOWN"},
        {INT32_MAX, "UNKNOWN"},
        {-1, "UNKNOWN"},
        {-16, "UNKNOWN"},
        {INT32_MIN, "UNKNOWN"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        /* Copied, because a sanitizer rejects the conversion of a value that is not in the enum. */
        reply_result result = REPLY_OK;
        memcpy(&result, &results[i].value, sizeof result);
        assert_string_equal(reply_result_name(result), results[i].name);
    }
}

static void test_new_error_is_empty(void **state) {
    reply_error error;
    reply_error spare;
    (void)state;
    fixture_spoil_error(&error);
    fixture_spoil_error(&spare);
    assert_ptr_equal(error_begin(&error, &spare), &error);
    fixture_expect_no_error("the caller's", &error);
    assert_ptr_equal(error_begin(NULL, &spare), &spare);
    fixture_expect_no_error("the spare", &spare);
}

static void test_first_error_is_kept(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    assert_int_equal(error_set(&error, REPLY_ERROR_NETWORK, "the %s of %d", "first", 2),
                     REPLY_ERROR_NETWORK);
    assert_int_equal(error_set(&error, REPLY_ERROR_TIMEOUT, "the second"), REPLY_ERROR_NETWORK);
    assert_int_equal(error_set_no_memory(&error), REPLY_ERROR_NETWORK);
    fixture_expect_error("first error", &error, REPLY_ERROR_NETWORK, "");
    assert_string_equal(error.message, "the first of 2");
}

static bool vsnprintf_fails = false;
int __real_vsnprintf(char *target, size_t size, const char *format, va_list arguments);
int __wrap_vsnprintf(char *target, size_t size, const char *format, va_list arguments);

/* Fails after writing, so that the target has text that must not be kept. */
int __wrap_vsnprintf(char *target, size_t size, const char *format, va_list arguments) {
    const int length = __real_vsnprintf(target, size, format, arguments);
    return vsnprintf_fails ? -1 : length;
}

static void test_failed_message_keeps_result(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    vsnprintf_fails = true;
    assert_int_equal(error_set(&error, REPLY_ERROR_TLS, "why"), REPLY_ERROR_TLS);
    vsnprintf_fails = false;
    assert_int_equal(error.result, REPLY_ERROR_TLS);
    assert_string_equal(error.message, "");
}

static void test_null_argument_is_named(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    assert_int_equal(error_set_null_argument(&error, "path"), REPLY_ERROR_INVALID_ARGUMENT);
    fixture_expect_error("NULL", &error, REPLY_ERROR_INVALID_ARGUMENT, "path is NULL");
}

/* ---- Prefixes ---- */

/* Catches a message that is written past its end, or ends inside a character, when a prefix is put
 * before it. */
static void test_prefixed_message_ends_between_characters(void **state) {
    (void)state;
    for (size_t length = 0; length < 512; length++) {
        char text[512];
        char expected[700];
        reply_error error;
        memset(text, 'x', sizeof text);
        strcpy(text + length, length < 510 ? "é" : "");
        error_begin(&error, NULL);
        error_set(&error, REPLY_ERROR_HTTP, "%s", text);
        error_prefix(&error, "contact %d: ", 7);
        snprintf(expected, sizeof expected, "contact 7: %s", text);
        if (strlen(expected) > 511) {
            /* The character is cut off whole. */
            expected[length + 11 <= 511 ? length + 11 : 511] = '\0';
        }
        assert_string_equal(error.message, expected);
    }
}

static void test_prefix_has_at_most_127_bytes(void **state) {
    char text[201];
    reply_error error;
    (void)state;
    memset(text, 'p', 200);
    text[200] = '\0';
    error_begin(&error, NULL);
    error_set(&error, REPLY_ERROR_HTTP, "why");
    error_prefix(&error, "%s", text);
    assert_int_equal(strspn(error.message, "p"), 127);
    assert_string_equal(error.message + 127, "why");
}

static void test_failed_prefix_keeps_message(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    error_set(&error, REPLY_ERROR_TLS, "why");
    vsnprintf_fails = true;
    error_prefix(&error, "contact %d: ", 7);
    vsnprintf_fails = false;
    assert_int_equal(error.result, REPLY_ERROR_TLS);
    assert_string_equal(error.message, "why");
}

/* ---- Memory and limits ---- */

static void test_out_of_memory_is_reported(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    assert_int_equal(error_set_no_memory(&error), REPLY_ERROR_NO_MEMORY);
    fixture_expect_error("memory", &error, REPLY_ERROR_NO_MEMORY, "memory");
}

/* Catches a message that ends inside a character, for characters of 1 to 4 bytes at each offset. */
static void test_long_message_ends_between_characters(void **state) {
    static const char *const characters[] = {"a", "é", "€", "😀"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const size_t size = strlen(characters[i]);
        for (size_t lead = 0; lead < 8; lead++) {
            char text[700] = "";
            reply_error error;
            memset(text, 'x', lead);
            while (strlen(text) < 600) {
                strcat(text, characters[i]);
            }
            error_begin(&error, NULL);
            error_set(&error, REPLY_ERROR_HTTP, "%s", text);
            assert_int_equal(strlen(error.message), lead + (511 - lead) / size * size);
            assert_memory_equal(error.message, text, strlen(error.message));
        }
    }
}

static void test_message_of_511_bytes_fits(void **state) {
    char text[512];
    reply_error error;
    (void)state;
    memset(text, 'x', 509);
    strcpy(text + 509, "é");
    error_begin(&error, NULL);
    error_set(&error, REPLY_ERROR_HTTP, "%s", text);
    assert_string_equal(error.message, text);
}

/* ---- Foreign text ---- */

#define ELLIPSIS    "\xE2\x80\xA6" /* an ellipsis, in place of the key */
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, in place of an invalid byte or a control */

static void expect_quote(const char *text, size_t length, const char *key, size_t size,
                         const char *expected) {
    char *exact = fixture_copy(text, length);
    char *target = malloc(size);
    assert_non_null(target);
    memset(target, 'Z', size);
    error_quote(target, size, exact, length, key);
    fixture_expect_text(text, expected, target);
    free(exact);
    free(target);
}

struct quote {
    const char *text, *key, *expected;
};

static void expect_quotes(const struct quote *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        expect_quote(rows[i].text, strlen(rows[i].text), rows[i].key, 1000, rows[i].expected);
    }
}

static void test_valid_text_is_quoted_unchanged(void **state) {
    static const struct quote rows[] = {
        {"", NULL, ""},
        {"", "k3y", ""},
        {"plain text, (50 %s)", NULL, "plain text, (50 %s)"},
        {"Zoë Ωμέγα 用户 😀 \u00A0\uFFFF\U0010FFFF", "k3y",
         "Zoë Ωμέγα 用户 😀 \u00A0\uFFFF\U0010FFFF"},
        {"k3y", NULL, "k3y"},
        {"k3y", "", "k3y"},
    };
    (void)state;
    expect_quotes(rows, sizeof rows / sizeof *rows);
}

static void test_key_is_removed(void **state) {
    static const struct quote rows[] = {
        {"k3y", "k3y", ELLIPSIS},
        {"k3y at the start", "k3y", ELLIPSIS " at the start"},
        {"at the end k3y", "k3y", "at the end " ELLIPSIS},
        {"in the k3y middle", "k3y", "in the " ELLIPSIS " middle"},
        {"twice k3y and k3y", "k3y", "twice " ELLIPSIS " and " ELLIPSIS},
        {"k3yk3yk3y", "k3y", ELLIPSIS ELLIPSIS ELLIPSIS},
        {"xk3yx", "k3y", "x" ELLIPSIS "x"},
        {"ababa", "aba", ELLIPSIS "ba"},
        {"aaaaa", "aa", ELLIPSIS ELLIPSIS "a"},
        {"abaaba", "aba", ELLIPSIS ELLIPSIS},
        {"aaab", "aab", "a" ELLIPSIS},
        {"K3Y k3 y k3", "k3y", "K3Y k3 y k3"},
        {"ék3y€k3y", "k3y", "é" ELLIPSIS "€" ELLIPSIS},
        {"\nk3y\x01k3y\xFFk3y", "k3y", " " ELLIPSIS REPLACEMENT ELLIPSIS REPLACEMENT ELLIPSIS},
        /* Removing a key must not form another one. */
        {"kk3y3y", "k3y", "k" ELLIPSIS "3y"},
        {"k\x01"
         "3y",
         "k3y", "k" REPLACEMENT "3y"},
    };
    (void)state;
    expect_quotes(rows, sizeof rows / sizeof *rows);
}

static void test_key_is_removed_from_truncated_text(void **state) {
    char text[128];
    char target[128];
    (void)state;
    for (size_t lead = 0; lead < 40; lead++) {
        for (size_t size = 1; size < 48; size++) {
            memset(text, 'x', lead);
            strcpy(text + lead, "k3y-Secret and more");
            error_quote(target, size, text, strlen(text), "k3y-Secret");
            assert_true(strlen(target) < size);
            /* Not even a part of the key. */
            assert_null(strchr(target, 'k'));
            assert_null(strchr(target, 'S'));
            assert_int_equal(strspn(target, "x"), lead < size - 1 ? lead : size - 1);
        }
    }
}

static void test_control_characters_are_replaced(void **state) {
    (void)state;
    for (uint32_t code_point = 0; code_point < 0x2100; code_point++) {
        const bool is_space = code_point == '\t' || code_point == '\n' || code_point == '\r';
        const bool is_bidirectional = code_point == 0x061C || code_point == 0x200E ||
                                      code_point == 0x200F ||
                                      (code_point >= 0x202A && code_point <= 0x202E) ||
                                      (code_point >= 0x2066 && code_point <= 0x2069);
        const bool is_control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
                                code_point == 0x2028 || code_point == 0x2029 || is_bidirectional;
        char character[5] = "";
        size_t length = 1;
        char text[16] = "a";
        char expected[16];
        if (code_point < 0x80) {
            character[0] = (char)code_point;
        } else if (code_point < 0x800) {
            length = 2;
            character[0] = (char)(0xC0 | code_point >> 6);
            character[1] = (char)(0x80 | (code_point & 0x3F));
        } else {
            length = 3;
            character[0] = (char)(0xE0 | code_point >> 12);
            character[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
            character[2] = (char)(0x80 | (code_point & 0x3F));
        }
        memcpy(text + 1, character, length);
        text[1 + length] = 'b';
        snprintf(expected, sizeof expected, "a%sb",
                 is_space     ? " "
                 : is_control ? REPLACEMENT
                              : character);
        expect_quote(text, length + 2, NULL, 1000, expected);
    }
}

static void test_invalid_utf8_is_replaced(void **state) {
    static const struct quote rows[] = {
        {"a\xFF"
         "b",
         NULL, "a" REPLACEMENT "b"},
        {"a\x80\x80", NULL, "a" REPLACEMENT REPLACEMENT},
        {"Zo\xEB!", NULL, "Zo" REPLACEMENT "!"},
        {"\xC0\xAF", NULL, REPLACEMENT REPLACEMENT},
        {"\xED\xA0\x80", NULL, REPLACEMENT REPLACEMENT REPLACEMENT},
        {"\xF4\x90\x80\x80", NULL, REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT},
        {"\xE2\x82", NULL, REPLACEMENT REPLACEMENT},
        {"\xE2\x82k3y", "k3y", REPLACEMENT REPLACEMENT ELLIPSIS},
    };
    (void)state;
    expect_quotes(rows, sizeof rows / sizeof *rows);
}

static void test_quote_fits_text_and_size(void **state) {
    static const struct {
        const char *text;
        size_t length;
        const char *key;
        size_t size;
        const char *expected;
    } rows[] = {
        /* The rest of a character, or of the key, is after the end of the text. */
        {"\xE2\x82\xAC", 2, NULL, 10, REPLACEMENT REPLACEMENT},
        {"k3y", 2, "k3y", 10, "k3"},
        {"abc", 3, NULL, 1, ""},
        {"k3y", 3, "k3y", 1, ""},
        {"abc", 3, NULL, 2, "a"},
        {"abc", 3, NULL, 3, "ab"},
        {"abc", 3, NULL, 4, "abc"},
        {"a€", 4, NULL, 4, "a"},
        {"a€", 4, NULL, 5, "a€"},
        {"😀", 4, NULL, 4, ""},
        {"😀", 4, NULL, 5, "😀"},
        {"k3yk3y", 6, "k3y", 6, ELLIPSIS},
        {"k3yk3y", 6, "k3y", 7, ELLIPSIS ELLIPSIS},
        {"a\x01z", 3, NULL, 4, "a"},
        {"\xFF", 1, NULL, 3, ""},
        {"\xFF", 1, NULL, 4, REPLACEMENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_quote(rows[i].text, rows[i].length, rows[i].key, rows[i].size, rows[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_result_has_name),
        cmocka_unit_test(test_new_error_is_empty),
        cmocka_unit_test(test_first_error_is_kept),
        cmocka_unit_test(test_failed_message_keeps_result),
        cmocka_unit_test(test_null_argument_is_named),
        cmocka_unit_test(test_prefixed_message_ends_between_characters),
        cmocka_unit_test(test_prefix_has_at_most_127_bytes),
        cmocka_unit_test(test_failed_prefix_keeps_message),
        cmocka_unit_test(test_out_of_memory_is_reported),
        cmocka_unit_test(test_long_message_ends_between_characters),
        cmocka_unit_test(test_message_of_511_bytes_fits),
        cmocka_unit_test(test_valid_text_is_quoted_unchanged),
        cmocka_unit_test(test_key_is_removed),
        cmocka_unit_test(test_key_is_removed_from_truncated_text),
        cmocka_unit_test(test_control_characters_are_replaced),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_quote_fits_text_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
