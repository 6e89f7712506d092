/* test_transfer.c - one transfer: the request's bytes, and the response's status, headers, body,
 * limits and outcome. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/check_error.h"
#include "support/check_text.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- The request ---- */

/* Counts the request's header lines that are equal to wanted, or all of them if it is NULL. */
static int count_lines(const char *request, const char *wanted) {
    int count = 0;
    for (const char *line = strstr(request, "\r\n") + 2; *line != '\r';
         line = strstr(line, "\r\n") + 2) {
        const size_t length = strcspn(line, "\r");
        count += wanted == NULL || (strlen(wanted) == length && strncmp(line, wanted, length) == 0);
    }
    return count;
}

/* Fails unless the request has this request line and exactly these header lines, in any order. */
static void check_request(const char *request, const char *request_line, const char *const *lines,
                          int count) {
    const size_t length = strlen(request_line);
    if (strncmp(request, request_line, length) != 0 || strncmp(request + length, "\r\n", 2) != 0) {
        fail_msg("\"%s\" is not the first line of:\n%s", request_line, request);
    }
    for (int i = 0; i < count; i++) {
        if (count_lines(request, lines[i]) != 1) {
            fail_msg("\"%s\" is not once in:\n%s", lines[i], request);
        }
    }
    if (count_lines(request, NULL) != count) {
        fail_msg("there are more than %d header lines:\n%s", count, request);
    }
}

static const char *host_line(const struct server *server) {
    static char line[64];
    snprintf(line, sizeof line, "Host: 127.0.0.1:%d", server_port(server));
    return line;
}

/* product is what the caller has set, with a space after it, or "". */
static const char *user_agent_line(const char *product) {
    static char line[128];
    snprintf(line, sizeof line, "User-Agent: %slibreplyio/" REPLYIO_VERSION " libcurl/%s", product,
             curl_version_info(CURLVERSION_NOW)->version);
    return line;
}

static void test_request_has_only_expected_headers(void **state) {
    struct server *server = server_start(RESPONSES);
    (void)state;
    assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), NULL), REPLY_OK);
    const char *const lines[] = {host_line(server), "X-API-Key: " WIRE_KEY,
                                 "Accept: application/json", "Accept-Encoding: gzip",
                                 user_agent_line("")};
    check_request(server_request(server, 0).text, "GET " WIRE_PATH " HTTP/1.1", lines,
                  COUNT(lines));
}

static void test_configured_headers_are_sent(void **state) {
    static const char *const headers[][2] = {
        {"X-TEAM-ID", "1"},      {"X-Empty", ""},         {"X-Blank", "  "},
        {"X-Spaces", "  a  b "}, {"X-Colons", "a: b; c"}, {"x-team-id", "77"},
    };
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(reply_client_set_user_agent(client, "acme-sync/2.1 (test)", NULL), REPLY_OK);
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_int_equal(reply_client_add_header(client, headers[i][0], headers[i][1], NULL),
                         REPLY_OK);
    }
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    const char *const lines[] = {host_line(server),
                                 "X-API-Key: " WIRE_KEY,
                                 "Accept: application/json",
                                 "Accept-Encoding: gzip",
                                 user_agent_line("acme-sync/2.1 (test) "),
                                 "x-team-id: 77",
                                 "X-Empty:",
                                 "X-Blank:",
                                 "X-Spaces: a  b",
                                 "X-Colons: a: b; c"};
    check_request(server_request(server, 0).text, "GET " WIRE_PATH " HTTP/1.1", lines,
                  COUNT(lines));
}

