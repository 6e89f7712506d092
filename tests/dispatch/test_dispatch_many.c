/* test_dispatch_many.c - many contacts in one call on a fake transport: each delivered once, what
 * ends the call and what does not, the limit on what is in flight, the callback's freedoms, and
 * memory that does not grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_transport.h"
#include "replyio.h"

enum { SEQUENCE = 100, MOST_DELIVERIES = 300, ONE_HOUR_MS = 3600000 };

/* ---- Helpers ---- */

struct delivery {
    size_t index;
    reply_error error;
    int64_t time_ms;
};

/* A call and what it delivered. */
struct call {
    reply_client *client;
    const int64_t *ids;
    size_t count;
    size_t stop_at; /* the delivery, counted from 1, whose callback returns non-zero; 0: none */
    int stop_value;
    void (*at_delivery)(struct call *call, size_t index); /* NULL: nothing more is done */
    pthread_t thread;
    bool has_strayed; /* a callback came in another thread, or did not fit together */
    struct delivery deliveries[MOST_DELIVERIES];
    size_t delivered;
    reply_result result;
    reply_error error;
};

static bool fits(const struct call *call, size_t index, reply_result result,
                 const reply_sequence_contact *contact, const reply_error *error) {
    if (!pthread_equal(call->thread, pthread_self()) || index >= call->count || error == NULL ||
        error->result != result) {
        return false;
    }
    if (result != REPLY_OK) {
        return contact == NULL && strlen(error->message) > 20;
    }
    return contact != NULL && contact->contact_id == call->ids[index] &&
           contact->sequence_id == SEQUENCE && error->message[0] == '\0' &&
           error->http_status == 0 && error->retry_after_ms == -1;
}

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    struct call *call = user_data;
    call->has_strayed = call->has_strayed || !fits(call, index, result, contact, error) ||
                        call->delivered == MOST_DELIVERIES;
    if (!call->has_strayed) {
        call->deliveries[call->delivered++] = (struct delivery){index, *error, fake_now()};
    }
    reply_sequence_contact_free(contact);
    if (call->at_delivery != NULL) {
        call->at_delivery(call, index);
    }
    return call->delivered == call->stop_at ? call->stop_value : 0;
}

/* Makes the call, without a word on what comes of it. */
static void run(struct call *call) {
    call->thread = pthread_self();
    call->stop_value = call->stop_value == 0 ? 1 : call->stop_value;
    call->result = reply_get_sequence_contacts(call->client, SEQUENCE, call->ids, call->count,
                                               on_contact, call, &call->error);
}

static void check_each_once(const struct call *call) {
    char seen[MOST_DELIVERIES] = {0};
    assert_false(call->has_strayed);
    assert_int_equal(call->delivered, call->count);
    for (size_t i = 0; i < call->delivered; i++) {
        assert_int_equal(seen[call->deliveries[i].index]++, 0);
    }
}

/* Makes the call, and checks its result and that each contact was delivered once. */
static void run_whole(struct call *call, reply_result result) {
    run(call);
    assert_string_equal(reply_result_name(call->result), reply_result_name(result));
    assert_int_equal(call->error.result, result);
    assert_int_equal(call->error.attempts, 0);
    check_each_once(call);
}

/* The nth delivery, counted from 0. */
static const reply_error *check_delivery(const struct call *call, size_t nth, size_t index,
                                         int64_t time_ms, reply_result result, int32_t attempts) {
    assert_true(nth < call->delivered);
    const struct delivery *delivery = &call->deliveries[nth];
    assert_int_equal(delivery->index, index);
    assert_int_equal(delivery->time_ms, time_ms);
    assert_string_equal(reply_result_name(delivery->error.result), reply_result_name(result));
    assert_int_equal(delivery->error.attempts, attempts);
    return &delivery->error;
}

/* The delivery of an index. */
static const struct delivery *delivery_of(const struct call *call, size_t index) {
    for (size_t i = 0; i < call->delivered; i++) {
        if (call->deliveries[i].index == index) {
            return &call->deliveries[i];
        }
    }
    fail_msg("index %zu was not delivered", index);
    return NULL;
}

static void check_index(const struct call *call, size_t index, int64_t time_ms, reply_result result,
                        int32_t attempts) {
    const struct delivery *delivery = delivery_of(call, index);
    assert_string_equal(reply_result_name(delivery->error.result), reply_result_name(result));
    assert_int_equal(delivery->time_ms, time_ms);
    assert_int_equal(delivery->error.attempts, attempts);
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

static void set_concurrency(reply_client *client, int32_t requests) {
    assert_int_equal(reply_client_set_max_concurrency(client, requests, NULL), REPLY_OK);
}

static void set_retries(reply_client *client, int32_t retries) {
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
}

static void set_timeout(reply_client *client, int64_t ms) {
    assert_int_equal(reply_client_set_timeout_ms(client, ms, NULL), REPLY_OK);
}

static void check_says(const reply_error *error, const char *words) {
    if (strstr(error->message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static const int64_t one_to_ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

static struct call call_for(reply_client *client, size_t count) {
    return (struct call){.client = client, .ids = one_to_ten, .count = count};
}

/* ---- Delivery and what is in flight ---- */

static void test_order_of_completion(void **state) {
    struct call call = call_for(*state, 5);
    FAKE_SCRIPT(1, {.takes_ms = 400});
    FAKE_SCRIPT(2, {.takes_ms = 100});
    FAKE_SCRIPT(3, {.takes_ms = 300});
    FAKE_SCRIPT(4, {.takes_ms = 200});
    FAKE_SCRIPT(5, {.takes_ms = 50});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 0, 0, 100);
    check_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    check_delivery(&call, 1, 4, 150, REPLY_OK, 1);
    check_delivery(&call, 2, 3, 200, REPLY_OK, 1);
    check_delivery(&call, 3, 2, 300, REPLY_OK, 1);
    check_delivery(&call, 4, 0, 400, REPLY_OK, 1);
}

static void test_at_most_max_concurrency(void **state) {
    static const struct {
        int32_t concurrency;
        int64_t end_ms;
    } rows[] = {{1, 1000}, {2, 500}, {3, 400}, {4, 300}, {9, 200}, {10, 100}, {100, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = call_for(*state, 10);
        set_concurrency(*state, rows[i].concurrency);
        run_whole(&call, REPLY_OK);
        assert_int_equal(fake_most_in_flight(),
                         rows[i].concurrency < 10 ? rows[i].concurrency : 10);
        assert_int_equal(fake_now(), rows[i].end_ms);
        assert_int_equal(fake_count(FAKE_START), 10);
    }
}

static void test_four_at_once_by_default(void **state) {
    struct call call = call_for(*state, 10);
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 0, 0, 100, 100, 100, 100, 200, 200);
    assert_int_equal(fake_settings()->slot_count, 4);
}

static void test_one_hundred_at_once(void **state) {
    int64_t ids[250];
    for (int i = 0; i < 250; i++) {
        ids[i] = 1000 + i;
    }
    struct call call = {.client = *state, .ids = ids, .count = 250};
    set_concurrency(*state, 100);
    run_whole(&call, REPLY_OK);
    assert_int_equal(fake_most_in_flight(), 100);
    assert_int_equal(fake_now(), 300);
    assert_int_equal(fake_sessions_opened(), 1);
}

/* A contact that waits for its retry keeps its place: the third one begins when the first is had,
 * not before. */
static void test_a_waiting_retry_keeps_its_place(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 2);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 503}, {.takes_ms = 100});
    FAKE_SCRIPT(2, {.takes_ms = 5000});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 600, 700);
    check_delivery(&call, 0, 0, 700, REPLY_OK, 2);
    check_delivery(&call, 1, 2, 800, REPLY_OK, 1);
    check_delivery(&call, 2, 1, 5000, REPLY_OK, 1);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 503 in 100 ms\n"
                        "wait 500 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 200 in 5000 ms\n");
}

