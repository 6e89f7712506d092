/* test_client.c - a client on a fake transport: keys, settings and what reaches the transport, when
 * settings are fixed, idle sessions, and fork. */
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
#include "support/check_error.h"
#include "support/child.h"
#include "support/fake_transport.h"
#include "replyio.h"

enum { SEQUENCE = 100 };

/* ---- Helpers ---- */

static void expect_result(const reply_error *error, reply_result returned, reply_result expected) {
    assert_string_equal(reply_result_name(returned), reply_result_name(expected));
    expect_error(error, expected, 0, 0, 0, -1);
    if (expected == REPLY_OK) {
        expect_empty_error(error);
    } else {
        expect_one_line(error);
    }
}

static void expect_rejected(const reply_error *error, reply_result returned, const char *words) {
    expect_result(error, returned, REPLY_ERROR_INVALID_ARGUMENT);
    expect_words(error, words);
}

static reply_result create(const char *key, reply_client **client, reply_error *error) {
    return client_create(&fake_transport, key, client, error_begin(error, NULL));
}

static reply_result fetch(reply_client *client, int64_t contact_id) {
    reply_sequence_contact *contact = NULL;
    const reply_result result =
        reply_get_sequence_contact(client, SEQUENCE, contact_id, &contact, NULL);
    reply_sequence_contact_free(contact);
    return result;
}

/* Makes the first call and returns the settings that it passes to the transport. */
static const struct transport_settings *apply_settings(reply_client *client) {
    assert_int_equal(fetch(client, 7), REPLY_OK);
    return fake_get_settings();
}

/* ---- Create and destroy ---- */

static void test_key_is_visible_ascii(void **state) {
    static char key_of_4097[4098], key_of_4096[4097];
    memset(key_of_4097, 'k', 4097);
    memset(key_of_4096, 'k', 4096);
    static const struct {
        const char *key;
        bool is_valid;
    } rows[] = {
        {NULL, false},         {"", false},
        {" ", false},          {"s3cret key", false},
        {"s3cret\n", false},   {"s3cret\r\nX-Evil: 1", false},
        {"s3cret\x7F", false}, {"s3cr\xC3\xA9t", false},
        {key_of_4097, false},  {key_of_4096, true},
        {"!", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *key = rows[i].key;
        reply_error error;
        /* A valid address, which the call must overwrite. */
        reply_client *client = (reply_client *)&error;
        const reply_result result = create(key, &client, &error);
        assert_true((client != NULL) == rows[i].is_valid);
        if (rows[i].is_valid) {
            expect_result(&error, result, REPLY_OK);
        } else {
            expect_rejected(&error, result, "api_key");
            assert_true(key == NULL || strlen(key) <= 1 || strstr(error.message, key) == NULL);
        }
        reply_client_destroy(client);
    }
}

static void test_create_requires_client_pointer(void **state) {
    reply_error error = {0};
    (void)state;
    expect_rejected(&error, reply_client_create("key", NULL, &error), "client");
}

static void test_created_client_uses_libcurl(void **state) {
    reply_error error;
    reply_client *client = NULL;
    (void)state;
    memset(&error, 0xFF, sizeof error);
    expect_result(&error, reply_client_create("key", &client, &error), REPLY_OK);
    assert_non_null(client);
    assert_ptr_equal(client->transport, &transport_libcurl);
    reply_client_destroy(client);
    assert_int_equal(reply_client_create("no key", &client, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(client);
}

static void test_failed_preparation_is_reported(void **state) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)state;
    fake_fail_prepares(1);
    expect_result(&error, create("key", &client, &error), REPLY_ERROR_NO_MEMORY);
    assert_null(client);
    expect_result(&error, create("key", &client, &error), REPLY_OK);
    reply_client_destroy(client);
}

static int mutex_to_fail = 0; /* counted from 1; 0: none */
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    if (mutex_to_fail > 0 && --mutex_to_fail == 0) {
        return ENOMEM;
    }
    return __real_pthread_mutex_init(mutex, attributes);
}