static void test_longest_header_is_sent(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    static char value[8192 + 1];
    static char line[8192 + 32];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    snprintf(line, sizeof line, "X-Long: %s", value);
    assert_int_equal(reply_client_add_header(client, "X-Long", value, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(count_lines(server_request(server, 0).text, line), 1);
}

static void test_netrc_is_not_read(void **state) {
    struct server *server = server_start(RESPONSES);
    char directory[] = "/tmp/replyio-home-XXXXXX";
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/.netrc", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("machine 127.0.0.1 login somebody password secret\n", file);
    fclose(file);
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;
    setenv("HOME", directory, 1);
    const reply_result result = wire_fetch_one(wire_create_client(server_url(server)), NULL);
    home != NULL ? setenv("HOME", home, 1) : unsetenv("HOME");
    free(home);
    unlink(path);
    rmdir(directory);
    assert_int_equal(result, REPLY_OK);
    assert_null(strcasestr(server_request(server, 0).text, "authorization"));
}

/* ---- Status ---- */

static void test_redirect_is_not_followed(void **state) {
    static const int statuses[] = {300, 301, 302, 303, 305, 307, 308};
    struct server *target = server_start(RESPONSES);
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        static char texts[COUNT(statuses)][256];
        reply_error error;
        snprintf(texts[i], sizeof texts[i],
                 "HTTP/1.1 %d Elsewhere\r\nLocation: %s/sequences/100/contacts/12345\r\n"
                 "Content-Length: 0\r\n\r\n",
                 statuses[i], server_url(target));
        struct server *server = server_start(SCRIPT(EXPECT, SEND_TEXT(texts[i]), REPEAT));
        reply_client *client = wire_create_client(server_url(server));
        assert_int_equal(reply_client_set_max_retries(client, 3, NULL), REPLY_OK);
        assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_HTTP);
        assert_int_equal(error.http_status, statuses[i]);
        assert_int_equal(error.curl_code, 0);
        assert_int_equal(error.attempts, 1);
        expect_words(&error, "redirect");
        assert_int_equal(server_request_count(server), 1);
    }
    assert_int_equal(server_connection_count(target), 0);
}

/* Would catch following on the same server, where the response would be another resource's. */
static void test_relative_redirect_is_not_followed(void **state) {
    struct server *server =
        server_start(SCRIPT(EXPECT,
                            SEND("HTTP/1.1 302 Found\r\nLocation: /v4/sequences/1/contacts/1\r\n"
                                 "Refresh: 0; url=/\r\nContent-Length: 0\r\n\r\n"),
                            REPEAT));
    (void)state;
    assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), NULL),
                     REPLY_ERROR_HTTP);
    assert_int_equal(server_request_count(server), 1);
}

static const struct status_case {
    int status;
    reply_result result;
    int attempts; /* with one retry */
} status_cases[] = {
    {201, REPLY_ERROR_HTTP, 1},         {202, REPLY_ERROR_HTTP, 1},
    {203, REPLY_ERROR_HTTP, 1},         {204, REPLY_ERROR_HTTP, 1},
    {205, REPLY_ERROR_HTTP, 1},         {206, REPLY_ERROR_HTTP, 1},
    {226, REPLY_ERROR_HTTP, 1},         {304, REPLY_ERROR_HTTP, 1},
    {400, REPLY_ERROR_BAD_REQUEST, 1},  {401, REPLY_ERROR_UNAUTHORIZED, 1},
    {402, REPLY_ERROR_HTTP, 1},         {403, REPLY_ERROR_FORBIDDEN, 1},
    {404, REPLY_ERROR_NOT_FOUND, 1},    {405, REPLY_ERROR_HTTP, 1},
    {407, REPLY_ERROR_HTTP, 1},         {408, REPLY_ERROR_HTTP, 2},
    {409, REPLY_ERROR_HTTP, 1},         {410, REPLY_ERROR_HTTP, 1},
    {418, REPLY_ERROR_HTTP, 1},         {421, REPLY_ERROR_HTTP, 1},
    {422, REPLY_ERROR_BAD_REQUEST, 1},  {425, REPLY_ERROR_HTTP, 1},
    {429, REPLY_ERROR_RATE_LIMITED, 2}, {451, REPLY_ERROR_HTTP, 1},
    {500, REPLY_ERROR_SERVER, 2},       {501, REPLY_ERROR_SERVER, 1},
    {502, REPLY_ERROR_SERVER, 2},       {503, REPLY_ERROR_SERVER, 2},
    {504, REPLY_ERROR_SERVER, 2},       {505, REPLY_ERROR_SERVER, 1},
    {511, REPLY_ERROR_SERVER, 1},       {599, REPLY_ERROR_SERVER, 1},
    {600, REPLY_ERROR_HTTP, 1},         {999, REPLY_ERROR_HTTP, 1},
};

