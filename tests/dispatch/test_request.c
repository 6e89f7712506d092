/* test_request.c - valid keys, products and headers, and the header lines made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"
#include "dispatch/request.h"
#include "support/fixture.h"

/* Returns a text of length times byte. The caller frees it. */
static char *repeat(char byte, size_t length) {
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, byte, length);
    text[length] = '\0';
    return text;
}

/* Returns true if check accepts a text of length times byte. */
static bool accepts(bool (*check)(const char *), char byte, size_t length) {
    char *text = repeat(byte, length);
    const bool is_valid = check(text);
    free(text);
    return is_valid;
}

static void test_key_is_visible_ascii(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_visible = byte >= 0x21 && byte <= 0x7E;
        const char first[] = {(char)byte, 'a', 'b', '\0'};
        const char middle[] = {'a', (char)byte, 'b', '\0'};
        const char last[] = {'a', 'b', (char)byte, '\0'};
        assert_int_equal(accepts(request_is_key, (char)byte, 1), is_visible);
        assert_int_equal(request_is_key(first), is_visible);
        assert_int_equal(request_is_key(middle), is_visible);
        assert_int_equal(request_is_key(last), is_visible);
    }
    assert_false(request_is_key(""));
    assert_true(accepts(request_is_key, 'k', 4096));
    assert_false(accepts(request_is_key, 'k', 4097));
    assert_false(accepts(request_is_key, 'k', 100000));
}

static void test_product_is_printable_ascii(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_visible = byte >= 0x21 && byte <= 0x7E;
        const char first[] = {(char)byte, 'a', '\0'};
        const char middle[] = {'a', (char)byte, 'b', '\0'};
        const char last[] = {'a', (char)byte, '\0'};
        assert_int_equal(accepts(request_is_product, (char)byte, 1), is_visible);
        assert_int_equal(request_is_product(first), is_visible);
        assert_int_equal(request_is_product(middle), is_visible || byte == ' ');
        assert_int_equal(request_is_product(last), is_visible);
    }
    assert_true(request_is_product("acme-sync/2.1 (nightly; test)"));
    assert_false(request_is_product(""));
    assert_true(accepts(request_is_product, 'p', 256));
    assert_false(accepts(request_is_product, 'p', 257));
}

static void test_header_name_is_token(void **state) {
    static const char separators[] = "()<>@,;:\\\"/[]?={} \t";
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_token = byte > 0x20 && byte < 0x7F && strchr(separators, byte) == NULL;
        const char last[] = {'X', (char)byte, '\0'};
        assert_int_equal(accepts(request_is_header_name, (char)byte, 1), is_token);
        assert_int_equal(request_is_header_name(last), is_token);
    }
    assert_true(request_is_header_name("X-TEAM-ID"));
    assert_true(request_is_header_name("X-User-Email"));
    assert_true(request_is_header_name("Accept-Language"));
    assert_true(request_is_header_name("Content-Type"));
    assert_false(request_is_header_name(""));
    assert_true(accepts(request_is_header_name, 'n', 256));
    assert_false(accepts(request_is_header_name, 'n', 257));
}

/* Writes the text in upper case (0), in lower case (1) or in alternating case (2, 3). */
static void change_case(char *target, const char *text, int way) {
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        const bool is_letter =
            (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z');
        const bool is_upper = way == 0 || (way == 2 && i % 2 == 0) || (way == 3 && i % 2 == 1);
        target[i] = !is_letter ? text[i] : (char)(is_upper ? text[i] & ~0x20 : text[i] | 0x20);
    }
    target[i] = '\0';
}

/* The library's own header names are rejected in any case. A name with one character more or less
 * is valid. */
static void expect_own_names_rejected(void) {
    static const char *const names[] = {"X-API-Key",
                                        "Host",
                                        "Accept",
                                        "User-Agent",
                                        "Accept-Encoding",
                                        "Content-Length",
                                        "Transfer-Encoding",
                                        "Connection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        assert_false(request_is_header_name(names[i]));
        for (int way = 0; way < 4; way++) {
            change_case(name, names[i], way);
            assert_false(request_is_header_name(name));
        }
        strcat(name, "s");
        assert_true(request_is_header_name(name));
        name[strlen(names[i]) - 1] = '\0';
        assert_true(request_is_header_name(name));
    }
}

static void test_own_header_is_rejected(void **state) {
    (void)state;
    expect_own_names_rejected();
}

