/* fetch.h - calls for one and for many contacts of a sequence, and checks of what they deliver, for
 * tests on the fake transport. */
#ifndef REPLYIO_TESTS_FETCH_H
#define REPLYIO_TESTS_FETCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

enum { SEQUENCE = 100, MAX_DELIVERIES = 300 };

/* Set a setting, which must be valid. */
void set_retries(reply_client *client, int32_t retries);
void set_timeout(reply_client *client, int64_t ms);
void set_concurrency(reply_client *client, int32_t requests);

/* ---- One contact ---- */

/* Fetches and frees a contact. Fails unless the call returns the requested contact and an empty
 * error, or no contact and an error. */
reply_result fetch_one(reply_client *client, int64_t contact_id, reply_error *error);

/* ---- Many contacts ---- */

struct delivery {
    size_t index;
    reply_error error;
    int64_t time_ms;
};

/* A call for many contacts and what it delivered. */
struct call {
    reply_client *client;
    const int64_t *ids;
    size_t count;
    size_t stop_at; /* the delivery, counted from 1, that stops the call; 0: none */
    int stop_value; /* what the callback returns then; 0: 1 */
    void (*on_delivery)(struct call *call, size_t index); /* may be NULL */
    pthread_t thread;
    bool has_invalid_delivery; /* in another thread, or of another contact */
    struct delivery deliveries[MAX_DELIVERIES];
    size_t delivery_count;
    reply_result result;
    reply_error error;
};

/* The ids 1 to 10. */
extern const int64_t ids_1_to_10[];

/* Returns a call for the contacts 1 to count, at most 10. */
struct call make_call(reply_client *client, size_t count);

/* Makes the call, without any check. */
void fetch_many(struct call *call);

/* Makes the call, and fails unless it has the result and each contact was delivered once. */
void fetch_all(struct call *call, reply_result result);

/* Fails unless each contact was delivered once. */
void expect_each_once(const struct call *call);

/* Fails unless the nth delivery, counted from 0, is as given. Returns its error. */
const reply_error *expect_delivery(const struct call *call, size_t nth, size_t index,
                                   int64_t time_ms, reply_result result, int32_t attempts);

/* Returns the delivery of an index, which must exist. */
const struct delivery *find_delivery(const struct call *call, size_t index);

/* Fails unless the delivery of an index is as given. */
void expect_index(const struct call *call, size_t index, int64_t time_ms, reply_result result,
                  int32_t attempts);

#endif