static void test_one_contact_alone_in_a_place(void **state) {
    struct call call = call_for(*state, 2);
    set_concurrency(*state, 1);
    FAKE_SCRIPT(1, {.takes_ms = 10, .http_status = 503, .retry_after = "20"}, {.takes_ms = 10});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 20010, 20020);
}

/* Attempts and retries are counted for each contact by itself. */
static void test_retries_are_each_contacts_own(void **state) {
    struct call call = call_for(*state, 4);
    set_concurrency(*state, 1);
    set_retries(*state, 2);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.http_status = 503});
    FAKE_SCRIPT(2, {.http_status = 503});
    FAKE_SCRIPT(3, {.http_status = 503});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 500, 1500, 1500, 2000, 3000, 3000, 3500, 4500, 4500);
    for (size_t i = 0; i < 3; i++) {
        check_index(&call, i, 1500 * ((int64_t)i + 1), REPLY_ERROR_SERVER, 3);
    }
    check_index(&call, 3, 4600, REPLY_OK, 1);
}

static void test_the_same_id_several_times(void **state) {
    static const int64_t ids[] = {7, 7, 8, 7};
    struct call call = {.client = *state, .ids = ids, .count = 4};
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.takes_ms = 10}, {.takes_ms = 20, .http_status = 404}, {.takes_ms = 30});
    FAKE_SCRIPT(8, {.takes_ms = 40});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 0, 0);
    check_delivery(&call, 0, 0, 10, REPLY_OK, 1);
    check_delivery(&call, 1, 1, 20, REPLY_ERROR_NOT_FOUND, 1);
    check_delivery(&call, 2, 3, 30, REPLY_OK, 1);
    check_delivery(&call, 3, 2, 40, REPLY_OK, 1);
}

/* ---- Arguments ---- */

static void test_bad_ids_among_valid_ones(void **state) {
    static const int64_t ids[] = {0, 1, -1, INT64_MIN, 2, 0};
    struct call call = {.client = *state, .ids = ids, .count = 6};
    set_concurrency(*state, 1);
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 100);
    check_index(&call, 1, 100, REPLY_OK, 1);
    check_index(&call, 4, 200, REPLY_OK, 1);
    static const size_t bad[] = {0, 2, 3, 5};
    for (size_t i = 0; i < 4; i++) {
        const reply_error *error = &delivery_of(&call, bad[i])->error;
        assert_int_equal(error->result, REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error->attempts, 0);
        assert_int_equal(error->http_status, 0);
        assert_int_equal(error->retry_after_ms, -1);
    }
    check_says(&delivery_of(&call, 3)->error, "-9223372036854775808");
}

