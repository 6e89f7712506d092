/* test_problem.c - what is told of a problem document: fixtures/problem holds bodies, and the code
 * and the detail beside them. The key is k3y-Secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/contact.h"
#include "support/fixture.h"

static const char key[] = "k3y-Secret";

static void read_problem(const char *body, size_t length, const char *with_key,
                         struct decode_problem *problem) {
    char *exact = fixture_copy(body, length);
    memset(problem, 0xA5, sizeof *problem);
    decode_problem(exact, length, with_key, problem);
    free(exact);
    assert_non_null(memchr(problem->code, '\0', sizeof problem->code));
    assert_non_null(memchr(problem->detail, '\0', sizeof problem->detail));
}

static void check_problem(const struct fixture_case *fixture) {
    struct decode_problem problem;
    char actual[sizeof problem + 64];
    read_problem(fixture->bytes, fixture->length, key, &problem);
    snprintf(actual, sizeof actual, "code=%s\ndetail=%s\n", problem.code, problem.detail);
    fixture_expect_text(fixture->name, fixture->expected, actual);
}

static void tells_what_a_problem_says(void **state) {
    (void)state;
    fixture_each("problem", "", check_problem);
}

static void check_says_nothing(const char *body, size_t length) {
    struct decode_problem problem;
    read_problem(body, length, key, &problem);
    assert_string_equal(problem.code, "");
    assert_string_equal(problem.detail, "");
}

/* A body that is cut is no JSON, so nothing of it can be relied on; all but the last line feed of
 * each fixture's object counts. */
static void check_each_cut(const struct fixture_case *fixture) {
    size_t length = fixture->length;
    while (length > 0 && fixture->bytes[length - 1] == '\n') {
        length--;
    }
    if (strncmp(fixture->expected, "code=\ndetail=\n", strlen("code=\ndetail=\n")) == 0) {
        return;
    }
    for (size_t cut = 0; cut < length; cut++) {
        check_says_nothing(fixture->bytes, cut);
    }
}

static void says_nothing_of_a_cut_body(void **state) {
    (void)state;
    fixture_each("problem", "", check_each_cut);
}

static void says_nothing_of_no_body(void **state) {
    struct decode_problem problem;
    (void)state;
    memset(&problem, 0xA5, sizeof problem);
    decode_problem(NULL, 0, key, &problem);
    assert_string_equal(problem.code, "");
    assert_string_equal(problem.detail, "");
}

static void leaves_text_alone_without_a_key(void **state) {
    static const char body[] = "{\"title\": \"k3y-Secret\", \"code\": \"k3y-Secret\"}";
    struct decode_problem problem;
    (void)state;
    read_problem(body, strlen(body), NULL, &problem);
    assert_string_equal(problem.code, "k3y-Secret");
    assert_string_equal(problem.detail, "k3y-Secret");
}

static void takes_a_key_of_digits_out_of_a_number(void **state) {
    static const char body[] = "{\"errorCode\": 112345, \"title\": \"12345\"}";
    struct decode_problem problem;
    (void)state;
    read_problem(body, strlen(body), "12345", &problem);
    assert_string_equal(problem.code, "1\xE2\x80\xA6");
    assert_string_equal(problem.detail, "\xE2\x80\xA6");
}

/* Puts as many copies of part as fit 64 KiB between a beginning and an end. */
static char *make_long_body(const char *beginning, const char *part, const char *end,
                            size_t *length) {
    const size_t size = 65536;
    char *body = malloc(size);
    assert_non_null(body);
    memcpy(body, beginning, strlen(beginning));
    *length = strlen(beginning);
    while (*length + strlen(part) + strlen(end) <= size) {
        memcpy(body + *length, part, strlen(part));
        *length += strlen(part);
    }
    memcpy(body + *length, end, strlen(end));
    *length += strlen(end);
    return body;
}

static void check_long_body(const char *beginning, const char *part, const char *end,
                            const char *code, const char *detail) {
    struct decode_problem problem;
    size_t length = 0;
    char *body = make_long_body(beginning, part, end, &length);
    read_problem(body, length, key, &problem);
    free(body);
    fixture_expect_text(beginning, code, problem.code);
    fixture_expect_text(beginning, detail, problem.detail);
}

static void bears_long_bodies(void **state) {
    char all_of_x[256];
    (void)state;
    memset(all_of_x, 'x', 255);
    all_of_x[255] = '\0';
    check_long_body("[", "0,", "0]", "", "");
    check_long_body("{\"code\":\"c\",\"errors\":[", "0,", "0]}", "c", "");
    check_long_body("{\"title\":\"T\",\"more\":[", "0,", "0],\"errorCode\":7}", "7", "T");
    check_long_body("{\"title\":\"", "x", "\"}", "", all_of_x);
    check_long_body("{\"errors\":[{\"a\":\"", "x", "\"}]}", "", all_of_x);
    check_long_body("{\"title\":\"T\"", ",\"title\":\"T\"", "}", "", "T");
    check_long_body("", "[", "", "", "");
}

static void tells_as_many_errors_as_fit(void **state) {
    struct decode_problem problem;
    size_t length = 0;
    (void)state;
    char *body = make_long_body("{\"title\":\"T\",\"errors\":[{\"p\":\"#/a\",\"d\":\"bad\"}",
                                ",{\"p\":\"#/a\",\"d\":\"bad\"}", "]}", &length);
    read_problem(body, length, key, &problem);
    free(body);
    assert_int_equal(strncmp(problem.detail, "T, #/a bad, #/a bad, #/a bad", 28), 0);
    assert_in_range(strlen(problem.detail), 245, 255);
    fixture_expect_sound("errors", problem.detail);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_a_problem_says),
        cmocka_unit_test(says_nothing_of_a_cut_body),
        cmocka_unit_test(says_nothing_of_no_body),
        cmocka_unit_test(leaves_text_alone_without_a_key),
        cmocka_unit_test(takes_a_key_of_digits_out_of_a_number),
        cmocka_unit_test(bears_long_bodies),
        cmocka_unit_test(tells_as_many_errors_as_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
