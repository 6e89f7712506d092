/* fetch.c - calls for one and for many contacts of a sequence, and checks of what they deliver. */
#include "support/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/check_error.h"
#include "support/fake_transport.h"

const int64_t ids_1_to_10[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

void set_retries(reply_client *client, int32_t retries) {
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
}

void set_timeout(reply_client *client, int64_t ms) {
    assert_int_equal(reply_client_set_timeout_ms(client, ms, NULL), REPLY_OK);
}

void set_concurrency(reply_client *client, int32_t requests) {
    assert_int_equal(reply_client_set_max_concurrency(client, requests, NULL), REPLY_OK);
}

reply_result fetch_one(reply_client *client, int64_t contact_id, reply_error *error) {
    /* A valid address, which the call must overwrite. */
    reply_sequence_contact *contact = (reply_sequence_contact *)error;
    const reply_result result =
        reply_get_sequence_contact(client, SEQUENCE, contact_id, &contact, error);
    assert_int_equal(error->result, result);
    if (result == REPLY_OK) {
        assert_non_null(contact);
        assert_int_equal(contact->contact_id, contact_id);
        assert_int_equal(contact->sequence_id, SEQUENCE);
        expect_empty_error(error);
    } else {
        assert_null(contact);
        expect_one_line(error);
    }
    reply_sequence_contact_free(contact);
    return result;
}

static bool is_valid_delivery(const struct call *call, size_t index, reply_result result,
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

static int record_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                           const reply_error *error, void *user_data) {
    struct call *call = user_data;
    call->has_invalid_delivery = call->has_invalid_delivery ||
                                 !is_valid_delivery(call, index, result, contact, error) ||
                                 call->delivery_count == MAX_DELIVERIES;
    if (!call->has_invalid_delivery) {
        call->deliveries[call->delivery_count++] = (struct delivery){index, *error, fake_now_ms()};
    }
    reply_sequence_contact_free(contact);
    if (call->on_delivery != NULL) {
        call->on_delivery(call, index);
    }
    return call->delivery_count == call->stop_at ? call->stop_value : 0;
}

struct call make_call(reply_client *client, size_t count) {
    return (struct call){.client = client, .ids = ids_1_to_10, .count = count};
}

void fetch_many(struct call *call) {
    call->thread = pthread_self();
    call->stop_value = call->stop_value == 0 ? 1 : call->stop_value;
    call->result = reply_get_sequence_contacts(call->client, SEQUENCE, call->ids, call->count,
                                               record_delivery, call, &call->error);
}

void fetch_all(struct call *call, reply_result result) {
    fetch_many(call);
    assert_string_equal(reply_result_name(call->result), reply_result_name(result));
    assert_int_equal(call->error.result, result);
    assert_int_equal(call->error.attempts, 0);
    expect_each_once(call);
}

void expect_each_once(const struct call *call) {
    char counts[MAX_DELIVERIES] = {0};
    assert_false(call->has_invalid_delivery);
    assert_int_equal(call->delivery_count, call->count);
    for (size_t i = 0; i < call->delivery_count; i++) {
        assert_int_equal(counts[call->deliveries[i].index]++, 0);
    }
}

static void expect_delivery_values(const struct delivery *delivery, int64_t time_ms,
                                   reply_result result, int32_t attempts) {
    assert_string_equal(reply_result_name(delivery->error.result), reply_result_name(result));
    assert_int_equal(delivery->time_ms, time_ms);
    assert_int_equal(delivery->error.attempts, attempts);
}

const reply_error *expect_delivery(const struct call *call, size_t nth, size_t index,
                                   int64_t time_ms, reply_result result, int32_t attempts) {
    assert_true(nth < call->delivery_count);
    assert_int_equal(call->deliveries[nth].index, index);
    expect_delivery_values(&call->deliveries[nth], time_ms, result, attempts);
    return &call->deliveries[nth].error;
}

const struct delivery *find_delivery(const struct call *call, size_t index) {
    for (size_t i = 0; i < call->delivery_count; i++) {
        if (call->deliveries[i].index == index) {
            return &call->deliveries[i];
        }
    }
    fail_msg("index %zu was not delivered", index);
    return NULL;
}

void expect_index(const struct call *call, size_t index, int64_t time_ms, reply_result result,
                  int32_t attempts) {
    expect_delivery_values(find_delivery(call, index), time_ms, result, attempts);
}
