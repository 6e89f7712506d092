/* test_connections.c - connections that fall silent, are out of step or must not be touched, and
 * the sending that a limit stops. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/check_range.h"
#include "support/child.h"
#include "support/nginx.h"
#include "support/scripted_server.h"
#include "support/session.h"
#include "support/timing.h"
#include "support/wire.h"
#include "transport/compat.h"
#include "transport/connection.h"
#include "transport/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Creates a client of a relay in front of nginx, with a short attempt timeout and retries. */
static reply_client *create_relayed_client(struct server *relay) {
    reply_client *client = nginx_create_client_at(server_port(relay), "/v4", "known.pem");
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, timing_scale_ms(300), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 3, NULL), REPLY_OK);
    return client;
}

static struct server *start_relay(enum nginx_port port) {
    return server_start(SCRIPT(TUNNEL(nginx_port(port))));
}

static reply_client *create_proxied_client(struct server *proxy) {
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    assert_int_equal(reply_client_set_ca_file(client, nginx_path("known.pem"), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    return client;
}

/* ---- Silent connections ---- */

static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};

/* Would catch a retry on the connection that did not respond. */
static void test_silent_connection_costs_one_attempt(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        struct server *relay = start_relay(ports[i]);
        reply_client *client = create_relayed_client(relay);
        reply_error error;
        assert_int_equal(wire_fetch_ids(client, 1, 1, &error), REPLY_OK);
        server_silence(relay);
        assert_int_equal(wire_fetch_ids(client, 1, 2, &error), REPLY_OK);
        assert_int_equal(error.attempts, 2);
        assert_int_equal(wire_fetch_ids(client, 1, 3, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
        assert_int_equal(server_connection_count(relay), 2);
    }
}

/* Would also catch HTTP/2 that does not return to one connection. */
static void test_silent_connection_spares_contacts(void **state) {
    struct server *relay = start_relay(NGINX_HTTP2);
    reply_client *client = create_relayed_client(relay);
    (void)state;
    assert_int_equal(wire_fetch_ids(client, 2, 1, NULL), REPLY_OK);
    server_silence(relay);
    struct wire_summary summary = wire_fetch_all(client, 2, 40);
    assert_int_equal(summary.contact_count, 40);
    assert_int_equal(summary.max_attempts, 2);
    summary = wire_fetch_all(client, 2, 40);
    assert_int_equal(summary.contact_count, 40);
    assert_int_equal(summary.max_attempts, 1);
    assert_int_equal(server_connection_count(relay), 2);
}

static struct server *silenced;
static int delivery_count;

/* Counts deliveries, because the tenth contact of the array may be delivered last. */
static void silence_at_tenth(size_t index) {
    (void)index;
    if (++delivery_count == 10) {
        server_silence(silenced);
    }
}

static void test_connection_may_fall_silent_in_call(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        silenced = start_relay(ports[i]);
        delivery_count = 0;
        wire_set_hooks(NULL, silence_at_tenth);
        const struct wire_summary summary = wire_fetch_all(create_relayed_client(silenced), 3, 40);
        assert_int_equal(summary.contact_count, 40);
        check_in_range(summary.max_attempts, 2, 3);
    }
}

static void *interrupt_soon(void *client) {
    timing_sleep_ms(100);
    reply_client_interrupt(client);
    return NULL;
}

/* Would catch a call that is sent on the connection of the request that an interrupt aborted, and
 * requests over HTTP/2 that do not share the next one. */
static void test_interrupt_retires_connection(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        struct server *relay = start_relay(ports[i]);
        reply_client *client = nginx_create_client_at(server_port(relay), "/v4", "known.pem");
        pthread_t interrupter;
        assert_int_equal(wire_fetch_ids(client, 4, 1, NULL), REPLY_OK);
        server_silence(relay);
        assert_int_equal(pthread_create(&interrupter, NULL, interrupt_soon, client), 0);
        const struct wire_summary summary = wire_fetch_many(client, 4, 8);
        pthread_join(interrupter, NULL);
        assert_int_equal(summary.result, REPLY_ERROR_CANCELLED);
        assert_true(summary.is_each_delivered_once);
        assert_int_equal(wire_fetch_all(client, 4, 8).contact_count, 8);
        if (ports[i] == NGINX_HTTP2) {
            assert_int_equal(server_connection_count(relay), 2);
        }
    }
}

static void test_deadline_retires_connection(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        struct server *relay = start_relay(ports[i]);
        reply_client *client = nginx_create_client_at(server_port(relay), "/v4", "known.pem");
        assert_int_equal(reply_client_set_timeout_ms(client, timing_scale_ms(500), NULL), REPLY_OK);
        assert_int_equal(wire_fetch_ids(client, 5, 1, NULL), REPLY_OK);
        server_silence(relay);
        assert_int_equal(wire_fetch_ids(client, 5, 2, NULL), REPLY_ERROR_TIMEOUT);
        assert_int_equal(wire_fetch_ids(client, 5, 3, NULL), REPLY_OK);
        assert_int_equal(server_connection_count(relay), 2);
    }
}

/* The beginning of the response has arrived, so that the connection is not silent. Would catch a
 * deadline that retires only a silent connection. */
