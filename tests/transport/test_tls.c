/* test_tls.c - TLS and HTTP/2 with an nginx on loopback: trust, the number of connections, and
 * calls in which HTTP/2 fails. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/check_error.h"
#include "support/check_text.h"
#include "support/child.h"
#include "support/libc_fault.h"
#include "support/nginx.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"
#include "support/check_range.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int count_occurrences(const char *text, const char *part) {
    int count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* ---- Trust ---- */

static void test_http2_and_tls13_are_used(void **state) {
    (void)state;
    assert_int_equal(wire_fetch_ids(nginx_create_trusting_client(NGINX_HTTP2), 1, 2, NULL),
                     REPLY_OK);
    char *lines = nginx_await_lines("/sequences/1/", 1);
    expect_contains(
        lines,
        "protocol=HTTP/2.0 tls=TLSv1.3 status=200 uri=/v4/sequences/1/contacts/2 key=" WIRE_KEY
        " accept=application/json encoding=gzip end");
    free(lines);
}

static void test_http1_is_used_without_http2(void **state) {
    (void)state;
    assert_int_equal(wire_fetch_ids(nginx_create_trusting_client(NGINX_HTTP1), 2, 2, NULL),
                     REPLY_OK);
    char *lines = nginx_await_lines("/sequences/2/", 1);
    expect_contains(lines, "protocol=HTTP/1.1 tls=TLSv1.3 status=200");
    free(lines);
}

static void test_tls12_is_accepted(void **state) {
    (void)state;
    assert_int_equal(wire_fetch_ids(nginx_create_trusting_client(NGINX_TLS_1_2), 3, 2, NULL),
                     REPLY_OK);
    char *lines = nginx_await_lines("/sequences/3/", 1);
    expect_contains(lines, "protocol=HTTP/2.0 tls=TLSv1.2 status=200");
    free(lines);
}

static void test_localhost_certificate_is_accepted(void **state) {
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "https://LocalHost:%d/v4/", nginx_port(NGINX_HTTP2));
    reply_client *client = wire_create_client(url);
    assert_int_equal(reply_client_set_ca_file(client, nginx_path("known.pem"), NULL), REPLY_OK);
    assert_int_equal(wire_fetch_ids(client, 4, 2, NULL), REPLY_OK);
}

static const struct trust_case {
    const char *name;
    enum nginx_port port;
    const char *ca; /* NULL for the system's authorities */
    const char *words;
} trust_cases[] = {
    {"certificate for another host", NGINX_WRONG_HOST, "known.pem",
     "no alternative certificate subject name"},
    {"expired certificate", NGINX_EXPIRED, "known.pem", "certificate has expired"},
    {"certificate from unknown authority", NGINX_UNTRUSTED, "known.pem",
     "unable to get local issuer certificate"},
    {"authority unknown to the system", NGINX_HTTP2, NULL,
     "unable to get local issuer certificate"},
    {"CA file of another authority", NGINX_HTTP2, "unknown.pem",
     "unable to get local issuer certificate"},
    {"missing CA file", NGINX_HTTP2, "nothing.pem", "/nothing.pem; check the CA file"},
    {"CA file without certificate", NGINX_HTTP2, "nginx.conf", "TLS connection failed: "},
    {"directory as CA file", NGINX_HTTP2, ".", "TLS connection failed: "},
};

/* Would catch a request, and so the key, that is sent to an untrusted server, and a retry. */
static void test_untrusted_server_is_tls_error(void **state) {
    const struct trust_case *row = *state;
    const int sequence_id = 1000 + (int)(row - trust_cases);
    reply_error error;
    char path[64];
    reply_client *client = nginx_create_client(row->port, row->ca);
    reply_client_set_max_retries(client, 3, NULL);
    assert_int_equal(wire_fetch_ids(client, sequence_id, 2, &error), REPLY_ERROR_TLS);
    expect_words(&error, row->words);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.http_status, 0);
    assert_int_not_equal(error.curl_code, 0);
    assert_int_equal(wire_total_wait_ms(), 0);
    /* This request appears in the log after any earlier one. */
    assert_int_equal(
        wire_fetch_ids(nginx_create_trusting_client(NGINX_HTTP2), sequence_id, 3, NULL), REPLY_OK);
    snprintf(path, sizeof path, "/sequences/%d/", sequence_id);
    free(nginx_await_lines(path, 1));
}

