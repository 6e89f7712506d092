/* test_gate.c - the rate-limit gate and the interrupt on a fake transport, in calls for one contact
 * and for many, in one thread and in several. */
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

enum { ONE_HOUR_MS = 3600000, ONE_DAY_MS = 86400000 };

/* ---- The gate, in calls for one contact ---- */

static void test_429_is_retried_after_gate(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "7"},
                {.duration_ms = 50});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 2);
    EXPECT_STARTS(0, 7100);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 7000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 50 ms\n");
}

static void fetch_contact_9(void *client) {
    reply_error error;
    assert_int_equal(fetch_one(client, 9, &error), REPLY_OK);
}

static void test_only_429_closes_gate(void **state) {
    static const int32_t statuses[] = {408, 500, 503};
    for (int64_t i = 0; i < 3; i++) {
        reply_error error;
        const struct fake_outcome outcomes[] = {
            {.duration_ms = 100, .http_status = statuses[i], .retry_after = "7"},
            {.duration_ms = 100}};
        const int64_t began = fake_now_ms();
        fake_clear_events();
        fake_script(i + 1, outcomes, 2);
        fake_call_at(began + 3000, fetch_contact_9, *state);
        assert_int_equal(fetch_one(*state, i + 1, &error), REPLY_OK);
        EXPECT_STARTS(began, began + 3000, began + 7100);
    }
}

/* Catches a gate that closes for a time that has already passed. */
static void test_429_without_time_uses_backoff(void **state) {
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
            .http_status = 429, .retry_after = rows[i].retry_after, .date = rows[i].date};
        fake_teardown(state);
        fake_setup(state);
        FAKE_RANDOM(UINT32_MAX);
        set_retries(*state, 2);
        fake_script(7, &outcome, 1);
        fetch_one(*state, 7, &error);
        expect_error(&error, REPLY_ERROR_RATE_LIMITED, 3, 429, 0, -1);
        assert_int_equal(fetch_one(*state, 9, &error), REPLY_OK);
        EXPECT_STARTS(0, 500, 1500, 1500);
    }
}

static void test_gate_closes_for_at_most_day(void **state) {
    reply_error error;
    set_timeout(*state, 0);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "100000"},
                {.duration_ms = 100});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    EXPECT_STARTS(0, ONE_DAY_MS + 100);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 86400000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* Catches a wait for the gate that counts as a retry or advances the backoff. */
static void test_gate_wait_leaves_retries(void **state) {
    reply_error error;
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(7, {.http_status = 429, .retry_after = "1"},
                {.http_status = 429, .retry_after = "2"}, {.http_status = 429, .retry_after = "3"},
                {.http_status = 503}, {.http_status = 429, .retry_after = "4"},
                {.http_status = 503});
    set_retries(*state, 1);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_SERVER, 6, 503, 0, -1);
    EXPECT_STARTS(0, 1000, 3000, 6000, 6500, 10500);
}

static void test_429_without_retries_closes_gate(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7,
                {.duration_ms = 100, .http_status = 429, .retry_after = "60", .request_id = "r"});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 60000);
    assert_string_equal(error.request_id, "r");
    assert_int_equal(fake_now_ms(), 100);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 60100);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 60000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/8: 200 in 100 ms\n");
}

static void test_gate_belongs_to_one_client(void **state) {
    reply_error error;
    reply_client *other = fake_create_client();
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "60"});
    fetch_one(*state, 7, &error);
    assert_int_equal(fetch_one(other, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 100);
    reply_client_destroy(other);
}

/* Catches a call that waits until its deadline, and an error without the time to wait. */
static void test_gate_beyond_deadline_fails_immediately(void **state) {
    reply_error error;
    set_retries(*state, 0);
    set_timeout(*state, 5000);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "7"});
    FAKE_SCRIPT(8, {.duration_ms = 1});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 7000);
    fetch_one(*state, 8, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 7000);
    expect_words(&error, "7000 ms");
    expect_words(&error, "contact 8 in sequence 100");
    fake_advance_clock(2000);
    fetch_one(*state, 8, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 5000);
    assert_int_equal(fake_now_ms(), 2100);
    EXPECT_STARTS(0);
    fake_advance_clock(1);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 7100);
    assert_int_equal(fake_get_event(FAKE_START, 1).timeout_ms, 1);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 429 in 100 ms\n"
                        "wait 4999 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/8: 200 in 1 ms\n");
}