static void test_deadline_in_response_retires_connection(void **state) {
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, SEND(OK_LENGTH_300 "{"), AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND, AWAIT_CLOSE));
    reply_client *client = nginx_create_client_of(server);
    (void)state;
    assert_int_equal(reply_client_set_timeout_ms(client, timing_scale_ms(500), NULL), REPLY_OK);
    assert_int_equal(wire_fetch_ids(client, 27, 1, NULL), REPLY_ERROR_TIMEOUT);
    assert_int_equal(wire_fetch_ids(client, 27, 2, NULL), REPLY_OK);
    char *lines = nginx_await_lines("/sequences/27/", 2);
    assert_int_equal(nginx_count_connections(lines), 2);
    free(lines);
}

/* The first contact never gets a response, and the others do. Would catch a timeout that retires a
 * connection on which something arrives. */
static void test_good_connection_is_kept(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND, AWAIT_CLOSE));
    reply_client *client = nginx_create_client_of(server);
    (void)state;
    reply_client_set_attempt_timeout_ms(client, timing_scale_ms(300), NULL);
    reply_client_set_max_concurrency(client, 2, NULL);
    const struct wire_summary summary = wire_fetch_all(client, 6, 30);
    assert_int_equal(summary.contact_count, 29);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 1);
    assert_int_equal(wire_fetch_ids(client, 6, 31, NULL), REPLY_OK);
    char *lines = nginx_await_lines("/sequences/6/", 31);
    assert_int_equal(nginx_count_connections(lines), 1);
    free(lines);
}

/* ---- Connections that are out of step ---- */

/* A complete response with a contact, less its first bytes. */
#define CONTACT_REST(contact)                                                                      \
    "/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 124\r\n\r\n"                         \
    "{\"contactId\":" contact ",\"sequenceId\":7,\"status\":\"Active\",\"currentStep\":1,"         \
    "\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":false}"
#define CONTACT(contact) "HTTP" CONTACT_REST(contact)

/* A stray response comes late, so that the server's own come one request too late. Would catch each
 * of these being taken for that of another request. */
static void test_stray_response_costs_one_contact(void **state) {
    static const struct server_step first[] = {EXPECT,     RESPOND,
                                               EXPECT,     SEND(CONTACT("1")),
                                               EXPECT,     SEND(CONTACT("2")),
                                               EXPECT,     SEND(CONTACT("3")),
                                               EXPECT,     SEND(CONTACT("4")),
                                               EXPECT,     SEND(CONTACT("5")),
                                               AWAIT_CLOSE};
    (void)state;
    for (int is_many = 0; is_many < 2; is_many++) {
        struct server *server = server_start_two_scripts(first, RESPONSES);
        reply_client *client = wire_create_client(server_url(server));
        reply_client_set_max_concurrency(client, 1, NULL);
        int lost_count = 0;
        if (is_many == 1) {
            const struct wire_summary summary = wire_fetch_all(client, 7, 9);
            lost_count = summary.error_counts[REPLY_ERROR_INVALID_RESPONSE];
            assert_int_equal(summary.contact_count + lost_count, 9);
        }
        for (int contact = 1; contact <= 9 && is_many == 0; contact++) {
            lost_count += wire_fetch_ids(client, 7, contact, NULL) != REPLY_OK;
        }
        assert_int_equal(lost_count, 1);
        assert_int_equal(server_connection_count(server), 2);
    }
}

/* The server closes the reused connection instead of responding, and libcurl itself sends the
 * request again on a new one. Would catch the retirement of the connection that the request was
 * first on. */
