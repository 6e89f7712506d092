/* test_dispatch.c - one request and the loop on a fake transport: attempts, waits, the deadline,
 * the slots and the log. Waits are asserted to the millisecond and take no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/check_error.h"
#include "support/fake_transport.h"
#include "support/fetch.h"
#include "replyio.h"

enum { DEFAULT_ATTEMPT_TIMEOUT_MS = 30000 };

/* ---- Attempts ---- */

static void test_first_attempt_succeeds(void **state) {
    reply_error error;
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(fake_now_ms(), 100);
    EXPECT_STARTS(0);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, DEFAULT_ATTEMPT_TIMEOUT_MS);
    assert_int_equal(fake_get_event(FAKE_START, 0).max_body_size, 1024 * 1024);
    assert_int_equal(fake_get_event(FAKE_START, 0).contact_id, 7);
    assert_int_equal(fake_get_event(FAKE_START, 0).sequence_id, SEQUENCE);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* Catches an error of an earlier attempt that is left in the result. */
static void test_success_after_failures_clears_error(void **state) {
    reply_error error;
    FAKE_SCRIPT(7,
                {.duration_ms = 40,
                 .http_status = 503,
                 .request_id = "one",
                 .body = "{\"code\":\"busy\",\"title\":\"Busy\"}"},
                {.duration_ms = 30,
                 .failure = REPLY_ERROR_NETWORK,
                 .curl_code = 56,
                 .failure_text = "reset"},
                {.duration_ms = 20});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 3);
    EXPECT_STARTS(0, 40, 70);
    assert_int_equal(fake_now_ms(), 90);
}

/* Catches an error that mixes members of two attempts. */
static void test_last_attempt_decides_error(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.http_status = 503, .request_id = "first", .body = "{\"code\":\"first\"}"},
                {.failure = REPLY_ERROR_NETWORK, .curl_code = 7},
                {.http_status = 404, .request_id = "third", .body = "{\"code\":\"third\"}"});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_NOT_FOUND, 3, 404, 0, -1);
    assert_string_equal(error.problem_code, "third");
    assert_string_equal(error.request_id, "third");
    FAKE_SCRIPT(8,
                {.http_status = 503,
                 .request_id = "first",
                 .body = "{\"code\":\"first\"}",
                 .retry_after = "2"},
                {.failure = REPLY_ERROR_TLS, .curl_code = 60});
    fetch_one(*state, 8, &error);
    expect_error(&error, REPLY_ERROR_TLS, 2, 0, 60, -1);
    assert_string_equal(error.problem_code, "");
    assert_string_equal(error.request_id, "");
}

static void test_max_retries_limits_attempts(void **state) {
    static const int64_t max_waits[] = {500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000};
    (void)state;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503});
    for (int32_t retries = 0; retries <= 10; retries++) {
        reply_error error;
        reply_client *client = fake_create_client();
        int64_t at = fake_now_ms();
        fake_clear_events();
        set_retries(client, retries);
        fetch_one(client, 7, &error);
        expect_error(&error, REPLY_ERROR_SERVER, retries + 1, 503, 0, -1);
        assert_int_equal(fake_count_events(FAKE_START), retries + 1);
        for (int32_t i = 0; i < retries; i++) {
            assert_int_equal(fake_get_start_ms((size_t)i), at);
            at += 100 + max_waits[i];
        }
        assert_int_equal(fake_get_start_ms((size_t)retries), at);
        assert_int_equal(fake_now_ms(), at + 100);
        reply_client_destroy(client);
    }
}

static void test_default_is_three_retries(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 500});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_SERVER, 4, 500, 0, -1);
    EXPECT_STARTS(0, 600, 1700, 3800);
}

