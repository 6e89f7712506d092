/* test_wire.c - a server that misbehaves byte by byte: the result, the number of attempts and the
 * duration of each fault. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/check_error.h"
#include "support/libc_fault.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"
#include "support/check_range.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define NOT_FOUND_HEADERS "HTTP/1.1 404 Not Found\r\n"
#define PROTOCOL_SWITCH   "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
#define LENGTH_100_GB     "Content-Length: 107374182400\r\n\r\n"

/* An empty JSON object, compressed. */
#define GZIP                                                                                       \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00"

#define BRACES_16 "{{{{{{{{{{{{{{{{"
#define BRACES_64 BRACES_16 BRACES_16 BRACES_16 BRACES_16

/* Long lines, because libcurl copies all folded lines with each one: short ones would be slow. */
#define FOLDED_64   "folded folded folded folded folded folded folded folded folded x"
#define FOLDED_512  FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64
#define FOLDED_2048 FOLDED_512 FOLDED_512 FOLDED_512 FOLDED_512

/* How long an attempt may exceed its timeout, and how long attempts without one may take. */
enum { MARGIN_MS = 200, PROMPT_MS = 2000 };

static int64_t attempt_timeout_ms(void) {
    return timing_scale_ms(300);
}

/* ---- The table ---- */

struct outcome {
    reply_result result;
    int32_t http_status;
    int attempts;
    bool times_out; /* each attempt lasts exactly until its timeout */
};

/* clang-format off */
#define SUCCEEDS {REPLY_OK, 0, 1, false}
#define TIMES_OUT {REPLY_ERROR_TIMEOUT, 0, 2, true}
#define RETRIED(result) {REPLY_ERROR_##result, 0, 2, false}
#define FINAL(result) {REPLY_ERROR_##result, 0, 1, false}
#define RETRIED_STATUS(result, status) {REPLY_ERROR_##result, status, 2, false}
#define STATUS(result, status) {REPLY_ERROR_##result, status, 1, false}
/* clang-format on */

struct fault {
    const char *name;
    struct outcome outcome; /* of a call with one retry */
    struct server_step steps[6];
};

