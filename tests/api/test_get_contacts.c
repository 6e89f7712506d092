/* test_get_contacts.c - calls for one contact and for many, by id, on a fake transport: arguments,
 * delivery, what ends a call, the callback and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "support/check_error.h"
#include "support/fake_transport.h"
#include "support/fetch.h"
#include "replyio.h"

/* ---- Arguments ---- */

static void test_invalid_arguments_are_rejected(void **state) {
    const struct {
        reply_client *client;
        int64_t sequence_id, contact_id;
        bool has_pointer;
        const char *words;
    } rows[] = {
        {NULL, 1, 1, true, "client is NULL"},
        {*state, 0, 1, true, "sequence_id 0"},
        {*state, -5, 1, true, "sequence_id -5"},
        {*state, INT64_MIN, 1, true, "sequence_id -9223372036854775808"},
        {*state, 1, 0, true, "contact_id 0"},
        {*state, 1, INT64_MIN, true, "contact_id -9223372036854775808"},
        {*state, 1, 1, false, "contact is NULL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        /* A valid address, which the call must overwrite. */
        reply_sequence_contact *contact = (reply_sequence_contact *)&error;
        assert_int_equal(reply_get_sequence_contact(rows[i].client, rows[i].sequence_id,
                                                    rows[i].contact_id,
                                                    rows[i].has_pointer ? &contact : NULL, &error),
                         REPLY_ERROR_INVALID_ARGUMENT);
        assert_true((contact == NULL) == rows[i].has_pointer);
        expect_error(&error, REPLY_ERROR_INVALID_ARGUMENT, 0, 0, 0, -1);
        expect_words(&error, rows[i].words);
    }
    assert_int_equal(fake_count_events(FAKE_START), 0);
}

/* Counts the deliveries if user_data is not NULL. */
static int count_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                          const reply_error *error, void *user_data) {
    size_t *count = user_data;
    (void)index;
    (void)result;
    (void)error;
    if (count != NULL) {
        ++*count;
    }
    reply_sequence_contact_free(contact);
    return 0;
}

static void test_invalid_arguments_deliver_nothing(void **state) {
    const struct {
        reply_client *client;
        int64_t sequence_id;
        const int64_t *contact_ids;
        reply_contact_fn on_contact;
        const char *words;
    } rows[] = {
        {NULL, SEQUENCE, ids_1_to_10, count_delivery, "client is NULL"},
        {*state, 0, ids_1_to_10, count_delivery, "sequence_id 0"},
        {*state, -1, ids_1_to_10, count_delivery, "sequence_id -1"},
        {*state, SEQUENCE, NULL, count_delivery, "contact_ids is NULL"},
        {*state, SEQUENCE, ids_1_to_10, NULL, "on_contact is NULL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        size_t count = 0;
        assert_int_equal(reply_get_sequence_contacts(rows[i].client, rows[i].sequence_id,
                                                     rows[i].contact_ids, 3, rows[i].on_contact,
                                                     &count, &error),
                         REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(reply_get_sequence_contacts(rows[i].client, rows[i].sequence_id,
                                                     rows[i].contact_ids, 3, rows[i].on_contact,
                                                     &count, NULL),
                         REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error.result, REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error.attempts, 0);
        expect_words(&error, rows[i].words);
        assert_int_equal(count, 0);
    }
    assert_int_equal(fake_count_events(FAKE_START), 0);
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

static int expect_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                          const reply_error *error, void *user_data) {
    (void)index;
    (void)error;
    assert_int_equal(result, REPLY_OK);
    assert_null(user_data);
    reply_sequence_contact_free(contact);
    return 0;
}

static void test_optional_arguments_may_be_null(void **state) {
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, ids_1_to_10, 10, expect_contact, NULL, NULL),
        REPLY_OK);
    assert_int_equal(fake_count_events(FAKE_END), 10);
}

static void test_count_0_delivers_nothing(void **state) {
    struct call call = {.client = *state, .ids = NULL, .count = 0};
    fetch_all(&call, REPLY_OK);
    call.ids = ids_1_to_10;
    fetch_all(&call, REPLY_OK);
    assert_int_equal(call.error.http_status, 0);
    assert_string_equal(call.error.message, "");
    assert_string_equal(fake_get_log(), "");
}

static void test_invalid_id_is_delivered_as_error(void **state) {
    static const int64_t ids[] = {0, 1, -1, INT64_MIN, 2, 0};
    struct call call = {.client = *state, .ids = ids, .count = 6};
    set_concurrency(*state, 1);
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 100);
    expect_index(&call, 1, 100, REPLY_OK, 1);
    expect_index(&call, 4, 200, REPLY_OK, 1);
    static const size_t invalid[] = {0, 2, 3, 5};
    for (size_t i = 0; i < 4; i++) {
        const reply_error *error = &find_delivery(&call, invalid[i])->error;
        assert_int_equal(error->result, REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error->attempts, 0);
        assert_int_equal(error->http_status, 0);
        assert_int_equal(error->retry_after_ms, -1);
    }
    expect_words(&find_delivery(&call, 3)->error, "-9223372036854775808");
}