/* Catches a wait that leaves its range or never reaches an end of it. */
static void test_random_number_decides_backoff(void **state) {
    static const struct {
        uint32_t random;
        int64_t waits[6];
    } rows[] = {
        {0, {0, 0, 0, 0, 0, 0}},
        {8572789, {0, 1, 3, 7, 15, 15}},
        {8572790, {1, 1, 3, 7, 15, 15}},
        {0x40000000, {125, 250, 500, 1000, 2000, 2000}},
        {0x80000000, {250, 500, 1000, 2000, 4000, 4000}},
        {0xC0000000, {375, 750, 1500, 3000, 6000, 6000}},
        {UINT32_MAX, {500, 1000, 2000, 4000, 8000, 8000}},
    };
    (void)state;
    FAKE_SCRIPT(7, {.http_status = 502});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        reply_client *client = fake_create_client();
        fake_script_random(&rows[i].random, 1);
        fake_clear_events();
        set_retries(client, 6);
        int64_t at = fake_now_ms();
        fetch_one(client, 7, &error);
        for (size_t n = 0; n < 6; n++) {
            assert_int_equal(fake_get_start_ms(n), at);
            at += rows[i].waits[n];
        }
        assert_int_equal(fake_get_start_ms(6), at);
        reply_client_destroy(client);
    }
}

/* ---- Retry-After ---- */

/* The host's clock begins at 22:13:20 and shows 22:13:25 when the response arrives. */
static void test_retry_after_decides_wait(void **state) {
    static const struct {
        const char *retry_after, *date;
        int64_t wait_ms;
    } rows[] = {
        {"7", NULL, 7000},
        {"7", "Tue, 14 Nov 2023 22:13:45 GMT", 7000},
        {"Tue, 14 Nov 2023 22:13:55 GMT", NULL, 30000},
        {"Tue, 14 Nov 2023 22:13:55 GMT", "Tue, 14 Nov 2023 22:13:45 GMT", 10000},
        {"Sat, 18 Nov 2023 22:13:55 GMT", NULL, 86400000},
        {NULL, NULL, 500},
        {"0", NULL, 500},
        {"Tue, 14 Nov 2023 22:13:24 GMT", NULL, 500},
        {"Tue, 14 Nov 2023 22:14:00 GMT", "Tue, 14 Nov 2023 22:14:00 GMT", 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct fake_outcome outcomes[] = {{.duration_ms = 5000,
                                                 .http_status = 503,
                                                 .retry_after = rows[i].retry_after,
                                                 .date = rows[i].date},
                                                {.duration_ms = 0}};
        fake_teardown(state);
        fake_setup(state);
        FAKE_RANDOM(UINT32_MAX);
        set_timeout(*state, 0);
        fake_script(7, outcomes, 2);
        assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
        EXPECT_STARTS(0, 5000 + rows[i].wait_ms);
    }
}

/* Catches a date in the past that is reported as a time to wait. */
static void test_invalid_retry_after_is_absent(void **state) {
    static const struct {
        const char *retry_after, *date;
    } rows[] = {
        {NULL, NULL},
        {"0", NULL},
        {"7.5", NULL},
        {"Tue, 14 Nov 2023 22:13:20 GMT", NULL},
        {"Tue, 14 Nov 2023 22:14:00 GMT", "Tue, 14 Nov 2023 22:14:00 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct fake_outcome outcome = {
            .http_status = 503, .retry_after = rows[i].retry_after, .date = rows[i].date};
        fake_teardown(state);
        fake_setup(state);
        FAKE_RANDOM(UINT32_MAX);
        set_retries(*state, 1);
        fake_script(7, &outcome, 1);
        fetch_one(*state, 7, &error);
        expect_error(&error, REPLY_ERROR_SERVER, 2, 503, 0, -1);
        EXPECT_STARTS(0, 500);
    }
}

static void test_retry_after_replaces_one_backoff(void **state) {
    static const int32_t statuses[] = {408, 500, 502, 503, 504};
    FAKE_RANDOM(UINT32_MAX);
    for (int64_t i = 0; i < 5; i++) {
        reply_error error;
        const struct fake_outcome outcomes[] = {
            {.duration_ms = 100, .http_status = statuses[i], .retry_after = "7"},
            {.duration_ms = 100, .http_status = statuses[i]},
            {.duration_ms = 100}};
        const int64_t began = fake_now_ms();
        fake_clear_events();
        fake_script(i + 1, outcomes, 3);
        assert_int_equal(fetch_one(*state, i + 1, &error), REPLY_OK);
        assert_int_equal(error.attempts, 3);
        EXPECT_STARTS(began, began + 7100, began + 7100 + 100 + 1000);
    }
}

static void test_retry_after_wait_counts_as_retry(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503, .retry_after = "7"});
    set_retries(*state, 2);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_SERVER, 3, 503, 0, 7000);
    EXPECT_STARTS(0, 7100, 14200);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 7000 ms: HTTP 503, retry 1 of 2\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 7000 ms: HTTP 503, retry 2 of 2\n"
                        "attempt 3 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n");
}

