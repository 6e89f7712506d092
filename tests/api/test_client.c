/* test_client.c - a client on a fake transport: what creating and setting take and refuse, what of
 * it reaches the transport, when settings are fixed, the sessions that calls share, and fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "support/child.h"
#include "support/fake_transport.h"
#include "replyio.h"

enum { SEQUENCE = 100 };

/* ---- Helpers ---- */

static void check_says(const reply_error *error, const char *words) {
    if (strstr(error->message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static void check_error(const reply_error *error, reply_result returned, reply_result expected) {
    assert_string_equal(reply_result_name(returned), reply_result_name(expected));
    assert_int_equal(error->result, expected);
    assert_int_equal(error->attempts, 0);
    assert_int_equal(error->http_status, 0);
    assert_int_equal(error->curl_code, 0);
    assert_int_equal(error->retry_after_ms, -1);
    assert_true((strlen(error->message) > 20) == (expected != REPLY_OK));
}

static reply_result get(reply_client *client, int64_t contact_id) {
    reply_sequence_contact *contact = NULL;
    const reply_result result =
        reply_get_sequence_contact(client, SEQUENCE, contact_id, &contact, NULL);
    reply_sequence_contact_free(contact);
    return result;
}

/* The settings as the transport gets them with the first call. */
static const struct transport_settings *settings_of(reply_client *client) {
    assert_int_equal(get(client, 7), REPLY_OK);
    return fake_settings();
}

/* ---- Create and destroy ---- */

static void check_key_refused(const char *key) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    check_error(&error, client_create(&fake_transport, key, &client, error_begin(&error, NULL)),
                REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(client);
    check_says(&error, "api_key");
    if (key != NULL && strlen(key) > 1) {
        assert_null(strstr(error.message, key));
    }
}

static void test_keys(void **state) {
    char longest[4098];
    reply_error error;
    reply_client *client = NULL;
    (void)state;
    check_key_refused(NULL);
    check_key_refused("");
    check_key_refused(" ");
    check_key_refused("s3cret key");
    check_key_refused("s3cret\n");
    check_key_refused("s3cret\r\nX-Evil: 1");
    check_key_refused("s3cret\x7F");
    check_key_refused("s3cr\xC3\xA9t");
    memset(longest, 'k', sizeof longest);
    longest[4097] = '\0';
    check_key_refused(longest);
    longest[4096] = '\0';
    check_error(&error, client_create(&fake_transport, longest, &client, error_begin(&error, NULL)),
                REPLY_OK);
    assert_non_null(client);
    reply_client_destroy(client);
    check_error(&error, client_create(&fake_transport, "!", &client, error_begin(&error, NULL)),
                REPLY_OK);
    reply_client_destroy(client);
}

static void test_create_needs_a_place(void **state) {
    reply_error error;
    (void)state;
    check_error(&error, reply_client_create("key", NULL, &error), REPLY_ERROR_INVALID_ARGUMENT);
    check_says(&error, "client");
}

static void test_create_by_the_public_function(void **state) {
    reply_error error;
    reply_client *client = NULL;
    (void)state;
    memset(&error, 0xFF, sizeof error);
    check_error(&error, reply_client_create("key", &client, &error), REPLY_OK);
    assert_non_null(client);
    assert_ptr_equal(client->transport, &transport_curl);
    reply_client_destroy(client);
    assert_int_equal(reply_client_create("no key", &client, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(client);
}

static void test_no_memory_for_the_process(void **state) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)state;
    fake_fail_prepares(1);
    check_error(&error, client_create(&fake_transport, "key", &client, error_begin(&error, NULL)),
                REPLY_ERROR_NO_MEMORY);
    assert_null(client);
    check_error(&error, client_create(&fake_transport, "key", &client, error_begin(&error, NULL)),
                REPLY_OK);
    reply_client_destroy(client);
}

static bool mutex_init_fails = false;
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    return mutex_init_fails ? ENOMEM : __real_pthread_mutex_init(mutex, attributes);
}

static void test_no_memory_for_the_lock(void **state) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)state;
    mutex_init_fails = true;
    check_error(&error, client_create(&fake_transport, "key", &client, error_begin(&error, NULL)),
                REPLY_ERROR_NO_MEMORY);
    mutex_init_fails = false;
    assert_null(client);
}

static void test_version(void **state) {
    (void)state;
    assert_string_equal(reply_version(), REPLYIO_VERSION);
}

static void test_null_clients(void **state) {
    (void)state;
    reply_client_destroy(NULL);
    reply_client_interrupt(NULL);
}