static void test_bad_ids_alone(void **state) {
    int64_t ids[MOST_DELIVERIES] = {0};
    struct call call = {.client = *state, .ids = ids, .count = MOST_DELIVERIES};
    run_whole(&call, REPLY_OK);
    for (size_t i = 0; i < MOST_DELIVERIES; i++) {
        assert_int_equal(call.deliveries[i].error.result, REPLY_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(fake_count(FAKE_START), 0);
    assert_int_equal(fake_now(), 0);
}

static void test_count_0(void **state) {
    struct call call = {.client = *state, .ids = NULL, .count = 0};
    run_whole(&call, REPLY_OK);
    call.ids = one_to_ten;
    run_whole(&call, REPLY_OK);
    assert_int_equal(call.error.http_status, 0);
    assert_string_equal(call.error.message, "");
    assert_string_equal(fake_log_text(), "");
}

static void check_refused(reply_client *client, int64_t sequence_id, const int64_t *ids,
                          reply_contact_fn function, const char *words) {
    struct call call = call_for(client, 3);
    reply_error error;
    assert_int_equal(
        reply_get_sequence_contacts(client, sequence_id, ids, 3, function, &call, &error),
        REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(
        reply_get_sequence_contacts(client, sequence_id, ids, 3, function, &call, NULL),
        REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(error.result, REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(error.attempts, 0);
    assert_non_null(strstr(error.message, words));
    assert_int_equal(call.delivered, 0);
}

static void test_wrong_arguments_deliver_nothing(void **state) {
    check_refused(NULL, SEQUENCE, one_to_ten, on_contact, "client is NULL");
    check_refused(*state, 0, one_to_ten, on_contact, "sequence_id 0");
    check_refused(*state, -1, one_to_ten, on_contact, "sequence_id -1");
    check_refused(*state, SEQUENCE, NULL, on_contact, "contact_ids is NULL");
    check_refused(*state, SEQUENCE, one_to_ten, NULL, "on_contact is NULL");
    assert_int_equal(fake_count(FAKE_START), 0);
}

static int count_deliveries(size_t index, reply_result result, reply_sequence_contact *contact,
                            const reply_error *error, void *user_data) {
    (void)index;
    (void)error;
    assert_int_equal(result, REPLY_OK);
    assert_null(user_data);
    reply_sequence_contact_free(contact);
    return 0;
}

static void test_user_data_and_error_may_be_null(void **state) {
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, one_to_ten, 10, count_deliveries, NULL, NULL),
        REPLY_OK);
    assert_int_equal(fake_count(FAKE_END), 10);
}

/* ---- What touches one contact alone ---- */

static void test_own_failures(void **state) {
    static const struct {
        struct fake_answer answer;
        reply_result result;
        int32_t attempts;
    } rows[] = {
        {{.http_status = 404}, REPLY_ERROR_NOT_FOUND, 1},
        {{.http_status = 403}, REPLY_ERROR_FORBIDDEN, 1},
        {{.http_status = 400}, REPLY_ERROR_BAD_REQUEST, 1},
        {{.http_status = 302}, REPLY_ERROR_HTTP, 1},
        {{.http_status = 501}, REPLY_ERROR_SERVER, 1},
        {{.http_status = 503}, REPLY_ERROR_SERVER, 2},
        {{.http_status = 429}, REPLY_ERROR_RATE_LIMITED, 2},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 7}, REPLY_ERROR_NETWORK, 2},
        {{.failure = REPLY_ERROR_TLS, .curl_code = 60}, REPLY_ERROR_TLS, 1},
        {{.takes_ms = FAKE_HANGS}, REPLY_ERROR_TIMEOUT, 2},
        {{.failure = REPLY_ERROR_RESPONSE_TOO_LARGE}, REPLY_ERROR_RESPONSE_TOO_LARGE, 1},
        {{.failure = REPLY_ERROR_NO_MEMORY}, REPLY_ERROR_NO_MEMORY, 1},
        {{.body = "{}"}, REPLY_ERROR_INVALID_RESPONSE, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = call_for(*state, 6);
        set_concurrency(*state, 2);
        set_retries(*state, 1);
        fake_script(2, &rows[i].answer, 1);
        run_whole(&call, REPLY_OK);
        for (size_t index = 0; index < 6; index++) {
            const reply_error *error = &delivery_of(&call, index)->error;
            assert_int_equal(error->result, index == 1 ? rows[i].result : REPLY_OK);
            assert_int_equal(error->attempts, index == 1 ? rows[i].attempts : 1);
            assert_int_equal(error->http_status, index == 1 ? rows[i].answer.http_status == 0 &&
                                                                      rows[i].answer.body != NULL
                                                                  ? 200
                                                                  : rows[i].answer.http_status
                                                            : 0);
        }
        check_says(&delivery_of(&call, 1)->error, i == 11 ? "memory" : "contact 2 in sequence 100");
        assert_string_equal(call.error.message, "");
    }
}

/* An attempt's own time limit is not the call's. */
static void test_own_timeout_does_not_end_the_call(void **state) {
    struct call call = call_for(*state, 3);
    set_retries(*state, 0);
    set_concurrency(*state, 1);
    set_timeout(*state, 60000);
    FAKE_SCRIPT(1, {.takes_ms = FAKE_HANGS});
    run_whole(&call, REPLY_OK);
    check_delivery(&call, 0, 0, 30000, REPLY_ERROR_TIMEOUT, 1);
    check_delivery(&call, 1, 1, 30100, REPLY_OK, 1);
    check_delivery(&call, 2, 2, 30200, REPLY_OK, 1);
}

/* A retry's wait that does not fit is that contact's own failure. */
static void test_wait_that_does_not_fit_does_not_end_the_call(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 1);
    set_timeout(*state, 5100);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 503, .retry_after = "5"});
    run_whole(&call, REPLY_OK);
    assert_int_equal(check_delivery(&call, 0, 0, 100, REPLY_ERROR_SERVER, 1)->retry_after_ms, 5000);
    check_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    check_delivery(&call, 2, 2, 300, REPLY_OK, 1);
}

/* ---- 401 ---- */

/* What is in flight finishes, without retries; what waits or has not begun is delivered unsent. */
static void test_401_ends_the_call(void **state) {
    struct call call = call_for(*state, 7);
    FAKE_SCRIPT(1, {.takes_ms = 300});
    FAKE_SCRIPT(2, {.takes_ms = 100, .http_status = 401, .request_id = "r401"});
    FAKE_SCRIPT(3, {.takes_ms = 200, .http_status = 503});
    FAKE_SCRIPT(4, {.takes_ms = 50, .http_status = 503, .retry_after = "3"});
    run_whole(&call, REPLY_ERROR_UNAUTHORIZED);
    CHECK_STARTS(0, 0, 0, 0);
    assert_int_equal(fake_count(FAKE_CANCEL), 0);
    const reply_error *own = check_delivery(&call, 0, 1, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    assert_int_equal(own->http_status, 401);
    assert_string_equal(own->request_id, "r401");
    check_delivery(&call, 1, 3, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    check_delivery(&call, 2, 2, 200, REPLY_ERROR_SERVER, 1);
    check_delivery(&call, 3, 0, 300, REPLY_OK, 1);
    for (size_t i = 4; i < 7; i++) {
        check_says(check_delivery(&call, i, i, 300, REPLY_ERROR_UNAUTHORIZED, 0), "api_key");
    }
    check_says(&call.error, "api_key");
    assert_int_equal(call.error.http_status, 401);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/4: 503 in 50 ms\n"
                        "wait 3000 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 401 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 503 in 200 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/1: 200 in 300 ms\n");
}

static void test_401_of_the_last_contact(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 1);
    FAKE_SCRIPT(3, {.takes_ms = 100, .http_status = 401});
    run_whole(&call, REPLY_ERROR_UNAUTHORIZED);
    check_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    check_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    check_delivery(&call, 2, 2, 300, REPLY_ERROR_UNAUTHORIZED, 1);
}