/* ---- The deadline ---- */

/* Catches a wait that ends exactly at the deadline, and a TIMEOUT in place of the attempt's own
 * error. */
static void test_wait_beyond_deadline_is_skipped(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503, .request_id = "own"});
    set_timeout(*state, 600);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_SERVER, 1, 503, 0, -1);
    assert_string_equal(error.request_id, "own");
    assert_int_equal(fake_now_ms(), 100);
    EXPECT_STARTS(0);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n");
}

static void test_wait_before_deadline_is_made(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503}, {.duration_ms = 1});
    set_timeout(*state, 601);
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    EXPECT_STARTS(0, 600);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 601);
    assert_int_equal(fake_get_event(FAKE_START, 1).timeout_ms, 1);
    assert_int_equal(fake_now_ms(), 601);
}

static void test_retry_after_beyond_deadline_is_skipped(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503, .retry_after = "5"});
    FAKE_SCRIPT(8, {.duration_ms = 99, .http_status = 503, .retry_after = "5"}, {.duration_ms = 0});
    set_timeout(*state, 5100);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_SERVER, 1, 503, 0, 5000);
    assert_int_equal(fake_now_ms(), 100);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 100, 100 + 99 + 5000);
    assert_int_equal(fake_get_event(FAKE_START, 2).timeout_ms, 1);
}

static void test_deadline_shortens_attempt_timeout(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 400, .http_status = 503}, {.duration_ms = FAKE_HANGS});
    assert_int_equal(reply_client_set_attempt_timeout_ms(*state, 1000, NULL), REPLY_OK);
    set_timeout(*state, 1500);
    fetch_one(*state, 7, &error);
    EXPECT_STARTS(0, 900);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 1000);
    assert_int_equal(fake_get_event(FAKE_START, 1).timeout_ms, 600);
    expect_error(&error, REPLY_ERROR_TIMEOUT, 2, 0, 28, -1);
    assert_int_equal(fake_now_ms(), 1500);
}

/* Catches a retry after the deadline if its wait is 0. */
static void test_deadline_ends_attempt(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.duration_ms = FAKE_HANGS});
    set_timeout(*state, 2500);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_TIMEOUT, 1, 0, 28, -1);
    expect_words(&error, "contact 7 in sequence 100");
    assert_int_equal(fake_now_ms(), 2500);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 2500);
    assert_string_equal(
        fake_get_log(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_TIMEOUT in 2500 ms\n");
}

static void test_attempt_timeout_is_retried(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = FAKE_HANGS}, {.duration_ms = 50});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    EXPECT_STARTS(0, DEFAULT_ATTEMPT_TIMEOUT_MS + 500);
    assert_string_equal(
        fake_get_log(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_TIMEOUT in 30000 ms\n"
        "wait 500 ms: REPLY_ERROR_TIMEOUT, retry 1 of 3\n"
        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 50 ms\n");
}

static void test_default_timeout_is_two_minutes(void **state) {
    reply_error error;
    FAKE_RANDOM(0x80000000);
    FAKE_SCRIPT(7, {.duration_ms = FAKE_HANGS});
    set_retries(*state, 10);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_TIMEOUT, 4, 0, 28, -1);
    EXPECT_STARTS(0, 30250, 60750, 91750);
    assert_int_equal(fake_get_event(FAKE_START, 3).timeout_ms, 120000 - 91750);
    assert_int_equal(fake_now_ms(), 120000);
}