static void test_resent_request_retires_new_connection(void **state) {
    struct server *server = server_start_two_scripts(SCRIPT(EXPECT, RESPOND, EXPECT, CLOSE),
                                                     SCRIPT(EXPECT, SEND(CONTACT("3")), REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(wire_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_ids(client, 7, 2, NULL), REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(server_connection_count(server), 2);
    assert_int_equal(wire_fetch_ids(client, 7, 3, NULL), REPLY_OK);
    assert_int_equal(server_connection_count(server), 3);
}

/* The same, but libcurl sends the request again on the other idle connection. */
static void test_resent_request_retires_reused_connection(void **state) {
    struct server *server = server_start_special(1, SCRIPT(EXPECT, RESPOND, EXPECT, CLOSE),
                                                 SCRIPT(EXPECT, RESPOND, EXPECT, SEND(CONTACT("3")),
                                                        EXPECT, SEND(CONTACT("4")), AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(wire_fetch_all(client, 7, 2).contact_count, 2);
    assert_int_equal(server_connection_count(server), 2);
    assert_int_equal(wire_fetch_ids(client, 7, 5, NULL), REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(wire_fetch_ids(client, 7, 6, NULL), REPLY_OK);
    assert_int_equal(server_connection_count(server), 3);
}

/* Over TLS, where only nginx's log knows the connection. Would catch one that is not retired. */
static void test_wrong_ids_retire_tls_connection(void **state) {
    (void)state;
    for (int i = 0; i < (int)COUNT(ports); i++) {
        struct server *server = server_start_special(
            2, SCRIPT(EXPECT, SEND(CONTACT("1")), AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND));
        char text[32];
        snprintf(text, sizeof text, "/to/%d/v4", server_port(server));
        reply_client *client = nginx_create_client_at(nginx_port(ports[i]), text, "known.pem");
        reply_client_set_max_concurrency(client, 1, NULL);
        const struct wire_summary summary = wire_fetch_all(client, 24 + i, 9);
        assert_int_equal(summary.contact_count, 8);
        assert_int_equal(summary.error_counts[REPLY_ERROR_INVALID_RESPONSE], 1);
        snprintf(text, sizeof text, "/sequences/%d/", 24 + i);
        char *lines = nginx_await_lines(text, 9);
        assert_int_equal(nginx_count_connections(lines), 2);
        free(lines);
        wire_tear_down(NULL);
    }
}

static struct server *released;

static void release(size_t index) {
    (void)index;
    server_release(released);
}

/* Four requests are in flight when one slowly gets a contact with the wrong ids. Would catch an
 * abort of the others, and a request that is sent on the connection afterwards. */
static void test_requests_on_retired_connection_finish(void **state) {
    (void)state;
    released = server_start_two_scripts(
        SCRIPT(EXPECT, SEND_SLOWLY("HTTP", 20), SEND(CONTACT_REST("1")), AWAIT_CLOSE),
        SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, AWAIT_CLOSE));
    reply_client *client = nginx_create_client_of(released);
    wire_set_hooks(NULL, release);
    const struct wire_summary summary = wire_fetch_all(client, 8, 12);
    assert_int_equal(summary.contact_count, 11);
    assert_int_equal(summary.error_counts[REPLY_ERROR_INVALID_RESPONSE], 1);
    assert_int_equal(summary.max_attempts, 1);
    char *lines = nginx_await_lines("/sequences/8/", 12);
    const long retired = strtol(strstr(lines, "connection=") + strlen("connection="), NULL, 10);
    char wanted[32];
    int count = 0;
    snprintf(wanted, sizeof wanted, "connection=%ld ", retired);
    for (const char *at = strstr(lines, wanted); at != NULL; at = strstr(at + 1, wanted)) {
        count++;
    }
    assert_int_equal(count, 4);
    free(lines);
    for (int contact = 1; contact <= 5; contact++) {
        assert_int_equal(wire_fetch_ids(client, 9, contact, NULL), REPLY_OK);
    }
    lines = nginx_await_lines("/sequences/9/", 5);
    assert_int_equal(nginx_count_connections(lines), 1);
    free(lines);
}

/* Would catch libcurl forgetting a response that it read while it started other transfers: without
 * it, the others get none. The coincidence takes some calls. */
static void test_early_response_is_not_forgotten(void **state) {
    (void)state;
    wire_set_hooks(NULL, release);
    for (int i = 0; i < 20; i++) {
        released = server_start_two_scripts(SCRIPT(EXPECT, RESPOND, AWAIT_CLOSE),
                                            SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, AWAIT_CLOSE));
        const struct wire_summary summary = wire_fetch_all(nginx_create_client_of(released), 19, 4);
        assert_int_equal(summary.contact_count, 4);
        assert_int_equal(summary.max_attempts, 1);
    }
}

/* ---- Bytes on an idle connection ---- */

static const struct late_case {
    const char *name;
    const char *bytes;
} late_cases[] = {
    {"unasked 408", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"},
    {"late 404", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"},
    {"late 200 of the same contact", CONTACT("1")},
    {"garbage", "\x15\x03\x03"},
};

/* Would catch bytes that are read as the response to a request that they precede. */
static void test_late_bytes_are_never_response(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(late_cases); i++) {
        struct server *server =
            server_start_two_scripts(SCRIPT(EXPECT, RESPOND, AWAIT_RELEASE,
                                            SEND_TEXT(late_cases[i].bytes), MARK, AWAIT_CLOSE),
                                     RESPONSES);
        reply_client *client = wire_create_client(server_url(server));
        reply_error error;
        assert_int_equal(wire_fetch_ids(client, 7, 1, NULL), REPLY_OK);
        server_release(server);
        server_await_marks(server, 1);
        if (wire_fetch_ids(client, 7, 1, &error) != REPLY_OK || error.attempts != 1 ||
            server_request_count(server) != 2 || server_request(server, 1).connection != 2) {
            fail_msg("%s: %s after %d attempts: %s", late_cases[i].name,
                     reply_result_name(error.result), error.attempts, error.message);
        }
        wire_tear_down(NULL);
    }
}

static void release_at_wait(const char *line) {
    if (strncmp(line, "wait ", strlen("wait ")) == 0) {
        server_release(released);
        server_await_marks(released, 1);
    }
}

/* The bytes arrive during the wait before a retry. */
static void test_late_bytes_in_call_are_ignored(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(late_cases); i++) {
        released = server_start_two_scripts(
            SCRIPT(EXPECT, RESPOND, EXPECT,
                   SEND("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), AWAIT_RELEASE,
                   SEND_TEXT(late_cases[i].bytes), MARK, AWAIT_CLOSE),
            RESPONSES);
        reply_client *client = wire_create_client(server_url(released));
        reply_client_set_max_concurrency(client, 1, NULL);
        reply_client_set_max_retries(client, 1, NULL);
        wire_set_hooks(release_at_wait, NULL);
        const struct wire_summary summary = wire_fetch_all(client, 7, 9);
        if (summary.contact_count != 9 || server_request_count(released) != 10 ||
            server_connection_count(released) != 2) {
            fail_msg("%s: %d contacts, %d requests, %d connections", late_cases[i].name,
                     summary.contact_count, server_request_count(released),
                     server_connection_count(released));
        }
        wire_tear_down(NULL);
    }
}

static bool is_unread_reported;
static int look_count;

bool __real_connection_is_quiet(const struct connection *connection);
bool __wrap_connection_is_quiet(const struct connection *connection);

/* Whatever nginx would send, such as a PING: it sends nothing on an idle connection. */
bool __wrap_connection_is_quiet(const struct connection *connection) {
    look_count++;
    return !is_unread_reported && __real_connection_is_quiet(connection);
}

/* Would catch a system call after each step that libcurl takes before it sends a request. */
static void test_reused_connection_is_looked_at_once(void **state) {
    reply_client *client = wire_create_client_of(RESPONSES);
    (void)state;
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    for (int request = 1; request <= 3; request++) {
        look_count = 0;
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
        assert_int_equal(look_count, compat_trusts_idle_connections() ? 1 : 0);
    }
}

/* A server may send at any time over HTTP/2. Would catch a connection that is given up for it. */
static void test_unread_bytes_spare_http2_connection(void **state) {
    reply_client *client = nginx_create_trusting_client(NGINX_HTTP2);
    (void)state;
    is_unread_reported = true;
    for (int contact = 1; contact <= 3; contact++) {
        assert_int_equal(wire_fetch_ids(client, 26, contact, NULL), REPLY_OK);
    }
    is_unread_reported = false;
    char *lines = nginx_await_lines("/sequences/26/", 3);
    assert_int_equal(nginx_count_connections(lines), 1);
    free(lines);
}

static bool is_removal_failing;

CURLMcode __real_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy);

CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy) {
    const bool is_failing = is_removal_failing;
    is_removal_failing = false;
    return is_failing ? CURLM_INTERNAL_ERROR : __real_curl_multi_remove_handle(multi, easy);
}

/* If libcurl does not check the connection itself, the library takes the request back. Would catch
 * a handle that is started again although libcurl has kept it. */
static void test_failed_removal_costs_one_attempt(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 1, NULL);
    assert_int_equal(wire_fetch_ids(client, 27, 1, NULL), REPLY_OK);
    is_unread_reported = true;
    is_removal_failing = true;
    assert_int_equal(wire_fetch_ids(client, 27, 2, &error), REPLY_OK);
    is_unread_reported = false;
    assert_false(is_removal_failing);
    assert_int_equal(error.attempts, compat_trusts_idle_connections() ? 2 : 1);
    assert_int_equal(wire_fetch_ids(client, 27, 3, NULL), REPLY_OK);
}

/* ---- Sending after a limit ---- */

static struct {
    struct server *server;
    const char *status; /* that ends the sending, as the log has it */
    int callback_ms;
    int sent_count; /* requests that the server had when the client had read that status; -1 */
} limit;

/* The library sends nothing while this runs. What it sent before can be slow to arrive. */
static void count_at_limit(const char *line) {
    if (limit.sent_count < 0 && strstr(line, limit.status) != NULL) {
        int count = -1;
        while (count != server_request_count(limit.server)) {
            count = server_request_count(limit.server);
            timing_sleep_ms(200);
        }
        limit.sent_count = count;
    }
}

static void pause_in_callback(size_t index) {
    (void)index;
    timing_sleep_ms(limit.callback_ms);
}

static void *release_at_twenty_requests(void *server) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    while (server_request_count(server) < 20 && timing_now_ms() < deadline) {
        timing_sleep_ms(1);
    }
    server_release(server);
    return NULL;
}

#define KEEP_ALIVE "Connection: keep-alive\r\n"
#define CLOSES     "Connection: close\r\n"
#define LIMIT_429(header)                                                                          \
    "HTTP/1.1 429 Slow\r\nRetry-After: 600\r\nContent-Length: 0\r\n" header "\r\n"
#define LIMIT_401(header) "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n" header "\r\n"

/* Twenty requests get their responses together, and one of these is the limit. */
static void check_limit(const char *status, const char *response, bool is_http2, int callback_ms) {
    pthread_t releaser;
    limit.server =
        server_start_special(15, SCRIPT(EXPECT, AWAIT_RELEASE, SEND_TEXT(response), AWAIT_CLOSE),
                             SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, REPEAT));
    limit.status = status;
    limit.callback_ms = callback_ms;
    limit.sent_count = -1;
    reply_client *client = is_http2 ? nginx_create_client_of(limit.server)
                                    : wire_create_client(server_url(limit.server));
    reply_client_set_max_concurrency(client, 20, NULL);
    reply_client_set_max_retries(client, 3, NULL);
    reply_client_set_timeout_ms(client, timing_scale_ms(60000), NULL);
    wire_set_hooks(count_at_limit, pause_in_callback);
    assert_int_equal(pthread_create(&releaser, NULL, release_at_twenty_requests, limit.server), 0);
    const struct wire_summary summary = wire_fetch_many(client, 10, 100);
    pthread_join(releaser, NULL);
    assert_true(summary.is_each_delivered_once);
    check_in_range(limit.sent_count, 20, 99);
    timing_sleep_ms(20);
    if (server_request_count(limit.server) != limit.sent_count) {
        fail_msg("%s, HTTP/%d, callback of %d ms: %d requests after the limit", status,
                 is_http2 ? 2 : 1, callback_ms,
                 server_request_count(limit.server) - limit.sent_count);
    }
    wire_tear_down(NULL);
}