static void test_429_beyond_deadline_is_returned(void **state) {
    reply_error error;
    set_timeout(*state, 7100);
    FAKE_SCRIPT(
        7,
        {.duration_ms = 100, .http_status = 429, .retry_after = "7", .body = "{\"errorCode\":42}"});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 7000);
    assert_string_equal(error.problem_code, "42");
    assert_int_equal(fake_now_ms(), 100);
    EXPECT_STARTS(0);
}

static void test_429_before_deadline_is_retried(void **state) {
    reply_error error;
    set_timeout(*state, 7101);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "7"},
                {.duration_ms = 1});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    EXPECT_STARTS(0, 7100);
    assert_int_equal(fake_get_event(FAKE_START, 1).timeout_ms, 1);
}

static void test_gate_opens_after_wait(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.http_status = 429, .retry_after = "7"});
    fetch_one(*state, 7, &error);
    fake_advance_clock(7000);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 7000);
    assert_null(strstr(fake_get_log(), "wait"));
}

static void fetch_limited_contact_7(void *client) {
    reply_error error;
    fetch_one(client, 7, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 2000);
}

/* Catches an error with the time of the 429 itself, which the gate exceeds. */
static void test_earlier_429_reports_gate_time(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(6, {.duration_ms = 1000, .http_status = 429, .retry_after = "1"});
    FAKE_SCRIPT(7, {.duration_ms = 500, .http_status = 429, .retry_after = "2"});
    fake_call_at(1, fetch_limited_contact_7, *state);
    fetch_one(*state, 6, &error);
    expect_error(&error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 1501);
    assert_int_equal(fake_now_ms(), 1000);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    EXPECT_STARTS(0, 1, 2501);
}

/* ---- The gate, in calls for many contacts ---- */

/* Catches a request that is sent, or delivered as failed, during the wait. */
static void test_gate_stops_whole_call(void **state) {
    struct call call = make_call(*state, 6);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(3, {.duration_ms = 100, .http_status = 429, .retry_after = "3600"},
                {.duration_ms = 100});
    FAKE_SCRIPT(4, {.duration_ms = 500});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 100, 100, ONE_HOUR_MS + 200, ONE_HOUR_MS + 200, ONE_HOUR_MS + 300);
    expect_delivery(&call, 2, 3, 600, REPLY_OK, 1);
    expect_index(&call, 2, ONE_HOUR_MS + 300, REPLY_OK, 2);
    expect_index(&call, 4, ONE_HOUR_MS + 300, REPLY_OK, 1);
    expect_index(&call, 5, ONE_HOUR_MS + 400, REPLY_OK, 1);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 429 in 100 ms\n"
                        "wait 3600000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/4: 200 in 500 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/3: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/5: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/6: 200 in 100 ms\n");
}

static void test_earlier_429_keeps_gate_time(void **state) {
    struct call call = make_call(*state, 4);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 200, .http_status = 429, .retry_after = "3"},
                {.duration_ms = 10});
    FAKE_SCRIPT(3, {.duration_ms = 300});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 10100, 10100, 10100);
    expect_delivery(&call, 0, 2, 300, REPLY_OK, 1);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 429 in 100 ms\n"
                        "wait 10000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 429 in 200 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 200 in 300 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 10 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/2: 200 in 10 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/4: 200 in 100 ms\n");
}

static void test_later_429_extends_gate(void **state) {
    struct call call = make_call(*state, 2);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 200, .http_status = 429, .retry_after = "20"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 20200, 20200);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 429 in 100 ms\n"
                        "wait 10000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 429 in 200 ms\n"
                        "wait 20000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 10 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/2: 200 in 10 ms\n");
}

/* Catches a retry that is sent before the gate opens, or that waits after both have passed. */
static void test_longer_of_gate_and_wait_counts(void **state) {
    struct call call = make_call(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503, .retry_after = "5"},
                {.duration_ms = 10});
    FAKE_SCRIPT(3, {.duration_ms = 60, .http_status = 503, .retry_after = "15"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 10100, 10100, 15060);
}

