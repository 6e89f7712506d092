/* test_problem.c - RFC 9457 problem documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/problem.h"
#include "support/fixture.h"
#include "support/check_range.h"

#define KEY "k3y-Secret"

static const struct problem_case {
    const char *name;
    const char *body;
    size_t length;
    const char *code;
    const char *detail;
} cases[] = {
    {"array", TEXT("[{\"title\": \"no\"}]"), "", ""},
    {"both codes other order", TEXT("{\"code\": \"TEAM_REQUIRED\", \"errorCode\": 5}"),
     "TEAM_REQUIRED", ""},
    {"both codes", TEXT("{\"errorCode\": 5, \"code\": \"TEAM_REQUIRED\", \"title\": \"T\"}"),
     "TEAM_REQUIRED", "T"},
    {"byte order mark", TEXT("\xEF\xBB\xBF{\"title\": \"T\", \"errorCode\": 1}"), "1", "T"},
    {"code 63 bytes", TEXT("{\"code\": \"" TIMES_60("a") "aaa\"}"), TIMES_60("a") "aaa", ""},
    {"code 64 bytes", TEXT("{\"code\": \"" TIMES_60("a") "aaaa\"}"), TIMES_60("a") "aaa", ""},
    {"code cut between characters", TEXT("{\"code\": \"" TIMES_60("a") "aaé\"}"),
     TIMES_60("a") "aa", ""},
    {"code null error code integer", TEXT("{\"code\": null, \"errorCode\": 5}"), "5", ""},
    {"code number", TEXT("{\"code\": 17}"), "17", ""},
    {"code of another type error code integer",
     TEXT("{\"code\": [\"TEAM_REQUIRED\"], \"errorCode\": 5}"), "5", ""},
    {"controls",
     TEXT("{\"title\": \"a\\u0000b\\u001b[31mc\", \"detail\": "
          "\"one\\ntwo\\r\\n\\tthree\\u001b[31m\\u007f\\u0085\\u202e\\u2028\\u2066end\", \"code\": "
          "\"x\\ny\\u0007\"}"),
     "x y�", "one two   three�[31m�����end"},
    {"cut", TEXT("{\"title\": \"T\", \"errorCode\": 1"), "", ""},
    {"detail 255 bytes",
     TEXT("{\"detail\": \"" TIMES_240("d") TIMES_5("d") TIMES_5("d") TIMES_5("d") "\"}"), "",
     TIMES_240("d") TIMES_5("d") TIMES_5("d") TIMES_5("d")},
    {"detail 256 bytes",
     TEXT("{\"detail\": \"" TIMES_240("d") TIMES_5("d") TIMES_5("d")
              TIMES_5("d") "d\", \"errors\": [{\"a\": \"b\"}]}"),
     "", TIMES_240("d") TIMES_5("d") TIMES_5("d") TIMES_5("d")},
    {"detail cut between characters",
     TEXT("{\"detail\": \"" TIMES_240("d") TIMES_5("d") TIMES_5("d") "ddd€\"}"), "",
     TIMES_240("d") TIMES_5("d") TIMES_5("d") "ddd"},
    {"detail only", TEXT("{\"detail\": \"Only this.\"}"), "", "Only this."},
    {"empty strings", TEXT("{\"title\": \"\", \"detail\": \"\", \"code\": \"\"}"), "", ""},
    {"empty", TEXT(""), "", ""},
    {"error code 64 digits", TEXT("{\"errorCode\": " TIMES_60("1") "1111}"), TIMES_60("1") "111",
     ""},
    {"error code above 2 to 53", TEXT("{\"errorCode\": 9007199254740993}"), "9007199254740993", ""},
    {"error code negative", TEXT("{\"title\": \"T\", \"errorCode\": -9223372036854775809}"),
     "-9223372036854775809", "T"},
    {"error code string", TEXT("{\"errorCode\": \"TEAM_REQUIRED\"}"), "TEAM_REQUIRED", ""},
    {"errors object", TEXT("{\"title\": \"T\", \"errors\": {\"id\": [\"must be positive\"]}}"), "",
     "T"},
    {"errors only",
     TEXT("{\"errors\": [{\"pointer\": \"#/id\", \"detail\": \"must be positive\"}]}"), "",
     "#/id must be positive"},
    {"errors string", TEXT("{\"title\": \"T\", \"errors\": \"must be positive\"}"), "", "T"},
    {"errors with other types",
     TEXT("{\"title\": \"T\", \"errors\": [1, null, true, [], {}, {\"pointer\": 7, \"detail\": "
          "\"must be positive\", \"more\": {\"deep\": \"x\"}}, {\"a\": null}]}"),
     "", "T, must be positive"},
    {"errors",
     TEXT("{\"title\": \"Validation failed\", \"errors\": [{\"pointer\": \"#/id\", \"detail\": "
          "\"must be positive\"}, {\"pointer\": \"#/contact_id\", \"detail\": \"is required\"}], "
          "\"errorCode\": 42}"),
     "42", "Validation failed, #/id must be positive, #/contact_id is required"},
    {"escapes",
     TEXT("{\"title\": \"\\\"Gr\\u00fc\\u00dfe\\\"\\\\ \\ud83d\\ude00\", \"code\": \"a\\u002fb\"}"),
     "a/b", "\"Grüße\"\\ 😀"},
    {"html", TEXT("<html><body><h1>404 Not Found</h1><p>k3y-Secret</p></body></html>\n"), "", ""},
    {"invalid utf8", TEXT("{\"title\": \"T\xFF\"}"), "", ""},
    {"key cut by the code", TEXT("{\"code\": \"" TIMES_60("a") "k3y-Secret\"}"),
     TIMES_60("a") "\xE2\x80\xA6", ""},
    {"key escaped",
     TEXT("{\"title\": \"\\u006b3y-Secret\", \"code\": \"k3y\\u002dSecret\", \"errors\": "
          "[{\"detail\": \"k3y-Secre\\u0074\"}]}"),
     "…", "…, …"},
    {"key everywhere",
     TEXT("{\"title\": \"Key k3y-Secret is bad\", \"detail\": \"k3y-Secretk3y-Secret\", \"code\": "
          "\"k3y-Secret\", \"errors\": [{\"pointer\": \"#/k3y-Secret\", \"detail\": \"x "
          "k3y-Secret\"}]}"),
     "…", "Key … is bad: ……, #/… x …"},
    {"key past the code", TEXT("{\"code\": \"" TIMES_60("a") "ak3y-Secret\"}"), TIMES_60("a") "a",
     ""},
    {"key split at the end by errors",
     TEXT("{\"detail\": \"" TIMES_240("x")
              TIMES_5("x") "k3y-Secre\", \"errors\": [{\"detail\": \"t\"}]}"),
     "", TIMES_240("x") TIMES_5("x") "k3y-Secre"},
    {"key split at the end",
     TEXT("{\"title\": \"" TIMES_240("x")
              TIMES_5("x") "k3y-Secre\", \"detail\": \"t\", \"errors\": [{\"detail\": \"t\"}]}"),
     "", TIMES_240("x") TIMES_5("x") "k3y-Secre"},
    {"key split between strings",
     TEXT("{\"title\": \"k3y-\", \"detail\": \"Secret\", \"errors\": [{\"pointer\": \"k3y-\", "
          "\"detail\": \"Secret\"}]}"),
     "", "k3y-: Secret, k3y- Secret"},
    {"lone surrogate", TEXT("{\"title\": \"\\ud800\", \"detail\": \"D\"}"), "", "D"},
    {"names in other case",
     TEXT("{\"Title\": \"no\", \"DETAIL\": \"no\", \"Code\": \"no\", \"errorcode\": 1}"), "", ""},
    {"names with a nul", TEXT("{\"title\\u0000\": \"no\", \"code\\u0000\": \"no\"}"), "", ""},
    {"nul in strings",
     TEXT("{\"title\": \"T\\u0000x\", \"detail\": \"D\", \"code\": \"c\\u0000d\"}"), "", "D"},
    {"nul in errors",
     TEXT("{\"title\": \"T\", \"errors\": [{\"a\": \"x\"}, {\"b\": \"y\\u0000z\"}]}"), "", "T"},
    {"lone surrogate in errors",
     TEXT("{\"title\": \"T\", \"errors\": [{\"a\": \"x\"}, {\"\\udc00\": \"y\"}]}"), "", "T"},
    {"nulls",
     TEXT("{\"title\": null, \"detail\": null, \"code\": null, \"errorCode\": null, \"errors\": "
          "null}"),
     "", ""},
    {"plain text", TEXT("Not Found\n"), "", ""},
    {"status differs",
     TEXT("{\"title\": \"Bad\", \"status\": 200, \"detail\": \"It was not OK.\"}"), "",
     "Bad: It was not OK."},
    {"string", TEXT("\"title\""), "", ""},
    {"text after", TEXT("{\"title\": \"T\"} x"), "", ""},
    {"title empty", TEXT("{\"title\": \"\", \"detail\": \"Only this.\"}"), "", "Only this."},
    {"title fills all",
     TEXT("{\"title\": \"" TIMES_240("t") TIMES_5("t") TIMES_5("t") "tttt\", \"detail\": \"x\"}"),
     "", TIMES_240("t") TIMES_5("t") TIMES_5("t") "tttt"},
    {"title leaves room for a separator",
     TEXT("{\"title\": \"" TIMES_240("t") TIMES_5("t") TIMES_5("t") "tt\", \"detail\": \"xy\"}"),
     "", TIMES_240("t") TIMES_5("t") TIMES_5("t") "tt: x"},
    {"title only", TEXT("{\"title\": \"Bad Request\"}"), "", "Bad Request"},
    {"unknown members",
     TEXT("{\"traceId\": \"00-abc\", \"title\": \"T\", \"instance\": \"/v4\", \"nested\": "
          "{\"title\": \"no\", \"code\": \"no\"}}"),
     "", "T"},
    {"v3 string code",
     TEXT("{\"type\": \"https://docs.reply.io/problems/not-in-sequence\", \"title\": \"Not "
          "Found\", \"status\": 404,\n \"detail\": \"The contact is not in this sequence.\", "
          "\"code\": \"sequenceContact.notInSequence\"}\n"),
     "sequenceContact.notInSequence", "Not Found: The contact is not in this sequence."},
    {"v4 integer error code",
     TEXT("{\"type\": \"about:blank\", \"title\": \"Forbidden\", \"status\": 403, \"detail\": "
          "\"The plan has no API.\", \"errorCode\": 4031}\n"),
     "4031", "Forbidden: The plan has no API."},
    {"wrong types",
     TEXT("{\"title\": 1, \"detail\": [\"x\"], \"code\": true, \"errorCode\": {}, \"errors\": 5, "
          "\"status\": \"x\"}"),
     "", ""},
};

static void decode(const char *body, size_t length, const char *key, struct problem *problem) {
    char *exact = fixture_copy(body, length);
    memset(problem, 0xA5, sizeof *problem);
    problem_decode(exact, length, key, problem);
    free(exact);
    assert_non_null(memchr(problem->code, '\0', sizeof problem->code));
    assert_non_null(memchr(problem->detail, '\0', sizeof problem->detail));
}

static void check_problem(const char *name, const char *body, size_t length, const char *code,
                          const char *detail) {
    struct problem problem;
    decode(body, length, KEY, &problem);
    fixture_expect_text(name, code, problem.code);
    fixture_expect_text(name, detail, problem.detail);
}

static void test_problem_gives_code_and_detail(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_problem(cases[i].name, cases[i].body, cases[i].length, cases[i].code,
                      cases[i].detail);
    }
}

/* Catches text that is taken from a body before the whole body is known to be JSON. */
static void test_cut_body_gives_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = cases[i].length;
        while (length > 0 && cases[i].body[length - 1] == '\n') {
            length--;
        }
        if (cases[i].code[0] == '\0' && cases[i].detail[0] == '\0') {
            continue;
        }
        for (size_t cut = 0; cut < length; cut++) {
            check_problem(cases[i].name, cases[i].body, cut, "", "");
        }
    }
}