static void test_tls11_is_rejected(void **state) {
    char address[32];
    reply_error error;
    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:%d", nginx_port(NGINX_TLS_1_1));
    if (nginx_run_program((const char *const[]){"openssl", "s_client", "-connect", address,
                                                "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL},
                          nginx_path("tls11")) != 0) {
        print_message("skipped: this machine's OpenSSL does not support TLS 1.1\n");
        skip();
    }
    reply_client *client = nginx_create_trusting_client(NGINX_TLS_1_1);
    reply_client_set_max_retries(client, 1, NULL);
    assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_TLS);
    assert_int_equal(error.attempts, 2);
}

/* ---- Connections ---- */

static void test_calls_reuse_connection(void **state) {
    static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        char path[32];
        reply_client *client = nginx_create_trusting_client(ports[i]);
        for (int contact = 1; contact <= 10; contact++) {
            assert_int_equal(wire_fetch_ids(client, 20 + (int)i, contact, NULL), REPLY_OK);
        }
        snprintf(path, sizeof path, "/sequences/%d/", 20 + (int)i);
        char *lines = nginx_await_lines(path, 10);
        assert_int_equal(nginx_count_connections(lines), 1);
        free(lines);
    }
}

static void test_many_contacts_use_one_connection(void **state) {
    reply_client *client = nginx_create_trusting_client(NGINX_HTTP2);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 32, NULL), REPLY_OK);
    const struct wire_summary summary = wire_fetch_all(client, 30, 200);
    assert_int_equal(summary.contact_count, 200);
    assert_int_equal(summary.max_attempts, 1);
    char *lines = nginx_await_lines("/sequences/30/", 200);
    assert_int_equal(nginx_count_connections(lines), 1);
    assert_int_equal(count_occurrences(lines, "protocol=HTTP/2.0"), 200);
    free(lines);
}

/* The server does not respond until it has all requests. Would catch fewer requests in flight than
 * the maximum, and more than one connection. */
static void test_max_concurrency_is_reached(void **state) {
    struct server *server = server_start(SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, REPEAT));
    reply_client *client = nginx_create_client_of(server);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 32, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_timeout_ms(client, 1000, NULL), REPLY_OK);
    const struct wire_summary summary = wire_fetch_many(client, 31, 200);
    assert_int_equal(summary.result, REPLY_ERROR_TIMEOUT);
    assert_int_equal(server_request_count(server), 32);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 200);
    server_release(server); /* nginx logs the requests whose responses it could read */
    char *lines = nginx_await_lines("/sequences/31/", 32);
    assert_int_equal(nginx_count_connections(lines), 1);
    free(lines);
}

/* ---- HTTP/2 ---- */

/* Would catch a GOAWAY that costs an attempt, and more connections than it requires. */
static void test_goaway_costs_only_new_connection(void **state) {
    (void)state;
    reply_client *client = nginx_create_trusting_client(NGINX_SENDS_GOAWAY);
    for (int contact = 1; contact <= 12; contact++) {
        reply_error error;
        assert_int_equal(wire_fetch_ids(client, 40, contact, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
    }
    char *lines = nginx_await_lines("/sequences/40/", 12);
    assert_int_equal(nginx_count_connections(lines), 3);
    free(lines);
}

static void test_goaway_keeps_all_contacts(void **state) {
    (void)state;
    reply_client *client = nginx_create_trusting_client(NGINX_SENDS_GOAWAY);
    assert_int_equal(reply_client_set_max_concurrency(client, 4, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 3, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_all(client, 41, 40).contact_count, 40);
}

/* nginx resets the stream of contact 444. */
static void test_reset_stream_is_network_error(void **state) {
    reply_client *client = nginx_create_trusting_client(NGINX_HTTP2);
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 1, NULL);
    assert_int_equal(wire_fetch_ids(client, 42, 444, &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.attempts, 2);
    assert_int_equal(error.http_status, 0);
    assert_int_not_equal(error.curl_code, 0);
    assert_int_equal(wire_fetch_ids(client, 42, 1, NULL), REPLY_OK);
}

static int record_result(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    int *results = user_data;
    (void)error;
    results[index] = (int)result;
    reply_sequence_contact_free(contact);
    return 0;
}

static void test_reset_stream_spares_other_streams(void **state) {
    const int64_t ids[] = {1, 2, 444, 3, 4, 5, 444, 6};
    int results[COUNT(ids)];
    reply_client *client = nginx_create_trusting_client(NGINX_HTTP2);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 8, NULL), REPLY_OK);
    assert_int_equal(
        reply_get_sequence_contacts(client, 43, ids, COUNT(ids), record_result, results, NULL),
        REPLY_OK);
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(results[i], ids[i] == 444 ? REPLY_ERROR_NETWORK : REPLY_OK);
    }
}