/* Catches a wait for the gate that is logged only if the first slot waits for it. */
static void test_gate_wait_is_logged_once(void **state) {
    struct call call = make_call(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 300});
    FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503, .retry_after = "60"},
                {.duration_ms = 10});
    FAKE_SCRIPT(3, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 10100, 60050);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/2: 503 in 50 ms\n"
                        "wait 60000 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 429 in 100 ms\n"
                        "wait 10000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/1: 200 in 300 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/3: 200 in 10 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/2: 200 in 10 ms\n");
}

/* Catches a call that stops at the first 429 if max_retries is 0. */
static void test_gate_delays_rest_without_retries(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 1);
    set_retries(*state, 0);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "60"});
    fetch_all(&call, REPLY_OK);
    assert_int_equal(expect_delivery(&call, 0, 0, 100, REPLY_ERROR_RATE_LIMITED, 1)->retry_after_ms,
                     60000);
    expect_delivery(&call, 1, 1, 60200, REPLY_OK, 1);
    expect_delivery(&call, 2, 2, 60300, REPLY_OK, 1);
}

static void test_gate_beyond_deadline_ends_call(void **state) {
    struct call call = make_call(*state, 6);
    set_concurrency(*state, 3);
    set_timeout(*state, 10100);
    FAKE_SCRIPT(1, {.duration_ms = 300});
    FAKE_SCRIPT(2, {.duration_ms = 100, .http_status = 429, .retry_after = "10"});
    FAKE_SCRIPT(3, {.duration_ms = 50, .http_status = 503, .retry_after = "5"});
    fetch_all(&call, REPLY_ERROR_RATE_LIMITED);
    EXPECT_STARTS(0, 0, 0);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 0);
    const reply_error *own = expect_delivery(&call, 0, 1, 100, REPLY_ERROR_RATE_LIMITED, 1);
    assert_int_equal(own->http_status, 429);
    assert_int_equal(own->retry_after_ms, 10000);
    expect_delivery(&call, 1, 2, 100, REPLY_ERROR_RATE_LIMITED, 1);
    expect_delivery(&call, 2, 0, 300, REPLY_OK, 1);
    for (size_t i = 3; i < 6; i++) {
        assert_int_equal(
            expect_delivery(&call, i, i, 300, REPLY_ERROR_RATE_LIMITED, 0)->retry_after_ms, 10000);
    }
    assert_int_equal(call.error.retry_after_ms, 10000);
}

static void test_429_of_last_contact_ends_call(void **state) {
    struct call call = make_call(*state, 1);
    set_timeout(*state, 5000);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"});
    fetch_all(&call, REPLY_ERROR_RATE_LIMITED);
    expect_delivery(&call, 0, 0, 100, REPLY_ERROR_RATE_LIMITED, 1);
    /* The gate is still closed for the next call. */
    struct call next = make_call(*state, 3);
    fetch_all(&next, REPLY_ERROR_RATE_LIMITED);
    for (size_t i = 0; i < 3; i++) {
        const reply_error *error = expect_delivery(&next, i, i, 100, REPLY_ERROR_RATE_LIMITED, 0);
        assert_int_equal(error->retry_after_ms, 10000);
        assert_int_equal(error->http_status, 0);
    }
    assert_int_equal(next.error.retry_after_ms, 10000);
    EXPECT_STARTS(0);
}

/* Catches a 429 that delays the end of a failed call, or that is forgotten by the next one. */
static void test_429_after_401_closes_gate(void **state) {
    struct call call = make_call(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 401}, {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 200, .http_status = 429, .retry_after = "60"},
                {.duration_ms = 10});
    fetch_all(&call, REPLY_ERROR_UNAUTHORIZED);
    assert_int_equal(expect_delivery(&call, 2, 1, 200, REPLY_ERROR_RATE_LIMITED, 1)->retry_after_ms,
                     60000);
    assert_int_equal(fake_now_ms(), 200);
    struct call next = make_call(*state, 1);
    fetch_all(&next, REPLY_OK);
    assert_int_equal(fake_get_start_ms(3), 60200);
}