static void test_invalid_ids_send_nothing(void **state) {
    int64_t ids[MAX_DELIVERIES] = {0};
    struct call call = {.client = *state, .ids = ids, .count = MAX_DELIVERIES};
    fetch_all(&call, REPLY_OK);
    for (size_t i = 0; i < MAX_DELIVERIES; i++) {
        assert_int_equal(call.deliveries[i].error.result, REPLY_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(fake_count_events(FAKE_START), 0);
    assert_int_equal(fake_now_ms(), 0);
}

/* ---- One contact ---- */

#define CONTACT(contact_id, sequence_id)                                                           \
    "{\"contactId\":" contact_id ",\"sequenceId\":" sequence_id                                    \
    ",\"status\":\"Active\",\"currentStep\":1,\"addingDate\":\"2024-03-08T10:00:00+00:00\","       \
    "\"isOptedOut\":false,\"email\":\"other@private.example\"}"

/* Catches ids that are compared as doubles, and a message that quotes the contact. */
static void test_wrong_contact_is_rejected(void **state) {
    static const struct {
        int64_t contact_id;
        const char *body, *received, *requested;
    } rows[] = {
        {7, CONTACT("8", "100"), "contact 8 in sequence 100",
         "instead of contact 7 in sequence 100"},
        {6, CONTACT("6", "-100"), "contact 6 in sequence -100",
         "instead of contact 6 in sequence 100"},
        {9007199254740993, CONTACT("9007199254740992", "100"),
         "contact 9007199254740992 in sequence 100",
         "instead of contact 9007199254740993 in sequence 100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct fake_outcome outcome = {.body = rows[i].body, .request_id = "r-8"};
        fake_script(rows[i].contact_id, &outcome, 1);
        fetch_one(*state, rows[i].contact_id, &error);
        expect_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
        expect_words(&error, rows[i].received);
        expect_words(&error, rows[i].requested);
        assert_string_equal(error.request_id, "r-8");
        assert_null(strstr(error.message, "private"));
        /* The connection is out of step. */
        assert_int_equal(fake_count_events(FAKE_RETIRE), i + 1);
        assert_int_equal(fake_get_event(FAKE_RETIRE, i).contact_id, rows[i].contact_id);
    }
}

/* Catches a connection that is retired although only the contact is invalid. */
static void test_invalid_contact_keeps_connection(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.body = "{\"contactId\":8,\"sequenceId\":100}"});
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 0);
}

static void test_url_is_made_of_ids(void **state) {
    static const struct {
        const char *base_url;
        int64_t sequence_id, contact_id;
        const char *url;
    } rows[] = {
        {"https://api.reply.io/v4", 100, 12345,
         "https://api.reply.io/v4/sequences/100/contacts/12345"},
        {"https://api.reply.io/v4/", 9007199254740993, INT64_MAX,
         "https://api.reply.io/v4/sequences/9007199254740993/contacts/9223372036854775807"},
        {"https://[::1]:8080", 1, 1, "https://[::1]:8080/sequences/1/contacts/1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_sequence_contact *contact = NULL;
        fake_teardown(state);
        fake_setup(state);
        assert_int_equal(reply_client_set_base_url(*state, rows[i].base_url, NULL), REPLY_OK);
        assert_int_equal(reply_get_sequence_contact(*state, rows[i].sequence_id, rows[i].contact_id,
                                                    &contact, NULL),
                         REPLY_OK);
        assert_string_equal(fake_get_url(), rows[i].url);
        reply_sequence_contact_free(contact);
    }
}

/* Catches a buffer that is too small for the longest base URL and the longest ids. */
static void test_longest_url_is_complete(void **state) {
    static const char path[] = "/sequences/9223372036854775807/contacts/9223372036854775807";
    char base_url[TRANSPORT_MAX_BASE_URL + 1] = "https://";
    reply_sequence_contact *contact = NULL;
    memset(base_url + 8, 'b', TRANSPORT_MAX_BASE_URL - 8);
    assert_int_equal(reply_client_set_base_url(*state, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_get_sequence_contact(*state, INT64_MAX, INT64_MAX, &contact, NULL),
                     REPLY_OK);
    assert_int_equal(strncmp(fake_get_url(), base_url, TRANSPORT_MAX_BASE_URL), 0);
    assert_string_equal(fake_get_url() + TRANSPORT_MAX_BASE_URL, path);
    reply_sequence_contact_free(contact);
}

static void test_largest_id_is_accepted(void **state) {
    reply_error error;
    assert_int_equal(fetch_one(*state, INT64_MAX, &error), REPLY_OK);
}

static void test_byte_order_mark_is_skipped(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.body = "\xEF\xBB\xBF \r\n\t" CONTACT("7", "100")});
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
    FAKE_SCRIPT(8, {.body = "\xEF\xBB\xBF \r\n\t"});
    fetch_one(*state, 8, &error);
    expect_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
}