static void test_limit_stops_sending(void **state) {
    static const int callbacks_ms[] = {0, 5, 30};
    (void)state;
    for (int i = 0; i < 4; i++) {
        for (size_t j = 0; j < COUNT(callbacks_ms); j++) {
            check_limit(i % 2 == 0 ? ": 429 in" : ": 401 in",
                        i % 2 == 0 ? LIMIT_429(KEEP_ALIVE) : LIMIT_401(KEEP_ALIVE), i / 2 == 1,
                        callbacks_ms[j]);
        }
    }
}

static void release_at_limit(const char *line) {
    if (strstr(line, ": 429 ") != NULL || strstr(line, ": 401 ") != NULL) {
        server_release(released);
    }
}

/* After the limit the server closes the connection of the other request instead of responding.
 * Would catch libcurl sending that request again by itself, on the connection of the limit or on a
 * new one, and the request not being counted. */
static void check_resending(reply_result result, const char *response,
                            struct server_step last_step) {
    released = server_start_special(1,
                                    SCRIPT(EXPECT, RESPOND, EXPECT, AWAIT_REQUESTS(4),
                                           SEND_TEXT(response), EXPECT, AWAIT_CLOSE),
                                    SCRIPT(EXPECT, RESPOND, EXPECT, AWAIT_RELEASE, last_step));
    reply_client *client = wire_create_client(server_url(released));
    reply_client_set_max_retries(client, 3, NULL);
    reply_client_set_timeout_ms(client, timing_scale_ms(60000), NULL);
    assert_int_equal(wire_fetch_all(client, 28, 2).contact_count, 2);
    wire_set_hooks(release_at_limit, NULL);
    const struct wire_summary summary = wire_fetch_many(client, 28, 2);
    assert_int_equal(summary.result, result);
    assert_int_equal(summary.error_counts[result], 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_NETWORK], 1);
    assert_int_equal(summary.max_attempts, 1);
    assert_int_equal(wire_count_log("attempt 1 "), 4);
    assert_int_equal(server_request_count(released), 4);
    wire_tear_down(NULL);
}

