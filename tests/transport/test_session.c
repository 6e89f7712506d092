/* test_session.c - a session: its connections, proxies, waits, wake-ups and log. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/check_text.h"
#include "support/scripted_server.h"
#include "support/session.h"
#include "support/timing.h"
#include "support/wire.h"
#include "support/check_range.h"
#include "transport/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Connections ---- */

static void test_calls_reuse_connection(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(wire_fetch_ids(client, 1, i, NULL), REPLY_OK);
    }
    assert_int_equal(server_request_count(server), 10);
    assert_int_equal(server_connection_count(server), 1);
}

static void test_error_status_keeps_connection(void **state) {
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(wire_fetch_ids(client, 1, i, NULL), REPLY_ERROR_NOT_FOUND);
    }
    assert_int_equal(server_connection_count(server), 1);
}

/* Fetches this many contacts, each of which must succeed at the first attempt. */
static void fetch_all_at_once(reply_client *client, int64_t sequence_id, int count) {
    const struct wire_summary summary = wire_fetch_all(client, sequence_id, count);
    assert_int_equal(summary.contact_count, count);
    assert_int_equal(summary.max_attempts, 1);
}

static void test_many_contacts_reuse_connection(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 1, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    fetch_all_at_once(client, 7, 40);
    assert_int_equal(wire_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    assert_int_equal(server_request_count(server), 42);
    assert_int_equal(server_connection_count(server), 1);
}

/* Releases the responses of a call only when all its six requests have arrived, which takes six
 * connections. */
static void *release_after_seven_requests(void *server) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    while (server_request_count(server) < 7 && timing_now_ms() < deadline) {
        timing_sleep_ms(1);
    }
    server_release(server);
    return NULL;
}

/* The first response shows libcurl that a connection carries one request at a time. Would catch a
 * session that keeps fewer idle connections than a call uses. */
static void test_all_idle_connections_are_reused(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, RESPOND, EXPECT, AWAIT_RELEASE, RESPOND, REPEAT),
                                 SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    pthread_t releaser;
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 6, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(pthread_create(&releaser, NULL, release_after_seven_requests, server), 0);
    const struct wire_summary summary = wire_fetch_many(client, 8, 6);
    pthread_join(releaser, NULL);
    assert_int_equal(summary.result, REPLY_OK);
    assert_true(summary.is_each_delivered_once);
    assert_int_equal(summary.contact_count, 6);
    assert_int_equal(summary.max_attempts, 1);
    for (int i = 0; i < 5; i++) {
        fetch_all_at_once(client, 8, 40);
    }
    assert_int_equal(server_request_count(server), 207);
    assert_int_equal(server_connection_count(server), 6);
}

/* The server closes after each response, as HTTP/1.0 does. Would catch a call that sends on such a
 * connection and needs a second attempt. */