/* A rate limit that comes while a call is on its way out holds nothing of it, and still closes the
 * gate for the next one. */
static void test_429_after_401(void **state) {
    struct call call = call_for(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 401}, {.takes_ms = 10});
    FAKE_SCRIPT(2, {.takes_ms = 200, .http_status = 429, .retry_after = "60"}, {.takes_ms = 10});
    run_whole(&call, REPLY_ERROR_UNAUTHORIZED);
    assert_int_equal(check_delivery(&call, 2, 1, 200, REPLY_ERROR_RATE_LIMITED, 1)->retry_after_ms,
                     60000);
    assert_int_equal(fake_now(), 200);
    struct call next = call_for(*state, 1);
    run_whole(&next, REPLY_OK);
    assert_int_equal(fake_start_ms(3), 60200);
}

/* ---- The rate limit ---- */

/* An hour holds the whole call, which goes on where it stopped. */
static void test_a_rate_limit_of_an_hour(void **state) {
    struct call call = call_for(*state, 6);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(3, {.takes_ms = 100, .http_status = 429, .retry_after = "3600"}, {.takes_ms = 100});
    FAKE_SCRIPT(4, {.takes_ms = 500});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 100, 100, ONE_HOUR_MS + 200, ONE_HOUR_MS + 200, ONE_HOUR_MS + 300);
    check_delivery(&call, 2, 3, 600, REPLY_OK, 1);
    check_index(&call, 2, ONE_HOUR_MS + 300, REPLY_OK, 2);
    check_index(&call, 4, ONE_HOUR_MS + 300, REPLY_OK, 1);
    check_index(&call, 5, ONE_HOUR_MS + 400, REPLY_OK, 1);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 429 in 100 ms\n"
                        "wait 3600000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/4: 200 in 500 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/3: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/5: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/6: 200 in 100 ms\n");
}

static void test_the_gate_only_moves_later(void **state) {
    struct call call = call_for(*state, 4);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "10"}, {.takes_ms = 10});
    FAKE_SCRIPT(2, {.takes_ms = 200, .http_status = 429, .retry_after = "3"}, {.takes_ms = 10});
    FAKE_SCRIPT(3, {.takes_ms = 300});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 0, 10100, 10100, 10100);
    check_delivery(&call, 0, 2, 300, REPLY_OK, 1);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 429 in 100 ms\n"
                        "wait 10000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 429 in 200 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 200 in 300 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 10 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/2: 200 in 10 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/4: 200 in 100 ms\n");
}

static void test_the_gate_moves_later(void **state) {
    struct call call = call_for(*state, 2);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "10"}, {.takes_ms = 10});
    FAKE_SCRIPT(2, {.takes_ms = 200, .http_status = 429, .retry_after = "20"}, {.takes_ms = 10});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 20200, 20200);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/1: 429 in 100 ms\n"
                        "wait 10000 ms: rate limit\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 429 in 200 ms\n"
                        "wait 20000 ms: rate limit\n"
                        "attempt 2 GET /v4/sequences/100/contacts/1: 200 in 10 ms\n"
                        "attempt 2 GET /v4/sequences/100/contacts/2: 200 in 10 ms\n");
}

/* The gate holds a retry that is due before it opens, and not longer than the retry's own wait
 * where that is longer. */
static void test_the_gate_and_a_retrys_wait(void **state) {
    struct call call = call_for(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "10"}, {.takes_ms = 10});
    FAKE_SCRIPT(2, {.takes_ms = 50, .http_status = 503, .retry_after = "5"}, {.takes_ms = 10});
    FAKE_SCRIPT(3, {.takes_ms = 60, .http_status = 503, .retry_after = "15"}, {.takes_ms = 10});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 0, 0, 10100, 10100, 15060);
}

/* With no retries each is told its own 429, and the rest is still held until the gate opens. */
static void test_rate_limit_with_no_retries(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 1);
    set_retries(*state, 0);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "60"});
    run_whole(&call, REPLY_OK);
    assert_int_equal(check_delivery(&call, 0, 0, 100, REPLY_ERROR_RATE_LIMITED, 1)->retry_after_ms,
                     60000);
    check_delivery(&call, 1, 1, 60200, REPLY_OK, 1);
    check_delivery(&call, 2, 2, 60300, REPLY_OK, 1);
}

static void test_rate_limit_beyond_the_deadline(void **state) {
    struct call call = call_for(*state, 6);
    set_concurrency(*state, 3);
    set_timeout(*state, 10100);
    FAKE_SCRIPT(1, {.takes_ms = 300});
    FAKE_SCRIPT(2, {.takes_ms = 100, .http_status = 429, .retry_after = "10"});
    FAKE_SCRIPT(3, {.takes_ms = 50, .http_status = 503, .retry_after = "5"});
    run_whole(&call, REPLY_ERROR_RATE_LIMITED);
    CHECK_STARTS(0, 0, 0);
    assert_int_equal(fake_count(FAKE_CANCEL), 0);
    const reply_error *own = check_delivery(&call, 0, 1, 100, REPLY_ERROR_RATE_LIMITED, 1);
    assert_int_equal(own->http_status, 429);
    assert_int_equal(own->retry_after_ms, 10000);
    check_delivery(&call, 1, 2, 100, REPLY_ERROR_RATE_LIMITED, 1);
    check_delivery(&call, 2, 0, 300, REPLY_OK, 1);
    for (size_t i = 3; i < 6; i++) {
        assert_int_equal(
            check_delivery(&call, i, i, 300, REPLY_ERROR_RATE_LIMITED, 0)->retry_after_ms, 10000);
    }
    assert_int_equal(call.error.retry_after_ms, 10000);
}