static void test_session_out_of_memory_is_reported(void **state) {
    reply_error error;
    fake_fail_opens(1);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_NO_MEMORY, 0, 0, 0, -1);
    expect_words(&error, "out of memory; ");
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
}

/* Catches a message that speaks of memory. */
static void test_lack_of_descriptors_is_reported(void **state) {
    reply_error error;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit lowered = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    fake_fail_opens(1);
    fetch_one(*state, 7, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_error(&error, REPLY_ERROR_NO_MEMORY, 0, 0, 0, -1);
    expect_words(&error, "out of file descriptors; ");
    assert_int_equal(fetch_one(*state, 7, &error), REPLY_OK);
}

/* ---- Delivery ---- */

static void test_contacts_are_delivered_as_completed(void **state) {
    struct call call = make_call(*state, 5);
    FAKE_SCRIPT(1, {.duration_ms = 400});
    FAKE_SCRIPT(2, {.duration_ms = 100});
    FAKE_SCRIPT(3, {.duration_ms = 300});
    FAKE_SCRIPT(4, {.duration_ms = 200});
    FAKE_SCRIPT(5, {.duration_ms = 50});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 0, 100);
    expect_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    expect_delivery(&call, 1, 4, 150, REPLY_OK, 1);
    expect_delivery(&call, 2, 3, 200, REPLY_OK, 1);
    expect_delivery(&call, 3, 2, 300, REPLY_OK, 1);
    expect_delivery(&call, 4, 0, 400, REPLY_OK, 1);
}

static void note_delivery(struct call *call, size_t index) {
    fake_add_note(call->ids[index]);
}

/* Fails unless the events of these kinds have these contacts, in order. */
static void expect_order(enum fake_kind one, enum fake_kind other, const int64_t *ids,
                         size_t id_count) {
    size_t count = 0;
    size_t found = 0;
    const struct fake_event *events = fake_get_events(&count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == one || events[i].kind == other) {
            assert_true(found < id_count);
            assert_int_equal(events[i].contact_id, ids[found++]);
        }
    }
    assert_int_equal(found, id_count);
}

/* Catches a slow callback that delays the next requests. Sent and delivered are:
 * 1 and 2; 3, 4 and then the deliveries of 1 and 2; the deliveries of 3 and 4. */
static void test_next_requests_precede_deliveries(void **state) {
    static const int64_t order[] = {1, 2, 3, 4, 1, 2, 3, 4};
    struct call call = make_call(*state, 4);
    call.on_delivery = note_delivery;
    set_concurrency(*state, 2);
    fetch_all(&call, REPLY_OK);
    expect_order(FAKE_SEND, FAKE_NOTE, order, sizeof order / sizeof *order);
}

/* Catches an invalid id that overtakes a response, or that delays a request. */
static void test_invalid_ids_are_delivered_in_order(void **state) {
    static const int64_t ids[] = {1, 0, 2, -1, -2, 3};
    static const struct {
        int32_t concurrency;
        int64_t order[9];
    } rows[] = {{1, {1, 1, 0, 2, 2, -1, -2, 3, 3}}, {4, {1, 2, 0, -1, 3, -2, 1, 2, 3}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = {.client = *state, .ids = ids, .count = 6, .on_delivery = note_delivery};
        set_concurrency(*state, rows[i].concurrency);
        fetch_all(&call, REPLY_OK);
        expect_order(FAKE_SEND, FAKE_NOTE, rows[i].order, 9);
    }
}

static void test_duplicate_ids_are_delivered_separately(void **state) {
    static const int64_t ids[] = {7, 7, 8, 7};
    struct call call = {.client = *state, .ids = ids, .count = 4};
    set_retries(*state, 0);
    FAKE_SCRIPT(7, {.duration_ms = 10}, {.duration_ms = 20, .http_status = 404},
                {.duration_ms = 30});
    FAKE_SCRIPT(8, {.duration_ms = 40});
    fetch_all(&call, REPLY_OK);
    EXPECT_STARTS(0, 0, 0, 0);
    expect_delivery(&call, 0, 0, 10, REPLY_OK, 1);
    expect_delivery(&call, 1, 1, 20, REPLY_ERROR_NOT_FOUND, 1);
    expect_delivery(&call, 2, 3, 30, REPLY_OK, 1);
    expect_delivery(&call, 3, 2, 40, REPLY_OK, 1);
}

/* ---- Failures of one contact ---- */

static void test_failed_contact_spares_others(void **state) {
    static const char own[] = "contact 2 in sequence 100";
    static const struct {
        struct fake_outcome outcome;
        reply_result result;
        int32_t attempts, http_status;
        const char *words;
    } rows[] = {
        {{.http_status = 404}, REPLY_ERROR_NOT_FOUND, 1, 404, own},
        {{.http_status = 403}, REPLY_ERROR_FORBIDDEN, 1, 403, own},
        {{.http_status = 400}, REPLY_ERROR_BAD_REQUEST, 1, 400, own},
        {{.http_status = 302}, REPLY_ERROR_HTTP, 1, 302, own},
        {{.http_status = 501}, REPLY_ERROR_SERVER, 1, 501, own},
        {{.http_status = 503}, REPLY_ERROR_SERVER, 2, 503, own},
        {{.http_status = 429}, REPLY_ERROR_RATE_LIMITED, 2, 429, own},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 7}, REPLY_ERROR_NETWORK, 2, 0, own},
        {{.failure = REPLY_ERROR_TLS, .curl_code = 60}, REPLY_ERROR_TLS, 1, 0, own},
        {{.duration_ms = FAKE_HANGS}, REPLY_ERROR_TIMEOUT, 2, 0, own},
        {{.failure = REPLY_ERROR_RESPONSE_TOO_LARGE}, REPLY_ERROR_RESPONSE_TOO_LARGE, 1, 0, own},
        {{.failure = REPLY_ERROR_NO_MEMORY}, REPLY_ERROR_NO_MEMORY, 1, 0, "memory"},
        {{.body = "{}"}, REPLY_ERROR_INVALID_RESPONSE, 1, 200, own},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = make_call(*state, 6);
        set_concurrency(*state, 2);
        set_retries(*state, 1);
        fake_script(2, &rows[i].outcome, 1);
        fetch_all(&call, REPLY_OK);
        for (size_t index = 0; index < 6; index++) {
            const reply_error *error = &find_delivery(&call, index)->error;
            assert_int_equal(error->result, index == 1 ? rows[i].result : REPLY_OK);
            assert_int_equal(error->attempts, index == 1 ? rows[i].attempts : 1);
            assert_int_equal(error->http_status, index == 1 ? rows[i].http_status : 0);
        }
        expect_words(&find_delivery(&call, 1)->error, rows[i].words);
        assert_string_equal(call.error.message, "");
    }
}