/* clang-format off */
static const struct http2_case {
    const char *name;
    reply_result result;
    int32_t http_status;
    struct server_step steps[5];
} http2_cases[] = {
    {"contact", REPLY_OK, 0,
     {EXPECT, RESPOND}},
    {"body of 1 MiB", REPLY_OK, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_CONTACT(1024 * 1024)}},
    {"body over 1 MiB", REPLY_ERROR_RESPONSE_TOO_LARGE, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_CONTACT(1024 * 1024 + 1)}},
    {"endless body", REPLY_ERROR_RESPONSE_TOO_LARGE, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_ENDLESSLY("[")}},
    {"announced 100 GB", REPLY_ERROR_RESPONSE_TOO_LARGE, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 107374182400\r\n\r\n{"), AWAIT_CLOSE}},
    {"truncated body", REPLY_ERROR_NETWORK, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"),
      SEND_CONTACT_PART(300, 0, 200)}},
    {"404 with truncated body", REPLY_ERROR_NOT_FOUND, 404,
     {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n{")}},
    {"404 with endless body", REPLY_ERROR_NOT_FOUND, 404,
     {EXPECT, SEND("HTTP/1.1 404 Not Found\r\n\r\n"), SEND_ENDLESSLY("[")}},
    {"401", REPLY_ERROR_UNAUTHORIZED, 401,
     {EXPECT, SEND("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")}},
    {"redirect", REPLY_ERROR_HTTP, 302,
     {EXPECT, SEND("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n"
                   "Content-Length: 0\r\n\r\n")}},
    {"204", REPLY_ERROR_HTTP, 204,
     {EXPECT, SEND("HTTP/1.1 204 No Content\r\n\r\n")}},
    {"502 of nginx", REPLY_ERROR_SERVER, 502,
     {EXPECT, CLOSE}},
};
/* clang-format on */

static void test_http2_response_gives_expected_result(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http2_cases); i++) {
        const struct http2_case *row = &http2_cases[i];
        reply_error error;
        const reply_result result =
            wire_fetch_ids(nginx_create_client_of(server_start(row->steps)), 44, 5, &error);
        if (result != row->result || error.http_status != row->http_status) {
            fail_msg("%s: %s, status %d, code %d: %s", row->name, reply_result_name(result),
                     error.http_status, error.curl_code, error.message);
        }
        wire_tear_down(NULL);
    }
}

/* nginx resets the stream in the middle of a body whose length was not announced. Before 7.77
 * libcurl takes that for the end of the body. */
static void test_reset_in_body_gives_expected_result(void **state) {
    const bool is_noticed = curl_version_info(CURLVERSION_NOW)->version_num >= 0x074D00;
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n"),
               SEND_CONTACT_PART(300, 0, 200)));
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_ids(nginx_create_client_of(server), 44, 5, &error),
                     is_noticed ? REPLY_ERROR_NETWORK : REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, is_noticed ? 0 : 200);
}

static void test_http2_headers_are_read(void **state) {
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 503 Unavailable\r\nRetry-After: 7\r\nX-Request-Id: req-2\r\n"
                            "Content-Length: 22\r\n\r\n{\"code\":\"some.problem\"}")));
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_ids(nginx_create_client_of(server), 45, 5, &error),
                     REPLY_ERROR_SERVER);
    assert_int_equal(error.http_status, 503);
    assert_int_equal(error.retry_after_ms, 7000);
    assert_string_equal(error.request_id, "req-2");
    assert_non_null(strcasestr(server_request(server, 0).text, "x-api-key: " WIRE_KEY "\r\n"));
}