static void test_failed_mutex_init_is_reported(void **state) {
    (void)state;
    for (int number = 1; number <= 2; number++) {
        reply_error error;
        reply_client *client = (reply_client *)&error;
        mutex_to_fail = number;
        expect_result(&error, create("key", &client, &error), REPLY_ERROR_NO_MEMORY);
        assert_int_equal(mutex_to_fail, 0);
        assert_null(client);
    }
}

static void test_version_is_project_version(void **state) {
    (void)state;
    assert_string_equal(reply_version(), REPLYIO_VERSION);
}

static void test_client_may_be_null(void **state) {
    (void)state;
    reply_client_destroy(NULL);
    reply_client_interrupt(NULL);
}

static void test_destroy_closes_sessions(void **state) {
    (void)state;
    reply_client *client = fake_create_client();
    assert_int_equal(fake_count_opened_sessions(), 0);
    assert_int_equal(fetch(client, 7), REPLY_OK);
    assert_int_equal(fake_count_open_sessions(), 1);
    reply_client_destroy(client);
    assert_int_equal(fake_count_open_sessions(), 0);
    assert_int_equal(fake_count_inherited_sessions(), 0);
}

/* ---- What reaches the transport ---- */

static void test_defaults_reach_transport(void **state) {
    const struct transport_settings *settings = apply_settings(*state);
    assert_int_equal(settings->header_count, 3);
    assert_string_equal(settings->headers[0], "X-API-Key: " FAKE_KEY);
    assert_string_equal(settings->headers[1], "Accept: application/json");
    assert_string_equal(settings->headers[2],
                        "User-Agent: libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_null(settings->ca_file);
    assert_null(settings->proxy);
    assert_false(settings->base_url.is_loopback);
    assert_int_equal(settings->connect_timeout_ms, 10000);
    assert_int_equal(fake_get_slot_count(), 4);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 30000);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts/7: 200 in 100 ms\n");
}

