/* test_wire.c - the wire misbehaves: a table of faults, each with the result that the caller gets,
 * how many attempts are made and how long it may take; then faults that need more than a script,
 * and bodies that are not the contact. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/scripted_server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HEAD_200     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* Long, since libcurl copies what it has with each such line. */
#define FOLDED_64   "folded folded folded folded folded folded folded folded folded x"
#define FOLDED_512  FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64
#define FOLDED_2048 FOLDED_512 FOLDED_512 FOLDED_512 FOLDED_512

/* Nothing may outlive its time limit by more than this. */
enum { MARGIN_MS = 200 };

/* How long an attempt may take. */
static int64_t attempt_ms(void) {
    return loopback_slack_ms(300);
}

/* What a fault comes to. */
struct outcome {
    reply_result result;
    int32_t http_status;
    int attempts;
    bool takes_all_time; /* each attempt lasts until its time limit, not less and not more */
};

/* clang-format off */
#define RETRIED(result) {REPLY_ERROR_##result, 0, 2, false}
#define TIMES_OUT {REPLY_ERROR_TIMEOUT, 0, 2, true}
#define FINAL(result) {REPLY_ERROR_##result, 0, 1, false}
#define STATUS(result, status) {REPLY_ERROR_##result, status, 1, false}
#define RETRIED_STATUS(result, status) {REPLY_ERROR_##result, status, 2, false}
#define FINE {REPLY_OK, 0, 1, false}
/* clang-format on */

struct fault {
    const char *name;
    bool is_https;
    struct loopback_step steps[6];
    struct outcome outcome; /* of a call with one retry */
};