static void test_rate_limit_of_the_last_contact(void **state) {
    struct call call = call_for(*state, 1);
    set_timeout(*state, 5000);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "10"});
    run_whole(&call, REPLY_ERROR_RATE_LIMITED);
    check_delivery(&call, 0, 0, 100, REPLY_ERROR_RATE_LIMITED, 1);
    /* The next call finds the gate closed: nothing is sent. */
    struct call next = call_for(*state, 3);
    run_whole(&next, REPLY_ERROR_RATE_LIMITED);
    for (size_t i = 0; i < 3; i++) {
        const reply_error *error = check_delivery(&next, i, i, 100, REPLY_ERROR_RATE_LIMITED, 0);
        assert_int_equal(error->retry_after_ms, 10000);
        assert_int_equal(error->http_status, 0);
    }
    assert_int_equal(next.error.retry_after_ms, 10000);
    CHECK_STARTS(0);
}

/* ---- The deadline ---- */

static void test_no_deadline_by_default(void **state) {
    struct call call = call_for(*state, 5);
    set_concurrency(*state, 1);
    set_retries(*state, 10);
    FAKE_SCRIPT(1, {.takes_ms = FAKE_HANGS});
    run_whole(&call, REPLY_OK);
    check_delivery(&call, 0, 0, 11 * 30000, REPLY_ERROR_TIMEOUT, 11);
    check_delivery(&call, 4, 4, 11 * 30000 + 400, REPLY_OK, 1);
    for (size_t i = 0; i < fake_count(FAKE_START); i++) {
        assert_int_equal(fake_nth(FAKE_START, i).timeout_ms, 30000);
    }
}

/* The deadline cuts what is in flight; what waits or has not begun is delivered unsent. */
static void test_the_deadline_ends_the_call(void **state) {
    struct call call = call_for(*state, 6);
    set_concurrency(*state, 3);
    set_timeout(*state, 1000);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.takes_ms = FAKE_HANGS});
    FAKE_SCRIPT(2, {.takes_ms = 300}, {.takes_ms = 700});
    FAKE_SCRIPT(3, {.takes_ms = 1001});
    FAKE_SCRIPT(4, {.takes_ms = 2000});
    run_whole(&call, REPLY_ERROR_TIMEOUT);
    CHECK_STARTS(0, 0, 0, 300);
    assert_int_equal(fake_nth(FAKE_START, 2).timeout_ms, 1000);
    assert_int_equal(fake_nth(FAKE_START, 3).timeout_ms, 700);
    check_delivery(&call, 0, 1, 300, REPLY_OK, 1);
    for (size_t i = 1; i < 4; i++) {
        const reply_error *error = &call.deliveries[i].error;
        assert_int_equal(call.deliveries[i].time_ms, 1000);
        assert_int_equal(error->result, REPLY_ERROR_TIMEOUT);
        assert_int_equal(error->curl_code, 28);
        assert_int_equal(error->attempts, 1);
    }
    check_index(&call, 4, 1000, REPLY_ERROR_TIMEOUT, 0);
    check_index(&call, 5, 1000, REPLY_ERROR_TIMEOUT, 0);
    assert_int_equal(fake_now(), 1000);
}

static void test_timeout_of_the_last_contact(void **state) {
    struct call call = call_for(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.takes_ms = FAKE_HANGS});
    run_whole(&call, REPLY_ERROR_TIMEOUT);
    assert_int_equal(check_delivery(&call, 0, 0, 1000, REPLY_ERROR_TIMEOUT, 1)->curl_code, 28);
}

/* An answer that comes at the deadline is delivered; no time is left for the rest. */
static void test_an_answer_at_the_deadline(void **state) {
    struct call call = call_for(*state, 2);
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.takes_ms = 1000});
    run_whole(&call, REPLY_ERROR_TIMEOUT);
    check_delivery(&call, 0, 0, 1000, REPLY_OK, 1);
    check_delivery(&call, 1, 1, 1000, REPLY_ERROR_TIMEOUT, 0);
    CHECK_STARTS(0);
}

/* A failure of another kind that comes at the deadline is that contact's own. */
static void test_a_failure_at_the_deadline(void **state) {
    struct call call = call_for(*state, 2);
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(2, {.takes_ms = 900, .http_status = 503});
    run_whole(&call, REPLY_OK);
    check_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    assert_int_equal(check_delivery(&call, 1, 1, 1000, REPLY_ERROR_SERVER, 1)->http_status, 503);
}

static void be_slow(struct call *call, size_t index) {
    (void)call;
    (void)index;
    fake_pass(700);
}

/* The caller's own time counts: nothing is begun after the deadline. */
static void test_a_slow_callback(void **state) {
    struct call call = call_for(*state, 4);
    call.at_delivery = be_slow;
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    run_whole(&call, REPLY_ERROR_TIMEOUT);
    CHECK_STARTS(0, 800);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 200);
    check_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    check_delivery(&call, 1, 1, 900, REPLY_OK, 1);
    check_delivery(&call, 2, 2, 1600, REPLY_ERROR_TIMEOUT, 0);
    check_delivery(&call, 3, 3, 2300, REPLY_ERROR_TIMEOUT, 0);
}

/* ---- The interrupt ---- */

static void test_the_interrupt_ends_the_call(void **state) {
    struct call call = call_for(*state, 6);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 5000});
    FAKE_SCRIPT(2, {.takes_ms = 100, .http_status = 503, .retry_after = "60"});
    FAKE_SCRIPT(3, {.takes_ms = 200});
    FAKE_SCRIPT(4, {.takes_ms = 5000});
    fake_interrupt_at(1000, *state);
    run_whole(&call, REPLY_ERROR_CANCELLED);
    CHECK_STARTS(0, 0, 0, 200);
    assert_int_equal(fake_count(FAKE_CANCEL), 2);
    check_delivery(&call, 0, 2, 200, REPLY_OK, 1);
    check_index(&call, 0, 1000, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 1, 1000, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 3, 1000, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 4, 1000, REPLY_ERROR_CANCELLED, 0);
    check_index(&call, 5, 1000, REPLY_ERROR_CANCELLED, 0);
    check_says(&call.error, "reply_client_interrupt");
    assert_int_equal(call.error.http_status, 0);
    /* The session is whole again. */
    struct call next = {.client = *state, .ids = one_to_ten + 6, .count = 3};
    run_whole(&next, REPLY_OK);
    assert_int_equal(fake_now(), 1100);
    assert_int_equal(fake_sessions_opened(), 1);
}

