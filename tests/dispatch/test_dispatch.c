/* test_dispatch.c - one contact on a fake transport: what is tried again and when, the rate limit's
 * gate, the deadline, the interrupt, the log, and what an error tells. Waits are asserted to the
 * millisecond; none is slept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_transport.h"
#include "support/statuses.h"
#include "replyio.h"

#define LARGEST_RANDOM UINT32_MAX

enum { SEQUENCE = 100, DEFAULT_ATTEMPT_TIMEOUT_MS = 30000, ONE_DAY_MS = 86400000 };

/* ---- Helpers ---- */

static void check_empty(const reply_error *error) {
    static const reply_error none;
    assert_int_equal(error->http_status, 0);
    assert_int_equal(error->curl_code, 0);
    assert_int_equal(error->retry_after_ms, -1);
    assert_string_equal(error->problem_code, "");
    assert_string_equal(error->request_id, "");
    assert_string_equal(error->message, "");
    assert_memory_equal(error->reserved, none.reserved, sizeof none.reserved);
}

/* Fetches a contact. What comes back fits together: the contact that was asked for and an empty
 * error, or none and the error. */
static reply_result get(reply_client *client, int64_t contact_id, reply_error *error) {
    reply_sequence_contact *contact = (reply_sequence_contact *)error;
    const reply_result result =
        reply_get_sequence_contact(client, SEQUENCE, contact_id, &contact, error);
    assert_int_equal(error->result, result);
    if (result == REPLY_OK) {
        assert_non_null(contact);
        assert_int_equal(contact->contact_id, contact_id);
        assert_int_equal(contact->sequence_id, SEQUENCE);
        check_empty(error);
    } else {
        assert_null(contact);
        assert_null(memchr(error->message, '\n', strlen(error->message)));
        assert_true(strlen(error->message) > 20);
    }
    reply_sequence_contact_free(contact);
    return result;
}

static void check_error(const reply_error *error, reply_result result, int32_t attempts,
                        int32_t http_status, int32_t curl_code, int64_t retry_after_ms) {
    assert_string_equal(reply_result_name(error->result), reply_result_name(result));
    assert_int_equal(error->attempts, attempts);
    assert_int_equal(error->http_status, http_status);
    assert_int_equal(error->curl_code, curl_code);
    assert_int_equal(error->retry_after_ms, retry_after_ms);
}

static void check_says(const reply_error *error, const char *words) {
    if (strstr(error->message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static void check_starts(const int64_t *times, size_t count) {
    assert_int_equal(fake_count(FAKE_START), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fake_start_ms(i), times[i]);
    }
}
#define CHECK_STARTS(...)                                                                          \
    check_starts((const int64_t[]){__VA_ARGS__},                                                   \
                 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void set_retries(reply_client *client, int32_t retries) {
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
}

static void set_timeout(reply_client *client, int64_t ms) {
    assert_int_equal(reply_client_set_timeout_ms(client, ms, NULL), REPLY_OK);
}

/* ---- Success ---- */

static void test_first_attempt_succeeds(void **state) {
    reply_error error;
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(fake_now(), 100);
    CHECK_STARTS(0);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, DEFAULT_ATTEMPT_TIMEOUT_MS);
    assert_int_equal(fake_nth(FAKE_START, 0).contact_id, 7);
    assert_int_equal(fake_nth(FAKE_START, 0).sequence_id, SEQUENCE);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

static void test_success_after_failures_leaves_the_error_empty(void **state) {
    reply_error error;
    FAKE_SCRIPT(
        7,
        {.takes_ms = 40,
         .http_status = 503,
         .request_id = "one",
         .body = "{\"code\":\"busy\",\"title\":\"Busy\"}"},
        {.takes_ms = 30, .failure = REPLY_ERROR_NETWORK, .curl_code = 56, .failure_text = "reset"},
        {.takes_ms = 20});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 3);
    CHECK_STARTS(0, 40, 70);
    assert_int_equal(fake_now(), 90);
}

static void test_error_may_be_null(void **state) {
    reply_sequence_contact *contact = (reply_sequence_contact *)state;
    FAKE_SCRIPT(7, {.http_status = 404});
    assert_int_equal(reply_get_sequence_contact(*state, SEQUENCE, 7, &contact, NULL),
                     REPLY_ERROR_NOT_FOUND);
    assert_null(contact);
    assert_int_equal(reply_get_sequence_contact(*state, SEQUENCE, 8, &contact, NULL), REPLY_OK);
    assert_int_equal(contact->contact_id, 8);
    reply_sequence_contact_free(contact);
}

/* ---- What is tried again ---- */

static bool is_tried_again(int64_t status) {
    static const int64_t statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i] == status) {
            return true;
        }
    }
    return false;
}

static void answer_with_id_as_status(int64_t contact_id, int64_t time_ms,
                                     struct fake_answer *answer) {
    (void)time_ms;
    *answer = (struct fake_answer){.takes_ms = 10, .http_status = (int32_t)contact_id};
}

static void test_each_status(void **state) {
    char name[16];
    fake_script_all(answer_with_id_as_status);
    FAKE_RANDOM(LARGEST_RANDOM);
    set_retries(*state, 1);
    for (int32_t status = 201; status <= 999; status++) {
        reply_error error;
        const int64_t began = fake_now();
        get(*state, status, &error);
        check_error(&error, result_of_status(status), is_tried_again(status) ? 2 : 1, status, 0,
                    -1);
        assert_int_equal(fake_now() - began, is_tried_again(status) ? 10 + 500 + 10 : 10);
        snprintf(name, sizeof name, "HTTP %d", (int)status);
        check_says(&error, name);
    }
}