static void test_closed_connection_is_replaced(void **state) {
    struct server *server =
        server_start(SCRIPT(EXPECT, SEND("HTTP/1.0 200 OK\r\n\r\n"), SEND_CONTACT(300), CLOSE));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    for (int i = 1; i <= 3; i++) {
        reply_error error;
        assert_int_equal(wire_fetch_ids(client, 1, i, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
    }
    assert_int_equal(server_connection_count(server), 3);
}

/* ---- Proxies ---- */

static const char *const proxy_variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                              "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};

static void set_proxy_variables(const char *url) {
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    for (size_t i = 0; i < COUNT(proxy_variables); i++) {
        url != NULL ? setenv(proxy_variables[i], url, 1) : unsetenv(proxy_variables[i]);
    }
}

static int unset_proxies_and_tear_down(void **state) {
    set_proxy_variables(NULL);
    return wire_tear_down(state);
}

static void test_proxy_is_unused_for_loopback(void **state) {
    static const char *const formats[] = {"http://127.0.0.1:%d/v4", "http://localhost:%d/v4",
                                          "http://127.1:%d/v4"};
    struct server *server = server_start(RESPONSES);
    struct server *proxy = server_start(RESPONSES);
    (void)state;
    set_proxy_variables(server_url(proxy));
    for (size_t i = 0; i < COUNT(formats); i++) {
        char url[128];
        snprintf(url, sizeof url, formats[i], server_port(server));
        assert_int_equal(wire_fetch_one(wire_create_client(url), NULL), REPLY_OK);
        reply_client *client = wire_create_client(url);
        assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    }
    assert_int_equal(server_request_count(server), 2 * COUNT(formats));
    assert_int_equal(server_connection_count(proxy), 0);
}

/* Would catch a check of the base URL only when the proxy is set. */
static void test_earlier_proxy_is_unused_for_loopback(void **state) {
    struct server *server = server_start(RESPONSES);
    struct server *proxy = server_start(RESPONSES);
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, server_url(server), NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(server_connection_count(proxy), 0);
}

static void test_proxy_is_unused_for_https_loopback(void **state) {
    struct server *server = server_start(SCRIPT(EXPECT_BYTES, SEND("this is not TLS\r\n")));
    struct server *proxy = server_start(RESPONSES);
    (void)state;
    set_proxy_variables(server_url(proxy));
    assert_int_equal(wire_fetch_one(wire_create_client(server_https_url(server)), NULL),
                     REPLY_ERROR_TLS);
    assert_int_equal(server_connection_count(server), 1);
    assert_int_equal(server_connection_count(proxy), 0);
}

struct proxy_case {
    const char *name;
    reply_result result;
    int attempts; /* with one retry */
    struct server_step steps[5];
};

/* clang-format off */
static const struct proxy_case proxy_cases[] = {
    {"407", REPLY_ERROR_NETWORK, 1,
     {EXPECT, SEND("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n"
                   "Retry-After: 9\r\nContent-Length: 0\r\n\r\n")}},
    {"403", REPLY_ERROR_NETWORK, 1,
     {EXPECT, SEND("HTTP/1.1 403 No\r\nContent-Length: 7\r\n\r\nno way!")}},
    {"429", REPLY_ERROR_NETWORK, 1,
     {EXPECT, SEND("HTTP/1.1 429 No\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")}},
    {"502", REPLY_ERROR_NETWORK, 2,
     {EXPECT, SEND("HTTP/1.1 502 Bad\r\nX-Request-Id: proxy\r\nContent-Length: 0\r\n\r\n")}},
    {"302", REPLY_ERROR_NETWORK, 2,
     {EXPECT, SEND("HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:9/\r\n"
                   "Content-Length: 0\r\n\r\n")}},
    {"endless header lines", REPLY_ERROR_NETWORK, 2,
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")}},
    {"endless header line", REPLY_ERROR_NETWORK, 2,
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\nX-Long: "), SEND_ENDLESSLY("x")}},
    {"403 with endless body", REPLY_ERROR_NETWORK, 1,
     {EXPECT, SEND("HTTP/1.1 403 No\r\n\r\n"), SEND_ENDLESSLY("x")}},
    {"garbage", REPLY_ERROR_NETWORK, 2,
     {EXPECT, SEND("\x01\x02\x03 garbage\r\n\r\n")}},
    {"close", REPLY_ERROR_NETWORK, 2,
     {EXPECT}},
    {"reset", REPLY_ERROR_NETWORK, 2,
     {EXPECT, RESET}},
    {"tunnel without TLS", REPLY_ERROR_TLS, 2,
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\n\r\n"), EXPECT_BYTES,
      SEND("HTTP/1.1 200 OK\r\n\r\n{}")}},
};
/* clang-format on */

/* Before 8.3.0 only a timeout ends a proxy's endless header lines, unless the system's libcurl has
 * the limit of later versions. */
static bool ends_endless_headers(reply_result result) {
    return result == REPLY_ERROR_NETWORK ||
           (result == REPLY_ERROR_TIMEOUT &&
            curl_version_info(CURLVERSION_NOW)->version_num < 0x080300);
}

static bool is_expected(const struct proxy_case *row, reply_result result) {
    return result == row->result ||
           (strcmp(row->name, "endless header lines") == 0 && ends_endless_headers(result));
}

/* Would catch the key, a header or the path in the request for a tunnel. */
static void check_proxy_case(const struct proxy_case *row, bool is_from_environment) {
    reply_error error;
    struct server *proxy = server_start(row->steps);
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    reply_client_set_max_retries(client, 1, NULL);
    reply_client_add_header(client, "X-TEAM-ID", "secret-team", NULL);
    if (is_from_environment) {
        set_proxy_variables(server_url(proxy));
    } else {
        assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    }
    const reply_result result = wire_fetch_one(client, &error);
    if (!is_expected(row, result) || error.http_status != 0 || error.retry_after_ms != -1 ||
        error.attempts != row->attempts || error.curl_code == 0 || error.request_id[0] != '\0' ||
        server_connection_count(proxy) != row->attempts) {
        fail_msg("proxy %s: %s, status %d, %d attempts, %d connections, code %d, %s", row->name,
                 reply_result_name(result), error.http_status, error.attempts,
                 server_connection_count(proxy), error.curl_code, error.message);
    }
    for (int i = 0; i < server_request_count(proxy); i++) {
        const char *request = server_request(proxy, i).text;
        assert_int_equal(strncmp(request, "CONNECT api.example.invalid:443 HTTP/1.1\r\n", 42), 0);
        assert_null(strstr(request, WIRE_KEY));
        assert_null(strcasestr(request, "x-api-key"));
        assert_null(strstr(request, "secret-team"));
        assert_null(strstr(request, "sequences"));
    }
    unset_proxies_and_tear_down(NULL);
}

static void test_proxy_does_not_see_key(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(proxy_cases); i++) {
        check_proxy_case(&proxy_cases[i], false);
    }
    check_proxy_case(&proxy_cases[0], true);
}

static void test_connect_timeout_ends_proxy_headers(void **state) {
    struct server *proxy = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Yes\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")));
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    reply_client_set_connect_timeout_ms(client, timing_scale_ms(300), NULL);
    const int64_t started_ms = timing_now_ms();
    assert_true(ends_endless_headers(wire_fetch_one(client, NULL)));
    check_in_range(timing_now_ms() - started_ms, 0, timing_scale_ms(3000));
}

/* The call may end by itself, if libcurl has a limit on the headers. */
static void test_interrupt_ends_proxy_headers(void **state) {
    struct server *proxy = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Yes\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")));
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    reply_result result = REPLY_OK;
    (void)state;
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    /* After the delay libcurl is reading the headers. */
    const int64_t elapsed_ms = wire_interrupt_call(client, proxy, 50, &result);
    assert_true(result == REPLY_ERROR_CANCELLED || result == REPLY_ERROR_NETWORK);
    assert_true(elapsed_ms < timing_scale_ms(1000));
}

/* A proxy that was set overrides the environment's, and "" means no proxy. */
static void test_set_proxy_overrides_environment(void **state) {
    struct server *environment = server_start(SCRIPT(EXPECT));
    struct server *chosen = server_start(SCRIPT(EXPECT));
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    (void)state;
    set_proxy_variables(server_url(environment));
    assert_int_equal(reply_client_set_proxy(client, server_url(chosen), NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_ERROR_NETWORK);
    assert_int_equal(server_connection_count(chosen), 1);
    client = wire_create_client("https://api.example.invalid/v4");
    assert_int_equal(reply_client_set_proxy(client, "", NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_ERROR_NETWORK);
    assert_int_equal(server_connection_count(chosen), 1);
    assert_int_equal(server_connection_count(environment), 0);
}

/* ---- Waits and wake-ups ---- */

/* Would catch a wait that ends early, and a wait for a 429 that counts as a retry. */
static void test_retry_after_is_waited_for(void **state) {
    static const char *const statuses[] = {"429 Too Many", "503 Unavailable"};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        static char texts[COUNT(statuses)][128];
        reply_error error;
        snprintf(texts[i], sizeof texts[i],
                 "HTTP/1.1 %s\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", statuses[i]);
        struct server *server =
            server_start(SCRIPT(EXPECT, SEND_TEXT(texts[i]), EXPECT, RESPOND, AWAIT_CLOSE));
        reply_client *client = wire_create_client(server_url(server));
        reply_client_set_max_retries(client, 1, NULL);
        assert_int_equal(wire_fetch_one(client, &error), REPLY_OK);
        assert_int_equal(error.attempts, 2);
        const int64_t waited_ms = server_request(server, 1).at_ms - server_request(server, 0).at_ms;
        check_in_range(waited_ms, 1000, 1000 + timing_scale_ms(500));
    }
}

static void test_too_long_wait_is_not_started(void **state) {
    struct server *server = server_start(SCRIPT(
        EXPECT, SEND("HTTP/1.1 429 Slow down\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"),
        REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    const int64_t started_ms = timing_now_ms();
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 3, NULL);
    reply_client_set_timeout_ms(client, 30000, NULL);
    assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_RATE_LIMITED);
    assert_int_equal(error.retry_after_ms, 60000);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_RATE_LIMITED);
    check_in_range(error.retry_after_ms, 60000 - timing_scale_ms(2000), 60000);
    assert_int_equal(error.attempts, 0);
    assert_true(timing_now_ms() - started_ms < timing_scale_ms(2000));
    assert_int_equal(server_request_count(server), 1);
}

/* Would catch a wake-up that is lost without a wait in progress, or that ends two waits, and a
 * timeout that overflows. */
static void test_wake_ends_next_wait(void **state) {
    const struct transport_settings settings = {.base_url.text = "http://127.0.0.1",
                                                .connect_timeout_ms = 1000};
    struct transport_session *session = transport_libcurl.open(&settings, 1);
    (void)state;
    assert_non_null(session);
    const int64_t limits_ms[] = {-1, INT64_MAX, (int64_t)INT_MAX + 1, 60000};
    for (size_t i = 0; i < COUNT(limits_ms); i++) {
        transport_libcurl.wake(session);
        transport_libcurl.wait(session, limits_ms[i]);
    }
    const int64_t started_ms = timing_now_ms();
    transport_libcurl.wait(session, 50);
    check_in_range(timing_now_ms() - started_ms, 49, timing_scale_ms(10000));
    transport_libcurl.close(session, false);
}

static struct transport_session *open_session_of(const struct server *server, int32_t slot_count) {
    return session_open(
        (struct transport_settings){.base_url = {.text = server_url(server), .is_loopback = true}},
        slot_count);
}

/* Would catch a transfer that is taken for sent because its handle has sent another one. */
static void test_started_request_is_recalled(void **state) {
    struct server *server = server_start(RESPONSES);
    const struct transport_request request = session_make_request(server_url(server));
    struct transport_session *session = open_session_of(server, 1);
    struct transport_response response;
    (void)state;
    transport_libcurl.start(session, 0, &request);
    session_await(session, 0, &response);
    transport_libcurl.start(session, 0, &request);
    assert_true(transport_libcurl.recall(session, 0));
    assert_int_equal(server_request_count(server), 1);
    transport_libcurl.close(session, false);
}

/* A 429 has arrived when another request starts. Would catch that request being sent before the
 * caller has seen the 429, and never being sent because of it. */
static void test_limit_holds_back_unsent_request(void **state) {
    static const char limit[] = "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n";
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, AWAIT_RELEASE, SEND(limit), MARK, AWAIT_CLOSE),
                                 SCRIPT(EXPECT, RESPOND, AWAIT_CLOSE));
    const struct transport_request request = session_make_request(server_url(server));
    struct transport_session *session = open_session_of(server, 2);
    struct transport_response response;
    (void)state;
    transport_libcurl.start(session, 0, &request);
    while (server_request_count(server) == 0) {
        transport_libcurl.wait(session, 10);
        assert_int_equal(transport_libcurl.collect(session, &response), -1);
    }
    server_release(server);
    server_await_marks(server, 1);
    transport_libcurl.start(session, 1, &request);
    transport_libcurl.wait(session, 1000);
    session_await(session, 0, &response);
    assert_int_equal(response.http_status, 429);
    assert_int_equal(server_request_count(server), 1);
    session_await(session, 1, &response);
    assert_int_equal(response.http_status, 200);
    transport_libcurl.close(session, false);
}