static void test_limit_stops_resending(void **state) {
    static const struct server_step last_steps[] = {CLOSE, RESET};
    (void)state;
    for (size_t i = 0; i < COUNT(last_steps); i++) {
        check_resending(REPLY_ERROR_RATE_LIMITED, LIMIT_429(KEEP_ALIVE), last_steps[i]);
        check_resending(REPLY_ERROR_RATE_LIMITED, LIMIT_429(CLOSES), last_steps[i]);
        check_resending(REPLY_ERROR_UNAUTHORIZED, LIMIT_401(KEEP_ALIVE), last_steps[i]);
        check_resending(REPLY_ERROR_UNAUTHORIZED, LIMIT_401(CLOSES), last_steps[i]);
    }
}

/* nginx closes the connection instead of responding, and libcurl connects through the proxy again.
 * Would catch the request being taken for sent as soon as CONNECT has been, and libcurl sending it
 * although it was recalled. */
static void test_recalled_request_is_not_sent_again(void **state) {
    const struct server_step established = SEND("HTTP/1.1 200 Established\r\n\r\n");
    const struct server_step tunnel = TUNNEL(nginx_port(NGINX_HTTP1));
    struct server *proxy = server_start_two_scripts(
        SCRIPT(EXPECT, established, tunnel), SCRIPT(EXPECT, AWAIT_RELEASE, established, tunnel));
    struct transport_session *session =
        session_open((struct transport_settings){.base_url.text = "https://api.example.invalid/v4",
                                                 .ca_file = nginx_path("known.pem"),
                                                 .proxy = server_url(proxy)},
                     1);
    struct transport_request request =
        session_make_request("https://api.example.invalid/v4/sequences/29/contacts/1");
    struct transport_response response;
    (void)state;
    transport_libcurl.start(session, 0, &request);
    session_await(session, 0, &response);
    assert_int_equal(response.http_status, 200);
    request.url = "https://api.example.invalid/v4/sequences/29/contacts/444";
    transport_libcurl.start(session, 0, &request);
    while (server_request_count(proxy) < 2) {
        transport_libcurl.wait(session, 10);
        assert_int_equal(transport_libcurl.collect(session, &response), -1);
    }
    assert_false(transport_libcurl.recall(session, 0));
    server_release(proxy);
    session_await(session, 0, &response);
    assert_int_equal(response.failure, REPLY_ERROR_NETWORK);
    assert_int_equal(response.curl_code, CURLE_GOT_NOTHING);
    assert_true(response.is_transient);
    free(nginx_await_lines("/sequences/29/contacts/444", 1));
    transport_libcurl.close(session, false);
}

/* libcurl sends the request again by itself, on another connection, which has unread bytes, so that
 * it is put aside. Would catch it being taken for a request that was never sent. Some versions of
 * libcurl do not choose such a connection. */
static void test_sent_request_is_not_taken_back(void **state) {
    (void)state;
    if (!compat_trusts_idle_connections()) {
        return;
    }
    struct server *server = server_start(SCRIPT(EXPECT, RESPOND, EXPECT, AWAIT_RELEASE, CLOSE));
    char url[128];
    snprintf(url, sizeof url, "%s/sequences/30/contacts/1", server_url(server));
    struct transport_session *session = session_open(
        (struct transport_settings){.base_url = {.text = "http://127.0.0.1", .is_loopback = true}},
        2);
    const struct transport_request request = session_make_request(url);
    struct transport_response response;
    for (int32_t slot = 0; slot < 2; slot++) {
        transport_libcurl.start(session, slot, &request);
    }
    for (int finished = 0; finished < 2;) {
        transport_libcurl.wait(session, 100);
        finished += transport_libcurl.collect(session, &response) >= 0 ? 1 : 0;
    }
    transport_libcurl.start(session, 0, &request);
    while (server_request_count(server) < 3) {
        transport_libcurl.wait(session, 10);
        assert_int_equal(transport_libcurl.collect(session, &response), -1);
    }
    look_count = 0;
    is_unread_reported = true;
    server_release(server);
    while (look_count == 0) {
        transport_libcurl.wait(session, 10);
        assert_int_equal(transport_libcurl.collect(session, &response), -1);
    }
    is_unread_reported = false;
    assert_false(transport_libcurl.recall(session, 0));
    session_await(session, 0, &response);
    assert_int_equal(response.failure, REPLY_ERROR_NETWORK);
    assert_int_equal(response.curl_code, CURLE_GOT_NOTHING);
    assert_int_equal(server_request_count(server), 3);
    transport_libcurl.close(session, false);
}