static void test_timeout_0_means_unlimited(void **state) {
    reply_error error;
    FAKE_RANDOM(0);
    FAKE_SCRIPT(7, {.duration_ms = FAKE_HANGS});
    set_retries(*state, 10);
    set_timeout(*state, 0);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_TIMEOUT, 11, 0, 28, -1);
    assert_int_equal(fake_now_ms(), 11 * DEFAULT_ATTEMPT_TIMEOUT_MS);
    assert_int_equal(fake_get_event(FAKE_START, 10).timeout_ms, DEFAULT_ATTEMPT_TIMEOUT_MS);
}

/* ---- Slots ---- */

static void test_max_concurrency_limits_requests_in_flight(void **state) {
    static const struct {
        int32_t concurrency;
        int64_t end_ms;
    } rows[] = {{1, 1000}, {2, 500}, {3, 400}, {4, 300}, {9, 200}, {10, 100}, {100, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = make_call(*state, 10);
        set_concurrency(*state, rows[i].concurrency);
        fetch_all(&call, REPLY_OK);
        assert_int_equal(fake_get_max_in_flight(),
                         rows[i].concurrency < 10 ? rows[i].concurrency : 10);
        assert_int_equal(fake_now_ms(), rows[i].end_ms);
        assert_int_equal(fake_count_events(FAKE_START), 10);
    }
}

static void test_default_is_four_requests(void **state) {
    struct call call = make_call(*state, 10);
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 0, 100, 100, 100, 100, 200, 200);
    assert_int_equal(fake_get_slot_count(), 4);
}

static void test_100_requests_are_in_flight(void **state) {
    int64_t ids[250];
    for (int i = 0; i < 250; i++) {
        ids[i] = 1000 + i;
    }
    struct call call = {.client = *state, .ids = ids, .count = 250};
    set_concurrency(*state, 100);
    fetch_all(&call, REPLY_OK);
    assert_int_equal(fake_get_max_in_flight(), 100);
    assert_int_equal(fake_now_ms(), 300);
    assert_int_equal(fake_count_opened_sessions(), 1);
}

/* Catches a third request that starts during the wait of the first one. */
static void test_retry_wait_keeps_slot(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 2);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 503}, {.duration_ms = 100});
    FAKE_SCRIPT(2, {.duration_ms = 5000});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 600, 700);
    expect_delivery(&call, 0, 0, 700, REPLY_OK, 2);
    expect_delivery(&call, 1, 2, 800, REPLY_OK, 1);
    expect_delivery(&call, 2, 1, 5000, REPLY_OK, 1);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 503 in 100 ms\n"
                        "wait 500 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 200 in 5000 ms\n");
}

static void test_retry_precedes_next_request(void **state) {
    struct call call = make_call(*state, 2);
    set_concurrency(*state, 1);
    FAKE_SCRIPT(1, {.duration_ms = 10, .http_status = 503, .retry_after = "20"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 20010, 20020);
}

/* Catches a loop that waits for the retry in the first slot instead of the earliest one. */
static void test_earliest_retry_is_sent_first(void **state) {
    struct call call = make_call(*state, 2);
    FAKE_SCRIPT(1, {.duration_ms = 50, .http_status = 503, .retry_after = "20"},
                {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 60, .http_status = 503, .retry_after = "5"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 5060, 20050);
    expect_delivery(&call, 0, 1, 5070, REPLY_OK, 2);
    expect_delivery(&call, 1, 0, 20060, REPLY_OK, 2);
}

static void test_retries_are_counted_per_request(void **state) {
    struct call call = make_call(*state, 4);
    set_concurrency(*state, 1);
    set_retries(*state, 2);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.http_status = 503});
    FAKE_SCRIPT(2, {.http_status = 503});
    FAKE_SCRIPT(3, {.http_status = 503});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 500, 1500, 1500, 2000, 3000, 3000, 3500, 4500, 4500);
    for (size_t i = 0; i < 3; i++) {
        expect_index(&call, i, 1500 * ((int64_t)i + 1), REPLY_ERROR_SERVER, 3);
    }
    expect_index(&call, 3, 4600, REPLY_OK, 1);
}