/* Would catch a timed-out stream that spoils the next call. */
static void test_http2_attempt_times_out(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND, REPEAT));
    reply_client *client = nginx_create_client_of(server);
    const int64_t started_ms = timing_now_ms();
    (void)state;
    reply_client_set_attempt_timeout_ms(client, 300, NULL);
    assert_int_equal(wire_fetch_ids(client, 46, 5, NULL), REPLY_ERROR_TIMEOUT);
    check_in_range(timing_now_ms() - started_ms, 295, 300 + timing_scale_ms(200));
    assert_int_equal(wire_fetch_ids(client, 46, 6, NULL), REPLY_OK);
}

static void test_interrupt_ends_http2_call(void **state) {
    int64_t shortest_ms = INT64_MAX;
    (void)state;
    for (int run = 0; run < 5 && shortest_ms > timing_scale_ms(50); run++) {
        struct server *server =
            server_start_two_scripts(SCRIPT(EXPECT, AWAIT_CLOSE), SCRIPT(EXPECT, RESPOND, REPEAT));
        reply_client *client = nginx_create_client_of(server);
        reply_result result = REPLY_OK;
        const int64_t elapsed_ms = wire_interrupt_call(client, server, 0, &result);
        assert_int_equal(result, REPLY_ERROR_CANCELLED);
        shortest_ms = elapsed_ms < shortest_ms ? elapsed_ms : shortest_ms;
        assert_int_equal(wire_fetch_ids(client, 47, 6, NULL), REPLY_OK);
        wire_tear_down(NULL);
    }
    check_in_range(shortest_ms, 0, timing_scale_ms(50));
}

/* Fails each send of the handshake and the request. Would catch this call or the next one waiting
 * for the dead connection. */
static void test_failed_send_is_handled(void **state) {
    static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};
    (void)state;
    for (int i = 0; i < 16; i++) {
        reply_client *client = nginx_create_trusting_client(ports[i % 2]);
        reply_error error;
        reply_client_set_max_retries(client, 1, NULL);
        libc_fault_fail_send(1 + i / 2);
        const int64_t started_ms = timing_now_ms();
        const reply_result result = wire_fetch_ids(client, 48, 5, &error);
        const int64_t elapsed_ms = timing_now_ms() - started_ms - wire_total_wait_ms();
        libc_fault_fail_send(0);
        if ((result != REPLY_OK && result != REPLY_ERROR_TLS) ||
            elapsed_ms > timing_scale_ms(1000)) {
            fail_msg("send %d: %s after %d attempts in %d ms: %s", 1 + i / 2,
                     reply_result_name(result), error.attempts, (int)elapsed_ms, error.message);
        }
        assert_int_equal(wire_fetch_ids(client, 48, 6, &error), REPLY_OK);
        assert_true(timing_now_ms() - started_ms - wire_total_wait_ms() < timing_scale_ms(2000));
        wire_tear_down(NULL);
    }
}

/* Like the test above, with other transfers waiting for the connection. Would catch a request that
 * is sent late, whose response another contact would get. */
static void test_failed_send_spares_other_contacts(void **state) {
    static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};
    (void)state;
    for (int i = 0; i < 20; i++) {
        reply_client *client = nginx_create_trusting_client(ports[i % 2]);
        reply_client_set_max_retries(client, 1, NULL);
        libc_fault_fail_send(1 + i / 2);
        const int64_t started_ms = timing_now_ms();
        const struct wire_summary summary = wire_fetch_all(client, 49, 8);
        const int64_t elapsed_ms = timing_now_ms() - started_ms - wire_total_wait_ms();
        const int tls_errors = summary.error_counts[REPLY_ERROR_TLS];
        libc_fault_fail_send(0);
        if (summary.contact_count < 7 || summary.contact_count + tls_errors != 8 ||
            elapsed_ms > timing_scale_ms(1000)) {
            fail_msg("send %d: %d contacts, %d TLS errors, in %d ms", 1 + i / 2,
                     summary.contact_count, tls_errors, (int)elapsed_ms);
        }
        wire_tear_down(NULL);
    }
}