/* While a call that a 401 has ended waits for what is in flight, an interrupt still cuts that. */
static void test_interrupt_after_401(void **state) {
    struct call call = call_for(*state, 5);
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 401});
    FAKE_SCRIPT(2, {.takes_ms = 5000});
    FAKE_SCRIPT(3, {.takes_ms = 300});
    fake_interrupt_at(400, *state);
    run(&call);
    check_each_once(&call);
    check_delivery(&call, 0, 0, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    check_delivery(&call, 1, 2, 300, REPLY_OK, 1);
    check_delivery(&call, 2, 1, 400, REPLY_ERROR_CANCELLED, 1);
    assert_int_equal(call.deliveries[3].time_ms, 400);
    assert_int_equal(call.deliveries[4].time_ms, 400);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_count(FAKE_CANCEL), 1);
    assert_int_equal(fake_now(), 400);
}

/* So does the deadline. */
static void test_the_deadline_after_401(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 2);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 401});
    FAKE_SCRIPT(2, {.takes_ms = 5000});
    run_whole(&call, REPLY_ERROR_UNAUTHORIZED);
    check_delivery(&call, 0, 0, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    check_delivery(&call, 1, 1, 1000, REPLY_ERROR_TIMEOUT, 1);
    check_delivery(&call, 2, 2, 1000, REPLY_ERROR_UNAUTHORIZED, 0);
}

static void test_interrupt_at_the_gate(void **state) {
    struct call call = call_for(*state, 3);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "3600"});
    fake_interrupt_at(1800000, *state);
    run_whole(&call, REPLY_ERROR_CANCELLED);
    CHECK_STARTS(0, 0);
    check_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    check_index(&call, 0, 1800000, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 2, 1800000, REPLY_ERROR_CANCELLED, 0);
}

/* ---- The callback ---- */

/* Wherever it stops, it is called no more, what is in flight ends, and what has come is freed. */
static void test_the_callback_stops_the_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 8; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = call_for(*state, 8);
        call.stop_at = stop_at;
        call.stop_value = stop_at % 2 == 0 ? 1 : -1;
        FAKE_SCRIPT(3, {.takes_ms = 100, .http_status = 503},
                    {.takes_ms = 100, .http_status = 404});
        run(&call);
        assert_false(call.has_strayed);
        assert_int_equal(call.delivered, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(call.error.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(call.error.attempts, 0);
        assert_int_equal(call.error.http_status, 0);
        check_says(&call.error, "callback");
        assert_int_equal(fake_now(), call.deliveries[stop_at - 1].time_ms);
        assert_int_equal(fake_count(FAKE_START), fake_count(FAKE_END) + fake_count(FAKE_CANCEL));
    }
}

static void test_the_callback_stops_at_a_bad_id(void **state) {
    static const int64_t ids[] = {1, 2, 0, 3};
    struct call call = {.client = *state, .ids = ids, .count = 4, .stop_at = 1};
    run(&call);
    assert_int_equal(call.delivered, 1);
    assert_int_equal(call.deliveries[0].error.result, REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_now(), 0);
}

/* It may also stop what an error has ended already: at the waiting one, in what finishes, in the
 * rest. */
static void test_the_callback_stops_an_ending_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 6; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = call_for(*state, 6);
        call.stop_at = stop_at;
        set_concurrency(*state, 3);
        FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 401});
        FAKE_SCRIPT(2, {.takes_ms = 50, .http_status = 503, .retry_after = "5"});
        FAKE_SCRIPT(3, {.takes_ms = 200});
        run(&call);
        assert_int_equal(call.delivered, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        check_says(&call.error, "callback");
        assert_int_equal(fake_now(), stop_at <= 2 ? 100 : 200);
    }
}

static void test_the_callback_stops_an_interrupted_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 6; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = call_for(*state, 6);
        call.stop_at = stop_at;
        fake_interrupt_at(50, *state);
        run(&call);
        assert_int_equal(call.delivered, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(fake_count(FAKE_CANCEL), 4);
        assert_int_equal(fake_now(), 50);
    }
}

static void fetch_inside(struct call *call, size_t index) {
    reply_sequence_contact *contact = NULL;
    const int64_t id = 900 + (int64_t)index;
    call->has_strayed =
        call->has_strayed ||
        reply_get_sequence_contact(call->client, 200, id, &contact, NULL) != REPLY_OK ||
        contact->contact_id != id || contact->sequence_id != 200;
    reply_sequence_contact_free(contact);
}

/* A fetch with the same client takes 100 ms, in which the others go on. */
static void test_the_callback_fetches(void **state) {
    struct call call = call_for(*state, 4);
    call.at_delivery = fetch_inside;
    set_concurrency(*state, 2);
    FAKE_SCRIPT(1, {.takes_ms = 100});
    FAKE_SCRIPT(2, {.takes_ms = 150});
    FAKE_SCRIPT(3, {.takes_ms = 400});
    FAKE_SCRIPT(4, {.takes_ms = 50});
    run_whole(&call, REPLY_OK);
    check_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    check_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    check_delivery(&call, 2, 3, 350, REPLY_OK, 1);
    check_delivery(&call, 3, 2, 600, REPLY_OK, 1);
    assert_int_equal(fake_now(), 700);
    assert_int_equal(fake_sessions_opened(), 2);
    CHECK_STARTS(0, 0, 100, 200, 200, 300, 350, 600);
}

static void fetch_many_inside(struct call *call, size_t index) {
    if (index == 0) {
        struct call *inner = calloc(1, sizeof *inner);
        assert_non_null(inner);
        *inner = call_for(call->client, 5);
        run(inner);
        call->has_strayed = call->has_strayed || inner->result != REPLY_OK ||
                            inner->delivered != 5 || inner->has_strayed;
        free(inner);
    }
}

static void test_the_callback_fetches_many(void **state) {
    struct call call = call_for(*state, 6);
    call.at_delivery = fetch_many_inside;
    run_whole(&call, REPLY_OK);
    assert_int_equal(fake_count(FAKE_START), 11);
    assert_int_equal(fake_sessions_opened(), 2);
}

static void interrupt_inside(struct call *call, size_t index) {
    if (index == 1) {
        reply_client_interrupt(call->client);
        fetch_inside(call, index); /* which begins after it */
    }
}