static void test_each_failure(void **state) {
    static const struct {
        reply_result failure;
        int32_t curl_code;
        bool is_tried_again;
    } rows[] = {
        {REPLY_ERROR_NETWORK, 6, true},
        {REPLY_ERROR_NETWORK, 7, true},
        {REPLY_ERROR_NETWORK, 56, true},
        {REPLY_ERROR_NETWORK, 0, true},
        {REPLY_ERROR_TIMEOUT, 28, true},
        {REPLY_ERROR_TLS, 60, false},
        {REPLY_ERROR_RESPONSE_TOO_LARGE, 0, false},
        {REPLY_ERROR_NO_MEMORY, 27, false},
    };
    set_retries(*state, 1);
    FAKE_RANDOM(LARGEST_RANDOM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const int64_t began = fake_now();
        const struct fake_answer answer = {.takes_ms = 10,
                                           .failure = rows[i].failure,
                                           .curl_code = rows[i].curl_code,
                                           .failure_text = "in the fake"};
        fake_script((int64_t)i + 1, &answer, 1);
        get(*state, (int64_t)i + 1, &error);
        check_error(&error, rows[i].failure, rows[i].is_tried_again ? 2 : 1, 0, rows[i].curl_code,
                    -1);
        assert_int_equal(fake_now() - began, rows[i].is_tried_again ? 520 : 10);
        if (rows[i].failure != REPLY_ERROR_NO_MEMORY) {
            check_says(&error, "in the fake");
        }
    }
}

static void test_bad_200_is_not_tried_again(void **state) {
    static const char *const bodies[] = {"", "{}", "[]", "<html>", "{\"contactId\":7", "null"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        reply_error error;
        const struct fake_answer answer = {.takes_ms = 5, .body = bodies[i]};
        fake_script((int64_t)i + 1, &answer, 1);
        get(*state, (int64_t)i + 1, &error);
        check_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    }
    assert_int_equal(fake_now(), 5 * 6);
}

static void test_last_attempt_gives_the_error(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.http_status = 503, .request_id = "first", .body = "{\"code\":\"first\"}"},
                {.failure = REPLY_ERROR_NETWORK, .curl_code = 7},
                {.http_status = 404, .request_id = "third", .body = "{\"code\":\"third\"}"});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_NOT_FOUND, 3, 404, 0, -1);
    assert_string_equal(error.problem_code, "third");
    assert_string_equal(error.request_id, "third");
    FAKE_SCRIPT(8,
                {.http_status = 503,
                 .request_id = "first",
                 .body = "{\"code\":\"first\"}",
                 .retry_after = "2"},
                {.failure = REPLY_ERROR_TLS, .curl_code = 60});
    get(*state, 8, &error);
    check_error(&error, REPLY_ERROR_TLS, 2, 0, 60, -1);
    assert_string_equal(error.problem_code, "");
    assert_string_equal(error.request_id, "");
}

/* ---- How often and when ---- */

static void test_max_retries(void **state) {
    static const int64_t longest_waits[] = {500,  1000, 2000, 4000, 8000,
                                            8000, 8000, 8000, 8000, 8000};
    (void)state;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503});
    for (int32_t retries = 0; retries <= 10; retries++) {
        reply_error error;
        reply_client *client = fake_create_client();
        int64_t at = fake_now();
        fake_forget_events();
        set_retries(client, retries);
        get(client, 7, &error);
        check_error(&error, REPLY_ERROR_SERVER, retries + 1, 503, 0, -1);
        assert_int_equal(fake_count(FAKE_START), retries + 1);
        for (int32_t i = 0; i < retries; i++) {
            assert_int_equal(fake_start_ms((size_t)i), at);
            at += 100 + longest_waits[i];
        }
        assert_int_equal(fake_start_ms((size_t)retries), at);
        assert_int_equal(fake_now(), at + 100);
        reply_client_destroy(client);
    }
}

static void test_three_retries_by_default(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 500});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_SERVER, 4, 500, 0, -1);
    CHECK_STARTS(0, 600, 1700, 3800);
}

/* The jitter takes all of its range, evenly, both ends included. */
static void test_jitter(void **state) {
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
        {LARGEST_RANDOM, {500, 1000, 2000, 4000, 8000, 8000}},
    };
    (void)state;
    FAKE_SCRIPT(7, {.http_status = 502});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        reply_client *client = fake_create_client();
        fake_script_random(&rows[i].random, 1);
        fake_forget_events();
        set_retries(client, 6);
        int64_t at = fake_now();
        get(client, 7, &error);
        for (size_t n = 0; n < 6; n++) {
            assert_int_equal(fake_start_ms(n), at);
            at += rows[i].waits[n];
        }
        assert_int_equal(fake_start_ms(6), at);
        reply_client_destroy(client);
    }
}

/* ---- The deadline ---- */

/* A wait that is as long as what is left does not fit: the attempt's own error comes back at once.
 */
static void test_wait_that_does_not_fit(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503, .request_id = "own"});
    set_timeout(*state, 600);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_SERVER, 1, 503, 0, -1);
    assert_string_equal(error.request_id, "own");
    assert_int_equal(fake_now(), 100);
    CHECK_STARTS(0);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n");
}