/* The 429's body never arrives, and the third request is held back until the deadline. Would catch
 * an attempt being logged that was never made. */
static void test_held_request_is_no_attempt(void **state) {
    static const char limit_headers[] =
        "HTTP/1.1 429 Slow\r\nRetry-After: 100\r\nContent-Length: 10\r\n\r\n";
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, SEND_TEXT(limit_headers), AWAIT_CLOSE),
                                 SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 404 ", 10),
                                        SEND("No\r\nContent-Length: 0\r\n\r\n"), AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    reply_client_set_max_concurrency(client, 2, NULL);
    reply_client_set_timeout_ms(client, timing_scale_ms(1000), NULL);
    const struct wire_summary summary = wire_fetch_many(client, 31, 3);
    assert_int_equal(summary.result, REPLY_ERROR_TIMEOUT);
    assert_true(summary.is_each_delivered_once);
    assert_int_equal(summary.error_counts[REPLY_ERROR_NOT_FOUND], 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_RATE_LIMITED], 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 1);
    assert_int_equal(wire_count_log("attempt "), 2);
    assert_int_equal(server_request_count(server), 2);
}

/* The third request is held back while the 429's body arrives, for longer than the connect timeout.
 * Would catch it being sent before the end of the 429, and that time counting for the request. It
 * may go to either connection. */
static void test_held_request_does_not_time_out(void **state) {
    static const char limit_headers[] =
        "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 10\r\n\r\n";
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, SEND_TEXT(limit_headers), SEND_SLOWLY("0123456789", 100), EXPECT, RESPOND,
               EXPECT, SEND("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), AWAIT_CLOSE),
        SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 404 ", 10), SEND("No\r\nContent-Length: 0\r\n\r\n"),
               REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    reply_client_set_connect_timeout_ms(client, 200, NULL);
    reply_client_set_max_concurrency(client, 2, NULL);
    reply_client_set_max_retries(client, 1, NULL);
    const struct wire_summary summary = wire_fetch_all(client, 20, 3);
    assert_int_equal(summary.contact_count, 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_NOT_FOUND], 2);
    assert_int_equal(wire_count_log("attempt "), 4);
    char *log = wire_copy_log();
    const char *limit_line = strstr(log, ": 429 in");
    assert_non_null(limit_line);
    assert_non_null(strstr(limit_line, "/contacts/3:"));
    free(log);
}

/* ---- The host's time ---- */

static void pause_long(size_t index) {
    (void)index;
    timing_sleep_ms(timing_scale_ms(300));
}

static reply_client *limit_connecting(reply_client *client) {
    assert_int_equal(reply_client_set_connect_timeout_ms(client, timing_scale_ms(200), NULL),
                     REPLY_OK);
    return client;
}

/* Each contact needs a new connection. Would catch a callback's time that counts as connecting, and
 * a connection that is given up because of it. */
static void test_callback_time_spares_connect_timeout(void **state) {
    struct server *relay = start_relay(NGINX_CLOSES);
    struct server *server = server_start(SCRIPT(EXPECT, RESPOND, CLOSE));
    reply_client *clients[] = {
        limit_connecting(nginx_create_client_at(server_port(relay), "/v4", "known.pem")),
        limit_connecting(wire_create_client(server_url(server)))};
    (void)state;
    wire_set_hooks(NULL, pause_long);
    for (size_t i = 0; i < COUNT(clients); i++) {
        const struct wire_summary summary = wire_fetch_all(clients[i], 11, 8);
        assert_int_equal(summary.contact_count, 8);
        assert_int_equal(summary.max_attempts, 1);
    }
    assert_int_equal(server_connection_count(relay), 8);
    assert_int_equal(server_connection_count(server), 8);
}

/* The second connection does not respond to the handshake, which starts before the callback. Would
 * catch a connect timeout that ends only with the attempt timeout. */
static void test_connect_timeout_is_reached(void **state) {
    struct server *relay =
        server_start_two_scripts(SCRIPT(TUNNEL(nginx_port(NGINX_CLOSES))), SCRIPT(AWAIT_CLOSE));
    reply_client *client =
        limit_connecting(nginx_create_client_at(server_port(relay), "/v4", "known.pem"));
    (void)state;
    reply_client_set_max_concurrency(client, 1, NULL);
    reply_client_set_max_retries(client, 1, NULL);
    wire_set_hooks(NULL, pause_long);
    const int64_t started_ms = timing_now_ms();
    const struct wire_summary summary = wire_fetch_all(client, 12, 2);
    assert_true(timing_now_ms() - started_ms < timing_scale_ms(5000));
    assert_int_equal(summary.contact_count, 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 1);
    assert_int_equal(summary.max_attempts, 2);
}

static void *release_after_connect_timeout(void *server) {
    timing_sleep_ms(timing_scale_ms(600));
    server_release(server);
    return NULL;
}

/* The server closes a reused connection instead of responding, later than the connect timeout, and
 * libcurl sends the request again on a new one. Would catch that connection having no time. */