/* clang-format off */
static const struct fault http_faults[] = {
    /* Before the response. */
    {"reset before request", RETRIED(NETWORK),
     {RESET}},
    {"close before request", RETRIED(NETWORK),
     {CLOSE}},
    {"reset instead of response", RETRIED(NETWORK),
     {EXPECT, RESET}},
    {"close instead of response", RETRIED(NETWORK),
     {EXPECT, CLOSE}},
    {"half close instead of response", RETRIED(NETWORK),
     {EXPECT, HALF_CLOSE, AWAIT_CLOSE}},
    {"unread request", TIMES_OUT,
     {AWAIT_RELEASE}},
    {"silence after request", TIMES_OUT,
     {EXPECT, AWAIT_CLOSE}},

    /* In the status line or the headers. */
    {"reset in status line", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 2"), MARK, RESET}},
    {"close in status line", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 2")}},
    {"close after status line", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 200 OK\r\n")}},
    {"reset in header line", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS "X-Some"), RESET}},
    {"close in header line", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS "X-Some")}},
    {"close after header line", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS)}},
    {"close in headers of 404", RETRIED(NETWORK),
     {EXPECT, SEND(NOT_FOUND_HEADERS "X-Some")}},
    {"close after 100", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\n")}},
    {"silence in status line", TIMES_OUT,
     {EXPECT, SEND("HTTP/1.1 2"), AWAIT_CLOSE}},
    {"silence in headers", TIMES_OUT,
     {EXPECT, SEND(OK_HEADERS "X-"), AWAIT_CLOSE}},
    {"silence after 100", TIMES_OUT,
     {EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\n"), AWAIT_CLOSE}},
    {"headers byte by byte", TIMES_OUT,
     {EXPECT, SEND_SLOWLY(OK_HEADERS "Content-Length: 300\r\n\r\n", 50), AWAIT_CLOSE}},
    {"byte every 250 ms", TIMES_OUT,
     {EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\n\r\n", 250), AWAIT_CLOSE}},
    {"endless header line", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS "X-Long: "), SEND_ENDLESSLY("x")}},
    {"endless header lines", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS), SEND_ENDLESSLY("X-Flood: 1\r\n")}},
    {"endless status line", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND("HTTP/1.1 200 "), SEND_ENDLESSLY("x")}},
    {"endless 100s", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND_ENDLESSLY("HTTP/1.1 100 Continue\r\n\r\n")}},
    {"endless 103s", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND_ENDLESSLY("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n")}},
    {"endless folded lines", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS "X-Long: 1\r\n"), SEND_ENDLESSLY(" " FOLDED_2048 "\r\n")}},

    /* Not HTTP. */
    {"garbage", RETRIED(NETWORK),
     {EXPECT, SEND("\x01\x02\xFFgarbage\r\n\r\n")}},
    {"NUL byte", RETRIED(NETWORK),
     {EXPECT, SEND("\0")}},
    {"endless garbage", RETRIED(NETWORK),
     {EXPECT, SEND_ENDLESSLY("\x80\x01garbage")}},
    {"HTTP/0.9", RETRIED(NETWORK),
     {EXPECT, SEND_CONTACT(300)}},
    {"HTTP/0.9 with HTML", RETRIED(NETWORK),
     {EXPECT, SEND("<html>hello</html>\n")}},
    {"greeting of another protocol", RETRIED(NETWORK),
     {EXPECT, SEND("220 mail.example ESMTP\r\n")}},
    {"HTTP/9.9", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/9.9 200 OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}},
    {"non-numeric status", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 abc OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}},
    {"status of two digits", RETRIED(NETWORK),
     {EXPECT, SEND("HTTP/1.1 20 OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}},
    {"non-numeric length", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS "Content-Length: many\r\n\r\n"), SEND_CONTACT(300)}},
    {"negative length", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS "Content-Length: -300\r\n\r\n"), SEND_CONTACT(300)}},
    {"protocol switch, then close", RETRIED(NETWORK),
     {EXPECT, SEND(PROTOCOL_SWITCH), SEND_CONTACT(300)}},
    {"protocol switch, then silence", TIMES_OUT,
     {EXPECT, SEND(PROTOCOL_SWITCH), AWAIT_CLOSE}},
    {"protocol switch, then one byte", RETRIED(NETWORK),
     {EXPECT, SEND(PROTOCOL_SWITCH), SEND("x"), AWAIT_CLOSE}},
    {"protocol switch, then endless bytes", RETRIED(NETWORK),
     {EXPECT, SEND(PROTOCOL_SWITCH), SEND_ENDLESSLY("x")}},

    /* In the body of a 200. */
    {"short body, then close", RETRIED(NETWORK),
     {EXPECT, SEND(OK_LENGTH_300), SEND_CONTACT_PART(300, 0, 299)}},
    {"short body, then reset", RETRIED(NETWORK),
     {EXPECT, SEND(OK_LENGTH_300), SEND_CONTACT_PART(300, 0, 299), RESET}},
    {"missing body", RETRIED(NETWORK),
     {EXPECT, SEND(OK_LENGTH_300)}},
    {"truncated body without length", STATUS(INVALID_RESPONSE, 200),
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_CONTACT_PART(300, 0, 299)}},
    {"reset in body without length", RETRIED(NETWORK),
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_CONTACT_PART(300, 0, 299), RESET}},
    {"length shorter than body", STATUS(INVALID_RESPONSE, 200),
     {EXPECT, SEND(OK_HEADERS "Content-Length: 299\r\n\r\n"), SEND_CONTACT(300)}},
    {"bytes after body", SUCCEEDS,
     {EXPECT, SEND(OK_LENGTH_300), SEND_CONTACT(300), SEND("HTTP/1.1 500 No\r\n\r\n"),
      AWAIT_CLOSE}},
    {"truncated chunk", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT_PART(300, 0, 200)}},
    {"missing last chunk", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT(300), SEND("\r\n")}},
    {"truncated last chunk", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r")}},
    {"truncated trailer", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r\nX-T")}},
    {"invalid chunk size", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "xyz\r\n"), SEND_CONTACT(300)}},
    {"too large chunk size", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "fffffffffffffffff\r\n"), SEND_CONTACT(300)}},
    {"chunk without newline", RETRIED(NETWORK),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT(300), SEND("xx\r\n0\r\n\r\n")}},
    {"endless trailers", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r\n"),
      SEND_ENDLESSLY("X-Flood: 1\r\n")}},
    {"silence in body", TIMES_OUT,
     {EXPECT, SEND(OK_LENGTH_300), SEND_CONTACT_PART(300, 0, 299), AWAIT_CLOSE}},
    {"silence before body", TIMES_OUT,
     {EXPECT, SEND(OK_LENGTH_300), AWAIT_CLOSE}},
    {"silence in chunk", TIMES_OUT,
     {EXPECT, SEND(OK_CHUNKED "12c\r\n"), SEND_CONTACT_PART(300, 0, 9), AWAIT_CLOSE}},
    {"body byte by byte", TIMES_OUT,
     {EXPECT, SEND(OK_HEADERS "\r\n"),
      SEND_SLOWLY("{\"contactId\":12345,\"sequenceId\":100,\"status\":\"Active\"", 50),
      AWAIT_CLOSE}},
    {"endless body", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_ENDLESSLY("[")}},
    {"endless chunks", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_CHUNKED), SEND_ENDLESSLY("40\r\n" BRACES_64 "\r\n")}},
    {"announced 100 GB", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS LENGTH_100_GB), AWAIT_CLOSE}},
    {"announced and endless 100 GB", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(OK_HEADERS LENGTH_100_GB), SEND_ENDLESSLY("x")}},
    {"gzip content coding", STATUS(INVALID_RESPONSE, 200),
     {EXPECT, SEND(OK_HEADERS "Content-Encoding: gzip\r\n\r\n" GZIP)}},

    /* In the body of another status: the status decides the result. */
    {"404 with short body", STATUS(NOT_FOUND, 404),
     {EXPECT, SEND(NOT_FOUND_HEADERS "Content-Length: 300\r\n\r\n{\"code\"")}},
    {"404 with truncated chunk", STATUS(NOT_FOUND, 404),
     {EXPECT, SEND(NOT_FOUND_HEADERS "Transfer-Encoding: chunked\r\n\r\n12c\r\n{")}},
    {"404 with invalid chunk size", STATUS(NOT_FOUND, 404),
     {EXPECT, SEND(NOT_FOUND_HEADERS "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{")}},
    {"404 with reset in body", STATUS(NOT_FOUND, 404),
     {EXPECT, SEND(NOT_FOUND_HEADERS "Content-Length: 300\r\n\r\n{"), RESET}},
    {"401 with endless body", STATUS(UNAUTHORIZED, 401),
     {EXPECT, SEND("HTTP/1.1 401 No\r\n\r\n"), SEND_ENDLESSLY("x")}},
    {"403 with endless JSON", STATUS(FORBIDDEN, 403),
     {EXPECT, SEND("HTTP/1.1 403 No\r\n\r\n"), SEND_ENDLESSLY("[")}},
    {"400 with announced 100 GB", STATUS(BAD_REQUEST, 400),
     {EXPECT, SEND("HTTP/1.1 400 Bad\r\n" LENGTH_100_GB), SEND_ENDLESSLY("x")}},
    {"503 with short body", RETRIED_STATUS(SERVER, 503),
     {EXPECT, SEND("HTTP/1.1 503 No\r\nContent-Length: 300\r\n\r\n{")}},
    {"404 with endless headers", FINAL(RESPONSE_TOO_LARGE),
     {EXPECT, SEND(NOT_FOUND_HEADERS), SEND_ENDLESSLY("X-Flood: 1\r\n")}},
};