static void close_gate_on_delivery(struct call *call, size_t index) {
    reply_sequence_contact *contact = NULL;
    if (index == 0) {
        call->has_invalid_delivery = reply_get_sequence_contact(call->client, 200, 99, &contact,
                                                                NULL) != REPLY_ERROR_RATE_LIMITED;
    }
}

/* The second contact is sent before the callback is called. */
static void test_429_in_callback_closes_gate(void **state) {
    struct call call = make_call(*state, 3);
    call.on_delivery = close_gate_on_delivery;
    set_concurrency(*state, 1);
    set_retries(*state, 0);
    FAKE_SCRIPT(99, {.duration_ms = 20, .http_status = 429, .retry_after = "30"});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 100, 100, 30120);
}

/* ---- Limits that are read together with other responses ---- */

enum { IN_FLIGHT = 20, CONTACTS = 60, LIMITED = 7 };

/* The attempts of the first contacts end together, or the limited one a little later than the
 * others, while their successors connect. */
static int32_t limit_status;
static int64_t limit_delay_ms, delivery_ms;

static void write_limited_outcome(int64_t contact_id, int64_t time_ms,
                                  struct fake_outcome *outcome) {
    *outcome = (struct fake_outcome){.connect_ms = time_ms > 0 ? 200 : 0, .duration_ms = 100};
    if (contact_id == LIMITED && time_ms == 0) {
        outcome->duration_ms = 100 + limit_delay_ms;
        outcome->http_status = limit_status;
        outcome->retry_after = "60";
    }
}

static void take_time(struct call *call, size_t index) {
    (void)call;
    (void)index;
    fake_advance_clock(delivery_ms);
}

/* Checks that attempts which were recalled are neither counted nor logged. */
static void expect_attempts_as_sent(const struct call *call) {
    int32_t attempts = 0;
    size_t lines = 0;
    for (size_t i = 0; i < call->delivery_count; i++) {
        attempts += call->deliveries[i].error.attempts;
    }
    for (const char *at = fake_get_log(); (at = strstr(at, "attempt ")) != NULL; at++) {
        lines++;
    }
    assert_int_equal(attempts, fake_count_events(FAKE_SEND));
    assert_int_equal(lines, fake_count_events(FAKE_SEND));
}

static void fetch_until_limit(reply_client *client) {
    static struct call call;
    static int64_t ids[CONTACTS];
    for (int64_t i = 0; i < CONTACTS; i++) {
        ids[i] = i + 1;
    }
    call = (struct call){.client = client, .ids = ids, .count = CONTACTS, .on_delivery = take_time};
    set_concurrency(client, IN_FLIGHT);
    fake_script_default(write_limited_outcome);
    fetch_all(&call, limit_status == 401 ? REPLY_ERROR_UNAUTHORIZED : REPLY_OK);
    if (limit_status == 401) {
        fake_expect_silence(401, INT64_MAX);
        assert_int_equal(fake_count_events(FAKE_SEND), IN_FLIGHT);
    } else {
        fake_expect_silence(429, 100 + limit_delay_ms + 60000);
        assert_int_equal(fake_count_events(FAKE_SEND), CONTACTS + 1);
    }
    assert_int_equal(fake_count_events(FAKE_RECALL), limit_delay_ms == 0 ? 0 : IN_FLIGHT - 1);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 0);
    expect_attempts_as_sent(&call);
}

/* Catches a request that is sent after the limit was read: a successor of one that ended together
 * with it, or one that was connecting. */
static void test_limit_stops_sending_immediately(void **state) {
    static const int32_t statuses[] = {429, 401};
    static const int64_t delays_ms[] = {0, 20}, deliveries_ms[] = {0, 5, 30};
    for (int i = 0; i < 2 * 2 * 3; i++) {
        limit_status = statuses[i % 2];
        limit_delay_ms = delays_ms[i / 2 % 2];
        delivery_ms = deliveries_ms[i / 4];
        fake_teardown(state);
        fake_setup(state);
        fetch_until_limit(*state);
    }
}

