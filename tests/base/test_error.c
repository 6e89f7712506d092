/* test_error.c - the first error wins, each HTTP status and failure has its result and its
 * sentence, and text from elsewhere is made fit for a message. */
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
#include "support/statuses.h"

/* ---- Names, and the first error ---- */

static void names_each_result(void **state) {
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
        /* By its bytes: a number that is no enumerator may not be converted under every checker. */
        reply_result result = REPLY_OK;
        memcpy(&result, &results[i].value, sizeof result);
        assert_string_equal(reply_result_name(result), results[i].name);
    }
}

static void begins_with_an_empty_error(void **state) {
    reply_error error;
    reply_error spare;
    (void)state;
    fixture_spoil_error(&error);
    fixture_spoil_error(&spare);
    assert_ptr_equal(error_begin(&error, &spare), &error);
    fixture_expect_no_error("the caller's", &error);
    assert_ptr_equal(error_begin(NULL, &spare), &spare);
    fixture_expect_no_error("the spare one", &spare);
}

static void keeps_the_first_error(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    assert_int_equal(error_set(&error, REPLY_ERROR_NETWORK, "the %s of %d", "first", 2),
                     REPLY_ERROR_NETWORK);
    assert_int_equal(error_set(&error, REPLY_ERROR_TIMEOUT, "the second"), REPLY_ERROR_NETWORK);
    assert_int_equal(error_set_no_memory(&error), REPLY_ERROR_NETWORK);
    assert_int_equal(error_set_http_status(&error, 404, ""), REPLY_ERROR_NETWORK);
    assert_int_equal(error_set_failure(&error, REPLY_ERROR_TLS, ""), REPLY_ERROR_NETWORK);
    fixture_expect_error("first error", &error, REPLY_ERROR_NETWORK, "");
    assert_string_equal(error.message, "the first of 2");
}

static bool vsnprintf_fails = false;
int __real_vsnprintf(char *target, size_t size, const char *format, va_list arguments);
int __wrap_vsnprintf(char *target, size_t size, const char *format, va_list arguments);

/* What has been written by then does not count. */
int __wrap_vsnprintf(char *target, size_t size, const char *format, va_list arguments) {
    const int length = __real_vsnprintf(target, size, format, arguments);
    return vsnprintf_fails ? -1 : length;
}

static void keeps_the_result_where_the_message_cannot_be_made(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    vsnprintf_fails = true;
    assert_int_equal(error_set(&error, REPLY_ERROR_TLS, "why"), REPLY_ERROR_TLS);
    vsnprintf_fails = false;
    assert_int_equal(error.result, REPLY_ERROR_TLS);
    assert_string_equal(error.message, "");
}

static void tells_of_memory(void **state) {
    reply_error error;
    (void)state;
    error_begin(&error, NULL);
    assert_int_equal(error_set_no_memory(&error), REPLY_ERROR_NO_MEMORY);
    fixture_expect_error("memory", &error, REPLY_ERROR_NO_MEMORY, "memory");
    error_begin(&error, NULL);
    assert_int_equal(error_set_failure(&error, REPLY_ERROR_NO_MEMORY, "curl"),
                     REPLY_ERROR_NO_MEMORY);
    fixture_expect_error("memory", &error, REPLY_ERROR_NO_MEMORY, "memory");
}

/* A message of a beginning of each length, then characters of 1 to 4 bytes up to past the end: the
 * longest whole part fits. */