/* Instead of a TLS handshake. */
static const struct fault tls_faults[] = {
    {"plain text instead of TLS", RETRIED(TLS),
     {EXPECT_BYTES, SEND("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")}},
    {"garbage instead of TLS", RETRIED(TLS),
     {EXPECT_BYTES, SEND_ENDLESSLY("\x16\x03\x03\xFF\xFF garbage")}},
    {"TLS alert", RETRIED(TLS),
     {EXPECT_BYTES, SEND("\x15\x03\x03\x00\x02\x02\x28")}},
    {"close in handshake", RETRIED(TLS),
     {EXPECT_BYTES, CLOSE}},
    {"reset in handshake", RETRIED(TLS),
     {EXPECT_BYTES, RESET}},
    {"silence in handshake", TIMES_OUT,
     {EXPECT_BYTES, AWAIT_CLOSE}},
};
/* clang-format on */

struct observed {
    reply_result result;
    reply_error error;
    int64_t attempts_ms; /* duration of the call without its waits */
};

static struct observed observe(reply_client *client) {
    struct observed observed;
    const int64_t started_ms = timing_now_ms();
    observed.result = wire_fetch_one(client, &observed.error);
    observed.attempts_ms = timing_now_ms() - started_ms - wire_total_wait_ms();
    return observed;
}

