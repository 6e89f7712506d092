/* test_request.c - which keys, products and headers are taken, and the URL and header lines that
 * come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "dispatch/request.h"
#include "base/secret.h"

/* A text of one byte again and again. The caller frees it. */
static char *repeat(char byte, size_t length) {
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, byte, length);
    text[length] = '\0';
    return text;
}

/* Whether check takes a text of length times byte. */
static bool takes(bool (*check)(const char *), char byte, size_t length) {
    char *text = repeat(byte, length);
    const bool is_taken = check(text);
    free(text);
    return is_taken;
}

static void takes_keys_of_visible_ascii(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_visible = byte >= 0x21 && byte <= 0x7E;
        const char first[] = {(char)byte, 'a', 'b', '\0'};
        const char middle[] = {'a', (char)byte, 'b', '\0'};
        const char last[] = {'a', 'b', (char)byte, '\0'};
        assert_int_equal(takes(request_is_key, (char)byte, 1), is_visible);
        assert_int_equal(request_is_key(first), is_visible);
        assert_int_equal(request_is_key(middle), is_visible);
        assert_int_equal(request_is_key(last), is_visible);
    }
    assert_false(request_is_key(""));
    assert_true(takes(request_is_key, 'k', 4096));
    assert_false(takes(request_is_key, 'k', 4097));
    assert_false(takes(request_is_key, 'k', 100000));
}

static void takes_products_of_printable_ascii(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_visible = byte >= 0x21 && byte <= 0x7E;
        const char first[] = {(char)byte, 'a', '\0'};
        const char middle[] = {'a', (char)byte, 'b', '\0'};
        const char last[] = {'a', (char)byte, '\0'};
        assert_int_equal(takes(request_is_product, (char)byte, 1), is_visible);
        assert_int_equal(request_is_product(first), is_visible);
        assert_int_equal(request_is_product(middle), is_visible || byte == ' ');
        assert_int_equal(request_is_product(last), is_visible);
    }
    assert_true(request_is_product("acme-sync/2.1 (nightly; test)"));
    assert_false(request_is_product(""));
    assert_true(takes(request_is_product, 'p', 256));
    assert_false(takes(request_is_product, 'p', 257));
}

static void takes_tokens_as_header_names(void **state) {
    static const char separators[] = "()<>@,;:\\\"/[]?={} \t";
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_token = byte > 0x20 && byte < 0x7F && strchr(separators, byte) == NULL;
        const char last[] = {'X', (char)byte, '\0'};
        assert_int_equal(takes(request_is_header_name, (char)byte, 1), is_token);
        assert_int_equal(request_is_header_name(last), is_token);
    }
    assert_true(request_is_header_name("X-TEAM-ID"));
    assert_true(request_is_header_name("X-User-Email"));
    assert_true(request_is_header_name("Accept-Language"));
    assert_true(request_is_header_name("Content-Type"));
    assert_false(request_is_header_name(""));
    assert_true(takes(request_is_header_name, 'n', 256));
    assert_false(takes(request_is_header_name, 'n', 257));
}

/* In upper case, in lower case, and in changing case. */
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

static void check_own_names(void) {
    static const char *const own[] = {"X-API-Key",  "Host",           "Accept",
                                      "User-Agent", "Content-Length", "Transfer-Encoding",
                                      "Connection"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        char name[64];
        assert_false(request_is_header_name(own[i]));
        for (int way = 0; way < 4; way++) {
            change_case(name, own[i], way);
            assert_false(request_is_header_name(name));
        }
        strcat(name, "s");
        assert_true(request_is_header_name(name));
        name[strlen(own[i]) - 1] = '\0';
        assert_true(request_is_header_name(name));
    }
}

static void takes_no_header_of_its_own(void **state) {
    (void)state;
    check_own_names();
}

static void takes_no_header_of_its_own_in_turkish(void **state) {
    (void)state;
    if (!fixture_begin_locale("tr_TR")) {
        skip();
    }
    check_own_names();
    assert_true(request_has_header_name("X-Api-Id: 1", "x-aPI-iD"));
    fixture_end_locale();
}

static void takes_values_without_control_characters(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const bool is_fine = byte >= 0x20 && byte != 0x7F;
        const char first[] = {(char)byte, 'a', '\0'};
        const char last[] = {'a', (char)byte, '\0'};
        assert_int_equal(takes(request_is_header_value, (char)byte, 1), is_fine);
        assert_int_equal(request_is_header_value(first), is_fine);
        assert_int_equal(request_is_header_value(last), is_fine);
    }
    assert_true(request_is_header_value(""));
    assert_true(request_is_header_value("  "));
    assert_true(request_is_header_value("zoë@example.org; 用户"));
    assert_false(request_is_header_value("1\r\nX-API-Key: other"));
    assert_true(takes(request_is_header_value, 'v', 8192));
    assert_false(takes(request_is_header_value, 'v', 8193));
}