static void test_status_decides_result(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(status_cases); i++) {
        const struct status_case *row = &status_cases[i];
        char text[128];
        reply_error error;
        snprintf(text, sizeof text, "HTTP/1.1 %d Whatever\r\n%s\r\n", row->status,
                 row->status == 204 || row->status == 304 ? "" : "Content-Length: 0\r\n");
        struct server *server = server_start(SCRIPT(EXPECT, SEND_TEXT(text), REPEAT));
        reply_client *client = wire_create_client(server_url(server));
        reply_client_set_max_retries(client, 1, NULL);
        const reply_result result = wire_fetch_one(client, &error);
        if (result != row->result || error.http_status != row->status ||
            error.attempts != row->attempts || error.curl_code != 0 || error.retry_after_ms != -1 ||
            server_request_count(server) != row->attempts) {
            fail_msg("status %d: %s, status %d, %d attempts, code %d", row->status,
                     reply_result_name(result), error.http_status, error.attempts, error.curl_code);
        }
        wire_tear_down(NULL);
    }
}

/* A 206 or a 203 may have the whole contact in its body. */
static void test_only_200_carries_contact(void **state) {
    (void)state;
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT,
                               SEND("HTTP/1.1 206 Partial Content\r\nContent-Length: 300\r\n\r\n"),
                               SEND_CONTACT(300)),
                        NULL),
        REPLY_ERROR_HTTP);
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 203 Whatever\r\nContent-Length: 300\r\n\r\n"),
                               SEND_CONTACT(300)),
                        NULL),
        REPLY_ERROR_HTTP);
}

static void test_informational_responses_are_skipped(void **state) {
    struct server *server = server_start(SCRIPT(
        EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"),
        SEND("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"), RESPOND, REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_one(client, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(server_connection_count(server), 1);
}

/* ---- Headers ---- */

static void test_informational_headers_are_ignored(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT,
                               SEND("HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n"
                                    "X-Request-Id: early\r\nContent-Type: text/x\r\n\r\n"),
                               SEND("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")),
                        &error),
        REPLY_ERROR_SERVER);
    assert_int_equal(error.http_status, 503);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.request_id, "");
}

static void test_trailers_are_ignored(void **state) {
    static const char trailers[] = "0\r\nRetry-After: 9\r\nX-Request-Id: late\r\n\r\n";
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_from(SCRIPT(EXPECT,
                                            SEND("HTTP/1.1 503 Unavailable\r\n"
                                                 "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
                                            SEND(trailers)),
                                     &error),
                     REPLY_ERROR_SERVER);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.request_id, "");
    assert_int_equal(wire_fetch_from(SCRIPT(EXPECT,
                                            SEND("HTTP/1.1 503 Unavailable\r\n"
                                                 "Retry-After: 5\r\nX-Request-Id: first\r\n"
                                                 "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
                                            SEND(trailers)),
                                     &error),
                     REPLY_ERROR_SERVER);
    assert_int_equal(error.retry_after_ms, 5000);
    assert_string_equal(error.request_id, "first");
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND(OK_CHUNKED "190\r\n"), SEND_CONTACT(400), SEND("\r\n"),
                   SEND("0\r\nContent-Length: 2000000\r\nContent-Type: text/html\r\n\r\n")),
            NULL),
        REPLY_OK);
}