/* ---- The log ---- */

static void test_log_has_attempts_and_waits(void **state) {
    reply_error error;
    FAKE_RANDOM(0x80000000);
    FAKE_SCRIPT(9007199254740993, {.duration_ms = 87, .http_status = 503},
                {.duration_ms = 3, .failure = REPLY_ERROR_NETWORK, .curl_code = 7},
                {.duration_ms = 12, .http_status = 429}, {.duration_ms = 5, .http_status = 404});
    fetch_one(*state, 9007199254740993, &error);
    assert_string_equal(
        fake_get_log(),
        "attempt 1 GET /v4/sequences/100/contacts/9007199254740993: 503 in 87 ms\n"
        "wait 250 ms: HTTP 503, retry 1 of 3\n"
        "attempt 2 GET /v4/sequences/100/contacts/9007199254740993: REPLY_ERROR_NETWORK in 3 ms\n"
        "wait 500 ms: REPLY_ERROR_NETWORK, retry 2 of 3\n"
        "attempt 3 GET /v4/sequences/100/contacts/9007199254740993: 429 in 12 ms\n"
        "wait 1000 ms: HTTP 429, retry 3 of 3\n"
        "attempt 4 GET /v4/sequences/100/contacts/9007199254740993: 404 in 5 ms\n");
    expect_error(&error, REPLY_ERROR_NOT_FOUND, 4, 404, 0, -1);
}

static void test_log_has_base_url_path(void **state) {
    static const struct {
        const char *base_url, *line;
    } rows[] = {
        {"https://host.example/a/b/",
         "attempt 1 GET /a/b/sequences/100/contacts/7: 200 in 100 ms\n"},
        {"https://host.example:8443", "attempt 1 GET /sequences/100/contacts/7: 200 in 100 ms\n"},
    };
    for (size_t i = 0; i < 2; i++) {
        reply_error error;
        fake_teardown(state);
        fake_setup(state);
        assert_int_equal(reply_client_set_base_url(*state, rows[i].base_url, NULL), REPLY_OK);
        assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
        assert_string_equal(fake_get_log(), rows[i].line);
    }
}

static void test_log_may_be_null(void **state) {
    reply_error error;
    assert_int_equal(reply_client_set_log(*state, NULL, NULL, NULL), REPLY_OK);
    FAKE_SCRIPT(7, {.http_status = 503}, {.http_status = 429, .retry_after = "1"},
                {.duration_ms = 1});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_string_equal(fake_get_log(), "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_first_attempt_succeeds),
        TEST(test_success_after_failures_clears_error),
        TEST(test_last_attempt_decides_error),
        TEST(test_max_retries_limits_attempts),
        TEST(test_default_is_three_retries),
        TEST(test_random_number_decides_backoff),
        TEST(test_retry_after_decides_wait),
        TEST(test_invalid_retry_after_is_absent),
        TEST(test_retry_after_replaces_one_backoff),
        TEST(test_retry_after_wait_counts_as_retry),
        TEST(test_wait_beyond_deadline_is_skipped),
        TEST(test_wait_before_deadline_is_made),
        TEST(test_retry_after_beyond_deadline_is_skipped),
        TEST(test_deadline_shortens_attempt_timeout),
        TEST(test_deadline_ends_attempt),
        TEST(test_attempt_timeout_is_retried),
        TEST(test_default_timeout_is_two_minutes),
        TEST(test_timeout_0_means_unlimited),
        TEST(test_max_concurrency_limits_requests_in_flight),
        TEST(test_default_is_four_requests),
        TEST(test_100_requests_are_in_flight),
        TEST(test_retry_wait_keeps_slot),
        TEST(test_retry_precedes_next_request),
        TEST(test_earliest_retry_is_sent_first),
        TEST(test_retries_are_counted_per_request),
        TEST(test_log_has_attempts_and_waits),
        TEST(test_log_has_base_url_path),
        TEST(test_log_may_be_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