/* clang-format off */
static const struct fault faults[] = {
    /* Before a byte of the response. */
    {"reset before the request", false, {RESET}, RETRIED(NETWORK)},
    {"closed before the request", false, {CLOSE}, RETRIED(NETWORK)},
    {"reset instead of an answer", false, {EXPECT, RESET}, RETRIED(NETWORK)},
    {"closed without an answer", false, {EXPECT, CLOSE}, RETRIED(NETWORK)},
    {"half closed without an answer", false, {EXPECT, HALF_CLOSE, AWAIT_CLOSE}, RETRIED(NETWORK)},
    {"silence, the request not even read", false, {AWAIT_RELEASE}, TIMES_OUT},
    {"silence after the request", false, {EXPECT, AWAIT_CLOSE}, TIMES_OUT},

    /* In the status line and the headers. */
    {"reset in the status line", false, {EXPECT, SEND("HTTP/1.1 2"), MARK, RESET}, RETRIED(NETWORK)},
    {"closed in the status line", false, {EXPECT, SEND("HTTP/1.1 2")}, RETRIED(NETWORK)},
    {"closed after the status line", false, {EXPECT, SEND("HTTP/1.1 200 OK\r\n")}, RETRIED(NETWORK)},
    {"reset in the headers", false, {EXPECT, SEND(HEAD_200 "X-Some"), RESET}, RETRIED(NETWORK)},
    {"closed in a header line", false, {EXPECT, SEND(HEAD_200 "X-Some")}, RETRIED(NETWORK)},
    {"closed after a header line", false, {EXPECT, SEND(HEAD_200)}, RETRIED(NETWORK)},
    {"closed in the headers of a 404", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nX-Some")}, RETRIED(NETWORK)},
    {"closed after a 100", false, {EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\n")}, RETRIED(NETWORK)},
    {"silence in the status line", false, {EXPECT, SEND("HTTP/1.1 2"), AWAIT_CLOSE}, TIMES_OUT},
    {"silence in the headers", false, {EXPECT, SEND(HEAD_200 "X-"), AWAIT_CLOSE}, TIMES_OUT},
    {"silence after a 100", false, {EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\n"), AWAIT_CLOSE}, TIMES_OUT},
    {"headers byte by byte", false, {EXPECT, SEND_SLOWLY(HEAD_200 "Content-Length: 300\r\n\r\n", 50), AWAIT_CLOSE}, TIMES_OUT},
    {"a byte every 250 ms", false, {EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\n\r\n", 250), AWAIT_CLOSE}, TIMES_OUT},
    {"a header line without end", false, {EXPECT, SEND(HEAD_200 "X-Long: "), SEND_ENDLESSLY("x")}, FINAL(RESPONSE_TOO_LARGE)},
    {"header lines without end", false, {EXPECT, SEND(HEAD_200), SEND_ENDLESSLY("X-Flood: 1\r\n")}, FINAL(RESPONSE_TOO_LARGE)},
    {"a status line without end", false, {EXPECT, SEND("HTTP/1.1 200 "), SEND_ENDLESSLY("x")}, FINAL(RESPONSE_TOO_LARGE)},
    {"100s without end", false, {EXPECT, SEND_ENDLESSLY("HTTP/1.1 100 Continue\r\n\r\n")}, FINAL(RESPONSE_TOO_LARGE)},
    {"103s without end", false, {EXPECT, SEND_ENDLESSLY("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n")}, FINAL(RESPONSE_TOO_LARGE)},
    {"folded lines without end", false, {EXPECT, SEND(HEAD_200 "X-Long: 1\r\n"), SEND_ENDLESSLY(" " FOLDED_2048 "\r\n")}, FINAL(RESPONSE_TOO_LARGE)},

    /* What is no HTTP. */
    {"garbage", false, {EXPECT, SEND("\x01\x02\xFFgarbage\r\n\r\n")}, RETRIED(NETWORK)},
    {"a zero byte", false, {EXPECT, SEND("\0")}, RETRIED(NETWORK)},
    {"garbage without end", false, {EXPECT, SEND_ENDLESSLY("\x80\x01garbage")}, RETRIED(NETWORK)},
    {"HTTP/0.9", false, {EXPECT, SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"HTTP/0.9 in HTML", false, {EXPECT, SEND("<html>hello</html>\n")}, RETRIED(NETWORK)},
    {"another protocol's greeting", false, {EXPECT, SEND("220 mail.example ESMTP\r\n")}, RETRIED(NETWORK)},
    {"HTTP/9.9", false, {EXPECT, SEND("HTTP/9.9 200 OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a status that is no number", false, {EXPECT, SEND("HTTP/1.1 abc OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a status of two digits", false, {EXPECT, SEND("HTTP/1.1 20 OK\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a NUL in a header", false, {EXPECT, SEND(HEAD_200 "X-Nul: a\0b\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a length that is no number", false, {EXPECT, SEND(HEAD_200 "Content-Length: many\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a length below 0", false, {EXPECT, SEND(HEAD_200 "Content-Length: -300\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"an unknown transfer coding", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: rot13\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a switch of protocols, closed", false, {EXPECT, SEND("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a switch of protocols, silent", false, {EXPECT, SEND("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), AWAIT_CLOSE}, TIMES_OUT},
    {"a switch of protocols, endless", false, {EXPECT, SEND("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), SEND_ENDLESSLY("x")}, RETRIED(NETWORK)},

    /* In the body of a 200. */
    {"a short body, closed", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n"), SEND_CONTACT_PART(300, 0, 299)}, RETRIED(NETWORK)},
    {"a short body, reset", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n"), SEND_CONTACT_PART(300, 0, 299), RESET}, RETRIED(NETWORK)},
    {"no body at all", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n")}, RETRIED(NETWORK)},
    {"a body without a length, cut", false, {EXPECT, SEND(HEAD_200 "\r\n"), SEND_CONTACT_PART(300, 0, 299)}, STATUS(INVALID_RESPONSE, 200)},
    {"a body without a length, reset", false, {EXPECT, SEND(HEAD_200 "\r\n"), SEND_CONTACT_PART(300, 0, 299), RESET}, RETRIED(NETWORK)},
    {"a body cut by its length", false, {EXPECT, SEND(HEAD_200 "Content-Length: 299\r\n\r\n"), SEND_CONTACT(300)}, STATUS(INVALID_RESPONSE, 200)},
    {"bytes after the body", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n"), SEND_CONTACT(300), SEND("HTTP/1.1 500 No\r\n\r\n"), AWAIT_CLOSE}, FINE},
    {"a cut chunk", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT_PART(300, 0, 200)}, RETRIED(NETWORK)},
    {"the last chunk missing", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT(300), SEND("\r\n")}, RETRIED(NETWORK)},
    {"cut in the last chunk", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r")}, RETRIED(NETWORK)},
    {"cut in a trailer", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r\nX-T")}, RETRIED(NETWORK)},
    {"a chunk's size that is none", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a chunk's size that is huge", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), SEND_CONTACT(300)}, RETRIED(NETWORK)},
    {"a chunk without its end", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT(300), SEND("xx\r\n0\r\n\r\n")}, RETRIED(NETWORK)},
    {"trailers without end", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT(300), SEND("\r\n0\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")}, FINAL(RESPONSE_TOO_LARGE)},
    {"silence in the body", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n"), SEND_CONTACT_PART(300, 0, 299), AWAIT_CLOSE}, TIMES_OUT},
    {"silence before the body", false, {EXPECT, SEND(HEAD_200 "Content-Length: 300\r\n\r\n"), AWAIT_CLOSE}, TIMES_OUT},
    {"silence in a chunk", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n12c\r\n"), SEND_CONTACT_PART(300, 0, 9), AWAIT_CLOSE}, TIMES_OUT},
    {"a body byte by byte", false, {EXPECT, SEND(HEAD_200 "\r\n"), SEND_SLOWLY("{\"contactId\":12345,\"sequenceId\":100,\"status\":\"Active\"", 50), AWAIT_CLOSE}, TIMES_OUT},
    {"a body without end", false, {EXPECT, SEND(HEAD_200 "\r\n"), SEND_ENDLESSLY("[")}, FINAL(RESPONSE_TOO_LARGE)},
    {"chunks without end", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n"), SEND_ENDLESSLY("40\r\n{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\r\n")}, FINAL(RESPONSE_TOO_LARGE)},
    {"100 GB announced", false, {EXPECT, SEND(HEAD_200 "Content-Length: 107374182400\r\n\r\n"), AWAIT_CLOSE}, FINAL(RESPONSE_TOO_LARGE)},
    {"100 GB announced and sent", false, {EXPECT, SEND(HEAD_200 "Content-Length: 107374182400\r\n\r\n"), SEND_ENDLESSLY("x")}, FINAL(RESPONSE_TOO_LARGE)},
    {"gzip that nobody asked for", false, {EXPECT, SEND(HEAD_200 "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00")}, STATUS(INVALID_RESPONSE, 200)},
    {"gzip as a transfer coding", false, {EXPECT, SEND(HEAD_200 "Transfer-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00")}, STATUS(INVALID_RESPONSE, 200)},

    /* In the body of another status, which decides. */
    {"a 404 with a short body", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n{\"code\"")}, STATUS(NOT_FOUND, 404)},
    {"a 404 with a cut chunk", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n{")}, STATUS(NOT_FOUND, 404)},
    {"a 404 with a broken chunk", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{")}, STATUS(NOT_FOUND, 404)},
    {"a 404 with a reset body", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n{"), RESET}, STATUS(NOT_FOUND, 404)},
    {"a 401 with an endless body", false, {EXPECT, SEND("HTTP/1.1 401 No\r\n\r\n"), SEND_ENDLESSLY("x")}, STATUS(UNAUTHORIZED, 401)},
    {"a 403 with endless JSON", false, {EXPECT, SEND("HTTP/1.1 403 No\r\n\r\n"), SEND_ENDLESSLY("[")}, STATUS(FORBIDDEN, 403)},
    {"a 400 with 100 GB announced", false, {EXPECT, SEND("HTTP/1.1 400 Bad\r\nContent-Length: 107374182400\r\n\r\n"), SEND_ENDLESSLY("x")}, STATUS(BAD_REQUEST, 400)},
    {"a 503 with a short body", false, {EXPECT, SEND("HTTP/1.1 503 No\r\nContent-Length: 300\r\n\r\n{")}, RETRIED_STATUS(SERVER, 503)},
    {"a 404 with endless headers", false, {EXPECT, SEND("HTTP/1.1 404 Not Found\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")}, FINAL(RESPONSE_TOO_LARGE)},

    /* Where TLS ought to be. */
    {"plain text on the TLS port", true, {EXPECT_BYTES, SEND("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")}, FINAL(TLS)},
    {"garbage on the TLS port", true, {EXPECT_BYTES, SEND_ENDLESSLY("\x16\x03\x03\xFF\xFF garbage")}, FINAL(TLS)},
    {"a TLS alert", true, {EXPECT_BYTES, SEND("\x15\x03\x03\x00\x02\x02\x28")}, FINAL(TLS)},
    {"closed in the handshake", true, {EXPECT_BYTES, CLOSE}, FINAL(TLS)},
    {"reset in the handshake", true, {EXPECT_BYTES, RESET}, FINAL(TLS)},
    {"silence in the handshake", true, {EXPECT_BYTES, AWAIT_CLOSE}, TIMES_OUT},
};
/* clang-format on */

/* ---- The table ---- */

/* What a call came to, with the time that its attempts took, the announced waits between them left
 * out. */
struct observed {
    reply_result result;
    reply_error error;
    int64_t attempts_ms;
};

static struct observed observe(reply_client *client) {
    struct observed observed;
    const int64_t began = loopback_now_ms();
    observed.result = loopback_fetch(client, &observed.error);
    observed.attempts_ms = loopback_now_ms() - began - loopback_waited_ms();
    return observed;
}

static bool is_as_expected(const struct observed *observed, const struct outcome *expected) {
    const bool fails_in_libcurl = expected->result != REPLY_OK && expected->http_status == 0;
    return observed->result == expected->result &&
           observed->error.http_status == expected->http_status &&
           observed->error.attempts == expected->attempts && observed->error.retry_after_ms == -1 &&
           (fails_in_libcurl || observed->error.curl_code == 0);
}

static bool is_in_time(const struct observed *observed, const struct outcome *expected) {
    const int64_t limit = expected->takes_all_time ? (int64_t)expected->attempts * attempt_ms() : 0;
    return observed->attempts_ms >= limit - 5 &&
           observed->attempts_ms <= limit + loopback_slack_ms(MARGIN_MS);
}

static reply_client *client_of(struct loopback_server *server, bool is_https, int32_t retries) {
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d/v4", is_https ? "https" : "http",
             loopback_port(server));
    reply_client *client = loopback_client(url);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, attempt_ms(), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
    return client;
}

/* A machine under load can hold up anything once; what outlives its time twice does so by itself.
 */
static void check_fault(const struct fault *fault) {
    struct observed observed;
    int connections = 0;
    for (int try = 0; try < 2; try++) {
        struct loopback_server *server = loopback_start(fault->steps);
        observed = observe(client_of(server, fault->is_https, 1));
        connections = loopback_connections(server);
        loopback_stop_all(NULL);
        if (!is_as_expected(&observed, &fault->outcome) || is_in_time(&observed, &fault->outcome)) {
            break;
        }
    }
    if (!is_as_expected(&observed, &fault->outcome) || !is_in_time(&observed, &fault->outcome) ||
        connections < fault->outcome.attempts) {
        print_error("%s: %s, status %d, code %d, %d attempts, %d connections, in %" PRId64
                    " ms: %s\n",
                    fault->name, reply_result_name(observed.result), observed.error.http_status,
                    observed.error.curl_code, observed.error.attempts, connections,
                    observed.attempts_ms, observed.error.message);
        fail();
    }
}

/* All of them, even where one fails: cmocka runs each as a test of its own. */
static void meets_a_fault(void **state) {
    check_fault(*state);
}

/* ---- Faults that need more than a script ---- */

static void check_outcome(reply_client *client, reply_result result, int curl_code,
                          bool takes_all_time) {
    struct observed observed;
    const struct outcome expected = {result, 0, 2, takes_all_time};
    observed = observe(client);
    if (!is_as_expected(&observed, &expected) || !is_in_time(&observed, &expected) ||
        observed.error.curl_code != curl_code) {
        fail_msg("%s, code %d, %d attempts in %" PRId64 " ms: %s",
                 reply_result_name(observed.result), observed.error.curl_code,
                 observed.error.attempts, observed.attempts_ms, observed.error.message);
    }
}

static reply_client *client_of_url(const char *url) {
    reply_client *client = loopback_client(url);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, attempt_ms(), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    return client;
}

static void is_refused(void **state) {
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", loopback_closed_port());
    check_outcome(client_of_url(url), REPLY_ERROR_NETWORK, CURLE_COULDNT_CONNECT, false);
}

static void finds_no_such_name(void **state) {
    reply_error error;
    reply_client *client = loopback_client("https://nonexistent.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.curl_code, CURLE_COULDNT_RESOLVE_HOST);
    assert_int_equal(error.http_status, 0);
    assert_int_equal(error.attempts, 2);
}

static void waits_for_a_dead_name_server_no_longer_than_it_may(void **state) {
    (void)state;
    check_outcome(client_of_url("https://" LOOPBACK_DEAD_NAME "/v4"), REPLY_ERROR_TIMEOUT,
                  CURLE_OPERATION_TIMEDOUT, true);
    loopback_await_lookups(1);
}

static void waits_for_a_connection_no_longer_than_it_may(void **state) {
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", loopback_full_port());
    check_outcome(client_of_url(url), REPLY_ERROR_TIMEOUT, CURLE_OPERATION_TIMEDOUT, true);
}

/* The time limit of connecting is one of its own, TLS included. */
static void bounds_the_time_of_connecting(void **state) {
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", loopback_full_port());
    reply_client *client = loopback_client(url);
    reply_client_set_connect_timeout_ms(client, attempt_ms(), NULL);
    reply_client_set_max_retries(client, 1, NULL);
    check_outcome(client, REPLY_ERROR_TIMEOUT, CURLE_OPERATION_TIMEDOUT, true);
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT_BYTES, AWAIT_CLOSE));
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v4", loopback_port(server));
    client = loopback_client(url);
    reply_client_set_connect_timeout_ms(client, attempt_ms(), NULL);
    const int64_t waited = loopback_waited_ms();
    const int64_t began = loopback_now_ms();
    assert_int_equal(loopback_fetch(client, NULL), REPLY_ERROR_TIMEOUT);
    assert_in_range(loopback_now_ms() - began, attempt_ms() - 5,
                    attempt_ms() + loopback_slack_ms(MARGIN_MS));
    assert_int_equal(loopback_waited_ms(), waited);
}

/* It ends with the connection: an answer may take longer. */
static void bounds_only_the_time_of_connecting(void **state) {
    struct loopback_server *server = loopback_start(
        SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\n", 10), SEND("\r\n"), SEND_CONTACT(300)));
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    reply_client_set_connect_timeout_ms(client, loopback_slack_ms(100), NULL);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
}

/* The whole call's deadline bounds attempts and waits together: the last attempt gets what is left.
 */
static void ends_at_the_call_s_deadline(void **state) {
    static const int64_t deadlines[] = {1, 50, 250, 500};
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT, AWAIT_CLOSE));
    (void)state;
    for (size_t i = 0; i < COUNT(deadlines); i++) {
        int64_t took = 0;
        for (int try = 0; try < 2; try++) {
            reply_client *client = client_of(server, false, 10);
            reply_error error;
            assert_int_equal(reply_client_set_timeout_ms(client, deadlines[i], NULL), REPLY_OK);
            const int64_t began = loopback_now_ms();
            assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_TIMEOUT);
            took = loopback_now_ms() - began;
            assert_int_equal(error.http_status, 0);
            if (took <= deadlines[i] + MARGIN_MS) {
                break;
            }
        }
        assert_true(took <= deadlines[i] + loopback_slack_ms(MARGIN_MS));
    }
}

/* The same of many contacts, each of which is delivered with the call's own error. */
struct delivered {
    int counts[50];
    int timeouts;
};

static int count_delivered(size_t index, reply_result result, reply_sequence_contact *contact,
                           const reply_error *error, void *user_data) {
    struct delivered *delivered = user_data;
    delivered->counts[index]++;
    delivered->timeouts +=
        result == REPLY_ERROR_TIMEOUT && contact == NULL && error->result == result;
    reply_sequence_contact_free(contact);
    return 0;
}

static void ends_many_contacts_at_the_deadline(void **state) {
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT, AWAIT_CLOSE));
    reply_client *client = client_of(server, false, 10);
    struct delivered delivered = {{0}, 0};
    int64_t ids[50];
    reply_error error;
    (void)state;
    for (int i = 0; i < 50; i++) {
        ids[i] = i + 1;
    }
    assert_int_equal(reply_client_set_timeout_ms(client, 250, NULL), REPLY_OK);
    const int64_t began = loopback_now_ms();
    assert_int_equal(
        reply_get_sequence_contacts(client, 100, ids, 50, count_delivered, &delivered, &error),
        REPLY_ERROR_TIMEOUT);
    assert_in_range(loopback_now_ms() - began, 245, 250 + loopback_slack_ms(MARGIN_MS));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(delivered.counts[i], 1);
    }
    assert_int_equal(delivered.timeouts, 50);
    assert_int_equal(error.attempts, 0);
}

/* All wait for the first connection, which does not come about; then each tries its own, at the
 * same time and not in turn. */
static void waits_for_one_connection_that_does_not_come_about(void **state) {
    static const int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT_BYTES, AWAIT_CLOSE));
    struct delivered delivered = {{0}, 0};
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v4", loopback_port(server));
    reply_client *client = loopback_client(url);
    assert_int_equal(reply_client_set_ca_file(client, FIXTURES "/wire/ca.pem", NULL), REPLY_OK);
    assert_int_equal(reply_client_set_connect_timeout_ms(client, attempt_ms(), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(client, COUNT(ids), NULL), REPLY_OK);
    const int64_t began = loopback_now_ms();
    assert_int_equal(reply_get_sequence_contacts(client, 100, ids, COUNT(ids), count_delivered,
                                                 &delivered, NULL),
                     REPLY_OK);
    assert_in_range(loopback_now_ms() - began, 2 * attempt_ms() - 5, 4 * attempt_ms());
    assert_int_equal(delivered.timeouts, COUNT(ids));
    assert_int_equal(loopback_connections(server), COUNT(ids));
}

/* A kept connection that the server has closed meanwhile costs no attempt. */
static void survives_a_kept_connection_that_was_closed(void **state) {
    const struct loopback_step *const scripts[] = {
        (const struct loopback_step[]){EXPECT, ANSWER, CLOSE}, /* at once */
        (const struct loopback_step[]){EXPECT, ANSWER, EXPECT,
                                       CLOSE}, /* when the next request is there */
        (const struct loopback_step[]){EXPECT, ANSWER, EXPECT, RESET},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct loopback_server *server =
            loopback_start_two(scripts[i], SCRIPT(EXPECT, ANSWER, AGAIN));
        reply_client *client = client_of(server, false, i == 2 ? 1 : 0);
        reply_error error;
        assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
        if (i == 0) {
            loopback_await_closed(server, 1);
        }
        assert_int_equal(loopback_fetch_ids(client, 100, 7, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
        assert_int_equal(loopback_connections(server), 2);
    }
}

/* The peer resets a new connection before the request is on it. That connection is of no use to
 * anybody: neither the retry nor a later call may wait for it. */
static void survives_a_request_that_could_not_be_sent(void **state) {
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT, ANSWER, AGAIN));
    reply_client *client = client_of(server, false, 1);
    reply_error error;
    (void)state;
    loopback_fail_send(1);
    const int64_t began = loopback_now_ms();
    const reply_result result = loopback_fetch(client, &error);
    if (result != REPLY_OK || error.attempts != 2) {
        fail_msg("%s after %d attempts: %s", reply_result_name(result), error.attempts,
                 error.message);
    }
    assert_in_range(loopback_now_ms() - began - loopback_waited_ms(), 0,
                    loopback_slack_ms(MARGIN_MS));
    assert_int_equal(loopback_fetch(client, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
}

/* Servers say 408 on a kept connection that nobody used for long, and close it. libcurl may take
 * that for the next answer; a retry mends it. */
static void survives_a_408_between_calls(void **state) {
    static const char idle[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    struct loopback_server *server = loopback_start_two(
        SCRIPT(EXPECT, ANSWER, AWAIT_RELEASE, SEND(idle), CLOSE), SCRIPT(EXPECT, ANSWER, AGAIN));
    reply_client *client = client_of(server, false, 1);
    (void)state;
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    loopback_release(server);
    loopback_await_closed(server, 1);
    assert_int_equal(loopback_fetch_ids(client, 100, 7, NULL), REPLY_OK);
}

/* A contact that nobody asked for lies ready on a kept connection: it is never the next call's. */
static void takes_no_contact_that_came_before_its_question(void **state) {
    struct loopback_server *server =
        loopback_start_two(SCRIPT(EXPECT, ANSWER, AWAIT_RELEASE, ANSWER, MARK, AWAIT_CLOSE),
                           SCRIPT(EXPECT, ANSWER, AGAIN));
    reply_client *client = client_of(server, false, 0);
    reply_error error;
    (void)state;
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    loopback_release(server);
    loopback_await_marks(server, 1);
    if (loopback_fetch_ids(client, 100, 7, &error) != REPLY_OK) {
        assert_int_equal(error.result, REPLY_ERROR_INVALID_RESPONSE);
        assert_non_null(strstr(error.message, "12345"));
    }
}

/* A gzip of 32 KiB that unpacks to 32 MiB. As a content coding, which nobody asked for, it stays
 * packed; as a transfer coding, which libcurl always undoes, it ends at the largest contact. */
static void unpacks_no_bomb(void **state) {
    static char bomb[65536];
    FILE *file = fopen(FIXTURES "/wire/bomb.gz", "rb");
    (void)state;
    assert_non_null(file);
    const size_t length = fread(bomb, 1, sizeof bomb, file);
    fclose(file);
    assert_in_range(length, 30000, sizeof bomb - 1);
    const struct loopback_step send_bomb = {LOOPBACK_SEND, bomb, length, 1, 0};
    reply_error error;
    struct loopback_server *server =
        loopback_start(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Encoding: gzip\r\n\r\n"), send_bomb));
    assert_int_equal(loopback_fetch(client_of(server, false, 1), &error),
                     REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.attempts, 1);
    server =
        loopback_start(SCRIPT(EXPECT, SEND(HEAD_200 "Transfer-Encoding: gzip\r\n\r\n"), send_bomb));
    assert_int_equal(loopback_fetch(client_of(server, false, 1), &error),
                     REPLY_ERROR_RESPONSE_TOO_LARGE);
    assert_int_equal(error.attempts, 1);
    server = loopback_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\n"), send_bomb));
    assert_int_equal(loopback_fetch(client_of(server, false, 1), &error), REPLY_ERROR_FORBIDDEN);
}

/* ---- Bodies that are not the contact ---- */

#define REST                                                                                       \
    "\"status\":\"Active\",\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00Z\","             \
    "\"isOptedOut\":false"
#define IDS "\"contactId\":12345,\"sequenceId\":100,"

static const struct body {
    const char *text;
    const char *message; /* a part of it */
} bodies[] = {
    {"", "without a contact"},
    {" \r\n\t ", "without a contact"},
    {"null", "without a contact"},
    {"true", "without a contact"},
    {"12345", "without a contact"},
    {"\"contact\"", "without a contact"},
    {"[]", "without a contact"},
    {"[{" IDS REST "}]", "without a contact"},
    {"<!DOCTYPE html><html><body>Sign in</body></html>", "<!DOCTYPE html>"},
    {"<?xml version=\"1.0\"?><error/>", "<?xml"},
    {"OK", "starts with \"OK\""},
    {")]}',\n{" IDS REST "}", "without a contact"},
    {"callback({" IDS REST "})", "callback"},
    {"\xFF\xFE{\0}\0", "without a contact"},
    {"\xEF\xBB\xBF", "without a contact"},
    {"data: {" IDS REST "}\n\n", "data:"},
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
    {"{\"contactId\":100,\"sequenceId\":12345," REST "}", "asked for"},
    {"{\"contactId\":\"12345\",\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":12345.0,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":null,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactId\":12345," REST "}", "sequenceId"},
    {"{\"contactId\":12345,\"contactId\":12345,\"sequenceId\":100," REST "}", "contactId"},
    {"{\"contactid\":12345,\"sequenceId\":100," REST "}", "contactId"},
    {"{" IDS "\"status\":null,\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00Z\","
             "\"isOptedOut\":false}",
     "status"},
    {"{" IDS "\"status\":\"Active\",\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00Z\"}",
     "isOptedOut"},
};

/* None is tried again, though one might be better next time: it would be the same. */
static void refuses_bodies_that_are_not_the_contact(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        reply_error error;
        struct loopback_server *server =
            loopback_start(SCRIPT(EXPECT, SEND(HEAD_200 "\r\n"), SEND_TEXT(bodies[i].text)));
        const reply_result result = loopback_fetch(client_of(server, false, 1), &error);
        if (result != REPLY_ERROR_INVALID_RESPONSE || error.http_status != 200 ||
            error.attempts != 1 || error.curl_code != 0 ||
            strstr(error.message, bodies[i].message) == NULL || loopback_requests(server) != 1) {
            fail_msg("\"%s\" gives %s, \"%s\"", bodies[i].text, reply_result_name(result),
                     error.message);
        }
        loopback_stop_all(NULL);
    }
}

/* The contact cut at every length is never a contact, whether its length was announced (then it is
 * tried again) or not. */
static void refuses_a_contact_cut_anywhere(void **state) {
    enum { SIZE = 260 };
    (void)state;
    for (size_t length = 0; length < SIZE; length += length < 20 || length > SIZE - 10 ? 1 : 7) {
        reply_error error;
        struct loopback_server *server = loopback_start(
            SCRIPT(EXPECT, SEND(HEAD_200 "\r\n"), SEND_CONTACT_PART(SIZE, 0, length)));
        assert_int_equal(loopback_fetch(client_of(server, false, 0), &error),
                         REPLY_ERROR_INVALID_RESPONSE);
        server = loopback_start(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 260\r\n\r\n"),
                                       SEND_CONTACT_PART(SIZE, 0, length)));
        assert_int_equal(loopback_fetch(client_of(server, false, 0), &error), REPLY_ERROR_NETWORK);
        loopback_stop_all(NULL);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(is_refused),
        WIRE_TEST(finds_no_such_name),
        WIRE_TEST(waits_for_a_dead_name_server_no_longer_than_it_may),
        WIRE_TEST(waits_for_a_connection_no_longer_than_it_may),
        WIRE_TEST(bounds_the_time_of_connecting),
        WIRE_TEST(bounds_only_the_time_of_connecting),
        WIRE_TEST(ends_at_the_call_s_deadline),
        WIRE_TEST(ends_many_contacts_at_the_deadline),
        WIRE_TEST(waits_for_one_connection_that_does_not_come_about),
        WIRE_TEST(survives_a_kept_connection_that_was_closed),
        WIRE_TEST(survives_a_request_that_could_not_be_sent),
        WIRE_TEST(survives_a_408_between_calls),
        WIRE_TEST(takes_no_contact_that_came_before_its_question),
        WIRE_TEST(unpacks_no_bomb),
        WIRE_TEST(refuses_bodies_that_are_not_the_contact),
        WIRE_TEST(refuses_a_contact_cut_anywhere),
    };
    static struct CMUnitTest all[COUNT(faults) + COUNT(tests)];
    for (size_t i = 0; i < COUNT(faults); i++) {
        all[i] = (struct CMUnitTest){.name = faults[i].name,
                                     .test_func = meets_a_fault,
                                     .teardown_func = loopback_stop_all,
                                     .initial_state = (void *)(uintptr_t)&faults[i]};
    }
    memcpy(all + COUNT(faults), tests, sizeof tests);
    return cmocka_run_group_tests_name("wire", all, NULL, NULL);
}