static void test_attempt_timeout_spares_others(void **state) {
    struct call call = make_call(*state, 3);
    set_retries(*state, 0);
    set_concurrency(*state, 1);
    set_timeout(*state, 60000);
    FAKE_SCRIPT(1, {.duration_ms = FAKE_HANGS});
    fetch_all(&call, REPLY_OK);
    expect_delivery(&call, 0, 0, 30000, REPLY_ERROR_TIMEOUT, 1);
    expect_delivery(&call, 1, 1, 30100, REPLY_OK, 1);
    expect_delivery(&call, 2, 2, 30200, REPLY_OK, 1);
}

static void test_skipped_wait_spares_others(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 1);
    set_timeout(*state, 5100);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 503, .retry_after = "5"});
    fetch_all(&call, REPLY_OK);
    assert_int_equal(expect_delivery(&call, 0, 0, 100, REPLY_ERROR_SERVER, 1)->retry_after_ms,
                     5000);
    expect_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    expect_delivery(&call, 2, 2, 300, REPLY_OK, 1);
}

static void test_failure_at_deadline_affects_one_contact(void **state) {
    struct call call = make_call(*state, 2);
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(2, {.duration_ms = 900, .http_status = 503});
    fetch_all(&call, REPLY_OK);
    expect_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    assert_int_equal(expect_delivery(&call, 1, 1, 1000, REPLY_ERROR_SERVER, 1)->http_status, 503);
}

/* ---- 401 ---- */

/* Catches a retry after a 401, and attempts in flight that are cancelled by it. */
static void test_401_ends_call(void **state) {
    struct call call = make_call(*state, 7);
    FAKE_SCRIPT(1, {.duration_ms = 300});
    FAKE_SCRIPT(2, {.duration_ms = 100, .http_status = 401, .request_id = "r401"});
    FAKE_SCRIPT(3, {.duration_ms = 200, .http_status = 503});
    FAKE_SCRIPT(4, {.duration_ms = 50, .http_status = 503, .retry_after = "3"});
    fetch_all(&call, REPLY_ERROR_UNAUTHORIZED);
    EXPECT_STARTS(0, 0, 0, 0);
    assert_int_equal(fake_count_events(FAKE_CANCEL), 0);
    const reply_error *own = expect_delivery(&call, 0, 1, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    assert_int_equal(own->http_status, 401);
    assert_string_equal(own->request_id, "r401");
    expect_delivery(&call, 1, 3, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    expect_delivery(&call, 2, 2, 200, REPLY_ERROR_SERVER, 1);
    expect_delivery(&call, 3, 0, 300, REPLY_OK, 1);
    for (size_t i = 4; i < 7; i++) {
        expect_words(expect_delivery(&call, i, i, 300, REPLY_ERROR_UNAUTHORIZED, 0), "api_key");
    }
    expect_words(&call.error, "api_key");
    assert_int_equal(call.error.http_status, 401);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/4: 503 in 50 ms\n"
                        "wait 3000 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 1 GET /v4/sequences/100/contacts/2: 401 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/3: 503 in 200 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/1: 200 in 300 ms\n");
}

static void test_401_of_last_contact_ends_call(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 1);
    FAKE_SCRIPT(3, {.duration_ms = 100, .http_status = 401});
    fetch_all(&call, REPLY_ERROR_UNAUTHORIZED);
    expect_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    expect_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    expect_delivery(&call, 2, 2, 300, REPLY_ERROR_UNAUTHORIZED, 1);
}