static void test_wait_that_just_fits(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503}, {.takes_ms = 1});
    set_timeout(*state, 601);
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    CHECK_STARTS(0, 600);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 601);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 1);
    assert_int_equal(fake_now(), 601);
}

static void test_retry_after_that_does_not_fit(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503, .retry_after = "5"});
    FAKE_SCRIPT(8, {.takes_ms = 99, .http_status = 503, .retry_after = "5"}, {.takes_ms = 0});
    set_timeout(*state, 5100);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_SERVER, 1, 503, 0, 5000);
    assert_int_equal(fake_now(), 100);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 100, 100 + 99 + 5000);
    assert_int_equal(fake_nth(FAKE_START, 2).timeout_ms, 1);
}

static void test_attempts_are_cut_to_what_is_left(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 400, .http_status = 503}, {.takes_ms = FAKE_HANGS});
    assert_int_equal(reply_client_set_attempt_timeout_ms(*state, 1000, NULL), REPLY_OK);
    set_timeout(*state, 1500);
    get(*state, 7, &error);
    CHECK_STARTS(0, 900);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 1000);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 600);
    check_error(&error, REPLY_ERROR_TIMEOUT, 2, 0, 28, -1);
    assert_int_equal(fake_now(), 1500);
}

/* Time that runs out during an attempt is TIMEOUT, and there is no retry past the deadline, not
 * even one without a wait. */
static void test_time_runs_out_during_an_attempt(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.takes_ms = FAKE_HANGS});
    set_timeout(*state, 2500);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_TIMEOUT, 1, 0, 28, -1);
    check_says(&error, "contact 7 in sequence 100");
    assert_int_equal(fake_now(), 2500);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 2500);
    assert_string_equal(
        fake_log_text(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_TIMEOUT in 2500 ms\n");
}

static void test_attempt_timeout_is_tried_again(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = FAKE_HANGS}, {.takes_ms = 50});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    CHECK_STARTS(0, DEFAULT_ATTEMPT_TIMEOUT_MS + 500);
    assert_string_equal(
        fake_log_text(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_TIMEOUT in 30000 ms\n"
        "wait 500 ms: REPLY_ERROR_TIMEOUT, retry 1 of 3\n"
        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 50 ms\n");
}

static void test_default_deadline(void **state) {
    reply_error error;
    FAKE_RANDOM(0x80000000);
    FAKE_SCRIPT(7, {.takes_ms = FAKE_HANGS});
    set_retries(*state, 10);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_TIMEOUT, 4, 0, 28, -1);
    CHECK_STARTS(0, 30250, 60750, 91750);
    assert_int_equal(fake_nth(FAKE_START, 3).timeout_ms, 120000 - 91750);
    assert_int_equal(fake_now(), 120000);
}

static void test_timeout_0_is_none(void **state) {
    reply_error error;
    FAKE_RANDOM(0);
    FAKE_SCRIPT(7, {.takes_ms = FAKE_HANGS});
    set_retries(*state, 10);
    set_timeout(*state, 0);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_TIMEOUT, 11, 0, 28, -1);
    assert_int_equal(fake_now(), 11 * DEFAULT_ATTEMPT_TIMEOUT_MS);
    assert_int_equal(fake_nth(FAKE_START, 10).timeout_ms, DEFAULT_ATTEMPT_TIMEOUT_MS);
}

/* ---- Retry-After on what is no rate limit ---- */

static void test_retry_after_replaces_the_jitter_once(void **state) {
    static const int32_t statuses[] = {408, 500, 502, 503, 504};
    FAKE_RANDOM(LARGEST_RANDOM);
    for (int64_t i = 0; i < 5; i++) {
        reply_error error;
        const struct fake_answer answers[] = {
            {.takes_ms = 100, .http_status = statuses[i], .retry_after = "7"},
            {.takes_ms = 100, .http_status = statuses[i]},
            {.takes_ms = 100}};
        const int64_t began = fake_now();
        fake_forget_events();
        fake_script(i + 1, answers, 3);
        assert_int_equal(get(*state, i + 1, &error), REPLY_OK);
        assert_int_equal(error.attempts, 3);
        CHECK_STARTS(began, began + 7100, began + 7100 + 100 + 1000);
    }
}

static void test_retry_after_uses_up_a_retry(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503, .retry_after = "7"});
    set_retries(*state, 2);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_SERVER, 3, 503, 0, 7000);
    CHECK_STARTS(0, 7100, 14200);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 7000 ms: HTTP 503, retry 1 of 2\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 7000 ms: HTTP 503, retry 2 of 2\n"
                        "attempt 3 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n");
}

static void test_retry_after_makes_no_other_status_pass(void **state) {
    static const int32_t statuses[] = {400, 401, 403, 404, 301, 501, 505};
    for (int64_t i = 0; i < 7; i++) {
        reply_error error;
        const struct fake_answer answer = {.http_status = statuses[i], .retry_after = "7"};
        fake_script(i + 1, &answer, 1);
        get(*state, i + 1, &error);
        check_error(&error, result_of_status(statuses[i]), 1, statuses[i], 0, 7000);
    }
    assert_int_equal(fake_now(), 0);
}

static void get_nine(void *client) {
    reply_error error;
    assert_int_equal(get(client, 9, &error), REPLY_OK);
}

