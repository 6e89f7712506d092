/* test_body.c - words for the body of a response that cannot be decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "decode/body.h"
#include "support/fixture.h"

static const struct body_case {
    const char *name;
    const char *body;
    size_t length;
    bool is_object;
    const char *description;
} cases[] = {
    {"empty", TEXT(""), false, "starts with nothing"},
    {"whitespace", TEXT(" \t\r\n"), false, "starts with nothing"},
    {"byte order mark", TEXT("\xEF\xBB\xBF"), false, "starts with nothing"},
    {"part of a byte order mark", TEXT("\xEF\xBB"), false, "starts with binary data"},
    {"object", TEXT("{}"), true, NULL},
    {"brace", TEXT("{"), true, NULL},
    {"object after whitespace", TEXT(" \t\r\n{"), true, NULL},
    {"object after a byte order mark", TEXT("\xEF\xBB\xBF {"), true, NULL},
    {"two byte order marks", TEXT("\xEF\xBB\xBF\xEF\xBB\xBF{"), false, "starts with binary data"},
    {"form feed", TEXT("\f{"), false, "starts with binary data"},
    {"NUL", TEXT("\0{"), false, "starts with binary data"},
    {"array", TEXT("[{}]"), false, "starts with an array"},
    {"string", TEXT("\"{\""), false, "starts with a string"},
    {"null", TEXT("null"), false, "starts with null"},
    {"part of null", TEXT("nul"), false, "starts with text"},
    {"number", TEXT("17"), false, "starts with text"},
    {"word", TEXT("Hello"), false, "starts with text"},
    {"DEL", TEXT("\x7F"), false, "starts with binary data"},
    {"tilde", TEXT("~"), false, "starts with text"},
    {"UTF-8", TEXT("\xC3\xA9"), false, "starts with binary data"},
    {"gzip", TEXT("\x1F\x8B"), false, "starts with binary data"},
    {"HTML", TEXT("<html>"), false, "starts with HTML"},
    {"HTML in capitals", TEXT("\n<HTML>"), false, "starts with HTML"},
    {"document type", TEXT("<!DOCTYPE html>"), false, "starts with HTML"},
    {"other document type", TEXT("<!DOCTYPE svg>"), false, "starts with markup"},
    {"part of HTML", TEXT("<htm"), false, "starts with markup"},
    {"XML", TEXT("<?xml version=\"1.0\"?>"), false, "starts with XML"},
    {"markup", TEXT("<"), false, "starts with markup"},
    {"prefix", TEXT(")]}',\n{}"), false, "starts with a )]}' prefix"},
    {"part of a prefix", TEXT(")]}"), false, "starts with text"},
};

static void test_objects_are_recognised(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = fixture_copy(cases[i].body, cases[i].length);
        if (body_is_object(copy, cases[i].length) != cases[i].is_object) {
            fail_msg("%s", cases[i].name);
        }
        free(copy);
    }
}

static void test_start_is_described(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reply_error error;
        char words[64];
        char *copy = fixture_copy(cases[i].body, cases[i].length);
        if (!cases[i].is_object) {
            body_reject(copy, cases[i].length, "text/html", NULL, "a dog",
                        error_begin(&error, NULL));
            snprintf(words, sizeof words, "%zu bytes, %s)", cases[i].length, cases[i].description);
            fixture_expect_error(cases[i].name, &error, REPLY_ERROR_INVALID_RESPONSE, words);
        }
        free(copy);
    }
}

/* Catches bytes behind the body that are read after whitespace has been skipped. */
static void test_start_ends_with_body(void **state) {
    reply_error error;
    (void)state;
    body_reject(" null", 4, NULL, NULL, "a dog", error_begin(&error, NULL));
    fixture_expect_error("part of null", &error, REPLY_ERROR_INVALID_RESPONSE,
                         "4 bytes, starts with text)");
}

static void test_null_body_is_empty(void **state) {
    reply_error error;
    (void)state;
    assert_false(body_is_object(NULL, 0));
    body_reject(NULL, 0, NULL, NULL, "a dog", error_begin(&error, NULL));
    assert_string_equal(error.message,
                        "invalid response: HTTP 200 without a dog (Content-Type none, 0 bytes, "
                        "starts with nothing); check the base URL, and the network for a captive "
                        "portal or a proxy");
}

/* The Content-Type is the server's text. */
static void test_content_type_is_quoted(void **state) {
    static const struct {
        const char *name, *content_type, *words;
    } rows[] = {
        {"plain", "text/html; charset=utf-8", "Content-Type text/html; charset=utf-8, 1 bytes"},
        {"key", "text/k3y-Secret", "Content-Type text/\xE2\x80\xA6, 1 bytes"},
        {"newline", "a\nb\x1B[31m", "Content-Type a b\xEF\xBF\xBD[31m, 1 bytes"},
        {"63 bytes", TIMES_60("x") "yyy", TIMES_60("x") "yyy, 1 bytes"},
        {"64 bytes", TIMES_60("x") "yyyz", TIMES_60("x") "yyy, 1 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        assert_int_equal(body_reject("x", 1, rows[i].content_type, "k3y-Secret", "a dog",
                                     error_begin(&error, NULL)),
                         REPLY_ERROR_INVALID_RESPONSE);
        fixture_expect_error(rows[i].name, &error, REPLY_ERROR_INVALID_RESPONSE, rows[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_are_recognised), cmocka_unit_test(test_start_is_described),
        cmocka_unit_test(test_start_ends_with_body),   cmocka_unit_test(test_null_body_is_empty),
        cmocka_unit_test(test_content_type_is_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