static void fetch_99_on_first_delivery(struct call *call, size_t index) {
    reply_error error;
    if (index == 0) {
        assert_int_equal(fetch_one(call->client, 99, &error), REPLY_OK);
    }
}

/* Catches a 429 that is read while another outcome is queued, and closes the gate only after the
 * delivery of that outcome. */
static void test_gate_closes_before_queued_delivery(void **state) {
    struct call call = make_call(*state, 2);
    call.on_delivery = fetch_99_on_first_delivery;
    set_concurrency(*state, 1);
    FAKE_SCRIPT(1, {.duration_ms = 100});
    FAKE_SCRIPT(2, {.duration_ms = 0, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 100});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 100, 10100, 10200);
    assert_int_equal(fake_get_event(FAKE_START, 2).contact_id, 99);
}

/* ---- The gate, in several threads ---- */

struct caller {
    reply_client *client;
    int64_t contact_id;
    reply_result result;
    reply_error error;
    int64_t ended_ms;
};

static void fetch_as_caller(void *context) {
    struct caller *caller = context;
    reply_sequence_contact *contact = NULL;
    caller->result = reply_get_sequence_contact(caller->client, SEQUENCE, caller->contact_id,
                                                &contact, &caller->error);
    caller->ended_ms = fake_now_ms();
    reply_sequence_contact_free(contact);
}

/* Returns the time at which the nth attempt of a contact started, counted from 0. */
static int64_t find_start_ms(int64_t contact_id, size_t nth) {
    size_t count = 0;
    const struct fake_event *events = fake_get_events(&count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == FAKE_START && events[i].contact_id == contact_id && nth-- == 0) {
            return events[i].time_ms;
        }
    }
    fail_msg("contact %d has fewer attempts", (int)contact_id);
    return -1;
}

/* Catches a retry of another thread that is sent before the gate opens, and a gate that stops
 * attempts in flight. */
static void test_gate_stops_all_threads(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2},
                               {.client = *state, .contact_id = 3}};
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 5});
    FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503}, {.duration_ms = 6});
    FAKE_SCRIPT(3, {.duration_ms = 5000});
    fake_run_in_threads(fetch_as_caller, callers, sizeof callers[0], 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].result, REPLY_OK);
    }
    assert_int_equal(find_start_ms(1, 0), 0);
    assert_int_equal(find_start_ms(2, 0), 0);
    assert_int_equal(find_start_ms(1, 1), 10100);
    assert_int_equal(find_start_ms(2, 1), 10100);
    assert_int_equal(callers[2].ended_ms, 5000);
    assert_int_equal(fake_count_events(FAKE_START), 5);
    assert_int_equal(fake_count_opened_sessions(), 3);
}

/* Catches a call that is not woken, and sends what it was connecting for when another call's 429
 * closed the gate. */
static void test_gate_recalls_attempt_of_other_call(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2}};
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 5});
    FAKE_SCRIPT(2, {.connect_ms = 1000, .duration_ms = 10});
    fake_run_in_threads(fetch_as_caller, callers, sizeof callers[0], 2);
    assert_int_equal(callers[1].result, REPLY_OK);
    assert_int_equal(callers[1].error.attempts, 1);
    assert_int_equal(callers[1].ended_ms, 10100 + 1000 + 10);
    assert_int_equal(fake_count_events(FAKE_RECALL), 1);
    assert_int_equal(fake_get_event(FAKE_RECALL, 0).contact_id, 2);
    assert_int_equal(fake_get_event(FAKE_RECALL, 0).time_ms, 100);
    assert_int_equal(fake_count_wakes(), 1);
    fake_expect_silence(429, 10100);
}

/* Catches a call that waits for the gate beyond its deadline, because nothing of it was waiting
 * when the gate closed. */
static void test_gate_beyond_deadline_ends_other_call(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2}};
    set_timeout(*state, 5000);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "10"});
    FAKE_SCRIPT(2, {.connect_ms = 1000, .duration_ms = 10});
    fake_run_in_threads(fetch_as_caller, callers, sizeof callers[0], 2);
    expect_error(&callers[0].error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 10000);
    expect_error(&callers[1].error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 10000);
    assert_int_equal(callers[1].ended_ms, 100);
}