static void test_deadline_after_401_ends_attempts(void **state) {
    struct call call = make_call(*state, 3);
    set_concurrency(*state, 2);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 401});
    FAKE_SCRIPT(2, {.duration_ms = 5000});
    fetch_all(&call, REPLY_ERROR_UNAUTHORIZED);
    expect_delivery(&call, 0, 0, 100, REPLY_ERROR_UNAUTHORIZED, 1);
    expect_delivery(&call, 1, 1, 1000, REPLY_ERROR_TIMEOUT, 1);
    expect_delivery(&call, 2, 2, 1000, REPLY_ERROR_UNAUTHORIZED, 0);
}

/* ---- The deadline ---- */

static void test_default_timeout_is_unlimited(void **state) {
    struct call call = make_call(*state, 5);
    set_concurrency(*state, 1);
    set_retries(*state, 10);
    FAKE_SCRIPT(1, {.duration_ms = FAKE_HANGS});
    fetch_all(&call, REPLY_OK);
    expect_delivery(&call, 0, 0, 11 * 30000, REPLY_ERROR_TIMEOUT, 11);
    expect_delivery(&call, 4, 4, 11 * 30000 + 400, REPLY_OK, 1);
    for (size_t i = 0; i < fake_count_events(FAKE_START); i++) {
        assert_int_equal(fake_get_event(FAKE_START, i).timeout_ms, 30000);
    }
}

static void test_deadline_ends_call(void **state) {
    struct call call = make_call(*state, 6);
    set_concurrency(*state, 3);
    set_timeout(*state, 1000);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(1, {.duration_ms = FAKE_HANGS});
    FAKE_SCRIPT(2, {.duration_ms = 300}, {.duration_ms = 700});
    FAKE_SCRIPT(3, {.duration_ms = 1001});
    FAKE_SCRIPT(4, {.duration_ms = 2000});
    fetch_all(&call, REPLY_ERROR_TIMEOUT);
    EXPECT_STARTS(0, 0, 0, 300);
    assert_int_equal(fake_get_event(FAKE_START, 2).timeout_ms, 1000);
    assert_int_equal(fake_get_event(FAKE_START, 3).timeout_ms, 700);
    expect_delivery(&call, 0, 1, 300, REPLY_OK, 1);
    for (size_t i = 1; i < 4; i++) {
        const reply_error *error = &call.deliveries[i].error;
        assert_int_equal(call.deliveries[i].time_ms, 1000);
        assert_int_equal(error->result, REPLY_ERROR_TIMEOUT);
        assert_int_equal(error->curl_code, 28);
        assert_int_equal(error->attempts, 1);
    }
    expect_index(&call, 4, 1000, REPLY_ERROR_TIMEOUT, 0);
    expect_index(&call, 5, 1000, REPLY_ERROR_TIMEOUT, 0);
    assert_int_equal(fake_now_ms(), 1000);
}

static void test_timeout_of_last_contact_ends_call(void **state) {
    struct call call = make_call(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.duration_ms = FAKE_HANGS});
    fetch_all(&call, REPLY_ERROR_TIMEOUT);
    assert_int_equal(expect_delivery(&call, 0, 0, 1000, REPLY_ERROR_TIMEOUT, 1)->curl_code, 28);
}

static void test_response_at_deadline_is_delivered(void **state) {
    struct call call = make_call(*state, 2);
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    FAKE_SCRIPT(1, {.duration_ms = 1000});
    fetch_all(&call, REPLY_ERROR_TIMEOUT);
    expect_delivery(&call, 0, 0, 1000, REPLY_OK, 1);
    expect_delivery(&call, 1, 1, 1000, REPLY_ERROR_TIMEOUT, 0);
    EXPECT_STARTS(0);
}

static void delay_delivery(struct call *call, size_t index) {
    (void)call;
    (void)index;
    fake_advance_clock(700);
}

/* Catches an attempt that starts after the deadline. */
static void test_slow_callback_uses_call_timeout(void **state) {
    struct call call = make_call(*state, 4);
    call.on_delivery = delay_delivery;
    set_concurrency(*state, 1);
    set_timeout(*state, 1000);
    fetch_all(&call, REPLY_ERROR_TIMEOUT);
    EXPECT_STARTS(0, 100, 800);
    assert_int_equal(fake_get_event(FAKE_START, 2).timeout_ms, 200);
    expect_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    expect_delivery(&call, 1, 1, 800, REPLY_OK, 1);
    expect_delivery(&call, 2, 2, 1500, REPLY_OK, 1);
    expect_delivery(&call, 3, 3, 2200, REPLY_ERROR_TIMEOUT, 0);
}

/* ---- The callback ---- */