static void test_only_429_closes_the_gate(void **state) {
    static const int32_t statuses[] = {408, 500, 503};
    for (int64_t i = 0; i < 3; i++) {
        reply_error error;
        const struct fake_answer answers[] = {
            {.takes_ms = 100, .http_status = statuses[i], .retry_after = "7"}, {.takes_ms = 100}};
        const int64_t began = fake_now();
        fake_forget_events();
        fake_script(i + 1, answers, 2);
        fake_at(began + 3000, get_nine, *state);
        assert_int_equal(get(*state, i + 1, &error), REPLY_OK);
        CHECK_STARTS(began, began + 3000, began + 7100);
    }
}

/* ---- Retry-After's forms ---- */

/* The host's clock begins at 22:13:20 and shows 22:13:25 when the answers come. */
static void test_retry_after_forms(void **state) {
    static const struct {
        const char *retry_after, *date;
        int64_t wait_ms;
    } rows[] = {
        {"1", NULL, 1000},
        {"007", NULL, 7000},
        {"86400", NULL, ONE_DAY_MS},
        {"86401", NULL, ONE_DAY_MS},
        {"99999999999999999999999999999999999999999999999999", NULL, ONE_DAY_MS},
        {"Tue, 14 Nov 2023 22:13:55 GMT", NULL, 30000},
        {"Tue, 14 Nov 2023 22:13:55 GMT", "Tue, 14 Nov 2023 22:13:45 GMT", 10000},
        {"Tue, 14 Nov 2023 22:13:55 GMT", "garbage", 30000},
        {"Tue, 14 Nov 2023 22:13:22 GMT", "Tue, 14 Nov 2023 22:13:21 GMT", 1000},
        {"Sat, 18 Nov 2023 22:13:55 GMT", NULL, ONE_DAY_MS},
        {"7", "Tue, 14 Nov 2023 22:13:45 GMT", 7000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct fake_answer answers[] = {{.takes_ms = 5000,
                                               .http_status = 503,
                                               .retry_after = rows[i].retry_after,
                                               .date = rows[i].date},
                                              {.takes_ms = 0}};
        fake_teardown(state);
        fake_setup(state);
        set_timeout(*state, 0);
        fake_script(7, answers, 2);
        assert_int_equal(get(*state, 7, &error), REPLY_OK);
        CHECK_STARTS(0, 5000 + rows[i].wait_ms);
    }
}

static const struct {
    const char *retry_after, *date;
} unusable[] = {
    {NULL, NULL},
    {"0", NULL},
    {"000", NULL},
    {"-1", NULL},
    {"+1", NULL},
    {"7.5", NULL},
    {"7s", NULL},
    {"7, 8", NULL},
    {"0x10", NULL},
    {"1e3", NULL},
    {"soon", NULL},
    {"2030-01-01", NULL},
    {"Tue, 14 Nov 2023 22:13:19 GMT", NULL},
    {"Tue, 14 Nov 2023 22:13:20 GMT", NULL},
    {"Tue, 14 Nov 2023 22:14:00 GMT", "Tue, 14 Nov 2023 22:14:00 GMT"},
    {"Tuesday, 14-Nov-23 22:14:00 GMT", NULL},
    {"Tue Nov 14 22:14:00 2023", NULL},
    {"Tue, 14 Nov 2023 22:14:00 UTC", NULL},
    {"14 Nov 2023 22:14:00 GMT", NULL},
};

/* A 429 without a time is tried again as a 503 is, uses up retries and closes no gate. */
static void test_429_without_a_usable_time(void **state) {
    FAKE_RANDOM(LARGEST_RANDOM);
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        reply_error error;
        const struct fake_answer answer = {.http_status = 429,
                                           .retry_after = unusable[i].retry_after,
                                           .date = unusable[i].date,
                                           .takes_ms = 0};
        fake_teardown(state);
        fake_setup(state);
        FAKE_RANDOM(LARGEST_RANDOM);
        set_retries(*state, 2);
        fake_script(7, &answer, 1);
        get(*state, 7, &error);
        check_error(&error, REPLY_ERROR_RATE_LIMITED, 3, 429, 0, -1);
        assert_int_equal(get(*state, 9, &error), REPLY_OK);
        CHECK_STARTS(0, 500, 1500, 1500);
    }
}

static void test_503_without_a_usable_time(void **state) {
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        reply_error error;
        const struct fake_answer answer = {
            .http_status = 503, .retry_after = unusable[i].retry_after, .date = unusable[i].date};
        fake_teardown(state);
        fake_setup(state);
        FAKE_RANDOM(LARGEST_RANDOM);
        set_retries(*state, 1);
        fake_script(7, &answer, 1);
        get(*state, 7, &error);
        check_error(&error, REPLY_ERROR_SERVER, 2, 503, 0, -1);
        CHECK_STARTS(0, 500);
    }
}

static void test_a_day_is_waited(void **state) {
    reply_error error;
    set_timeout(*state, 0);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "100000"},
                {.takes_ms = 100});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    CHECK_STARTS(0, ONE_DAY_MS + 100);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 86400000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* ---- The rate limit's gate ---- */

static void test_429_is_sent_again_at_the_gate(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "7"}, {.takes_ms = 50});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    CHECK_STARTS(0, 7100);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 7000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 50 ms\n");
}

/* However often it is held back, the retries are still there for what comes after, and the jitter
 * begins anew with them. */
static void test_429_uses_up_no_retry(void **state) {
    reply_error error;
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(7, {.http_status = 429, .retry_after = "1"},
                {.http_status = 429, .retry_after = "2"}, {.http_status = 429, .retry_after = "3"},
                {.http_status = 503}, {.http_status = 429, .retry_after = "4"},
                {.http_status = 503});
    set_retries(*state, 1);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_SERVER, 6, 503, 0, -1);
    CHECK_STARTS(0, 1000, 3000, 6000, 6500, 10500);
}