static void test_destroy_closes_all_sessions(void **state) {
    (void)state;
    reply_client *client = fake_create_client();
    assert_int_equal(fake_sessions_opened(), 0);
    assert_int_equal(get(client, 7), REPLY_OK);
    assert_int_equal(fake_sessions_open(), 1);
    reply_client_destroy(client);
    assert_int_equal(fake_sessions_open(), 0);
    assert_int_equal(fake_sessions_left_to_parent(), 0);
}

/* ---- What reaches the transport ---- */

static void test_defaults(void **state) {
    const struct transport_settings *settings = settings_of(*state);
    assert_int_equal(settings->header_count, 3);
    assert_string_equal(settings->headers[0], "X-API-Key: " FAKE_KEY);
    assert_string_equal(settings->headers[1], "Accept: application/json");
    assert_string_equal(settings->headers[2],
                        "User-Agent: libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_null(settings->ca_file);
    assert_null(settings->proxy);
    assert_false(settings->is_loopback);
    assert_int_equal(settings->connect_timeout_ms, 10000);
    assert_int_equal(settings->slot_count, 4);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 30000);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

static void test_settings_reach_the_transport(void **state) {
    char path[] = "/etc/ca.pem";
    char proxy[] = "http://proxy.example:3128";
    assert_int_equal(reply_client_set_base_url(*state, "https://loop/api//", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_user_agent(*state, "acme-sync/2.1", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_ca_file(*state, path, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(*state, proxy, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_connect_timeout_ms(*state, 1234, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_attempt_timeout_ms(*state, 4321, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(*state, 9, NULL), REPLY_OK);
    path[1] = 'X'; /* strings are copied */
    proxy[8] = 'X';
    const struct transport_settings *settings = settings_of(*state);
    assert_string_equal(settings->headers[2],
                        "User-Agent: acme-sync/2.1 libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_string_equal(settings->ca_file, "/etc/ca.pem");
    assert_string_equal(settings->proxy, "http://proxy.example:3128");
    assert_true(settings->is_loopback);
    assert_int_equal(settings->connect_timeout_ms, 1234);
    assert_int_equal(settings->slot_count, 9);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 4321);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /api/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* A setting may be given again; the last one counts. */
static void test_the_last_setting_counts(void **state) {
    assert_int_equal(reply_client_set_base_url(*state, "https://loop/one", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(*state, "https://host.example/two", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_user_agent(*state, "one/1", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_user_agent(*state, "two/2", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_ca_file(*state, "one", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_ca_file(*state, "two", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(*state, "http://user:password@one", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(*state, "", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(*state, 50, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(*state, 2, NULL), REPLY_OK);
    const struct transport_settings *settings = settings_of(*state);
    assert_string_equal(settings->headers[2],
                        "User-Agent: two/2 libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_string_equal(settings->ca_file, "two");
    assert_string_equal(settings->proxy, "");
    assert_false(settings->is_loopback);
    assert_int_equal(settings->slot_count, 2);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /two/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* ---- Headers ---- */

static void test_added_headers(void **state) {
    assert_int_equal(reply_client_add_header(*state, "X-TEAM-ID", "1", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "X-USER-ID", "  2 3 ", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "x-team-id", "4", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "X-TEAM", "5", NULL), REPLY_OK);
    const struct transport_settings *settings = settings_of(*state);
    assert_int_equal(settings->header_count, 6);
    assert_string_equal(settings->headers[0], "X-API-Key: " FAKE_KEY);
    assert_string_equal(settings->headers[3], "x-team-id: 4");
    assert_string_equal(settings->headers[4], "X-USER-ID: 2 3");
    assert_string_equal(settings->headers[5], "X-TEAM: 5");
}

static void test_refused_headers(void **state) {
    static const struct {
        const char *name, *value, *words;
    } rows[] = {
        {"X-API-Key", "other", "name"},
        {"x-api-key", "other", "name"},
        {"HOST", "other", "name"},
        {"Accept", "other", "name"},
        {"user-agent", "other", "name"},
        {"Content-Length", "5", "name"},
        {"Transfer-Encoding", "chunked", "name"},
        {"Connection", "close", "name"},
        {"", "value", "name"},
        {"X TEAM", "value", "name"},
        {"X-TEAM:", "value", "name"},
        {"X-T\r\nX-Evil", "value", "name"},
        {"X-TEAM", "one\r\nX-Evil: two", "value"},
        {"X-TEAM", "one\ttwo", "value"},
        {"X-TEAM", "one\x7F", "value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        check_error(&error, reply_client_add_header(*state, rows[i].name, rows[i].value, &error),
                    REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, rows[i].words);
    }
    assert_int_equal(settings_of(*state)->header_count, 3);
}

static void test_at_most_64_headers(void **state) {
    reply_error error;
    char name[32];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "X-Header-%d", i);
        check_error(&error, reply_client_add_header(*state, name, "value", &error), REPLY_OK);
    }
    check_error(&error, reply_client_add_header(*state, "X-Header-64", "value", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    check_says(&error, "64 headers");
    check_error(&error, reply_client_add_header(*state, "x-header-63", "again", &error), REPLY_OK);
    const struct transport_settings *settings = settings_of(*state);
    assert_int_equal(settings->header_count, 67);
    assert_string_equal(settings->headers[66], "x-header-63: again");
}

/* ---- Refused settings change nothing ---- */

static void test_refused_texts_change_nothing(void **state) {
    reply_error error;
    char product[258];
    memset(product, 'p', sizeof product);
    product[257] = '\0';
    assert_int_equal(reply_client_set_user_agent(*state, product + 1, NULL), REPLY_OK);
    check_error(&error, reply_client_set_user_agent(*state, product, &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    check_error(&error, reply_client_set_user_agent(*state, "", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    check_error(&error, reply_client_set_user_agent(*state, " a", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    check_error(&error, reply_client_set_user_agent(*state, "a ", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    check_error(&error, reply_client_set_user_agent(*state, "a\nb", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_base_url(*state, "https://loop/kept", NULL), REPLY_OK);
    check_error(&error, reply_client_set_base_url(*state, "http://other.example", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_proxy(*state, "http://kept", NULL), REPLY_OK);
    check_error(&error, reply_client_set_proxy(*state, "ftp://other", &error),
                REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_ca_file(*state, "kept", NULL), REPLY_OK);
    check_error(&error, reply_client_set_ca_file(*state, "", &error), REPLY_ERROR_INVALID_ARGUMENT);
    const struct transport_settings *settings = settings_of(*state);
    assert_int_equal(strncmp(settings->headers[2], "User-Agent: pppp", 16), 0);
    assert_string_equal(settings->proxy, "http://kept");
    assert_string_equal(settings->ca_file, "kept");
    assert_true(settings->is_loopback);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /kept/sequences/100/contacts/7: 200 in 100 ms\n");
}

typedef reply_result (*set_time)(reply_client *client, int64_t ms, reply_error *error);

static void check_times(reply_client *client, set_time set, const char *name, int64_t lowest) {
    reply_error error;
    const int64_t refused[] = {lowest - 1, INT64_MIN, (int64_t)INT32_MAX + 1, INT64_MAX, -1};
    check_error(&error, set(client, lowest, &error), REPLY_OK);
    check_error(&error, set(client, INT32_MAX, &error), REPLY_OK);
    check_error(&error, set(client, 777, &error), REPLY_OK);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char words[64];
        snprintf(words, sizeof words, "%s %lld is out of range", name, (long long)refused[i]);
        check_error(&error, set(client, refused[i], &error), REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, words);
        assert_int_equal(set(client, refused[i], NULL), REPLY_ERROR_INVALID_ARGUMENT);
    }
}

static void test_times(void **state) {
    check_times(*state, reply_client_set_connect_timeout_ms, "connect_timeout_ms", 1);
    check_times(*state, reply_client_set_attempt_timeout_ms, "attempt_timeout_ms", 1);
    check_times(*state, reply_client_set_timeout_ms, "timeout_ms", 0);
    assert_int_equal(reply_client_set_timeout_ms(*state, 0, NULL), REPLY_OK);
    assert_int_equal(settings_of(*state)->connect_timeout_ms, 777);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 777);
}

static void test_refused_timeout_changes_nothing(void **state) {
    assert_int_equal(reply_client_set_timeout_ms(*state, 555, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_timeout_ms(*state, -1, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(get(*state, 7), REPLY_OK);
    assert_int_equal(fake_nth(FAKE_START, 0).timeout_ms, 555);
}

static void test_numbers(void **state) {
    reply_error error;
    static const int32_t refused_retries[] = {-1, 11, INT32_MIN, INT32_MAX};
    static const int32_t refused_requests[] = {0, -1, 101, INT32_MIN, INT32_MAX};
    check_error(&error, reply_client_set_max_retries(*state, 10, &error), REPLY_OK);
    check_error(&error, reply_client_set_max_retries(*state, 0, &error), REPLY_OK);
    for (size_t i = 0; i < 4; i++) {
        check_error(&error, reply_client_set_max_retries(*state, refused_retries[i], &error),
                    REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, "max_retries ");
        check_says(&error, "0 to 10");
    }
    check_error(&error, reply_client_set_max_concurrency(*state, 100, &error), REPLY_OK);
    check_error(&error, reply_client_set_max_concurrency(*state, 1, &error), REPLY_OK);
    for (size_t i = 0; i < 5; i++) {
        check_error(&error, reply_client_set_max_concurrency(*state, refused_requests[i], &error),
                    REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, "max_concurrency ");
        check_says(&error, "1 to 100");
    }
    FAKE_SCRIPT(7, {.http_status = 503});
    assert_int_equal(get(*state, 7), REPLY_ERROR_SERVER);
    assert_int_equal(fake_count(FAKE_START), 1);
    assert_int_equal(fake_settings()->slot_count, 1);
}

/* Each setter, with sound values. given false: its pointer is NULL. */
static reply_result set(int setter, reply_client *client, bool given, reply_error *error) {
    switch (setter) {
    case 0:
        return reply_client_set_base_url(client, given ? "https://other.example" : NULL, error);
    case 1:
        return reply_client_set_user_agent(client, given ? "other/1" : NULL, error);
    case 2:
        return reply_client_add_header(client, given ? "X-Other" : NULL, "value", error);
    case 3:
        return reply_client_add_header(client, "X-Other", given ? "value" : NULL, error);
    case 4:
        return reply_client_set_ca_file(client, given ? "other" : NULL, error);
    case 5:
        return reply_client_set_proxy(client, given ? "http://other" : NULL, error);
    case 6:
        return reply_client_set_connect_timeout_ms(client, 5, error);
    case 7:
        return reply_client_set_attempt_timeout_ms(client, 5, error);
    case 8:
        return reply_client_set_timeout_ms(client, 5, error);
    case 9:
        return reply_client_set_max_retries(client, 0, error);
    case 10:
        return reply_client_set_max_concurrency(client, 5, error);
    default:
        return reply_client_set_log(client, NULL, NULL, error);
    }
}
enum { SETTERS = 12, SETTERS_WITH_POINTERS = 6 };

static void test_null_arguments(void **state) {
    static const char *const faults[SETTERS_WITH_POINTERS] = {"url is NULL",  "product is NULL",
                                                              "name is NULL", "value is NULL",
                                                              "path is NULL", "url is NULL"};
    for (int i = 0; i < SETTERS; i++) {
        reply_error error;
        check_error(&error, set(i, NULL, true, &error), REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, "client is NULL");
        assert_int_equal(set(i, NULL, true, NULL), REPLY_ERROR_INVALID_ARGUMENT);
        if (i < SETTERS_WITH_POINTERS) {
            check_error(&error, set(i, *state, false, &error), REPLY_ERROR_INVALID_ARGUMENT);
            check_says(&error, faults[i]);
            assert_int_equal(set(i, *state, false, NULL), REPLY_ERROR_INVALID_ARGUMENT);
        }
    }
    assert_int_equal(settings_of(*state)->header_count, 3);
}

/* ---- Settings are fixed by the first call ---- */

static void check_fixed(reply_client *client) {
    for (int i = 0; i < SETTERS; i++) {
        reply_error error;
        check_error(&error, set(i, client, true, &error), REPLY_ERROR_INVALID_ARGUMENT);
        check_says(&error, "call");
        assert_int_equal(set(i, client, true, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    }
}

static void test_settings_are_fixed_by_a_call(void **state) {
    assert_int_equal(get(*state, 7), REPLY_OK);
    const struct transport_settings *settings = fake_settings();
    check_fixed(*state);
    /* What was refused has changed nothing. */
    FAKE_SCRIPT(8, {.takes_ms = 50, .http_status = 503}, {.takes_ms = 50});
    assert_int_equal(get(*state, 8), REPLY_OK);
    assert_int_equal(fake_nth(FAKE_START, 1).timeout_ms, 30000);
    assert_string_equal(fake_log_text(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts/8: 503 in 50 ms\n"
                        "wait 0 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 2 GET /v4/sequences/100/contacts/8: 200 in 50 ms\n");
    assert_int_equal(settings->header_count, 3);
    assert_string_equal(settings->headers[2],
                        "User-Agent: libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_null(settings->ca_file);
    assert_null(settings->proxy);
    assert_int_equal(settings->connect_timeout_ms, 10000);
    assert_int_equal(settings->slot_count, 4);
}

static int free_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                        const reply_error *error, void *user_data) {
    (void)index;
    (void)result;
    (void)error;
    (void)user_data;
    reply_sequence_contact_free(contact);
    return 0;
}

static void test_settings_are_fixed_by_a_call_for_many(void **state) {
    static const int64_t ids[] = {7};
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, ids, 1, free_contact, NULL, NULL), REPLY_OK);
    check_fixed(*state);
}

/* A call that failed was made all the same. */
static void test_settings_are_fixed_by_a_call_that_fails(void **state) {
    FAKE_SCRIPT(7, {.http_status = 401});
    assert_int_equal(get(*state, 7), REPLY_ERROR_UNAUTHORIZED);
    check_fixed(*state);
}

/* A call that is refused for its arguments does not count. */
static void test_settings_are_not_fixed_by_a_refused_call(void **state) {
    static const int64_t ids[] = {7};
    reply_sequence_contact *contact = NULL;
    const reply_result refused = REPLY_ERROR_INVALID_ARGUMENT;
    assert_int_equal(reply_get_sequence_contact(*state, 0, 7, &contact, NULL), refused);
    assert_int_equal(reply_get_sequence_contact(*state, SEQUENCE, 0, &contact, NULL), refused);
    assert_int_equal(reply_get_sequence_contact(*state, SEQUENCE, 7, NULL, NULL), refused);
    assert_int_equal(reply_get_sequence_contacts(*state, 0, ids, 1, free_contact, NULL, NULL),
                     refused);
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, NULL, 1, free_contact, NULL, NULL), refused);
    assert_int_equal(reply_get_sequence_contacts(*state, SEQUENCE, ids, 1, NULL, NULL, NULL),
                     refused);
    reply_client_interrupt(*state);
    for (int i = 0; i < SETTERS; i++) {
        assert_int_equal(set(i, *state, true, NULL), REPLY_OK);
    }
    assert_int_equal(fake_sessions_opened(), 0);
}

/* ---- Sessions ---- */

static void get_one(void *client) {
    get(*(reply_client **)client, 7);
}

static void get_in_threads(reply_client *client, int count) {
    reply_client *clients[] = {client, client, client, client};
    fake_run_in_threads(get_one, clients, sizeof clients[0], count);
}

static void test_sessions_are_kept(void **state) {
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get(*state, 7), REPLY_OK);
    }
    assert_int_equal(fake_sessions_opened(), 1);
    get_in_threads(*state, 3);
    assert_int_equal(fake_sessions_opened(), 3);
    get_in_threads(*state, 3);
    get_in_threads(*state, 2);
    assert_int_equal(get(*state, 7), REPLY_OK);
    assert_int_equal(fake_sessions_opened(), 3);
    assert_int_equal(fake_sessions_open(), 3);
    assert_int_equal(fake_now(), 900);
}

/* A session that ran out of memory is closed after its call, wherever it stands among the others.
 */
static void test_broken_sessions_are_closed(void **state) {
    get_in_threads(*state, 3);
    FAKE_SCRIPT(7, {.takes_ms = 10, .failure = REPLY_ERROR_NO_MEMORY}, {.takes_ms = 20},
                {.takes_ms = 30, .failure = REPLY_ERROR_NO_MEMORY}, {.takes_ms = 100});
    get_in_threads(*state, 3);
    assert_int_equal(fake_sessions_open(), 1);
    get_in_threads(*state, 2);
    assert_int_equal(fake_sessions_open(), 2);
    assert_int_equal(fake_sessions_opened(), 4);
    assert_int_equal(fake_sessions_left_to_parent(), 0);
}

/* Only calls in progress are woken. */
static void test_interrupt_wakes_calls_in_progress(void **state) {
    reply_client_interrupt(*state);
    get_in_threads(*state, 2);
    reply_client_interrupt(*state);
    assert_int_equal(fake_wakes(), 0);
    FAKE_SCRIPT(7, {.takes_ms = 5000});
    fake_interrupt_at(1000, *state);
    assert_int_equal(get(*state, 7), REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_wakes(), 1);
    assert_int_equal(fake_now(), 1000);
}

/* ---- Fork ---- */

static bool is_refused_for_fork(reply_result result, const reply_error *error) {
    return result == REPLY_ERROR_INVALID_ARGUMENT && error->result == result &&
           strstr(error->message, "fork") != NULL;
}

static bool are_calls_refused(reply_client *client) {
    static const int64_t ids[] = {7};
    reply_error error;
    reply_sequence_contact *contact = (reply_sequence_contact *)&error;
    return is_refused_for_fork(reply_get_sequence_contact(client, SEQUENCE, 7, &contact, &error),
                               &error) &&
           contact == NULL &&
           is_refused_for_fork(
               reply_get_sequence_contacts(client, SEQUENCE, ids, 1, free_contact, NULL, &error),
               &error);
}

static bool are_setters_refused(reply_client *client) {
    for (int i = 0; i < SETTERS; i++) {
        reply_error error;
        if (!is_refused_for_fork(set(i, client, true, &error), &error)) {
            return false;
        }
    }
    return true;
}

/* The parent's clients, one of which has made calls. */
struct clients {
    reply_client *used, *unused;
};

/* What the child finds; 0: all is well. */
static int act_as_child(void *context) {
    reply_client *used = ((struct clients *)context)->used;
    reply_client *unused = ((struct clients *)context)->unused;
    const size_t starts = fake_count(FAKE_START);
    if (!are_calls_refused(used) || !are_calls_refused(unused) ||
        fake_count(FAKE_START) != starts) {
        return 1;
    }
    if (!are_setters_refused(used) || !are_setters_refused(unused)) {
        return 2;
    }
    reply_client_interrupt(used);
    if (fake_wakes() != 0 || used->shared.interrupts != 0) {
        return 3;
    }
    reply_client_destroy(used);
    reply_client_destroy(unused);
    if (fake_sessions_open() != 0 || fake_sessions_left_to_parent() != 1) {
        return 4;
    }
    reply_client *own = fake_create_client();
    if (get(own, 8) != REPLY_OK) {
        return 5;
    }
    reply_client_destroy(own);
    return fake_sessions_left_to_parent() == 1 && fake_end() == 0 ? 0 : 6;
}

static void test_fork(void **state) {
    reply_client *unused = fake_create_client();
    assert_int_equal(get(*state, 7), REPLY_OK);
    assert_int_equal(child_run(act_as_child, &(struct clients){*state, unused}), 0);
    /* The parent goes on as if nothing had been. */
    assert_int_equal(get(*state, 7), REPLY_OK);
    assert_int_equal(get(unused, 7), REPLY_OK);
    assert_int_equal(fake_sessions_opened(), 2);
    reply_client_destroy(unused);
    assert_int_equal(fake_sessions_left_to_parent(), 0);
}

static int destroy_as_child(void *client) {
    reply_client_destroy(client);
    return fake_sessions_left_to_parent() == 1 ? 0 : 1;
}

/* A child that is forked while another thread of the parent holds the client's lock can still
 * destroy its copy. */
static void test_fork_while_the_lock_is_held(void **state) {
    reply_client *client = *state;
    assert_int_equal(get(client, 7), REPLY_OK);
    pthread_mutex_lock(&client->shared.lock);
    const int status = child_run(destroy_as_child, client);
    pthread_mutex_unlock(&client->shared.lock);
    assert_int_equal(status, 0);
    assert_int_equal(get(client, 7), REPLY_OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_keys),
        TEST(test_create_needs_a_place),
        TEST(test_create_by_the_public_function),
        TEST(test_no_memory_for_the_process),
        TEST(test_no_memory_for_the_lock),
        TEST(test_version),
        TEST(test_null_clients),
        TEST(test_destroy_closes_all_sessions),
        TEST(test_defaults),
        TEST(test_settings_reach_the_transport),
        TEST(test_the_last_setting_counts),
        TEST(test_added_headers),
        TEST(test_refused_headers),
        TEST(test_at_most_64_headers),
        TEST(test_refused_texts_change_nothing),
        TEST(test_times),
        TEST(test_refused_timeout_changes_nothing),
        TEST(test_numbers),
        TEST(test_null_arguments),
        TEST(test_settings_are_fixed_by_a_call),
        TEST(test_settings_are_fixed_by_a_call_for_many),
        TEST(test_settings_are_fixed_by_a_call_that_fails),
        TEST(test_settings_are_not_fixed_by_a_refused_call),
        TEST(test_sessions_are_kept),
        TEST(test_broken_sessions_are_closed),
        TEST(test_interrupt_wakes_calls_in_progress),
        TEST(test_fork),
        TEST(test_fork_while_the_lock_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