static void test_retry_after_is_read(void **state) {
    static const struct {
        const char *headers;
        int64_t expected_ms;
    } cases[] = {
        {"Retry-After: 7\r\n", 7000},
        {"retry-after:7 \r\n", 7000},
        {"Retry-After:\t 7\t \t\r\n", 7000},
        {"Retry-After: 007\r\n", 7000},
        {"Retry-After: 86401\r\n", 86400000},
        {"Retry-After: 99999999999999999999999999\r\n", 86400000},
        {"Retry-After: Fri, 08 Mar 2024 10:00:30 GMT\r\nDate: Fri, 08 Mar 2024 10:00:00 GMT\r\n",
         30000},
        {"Date: Fri, 08 Mar 2024 10:00:00 GMT\r\nRetry-After: Fri, 08 Mar 2024 09:59:59 GMT\r\n",
         -1},
        {"Retry-After: Fri, 08 Mar 2024 10:00:30 GMT\r\n", -1}, /* past on the host's clock */
        {"Retry-After: 0\r\n", -1},
        {"Retry-After: -1\r\n", -1},
        {"Retry-After: 7.5\r\n", -1},
        {"Retry-After: 2030-01-01\r\n", -1},
        {"Retry-After: soon\r\n", -1},
        {"Retry-After:\r\n", -1},
        {"X-Retry-After: 7\r\n", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static char texts[COUNT(cases)][256];
        reply_error error;
        snprintf(texts[i], sizeof texts[i],
                 "HTTP/1.1 503 Unavailable\r\n%sContent-Length: 0\r\n\r\n", cases[i].headers);
        assert_int_equal(wire_fetch_from(SCRIPT(EXPECT, SEND_TEXT(texts[i])), &error),
                         REPLY_ERROR_SERVER);
        if (error.retry_after_ms != cases[i].expected_ms) {
            fail_msg("%s gives %" PRId64, cases[i].headers, error.retry_after_ms);
        }
    }
}

/* ---- Limits ---- */

struct limit_case {
    const char *name;
    struct server_step steps[7];
};

/* The server would send or wait forever. Would catch a client that ends only at its timeout, and a
 * retry. */
static void expect_too_large(const char *name, const struct server_step *script) {
    reply_client *client = wire_create_client_of(script);
    const int64_t started_ms = timing_now_ms();
    reply_error error;
    reply_client_set_max_retries(client, 2, NULL);
    const reply_result result = wire_fetch_one(client, &error);
    const int64_t elapsed_ms = timing_now_ms() - started_ms;
    if (result != REPLY_ERROR_RESPONSE_TOO_LARGE || error.attempts != 1 || error.http_status != 0 ||
        error.retry_after_ms != -1 || elapsed_ms >= timing_scale_ms(2000)) {
        fail_msg("%s: %s, status %d, %d attempts, in %" PRId64 " ms", name,
                 reply_result_name(result), error.http_status, error.attempts, elapsed_ms);
    }
}

enum { MIB = 1024 * 1024 };

/* clang-format off */
static const struct limit_case accepted_bodies[] = {
    {"body until close",
     {EXPECT, SEND(OK_HEADERS "Connection: close\r\n\r\n"), SEND_CONTACT(300)}},
    {"status line without reason",
     {EXPECT, SEND("HTTP/1.1 200\r\nContent-Length: 300\r\n\r\n"), SEND_CONTACT(300)}},
    {"newlines without carriage returns",
     {EXPECT, SEND("HTTP/1.1 200 OK\nContent-Length:300\n\n"), SEND_CONTACT(300)}},
    {"chunks",
     {EXPECT, SEND(OK_CHUNKED "1;name=value\r\n"), SEND_CONTACT_PART(300, 0, 1),
      SEND("\r\n0012b\r\n"), SEND_CONTACT_PART(300, 1, 299), SEND("\r\n0\r\n\r\n")}},
    {"small parts",
     {EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", 1),
      SEND_CONTACT_PART(300, 0, 1), SEND_CONTACT_PART(300, 1, 1),
      SEND_CONTACT_PART(300, 2, 150), SEND_CONTACT_PART(300, 152, 148)}},
    {"1 MiB with length",
     {EXPECT, SEND(OK_HEADERS "Content-Length: 1048576\r\n\r\n"), SEND_CONTACT(MIB)}},
    {"1 MiB until close",
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_CONTACT(MIB)}},
    {"1 MiB in a chunk",
     {EXPECT, SEND(OK_CHUNKED "100000\r\n"), SEND_CONTACT(MIB), SEND("\r\n0\r\n\r\n")}},
};

static const struct limit_case too_large_bodies[] = {
    {"announced 1 MiB and a byte",
     {EXPECT, SEND(OK_HEADERS "Content-Length: 1048577\r\n\r\n"), AWAIT_CLOSE}},
    {"announced 100 GB",
     {EXPECT, SEND(OK_HEADERS "Content-Length: 107374182400\r\n\r\n"), AWAIT_CLOSE}},
    {"largest 64-bit length",
     {EXPECT, SEND(OK_HEADERS "Content-Length: 9223372036854775807\r\n\r\n"), AWAIT_CLOSE}},
    {"length over 64 bits",
     {EXPECT, SEND(OK_HEADERS "Content-Length: 99999999999999999999999\r\n\r\n"), AWAIT_CLOSE}},
    {"1 MiB and a byte",
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_CONTACT(MIB + 1), AWAIT_CLOSE}},
    {"chunk of 1 MiB and a byte",
     {EXPECT, SEND(OK_CHUNKED "100001\r\n"), SEND_CONTACT(MIB + 1), AWAIT_CLOSE}},
    {"endless body",
     {EXPECT, SEND(OK_HEADERS "\r\n"), SEND_ENDLESSLY(" ")}},
};