static void test_missing_body_gives_nothing(void **state) {
    struct problem problem;
    (void)state;
    memset(&problem, 0xA5, sizeof problem);
    problem_decode(NULL, 0, KEY, &problem);
    assert_string_equal(problem.code, "");
    assert_string_equal(problem.detail, "");
}

static void test_text_is_unchanged_without_key(void **state) {
    static const char body[] = "{\"title\": \"k3y-Secret\", \"code\": \"k3y-Secret\"}";
    struct problem problem;
    (void)state;
    decode(body, strlen(body), NULL, &problem);
    assert_string_equal(problem.code, "k3y-Secret");
    assert_string_equal(problem.detail, "k3y-Secret");
}

static void test_key_is_removed_from_number(void **state) {
    static const char body[] = "{\"errorCode\": 112345, \"title\": \"12345\"}";
    struct problem problem;
    (void)state;
    decode(body, strlen(body), "12345", &problem);
    assert_string_equal(problem.code, "1\xE2\x80\xA6");
    assert_string_equal(problem.detail, "\xE2\x80\xA6");
}

/* Fills 64 KiB with copies of part between a start and an end. The caller frees the body. */
static char *make_long_body(const char *start, const char *part, const char *end, size_t *length) {
    const size_t size = 65536;
    char *body = malloc(size);
    assert_non_null(body);
    memcpy(body, start, strlen(start));
    *length = strlen(start);
    while (*length + strlen(part) + strlen(end) <= size) {
        memcpy(body + *length, part, strlen(part));
        *length += strlen(part);
    }
    memcpy(body + *length, end, strlen(end));
    *length += strlen(end);
    return body;
}

