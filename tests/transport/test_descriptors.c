/* test_descriptors.c - calls while the process has few file descriptors left, and after. The server
 * is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/check_error.h"
#include "support/contact_server.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { MAX_DESCRIPTORS = 256, MAX_LEFT = 4 };

static char base_url[64];

static struct rlimit limit;
static int held[MAX_DESCRIPTORS];
static int held_count;

/* Leaves the process this many file descriptors. */
static void hold_all_but(int left) {
    const struct rlimit low = {MAX_DESCRIPTORS, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int opened = dup(0); opened >= 0; opened = dup(0)) {
        held[held_count++] = opened;
    }
    for (; left > 0; left--) {
        close(held[--held_count]);
    }
}

static void release(void) {
    while (held_count > 0) {
        close(held[--held_count]);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int tear_down(void **state) {
    release();
    return wire_tear_down(state);
}

static void check_error(const char *name, int left, reply_result result, const reply_error *error) {
    if (result != REPLY_ERROR_NO_MEMORY || strstr(error->message, "file descriptors") == NULL ||
        error->attempts > 1) {
        fail_msg("%s, %d left: %s after %d attempts: %s", name, left, reply_result_name(result),
                 error->attempts, error->message);
    }
}

/* Would catch a message about memory, the network or the CA file, and a client that stays broken.
 */
static void test_missing_descriptors_are_reported(void **state) {
    char https_url[64];
    snprintf(https_url, sizeof https_url, "https://127.0.0.1:%d/v4", server_find_closed_port());
    const char *const urls[] = {base_url, https_url, "https://name.example.invalid/v4"};
    (void)state;
    for (int left = 0; left <= MAX_LEFT; left++) {
        for (size_t i = 0; i < COUNT(urls); i++) {
            reply_error error;
            reply_client *client = wire_create_client(urls[i]);
            reply_client_set_max_retries(client, 3, NULL);
            hold_all_but(left);
            const reply_result result = wire_fetch_one(client, &error);
            release();
            /* Plain http needs no more than libcurl's wake-up pair and a socket. */
            if (i > 0 || left < 2 || result != REPLY_OK) {
                check_error(urls[i], left, result, &error);
            }
            if (i == 0) {
                assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
            }
            tear_down(NULL);
        }
    }
}

/* The server never responds to the handshake, which starts if there are enough descriptors. Would
 * catch a message about the CA file. */
static void test_missing_descriptor_for_ca_file_is_reported(void **state) {
    char url[sizeof base_url + 1];
    snprintf(url, sizeof url, "https%s", base_url + strlen("http"));
    (void)state;
    for (int left = 0; left <= MAX_LEFT; left++) {
        reply_error error;
        reply_client *client = wire_create_client(url);
        reply_client_set_attempt_timeout_ms(client, timing_scale_ms(200), NULL);
        hold_all_but(left);
        const reply_result result = wire_fetch_one(client, &error);
        release();
        if (left == 0 || result != REPLY_ERROR_TIMEOUT) {
            check_error(url, left, result, &error);
        }
        tear_down(NULL);
    }
}

static void test_many_contacts_get_same_error(void **state) {
    reply_client *client = wire_create_client(base_url);
    (void)state;
    for (int left = 0; left <= MAX_LEFT; left++) {
        hold_all_but(left);
        const struct wire_summary summary = wire_fetch_many(client, 100, 20);
        release();
        assert_true(summary.is_each_delivered_once);
        assert_int_equal(summary.contact_count + summary.error_counts[REPLY_ERROR_NO_MEMORY], 20);
    }
    assert_int_equal(wire_fetch_all(client, 100, 20).contact_count, 20);
}

/* Would catch a failure that is taken for missing descriptors although there are enough. */
static void test_other_failure_is_unchanged(void **state) {
    char url[64];
    reply_error error;
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", server_find_closed_port());
    reply_client *client = wire_create_client(url);
    hold_all_but(16);
    const reply_result result = wire_fetch_one(client, &error);
    release();
    assert_int_equal(result, REPLY_ERROR_NETWORK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_missing_descriptors_are_reported, tear_down),
        cmocka_unit_test_teardown(test_missing_descriptor_for_ca_file_is_reported, tear_down),
        cmocka_unit_test_teardown(test_many_contacts_get_same_error, tear_down),
        cmocka_unit_test_teardown(test_other_failure_is_unchanged, tear_down),
    };
    const pid_t server = contact_server_start(base_url);
    getrlimit(RLIMIT_NOFILE, &limit);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    contact_server_stop(server);
    return failed;
}