static void test_429_with_no_retries_is_returned_and_closes_the_gate(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "60", .request_id = "r"});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 60000);
    assert_string_equal(error.request_id, "r");
    assert_int_equal(fake_now(), 100);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 60100);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 60000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/8: 200 in 100 ms\n");
}

/* The gate is a client's own. */
static void test_the_gate_holds_no_other_client(void **state) {
    reply_error error;
    reply_client *other = fake_create_client();
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "60"});
    get(*state, 7, &error);
    assert_int_equal(get(other, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 100);
    reply_client_destroy(other);
}

/* A call that would wait until its deadline or beyond does not wait: it says at once how long it
 * would be. */
static void test_gate_beyond_the_deadline(void **state) {
    reply_error error;
    set_retries(*state, 0);
    set_timeout(*state, 5000);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "7"});
    FAKE_SCRIPT(8, {.takes_ms = 1});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 7000);
    get(*state, 8, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 7000);
    check_says(&error, "7000 ms");
    check_says(&error, "contact 8 in sequence 100");
    fake_pass(2000);
    get(*state, 8, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 5000);
    assert_int_equal(fake_now(), 2100);
    CHECK_STARTS(0);
    fake_pass(1);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 7100);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 1);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 4999 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/8: 200 in 1 ms\n");
}

static void test_own_429_beyond_the_deadline(void **state) {
    reply_error error;
    set_timeout(*state, 7100);
    FAKE_SCRIPT(
        7, {.takes_ms = 100, .http_status = 429, .retry_after = "7", .body = "{\"errorCode\":42}"});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 7000);
    assert_string_equal(error.problem_code, "42");
    assert_int_equal(fake_now(), 100);
    CHECK_STARTS(0);
}

static void test_own_429_that_just_fits(void **state) {
    reply_error error;
    set_timeout(*state, 7101);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "7"}, {.takes_ms = 1});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    CHECK_STARTS(0, 7100);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 1);
}

/* A gate that has opened holds nothing. */
static void test_the_gate_opens(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.http_status = 429, .retry_after = "7"});
    get(*state, 7, &error);
    fake_pass(7000);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 7000);
    assert_null(strstr(fake_log_text(), "wait"));
}

static void get_seven_limited(void *client) {
    reply_error error;
    get(client, 7, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 2000);
}

/* A later 429 with an earlier time moves nothing, and is told the time that counts. */
static void test_the_gate_only_moves_later(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(6, {.takes_ms = 1000, .http_status = 429, .retry_after = "1"});
    FAKE_SCRIPT(7, {.takes_ms = 500, .http_status = 429, .retry_after = "2"});
    fake_at(0, get_seven_limited, *state);
    get(*state, 6, &error);
    check_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 1500);
    assert_int_equal(fake_now(), 1000);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    CHECK_STARTS(0, 0, 2500);
}

/* ---- Several threads ---- */

struct caller {
    reply_client *client;
    int64_t contact_id;
    reply_result result;
    reply_error error;
    int64_t ended_ms;
};

static void call_as(void *context) {
    struct caller *caller = context;
    reply_sequence_contact *contact = NULL;
    caller->result = reply_get_sequence_contact(caller->client, SEQUENCE, caller->contact_id,
                                                &contact, &caller->error);
    caller->ended_ms = fake_now();
    reply_sequence_contact_free(contact);
}

/* When the nth attempt for a contact began, counted from 0. */
static int64_t start_of(int64_t contact_id, size_t nth) {
    size_t count = 0;
    const struct fake_event *events = fake_events(&count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == FAKE_START && events[i].contact_id == contact_id && nth-- == 0) {
            return events[i].time_ms;
        }
    }
    fail_msg("contact %d was not sent so often", (int)contact_id);
    return -1;
}

/* One thread's 429 holds the others: the retry that was to come before, and what has not been sent.
 * What is in flight goes on. */
static void test_the_gate_holds_all_threads(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2},
                               {.client = *state, .contact_id = 3}};
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "10"}, {.takes_ms = 5});
    FAKE_SCRIPT(2, {.takes_ms = 50, .http_status = 503}, {.takes_ms = 6});
    FAKE_SCRIPT(3, {.takes_ms = 5000});
    fake_run_in_threads(call_as, callers, sizeof callers[0], 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].result, REPLY_OK);
    }
    assert_int_equal(start_of(1, 0), 0);
    assert_int_equal(start_of(2, 0), 0);
    assert_int_equal(start_of(1, 1), 10100);
    assert_int_equal(start_of(2, 1), 10100);
    assert_int_equal(callers[2].ended_ms, 5000);
    assert_int_equal(fake_count(FAKE_START), 5);
    assert_int_equal(fake_sessions_opened(), 3);
}

/* An interrupt ends all calls that are in progress, whatever they do: a transfer, a retry's wait,
 * the rate limit's wait. */
static void test_interrupt_ends_all_threads(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2},
                               {.client = *state, .contact_id = 3}};
    FAKE_RANDOM(LARGEST_RANDOM);
    FAKE_SCRIPT(1, {.takes_ms = 20000});
    FAKE_SCRIPT(2, {.takes_ms = 50, .http_status = 503, .retry_after = "60"});
    FAKE_SCRIPT(3, {.takes_ms = 70, .http_status = 429, .retry_after = "90"});
    fake_interrupt_at(1234, *state);
    fake_run_in_threads(call_as, callers, sizeof callers[0], 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].result, REPLY_ERROR_CANCELLED);
        assert_int_equal(callers[i].error.attempts, 1);
        assert_int_equal(callers[i].ended_ms, 1234);
    }
    assert_int_equal(fake_count(FAKE_START), 3);
    assert_int_equal(fake_count(FAKE_CANCEL), 1);
}