/* Catches a delivery after the stop, an attempt that is not cancelled, and a contact that leaks. */
static void test_callback_stops_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 8; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = make_call(*state, 8);
        call.stop_at = stop_at;
        call.stop_value = stop_at % 2 == 0 ? 1 : -1;
        FAKE_SCRIPT(3, {.duration_ms = 100, .http_status = 503},
                    {.duration_ms = 100, .http_status = 404});
        fetch_many(&call);
        assert_false(call.has_invalid_delivery);
        assert_int_equal(call.delivery_count, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(call.error.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(call.error.attempts, 0);
        assert_int_equal(call.error.http_status, 0);
        expect_words(&call.error, "callback");
        assert_int_equal(fake_now_ms(), call.deliveries[stop_at - 1].time_ms);
        assert_int_equal(fake_count_events(FAKE_RETIRE), 0);
        assert_int_equal(fake_count_events(FAKE_START),
                         fake_count_events(FAKE_END) + fake_count_events(FAKE_CANCEL));
    }
}

static void test_callback_stops_at_invalid_id(void **state) {
    static const int64_t ids[] = {1, 2, 0, 3};
    struct call call = {.client = *state, .ids = ids, .count = 4, .stop_at = 1};
    fetch_many(&call);
    assert_int_equal(call.delivery_count, 1);
    assert_int_equal(call.deliveries[0].error.result, REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_now_ms(), 0);
}

static void test_callback_stops_failed_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 6; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = make_call(*state, 6);
        call.stop_at = stop_at;
        set_concurrency(*state, 3);
        FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 401});
        FAKE_SCRIPT(2, {.duration_ms = 50, .http_status = 503, .retry_after = "5"});
        FAKE_SCRIPT(3, {.duration_ms = 200});
        fetch_many(&call);
        assert_int_equal(call.delivery_count, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        expect_words(&call.error, "callback");
        assert_int_equal(fake_now_ms(), stop_at <= 2 ? 100 : 200);
    }
}

static void test_callback_stops_interrupted_call(void **state) {
    for (size_t stop_at = 1; stop_at <= 6; stop_at++) {
        fake_teardown(state);
        fake_setup(state);
        struct call call = make_call(*state, 6);
        call.stop_at = stop_at;
        fake_interrupt_at(50, *state);
        fetch_many(&call);
        assert_int_equal(call.delivery_count, stop_at);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        assert_int_equal(fake_count_events(FAKE_CANCEL), 4);
        assert_int_equal(fake_now_ms(), 50);
    }
}

static void test_callback_stops_without_session(void **state) {
    struct call call = make_call(*state, 6);
    call.stop_at = 2;
    fake_fail_opens(1);
    fetch_many(&call);
    assert_int_equal(call.delivery_count, 2);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
}

static void fetch_one_on_delivery(struct call *call, size_t index) {
    reply_sequence_contact *contact = NULL;
    const int64_t id = 900 + (int64_t)index;
    call->has_invalid_delivery =
        call->has_invalid_delivery ||
        reply_get_sequence_contact(call->client, 200, id, &contact, NULL) != REPLY_OK ||
        contact->contact_id != id || contact->sequence_id != 200;
    reply_sequence_contact_free(contact);
}

/* The fetch in the callback takes 100 ms, during which the attempts in flight continue. */
static void test_callback_may_fetch_one(void **state) {
    struct call call = make_call(*state, 4);
    call.on_delivery = fetch_one_on_delivery;
    set_concurrency(*state, 2);
    FAKE_SCRIPT(1, {.duration_ms = 100});
    FAKE_SCRIPT(2, {.duration_ms = 150});
    FAKE_SCRIPT(3, {.duration_ms = 400});
    FAKE_SCRIPT(4, {.duration_ms = 50});
    fetch_all(&call, REPLY_OK);
    expect_delivery(&call, 0, 0, 100, REPLY_OK, 1);
    expect_delivery(&call, 1, 1, 200, REPLY_OK, 1);
    expect_delivery(&call, 2, 3, 300, REPLY_OK, 1);
    expect_delivery(&call, 3, 2, 500, REPLY_OK, 1);
    assert_int_equal(fake_now_ms(), 600);
    assert_int_equal(fake_count_opened_sessions(), 2);
    EXPECT_STARTS(0, 0, 100, 100, 200, 200, 300, 500);
}

static void fetch_many_on_delivery(struct call *call, size_t index) {
    if (index == 0) {
        struct call *inner = calloc(1, sizeof *inner);
        assert_non_null(inner);
        *inner = make_call(call->client, 5);
        fetch_many(inner);
        call->has_invalid_delivery = call->has_invalid_delivery || inner->result != REPLY_OK ||
                                     inner->delivery_count != 5 || inner->has_invalid_delivery;
        free(inner);
    }
}

static void test_callback_may_fetch_many(void **state) {
    struct call call = make_call(*state, 6);
    call.on_delivery = fetch_many_on_delivery;
    fetch_all(&call, REPLY_OK);
    assert_int_equal(fake_count_events(FAKE_START), 11);
    assert_int_equal(fake_count_opened_sessions(), 2);
}

static void interrupt_on_delivery(struct call *call, size_t index) {
    if (index == 1) {
        reply_client_interrupt(call->client);
        fetch_one_on_delivery(call, index); /* begins after the interrupt */
    }
}