static void test_long_body_is_accepted(void **state) {
    static const struct {
        const char *name;
        const char *start;
        const char *part;
        const char *end;
        const char *code;
        const char *detail;
    } long_cases[] = {
        {"array", "[", "0,", "0]", "", ""},
        {"errors of another type", "{\"code\":\"c\",\"errors\":[", "0,", "0]}", "c", ""},
        {"unknown member", "{\"title\":\"T\",\"more\":[", "0,", "0],\"errorCode\":7}", "7", "T"},
        {"title", "{\"title\":\"", "x", "\"}", "",
         TIMES_240("x") TIMES_5("x") TIMES_5("x") TIMES_5("x")},
        {"text of an error", "{\"errors\":[{\"a\":\"", "x", "\"}]}", "",
         TIMES_240("x") TIMES_5("x") TIMES_5("x") TIMES_5("x")},
        {"duplicate titles", "{\"title\":\"T\"", ",\"title\":\"T\"", "}", "", "T"},
        {"open arrays", "", "[", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof long_cases / sizeof *long_cases; i++) {
        size_t length = 0;
        char *body =
            make_long_body(long_cases[i].start, long_cases[i].part, long_cases[i].end, &length);
        check_problem(long_cases[i].name, body, length, long_cases[i].code, long_cases[i].detail);
        free(body);
    }
}

static void test_detail_is_filled_with_errors(void **state) {
    struct problem problem;
    size_t length = 0;
    (void)state;
    char *body = make_long_body("{\"title\":\"T\",\"errors\":[{\"p\":\"#/a\",\"d\":\"bad\"}",
                                ",{\"p\":\"#/a\",\"d\":\"bad\"}", "]}", &length);
    decode(body, length, KEY, &problem);
    free(body);
    assert_int_equal(strncmp(problem.detail, "T, #/a bad, #/a bad, #/a bad", 28), 0);
    check_in_range(strlen(problem.detail), 245, 255);
    fixture_expect_printable("errors", problem.detail);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem_gives_code_and_detail),
        cmocka_unit_test(test_cut_body_gives_nothing),
        cmocka_unit_test(test_missing_body_gives_nothing),
        cmocka_unit_test(test_text_is_unchanged_without_key),
        cmocka_unit_test(test_key_is_removed_from_number),
        cmocka_unit_test(test_long_body_is_accepted),
        cmocka_unit_test(test_detail_is_filled_with_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