static void test_resent_request_has_connect_timeout(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, RESPOND, EXPECT, AWAIT_RELEASE, CLOSE), RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    pthread_t releaser;
    reply_error error;
    (void)state;
    reply_client_set_connect_timeout_ms(client, timing_scale_ms(300), NULL);
    assert_int_equal(wire_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    assert_int_equal(pthread_create(&releaser, NULL, release_after_connect_timeout, server), 0);
    const reply_result result = wire_fetch_ids(client, 7, 2, &error);
    pthread_join(releaser, NULL);
    assert_int_equal(result, REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(server_connection_count(server), 2);
}

static void pause_beyond_deadline(size_t index) {
    timing_sleep_ms(index == 0 ? timing_scale_ms(1200) : 0);
}

/* The second contact's CONNECT has no response when the first one's callback ends. */
static void test_deadline_ends_connect_to_proxy(void **state) {
    struct server *proxy = server_start_two_scripts(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Established\r\n\r\n"), TUNNEL(nginx_port(NGINX_CLOSES))),
        SCRIPT(EXPECT, AWAIT_CLOSE));
    reply_client *client = create_proxied_client(proxy);
    (void)state;
    reply_client_set_max_concurrency(client, 1, NULL);
    reply_client_set_timeout_ms(client, timing_scale_ms(1000), NULL);
    wire_set_hooks(NULL, pause_beyond_deadline);
    const struct wire_summary summary = wire_fetch_many(client, 15, 2);
    assert_int_equal(summary.result, REPLY_ERROR_TIMEOUT);
    assert_int_equal(summary.contact_count, 1);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 1);
    assert_int_equal(summary.max_attempts, 1);
}

/* ---- Large headers ---- */

static void test_large_headers_keep_all_contacts(void **state) {
    reply_client *client =
        nginx_create_client_at(nginx_port(NGINX_HTTP2), "/large/v4", "known.pem");
    (void)state;
    for (int i = 0; i < 5; i++) {
        const struct wire_summary summary = wire_fetch_all(client, 13, 60);
        assert_int_equal(summary.contact_count, 60);
        assert_int_equal(summary.max_attempts, 1);
    }
}

/* ---- Other programs and children ---- */

static int connected_port;
static int connection_count;
static int inheritable_count;

/* Counts the connections to a port, and those that a program would inherit. */
static void count_connections(size_t index) {
    (void)index;
    for (int i = 3; i < 256; i++) {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof address;
        if (getpeername(i, (struct sockaddr *)&address, &size) == 0 &&
            address.sin_family == AF_INET && ntohs(address.sin_port) == connected_port) {
            connection_count++;
            inheritable_count += (fcntl(i, F_GETFD) & FD_CLOEXEC) == 0 ? 1 : 0;
        }
    }
}

static void test_connections_are_close_on_exec(void **state) {
    struct server *server = server_start(RESPONSES);
    struct server *proxy = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Established\r\n\r\n"), TUNNEL(nginx_port(NGINX_HTTP2))));
    (void)state;
    reply_client *clients[] = {
        wire_create_client(server_url(server)), nginx_create_trusting_client(NGINX_HTTP1),
        nginx_create_trusting_client(NGINX_HTTP2), create_proxied_client(proxy)};
    const int connected_ports[] = {server_port(server), nginx_port(NGINX_HTTP1),
                                   nginx_port(NGINX_HTTP2), server_port(proxy)};
    wire_set_hooks(NULL, count_connections);
    for (size_t i = 0; i < COUNT(clients); i++) {
        connected_port = connected_ports[i];
        connection_count = 0;
        assert_int_equal(wire_fetch_all(clients[i], 14, 6).contact_count, 6);
        assert_true(connection_count >= 6);
        assert_int_equal(inheritable_count, 0);
    }
}

/* A fork in the host's code, whose child returns into the library. */
static struct {
    const char *line; /* the child is forked by the first line of the log that contains it */
    size_t index;     /* or by the delivery of this contact */
    pid_t process;    /* 0 in the child; -1 before the fork */
    int child_events; /* deliveries and lines of the log in the child */
} forked;

static void fork_once(bool is_due) {
    forked.child_events += forked.process == 0;
    if (forked.process < 0 && is_due) {
        fflush(NULL);
        forked.process = fork();
    }
}

static void fork_at_line(const char *line) {
    fork_once(forked.line != NULL && strstr(line, forked.line) != NULL);
}

static void fork_at_delivery(size_t index) {
    fork_once(forked.line == NULL && index == forked.index);
}

/* In the child: its call has ended, and it must not have touched the parent's connections. */
static _Noreturn void end_child(reply_client *client, const struct wire_summary *summary) {
    reply_error error;
    reply_sequence_contact *contact = NULL;
    const bool is_ended = summary->result == REPLY_ERROR_INVALID_ARGUMENT &&
                          summary->error.result == REPLY_ERROR_INVALID_ARGUMENT &&
                          strstr(summary->error.message, "fork") != NULL;
    const bool is_rejected =
        reply_get_sequence_contact(client, 1, 1, &contact, &error) == REPLY_ERROR_INVALID_ARGUMENT;
    reply_client_destroy(client);
    child_exit(!is_ended ? 1 : !is_rejected ? 2 : forked.child_events != 0 ? 3 : 0);
}