static void test_callback_may_interrupt(void **state) {
    struct call call = make_call(*state, 5);
    call.on_delivery = interrupt_on_delivery;
    set_concurrency(*state, 3);
    FAKE_SCRIPT(1, {.duration_ms = 5000});
    FAKE_SCRIPT(3, {.duration_ms = 5000});
    fetch_all(&call, REPLY_ERROR_CANCELLED);
    expect_delivery(&call, 0, 1, 100, REPLY_OK, 1);
    expect_index(&call, 0, 200, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 2, 200, REPLY_ERROR_CANCELLED, 1);
    expect_index(&call, 3, 200, REPLY_ERROR_CANCELLED, 1); /* sent before the callback */
    expect_index(&call, 4, 200, REPLY_ERROR_CANCELLED, 0);
}

static void interrupt_on_first_delivery(struct call *call, size_t index) {
    if (index == 0) {
        reply_client_interrupt(call->client);
    }
}

/* Catches an interrupt that discards contacts which have arrived. */
static void test_interrupt_keeps_queued_contacts(void **state) {
    struct call call = make_call(*state, 10);
    call.on_delivery = interrupt_on_first_delivery;
    fetch_all(&call, REPLY_ERROR_CANCELLED);
    for (size_t i = 0; i < 10; i++) {
        expect_delivery(&call, i, i, 100, i < 4 ? REPLY_OK : REPLY_ERROR_CANCELLED, i < 8 ? 1 : 0);
    }
    assert_int_equal(fake_count_events(FAKE_RETIRE), 4);
    /* Read together with the interrupt. */
    struct call next = make_call(*state, 10);
    fake_interrupt_at(200, *state);
    fetch_all(&next, REPLY_ERROR_CANCELLED);
    for (size_t i = 0; i < 10; i++) {
        expect_delivery(&next, i, i, 200, i < 4 ? REPLY_OK : REPLY_ERROR_CANCELLED, i < 4 ? 1 : 0);
    }
}

/* Catches an interrupt that changes the result of a call of which nothing is left. */
static void test_interrupt_after_last_response_is_ignored(void **state) {
    struct call call = make_call(*state, 4);
    call.on_delivery = interrupt_on_first_delivery;
    fetch_all(&call, REPLY_OK);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 0);
}

static void decode_on_delivery(struct call *call, size_t index) {
    static const char json[] =
        "{\"contactId\":1,\"sequenceId\":2,\"status\":\"Paused\",\"currentStep\":1,"
        "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}";
    reply_sequence_contact *contact = NULL;
    (void)index;
    call->has_invalid_delivery =
        call->has_invalid_delivery ||
        reply_decode_sequence_contact(json, strlen(json), &contact, NULL) != REPLY_OK ||
        contact->status != REPLY_CONTACT_STATUS_PAUSED;
    reply_sequence_contact_free(contact);
    call->has_invalid_delivery =
        call->has_invalid_delivery ||
        reply_client_set_max_retries(call->client, 1, NULL) != REPLY_ERROR_INVALID_ARGUMENT;
}

static void test_callback_may_decode(void **state) {
    struct call call = make_call(*state, 3);
    call.on_delivery = decode_on_delivery;
    fetch_all(&call, REPLY_OK);
}

/* ---- Ownership and memory ---- */

static int keep_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                        const reply_error *error, void *user_data) {
    reply_sequence_contact **contacts = user_data;
    (void)result;
    (void)error;
    contacts[index] = contact;
    return 0;
}

