/* test_host_code.c - slow callbacks and forks of the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "replyio.h"
#include "support/child.h"
#include "support/contact_server.h"
#include "support/timing.h"

static char base_url[64];

enum { CONTACTS = 8, ATTEMPT_MS = 300, CALLBACK_MS = 350 };

static int sleep_on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                            const reply_error *error, void *user_data) {
    int *delivered = user_data;
    (void)index;
    assert_int_equal(result, REPLY_OK);
    assert_int_equal(error->attempts, 1);
    reply_sequence_contact_free(contact);
    timing_sleep_ms(timing_scale_ms(CALLBACK_MS));
    ++*delivered;
    return 0;
}

/* Would catch attempts of other contacts that time out during the callback. */
static void test_callback_time_spares_attempt_timeouts(void **state) {
    static const int64_t ids[CONTACTS] = {1, 2, 3, 4, 5, 6, 7, 8};
    reply_client *client = NULL;
    int delivered = 0;
    (void)state;
    assert_int_equal(reply_client_create("k3y-Secret", &client, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, timing_scale_ms(ATTEMPT_MS), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(client, 4, NULL), REPLY_OK);
    assert_int_equal(
        reply_get_sequence_contacts(client, 100, ids, CONTACTS, sleep_on_contact, &delivered, NULL),
        REPLY_OK);
    assert_int_equal(delivered, CONTACTS);
    reply_client_destroy(client);
}

static atomic_bool is_stopping;

static void *create_and_destroy(void *unused) {
    (void)unused;
    while (!is_stopping) {
        reply_client *client = NULL;
        if (reply_client_create("k3y-Secret", &client, NULL) == REPLY_OK) {
            reply_client_destroy(client);
        }
    }
    return NULL;
}

static int create_in_child(void *unused) {
    reply_client *client = NULL;
    (void)unused;
    const reply_result result = reply_client_create("k3y-Secret", &client, NULL);
    reply_client_destroy(client);
    return result == REPLY_OK ? 0 : 1;
}

/* Would catch a child that waits for a lock that another thread of the parent held. */
static void test_child_creates_client(void **state) {
    const int child_count = (int)(1000 / timing_scale_ms(1)); /* fewer if everything is slow */
    pthread_t threads[3];
    (void)state;
    if (!child_works_beside_threads()) {
        skip();
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, create_and_destroy, NULL), 0);
    }
    for (int i = 0; i < child_count; i++) {
        const int status = child_run(create_in_child, NULL);
        if (status != 0) {
            is_stopping = true;
        }
        assert_int_equal(status, 0);
    }
    is_stopping = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_callback_time_spares_attempt_timeouts),
                                       cmocka_unit_test(test_child_creates_client)};
    const pid_t server = contact_server_start(base_url);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    contact_server_stop(server);
    return failed;
}