static const struct limit_case too_large_headers[] = {
    {"line of 110,000 bytes",
     {EXPECT, SEND(OK_HEADERS "X-Long: "), SEND_TIMES("x", 110000), SEND("\r\n\r\n"),
      AWAIT_CLOSE}},
    {"line of 300,000 bytes",
     {EXPECT, SEND(OK_HEADERS "X-Long: "), SEND_TIMES("x", 300000), SEND("\r\n\r\n"),
      AWAIT_CLOSE}},
    {"endless line",
     {EXPECT, SEND(OK_HEADERS "X-Long: "), SEND_ENDLESSLY("x")}},
    {"endless status line",
     {EXPECT, SEND("HTTP/1.1 200 "), SEND_ENDLESSLY("x")}},
    {"endless lines",
     {EXPECT, SEND(OK_HEADERS), SEND_ENDLESSLY("X-Flood: 1\r\n")}},
    {"endless lines of a 404",
     {EXPECT, SEND("HTTP/1.1 404 Not Found\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")}},
};
/* clang-format on */

static void test_body_in_any_framing_is_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(accepted_bodies); i++) {
        reply_error error;
        if (wire_fetch_from(accepted_bodies[i].steps, &error) != REPLY_OK) {
            fail_msg("%s: %s", accepted_bodies[i].name, error.message);
        }
    }
}

static void test_body_over_1_mib_is_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(too_large_bodies); i++) {
        expect_too_large(too_large_bodies[i].name, too_large_bodies[i].steps);
    }
}

/* Writes headers of size bytes in lines of at most 64 KiB, the status line and the empty line
 * included. */
static const char *write_headers(size_t size) {
    static const char first[] = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n";
    static char text[300 * 1024];
    size_t length = sizeof first - 1;
    memset(text, 'f', sizeof text);
    memcpy(text, first, length);
    while (length < size - 2) {
        const size_t line = size - 2 - length < 65536 ? size - 2 - length : 60000;
        memcpy(text + length, "X-Filler: ", 10);
        memcpy(text + length + line - 2, "\r\n", 2);
        length += line;
    }
    memcpy(text + length, "\r\n", 3);
    assert_int_equal(strlen(text), size);
    return text;
}

static void test_headers_over_256_kib_are_rejected(void **state) {
    (void)state;
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND_TEXT(write_headers(256 * 1024)), SEND_CONTACT(300)),
                        NULL),
        REPLY_OK);
    expect_too_large("256 KiB and a byte", SCRIPT(EXPECT, SEND_TEXT(write_headers(256 * 1024 + 1)),
                                                  SEND_CONTACT(300), AWAIT_CLOSE));
}

/* Would catch a count of header bytes that is not reset between the responses of a client. */
static void test_header_limit_is_per_response(void **state) {
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND_TEXT(write_headers(200 * 1024)), SEND_CONTACT(300), REPEAT));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    }
    assert_int_equal(server_connection_count(server), 1);
}

static void test_too_long_header_line_is_rejected(void **state) {
    (void)state;
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND(OK_HEADERS "Content-Length: 300\r\nX-Long: "),
                               SEND_TIMES("x", 90000), SEND("\r\n\r\n"), SEND_CONTACT(300)),
                        NULL),
        REPLY_OK);
    for (size_t i = 0; i < COUNT(too_large_headers); i++) {
        expect_too_large(too_large_headers[i].name, too_large_headers[i].steps);
    }
}

/* Would catch a client that reads more than 64 KiB of a body whose status already decides. */
static void test_endless_error_body_is_truncated(void **state) {
    reply_client *client = wire_create_client_of(SCRIPT(
        EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n\r\n"),
        SEND_ENDLESSLY("[")));
    const int64_t started_ms = timing_now_ms();
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_one(client, &error), REPLY_ERROR_NOT_FOUND);
    assert_true(timing_now_ms() - started_ms < timing_scale_ms(2000));
    assert_int_equal(error.http_status, 404);
    assert_int_equal(error.curl_code, 0);
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT,
                               SEND("HTTP/1.1 403 No\r\nContent-Length: 107374182400\r\n\r\n"),
                               SEND_ENDLESSLY("x")),
                        &error),
        REPLY_ERROR_FORBIDDEN);
    assert_int_equal(error.http_status, 403);
}

