/* wire.c - clients of a scripted server, the contacts that they fetch and the log that they write.
 */
#include "support/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/libc_fault.h"
#include "support/timing.h"
#include "support/check_range.h"

enum { MAX_CLIENTS = 64, MAX_LOG_SIZE = 1024 * 1024 };

/* Only the test's own thread uses these. */
static reply_client *clients[MAX_CLIENTS];
static size_t client_count;

/* ---- The log ---- */

static struct {
    pthread_mutex_t lock;
    size_t length;
    char text[MAX_LOG_SIZE];
} kept_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void (*on_log_line)(const char *line);
static void (*on_delivery)(size_t index);

void wire_set_hooks(void (*on_line)(const char *line), void (*on_contact)(size_t index)) {
    on_log_line = on_line;
    on_delivery = on_contact;
}

static void keep_log_line(const char *line, void *user_data) {
    (void)user_data;
    pthread_mutex_lock(&kept_log.lock);
    const size_t length = strlen(line);
    if (kept_log.length + length + 2 < MAX_LOG_SIZE) {
        memcpy(kept_log.text + kept_log.length, line, length);
        kept_log.length += length;
        memcpy(kept_log.text + kept_log.length, "\n", 2);
        kept_log.length++;
    }
    pthread_mutex_unlock(&kept_log.lock);
    if (on_log_line != NULL) {
        on_log_line(line);
    }
}

static void empty_log(void) {
    pthread_mutex_lock(&kept_log.lock);
    kept_log.length = 0;
    kept_log.text[0] = '\0';
    pthread_mutex_unlock(&kept_log.lock);
}

char *wire_copy_log(void) {
    pthread_mutex_lock(&kept_log.lock);
    char *copy = strdup(kept_log.text);
    pthread_mutex_unlock(&kept_log.lock);
    if (copy == NULL) {
        abort();
    }
    return copy;
}

/* Counts the lines that start with prefix and adds up the numbers that follow it. */
static int count_log(const char *prefix, int64_t *sum) {
    char *log = wire_copy_log();
    int count = 0;
    *sum = 0;
    for (const char *line = log; *line != '\0'; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            count++;
            *sum += strtoll(line + strlen(prefix), NULL, 10);
        }
    }
    free(log);
    return count;
}

int wire_count_log(const char *prefix) {
    int64_t sum = 0;
    return count_log(prefix, &sum);
}

int64_t wire_total_wait_ms(void) {
    int64_t sum = 0;
    count_log("wait ", &sum);
    return sum;
}

/* Polls, because the log function must not do anything that could delay a call. */
void wire_await_log(const char *prefix, int count) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    while (wire_count_log(prefix) < count) {
        if (timing_now_ms() > deadline) {
            fail_msg("expected %d lines \"%s\" in the log", count, prefix);
        }
        timing_sleep_ms(1);
    }
}

/* ---- Clients ---- */

reply_client *wire_create_client(const char *base_url) {
    reply_client *client = NULL;
    assert_true(client_count < MAX_CLIENTS);
    assert_int_equal(reply_client_create(WIRE_KEY, &client, NULL), REPLY_OK);
    clients[client_count++] = client;
    assert_int_equal(reply_client_set_base_url(client, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 0, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, timing_scale_ms(10000), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_log(client, keep_log_line, NULL, NULL), REPLY_OK);
    return client;
}

reply_client *wire_create_client_of(const struct server_step *script) {
    return wire_create_client(server_url(server_start(script)));
}

void wire_destroy_client(reply_client *client) {
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i] == client) {
            reply_client_destroy(client);
            clients[i] = NULL;
        }
    }
}

/* ---- Contacts ---- */

static void check_without_key(const char *text) {
    if (strstr(text, WIRE_KEY) != NULL) {
        fail_msg("the key is in \"%s\"", text);
    }
}

static void check_log(void) {
    char *log = wire_copy_log();
    check_without_key(log);
    assert_null(strstr(log, "example.com"));
    free(log);
}

static void check_reserved(const reply_error *error) {
    static const char zeros[sizeof error->reserved];
    assert_memory_equal(error->reserved, zeros, sizeof zeros);
}

static void check_failure(const reply_error *error) {
    assert_true(strlen(error->message) > 10);
    for (const char *at = error->message; *at != '\0'; at++) {
        assert_true((unsigned char)*at >= ' ' && *at != 0x7F);
    }
    check_without_key(error->message);
    check_without_key(error->problem_code);
    check_without_key(error->request_id);
}