/* ---- The interrupt ---- */

static void check_cancelled(const reply_error *error, int32_t attempts) {
    check_error(error, REPLY_ERROR_CANCELLED, attempts, 0, 0, -1);
    check_says(error, "reply_client_interrupt");
}

static void test_interrupt_in_a_transfer(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.takes_ms = 20000}, {.takes_ms = 10});
    fake_interrupt_at(250, *state);
    get(*state, 7, &error);
    check_cancelled(&error, 1);
    assert_int_equal(fake_now(), 250);
    assert_int_equal(fake_count(FAKE_CANCEL), 1);
    assert_string_equal(
        fake_log_text(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_CANCELLED in 250 ms\n");
    /* The next call is another one. */
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(fake_now(), 260);
}

static void test_interrupt_in_a_wait(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503, .retry_after = "60"});
    fake_interrupt_at(30000, *state);
    get(*state, 7, &error);
    check_cancelled(&error, 1);
    assert_int_equal(fake_now(), 30000);
    CHECK_STARTS(0);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 60000 ms: HTTP 503, retry 1 of 3\n");
}

static void test_interrupt_at_the_gate(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 429, .retry_after = "60"});
    get(*state, 7, &error);
    fake_interrupt_at(30000, *state);
    get(*state, 8, &error);
    check_cancelled(&error, 0);
    assert_int_equal(fake_now(), 30000);
    CHECK_STARTS(0);
}

/* The count is compared with what it was when the call began. */
static void test_interrupt_before_a_call_has_no_effect(void **state) {
    reply_error error;
    reply_client_interrupt(*state);
    reply_client_interrupt(*state);
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    reply_client_interrupt(*state);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
}

/* An interrupt that comes together with the end of a call leaves nothing that would end the next
 * one. */
static void test_interrupt_at_the_end_of_a_call(void **state) {
    reply_error error;
    fake_interrupt_at(100, *state);
    const reply_result result = get(*state, 7, &error);
    assert_true(result == REPLY_OK || result == REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_now(), 100);
    assert_int_equal(get(*state, 8, &error), REPLY_OK);
    assert_int_equal(fake_now(), 200);
}

static void test_interrupt_ends_a_call_between_two_attempts(void **state) {
    reply_error error;
    FAKE_RANDOM(0);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503});
    fake_interrupt_at(100, *state);
    get(*state, 7, &error);
    check_cancelled(&error, 1);
    CHECK_STARTS(0);
}

static void test_interrupt_leaves_other_clients_alone(void **state) {
    reply_error error;
    reply_client *other = fake_create_client();
    fake_interrupt_at(50, other);
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    reply_client_destroy(other);
}

/* ---- The log ---- */

static void test_log_of_failures_and_waits(void **state) {
    reply_error error;
    FAKE_RANDOM(0x80000000);
    FAKE_SCRIPT(9007199254740993, {.takes_ms = 87, .http_status = 503},
                {.takes_ms = 3, .failure = REPLY_ERROR_NETWORK, .curl_code = 7},
                {.takes_ms = 12, .http_status = 429}, {.takes_ms = 5, .http_status = 404});
    get(*state, 9007199254740993, &error);
    assert_string_equal(
        fake_log_text(),
        "attempt 1 GET /v4/sequences/100/contacts/9007199254740993: 503 in 87 ms\n"
        "wait 250 ms: HTTP 503, retry 1 of 3\n"
        "attempt 2 GET /v4/sequences/100/contacts/9007199254740993: REPLY_ERROR_NETWORK in 3 ms\n"
        "wait 500 ms: REPLY_ERROR_NETWORK, retry 2 of 3\n"
        "attempt 3 GET /v4/sequences/100/contacts/9007199254740993: 429 in 12 ms\n"
        "wait 1000 ms: HTTP 429, retry 3 of 3\n"
        "attempt 4 GET /v4/sequences/100/contacts/9007199254740993: 404 in 5 ms\n");
    check_error(&error, REPLY_ERROR_NOT_FOUND, 4, 404, 0, -1);
}

static void test_log_shows_the_path_of_the_base_url(void **state) {
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
        assert_int_equal(get(*state, 7, &error), REPLY_OK);
        assert_string_equal(fake_log_text(), rows[i].line);
    }
}

static void test_no_log(void **state) {
    reply_error error;
    assert_int_equal(reply_client_set_log(*state, NULL, NULL, NULL), REPLY_OK);
    FAKE_SCRIPT(7, {.http_status = 503}, {.http_status = 429, .retry_after = "1"}, {.takes_ms = 1});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    assert_string_equal(fake_log_text(), "");
}

static void interrupt_at_first_line(const char *line, void *client) {
    if (strncmp(line, "attempt 1 ", 10) == 0) {
        reply_client_interrupt(client);
    }
    fake_log(line, NULL);
}