/* Catches a comparison that depends on the locale: in Turkish, i is not the lower case of I. */
static void test_own_header_is_rejected_in_turkish(void **state) {
    (void)state;
    if (!fixture_begin_locale("tr_TR")) {
        skip();
    }
    expect_own_names_rejected();
    assert_true(request_has_header_name("X-Api-Id: 1", "x-aPI-iD"));
    fixture_end_locale();
}

static void test_header_value_has_only_text(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_valid = byte >= 0x20 && byte != 0x7F;
        const char first[] = {(char)byte, 'a', '\0'};
        const char last[] = {'a', (char)byte, '\0'};
        assert_int_equal(accepts(request_is_header_value, (char)byte, 1), is_valid);
        assert_int_equal(request_is_header_value(first), is_valid);
        assert_int_equal(request_is_header_value(last), is_valid);
    }
    assert_true(request_is_header_value(""));
    assert_true(request_is_header_value("  "));
    assert_true(request_is_header_value("zoë@example.org; 用户"));
    assert_false(request_is_header_value("1\r\nX-API-Key: other"));
    assert_true(accepts(request_is_header_value, 'v', 8192));
    assert_false(accepts(request_is_header_value, 'v', 8193));
}

static void test_header_lines_are_made(void **state) {
    static const struct {
        const char *name, *value, *line;
    } rows[] = {
        {"X-TEAM-ID", "7", "X-TEAM-ID: 7"},
        {"X-User-Email", "  zoë@example.org ", "X-User-Email: zoë@example.org"},
        {"X", " a  b: c; ", "X: a  b: c;"},
        {"X", "%s%n", "X: %s%n"},
        {"X%d", "1", "X%d: 1"},
        /* libcurl omits a header that ends after its colon. */
        {"X-Empty", "", "X-Empty;"},
        {"X-Empty", "   ", "X-Empty;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line = request_make_header(rows[i].name, rows[i].value);
        assert_non_null(line);
        assert_string_equal(line, rows[i].line);
        secret_free_text(line);
    }
}

static void test_longest_header_line_is_made(void **state) {
    char *name = repeat('n', 256);
    char *value = repeat('v', 8192);
    (void)state;
    char *line = request_make_header(name, value);
    assert_int_equal(strlen(line), 256 + 2 + 8192);
    assert_int_equal(strncmp(line, name, 256), 0);
    assert_string_equal(line + 258, value);
    secret_free_text(line);
    free(name);
    free(value);
}

static void test_header_name_is_found_in_line(void **state) {
    static const struct {
        const char *line, *name;
        bool is_found;
    } rows[] = {
        {"X-TEAM-ID: 7", "X-TEAM-ID", true}, {"X-TEAM-ID: 7", "x-team-id", true},
        {"x-empty;", "X-EMPTY", true},       {"X-TEAM-ID: 7", "X-TEAM", false},
        {"X-TEAM: 7", "X-TEAM-ID", false},   {"X-TEAM-ID: X-USER-ID: 7", "X-USER-ID", false},
        {"X-TEAM-ID: 7", "7", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(request_has_header_name(rows[i].line, rows[i].name), rows[i].is_found);
    }
}

static void expect_user_agent(const char *product, const char *version, const char *expected) {
    char *line = request_make_user_agent(product, version);
    assert_non_null(line);
    assert_string_equal(line, expected);
    secret_free_text(line);
}

static void test_user_agent_names_product_and_versions(void **state) {
    char expected[512];
    char *product = repeat('p', 256);
    (void)state;
    expect_user_agent(NULL, "7.88.1", "User-Agent: libreplyio/" REPLYIO_VERSION " libcurl/7.88.1");
    expect_user_agent("acme-sync/2.1", "8.0.0",
                      "User-Agent: acme-sync/2.1 libreplyio/" REPLYIO_VERSION " libcurl/8.0.0");
    strcat(strcat(strcpy(expected, "User-Agent: "), product),
           " libreplyio/" REPLYIO_VERSION " libcurl/7.88.1-DEV");
    expect_user_agent(product, "7.88.1-DEV", expected);
    free(product);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_is_visible_ascii),
        cmocka_unit_test(test_product_is_printable_ascii),
        cmocka_unit_test(test_header_name_is_token),
        cmocka_unit_test(test_own_header_is_rejected),
        cmocka_unit_test(test_own_header_is_rejected_in_turkish),
        cmocka_unit_test(test_header_value_has_only_text),
        cmocka_unit_test(test_header_lines_are_made),
        cmocka_unit_test(test_longest_header_line_is_made),
        cmocka_unit_test(test_header_name_is_found_in_line),
        cmocka_unit_test(test_user_agent_names_product_and_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
