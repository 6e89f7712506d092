/* test_fork.c - a call whose callback or log function forks and returns in both processes, on a
 * fake transport. The child must end its call without another word, and the parent must not notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "api/client.h"
#include "support/check_error.h"
#include "support/child.h"
#include "support/fake_transport.h"
#include "support/fetch.h"
#include "replyio.h"

/* The process forks at the nth call of the host's code, counted from 1. */
static size_t fork_at, host_call_count;
static reply_client *client;
static pid_t child = -1; /* 0 in the child */

/* What the child has found at the fork, and must find at the end of its call. */
static struct {
    size_t event_count, log_length;
    int wake_count;
    size_t host_call_count;
} found;

static void note_state(void) {
    fake_get_events(&found.event_count);
    found.log_length = strlen(fake_get_log());
    found.wake_count = fake_count_wakes();
    found.host_call_count = host_call_count;
}

/* Forks while another thread of the process could hold the client's locks: a child that takes one
 * of them would hang. */
static void call_host(void) {
    if (++host_call_count != fork_at) {
        return;
    }
    pthread_mutex_lock(&client->lock);
    pthread_mutex_lock(&client->gate.lock);
    child = fork();
    if (child == 0) {
        alarm(10);
        note_state();
    } else {
        pthread_mutex_unlock(&client->gate.lock);
        pthread_mutex_unlock(&client->lock);
    }
}

static void log_and_fork(const char *line, void *user_data) {
    fake_record_line(line, user_data);
    call_host();
}

static void fork_on_delivery(struct call *call, size_t index) {
    (void)call;
    (void)index;
    call_host();
}

/* Returns 0, or the number of the check that failed. */
static int check_child(const struct call *call) {
    size_t event_count = 0;
    fake_get_events(&event_count);
    if (call->result != REPLY_ERROR_INVALID_ARGUMENT || call->error.result != call->result ||
        strstr(call->error.message, "fork") == NULL) {
        return 1;
    }
    if (event_count != found.event_count || fake_count_wakes() != found.wake_count) {
        return 2; /* the parent's connections were used */
    }
    if (strlen(fake_get_log()) != found.log_length || host_call_count != found.host_call_count) {
        return 3; /* something was logged or delivered */
    }
    reply_client_destroy(client);
    return fake_count_open_sessions() == 0 && fake_count_inherited_sessions() == 1 ? 0 : 4;
}

#define WRONG_CONTACT                                                                              \
    "{\"contactId\":999,\"sequenceId\":100,\"status\":\"Active\",\"currentStep\":1,"               \
    "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"

/* Makes a call in which all happens that a child must not do: attempts start, end, are recalled and
 * cancelled, connections are retired, the gate closes and the call is interrupted. Returns true if
 * it has forked. */
static bool fetch_and_fork(void) {
    struct call call = make_call(client, 10);
    FAKE_SCRIPT(1, {.duration_ms = 100, .http_status = 503}, {.duration_ms = 10});
    FAKE_SCRIPT(2, {.duration_ms = 150, .body = WRONG_CONTACT});
    FAKE_SCRIPT(3, {.duration_ms = 200, .http_status = 429, .retry_after = "10"},
                {.duration_ms = 10});
    FAKE_SCRIPT(4, {.connect_ms = 120, .duration_ms = 10, .failure = REPLY_ERROR_NETWORK},
                {.duration_ms = 20});
    FAKE_SCRIPT(5, {.connect_ms = 300, .duration_ms = 10});
    FAKE_SCRIPT(8, {.duration_ms = 60000});
    FAKE_SCRIPT(9, {.connect_ms = 60000});
    fake_interrupt_at(20000, client);
    call.on_delivery = fork_on_delivery;
    host_call_count = 0;
    child = -1;
    fetch_many(&call);
    if (child == 0) {
        child_quit(check_child(&call));
    }
    expect_each_once(&call);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 3);
    assert_true(fake_count_events(FAKE_RECALL) > 0);
    return child > 0;
}

/* Catches a child that delivers, logs, waits for a lock or touches a connection after the fork, at
 * each call of the host's code. */
static void test_child_ends_call_after_fork(void **state) {
    fork_at = 0;
    do {
        fork_at++;
        fake_teardown(state);
        fake_setup(state);
        client = *state;
        assert_int_equal(reply_client_set_log(client, log_and_fork, NULL, NULL), REPLY_OK);
        if (fetch_and_fork()) {
            const int status = child_wait(child);
            if (status != 0) {
                fail_msg("forked at call %zu of the host's code: %d", fork_at, status);
            }
        }
    } while (child > 0);
    assert_true(fork_at > 20);
}

/* Catches a call for one contact that succeeds in the child. */
static void test_child_ends_call_for_one(void **state) {
    reply_error error;
    client = *state;
    fork_at = 1;
    host_call_count = 0;
    assert_int_equal(reply_client_set_log(client, log_and_fork, NULL, NULL), REPLY_OK);
    reply_sequence_contact *contact = NULL;
    const reply_result result = reply_get_sequence_contact(client, SEQUENCE, 7, &contact, &error);
    if (child == 0) {
        child_quit(result == REPLY_ERROR_INVALID_ARGUMENT && contact == NULL &&
                           strstr(error.message, "fork") != NULL
                       ? 0
                       : 1);
    }
    reply_sequence_contact_free(contact);
    assert_int_equal(result, REPLY_OK);
    assert_int_equal(child_wait(child), 0);
}

/* Catches a call without a session that goes on in the child. */
static void test_child_ends_call_without_session(void **state) {
    struct call call = make_call(*state, 3);
    client = *state;
    fork_at = 1;
    host_call_count = 0;
    call.on_delivery = fork_on_delivery;
    fake_fail_opens(1);
    fetch_many(&call);
    if (child == 0) {
        child_quit(call.result == REPLY_ERROR_INVALID_ARGUMENT && call.delivery_count == 1 ? 0 : 1);
    }
    assert_int_equal(child_wait(child), 0);
    assert_int_equal(call.result, REPLY_ERROR_NO_MEMORY);
    expect_each_once(&call);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_child_ends_call_after_fork),
        TEST(test_child_ends_call_for_one),
        TEST(test_child_ends_call_without_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