/* The hook gets the client's data, on the thread of the call, and may use the library. */
static void test_log_hook_may_interrupt(void **state) {
    reply_error error;
    assert_int_equal(reply_client_set_log(*state, interrupt_at_first_line, *state, NULL), REPLY_OK);
    FAKE_SCRIPT(7, {.takes_ms = 100, .http_status = 503, .retry_after = "5"});
    get(*state, 7, &error);
    check_cancelled(&error, 1);
    assert_int_equal(fake_now(), 100);
}

/* ---- The contact that was asked for ---- */

#define CONTACT(contact_id, sequence_id)                                                           \
    "{\"contactId\":" contact_id ",\"sequenceId\":" sequence_id                                    \
    ",\"status\":\"Active\",\"currentStep\":1,"                                                    \
    "\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":false,\"email\":\"other@private." \
    "example\"}"

static void test_another_contact_is_refused(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.body = CONTACT("8", "100"), .request_id = "r-8"});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    check_says(&error, "contact 8 in sequence 100");
    check_says(&error, "contact 7 in sequence 100 was asked for");
    assert_string_equal(error.request_id, "r-8");
    assert_null(strstr(error.message, "private"));
}

static void test_another_sequence_is_refused(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.body = CONTACT("7", "-100")});
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    check_says(&error, "contact 7 in sequence -100");
    check_says(&error, "contact 7 in sequence 100 was asked for");
}

/* Ids that doubles cannot tell apart. */
static void test_ids_above_2_to_the_53(void **state) {
    reply_error error;
    FAKE_SCRIPT(9007199254740993, {.body = CONTACT("9007199254740992", "100")});
    get(*state, 9007199254740993, &error);
    check_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    check_says(&error, "contact 9007199254740992 in sequence 100");
    check_says(&error, "contact 9007199254740993 in sequence 100 was asked for");
    assert_int_equal(get(*state, INT64_MAX, &error), REPLY_OK);
}

static void test_what_may_stand_before_a_contact(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.body = "\xEF\xBB\xBF \r\n\t" CONTACT("7", "100")});
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
    FAKE_SCRIPT(8, {.body = "\xEF\xBB\xBF \r\n\t"});
    get(*state, 8, &error);
    check_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
}

/* ---- Arguments ---- */

static void check_refused(reply_client *client, int64_t sequence_id, int64_t contact_id,
                          const char *words) {
    reply_error error;
    reply_sequence_contact *contact = (reply_sequence_contact *)&error;
    assert_int_equal(reply_get_sequence_contact(client, sequence_id, contact_id, &contact, &error),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(contact);
    check_error(&error, REPLY_ERROR_INVALID_ARGUMENT, 0, 0, 0, -1);
    check_says(&error, words);
}

static void test_bad_arguments(void **state) {
    reply_error error;
    check_refused(NULL, 1, 1, "client is NULL");
    check_refused(*state, 0, 1, "sequence_id 0");
    check_refused(*state, -5, 1, "sequence_id -5");
    check_refused(*state, INT64_MIN, 1, "sequence_id -9223372036854775808");
    check_refused(*state, 1, 0, "contact_id 0");
    check_refused(*state, 1, INT64_MIN, "contact_id -9223372036854775808");
    assert_int_equal(reply_get_sequence_contact(*state, 1, 1, NULL, &error),
                     REPLY_ERROR_INVALID_ARGUMENT);
    check_error(&error, REPLY_ERROR_INVALID_ARGUMENT, 0, 0, 0, -1);
    check_says(&error, "contact is NULL");
    assert_int_equal(fake_count(FAKE_START), 0);
}

static void test_no_memory_for_a_session(void **state) {
    reply_error error;
    fake_fail_opens(1);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_NO_MEMORY, 0, 0, 0, -1);
    assert_int_equal(get(*state, 7, &error), REPLY_OK);
}

/* ---- Responses to errors, as files ---- */

enum { MOST_WORDS = 8 };

/* A response, and what its error is to be. The texts stand in the file's text. */
struct response_case {
    struct fake_answer answer;
    const char *result, *problem_code, *request_id;
    long retry_after_ms;
    const char *says[MOST_WORDS], *lacks[MOST_WORDS];
    size_t says_count, lacks_count;
};

static char *read_file(const char *folder, const char *name) {
    char path[512];
    char *text = calloc(1, 65536);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static void take_field(struct response_case *response, const char *name, const char *value) {
    const struct {
        const char *name;
        const char **target;
    } texts[] = {
        {"Content-Type", &response->answer.content_type},
        {"Retry-After", &response->answer.retry_after},
        {"Date", &response->answer.date},
        {"X-Request-Id", &response->answer.request_id},
        {"result", &response->result},
        {"problem_code", &response->problem_code},
        {"request_id", &response->request_id},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].target = value;
            return;
        }
    }
    if (strcmp(name, "status") == 0) {
        response->answer.http_status = (int32_t)strtol(value, NULL, 10);
    } else if (strcmp(name, "retry_after_ms") == 0) {
        response->retry_after_ms = strtol(value, NULL, 10);
    } else if (strcmp(name, "says") == 0 && response->says_count < MOST_WORDS) {
        response->says[response->says_count++] = value;
    } else if (strcmp(name, "lacks") == 0 && response->lacks_count < MOST_WORDS) {
        response->lacks[response->lacks_count++] = value;
    } else {
        fail_msg("unknown field %s", name);
    }
}

/* Lines of "name: value", an empty line, the body. */
static struct response_case parse_case(char *text) {
    struct response_case response = {.problem_code = "", .request_id = "", .retry_after_ms = -1};
    char *line = text;
    while (*line != '\n') {
        char *end = strchr(line, '\n');
        char *colon = strstr(line, ": ");
        assert_non_null(end);
        assert_non_null(colon);
        *end = '\0';
        *colon = '\0';
        take_field(&response, line, colon + 2);
        line = end + 1;
    }
    response.answer.body = line + 1;
    return response;
}