static bool is_expected(const struct observed *observed, const struct outcome *expected) {
    /* From 8.14 on, libcurl rejects a transfer coding that was not requested. */
    const bool fails_in_libcurl =
        expected->result != REPLY_OK &&
        (expected->http_status == 0 || observed->error.curl_code == CURLE_BAD_CONTENT_ENCODING);
    return observed->result == expected->result &&
           observed->error.http_status == expected->http_status &&
           observed->error.attempts == expected->attempts && observed->error.retry_after_ms == -1 &&
           (fails_in_libcurl || observed->error.curl_code == 0);
}

/* delay_ms is how long the end of each attempt may be delayed. */
static bool is_in_time(const struct observed *observed, const struct outcome *expected,
                       int64_t delay_ms) {
    if (!expected->times_out) {
        return observed->attempts_ms <= timing_scale_ms(PROMPT_MS);
    }
    const int64_t expected_ms = expected->attempts * attempt_timeout_ms();
    return observed->attempts_ms >= expected_ms - 5 &&
           observed->attempts_ms <=
               expected_ms + expected->attempts * delay_ms + timing_scale_ms(MARGIN_MS);
}

static reply_client *create_client(const char *url, int32_t retries) {
    reply_client *client = wire_create_client(url);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, attempt_timeout_ms(), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
    return client;
}

/* The CA file is small, because reading the system's may take longer than the margin. */
static void use_small_ca_file(reply_client *client) {
    assert_int_equal(reply_client_set_ca_file(client, FIXTURES "/wire/ca.pem", NULL), REPLY_OK);
}

static reply_client *create_https_client(struct server *server, int32_t retries) {
    reply_client *client = create_client(server_https_url(server), retries);
    use_small_ca_file(client);
    return client;
}

static reply_client *create_client_of(struct server *server, int32_t retries) {
    return create_client(server_url(server), retries);
}

/* The timeout is long if the attempts end without it, because a loaded machine can be slow. */
static reply_client *create_fault_client(const struct fault *fault, struct server *server,
                                         bool is_https) {
    reply_client *client = is_https ? create_https_client(server, 1) : create_client_of(server, 1);
    if (!fault->outcome.times_out) {
        assert_int_equal(
            reply_client_set_attempt_timeout_ms(client, timing_scale_ms(2 * PROMPT_MS), NULL),
            REPLY_OK);
    }
    return client;
}

/* Runs a fault again if it takes too long, because a loaded machine can delay any run. */
static void check_fault(const struct fault *fault, bool is_https) {
    struct observed observed;
    int connections = 0;
    for (int run = 0; run < 4; run++) {
        struct server *server = server_start(fault->steps);
        observed = observe(create_fault_client(fault, server, is_https));
        connections = server_connection_count(server);
        wire_tear_down(NULL);
        if (is_expected(&observed, &fault->outcome) && is_in_time(&observed, &fault->outcome, 0)) {
            break;
        }
    }
    if (!is_expected(&observed, &fault->outcome) || !is_in_time(&observed, &fault->outcome, 0) ||
        connections < fault->outcome.attempts) {
        fail_msg("%s: %s, status %d, code %d, %d attempts, %d connections, in %" PRId64 " ms: %s",
                 fault->name, reply_result_name(observed.result), observed.error.http_status,
                 observed.error.curl_code, observed.error.attempts, connections,
                 observed.attempts_ms, observed.error.message);
    }
}

static void test_http_fault_has_expected_outcome(void **state) {
    check_fault(*state, false);
}

static void test_tls_fault_has_expected_outcome(void **state) {
    check_fault(*state, true);
}

/* Would catch a retry that is missing, or advice about certificates. */
static void test_cut_handshake_is_no_certificate_error(void **state) {
    static const struct server_step cuts[][2] = {{EXPECT_BYTES, CLOSE}, {EXPECT_BYTES, RESET}};
    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        struct server *server = server_start(cuts[i]);
        reply_error error;
        assert_int_equal(wire_fetch_one(create_https_client(server, 1), &error), REPLY_ERROR_TLS);
        assert_int_equal(error.attempts, 2);
        assert_int_equal(server_connection_count(server), 2);
        expect_words(&error, "handshake");
        expect_words(&error, "retry later");
        expect_no_words(&error, "CA file");
        expect_no_words(&error, "certificate");
    }
}

/* ---- Connecting ---- */