static void test_contacts_outlive_client(void **state) {
    reply_sequence_contact *contacts[10] = {NULL};
    reply_client *client = fake_create_client();
    (void)state;
    assert_int_equal(reply_get_sequence_contacts(client, SEQUENCE, ids_1_to_10, 10, keep_contact,
                                                 contacts, NULL),
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

static void test_session_out_of_memory_ends_call(void **state) {
    struct call call = make_call(*state, 6);
    fake_fail_opens(1);
    fetch_all(&call, REPLY_ERROR_NO_MEMORY);
    for (size_t i = 0; i < 6; i++) {
        expect_words(expect_delivery(&call, i, i, 0, REPLY_ERROR_NO_MEMORY, 0), "memory");
    }
    assert_int_equal(fake_count_events(FAKE_START), 0);
    struct call next = make_call(*state, 6);
    fetch_all(&next, REPLY_OK);
    fake_fail_opens(1);
    struct call after = make_call(*state, 6);
    fetch_all(&after, REPLY_OK);
}

/* Catches a session that is reused after it was out of memory. */
static void test_broken_session_is_closed(void **state) {
    struct call call = make_call(*state, 6);
    set_concurrency(*state, 2);
    FAKE_SCRIPT(2, {.duration_ms = 10, .failure = REPLY_ERROR_NO_MEMORY});
    fetch_all(&call, REPLY_OK);
    expect_delivery(&call, 0, 1, 10, REPLY_ERROR_NO_MEMORY, 1);
    assert_int_equal(fake_count_opened_sessions(), 1);
    assert_int_equal(fake_count_open_sessions(), 0);
    struct call next = {.client = *state, .ids = ids_1_to_10 + 6, .count = 2};
    fetch_all(&next, REPLY_OK);
    assert_int_equal(fake_count_opened_sessions(), 2);
    assert_int_equal(fake_count_open_sessions(), 1);
}

enum { MANY = 50000, WARM = 1000 };

struct growth {
    size_t delivery_count;
    size_t early_bytes, late_bytes;
};

/* Returns the bytes on the heap, or 0 if the C library does not report them. */
static size_t get_heap_bytes(void) {
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#endif
#endif
    return 0;
}

static int measure_heap(size_t index, reply_result result, reply_sequence_contact *contact,
                        const reply_error *error, void *user_data) {
    struct growth *growth = user_data;
    (void)index;
    (void)error;
    reply_sequence_contact_free(contact);
    fake_clear_events();
    growth->delivery_count += result == REPLY_OK;
    if (growth->delivery_count == WARM) {
        growth->early_bytes = get_heap_bytes();
    }
    growth->late_bytes = get_heap_bytes();
    return 0;
}

static void test_memory_is_independent_of_count(void **state) {
    struct growth growth = {0};
    int64_t *ids = malloc(MANY * sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < MANY; i++) {
        ids[i] = 1000000 + i; /* bodies of equal length */
    }
    assert_int_equal(reply_client_set_log(*state, NULL, NULL, NULL), REPLY_OK);
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, ids, MANY, measure_heap, &growth, NULL),
        REPLY_OK);
    free(ids);
    assert_int_equal(growth.delivery_count, MANY);
    assert_int_equal(fake_count_opened_sessions(), 1);
    assert_int_equal(fake_get_slot_count(), 4);
    assert_true(growth.late_bytes <= growth.early_bytes + 8192);
}

/* ---- Threads ---- */

static void fetch_in_thread(void *call) {
    fetch_many(call);
}

/* Catches calls that share a session or wait for the slots of each other. */
static void test_threads_share_client(void **state) {
    static struct call calls[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = make_call(*state, 10);
    }
    fake_run_in_threads(fetch_in_thread, calls, sizeof calls[0], 4);
    for (int i = 0; i < 4; i++) {
        expect_each_once(&calls[i]);
        assert_int_equal(calls[i].result, REPLY_OK);
    }
    assert_int_equal(fake_now_ms(), 300);
    assert_int_equal(fake_get_max_in_flight(), 16);
    assert_int_equal(fake_count_opened_sessions(), 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_invalid_arguments_are_rejected),
        TEST(test_invalid_arguments_deliver_nothing),
        TEST(test_error_may_be_null),
        TEST(test_optional_arguments_may_be_null),
        TEST(test_count_0_delivers_nothing),
        TEST(test_invalid_id_is_delivered_as_error),
        TEST(test_invalid_ids_send_nothing),
        TEST(test_wrong_contact_is_rejected),
        TEST(test_invalid_contact_keeps_connection),
        TEST(test_url_is_made_of_ids),
        TEST(test_longest_url_is_complete),
        TEST(test_largest_id_is_accepted),
        TEST(test_byte_order_mark_is_skipped),
        TEST(test_session_out_of_memory_is_reported),
        TEST(test_lack_of_descriptors_is_reported),
        TEST(test_contacts_are_delivered_as_completed),
        TEST(test_next_requests_precede_deliveries),
        TEST(test_invalid_ids_are_delivered_in_order),
        TEST(test_duplicate_ids_are_delivered_separately),
        TEST(test_failed_contact_spares_others),
        TEST(test_attempt_timeout_spares_others),
        TEST(test_skipped_wait_spares_others),
        TEST(test_failure_at_deadline_affects_one_contact),
        TEST(test_401_ends_call),
        TEST(test_401_of_last_contact_ends_call),
        TEST(test_deadline_after_401_ends_attempts),
        TEST(test_default_timeout_is_unlimited),
        TEST(test_deadline_ends_call),
        TEST(test_timeout_of_last_contact_ends_call),
        TEST(test_response_at_deadline_is_delivered),
        TEST(test_slow_callback_uses_call_timeout),
        TEST(test_callback_stops_call),
        TEST(test_callback_stops_at_invalid_id),
        TEST(test_callback_stops_failed_call),
        TEST(test_callback_stops_interrupted_call),
        TEST(test_callback_stops_without_session),
        TEST(test_callback_may_fetch_one),
        TEST(test_callback_may_fetch_many),
        TEST(test_callback_may_interrupt),
        TEST(test_interrupt_keeps_queued_contacts),
        TEST(test_interrupt_after_last_response_is_ignored),
        TEST(test_callback_may_decode),
        TEST(test_contacts_outlive_client),
        TEST(test_session_out_of_memory_ends_call),
        TEST(test_broken_session_is_closed),
        TEST(test_memory_is_independent_of_count),
        TEST(test_threads_share_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