static void fetch_in_thread(void *call) {
    fetch_many(call);
}

static size_t count_in_log(const char *words) {
    size_t count = 0;
    for (const char *at = fake_get_log(); (at = strstr(at, words)) != NULL; at++) {
        count++;
    }
    return count;
}

/* The retry of the second call is due at 20,050 ms. The 429 of the first call wakes it, and it
 * notices that the gate is closed until 60,100 ms. */
static void test_each_call_logs_gate_wait(void **state) {
    static struct call calls[2];
    static const int64_t ids[][2] = {{1}, {2, 3}};
    calls[0] = (struct call){.client = *state, .ids = ids[0], .count = 1};
    calls[1] = (struct call){.client = *state, .ids = ids[1], .count = 2};
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "60"},
                {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503, .retry_after = "20"},
                {.duration_ms = 10});
    FAKE_SCRIPT(3, {.duration_ms = 300});
    fake_run_in_threads(fetch_in_thread, calls, sizeof calls[0], 2);
    assert_int_equal(calls[0].result, REPLY_OK);
    assert_int_equal(calls[1].result, REPLY_OK);
    assert_int_equal(fake_get_start_ms(3), 60100);
    assert_int_equal(fake_get_start_ms(4), 60100);
    assert_int_equal(count_in_log("wait 60000 ms: rate limit\n"), 2);
    assert_int_equal(count_in_log("wait 20000 ms: HTTP 503, retry 1 of 3\n"), 1);
    assert_int_equal(count_in_log(" ms: rate limit\n"), 2);
}

/* ---- The interrupt ---- */

static void test_interrupt_cancels_attempt(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.duration_ms = 20000}, {.duration_ms = 10});
    fake_interrupt_at(250, *state);
    fetch_one(*state, 7, &error);
    expect_cancelled(&error, 1);
    assert_int_equal(fake_now_ms(), 250);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 1);
    assert_string_equal(
        fake_get_log(),
        "attempt 1 GET /v4/sequences/100/contacts/7: REPLY_ERROR_CANCELLED in 250 ms\n");
    /* The next call is not affected. */
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(fake_now_ms(), 260);
}

static void test_interrupt_ends_retry_wait(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503, .retry_after = "60"});
    fake_interrupt_at(30000, *state);
    fetch_one(*state, 7, &error);
    expect_cancelled(&error, 1);
    assert_int_equal(fake_now_ms(), 30000);
    EXPECT_STARTS(0);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 503 in 100 ms\n"
                        "wait 60000 ms: HTTP 503, retry 1 of 3\n");
}

static void test_interrupt_ends_gate_wait(void **state) {
    reply_error error;
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 429, .retry_after = "60"});
    fetch_one(*state, 7, &error);
    fake_interrupt_at(30000, *state);
    fetch_one(*state, 8, &error);
    expect_cancelled(&error, 0);
    assert_int_equal(fake_now_ms(), 30000);
    EXPECT_STARTS(0);
}

static void test_interrupt_before_call_is_ignored(void **state) {
    reply_error error;
    reply_client_interrupt(*state);
    reply_client_interrupt(*state);
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    reply_client_interrupt(*state);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
}

/* Catches an interrupt that is kept for the next call because it arrived with the response. */
static void test_interrupt_at_end_spares_next_call(void **state) {
    reply_error error;
    fake_interrupt_at(100, *state);
    const reply_result result = fetch_one(*state, 7, &error);
    assert_true(result == REPLY_OK || result == REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_now_ms(), 100);
    assert_int_equal(fetch_one(*state, 8, &error), REPLY_OK);
    assert_int_equal(fake_now_ms(), 200);
}

static void test_interrupt_prevents_next_attempt(void **state) {
    reply_error error;
    FAKE_RANDOM(0);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503});
    fake_interrupt_at(100, *state);
    fetch_one(*state, 7, &error);
    expect_cancelled(&error, 1);
    EXPECT_STARTS(0);
}

static void test_interrupt_affects_one_client(void **state) {
    reply_error error;
    reply_client *other = fake_create_client();
    fake_interrupt_at(50, other);
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    reply_client_destroy(other);
}