/* Fetches with one retry and checks the failure of both attempts, whose ends may be delayed. */
static void expect_late_failure(reply_client *client, reply_result result, int curl_code,
                                bool times_out, int64_t delay_ms) {
    const struct outcome expected = {result, 0, 2, times_out};
    const struct observed observed = observe(client);
    if (!is_expected(&observed, &expected) || !is_in_time(&observed, &expected, delay_ms) ||
        observed.error.curl_code != curl_code) {
        fail_msg("%s, code %d, %d attempts in %" PRId64 " ms: %s",
                 reply_result_name(observed.result), observed.error.curl_code,
                 observed.error.attempts, observed.attempts_ms, observed.error.message);
    }
}

static void expect_failure(reply_client *client, reply_result result, int curl_code,
                           bool times_out) {
    expect_late_failure(client, result, curl_code, times_out, 0);
}

static const char *url_of_port(int port) {
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", port);
    return url;
}

static void test_refused_connection_is_network_error(void **state) {
    (void)state;
    expect_failure(create_client(url_of_port(server_find_closed_port()), 1), REPLY_ERROR_NETWORK,
                   CURLE_COULDNT_CONNECT, false);
}

static void test_unknown_host_is_network_error(void **state) {
    reply_error error;
    reply_client *client = wire_create_client("https://nonexistent.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.curl_code, CURLE_COULDNT_RESOLVE_HOST);
    assert_int_equal(error.http_status, 0);
    assert_int_equal(error.attempts, 2);
}

static void test_attempt_timeout_ends_lookup(void **state) {
    (void)state;
    expect_late_failure(create_client("https://" LIBC_FAULT_DEAD_HOST "/v4", 1),
                        REPLY_ERROR_TIMEOUT, CURLE_OPERATION_TIMEDOUT, true,
                        libc_fault_lookup_delay_ms());
    libc_fault_await_lookups(1);
}

static void test_connect_timeout_ends_lookup(void **state) {
    reply_client *client = wire_create_client("https://" LIBC_FAULT_DEAD_HOST "/v4");
    (void)state;
    reply_client_set_connect_timeout_ms(client, attempt_timeout_ms(), NULL);
    reply_client_set_max_retries(client, 1, NULL);
    expect_late_failure(client, REPLY_ERROR_TIMEOUT, CURLE_OPERATION_TIMEDOUT, true,
                        libc_fault_lookup_delay_ms());
    libc_fault_await_lookups(1);
}

static void test_attempt_timeout_ends_connect(void **state) {
    (void)state;
    expect_failure(create_client(url_of_port(server_open_full_port()), 1), REPLY_ERROR_TIMEOUT,
                   CURLE_OPERATION_TIMEDOUT, true);
}

static void test_connect_timeout_ends_connect(void **state) {
    reply_client *client = wire_create_client(url_of_port(server_open_full_port()));
    (void)state;
    reply_client_set_connect_timeout_ms(client, attempt_timeout_ms(), NULL);
    reply_client_set_max_retries(client, 1, NULL);
    expect_failure(client, REPLY_ERROR_TIMEOUT, CURLE_OPERATION_TIMEDOUT, true);
}

static void test_connect_timeout_includes_tls_handshake(void **state) {
    struct server *server = server_start(SCRIPT(EXPECT_BYTES, AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_https_url(server));
    (void)state;
    use_small_ca_file(client);
    reply_client_set_connect_timeout_ms(client, attempt_timeout_ms(), NULL);
    const int64_t started_ms = timing_now_ms();
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_ERROR_TIMEOUT);
    check_in_range(timing_now_ms() - started_ms, attempt_timeout_ms() - 5,
                   attempt_timeout_ms() + timing_scale_ms(MARGIN_MS));
    assert_int_equal(wire_total_wait_ms(), 0);
}

static void test_slow_response_outlasts_connect_timeout(void **state) {
    reply_client *client = wire_create_client_of(
        SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\n", 10), SEND("\r\n"), SEND_CONTACT(300)));
    (void)state;
    reply_client_set_connect_timeout_ms(client, timing_scale_ms(100), NULL);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
}

/* ---- The call's deadline ---- */

/* Would catch a deadline that does not count waits, or that does not shorten the last attempt. */
static void test_call_ends_at_deadline(void **state) {
    static const int64_t timeouts_ms[] = {1, 50, 250, 500};
    struct server *server = server_start(SCRIPT(EXPECT, AWAIT_CLOSE));
    (void)state;
    for (size_t i = 0; i < COUNT(timeouts_ms); i++) {
        int64_t elapsed_ms = 0;
        for (int run = 0; run < 2; run++) {
            reply_client *client = create_client_of(server, 10);
            reply_error error;
            assert_int_equal(reply_client_set_timeout_ms(client, timeouts_ms[i], NULL), REPLY_OK);
            const int64_t started_ms = timing_now_ms();
            assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_TIMEOUT);
            elapsed_ms = timing_now_ms() - started_ms;
            assert_int_equal(error.http_status, 0);
            if (elapsed_ms <= timeouts_ms[i] + MARGIN_MS) {
                break;
            }
        }
        assert_true(elapsed_ms <= timeouts_ms[i] + timing_scale_ms(MARGIN_MS));
    }
}

static void test_deadline_ends_call_for_many(void **state) {
    reply_client *client = create_client_of(server_start(SCRIPT(EXPECT, AWAIT_CLOSE)), 10);
    (void)state;
    assert_int_equal(reply_client_set_timeout_ms(client, 250, NULL), REPLY_OK);
    const int64_t started_ms = timing_now_ms();
    const struct wire_summary summary = wire_fetch_many(client, 100, 50);
    check_in_range(timing_now_ms() - started_ms, 245, 250 + timing_scale_ms(MARGIN_MS));
    assert_int_equal(summary.result, REPLY_ERROR_TIMEOUT);
    assert_true(summary.is_each_delivered_once);
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], 50);
    assert_int_equal(summary.error.attempts, 0);
}