/* The longest problem document that is read whole, and one that is a byte longer. */
static void test_problem_of_64_kib_is_read(void **state) {
#define PROBLEM "{\"code\":\"some.code\",\"filler\":\""
    enum { FILLER_SIZE = 65536 - (sizeof PROBLEM - 1) - (sizeof "\"}" - 1) };
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 65536\r\n\r\n" PROBLEM),
                   SEND_TIMES("y", FILLER_SIZE), SEND("\"}"), AWAIT_CLOSE),
            &error),
        REPLY_ERROR_NOT_FOUND);
    assert_string_equal(error.problem_code, "some.code");
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 65537\r\n\r\n" PROBLEM),
                   SEND_TIMES("y", FILLER_SIZE + 1), SEND("\"}"), AWAIT_CLOSE),
            &error),
        REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
}

/* ---- Outcome ---- */

static void test_empty_401_is_unauthorized(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 401 Unauthorized\r\n"
                                                         "WWW-Authenticate: ApiKey\r\n"
                                                         "Content-Length: 0\r\n\r\n")),
                                     &error),
                     REPLY_ERROR_UNAUTHORIZED);
    assert_int_equal(error.http_status, 401);
    assert_string_equal(error.problem_code, "");
    expect_words(&error, "api_key");
}

static void test_html_404_is_not_found(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n"
                                "<html><h1>Nothing</h1></html>")),
            &error),
        REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
    assert_string_equal(error.problem_code, "");
    expect_words(&error, "contact is not in this sequence");
}

static void test_message_describes_rejected_body(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
                                "<html>Log in " WIRE_KEY)),
            &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, 200);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.curl_code, 0);
    expect_words(&error, "text/html; charset=utf-8");
    expect_words(&error, "41 bytes, starts with HTML");
    expect_no_words(&error, "Log in");
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
                        &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, 200);
}

static void test_wrong_contact_is_rejected(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(wire_fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"
                                                         "{\"contactId\":12346,\"sequenceId\":100,"
                                                         "\"status\":\"Active\",\"currentStep\":1,"
                                                         "\"addingDate\":\"2024-03-08T10:00:00Z\","
                                                         "\"isOptedOut\":false}")),
                                     &error),
                     REPLY_ERROR_INVALID_RESPONSE);
    expect_words(&error, "12346");
    expect_words(&error, "12345");
    assert_int_equal(error.http_status, 200);
}

static void test_problem_fills_error(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(
            SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nX-Request-ID:  req-1 \r\n"
                                "Content-Type: application/problem+json\r\n\r\n"
                                "{\"type\":\"about:blank\",\"title\":\"Not in sequence\","
                                "\"status\":418,"
                                "\"detail\":\"No such membership " WIRE_KEY "\","
                                "\"code\":\"sequenceContact.notInSequence\"}")),
            &error),
        REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
    assert_int_equal(error.curl_code, 0);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.problem_code, "sequenceContact.notInSequence");
    assert_string_equal(error.request_id, "req-1");
    expect_words(&error, "No such membership");
}

/* wire_fetch_from fails if the key is in the error. */
static void test_echoed_key_is_removed(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 400 " WIRE_KEY "\r\n"
                                            "X-Request-Id: a" WIRE_KEY "b\r\n"
                                            "Retry-After: " WIRE_KEY "\r\n\r\n"
                                            "{\"errorCode\":\"" WIRE_KEY "\","
                                            "\"detail\":\"" WIRE_KEY WIRE_KEY "\","
                                            "\"errors\":[{\"pointer\":\"" WIRE_KEY "\","
                                            "\"detail\":\"" WIRE_KEY "\"}]}")),
                        &error),
        REPLY_ERROR_BAD_REQUEST);
    expect_matches(error.request_id, "^a[^k]+b$");
    assert_int_equal(error.retry_after_ms, -1);
    assert_int_equal(wire_fetch_from(SCRIPT(EXPECT, SEND(WIRE_KEY "\r\n\r\n")), &error),
                     REPLY_ERROR_NETWORK);
    assert_int_equal(
        wire_fetch_from(SCRIPT(EXPECT, SEND(OK_HEADERS "Content-Length: " WIRE_KEY "\r\n\r\n")),
                        &error),
        REPLY_ERROR_NETWORK);
}