static void test_the_callback_interrupts(void **state) {
    struct call call = call_for(*state, 5);
    call.at_delivery = interrupt_inside;
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.takes_ms = 5000});
    FAKE_SCRIPT(3, {.takes_ms = 5000});
    run_whole(&call, REPLY_ERROR_CANCELLED);
    check_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    check_index(&call, 0, 200, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 2, 200, REPLY_ERROR_CANCELLED, 1);
    check_index(&call, 3, 200, REPLY_ERROR_CANCELLED, 0);
    check_index(&call, 4, 200, REPLY_ERROR_CANCELLED, 0);
}

static void close_the_gate_inside(struct call *call, size_t index) {
    reply_sequence_contact *contact = NULL;
    if (index == 0) {
        call->has_strayed = reply_get_sequence_contact(call->client, 200, 99, &contact, NULL) !=
                            REPLY_ERROR_RATE_LIMITED;
    }
}

/* A 429 to the callback's own call holds the call around it, too. */
static void test_the_callback_meets_the_rate_limit(void **state) {
    struct call call = call_for(*state, 2);
    call.at_delivery = close_the_gate_inside;
    set_concurrency(*state, 1);
    set_retries(*state, 0);
    FAKE_SCRIPT(99, {.takes_ms = 20, .http_status = 429, .retry_after = "30"});
    run_whole(&call, REPLY_OK);
    CHECK_STARTS(0, 100, 30120);
}

static void decode_inside(struct call *call, size_t index) {
    static const char json[] =
        "{\"contactId\":1,\"sequenceId\":2,\"status\":\"Paused\",\"currentStep\":1,"
        "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}";
    reply_sequence_contact *contact = NULL;
    (void)index;
    call->has_strayed =
        call->has_strayed ||
        reply_decode_sequence_contact(json, strlen(json), &contact, NULL) != REPLY_OK ||
        contact->status != REPLY_CONTACT_STATUS_PAUSED;
    reply_sequence_contact_free(contact);
    call->has_strayed = call->has_strayed || reply_client_set_max_retries(call->client, 1, NULL) !=
                                                 REPLY_ERROR_INVALID_ARGUMENT;
}

static void test_the_callback_decodes(void **state) {
    struct call call = call_for(*state, 3);
    call.at_delivery = decode_inside;
    run_whole(&call, REPLY_OK);
}

static int keep_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                        const reply_error *error, void *user_data) {
    reply_sequence_contact **contacts = user_data;
    (void)result;
    (void)error;
    contacts[index] = contact;
    return 0;
}

/* A delivered contact is the callback's, for as long as it likes: also after the client is gone. */
static void test_contacts_are_the_callbacks(void **state) {
    reply_sequence_contact *contacts[10] = {NULL};
    reply_client *client = fake_create_client();
    (void)state;
    assert_int_equal(
        reply_get_sequence_contacts(client, SEQUENCE, one_to_ten, 10, keep_contact, contacts, NULL),
        REPLY_OK);
    reply_client_destroy(client);
    for (int64_t i = 0; i < 10; i++) {
        char email[64];
        snprintf(email, sizeof email, "person%d@private.example", (int)i + 1);
        assert_int_equal(contacts[i]->contact_id, i + 1);
        assert_string_equal(contacts[i]->email, email);
        reply_sequence_contact_free(contacts[i]);
    }
}

/* ---- Memory ---- */

static void test_no_memory_for_a_session(void **state) {
    struct call call = call_for(*state, 6);
    fake_fail_opens(1);
    run_whole(&call, REPLY_ERROR_NO_MEMORY);
    for (size_t i = 0; i < 6; i++) {
        check_says(check_delivery(&call, i, i, 0, REPLY_ERROR_NO_MEMORY, 0), "memory");
    }
    assert_int_equal(fake_count(FAKE_START), 0);
    struct call next = call_for(*state, 6);
    run_whole(&next, REPLY_OK);
    fake_fail_opens(1);
    struct call after = call_for(*state, 6);
    run_whole(&after, REPLY_OK);
}

static void test_the_callback_stops_without_a_session(void **state) {
    struct call call = call_for(*state, 6);
    call.stop_at = 2;
    fake_fail_opens(1);
    run(&call);
    assert_int_equal(call.delivered, 2);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
}

/* A session that ran out of memory in the middle serves its call, and no other. */
static void test_a_broken_session_serves_no_other_call(void **state) {
    struct call call = call_for(*state, 6);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(2, {.takes_ms = 10, .failure = REPLY_ERROR_NO_MEMORY});
    run_whole(&call, REPLY_OK);
    check_delivery(&call, 0, 1, 10, REPLY_ERROR_NO_MEMORY, 1);
    assert_int_equal(fake_sessions_opened(), 1);
    assert_int_equal(fake_sessions_open(), 0);
    struct call next = {.client = *state, .ids = one_to_ten + 6, .count = 2};
    run_whole(&next, REPLY_OK);
    assert_int_equal(fake_sessions_opened(), 2);
    assert_int_equal(fake_sessions_open(), 1);
}

enum { MANY = 50000, WARM = 1000 };

struct growth {
    size_t delivered;
    size_t early_bytes, late_bytes;
};

/* Bytes on the heap, where the C library can tell. */
static size_t heap_bytes(void) {
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#endif
#endif
    return 0;
}

static int measure(size_t index, reply_result result, reply_sequence_contact *contact,
                   const reply_error *error, void *user_data) {
    struct growth *growth = user_data;
    (void)index;
    (void)error;
    reply_sequence_contact_free(contact);
    fake_forget_events();
    growth->delivered += result == REPLY_OK;
    if (growth->delivered == WARM) {
        growth->early_bytes = heap_bytes();
    }
    growth->late_bytes = heap_bytes();
    return 0;
}