/* ---- Connections ---- */

/* All transfers wait for the first connection, whose handshake times out. Would catch libcurl
 * letting them connect one after the other, each with the full timeout. */
static void test_waiting_transfers_connect_concurrently(void **state) {
    enum { CONTACTS = 8 };
    struct server *server = server_start(SCRIPT(EXPECT_BYTES, AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_https_url(server));
    (void)state;
    use_small_ca_file(client);
    assert_int_equal(reply_client_set_connect_timeout_ms(client, attempt_timeout_ms(), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(client, CONTACTS, NULL), REPLY_OK);
    const int64_t started_ms = timing_now_ms();
    const struct wire_summary summary = wire_fetch_all(client, 100, CONTACTS);
    check_in_range(timing_now_ms() - started_ms, 2 * attempt_timeout_ms() - 5,
                   4 * attempt_timeout_ms());
    assert_int_equal(summary.error_counts[REPLY_ERROR_TIMEOUT], CONTACTS);
    assert_int_equal(server_connection_count(server), CONTACTS);
}

/* Would catch an idle connection, closed by the server, that costs an attempt, and the new one
 * being used for one request only. */
static void test_closed_idle_connection_is_replaced(void **state) {
    static const struct {
        struct server_step first[5]; /* script of the connection that closes */
        bool closes_while_idle;      /* otherwise when the next request has arrived */
        int32_t retries;
    } cases[] = {
        {{EXPECT, RESPOND, CLOSE}, true, 0},
        {{EXPECT, RESPOND, EXPECT, CLOSE}, false, 0},
        {{EXPECT, RESPOND, EXPECT, RESET}, false, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct server *server = server_start_two_scripts(cases[i].first, RESPONSES);
        reply_client *client = create_client_of(server, cases[i].retries);
        reply_error error;
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
        if (cases[i].closes_while_idle) {
            server_await_closed(server, 1);
        }
        assert_int_equal(wire_fetch_ids(client, 100, 7, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
        assert_int_equal(server_connection_count(server), 2);
    }
}

/* The connection is reset before the request is sent. Would catch the retry or the next call
 * waiting for that connection. */
static void test_failed_send_is_retried(void **state) {
    reply_client *client = create_client_of(server_start(RESPONSES), 1);
    reply_error error;
    (void)state;
    libc_fault_fail_send(1);
    const int64_t started_ms = timing_now_ms();
    const reply_result result = wire_fetch_one(client, &error);
    if (result != REPLY_OK || error.attempts != 2) {
        fail_msg("%s after %d attempts: %s", reply_result_name(result), error.attempts,
                 error.message);
    }
    check_in_range(timing_now_ms() - started_ms - wire_total_wait_ms(), 0,
                   timing_scale_ms(MARGIN_MS));
    assert_int_equal(wire_fetch_one(client, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
}

/* Would catch later transfers of the call that close their connections. */
static void test_failed_send_spares_later_connections(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = create_client_of(server, 1);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 1, NULL), REPLY_OK);
    libc_fault_fail_send(1);
    assert_int_equal(wire_fetch_all(client, 100, 5).contact_count, 5);
    assert_int_equal(server_connection_count(server), 2);
}

/* Servers send 408 on a connection that is idle for long, and close it. libcurl may read it as the
 * next response: the retry must succeed. */
static void test_408_on_idle_connection_is_retried(void **state) {
    static const char timeout[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, RESPOND, AWAIT_RELEASE, SEND(timeout), CLOSE), RESPONSES);
    reply_client *client = create_client_of(server, 1);
    (void)state;
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    server_release(server);
    server_await_closed(server, 1);
    assert_int_equal(wire_fetch_ids(client, 100, 7, NULL), REPLY_OK);
}

/* Would catch a response that arrived before a request being taken for that request's response. */
static void test_unsolicited_response_is_ignored(void **state) {
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, RESPOND, AWAIT_RELEASE, RESPOND, MARK, AWAIT_CLOSE), RESPONSES);
    reply_client *client = create_client_of(server, 0);
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    server_release(server);
    server_await_marks(server, 1);
    if (wire_fetch_ids(client, 100, 7, &error) != REPLY_OK) {
        assert_int_equal(error.result, REPLY_ERROR_INVALID_RESPONSE);
        expect_words(&error, "12345");
    }
}

/* ---- Bodies ---- */

#define IDS   "\"contactId\":12345,\"sequenceId\":100,"
#define DATE  "\"addingDate\":\"2024-03-08T10:00:00Z\""
#define EMAIL "who@example.com"
#define REST                                                                                       \
    "\"email\":\"" EMAIL "\",\"status\":\"Active\",\"currentStep\":2," DATE ",\"isOptedOut\":"     \
    "false"

static const struct {
    const char *text;
    const char *words; /* in the message */
} invalid_bodies[] = {
    {"", "0 bytes, starts with nothing"},
    {" \r\n\t ", "5 bytes, starts with nothing"},
    {"null", "without a contact"},
    {"true", "without a contact"},
    {"12345", "without a contact"},
    {"\"" EMAIL "\"", "starts with a string"},
    {"[]", "starts with an array"},
    {"[{" IDS REST "}]", "starts with an array"},
    {"<!DOCTYPE html><html><body>Sign in, " EMAIL "</body></html>", "starts with HTML"},
    {"<?xml version=\"1.0\"?><error>" EMAIL "</error>", "starts with XML"},
    {EMAIL, "application/json, 15 bytes, starts with text"},
    {")]}',\n{" IDS REST "}", "starts with a )]}' prefix"},
    {"callback({" IDS REST "})", "starts with text"},
    {"\xFF\xFE{\0}\0", "starts with binary data"},
    {"\x01" EMAIL, "starts with binary data"},
    {"\xEF\xBB\xBF", "starts with nothing"},
    {"data: {" IDS REST "}\n\n", "starts with text"},
    {"{}", "contactId"},
    {"{", "byte"},
    {"{\"contactId\"", "byte"},
    {"{\"contactId\":12345", "byte"},
    {"{\"error\":\"not found\"}", "contactId"},
    {"{\"type\":\"about:blank\",\"status\":404}", "contactId"},
    {"{\"data\":{" IDS REST "}}", "contactId"},
    {"{\"items\":[{" IDS REST "}],\"total\":1}", "contactId"},
    {"{" IDS REST "}{" IDS REST "}", "byte"},
    {"{" IDS REST "}x", "byte"},
    {"{" IDS REST ",}", "byte"},
    {"{" IDS REST, "byte"},
    {"{'contactId':12345}", "byte"},
    {"{contactId:12345}", "byte"},
    {"{" IDS REST ",\"x\":NaN}", "byte"},
    {"{" IDS REST ",\"x\":\"\x01\"}", "byte"},
    {"{" IDS REST ",\"x\":\"\xFF\"}", "byte"},
    {"{\"contactId\":12346,\"sequenceId\":100," REST "}", "12346"},
    {"{\"contactId\":12345,\"sequenceId\":101," REST "}", "101"},
    {"{\"contactId\":100,\"sequenceId\":12345," REST "}", "instead of"},
    {"{\"contactId\":\"12345\",\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":12345.0,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":null,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":12345," REST "}", "sequenceId"},
    {"{\"contactId\":12345,\"contactId\":12345,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactid\":12345,\"sequenceId\":100," REST "}", "contactId"},
    {"{" IDS "\"status\":null,\"currentStep\":2," DATE ",\"isOptedOut\":false}", "status"},
    {"{" IDS "\"status\":\"Active\",\"currentStep\":2," DATE "}", "isOptedOut"},
};

/* Would catch a message that quotes the body, and a retry: the next response would be the same. */
static void test_invalid_body_is_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(invalid_bodies); i++) {
        reply_error error;
        struct server *server = server_start(
            SCRIPT(EXPECT, SEND(OK_HEADERS "\r\n"), SEND_TEXT(invalid_bodies[i].text)));
        const reply_result result = wire_fetch_one(create_client_of(server, 1), &error);
        if (result != REPLY_ERROR_INVALID_RESPONSE || error.http_status != 200 ||
            error.attempts != 1 || error.curl_code != 0 ||
            strstr(error.message, invalid_bodies[i].words) == NULL ||
            strstr(error.message, "who") != NULL || strstr(error.message, "Active") != NULL ||
            server_request_count(server) != 1) {
            fail_msg("\"%s\": %s, \"%s\"", invalid_bodies[i].text, reply_result_name(result),
                     error.message);
        }
        wire_tear_down(NULL);
    }
}