static void interrupt_at_first_attempt(const char *line, void *client) {
    if (strncmp(line, "attempt 1 ", 10) == 0) {
        reply_client_interrupt(client);
    }
    fake_record_line(line, NULL);
}

/* Catches a log function that is called with a lock held or without its user_data. */
static void test_log_function_may_interrupt(void **state) {
    reply_error error;
    assert_int_equal(reply_client_set_log(*state, interrupt_at_first_attempt, *state, NULL),
                     REPLY_OK);
    FAKE_SCRIPT(7, {.duration_ms = 100, .http_status = 503, .retry_after = "5"});
    fetch_one(*state, 7, &error);
    expect_cancelled(&error, 1);
    assert_int_equal(fake_now_ms(), 100);
}

static void test_interrupt_ends_call(void **state) {
    struct call call = make_call(*state, 6);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 5000});
    FAKE_SCRIPT(2, {.duration_ms = 100, .http_status = 503, .retry_after = "60"});
    FAKE_SCRIPT(3, {.duration_ms = 200});
    FAKE_SCRIPT(4, {.duration_ms = 5000});
    fake_interrupt_at(1000, *state);
    fetch_all(&call, REPLY_ERROR_CANCELLED);
    EXPECT_STARTS(0, 0, 0, 200);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 2);
    expect_delivery(&call, 0, 2, 200, REPLY_OK, 1);
    expect_index(&call, 0, 1000, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 1, 1000, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 3, 1000, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 4, 1000, REPLY_ERROR_CANCELLED, 0);
    expect_index(&call, 5, 1000, REPLY_ERROR_CANCELLED, 0);
    expect_words(&call.error, "reply_client_interrupt");
    assert_int_equal(call.error.http_status, 0);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 2);
    /* The session is reused. */
    struct call next = {.client = *state, .ids = ids_1_to_10 + 6, .count = 3};
    fetch_all(&next, REPLY_OK);
    assert_int_equal(fake_now_ms(), 1100);
    assert_int_equal(fake_count_opened_sessions(), 1);
}

/* Returns the contact's first event of a kind, as an index into all events. */
static size_t find_event(enum fake_kind kind, int64_t contact_id) {
    size_t count = 0;
    const struct fake_event *events = fake_get_events(&count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == kind && events[i].contact_id == contact_id) {
            return i;
        }
    }
    fail_msg("no event %d of contact %d", (int)kind, (int)contact_id);
    return 0;
}

/* Catches a connection that the next call uses although nobody knows whether it is alive. */
static void test_interrupt_retires_connections(void **state) {
    struct call call = make_call(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 5000});
    FAKE_SCRIPT(2, {.duration_ms = 100});
    FAKE_SCRIPT(3, {.connect_ms = 5000});
    fake_interrupt_at(1000, *state);
    fetch_all(&call, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 2);
    assert_true(find_event(FAKE_RETIRE, 1) < find_event(FAKE_CANCEL, 1));
    assert_true(find_event(FAKE_RETIRE, 3) < find_event(FAKE_CANCEL, 3));
}

/* Catches a failed call that lets its attempts in flight end in spite of an interrupt. */
static void test_interrupt_after_401_cancels_attempts(void **state) {
    struct call call = make_call(*state, 5);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 401});
    FAKE_SCRIPT(2, {.duration_ms = 5000});
    FAKE_SCRIPT(3, {.duration_ms = 300});
    fake_interrupt_at(400, *state);
    fetch_many(&call);
    expect_each_once(&call);
    expect_delivery(&call, 0, 0, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    expect_delivery(&call, 1, 2, 300, REPLY_OK, 1);
    expect_delivery(&call, 2, 1, 400, REPLY_ERROR_CANCELLED, 1);
    assert_int_equal(call.deliveries[3].time_ms, 400);
    assert_int_equal(call.deliveries[4].time_ms, 400);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 1);
    assert_int_equal(fake_now_ms(), 400);
}

static void test_interrupt_ends_gate_wait_early(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 429, .retry_after = "3600"});
    fake_interrupt_at(1800000, *state);
    fetch_all(&call, REPLY_ERROR_CANCELLED);
    EXPECT_STARTS(0, 0);
    expect_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    expect_index(&call, 0, 1800000, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 2, 1800000, REPLY_ERROR_CANCELLED, 0);
}