/* Returns what the parent got. */
static struct wire_summary fetch_and_fork(reply_client *client, const char *line, size_t index,
                                          int64_t sequence_id) {
    forked.line = line;
    forked.index = index;
    forked.process = -1;
    forked.child_events = 0;
    wire_set_hooks(fork_at_line, fork_at_delivery);
    const struct wire_summary summary = wire_fetch_many(client, sequence_id, 40);
    if (forked.process == 0) {
        end_child(client, &summary);
    }
    assert_true(forked.process > 0);
    assert_int_equal(child_wait(forked.process), 0);
    assert_int_equal(summary.result, REPLY_OK);
    assert_true(summary.is_each_delivered_once);
    return summary;
}

static void test_fork_in_callback_spares_parent(void **state) {
    static const size_t indexes[] = {0, 7, 39};
    struct server *server = server_start(RESPONSES);
    (void)state;
    for (size_t i = 0; i < COUNT(indexes); i++) {
        reply_client *clients[] = {wire_create_client(server_url(server)),
                                   nginx_create_trusting_client(NGINX_HTTP1),
                                   nginx_create_trusting_client(NGINX_HTTP2)};
        for (size_t j = 0; j < COUNT(clients); j++) {
            const struct wire_summary summary = fetch_and_fork(clients[j], NULL, indexes[i], 15);
            assert_int_equal(summary.contact_count, 40);
            assert_int_equal(summary.max_attempts, 1);
        }
    }
}

static void test_fork_in_log_spares_parent(void **state) {
    static const char *const lines[] = {"/contacts/1:", "/contacts/9:", "/contacts/40:"};
    struct server *server = server_start(RESPONSES);
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        reply_client *clients[] = {wire_create_client(server_url(server)),
                                   nginx_create_trusting_client(NGINX_HTTP1),
                                   nginx_create_trusting_client(NGINX_HTTP2)};
        for (size_t j = 0; j < COUNT(clients); j++) {
            const struct wire_summary summary = fetch_and_fork(clients[j], lines[i], 0, 16);
            assert_int_equal(summary.contact_count, 40);
            assert_int_equal(summary.max_attempts, 1);
        }
    }
}

/* Would catch a child that shuts down the parent's connection because of the wrong ids. */
static void test_fork_before_retirement_spares_parent(void **state) {
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, SEND(CONTACT("1")), AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND, AWAIT_CLOSE));
    (void)state;
    const struct wire_summary summary =
        fetch_and_fork(nginx_create_client_of(server), ": 200 in", 0, 17);
    assert_int_equal(summary.contact_count, 39);
    assert_int_equal(summary.error_counts[REPLY_ERROR_INVALID_RESPONSE], 1);
    assert_int_equal(summary.max_attempts, 1);
}

/* A retry's and a rate limit's "wait" line. */
static void test_fork_in_wait_line_spares_parent(void **state) {
    static const char *const statuses[] = {
        "HTTP/1.1 503 Unavailable\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct server *server = server_start_two_scripts(
            SCRIPT(EXPECT, SEND_TEXT(statuses[i % 2]), CLOSE), SCRIPT(EXPECT, RESPOND, REPEAT));
        reply_client *client =
            i / 2 == 0 ? wire_create_client(server_url(server)) : nginx_create_client_of(server);
        reply_client_set_max_retries(client, 1, NULL);
        const struct wire_summary summary = fetch_and_fork(client, "wait ", 0, 18);
        assert_int_equal(summary.contact_count, 40);
        assert_int_equal(summary.max_attempts, 2);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(test_silent_connection_costs_one_attempt),
        WIRE_TEST(test_silent_connection_spares_contacts),
        WIRE_TEST(test_connection_may_fall_silent_in_call),
        WIRE_TEST(test_interrupt_retires_connection),
        WIRE_TEST(test_deadline_retires_connection),
        WIRE_TEST(test_deadline_in_response_retires_connection),
        WIRE_TEST(test_good_connection_is_kept),
        WIRE_TEST(test_stray_response_costs_one_contact),
        WIRE_TEST(test_resent_request_retires_new_connection),
        WIRE_TEST(test_resent_request_retires_reused_connection),
        WIRE_TEST(test_wrong_ids_retire_tls_connection),
        WIRE_TEST(test_requests_on_retired_connection_finish),
        WIRE_TEST(test_early_response_is_not_forgotten),
        WIRE_TEST(test_late_bytes_are_never_response),
        WIRE_TEST(test_late_bytes_in_call_are_ignored),
        WIRE_TEST(test_unread_bytes_spare_http2_connection),
        WIRE_TEST(test_reused_connection_is_looked_at_once),
        WIRE_TEST(test_failed_removal_costs_one_attempt),
        WIRE_TEST(test_limit_stops_sending),
        WIRE_TEST(test_limit_stops_resending),
        WIRE_TEST(test_recalled_request_is_not_sent_again),
        WIRE_TEST(test_sent_request_is_not_taken_back),
        WIRE_TEST(test_held_request_is_no_attempt),
        WIRE_TEST(test_held_request_does_not_time_out),
        WIRE_TEST(test_callback_time_spares_connect_timeout),
        WIRE_TEST(test_connect_timeout_is_reached),
        WIRE_TEST(test_resent_request_has_connect_timeout),
        WIRE_TEST(test_deadline_ends_connect_to_proxy),
        WIRE_TEST(test_large_headers_keep_all_contacts),
        WIRE_TEST(test_connections_are_close_on_exec),
        WIRE_TEST(test_fork_in_callback_spares_parent),
        WIRE_TEST(test_fork_in_log_spares_parent),
        WIRE_TEST(test_fork_before_retirement_spares_parent),
        WIRE_TEST(test_fork_in_wait_line_spares_parent),
    };
    return cmocka_run_group_tests(tests, nginx_start, nginx_stop);
}