/* ---- Proxy, fork, signals ---- */

/* Would catch the key being sent to the proxy, or not being sent through it. */
static void test_proxy_does_not_see_key(void **state) {
    struct server *proxy = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Established\r\n\r\n"), TUNNEL(nginx_port(NGINX_HTTP2))));
    reply_client *client = wire_create_client("https://api.example.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_ca_file(client, nginx_path("known.pem"), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    for (int contact = 1; contact <= 3; contact++) {
        assert_int_equal(wire_fetch_ids(client, 50, contact, NULL), REPLY_OK);
    }
    assert_int_equal(server_connection_count(proxy), 1);
    const char *request = server_request(proxy, 0).text;
    assert_int_equal(strncmp(request, "CONNECT api.example.invalid:443 HTTP/1.1\r\n", 42), 0);
    assert_null(strstr(request, WIRE_KEY));
    char *lines = nginx_await_lines("/sequences/50/", 3);
    assert_int_equal(count_occurrences(lines, "key=" WIRE_KEY " "), 3);
    assert_int_equal(nginx_count_connections(lines), 1);
    free(lines);
}

static int destroy_in_child(void *client) {
    reply_client_destroy(client);
    return 0;
}

/* Would catch a child that closes the parent's TLS session. */
static void test_child_keeps_tls_connection_open(void **state) {
    static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        char path[32];
        reply_client *client = nginx_create_trusting_client(ports[i]);
        assert_int_equal(wire_fetch_ids(client, 60 + (int)i, 1, NULL), REPLY_OK);
        assert_int_equal(child_run(destroy_in_child, client), 0);
        assert_int_equal(wire_fetch_ids(client, 60 + (int)i, 2, NULL), REPLY_OK);
        snprintf(path, sizeof path, "/sequences/%d/", 60 + (int)i);
        char *lines = nginx_await_lines(path, 2);
        assert_int_equal(nginx_count_connections(lines), 1);
        free(lines);
    }
}

static volatile sig_atomic_t sigpipe_count;

static void count_sigpipe(int number) {
    (void)number;
    sigpipe_count++;
}

static int restore_sigpipe_and_tear_down(void **state) {
    signal(SIGPIPE, SIG_DFL);
    return wire_tear_down(state);
}

/* OpenSSL writes to connections that the server has closed or reset. */
static void test_sigpipe_is_not_raised(void **state) {
    const struct sigaction action = {.sa_handler = count_sigpipe};
    (void)state;
    sigaction(SIGPIPE, &action, NULL);
    sigpipe_count = 0;
    for (int i = 0; i < 10; i++) {
        reply_client *client = nginx_create_trusting_client(NGINX_CLOSES);
        assert_int_equal(wire_fetch_ids(client, 70, 1, NULL), REPLY_OK);
        assert_int_equal(wire_fetch_ids(client, 70, 2, NULL), REPLY_OK);
        wire_destroy_client(client);
        struct server *server = server_start(SCRIPT(EXPECT_BYTES, RESET));
        assert_int_equal(wire_fetch_one(wire_create_client(server_https_url(server)), NULL),
                         REPLY_ERROR_TLS);
        wire_tear_down(NULL);
    }
    assert_int_equal(sigpipe_count, 0);
}

struct quiet_use {
    reply_client *client;    /* its idle connection has been reset */
    bool is_destroyed;       /* otherwise the client makes a call */
    bool is_sigpipe_blocked; /* by the host, for which one is pending, too */
    reply_result result;
    bool is_sigpipe_unchanged;
};

/* libcurl reads that the connection has been reset, and then closes it, for which OpenSSL writes to
 * it. */