/* Without a Content-Length, nothing but the missing end of the JSON shows that it is truncated. */
static void test_truncated_contact_is_rejected(void **state) {
    enum { SIZE = 260 };
    (void)state;
    for (size_t length = 0; length < SIZE; length += length < 20 || length > SIZE - 10 ? 1 : 7) {
        reply_error error;
        struct server *server = server_start(
            SCRIPT(EXPECT, SEND(OK_HEADERS "\r\n"), SEND_CONTACT_PART(SIZE, 0, length)));
        assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), &error),
                         REPLY_ERROR_INVALID_RESPONSE);
        server = server_start(SCRIPT(EXPECT, SEND(OK_HEADERS "Content-Length: 260\r\n\r\n"),
                                     SEND_CONTACT_PART(SIZE, 0, length)));
        assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), &error),
                         REPLY_ERROR_NETWORK);
        wire_tear_down(NULL);
    }
}

/* ---- The program ---- */

/* Makes each fault a test, so that the others run if one fails. Returns the next free test. */
static struct CMUnitTest *add_faults(struct CMUnitTest *test, const struct fault *faults,
                                     size_t count, CMUnitTestFunction function) {
    for (size_t i = 0; i < count; i++) {
        *test++ = (struct CMUnitTest){.name = faults[i].name,
                                      .test_func = function,
                                      .teardown_func = wire_tear_down,
                                      .initial_state = (void *)(uintptr_t)&faults[i]};
    }
    return test;
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(test_cut_handshake_is_no_certificate_error),
        WIRE_TEST(test_refused_connection_is_network_error),
        WIRE_TEST(test_unknown_host_is_network_error),
        WIRE_TEST(test_attempt_timeout_ends_lookup),
        WIRE_TEST(test_connect_timeout_ends_lookup),
        WIRE_TEST(test_attempt_timeout_ends_connect),
        WIRE_TEST(test_connect_timeout_ends_connect),
        WIRE_TEST(test_connect_timeout_includes_tls_handshake),
        WIRE_TEST(test_slow_response_outlasts_connect_timeout),
        WIRE_TEST(test_call_ends_at_deadline),
        WIRE_TEST(test_deadline_ends_call_for_many),
        WIRE_TEST(test_waiting_transfers_connect_concurrently),
        WIRE_TEST(test_closed_idle_connection_is_replaced),
        WIRE_TEST(test_failed_send_is_retried),
        WIRE_TEST(test_failed_send_spares_later_connections),
        WIRE_TEST(test_408_on_idle_connection_is_retried),
        WIRE_TEST(test_unsolicited_response_is_ignored),
        WIRE_TEST(test_invalid_body_is_rejected),
        WIRE_TEST(test_truncated_contact_is_rejected),
    };
    static struct CMUnitTest all[COUNT(http_faults) + COUNT(tls_faults) + COUNT(tests)];
    struct CMUnitTest *next =
        add_faults(all, http_faults, COUNT(http_faults), test_http_fault_has_expected_outcome);
    next = add_faults(next, tls_faults, COUNT(tls_faults), test_tls_fault_has_expected_outcome);
    memcpy(next, tests, sizeof tests);
    return cmocka_run_group_tests_name("wire", all, NULL, NULL);
}