static void test_settings_reach_transport(void **state) {
    char path[] = "/etc/ca.pem";
    char proxy[] = "http://proxy.example:3128";
    assert_int_equal(reply_client_set_base_url(*state, "https://loop/api//", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_user_agent(*state, "acme-sync/2.1", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_ca_file(*state, path, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(*state, proxy, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_connect_timeout_ms(*state, 1234, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_attempt_timeout_ms(*state, 4321, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(*state, 9, NULL), REPLY_OK);
    path[1] = 'X'; /* the client must have copied the strings */
    proxy[8] = 'X';
    const struct transport_settings *settings = apply_settings(*state);
    assert_string_equal(settings->headers[2],
                        "User-Agent: acme-sync/2.1 libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_string_equal(settings->ca_file, "/etc/ca.pem");
    assert_string_equal(settings->proxy, "http://proxy.example:3128");
    assert_true(settings->base_url.is_loopback);
    assert_int_equal(settings->connect_timeout_ms, 1234);
    assert_int_equal(fake_get_slot_count(), 9);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 4321);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /api/sequences/100/contacts/7: 200 in 100 ms\n");
}

static void test_last_setting_counts(void **state) {
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
    const struct transport_settings *settings = apply_settings(*state);
    assert_string_equal(settings->headers[2],
                        "User-Agent: two/2 libreplyio/" REPLYIO_VERSION " libcurl/7.fake");
    assert_string_equal(settings->ca_file, "two");
    assert_string_equal(settings->proxy, "");
    assert_false(settings->base_url.is_loopback);
    assert_int_equal(fake_get_slot_count(), 2);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /two/sequences/100/contacts/7: 200 in 100 ms\n");
}

/* ---- Headers ---- */

static void test_added_header_replaces_earlier_one(void **state) {
    assert_int_equal(reply_client_add_header(*state, "X-TEAM-ID", "1", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "X-USER-ID", "  2 3 ", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "x-team-id", "4", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(*state, "X-TEAM", "5", NULL), REPLY_OK);
    const struct transport_settings *settings = apply_settings(*state);
    assert_int_equal(settings->header_count, 6);
    assert_string_equal(settings->headers[0], "X-API-Key: " FAKE_KEY);
    assert_string_equal(settings->headers[3], "x-team-id: 4");
    assert_string_equal(settings->headers[4], "X-USER-ID: 2 3");
    assert_string_equal(settings->headers[5], "X-TEAM: 5");
}

static void test_invalid_header_is_rejected(void **state) {
    static const struct {
        const char *name, *value, *words;
    } rows[] = {
        {"X-API-Key", "other", "name"},     {"x-api-key", "other", "name"},
        {"HOST", "other", "name"},          {"Accept", "other", "name"},
        {"user-agent", "other", "name"},    {"accept-encoding", "br", "name"},
        {"Content-Length", "5", "name"},    {"Transfer-Encoding", "chunked", "name"},
        {"Connection", "close", "name"},    {"", "value", "name"},
        {"X TEAM", "value", "name"},        {"X-TEAM:", "value", "name"},
        {"X-T\r\nX-Evil", "value", "name"}, {"X-TEAM", "one\r\nX-Evil: two", "value"},
        {"X-TEAM", "one\ttwo", "value"},    {"X-TEAM", "one\x7F", "value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error = {0};
        expect_rejected(&error,
                        reply_client_add_header(*state, rows[i].name, rows[i].value, &error),
                        rows[i].words);
    }
    assert_int_equal(apply_settings(*state)->header_count, 3);
}

static void test_at_most_64_headers_are_accepted(void **state) {
    reply_error error;
    char name[32];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "X-Header-%d", i);
        expect_result(&error, reply_client_add_header(*state, name, "value", &error), REPLY_OK);
    }
    expect_rejected(&error, reply_client_add_header(*state, "X-Header-64", "value", &error),
                    "too many headers: 64");
    expect_result(&error, reply_client_add_header(*state, "x-header-63", "again", &error),
                  REPLY_OK);
    const struct transport_settings *settings = apply_settings(*state);
    assert_int_equal(settings->header_count, 67);
    assert_string_equal(settings->headers[66], "x-header-63: again");
}

/* ---- Rejected settings change nothing ---- */

static void test_rejected_text_changes_nothing(void **state) {
    static char product_of_257[258], product_of_256[257];
    memset(product_of_257, 'p', 257);
    memset(product_of_256, 'p', 256);
    static const struct {
        reply_result (*set)(reply_client *client, const char *text, reply_error *error);
        const char *valid, *invalid;
    } rows[] = {
        {reply_client_set_user_agent, product_of_256, product_of_257},
        {reply_client_set_user_agent, product_of_256, ""},
        {reply_client_set_user_agent, product_of_256, " a"},
        {reply_client_set_user_agent, product_of_256, "a "},
        {reply_client_set_user_agent, product_of_256, "a\nb"},
        {reply_client_set_base_url, "https://loop/kept", "http://other.example"},
        {reply_client_set_proxy, "http://kept", "ftp://other"},
        {reply_client_set_ca_file, "kept", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rows[i].set(*state, rows[i].valid, NULL), REPLY_OK);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error = {0};
        expect_result(&error, rows[i].set(*state, rows[i].invalid, &error),
                      REPLY_ERROR_INVALID_ARGUMENT);
    }
    const struct transport_settings *settings = apply_settings(*state);
    assert_int_equal(strncmp(settings->headers[2], "User-Agent: pppp", 16), 0);
    assert_string_equal(settings->proxy, "http://kept");
    assert_string_equal(settings->ca_file, "kept");
    assert_true(settings->base_url.is_loopback);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /kept/sequences/100/contacts/7: 200 in 100 ms\n");
}

static void test_timeouts_have_limits(void **state) {
    static const struct {
        reply_result (*set)(reply_client *client, int64_t ms, reply_error *error);
        const char *name;
        int64_t min;
    } rows[] = {
        {reply_client_set_connect_timeout_ms, "connect_timeout_ms", 1},
        {reply_client_set_attempt_timeout_ms, "attempt_timeout_ms", 1},
        {reply_client_set_timeout_ms, "timeout_ms", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int64_t valid[] = {rows[i].min, INT32_MAX, 777};
        const int64_t invalid[] = {rows[i].min - 1, INT64_MIN, (int64_t)INT32_MAX + 1, INT64_MAX,
                                   -1};
        reply_error error;
        for (size_t n = 0; n < sizeof valid / sizeof *valid; n++) {
            expect_result(&error, rows[i].set(*state, valid[n], &error), REPLY_OK);
        }
        for (size_t n = 0; n < sizeof invalid / sizeof *invalid; n++) {
            char words[64];
            snprintf(words, sizeof words, "%s %lld: out of range", rows[i].name,
                     (long long)invalid[n]);
            expect_rejected(&error, rows[i].set(*state, invalid[n], &error), words);
            assert_int_equal(rows[i].set(*state, invalid[n], NULL), REPLY_ERROR_INVALID_ARGUMENT);
        }
    }
    assert_int_equal(reply_client_set_timeout_ms(*state, 0, NULL), REPLY_OK);
    assert_int_equal(apply_settings(*state)->connect_timeout_ms, 777);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 777);
}

static void test_rejected_timeout_changes_nothing(void **state) {
    assert_int_equal(reply_client_set_timeout_ms(*state, 555, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_timeout_ms(*state, -1, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(fetch(*state, 7), REPLY_OK);
    assert_int_equal(fake_get_event(FAKE_START, 0).timeout_ms, 555);
}

static void test_counts_have_limits(void **state) {
    static const struct {
        reply_result (*set)(reply_client *client, int32_t count, reply_error *error);
        int32_t count;
        const char *name, *range; /* NULL: valid */
    } rows[] = {
        {reply_client_set_max_retries, 10, NULL, NULL},
        {reply_client_set_max_retries, 0, NULL, NULL},
        {reply_client_set_max_retries, -1, "max_retries ", "0 to 10"},
        {reply_client_set_max_retries, 11, "max_retries ", "0 to 10"},
        {reply_client_set_max_retries, INT32_MIN, "max_retries ", "0 to 10"},
        {reply_client_set_max_retries, INT32_MAX, "max_retries ", "0 to 10"},
        {reply_client_set_max_concurrency, 100, NULL, NULL},
        {reply_client_set_max_concurrency, 1, NULL, NULL},
        {reply_client_set_max_concurrency, 0, "max_concurrency ", "1 to 100"},
        {reply_client_set_max_concurrency, -1, "max_concurrency ", "1 to 100"},
        {reply_client_set_max_concurrency, 101, "max_concurrency ", "1 to 100"},
        {reply_client_set_max_concurrency, INT32_MIN, "max_concurrency ", "1 to 100"},
        {reply_client_set_max_concurrency, INT32_MAX, "max_concurrency ", "1 to 100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const reply_result result = rows[i].set(*state, rows[i].count, &error);
        if (rows[i].name == NULL) {
            expect_result(&error, result, REPLY_OK);
        } else {
            expect_rejected(&error, result, rows[i].name);
            expect_words(&error, rows[i].range);
        }
    }
    FAKE_SCRIPT(7, {.http_status = 503});
    assert_int_equal(fetch(*state, 7), REPLY_ERROR_SERVER);
    assert_int_equal(fake_count_events(FAKE_START), 1);
    assert_int_equal(fake_get_slot_count(), 1);
}

/* Calls a setter with valid values, or with NULL if it has a pointer and has_value is false. */
static reply_result call_setter(int setter, reply_client *client, bool has_value,
                                reply_error *error) {
    switch (setter) {
    case 0:
        return reply_client_set_base_url(client, has_value ? "https://other.example" : NULL, error);
    case 1:
        return reply_client_set_user_agent(client, has_value ? "other/1" : NULL, error);
    case 2:
        return reply_client_add_header(client, has_value ? "X-Other" : NULL, "value", error);
    case 3:
        return reply_client_add_header(client, "X-Other", has_value ? "value" : NULL, error);
    case 4:
        return reply_client_set_ca_file(client, has_value ? "other" : NULL, error);
    case 5:
        return reply_client_set_proxy(client, has_value ? "http://other" : NULL, error);
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

enum { SETTER_COUNT = 12, POINTER_SETTER_COUNT = 6 };

static void test_null_argument_is_rejected(void **state) {
    static const char *const words[POINTER_SETTER_COUNT] = {"url is NULL",  "product is NULL",
                                                            "name is NULL", "value is NULL",
                                                            "path is NULL", "url is NULL"};
    for (int i = 0; i < SETTER_COUNT; i++) {
        reply_error error = {0};
        expect_rejected(&error, call_setter(i, NULL, true, &error), "client is NULL");
        assert_int_equal(call_setter(i, NULL, true, NULL), REPLY_ERROR_INVALID_ARGUMENT);
        if (i < POINTER_SETTER_COUNT) {
            expect_rejected(&error, call_setter(i, *state, false, &error), words[i]);
            assert_int_equal(call_setter(i, *state, false, NULL), REPLY_ERROR_INVALID_ARGUMENT);
        }
    }
    assert_int_equal(apply_settings(*state)->header_count, 3);
}

/* ---- Settings are fixed by the first call ---- */

static void expect_fixed(reply_client *client) {
    for (int i = 0; i < SETTER_COUNT; i++) {
        reply_error error = {0};
        expect_rejected(&error, call_setter(i, client, true, &error), "call");
        assert_int_equal(call_setter(i, client, true, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    }
}

static void test_call_fixes_settings(void **state) {
    assert_int_equal(fetch(*state, 7), REPLY_OK);
    const struct transport_settings *settings = fake_get_settings();
    expect_fixed(*state);
    /* The rejected settings have not changed. */
    FAKE_SCRIPT(8, {.duration_ms = 50, .http_status = 503}, {.duration_ms = 50});
    assert_int_equal(fetch(*state, 8), REPLY_OK);
    assert_int_equal(fake_get_event(FAKE_START, 1).timeout_ms, 30000);
    assert_string_equal(fake_get_log(),
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
    assert_int_equal(fake_get_slot_count(), 4);
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

static void test_call_for_many_fixes_settings(void **state) {
    static const int64_t ids[] = {7};
    assert_int_equal(
        reply_get_sequence_contacts(*state, SEQUENCE, ids, 1, free_contact, NULL, NULL), REPLY_OK);
    expect_fixed(*state);
}

static void test_failed_call_fixes_settings(void **state) {
    FAKE_SCRIPT(7, {.http_status = 401});
    assert_int_equal(fetch(*state, 7), REPLY_ERROR_UNAUTHORIZED);
    expect_fixed(*state);
}

static void test_rejected_call_leaves_settings_open(void **state) {
    static const int64_t ids[] = {7};
    reply_sequence_contact *contact = NULL;
    const reply_result results[] = {
        reply_get_sequence_contact(*state, 0, 7, &contact, NULL),
        reply_get_sequence_contact(*state, SEQUENCE, 0, &contact, NULL),
        reply_get_sequence_contact(*state, SEQUENCE, 7, NULL, NULL),
        reply_get_sequence_contacts(*state, 0, ids, 1, free_contact, NULL, NULL),
        reply_get_sequence_contacts(*state, SEQUENCE, NULL, 1, free_contact, NULL, NULL),
        reply_get_sequence_contacts(*state, SEQUENCE, ids, 1, NULL, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        assert_int_equal(results[i], REPLY_ERROR_INVALID_ARGUMENT);
    }
    reply_client_interrupt(*state);
    for (int i = 0; i < SETTER_COUNT; i++) {
        assert_int_equal(call_setter(i, *state, true, NULL), REPLY_OK);
    }
    assert_int_equal(fake_count_opened_sessions(), 0);
}

/* ---- Sessions ---- */

static void fetch_in_thread(void *client) {
    fetch(*(reply_client **)client, 7);
}

static void fetch_in_threads(reply_client *client, int count) {
    reply_client *clients[] = {client, client, client, client};
    fake_run_in_threads(fetch_in_thread, clients, sizeof clients[0], count);
}

static void test_idle_session_is_reused(void **state) {
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fetch(*state, 7), REPLY_OK);
    }
    assert_int_equal(fake_count_opened_sessions(), 1);
    fetch_in_threads(*state, 3);
    assert_int_equal(fake_count_opened_sessions(), 3);
    fetch_in_threads(*state, 3);
    fetch_in_threads(*state, 2);
    assert_int_equal(fetch(*state, 7), REPLY_OK);
    assert_int_equal(fake_count_opened_sessions(), 3);
    assert_int_equal(fake_count_open_sessions(), 3);
    assert_int_equal(fake_now_ms(), 900);
}

/* Catches a session that is closed while it is in the middle of the list of idle ones. */
static void test_broken_session_is_closed(void **state) {
    fetch_in_threads(*state, 3);
    FAKE_SCRIPT(7, {.duration_ms = 10, .failure = REPLY_ERROR_NO_MEMORY}, {.duration_ms = 20},
                {.duration_ms = 30, .failure = REPLY_ERROR_NO_MEMORY}, {.duration_ms = 100});
    fetch_in_threads(*state, 3);
    assert_int_equal(fake_count_open_sessions(), 1);
    fetch_in_threads(*state, 2);
    assert_int_equal(fake_count_open_sessions(), 2);
    assert_int_equal(fake_count_opened_sessions(), 4);
    assert_int_equal(fake_count_inherited_sessions(), 0);
}

/* Catches an interrupt that wakes idle sessions. */
static void test_interrupt_wakes_calls_in_progress(void **state) {
    reply_client_interrupt(*state);
    fetch_in_threads(*state, 2);
    reply_client_interrupt(*state);
    assert_int_equal(fake_count_wakes(), 0);
    FAKE_SCRIPT(7, {.duration_ms = 5000});
    fake_interrupt_at(1000, *state);
    assert_int_equal(fetch(*state, 7), REPLY_ERROR_CANCELLED);
    assert_int_equal(fake_count_wakes(), 1);
    assert_int_equal(fake_now_ms(), 1000);
}

/* ---- Fork ---- */

static bool is_rejected_after_fork(reply_result result, const reply_error *error) {
    return result == REPLY_ERROR_INVALID_ARGUMENT && error->result == result &&
           strstr(error->message, "fork") != NULL;
}

static bool has_rejected_calls(reply_client *client) {
    static const int64_t ids[] = {7};
    reply_error error;
    reply_sequence_contact *contact = (reply_sequence_contact *)&error;
    return is_rejected_after_fork(reply_get_sequence_contact(client, SEQUENCE, 7, &contact, &error),
                                  &error) &&
           contact == NULL &&
           is_rejected_after_fork(
               reply_get_sequence_contacts(client, SEQUENCE, ids, 1, free_contact, NULL, &error),
               &error);
}

static bool has_rejected_setters(reply_client *client) {
    for (int i = 0; i < SETTER_COUNT; i++) {
        reply_error error;
        if (!is_rejected_after_fork(call_setter(i, client, true, &error), &error)) {
            return false;
        }
    }
    return true;
}

/* The parent's clients. */
struct clients {
    reply_client *used, *unused; /* with and without a call before fork */
};

/* Returns 0, or the number of the check that failed. */
static int run_child(void *context) {
    reply_client *used = ((struct clients *)context)->used;
    reply_client *unused = ((struct clients *)context)->unused;
    const size_t starts = fake_count_events(FAKE_START);
    if (!has_rejected_calls(used) || !has_rejected_calls(unused) ||
        fake_count_events(FAKE_START) != starts) {
        return 1;
    }
    if (!has_rejected_setters(used) || !has_rejected_setters(unused)) {
        return 2;
    }
    reply_client_interrupt(used);
    if (fake_count_wakes() != 0 || used->gate.interrupt_count != 0) {
        return 3;
    }
    reply_client_destroy(used);
    reply_client_destroy(unused);
    if (fake_count_open_sessions() != 0 || fake_count_inherited_sessions() != 1) {
        return 4;
    }
    reply_client *own = fake_create_client();
    if (fetch(own, 8) != REPLY_OK) {
        return 5;
    }
    reply_client_destroy(own);
    return fake_count_inherited_sessions() == 1 && fake_end() == 0 ? 0 : 6;
}

static void test_child_rejects_inherited_client(void **state) {
    reply_client *unused = fake_create_client();
    assert_int_equal(fetch(*state, 7), REPLY_OK);
    assert_int_equal(child_run(run_child, &(struct clients){*state, unused}), 0);
    /* The parent is not affected. */
    assert_int_equal(fetch(*state, 7), REPLY_OK);
    assert_int_equal(fetch(unused, 7), REPLY_OK);
    assert_int_equal(fake_count_opened_sessions(), 2);
    reply_client_destroy(unused);
    assert_int_equal(fake_count_inherited_sessions(), 0);
}

static int destroy_in_child(void *client) {
    reply_client_destroy(client);
    return fake_count_inherited_sessions() == 1 ? 0 : 1;
}

/* Catches a destroy that waits in the child for a lock that a thread of the parent held. */
static void test_child_destroys_locked_client(void **state) {
    reply_client *client = *state;
    assert_int_equal(fetch(client, 7), REPLY_OK);
    pthread_mutex_lock(&client->lock);
    pthread_mutex_lock(&client->gate.lock);
    const int status = child_run(destroy_in_child, client);
    pthread_mutex_unlock(&client->gate.lock);
    pthread_mutex_unlock(&client->lock);
    assert_int_equal(status, 0);
    assert_int_equal(fetch(client, 7), REPLY_OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_key_is_visible_ascii),
        TEST(test_create_requires_client_pointer),
        TEST(test_created_client_uses_libcurl),
        TEST(test_failed_preparation_is_reported),
        TEST(test_failed_mutex_init_is_reported),
        TEST(test_version_is_project_version),
        TEST(test_client_may_be_null),
        TEST(test_destroy_closes_sessions),
        TEST(test_defaults_reach_transport),
        TEST(test_settings_reach_transport),
        TEST(test_last_setting_counts),
        TEST(test_added_header_replaces_earlier_one),
        TEST(test_invalid_header_is_rejected),
        TEST(test_at_most_64_headers_are_accepted),
        TEST(test_rejected_text_changes_nothing),
        TEST(test_timeouts_have_limits),
        TEST(test_rejected_timeout_changes_nothing),
        TEST(test_counts_have_limits),
        TEST(test_null_argument_is_rejected),
        TEST(test_call_fixes_settings),
        TEST(test_call_for_many_fixes_settings),
        TEST(test_failed_call_fixes_settings),
        TEST(test_rejected_call_leaves_settings_open),
        TEST(test_idle_session_is_reused),
        TEST(test_broken_session_is_closed),
        TEST(test_interrupt_wakes_calls_in_progress),
        TEST(test_child_rejects_inherited_client),
        TEST(test_child_destroys_locked_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