static void *use_reset_connection(void *context) {
    struct quiet_use *use = context;
    const int expected = use->is_sigpipe_blocked ? 1 : 0;
    int number = 0;
    reply_sequence_contact *contact = NULL;
    sigset_t sigpipe, mask, pending;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(use->is_sigpipe_blocked ? SIG_BLOCK : SIG_UNBLOCK, &sigpipe, NULL);
    if (use->is_sigpipe_blocked) {
        pthread_kill(pthread_self(), SIGPIPE);
    }
    if (use->is_destroyed) {
        wire_destroy_client(use->client);
    } else {
        use->result = reply_get_sequence_contact(use->client, 70, 3, &contact, NULL);
        reply_sequence_contact_free(contact);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    use->is_sigpipe_unchanged =
        sigismember(&mask, SIGPIPE) == expected && sigismember(&pending, SIGPIPE) == expected;
    if (use->is_sigpipe_blocked) {
        sigwait(&sigpipe, &number);
        pthread_sigmask(SIG_UNBLOCK, &sigpipe, NULL);
    }
    return NULL;
}

/* Would catch a SIGPIPE that ends the host or stays behind, a thread that is left with another
 * mask, and the loss of a SIGPIPE that is the host's own. */
static void test_reset_connection_leaves_sigpipe_unchanged(void **state) {
    static const enum nginx_port ports[] = {NGINX_HTTP2, NGINX_HTTP1};
    const struct sigaction action = {.sa_handler = count_sigpipe};
    (void)state;
    sigaction(SIGPIPE, &action, NULL);
    sigpipe_count = 0;
    for (int i = 0; i < 16; i++) {
        struct server *relay = server_start(SCRIPT(TUNNEL(nginx_port(ports[i / 8]))));
        struct quiet_use use = {
            .client = nginx_create_client_at(server_port(relay), "/v4", "known.pem"),
            .is_destroyed = i % 2 == 1,
            .is_sigpipe_blocked = i / 2 % 2 == 1,
        };
        pthread_t thread;
        assert_int_equal(wire_fetch_ids(use.client, 70, 1, NULL), REPLY_OK);
        server_reset(relay);
        server_await_closed(relay, 1);
        if (i / 4 % 2 == 1) {
            assert_int_equal(pthread_create(&thread, NULL, use_reset_connection, &use), 0);
            pthread_join(thread, NULL);
        } else {
            use_reset_connection(&use);
        }
        assert_int_equal(use.result, REPLY_OK);
        assert_true(use.is_sigpipe_unchanged);
        wire_tear_down(NULL);
    }
    assert_int_equal(sigpipe_count, 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(test_http2_and_tls13_are_used),
        WIRE_TEST(test_http1_is_used_without_http2),
        WIRE_TEST(test_tls12_is_accepted),
        WIRE_TEST(test_localhost_certificate_is_accepted),
        WIRE_TEST(test_tls11_is_rejected),
        WIRE_TEST(test_calls_reuse_connection),
        WIRE_TEST(test_many_contacts_use_one_connection),
        WIRE_TEST(test_max_concurrency_is_reached),
        WIRE_TEST(test_goaway_costs_only_new_connection),
        WIRE_TEST(test_goaway_keeps_all_contacts),
        WIRE_TEST(test_reset_stream_is_network_error),
        WIRE_TEST(test_reset_stream_spares_other_streams),
        WIRE_TEST(test_http2_response_gives_expected_result),
        WIRE_TEST(test_reset_in_body_gives_expected_result),
        WIRE_TEST(test_http2_headers_are_read),
        WIRE_TEST(test_failed_send_is_handled),
        WIRE_TEST(test_failed_send_spares_other_contacts),
        WIRE_TEST(test_http2_attempt_times_out),
        WIRE_TEST(test_interrupt_ends_http2_call),
        WIRE_TEST(test_proxy_does_not_see_key),
        WIRE_TEST(test_child_keeps_tls_connection_open),
        cmocka_unit_test_teardown(test_sigpipe_is_not_raised, restore_sigpipe_and_tear_down),
        cmocka_unit_test_teardown(test_reset_connection_leaves_sigpipe_unchanged,
                                  restore_sigpipe_and_tear_down),
    };
    static struct CMUnitTest all[COUNT(trust_cases) + COUNT(tests)];
    for (size_t i = 0; i < COUNT(trust_cases); i++) {
        all[i] = (struct CMUnitTest){.name = trust_cases[i].name,
                                     .test_func = test_untrusted_server_is_tls_error,
                                     .teardown_func = wire_tear_down,
                                     .initial_state = (void *)(uintptr_t)&trust_cases[i]};
    }
    memcpy(all + COUNT(trust_cases), tests, sizeof tests);
    return cmocka_run_group_tests_name("tls", all, nginx_start, nginx_stop);
}