static void cuts_messages_between_characters(void **state) {
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

static void fits_a_message_of_511_bytes(void **state) {
    char text[512];
    reply_error error;
    (void)state;
    memset(text, 'x', 509);
    strcpy(text + 509, "é");
    error_begin(&error, NULL);
    error_set(&error, REPLY_ERROR_HTTP, "%s", text);
    assert_string_equal(error.message, text);
}

/* ---- HTTP statuses and failures ---- */

static void check_status(int32_t status, const char *words) {
    char name[32];
    char number[64];
    reply_error error;
    snprintf(name, sizeof name, "HTTP %d", (int)status);
    error_begin(&error, NULL);
    assert_int_equal(error_set_http_status(&error, status, ""), result_of_status(status));
    fixture_expect_error(name, &error, result_of_status(status), words);
    fixture_expect_words(name, name, error.message);
    assert_null(strstr(error.message, "("));
    error_begin(&error, NULL);
    assert_int_equal(error_set_http_status(&error, status, "what the service said"),
                     result_of_status(status));
    snprintf(number, sizeof number, "%s\n(what the service said)", name);
    fixture_expect_error(name, &error, result_of_status(status), number);
    fixture_expect_words(name, words, error.message);
}

static void has_a_result_and_a_sentence_for_each_status(void **state) {
    (void)state;
    for (int32_t status = 100; status <= 999; status++) {
        if (status != 200) {
            check_status(status, "");
        }
    }
}

static void says_why_and_what_to_do(void **state) {
    static const struct {
        int32_t first, last;
        const char *words;
    } sentences[] = {
        {204, 204, "holds a contact\nbase URL"},
        {206, 206, "holds a contact\nbase URL"},
        {300, 308, "redirect\nnot followed\nbase URL"},
        {400, 400, "malformed\nids"},
        {401, 401, "API key\nreply_client_create"},
        {403, 403, "not allowed\nplan\nX-TEAM-ID"},
        {404, 404, "sequence\ncontact does not exist\nnot in this sequence\nids"},
        {408, 408, "in time\ntry again"},
        {418, 418, "holds a contact"},
        {422, 422, "malformed\nids"},
        {429, 429, "rate limit\nwait a minute"},
        {500, 599, "service failed\ntry again"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        for (int32_t status = sentences[i].first; status <= sentences[i].last; status++) {
            check_status(status, sentences[i].words);
        }
    }
}

static void keeps_the_longest_detail_whole(void **state) {
    char detail[256];
    reply_error error;
    (void)state;
    memset(detail, 'd', 255);
    detail[255] = '\0';
    for (int32_t status = 300; status <= 599; status++) {
        error_begin(&error, NULL);
        error_set_http_status(&error, status, detail);
        assert_non_null(strstr(error.message, detail));
        /* The advice comes last, and is not cut. */
        assert_true(strlen(error.message) < sizeof error.message - 1);
    }
}

static void tells_of_each_failure(void **state) {
    static const struct {
        reply_result failure;
        const char *words;
    } failures[] = {
        {REPLY_ERROR_NETWORK, "could not be reached\nproxy\nbase URL"},
        {REPLY_ERROR_TLS, "trusted\nCA file\ncertificates"},
        {REPLY_ERROR_TIMEOUT, "in time\ntimeouts"},
        {REPLY_ERROR_RESPONSE_TOO_LARGE, "larger\nbase URL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        reply_error error;
        error_begin(&error, NULL);
        assert_int_equal(error_set_failure(&error, failures[i].failure, ""), failures[i].failure);
        fixture_expect_error("failure", &error, failures[i].failure, failures[i].words);
        assert_null(strstr(error.message, "()"));
        error_begin(&error, NULL);
        assert_int_equal(error_set_failure(&error, failures[i].failure, "what happened"),
                         failures[i].failure);
        fixture_expect_error("failure", &error, failures[i].failure, "(what happened)");
        fixture_expect_words("failure", failures[i].words, error.message);
    }
}

/* ---- Text from elsewhere ---- */

#define CUT  "\xE2\x80\xA6" /* an ellipsis, where the key stood */
#define GONE "\xEF\xBF\xBD" /* U+FFFD, where something unfit stood */

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

static void expect_quoted(const char *text, const char *key, const char *expected) {
    expect_quote(text, strlen(text), key, 1000, expected);
}

static void quotes_text_as_it_is(void **state) {
    (void)state;
    expect_quoted("", NULL, "");
    expect_quoted("", "k3y", "");
    expect_quoted("plain text, (50 %s)", NULL, "plain text, (50 %s)");
    expect_quoted("Zoë Ωμέγα 用户 😀 \u00A0\uFFFF\U0010FFFF", "k3y",
                  "Zoë Ωμέγα 用户 😀 \u00A0\uFFFF\U0010FFFF");
    expect_quoted("k3y", NULL, "k3y");
    expect_quoted("k3y", "", "k3y");
}

static void takes_the_key_out(void **state) {
    (void)state;
    expect_quoted("k3y", "k3y", CUT);
    expect_quoted("k3y at the start", "k3y", CUT " at the start");
    expect_quoted("at the end k3y", "k3y", "at the end " CUT);
    expect_quoted("in the k3y middle", "k3y", "in the " CUT " middle");
    expect_quoted("twice k3y and k3y", "k3y", "twice " CUT " and " CUT);
    expect_quoted("k3yk3yk3y", "k3y", CUT CUT CUT);
    expect_quoted("xk3yx", "k3y", "x" CUT "x");
    expect_quoted("ababa", "aba", CUT "ba");
    expect_quoted("aaaaa", "aa", CUT CUT "a");
    expect_quoted("abaaba", "aba", CUT CUT);
    expect_quoted("aaab", "aab", "a" CUT);
    expect_quoted("K3Y k3 y k3", "k3y", "K3Y k3 y k3");
    expect_quoted("ék3y€k3y", "k3y", "é" CUT "€" CUT);
    expect_quoted("\nk3y\x01k3y\xFFk3y", "k3y", " " CUT GONE CUT GONE CUT);
    /* What is taken out brings no key about. */
    expect_quoted("kk3y3y", "k3y", "k" CUT "3y");
    expect_quoted("k\x01"
                  "3y",
                  "k3y", "k" GONE "3y");
}

static void takes_the_key_out_where_the_text_is_cut(void **state) {
    char text[128];
    char target[128];
    (void)state;
    for (size_t lead = 0; lead < 40; lead++) {
        for (size_t size = 1; size < 48; size++) {
            memset(text, 'x', lead);
            strcpy(text + lead, "k3y-Secret and more");
            error_quote(target, size, text, strlen(text), "k3y-Secret");
            assert_true(strlen(target) < size);
            /* Not even a part of it. */
            assert_null(strchr(target, 'k'));
            assert_null(strchr(target, 'S'));
            assert_int_equal(strspn(target, "x"), lead < size - 1 ? lead : size - 1);
        }
    }
}

static void replaces_controls(void **state) {
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
        snprintf(expected, sizeof expected, "a%sb", is_space ? " " : is_control ? GONE : character);
        expect_quote(text, length + 2, NULL, 1000, expected);
    }
}

static void replaces_what_is_not_utf8(void **state) {
    (void)state;
    expect_quoted("a\xFF"
                  "b",
                  NULL, "a" GONE "b");
    expect_quoted("a\x80\x80", NULL, "a" GONE GONE);
    expect_quoted("Zo\xEB!", NULL, "Zo" GONE "!");
    expect_quoted("\xC0\xAF", NULL, GONE GONE);
    expect_quoted("\xED\xA0\x80", NULL, GONE GONE GONE);
    expect_quoted("\xF4\x90\x80\x80", NULL, GONE GONE GONE GONE);
    expect_quoted("\xE2\x82", NULL, GONE GONE);
    expect_quoted("\xE2\x82k3y", "k3y", GONE GONE CUT);
    /* The rest of a character lies behind the text's end. */
    expect_quote("\xE2\x82\xAC", 2, NULL, 10, GONE GONE);
    expect_quote("k3y", 2, "k3y", 10, "k3");
}

static void fills_what_there_is_and_no_more(void **state) {
    (void)state;
    expect_quote("abc", 3, NULL, 1, "");
    expect_quote("k3y", 3, "k3y", 1, "");
    expect_quote("abc", 3, NULL, 2, "a");
    expect_quote("abc", 3, NULL, 3, "ab");
    expect_quote("abc", 3, NULL, 4, "abc");
    expect_quote("a€", 4, NULL, 4, "a");
    expect_quote("a€", 4, NULL, 5, "a€");
    expect_quote("😀", 4, NULL, 4, "");
    expect_quote("😀", 4, NULL, 5, "😀");
    expect_quote("k3yk3y", 6, "k3y", 6, CUT);
    expect_quote("k3yk3y", 6, "k3y", 7, CUT CUT);
    expect_quote("a\x01z", 3, NULL, 4, "a");
    expect_quote("\xFF", 1, NULL, 3, "");
    expect_quote("\xFF", 1, NULL, 4, GONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_result),
        cmocka_unit_test(begins_with_an_empty_error),
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(keeps_the_result_where_the_message_cannot_be_made),
        cmocka_unit_test(tells_of_memory),
        cmocka_unit_test(cuts_messages_between_characters),
        cmocka_unit_test(fits_a_message_of_511_bytes),
        cmocka_unit_test(has_a_result_and_a_sentence_for_each_status),
        cmocka_unit_test(says_why_and_what_to_do),
        cmocka_unit_test(keeps_the_longest_detail_whole),
        cmocka_unit_test(tells_of_each_failure),
        cmocka_unit_test(quotes_text_as_it_is),
        cmocka_unit_test(takes_the_key_out),
        cmocka_unit_test(takes_the_key_out_where_the_text_is_cut),
        cmocka_unit_test(replaces_controls),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(fills_what_there_is_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