/* ---- Log ---- */

static void test_log_has_attempts_and_waits(void **state) {
    static const struct server_step failing[] = {
        EXPECT, SEND("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), EXPECT, CLOSE};
    reply_client *client =
        wire_create_client(server_url(server_start_two_scripts(failing, RESPONSES)));
    (void)state;
    reply_client_set_max_retries(client, 3, NULL);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    char *log = wire_copy_log();
    expect_matches(log, "^attempt 1 GET " WIRE_PATH ": 503 in [0-9]+ ms\n"
                        "wait [0-9]+ ms: [^\n]+\n"
                        "attempt 2 GET " WIRE_PATH ": (REPLY_ERROR_NETWORK in [0-9]+ ms\n"
                        "wait [0-9]+ ms: [^\n]+\n"
                        "attempt 3 GET " WIRE_PATH ": )?200 in [0-9]+ ms\n$");
    free(log);
}

/* ---- Settings ---- */

static void test_setting_after_call_is_rejected(void **state) {
    reply_client *client = wire_create_client_of(RESPONSES);
    reply_sequence_contact *contact = NULL;
    (void)state;
    assert_int_equal(reply_get_sequence_contact(client, 0, 1, &contact, NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_base_url(client, "https://api.reply.io", NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_proxy(client, "", NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_calls_reuse_connection),
        WIRE_TEST(test_error_status_keeps_connection),
        WIRE_TEST(test_many_contacts_reuse_connection),
        WIRE_TEST(test_all_idle_connections_are_reused),
        WIRE_TEST(test_closed_connection_is_replaced),
        cmocka_unit_test_teardown(test_proxy_is_unused_for_loopback, unset_proxies_and_tear_down),
        WIRE_TEST(test_earlier_proxy_is_unused_for_loopback),
        cmocka_unit_test_teardown(test_proxy_is_unused_for_https_loopback,
                                  unset_proxies_and_tear_down),
        cmocka_unit_test_teardown(test_proxy_does_not_see_key, unset_proxies_and_tear_down),
        cmocka_unit_test_teardown(test_interrupt_ends_proxy_headers, unset_proxies_and_tear_down),
        cmocka_unit_test_teardown(test_connect_timeout_ends_proxy_headers,
                                  unset_proxies_and_tear_down),
        cmocka_unit_test_teardown(test_set_proxy_overrides_environment,
                                  unset_proxies_and_tear_down),
        WIRE_TEST(test_retry_after_is_waited_for),
        WIRE_TEST(test_too_long_wait_is_not_started),
        WIRE_TEST(test_wake_ends_next_wait),
        WIRE_TEST(test_started_request_is_recalled),
        WIRE_TEST(test_limit_holds_back_unsent_request),
        WIRE_TEST(test_log_has_attempts_and_waits),
        WIRE_TEST(test_setting_after_call_is_rejected),
    };
    set_proxy_variables(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