/* The calls are in an attempt, in the wait of a retry and in the wait for the gate. */
static void test_interrupt_ends_all_calls(void **state) {
    struct caller callers[] = {{.client = *state, .contact_id = 1},
                               {.client = *state, .contact_id = 2},
                               {.client = *state, .contact_id = 3}};
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.duration_ms = 20000});
    FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503, .retry_after = "60"});
    FAKE_SCRIPT(3, {.duration_ms = 70, .http_status = 429, .retry_after = "90"});
    fake_interrupt_at(1234, *state);
    fake_run_in_threads(fetch_as_caller, callers, sizeof callers[0], 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].result, REPLY_ERROR_CANCELLED);
        assert_int_equal(callers[i].error.attempts, 1);
        assert_int_equal(callers[i].ended_ms, 1234);
    }
    assert_int_equal(fake_count_events(FAKE_START), 3);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 1);
}

static void test_interrupt_ends_all_requests(void **state) {
    static struct call calls[3];
    for (int i = 0; i < 3; i++) {
        calls[i] = make_call(*state, 10);
    }
    fake_interrupt_at(150, *state);
    fake_run_in_threads(fetch_in_thread, calls, sizeof calls[0], 3);
    for (int i = 0; i < 3; i++) {
        expect_each_once(&calls[i]);
        assert_int_equal(calls[i].result, REPLY_ERROR_CANCELLED);
        for (size_t n = 0; n < 10; n++) {
            assert_int_equal(calls[i].deliveries[n].time_ms, n < 4 ? 100 : 150);
            assert_int_equal(calls[i].deliveries[n].error.result,
                             n < 4 ? REPLY_OK : REPLY_ERROR_CANCELLED);
        }
    }
    assert_int_equal(fake_now_ms(), 150);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_429_is_retried_after_gate),
        TEST(test_only_429_closes_gate),
        TEST(test_429_without_time_uses_backoff),
        TEST(test_gate_closes_for_at_most_day),
        TEST(test_gate_wait_leaves_retries),
        TEST(test_429_without_retries_closes_gate),
        TEST(test_gate_belongs_to_one_client),
        TEST(test_gate_beyond_deadline_fails_immediately),
        TEST(test_429_beyond_deadline_is_returned),
        TEST(test_429_before_deadline_is_retried),
        TEST(test_gate_opens_after_wait),
        TEST(test_earlier_429_reports_gate_time),
        TEST(test_gate_stops_whole_call),
        TEST(test_earlier_429_keeps_gate_time),
        TEST(test_later_429_extends_gate),
        TEST(test_longer_of_gate_and_wait_counts),
        TEST(test_gate_wait_is_logged_once),
        TEST(test_gate_delays_rest_without_retries),
        TEST(test_gate_beyond_deadline_ends_call),
        TEST(test_429_of_last_contact_ends_call),
        TEST(test_429_after_401_closes_gate),
        TEST(test_429_in_callback_closes_gate),
        TEST(test_limit_stops_sending_immediately),
        TEST(test_gate_closes_before_queued_delivery),
        TEST(test_gate_stops_all_threads),
        TEST(test_gate_recalls_attempt_of_other_call),
        TEST(test_gate_beyond_deadline_ends_other_call),
        TEST(test_each_call_logs_gate_wait),
        TEST(test_interrupt_cancels_attempt),
        TEST(test_interrupt_ends_retry_wait),
        TEST(test_interrupt_ends_gate_wait),
        TEST(test_interrupt_before_call_is_ignored),
        TEST(test_interrupt_at_end_spares_next_call),
        TEST(test_interrupt_prevents_next_attempt),
        TEST(test_interrupt_affects_one_client),
        TEST(test_log_function_may_interrupt),
        TEST(test_interrupt_ends_call),
        TEST(test_interrupt_retires_connections),
        TEST(test_interrupt_after_401_cancels_attempts),
        TEST(test_interrupt_ends_gate_wait_early),
        TEST(test_interrupt_ends_all_calls),
        TEST(test_interrupt_ends_all_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