static void check_response(reply_client *client, const char *name,
                           const struct response_case *response) {
    static int64_t contact_id = 1;
    reply_error error;
    contact_id++;
    fake_script(contact_id, &response->answer, 1);
    get(client, contact_id, &error);
    print_message("%s\n", name);
    assert_string_equal(reply_result_name(error.result), response->result);
    assert_int_equal(error.http_status, response->answer.http_status);
    assert_int_equal(error.retry_after_ms, response->retry_after_ms);
    assert_int_equal(error.attempts, 1);
    assert_string_equal(error.problem_code, response->problem_code);
    assert_string_equal(error.request_id, response->request_id);
    for (size_t i = 0; i < response->says_count; i++) {
        check_says(&error, response->says[i]);
    }
    for (size_t i = 0; i < response->lacks_count; i++) {
        assert_null(strstr(error.message, response->lacks[i]));
    }
    assert_null(memmem(&error, sizeof error, FAKE_KEY, strlen(FAKE_KEY)));
    for (const char *at = error.message; *at != '\0'; at++) {
        assert_true((unsigned char)*at >= 0x20 && *at != 0x7F);
    }
}

static int is_case(const struct dirent *entry) {
    return strstr(entry->d_name, ".txt") != NULL;
}

static void test_response_files(void **state) {
    static const char folder[] = FIXTURES "/dispatch/responses";
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case, alphasort);
    assert_true(count >= 15);
    set_retries(*state, 0);
    for (int i = 0; i < count; i++) {
        char *text = read_file(folder, entries[i]->d_name);
        const struct response_case response = parse_case(text);
        check_response(*state, entries[i]->d_name, &response);
        free(text);
        free(entries[i]);
        /* A rate limit of one case holds not the next one. */
        fake_pass(ONE_DAY_MS);
    }
    free(entries);
    assert_null(strstr(fake_log_text(), FAKE_KEY));
}

/* The key is cut out of what libcurl says of a failure, too. */
static void test_failure_text_with_the_key(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.failure = REPLY_ERROR_NETWORK,
                    .curl_code = 7,
                    .failure_text = "no\nway to " FAKE_KEY " at all"});
    set_retries(*state, 0);
    get(*state, 7, &error);
    check_error(&error, REPLY_ERROR_NETWORK, 1, 0, 7, -1);
    check_says(&error, "no way to \xE2\x80\xA6 at all");
    assert_null(strstr(fake_log_text(), "Secret"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_first_attempt_succeeds),
        TEST(test_success_after_failures_leaves_the_error_empty),
        TEST(test_error_may_be_null),
        TEST(test_each_status),
        TEST(test_each_failure),
        TEST(test_bad_200_is_not_tried_again),
        TEST(test_last_attempt_gives_the_error),
        TEST(test_max_retries),
        TEST(test_three_retries_by_default),
        TEST(test_jitter),
        TEST(test_wait_that_does_not_fit),
        TEST(test_wait_that_just_fits),
        TEST(test_retry_after_that_does_not_fit),
        TEST(test_attempts_are_cut_to_what_is_left),
        TEST(test_time_runs_out_during_an_attempt),
        TEST(test_attempt_timeout_is_tried_again),
        TEST(test_default_deadline),
        TEST(test_timeout_0_is_none),
        TEST(test_retry_after_replaces_the_jitter_once),
        TEST(test_retry_after_uses_up_a_retry),
        TEST(test_retry_after_makes_no_other_status_pass),
        TEST(test_only_429_closes_the_gate),
        TEST(test_retry_after_forms),
        TEST(test_429_without_a_usable_time),
        TEST(test_503_without_a_usable_time),
        TEST(test_a_day_is_waited),
        TEST(test_429_is_sent_again_at_the_gate),
        TEST(test_429_uses_up_no_retry),
        TEST(test_429_with_no_retries_is_returned_and_closes_the_gate),
        TEST(test_the_gate_holds_no_other_client),
        TEST(test_gate_beyond_the_deadline),
        TEST(test_own_429_beyond_the_deadline),
        TEST(test_own_429_that_just_fits),
        TEST(test_the_gate_opens),
        TEST(test_the_gate_only_moves_later),
        TEST(test_the_gate_holds_all_threads),
        TEST(test_interrupt_ends_all_threads),
        TEST(test_interrupt_in_a_transfer),
        TEST(test_interrupt_in_a_wait),
        TEST(test_interrupt_at_the_gate),
        TEST(test_interrupt_before_a_call_has_no_effect),
        TEST(test_interrupt_at_the_end_of_a_call),
        TEST(test_interrupt_ends_a_call_between_two_attempts),
        TEST(test_interrupt_leaves_other_clients_alone),
        TEST(test_log_of_failures_and_waits),
        TEST(test_log_shows_the_path_of_the_base_url),
        TEST(test_no_log),
        TEST(test_log_hook_may_interrupt),
        TEST(test_another_contact_is_refused),
        TEST(test_another_sequence_is_refused),
        TEST(test_ids_above_2_to_the_53),
        TEST(test_what_may_stand_before_a_contact),
        TEST(test_bad_arguments),
        TEST(test_no_memory_for_a_session),
        TEST(test_response_files),
        TEST(test_failure_text_with_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
