/* wire.h - clients of a scripted server, the contacts that they fetch and the log that they write.
 * Every function asserts, and belongs on the test's own thread, unless it says otherwise. */
#ifndef REPLYIO_TESTS_WIRE_H
#define REPLYIO_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"
#include "support/scripted_server.h"

#define WIRE_KEY  "k3y-S3cret.0123456789~abcdef"
#define WIRE_PATH "/v4/sequences/100/contacts/12345"

/* A test of cmocka whose teardown is wire_tear_down. */
#define WIRE_TEST(function) cmocka_unit_test_teardown(function, wire_tear_down)

/* Creates a client with this base URL, without retries, with an attempt timeout of 10 s (scaled)
 * and a log that is kept. wire_tear_down destroys it. */
reply_client *wire_create_client(const char *base_url);

/* Creates a client like that of a new server that plays the script. */
reply_client *wire_create_client_of(const struct server_step *script);

/* Destroys a client before wire_tear_down. */
void wire_destroy_client(reply_client *client);

/* Fetches contact 12345 in sequence 100. Checks also what holds for every call: the error fits the
 * result, neither it nor the log contains the key, and the contact is the requested one. error may
 * be NULL. */
reply_result wire_fetch_one(reply_client *client, reply_error *error);

/* Fetches like wire_fetch_one, but another contact. */
reply_result wire_fetch_ids(reply_client *client, int64_t sequence_id, int64_t contact_id,
                            reply_error *error);

/* Fetches contact 12345 in sequence 100 on another thread, and interrupts the client delay_ms after
 * the server's first request. Sets *result to the call's. Returns the time from the interrupt to
 * the end of the call. */
int64_t wire_interrupt_call(reply_client *client, struct server *server, int64_t delay_ms,
                            reply_result *result);

/* Fetches like wire_fetch_one, with a new client of a new server that plays the script. */
reply_result wire_fetch_from(const struct server_step *script, reply_error *error);

enum { WIRE_MAX_CONTACTS = 200, WIRE_RESULT_COUNT = REPLY_ERROR_HTTP + 1 };

struct wire_summary {
    reply_result result; /* of the call */
    reply_error error;
    bool is_each_delivered_once;
    int contact_count;                   /* deliveries of the requested contact */
    int error_counts[WIRE_RESULT_COUNT]; /* deliveries of an error, per result */
    int max_attempts;                    /* of any delivery */
};

/* Fetches the contacts 1 to count, at most WIRE_MAX_CONTACTS, in one call. Does not assert and may
 * be called on any thread. */
struct wire_summary wire_fetch_many(reply_client *client, int64_t sequence_id, int count);

/* Fetches like wire_fetch_many. Checks that the call succeeds and delivers each contact or its
 * error once.
 */
struct wire_summary wire_fetch_all(reply_client *client, int64_t sequence_id, int count);

/* Sets functions that run within each line of the log and each delivery of wire_fetch_many. NULL:
 * none. wire_tear_down unsets them. */
void wire_set_hooks(void (*on_line)(const char *line), void (*on_contact)(size_t index));

/* Copies the log of all clients since the test began, each line with a newline. May be called on
 * any thread. The caller frees it with free. */
char *wire_copy_log(void);

/* Returns how many of its lines start with prefix. May be called on any thread. */
int wire_count_log(const char *prefix);

/* Returns the sum of the waits in the log, in milliseconds. May be called on any thread. */
int64_t wire_total_wait_ms(void);

/* Waits until that many lines of the log start with prefix. */
void wire_await_log(const char *prefix, int count);

/* Destroys the clients, stops the servers, ends the faults and empties the log. Returns 0. */
int wire_tear_down(void **state);

#endif