static void expect_header(const char *name, const char *value, const char *expected) {
    char *line = request_make_header(name, value);
    assert_non_null(line);
    assert_string_equal(line, expected);
    secret_free_text(line);
}

static void makes_header_lines(void **state) {
    (void)state;
    expect_header("X-TEAM-ID", "7", "X-TEAM-ID: 7");
    expect_header("X-User-Email", "  zoë@example.org ", "X-User-Email: zoë@example.org");
    expect_header("X", " a  b: c; ", "X: a  b: c;");
    expect_header("X", "%s%n", "X: %s%n");
    expect_header("X%d", "1", "X%d: 1");
    /* A name and a colon alone would make libcurl leave the header out. */
    expect_header("X-Empty", "", "X-Empty;");
    expect_header("X-Empty", "   ", "X-Empty;");
}

static void makes_the_longest_header_line(void **state) {
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

static void knows_the_name_of_a_header_line(void **state) {
    (void)state;
    assert_true(request_has_header_name("X-TEAM-ID: 7", "X-TEAM-ID"));
    assert_true(request_has_header_name("X-TEAM-ID: 7", "x-team-id"));
    assert_true(request_has_header_name("x-empty;", "X-EMPTY"));
    assert_false(request_has_header_name("X-TEAM-ID: 7", "X-TEAM"));
    assert_false(request_has_header_name("X-TEAM: 7", "X-TEAM-ID"));
    assert_false(request_has_header_name("X-TEAM-ID: X-USER-ID: 7", "X-USER-ID"));
    assert_false(request_has_header_name("X-TEAM-ID: 7", "7"));
}

static void expect_user_agent(const char *product, const char *version, const char *expected) {
    char *line = request_make_user_agent(product, version);
    assert_non_null(line);
    assert_string_equal(line, expected);
    secret_free_text(line);
}

static void makes_the_user_agent(void **state) {
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

static void writes_urls(void **state) {
    char url[REQUEST_URL_SIZE];
    (void)state;
    request_write_url(url, "https://api.reply.io/v4", 100, 12345);
    assert_string_equal(url, "https://api.reply.io/v4/sequences/100/contacts/12345");
    request_write_url(url, "https://api.reply.io/v4", 9007199254740993, INT64_MAX);
    assert_string_equal(
        url, "https://api.reply.io/v4/sequences/9007199254740993/contacts/9223372036854775807");
    request_write_url(url, "http://[::1]:8080", 1, 1);
    assert_string_equal(url, "http://[::1]:8080/sequences/1/contacts/1");
}

static void writes_the_longest_url(void **state) {
    char *url = malloc(REQUEST_URL_SIZE);
    char *base_url = repeat('b', TRANSPORT_LONGEST_BASE_URL);
    (void)state;
    assert_non_null(url);
    request_write_url(url, base_url, INT64_MIN, INT64_MIN);
    assert_int_equal(strncmp(url, base_url, TRANSPORT_LONGEST_BASE_URL), 0);
    assert_string_equal(url + TRANSPORT_LONGEST_BASE_URL,
                        "/sequences/-9223372036854775808/contacts/-9223372036854775808");
    free(base_url);
    free(url);
}

/* The linker puts this in the place of free: what a secret's memory holds when it is given back. */
static const char *watched = NULL;
static char freed[16];

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block) {
    if (block != NULL && block == watched) {
        memcpy(freed, watched, sizeof freed);
        watched = NULL;
    }
    __real_free(block);
}

static void overwrites_secrets_before_freeing_them(void **state) {
    static const char zeros[sizeof freed];
    char *secret = malloc(sizeof freed);
    (void)state;
    assert_non_null(secret);
    memcpy(secret, "k3y-Secret-12345", sizeof freed);
    secret[sizeof freed - 1] = '\0';
    watched = secret;
    secret_free_text(secret);
    assert_null(watched);
    assert_memory_equal(freed, zeros, sizeof freed);
    secret_free_text(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_keys_of_visible_ascii),
        cmocka_unit_test(takes_products_of_printable_ascii),
        cmocka_unit_test(takes_tokens_as_header_names),
        cmocka_unit_test(takes_no_header_of_its_own),
        cmocka_unit_test(takes_no_header_of_its_own_in_turkish),
        cmocka_unit_test(takes_values_without_control_characters),
        cmocka_unit_test(makes_header_lines),
        cmocka_unit_test(makes_the_longest_header_line),
        cmocka_unit_test(knows_the_name_of_a_header_line),
        cmocka_unit_test(makes_the_user_agent),
        cmocka_unit_test(writes_urls),
        cmocka_unit_test(writes_the_longest_url),
        cmocka_unit_test(overwrites_secrets_before_freeing_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