static void test_memory_does_not_grow_with_count(void **state) {
    struct growth growth = {0};
    int64_t *ids = malloc(MANY * sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < MANY; i++) {
        ids[i] = 1000000 + i; /* texts of equal length */
    }
    assert_int_equal(reply_client_set_log(*state, NULL, NULL, NULL), REPLY_OK);
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, ids, MANY, measure, &growth, NULL), REPLY_OK);
    free(ids);
    assert_int_equal(growth.delivered, MANY);
    assert_int_equal(fake_sessions_opened(), 1);
    assert_int_equal(fake_settings()->slot_count, 4);
    assert_true(growth.late_bytes <= growth.early_bytes + 8192);
}

/* ---- Several threads ---- */

static void run_as(void *call) {
    run(call);
}

/* Each call has its own places and its own session. */
static void test_threads_with_one_client(void **state) {
    static struct call calls[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = call_for(*state, 10);
    }
    fake_run_in_threads(run_as, calls, sizeof calls[0], 4);
    for (int i = 0; i < 4; i++) {
        check_each_once(&calls[i]);
        assert_int_equal(calls[i].result, REPLY_OK);
    }
    assert_int_equal(fake_now(), 300);
    assert_int_equal(fake_most_in_flight(), 16);
    assert_int_equal(fake_sessions_opened(), 4);
}

static void test_interrupt_ends_all_threads(void **state) {
    static struct call calls[3];
    for (int i = 0; i < 3; i++) {
        calls[i] = call_for(*state, 10);
    }
    fake_interrupt_at(150, *state);
    fake_run_in_threads(run_as, calls, sizeof calls[0], 3);
    for (int i = 0; i < 3; i++) {
        check_each_once(&calls[i]);
        assert_int_equal(calls[i].result, REPLY_ERROR_CANCELLED);
        for (size_t n = 0; n < 10; n++) {
            assert_int_equal(calls[i].deliveries[n].time_ms, n < 4 ? 100 : 150);
            assert_int_equal(calls[i].deliveries[n].error.result,
                             n < 4 ? REPLY_OK : REPLY_ERROR_CANCELLED);
        }
    }
    assert_int_equal(fake_now(), 150);
}

static size_t count_in_log(const char *words) {
    size_t count = 0;
    for (const char *at = fake_log_text(); (at = strstr(at, words)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Each call logs the waits that it makes. The second one's retry is due at 20,050 ms; it learns at
 * 300 ms, from an answer, that another call's 429 holds it until 60,100 ms. */
static void test_each_thread_logs_its_wait_for_the_gate(void **state) {
    static struct call calls[2];
    static const int64_t ids[][2] = {{1}, {2, 3}};
    calls[0] = (struct call){.client = *state, .ids = ids[0], .count = 1};
    calls[1] = (struct call){.client = *state, .ids = ids[1], .count = 2};
    FAKE_SCRIPT(1, {.takes_ms = 100, .http_status = 429, .retry_after = "60"}, {.takes_ms = 10});
    FAKE_SCRIPT(2, {.takes_ms = 50, .http_status = 503, .retry_after = "20"}, {.takes_ms = 10});
    FAKE_SCRIPT(3, {.takes_ms = 300});
    fake_run_in_threads(run_as, calls, sizeof calls[0], 2);
    assert_int_equal(calls[0].result, REPLY_OK);
    assert_int_equal(calls[1].result, REPLY_OK);
    assert_int_equal(fake_start_ms(3), 60100);
    assert_int_equal(fake_start_ms(4), 60100);
    assert_int_equal(count_in_log("wait 60000 ms: rate limit\n"), 1);
    assert_int_equal(count_in_log("wait 20000 ms: HTTP 503, retry 1 of 3\n"), 1);
    assert_int_equal(count_in_log(" ms: rate limit\n"), 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_order_of_completion),
        TEST(test_at_most_max_concurrency),
        TEST(test_four_at_once_by_default),
        TEST(test_one_hundred_at_once),
        TEST(test_a_waiting_retry_keeps_its_place),
        TEST(test_one_contact_alone_in_a_place),
        TEST(test_retries_are_each_contacts_own),
        TEST(test_the_same_id_several_times),
        TEST(test_bad_ids_among_valid_ones),
        TEST(test_bad_ids_alone),
        TEST(test_count_0),
        TEST(test_wrong_arguments_deliver_nothing),
        TEST(test_user_data_and_error_may_be_null),
        TEST(test_own_failures),
        TEST(test_own_timeout_does_not_end_the_call),
        TEST(test_wait_that_does_not_fit_does_not_end_the_call),
        TEST(test_401_ends_the_call),
        TEST(test_401_of_the_last_contact),
        TEST(test_429_after_401),
        TEST(test_a_rate_limit_of_an_hour),
        TEST(test_the_gate_only_moves_later),
        TEST(test_the_gate_moves_later),
        TEST(test_the_gate_and_a_retrys_wait),
        TEST(test_rate_limit_with_no_retries),
        TEST(test_rate_limit_beyond_the_deadline),
        TEST(test_rate_limit_of_the_last_contact),
        TEST(test_no_deadline_by_default),
        TEST(test_the_deadline_ends_the_call),
        TEST(test_timeout_of_the_last_contact),
        TEST(test_an_answer_at_the_deadline),
        TEST(test_a_failure_at_the_deadline),
        TEST(test_a_slow_callback),
        TEST(test_the_interrupt_ends_the_call),
        TEST(test_interrupt_after_401),
        TEST(test_the_deadline_after_401),
        TEST(test_interrupt_at_the_gate),
        TEST(test_the_callback_stops_the_call),
        TEST(test_the_callback_stops_at_a_bad_id),
        TEST(test_the_callback_stops_an_ending_call),
        TEST(test_the_callback_stops_an_interrupted_call),
        TEST(test_the_callback_fetches),
        TEST(test_the_callback_fetches_many),
        TEST(test_the_callback_interrupts),
        TEST(test_the_callback_meets_the_rate_limit),
        TEST(test_the_callback_decodes),
        TEST(test_contacts_are_the_callbacks),
        TEST(test_no_memory_for_a_session),
        TEST(test_the_callback_stops_without_a_session),
        TEST(test_a_broken_session_serves_no_other_call),
        TEST(test_memory_does_not_grow_with_count),
        TEST(test_threads_with_one_client),
        TEST(test_interrupt_ends_all_threads),
        TEST(test_each_thread_logs_its_wait_for_the_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
