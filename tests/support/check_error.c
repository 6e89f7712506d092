/* check_error.c - checks of a reply_error. */
#include "support/check_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

void expect_error(const reply_error *error, reply_result result, int32_t attempts,
                  int32_t http_status, int32_t curl_code, int64_t retry_after_ms) {
    assert_string_equal(reply_result_name(error->result), reply_result_name(result));
    assert_int_equal(error->attempts, attempts);
    assert_int_equal(error->http_status, http_status);
    assert_int_equal(error->curl_code, curl_code);
    assert_int_equal(error->retry_after_ms, retry_after_ms);
}

void expect_empty_error(const reply_error *error) {
    static const reply_error empty;
    assert_int_equal(error->http_status, 0);
    assert_int_equal(error->curl_code, 0);
    assert_int_equal(error->retry_after_ms, -1);
    assert_string_equal(error->problem_code, "");
    assert_string_equal(error->request_id, "");
    assert_string_equal(error->message, "");
    assert_memory_equal(error->reserved, empty.reserved, sizeof empty.reserved);
}

void expect_words(const reply_error *error, const char *words) {
    if (strstr(error->message, words) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", error->message, words);
    }
}

void expect_no_words(const reply_error *error, const char *words) {
    if (strstr(error->message, words) != NULL) {
        fail_msg("\"%s\" contains \"%s\"", error->message, words);
    }
}

void expect_one_line(const reply_error *error) {
    assert_null(strchr(error->message, '\n'));
    assert_true(strlen(error->message) > 20);
}

void expect_cancelled(const reply_error *error, int32_t attempts) {
    expect_error(error, REPLY_ERROR_CANCELLED, attempts, 0, 0, -1);
    expect_words(error, "reply_client_interrupt");
}