static void check_success(const reply_error *error) {
    assert_int_equal(error->http_status, 0);
    assert_int_equal(error->curl_code, 0);
    assert_true(error->attempts >= 1);
    assert_int_equal(error->retry_after_ms, -1);
    assert_string_equal(error->problem_code, "");
    assert_string_equal(error->request_id, "");
    assert_string_equal(error->message, "");
}

reply_result wire_fetch_ids(reply_client *client, int64_t sequence_id, int64_t contact_id,
                            reply_error *error) {
    reply_error own_error;
    reply_error *filled = error != NULL ? error : &own_error;
    reply_sequence_contact *contact = (reply_sequence_contact *)(uintptr_t)filled; /* not NULL */
    memset(filled, 0x5A, sizeof *filled);
    const reply_result result =
        reply_get_sequence_contact(client, sequence_id, contact_id, &contact, filled);
    assert_int_equal(filled->result, result);
    check_reserved(filled);
    check_log();
    if (result != REPLY_OK) {
        assert_null(contact);
        check_failure(filled);
        return result;
    }
    check_success(filled);
    assert_non_null(contact);
    assert_int_equal(contact->sequence_id, sequence_id);
    assert_int_equal(contact->contact_id, contact_id);
    reply_sequence_contact_free(contact);
    return result;
}

reply_result wire_fetch_one(reply_client *client, reply_error *error) {
    return wire_fetch_ids(client, 100, 12345, error);
}

reply_result wire_fetch_from(const struct server_step *script, reply_error *error) {
    return wire_fetch_one(wire_create_client_of(script), error);
}

struct call {
    reply_client *client;
    reply_result result;
    int64_t ended_ms;
};

/* Asserts nothing, because only the test's own thread may fail the test. */
static void *run_call(void *context) {
    struct call *call = context;
    reply_sequence_contact *contact = NULL;
    call->result = reply_get_sequence_contact(call->client, 100, 12345, &contact, NULL);
    call->ended_ms = timing_now_ms();
    reply_sequence_contact_free(contact);
    return NULL;
}

int64_t wire_interrupt_call(reply_client *client, struct server *server, int64_t delay_ms,
                            reply_result *result) {
    pthread_t thread;
    struct call call = {.client = client};
    assert_int_equal(pthread_create(&thread, NULL, run_call, &call), 0);
    server_await_requests(server, 1);
    timing_sleep_ms(delay_ms);
    const int64_t interrupted_ms = timing_now_ms();
    reply_client_interrupt(client);
    pthread_join(thread, NULL);
    *result = call.result;
    return call.ended_ms - interrupted_ms;
}

/* ---- Many contacts ---- */

struct deliveries {
    int counts[WIRE_MAX_CONTACTS];
    struct wire_summary summary;
};

static int record_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                           const reply_error *error, void *user_data) {
    struct deliveries *deliveries = user_data;
    struct wire_summary *summary = &deliveries->summary;
    const bool is_contact = contact != NULL && contact->contact_id == (int64_t)index + 1;
    deliveries->counts[index]++;
    summary->contact_count += result == REPLY_OK && is_contact;
    if (result != REPLY_OK && contact == NULL && error->result == result) {
        summary->error_counts[result]++;
    }
    if (error->attempts > summary->max_attempts) {
        summary->max_attempts = error->attempts;
    }
    reply_sequence_contact_free(contact);
    if (on_delivery != NULL) {
        on_delivery(index);
    }
    return 0;
}

struct wire_summary wire_fetch_many(reply_client *client, int64_t sequence_id, int count) {
    int64_t ids[WIRE_MAX_CONTACTS] = {0};
    struct deliveries deliveries = {.summary = {.is_each_delivered_once = true}};
    struct wire_summary *summary = &deliveries.summary;
    for (int i = 0; i < count; i++) {
        ids[i] = i + 1;
    }
    summary->result = reply_get_sequence_contacts(client, sequence_id, ids, (size_t)count,
                                                  record_delivery, &deliveries, &summary->error);
    for (int i = 0; i < count; i++) {
        summary->is_each_delivered_once &= deliveries.counts[i] == 1;
    }
    return *summary;
}

struct wire_summary wire_fetch_all(reply_client *client, int64_t sequence_id, int count) {
    check_in_range(count, 1, WIRE_MAX_CONTACTS);
    const struct wire_summary summary = wire_fetch_many(client, sequence_id, count);
    assert_int_equal(summary.result, REPLY_OK);
    assert_true(summary.is_each_delivered_once);
    return summary;
}

/* ---- Teardown ---- */

int wire_tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < client_count; i++) {
        reply_client_destroy(clients[i]);
    }
    client_count = 0;
    server_stop_all();
    wire_set_hooks(NULL, NULL);
    libc_fault_end();
    empty_log();
    return 0;
}