static void test_log_names_failed_attempt(void **state) {
    char url[64];
    reply_error error;
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", server_find_closed_port());
    assert_int_equal(wire_fetch_one(wire_create_client(url), &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.curl_code, CURLE_COULDNT_CONNECT);
    char *log = wire_copy_log();
    expect_matches(log, "^attempt 1 GET " WIRE_PATH ": REPLY_ERROR_NETWORK in [0-9]+ ms\n$");
    free(log);
}

/* ---- Standard streams ---- */

/* Calls the function with standard output and standard error sent to a file. Returns the file's
 * size. */
static off_t count_printed_bytes(void (*function)(void)) {
    char path[] = "/tmp/replyio-printed-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    fflush(NULL);
    const int out = dup(STDOUT_FILENO);
    const int err = dup(STDERR_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    function();
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    const off_t printed = lseek(file, 0, SEEK_END);
    close(out);
    close(err);
    close(file);
    return printed;
}

static reply_result stream_results[3];

/* Does not assert, because a failure would be printed to the file. */
static reply_result fetch_with_new_client(const struct server *server) {
    reply_client *client = NULL;
    reply_sequence_contact *contact = NULL;
    reply_client_create(WIRE_KEY, &client, NULL);
    reply_client_set_base_url(client, server_url(server), NULL);
    reply_client_set_max_retries(client, 0, NULL);
    const reply_result result = reply_get_sequence_contact(client, 1, 2, &contact, NULL);
    reply_sequence_contact_free(contact);
    reply_client_destroy(client);
    return result;
}

static void fetch_and_fail(void) {
    static const char *const invalid[] = {"HTTP/1.1 200 OK\r\n\r\nnothing", "garbage\r\n\r\n"};
    stream_results[0] = fetch_with_new_client(server_start(RESPONSES));
    for (int i = 0; i < 2; i++) {
        stream_results[1 + i] =
            fetch_with_new_client(server_start(SCRIPT(EXPECT, SEND_TEXT(invalid[i]))));
    }
}

static void test_nothing_is_printed(void **state) {
    (void)state;
    setenv("CURL_VERBOSE", "1", 1);
    setenv("CURL_DEBUG", "all", 1);
    const off_t printed = count_printed_bytes(fetch_and_fail);
    unsetenv("CURL_VERBOSE");
    unsetenv("CURL_DEBUG");
    assert_int_equal(printed, 0);
    assert_int_equal(stream_results[0], REPLY_OK);
    assert_int_equal(stream_results[1], REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(stream_results[2], REPLY_ERROR_NETWORK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_request_has_only_expected_headers),
        WIRE_TEST(test_configured_headers_are_sent),
        WIRE_TEST(test_longest_header_is_sent),
        WIRE_TEST(test_netrc_is_not_read),
        WIRE_TEST(test_redirect_is_not_followed),
        WIRE_TEST(test_relative_redirect_is_not_followed),
        WIRE_TEST(test_status_decides_result),
        WIRE_TEST(test_only_200_carries_contact),
        WIRE_TEST(test_informational_responses_are_skipped),
        WIRE_TEST(test_informational_headers_are_ignored),
        WIRE_TEST(test_trailers_are_ignored),
        WIRE_TEST(test_retry_after_is_read),
        WIRE_TEST(test_body_in_any_framing_is_accepted),
        WIRE_TEST(test_body_over_1_mib_is_rejected),
        WIRE_TEST(test_headers_over_256_kib_are_rejected),
        WIRE_TEST(test_header_limit_is_per_response),
        WIRE_TEST(test_too_long_header_line_is_rejected),
        WIRE_TEST(test_endless_error_body_is_truncated),
        WIRE_TEST(test_problem_of_64_kib_is_read),
        WIRE_TEST(test_empty_401_is_unauthorized),
        WIRE_TEST(test_html_404_is_not_found),
        WIRE_TEST(test_message_describes_rejected_body),
        WIRE_TEST(test_wrong_contact_is_rejected),
        WIRE_TEST(test_problem_fills_error),
        WIRE_TEST(test_echoed_key_is_removed),
        WIRE_TEST(test_log_names_failed_attempt),
        WIRE_TEST(test_nothing_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
