/* test_transport.c - the real transport through the public calls, on a loopback server: what is
 * sent, to whom, and what comes of the answers that a server may well give. The faults stand in
 * test_wire.c. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/scripted_server.h"
#include "transport/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HEAD_200     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static const struct loopback_step answers[] = {EXPECT, ANSWER, AGAIN};

/* The one request's answer comes from the script; the client makes no retries. */
static reply_result fetch_from(const struct loopback_step *script, reply_error *error) {
    return loopback_fetch(loopback_client(loopback_url(loopback_start(script))), error);
}

static void assert_contains(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static void assert_matches(const char *text, const char *pattern) {
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const int result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (result != 0) {
        fail_msg("\"%s\" does not match \"%s\"", text, pattern);
    }
}

/* ---- What is sent ---- */

/* How many header lines a request has, and how many of them are this one. */
static int count_lines(const char *request, const char *wanted) {
    int count = 0;
    for (const char *line = strstr(request, "\r\n") + 2; *line != '\r';
         line = strstr(line, "\r\n") + 2) {
        const size_t length = strcspn(line, "\r");
        count += wanted == NULL || (strlen(wanted) == length && strncmp(line, wanted, length) == 0);
    }
    return count;
}

/* A request line and exactly these header lines, in any order. */
static void assert_request(const char *request, const char *first, const char *const *lines,
                           int count) {
    if (strncmp(request, first, strlen(first)) != 0 ||
        strncmp(request + strlen(first), "\r\n", 2) != 0) {
        fail_msg("not \"%s\" begins:\n%s", first, request);
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

static void sends_the_request_and_nothing_else(void **state) {
    struct loopback_server *server = loopback_start(answers);
    char host[64];
    char agent[128];
    (void)state;
    assert_int_equal(loopback_fetch(loopback_client(loopback_url(server)), NULL), REPLY_OK);
    snprintf(host, sizeof host, "Host: 127.0.0.1:%d", loopback_port(server));
    snprintf(agent, sizeof agent, "User-Agent: libreplyio/" REPLYIO_VERSION " libcurl/%s",
             curl_version_info(CURLVERSION_NOW)->version);
    assert_request(
        loopback_request(server, 0).text, "GET " LOOPBACK_PATH " HTTP/1.1",
        (const char *const[]){host, "X-API-Key: " LOOPBACK_KEY, "Accept: application/json", agent},
        4);
}

static void sends_the_product_and_added_headers(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    char host[64];
    char agent[128];
    (void)state;
    assert_int_equal(reply_client_set_user_agent(client, "acme-sync/2.1 (test)", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "X-TEAM-ID", "1", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "X-Empty", "", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "X-Blank", "  ", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "X-Spaces", "  a  b ", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "X-Colons", "a: b; c", NULL), REPLY_OK);
    assert_int_equal(reply_client_add_header(client, "x-team-id", "77", NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    snprintf(host, sizeof host, "Host: 127.0.0.1:%d", loopback_port(server));
    snprintf(agent, sizeof agent,
             "User-Agent: acme-sync/2.1 (test) libreplyio/" REPLYIO_VERSION " libcurl/%s",
             curl_version_info(CURLVERSION_NOW)->version);
    assert_request(loopback_request(server, 0).text, "GET " LOOPBACK_PATH " HTTP/1.1",
                   (const char *const[]){host, "X-API-Key: " LOOPBACK_KEY,
                                         "Accept: application/json", agent, "x-team-id: 77",
                                         "X-Empty:", "X-Blank:", "X-Spaces: a  b",
                                         "X-Colons: a: b; c"},
                   9);
}

static void sends_the_longest_header_that_is_allowed(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    static char value[8192 + 1];
    static char line[8192 + 32];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    snprintf(line, sizeof line, "X-Long: %s", value);
    assert_int_equal(reply_client_add_header(client, "X-Long", value, NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(count_lines(loopback_request(server, 0).text, line), 1);
}

static void builds_the_path_on_the_base_url(void **state) {
    static const struct {
        const char *base, *path;
    } cases[] = {
        {"", ""},
        {"/", ""},
        {"/v4", "/v4"},
        {"/v4/", "/v4"},
        {"/a/b-c/v4", "/a/b-c/v4"},
        {"/a%20b/", "/a%20b"},
    };
    struct loopback_server *server = loopback_start(answers);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[128];
        char first[128];
        snprintf(url, sizeof url, "http://127.0.0.1:%d%s", loopback_port(server), cases[i].base);
        snprintf(first, sizeof first,
                 "GET %s/sequences/9007199254740993/contacts/9223372036854775807 HTTP/1.1\r\n",
                 cases[i].path);
        assert_int_equal(
            loopback_fetch_ids(loopback_client(url), 9007199254740993, INT64_MAX, NULL), REPLY_OK);
        assert_int_equal(strncmp(loopback_request(server, (int)i).text, first, strlen(first)), 0);
    }
}

static void reads_no_netrc(void **state) {
    struct loopback_server *server = loopback_start(answers);
    char folder[] = "/tmp/replyio-home-XXXXXX";
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/.netrc", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("machine 127.0.0.1 login somebody password secret\n", file);
    fclose(file);
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;
    setenv("HOME", folder, 1);
    const reply_result result = loopback_fetch(loopback_client(loopback_url(server)), NULL);
    home != NULL ? setenv("HOME", home, 1) : unsetenv("HOME");
    free(home);
    unlink(path);
    rmdir(folder);
    assert_int_equal(result, REPLY_OK);
    assert_null(strcasestr(loopback_request(server, 0).text, "authorization"));
}

/* ---- Connections ---- */

static void keeps_the_connection_over_calls(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(loopback_fetch_ids(client, 1, i, NULL), REPLY_OK);
    }
    assert_int_equal(loopback_requests(server), 10);
    assert_int_equal(loopback_connections(server), 1);
}

static void keeps_the_connection_over_failures_with_a_status(void **state) {
    static const struct loopback_step script[] = {
        EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), AGAIN};
    struct loopback_server *server = loopback_start(script);
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(loopback_fetch_ids(client, 1, i, NULL), REPLY_ERROR_NOT_FOUND);
    }
    assert_int_equal(loopback_connections(server), 1);
}

static int count_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    int *counts = user_data;
    counts[index] += result == REPLY_OK && contact != NULL &&
                     contact->contact_id == (int64_t)index + 1 && error->attempts == 1;
    reply_sequence_contact_free(contact);
    return 0;
}

/* Counts, of the contacts 1 to count fetched in one call, those that come right and at the first
 * attempt. */
static int fetch_many(reply_client *client, int64_t sequence_id, int count) {
    int64_t ids[40];
    int counts[40] = {0};
    int right = 0;
    for (int i = 0; i < count; i++) {
        ids[i] = i + 1;
    }
    assert_int_equal(reply_get_sequence_contacts(client, sequence_id, ids, (size_t)count,
                                                 count_contact, counts, NULL),
                     REPLY_OK);
    for (int i = 0; i < count; i++) {
        right += counts[i] == 1;
    }
    return right;
}

static void keeps_one_connection_over_many_contacts(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 1, NULL), REPLY_OK);
    assert_int_equal(loopback_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    assert_int_equal(fetch_many(client, 7, 40), 40);
    assert_int_equal(loopback_fetch_ids(client, 7, 1, NULL), REPLY_OK);
    assert_int_equal(loopback_requests(server), 42);
    assert_int_equal(loopback_connections(server), 1);
}

/* Answers the six of a call only when all are there, which takes six connections. */
static void *release_after_seven_requests(void *server) {
    const int64_t until = loopback_now_ms() + loopback_slack_ms(LOOPBACK_PATIENCE_MS);
    while (loopback_requests(server) < 7 && loopback_now_ms() < until) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    loopback_release(server);
    return NULL;
}

/* The first answer tells libcurl that the server's connections carry one request at a time. */
static void keeps_as_many_connections_as_one_call_uses(void **state) {
    static const struct loopback_step first[] = {EXPECT,        ANSWER, EXPECT,
                                                 AWAIT_RELEASE, ANSWER, AGAIN};
    static const struct loopback_step other[] = {EXPECT, AWAIT_RELEASE, ANSWER, AGAIN};
    struct loopback_server *server = loopback_start_two(first, other);
    reply_client *client = loopback_client(loopback_url(server));
    pthread_t releaser;
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 6, NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(pthread_create(&releaser, NULL, release_after_seven_requests, server), 0);
    const int right = fetch_many(client, 8, 6);
    pthread_join(releaser, NULL);
    assert_int_equal(right, 6);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fetch_many(client, 8, 40), 40);
    }
    assert_int_equal(loopback_requests(server), 207);
    assert_int_equal(loopback_connections(server), 6);
}

/* A server that closes after its answer, as HTTP/1.0 does: the next call must not stumble over it.
 */
static void makes_a_new_connection_where_the_server_closes(void **state) {
    static const struct loopback_step script[] = {EXPECT, SEND("HTTP/1.0 200 OK\r\n\r\n"),
                                                  SEND_CONTACT(300), CLOSE};
    struct loopback_server *server = loopback_start(script);
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    for (int i = 1; i <= 3; i++) {
        reply_error error;
        assert_int_equal(loopback_fetch_ids(client, 1, i, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
    }
    assert_int_equal(loopback_connections(server), 3);
}

static void speaks_to_ipv6_and_other_spellings_of_loopback(void **state) {
    static const char *const hosts[] = {"localhost",  "LOCALHOST",  "127.1",
                                        "0x7f000001", "2130706433", "127.0.0.1"};
    struct loopback_server *server = loopback_start(answers);
    struct loopback_server *server6 = loopback_start_ipv6(answers);
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:%d/v4", hosts[i], loopback_port(server));
        assert_int_equal(loopback_fetch(loopback_client(url), NULL), REPLY_OK);
    }
    assert_int_equal(loopback_requests(server), COUNT(hosts));
    if (server6 == NULL) {
        print_message("skipped: this machine has no ::1\n");
        return;
    }
    assert_int_equal(loopback_fetch(loopback_client(loopback_url(server6)), NULL), REPLY_OK);
    assert_int_equal(loopback_requests(server6), 1);
}

/* ---- Statuses ---- */

static void reports_a_redirect_and_follows_none(void **state) {
    static const int statuses[] = {300, 301, 302, 303, 305, 307, 308};
    struct loopback_server *other = loopback_start(answers);
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        static char texts[COUNT(statuses)][256];
        reply_error error;
        snprintf(texts[i], sizeof texts[i],
                 "HTTP/1.1 %d Elsewhere\r\nLocation: "
                 "%s/sequences/100/contacts/12345\r\nContent-Length: 0\r\n\r\n",
                 statuses[i], loopback_url(other));
        struct loopback_server *server = loopback_start(SCRIPT(EXPECT, SEND_TEXT(texts[i]), AGAIN));
        reply_client *client = loopback_client(loopback_url(server));
        assert_int_equal(reply_client_set_max_retries(client, 3, NULL), REPLY_OK);
        assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_HTTP);
        assert_int_equal(error.http_status, statuses[i]);
        assert_int_equal(error.curl_code, 0);
        assert_int_equal(error.attempts, 1);
        assert_contains(error.message, "redirect");
        assert_int_equal(loopback_requests(server), 1);
    }
    assert_int_equal(loopback_connections(other), 0);
}

/* To the same server, too: the answer would be another resource's. */
static void follows_no_relative_redirect_and_no_refresh(void **state) {
    struct loopback_server *server = loopback_start(
        SCRIPT(EXPECT,
               SEND("HTTP/1.1 302 Found\r\nLocation: /v4/sequences/1/contacts/1\r\nRefresh: 0; "
                    "url=/\r\nContent-Length: 0\r\n\r\n"),
               AGAIN));
    (void)state;
    assert_int_equal(loopback_fetch(loopback_client(loopback_url(server)), NULL), REPLY_ERROR_HTTP);
    assert_int_equal(loopback_requests(server), 1);
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

static void tells_every_status_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(status_cases); i++) {
        const struct status_case *row = &status_cases[i];
        static char texts[COUNT(status_cases)][128];
        reply_error error;
        snprintf(texts[i], sizeof texts[i], "HTTP/1.1 %d Whatever\r\n%s\r\n", row->status,
                 row->status == 204 || row->status == 304 ? "" : "Content-Length: 0\r\n");
        struct loopback_server *server = loopback_start(SCRIPT(EXPECT, SEND_TEXT(texts[i]), AGAIN));
        reply_client *client = loopback_client(loopback_url(server));
        reply_client_set_max_retries(client, 1, NULL);
        const reply_result result = loopback_fetch(client, &error);
        if (result != row->result || error.http_status != row->status ||
            error.attempts != row->attempts || error.curl_code != 0 || error.retry_after_ms != -1 ||
            loopback_requests(server) != row->attempts) {
            fail_msg("status %d: %s, status %d, %d attempts, code %d", row->status,
                     reply_result_name(result), error.http_status, error.attempts, error.curl_code);
        }
        loopback_destroy_client(client);
        loopback_stop_all(NULL);
    }
}

/* A 206 cannot hold the contact, though it holds one. */
static void takes_no_contact_from_another_status_than_200(void **state) {
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT,
                          SEND("HTTP/1.1 206 Partial Content\r\nContent-Length: 300\r\n\r\n"),
                          SEND_CONTACT(300)),
                   NULL),
        REPLY_ERROR_HTTP);
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 203 Whatever\r\nContent-Length: 300\r\n\r\n"),
                          SEND_CONTACT(300)),
                   NULL),
        REPLY_ERROR_HTTP);
}

static void skips_informational_responses(void **state) {
    struct loopback_server *server = loopback_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"),
               SEND("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"), ANSWER, AGAIN));
    reply_client *client = loopback_client(loopback_url(server));
    reply_error error;
    (void)state;
    assert_int_equal(loopback_fetch(client, &error), REPLY_OK);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(loopback_connections(server), 1);
}

static void takes_no_header_of_an_informational_response(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT,
                          SEND("HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\nX-Request-Id: "
                               "early\r\nContent-Type: text/x\r\n\r\n"),
                          SEND("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")),
                   &error),
        REPLY_ERROR_SERVER);
    assert_int_equal(error.http_status, 503);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.request_id, "");
}

static void takes_no_header_of_a_trailer(void **state) {
    static const char trailers[] = "0\r\nRetry-After: 9\r\nX-Request-Id: late\r\n\r\n";
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(
            SCRIPT(
                EXPECT,
                SEND("HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
                SEND(trailers)),
            &error),
        REPLY_ERROR_SERVER);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.request_id, "");
    assert_int_equal(fetch_from(SCRIPT(EXPECT,
                                       SEND("HTTP/1.1 503 Unavailable\r\nRetry-After: "
                                            "5\r\nX-Request-Id: first\r\nTransfer-Encoding: "
                                            "chunked\r\n\r\n2\r\n{}\r\n"),
                                       SEND(trailers)),
                                &error),
                     REPLY_ERROR_SERVER);
    assert_int_equal(error.retry_after_ms, 5000);
    assert_string_equal(error.request_id, "first");
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n190\r\n"),
                          SEND_CONTACT(400), SEND("\r\n"),
                          SEND("0\r\nContent-Length: 2000000\r\nContent-Type: text/html\r\n\r\n")),
                   NULL),
        REPLY_OK);
}

/* ---- Bodies ---- */

static void reads_every_framing(void **state) {
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Connection: close\r\n\r\n"), SEND_CONTACT(300)),
                   NULL),
        REPLY_OK);
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200\r\nContent-Length: 300\r\n\r\n"),
                                       SEND_CONTACT(300)),
                                NULL),
                     REPLY_OK);
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\nContent-Length:300\n\n"),
                                       SEND_CONTACT(300)),
                                NULL),
                     REPLY_OK);
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT,
                          SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n1;name=value\r\n"),
                          SEND_CONTACT_PART(300, 0, 1), SEND("\r\n0012b\r\n"),
                          SEND_CONTACT_PART(300, 1, 299), SEND("\r\n0\r\n\r\n")),
                   NULL),
        REPLY_OK);
}

static void reads_a_contact_that_comes_byte_by_byte(void **state) {
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", 1),
                          SEND_CONTACT_PART(300, 0, 1), SEND_CONTACT_PART(300, 1, 1),
                          SEND_CONTACT_PART(300, 2, 150), SEND_CONTACT_PART(300, 152, 148)),
                   NULL),
        REPLY_OK);
}

static void takes_a_contact_of_exactly_1_mib(void **state) {
    enum { MIB = 1024 * 1024 };
    (void)state;
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 1048576\r\n\r\n"),
                                       SEND_CONTACT(MIB)),
                                NULL),
                     REPLY_OK);
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "\r\n"), SEND_CONTACT(MIB)), NULL),
                     REPLY_OK);
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n100000\r\n"),
                          SEND_CONTACT(MIB), SEND("\r\n0\r\n\r\n")),
                   NULL),
        REPLY_OK);
}

/* The server would go on for ever: only a client that stops by itself comes back before its time
 * limit. */
static void assert_too_large_at_once(const struct loopback_step *script) {
    struct loopback_server *server = loopback_start(script);
    reply_client *client = loopback_client(loopback_url(server));
    const int64_t began = loopback_now_ms();
    reply_error error;
    reply_client_set_max_retries(client, 2, NULL);
    assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_RESPONSE_TOO_LARGE);
    assert_true(loopback_now_ms() - began < loopback_slack_ms(2000));
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.http_status, 0);
    assert_int_equal(error.retry_after_ms, -1);
}

static void refuses_a_contact_of_over_1_mib(void **state) {
    enum { OVER = 1024 * 1024 + 1 };
    (void)state;
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 1048577\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 107374182400\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 9223372036854775807\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(SCRIPT(
        EXPECT, SEND(HEAD_200 "Content-Length: 99999999999999999999999\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND(HEAD_200 "\r\n"), SEND_CONTACT(OVER), AWAIT_CLOSE));
    assert_too_large_at_once(SCRIPT(EXPECT,
                                    SEND(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n100001\r\n"),
                                    SEND_CONTACT(OVER), AWAIT_CLOSE));
    assert_too_large_at_once(SCRIPT(EXPECT, SEND(HEAD_200 "\r\n"), SEND_ENDLESSLY(" ")));
}

/* A header section of so many bytes, with the status line and the empty line at its end, in lines
 * of up to 64 KiB, and the contact.
 */
static const char *headers_of(size_t size) {
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

static void bounds_the_headers_at_256_kib(void **state) {
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND_TEXT(headers_of(256 * 1024)), SEND_CONTACT(300)), NULL),
        REPLY_OK);
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND_TEXT(headers_of(256 * 1024 + 1)), SEND_CONTACT(300), AWAIT_CLOSE));
}

/* Each response's by itself: a client does not run out of room. */
static void counts_the_headers_of_each_response(void **state) {
    struct loopback_server *server =
        loopback_start(SCRIPT(EXPECT, SEND_TEXT(headers_of(200 * 1024)), SEND_CONTACT(300), AGAIN));
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    }
    assert_int_equal(loopback_connections(server), 1);
}

static void bounds_a_header_line(void **state) {
    (void)state;
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: 300\r\nX-Long: "),
                                       SEND_TIMES("x", 90000), SEND("\r\n\r\n"), SEND_CONTACT(300)),
                                NULL),
                     REPLY_OK);
    assert_too_large_at_once(SCRIPT(EXPECT, SEND(HEAD_200 "X-Long: "), SEND_TIMES("x", 110000),
                                    SEND("\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(SCRIPT(EXPECT, SEND(HEAD_200 "X-Long: "), SEND_TIMES("x", 300000),
                                    SEND("\r\n\r\n"), AWAIT_CLOSE));
    assert_too_large_at_once(SCRIPT(EXPECT, SEND(HEAD_200 "X-Long: "), SEND_ENDLESSLY("x")));
    assert_too_large_at_once(SCRIPT(EXPECT, SEND("HTTP/1.1 200 "), SEND_ENDLESSLY("x")));
    assert_too_large_at_once(SCRIPT(EXPECT, SEND(HEAD_200), SEND_ENDLESSLY("X-Flood: 1\r\n")));
    assert_too_large_at_once(
        SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")));
}

/* Of a status other than 200 at most 64 KiB are read, whatever follows. */
static void decides_by_status_where_a_body_is_endless(void **state) {
    struct loopback_server *server = loopback_start(SCRIPT(
        EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n\r\n"),
        SEND_ENDLESSLY("[")));
    const int64_t began = loopback_now_ms();
    reply_error error;
    (void)state;
    assert_int_equal(loopback_fetch(loopback_client(loopback_url(server)), &error),
                     REPLY_ERROR_NOT_FOUND);
    assert_true(loopback_now_ms() - began < loopback_slack_ms(2000));
    assert_int_equal(error.http_status, 404);
    assert_int_equal(error.curl_code, 0);
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 403 No\r\nContent-Length: 107374182400\r\n\r\n"),
                          SEND_ENDLESSLY("x")),
                   &error),
        REPLY_ERROR_FORBIDDEN);
    assert_int_equal(error.http_status, 403);
}

/* The largest problem that is read, and one byte more, which cuts it. */
static void reads_a_problem_of_64_kib(void **state) {
    static const char head[] = "HTTP/1.1 404 Not Found\r\nContent-Length: "
                               "65536\r\n\r\n{\"code\":\"some.code\",\"filler\":\"";
    static const char head_of_one_more[] = "HTTP/1.1 404 Not Found\r\nContent-Length: "
                                           "65537\r\n\r\n{\"code\":\"some.code\",\"filler\":\"";
    enum { REST = 65536 - sizeof "{\"code\":\"some.code\",\"filler\":\"\"}" + 1 };
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(head), SEND_TIMES("y", REST), SEND("\"}"), AWAIT_CLOSE),
                   &error),
        REPLY_ERROR_NOT_FOUND);
    assert_string_equal(error.problem_code, "some.code");
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND(head_of_one_more), SEND_TIMES("y", REST + 1),
                                       SEND("\"}"), AWAIT_CLOSE),
                                &error),
                     REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
}

static void reads_an_empty_401(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: "
                                       "ApiKey\r\nContent-Length: 0\r\n\r\n")),
                   &error),
        REPLY_ERROR_UNAUTHORIZED);
    assert_int_equal(error.http_status, 401);
    assert_string_equal(error.problem_code, "");
    assert_contains(error.message, "api_key");
}

static void reads_an_html_404(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Type: "
                                       "text/html\r\n\r\n<html><h1>Nothing</h1></html>")),
                   &error),
        REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
    assert_string_equal(error.problem_code, "");
    assert_contains(error.message, "contact is not in this sequence");
}

static void says_what_came_instead_of_a_contact(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Type: text/html; "
                                       "charset=utf-8\r\n\r\n<html>Log in " LOOPBACK_KEY)),
                   &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, 200);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.curl_code, 0);
    assert_contains(error.message, "text/html; charset=utf-8");
    assert_contains(error.message, "<html>Log in");
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, 200);
}

static void refuses_a_contact_that_was_not_asked_for(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(
            SCRIPT(EXPECT,
                   SEND("HTTP/1.1 200 "
                        "OK\r\n\r\n{\"contactId\":12346,\"sequenceId\":100,\"status\":\"Active\","
                        "\"currentStep\":1,\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":"
                        "false}")),
            &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_contains(error.message, "12346");
    assert_contains(error.message, "12345");
    assert_int_equal(error.http_status, 200);
}

/* None was asked for, so that none is undone: what it would become is nobody's business. */
static void unpacks_no_gzip(void **state) {
    static const char gzip[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Encoding: gzip\r\n\r\n"), SEND(gzip)),
                   &error),
        REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(error.http_status, 200);
    assert_contains(error.message, "without a contact");
}

/* ---- Errors and the log ---- */

static void fills_the_error_from_a_problem(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(
        fetch_from(
            SCRIPT(EXPECT,
                   SEND("HTTP/1.1 404 Not Found\r\nX-Request-ID:  req-1 \r\nContent-Type: "
                        "application/problem+json\r\n\r\n"
                        "{\"type\":\"about:blank\",\"title\":\"Not in sequence\",\"status\":418,"
                        "\"detail\":\"No such membership " LOOPBACK_KEY
                        "\",\"code\":\"sequenceContact.notInSequence\"}")),
            &error),
        REPLY_ERROR_NOT_FOUND);
    assert_int_equal(error.http_status, 404);
    assert_int_equal(error.curl_code, 0);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.retry_after_ms, -1);
    assert_string_equal(error.problem_code, "sequenceContact.notInSequence");
    assert_string_equal(error.request_id, "req-1");
    assert_contains(error.message, "No such membership");
}

static void keeps_the_key_out_of_what_a_server_echoes(void **state) {
    reply_error error;
    (void)state;
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND("HTTP/1.1 400 " LOOPBACK_KEY
                                                    "\r\nX-Request-Id: a" LOOPBACK_KEY
                                                    "b\r\nRetry-After: " LOOPBACK_KEY
                                                    "\r\n\r\n{\"errorCode\":\"" LOOPBACK_KEY
                                                    "\",\"detail\":\"" LOOPBACK_KEY LOOPBACK_KEY
                                                    "\",\"errors\":[{\"pointer\":\"" LOOPBACK_KEY
                                                    "\",\"detail\":\"" LOOPBACK_KEY "\"}]}")),
                                &error),
                     REPLY_ERROR_BAD_REQUEST);
    assert_matches(error.request_id, "^a[^k]+b$");
    assert_int_equal(error.retry_after_ms, -1);
    assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND(LOOPBACK_KEY "\r\n\r\n")), &error),
                     REPLY_ERROR_NETWORK);
    assert_int_equal(
        fetch_from(SCRIPT(EXPECT, SEND(HEAD_200 "Content-Length: " LOOPBACK_KEY "\r\n\r\n")),
                   &error),
        REPLY_ERROR_NETWORK);
}

static void reads_retry_after(void **state) {
    static const struct {
        const char *headers;
        int64_t expected;
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
        {"Retry-After: Fri, 08 Mar 2024 10:00:30 GMT\r\n", -1}, /* past by the host's clock */
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
        assert_int_equal(fetch_from(SCRIPT(EXPECT, SEND_TEXT(texts[i])), &error),
                         REPLY_ERROR_SERVER);
        if (error.retry_after_ms != cases[i].expected) {
            fail_msg("%s gives %" PRId64, cases[i].headers, error.retry_after_ms);
        }
    }
}

/* A Retry-After is waited for in real time, not a millisecond less; and a 429's without using up a
 * retry. */
static void waits_as_the_server_asks(void **state) {
    static const char *const statuses[] = {"429 Too Many", "503 Unavailable"};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        static char texts[COUNT(statuses)][128];
        reply_error error;
        snprintf(texts[i], sizeof texts[i],
                 "HTTP/1.1 %s\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", statuses[i]);
        struct loopback_server *server =
            loopback_start(SCRIPT(EXPECT, SEND_TEXT(texts[i]), EXPECT, ANSWER, AWAIT_CLOSE));
        reply_client *client = loopback_client(loopback_url(server));
        reply_client_set_max_retries(client, 1, NULL);
        assert_int_equal(loopback_fetch(client, &error), REPLY_OK);
        assert_int_equal(error.attempts, 2);
        const int64_t waited =
            loopback_request(server, 1).at_ms - loopback_request(server, 0).at_ms;
        assert_in_range(waited, 1000, 1000 + loopback_slack_ms(500));
    }
}

static void comes_back_at_once_where_a_wait_does_not_fit(void **state) {
    struct loopback_server *server = loopback_start(SCRIPT(
        EXPECT, SEND("HTTP/1.1 429 Slow down\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"),
        AGAIN));
    reply_client *client = loopback_client(loopback_url(server));
    const int64_t began = loopback_now_ms();
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 3, NULL);
    reply_client_set_timeout_ms(client, 30000, NULL);
    assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_RATE_LIMITED);
    assert_int_equal(error.retry_after_ms, 60000);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_RATE_LIMITED);
    assert_in_range(error.retry_after_ms, 60000 - loopback_slack_ms(2000), 60000);
    assert_int_equal(error.attempts, 0);
    assert_true(loopback_now_ms() - began < loopback_slack_ms(2000));
    assert_int_equal(loopback_requests(server), 1);
}

static void logs_attempts_and_waits(void **state) {
    static const struct loopback_step failing[] = {
        EXPECT, SEND("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), EXPECT, CLOSE};
    reply_client *client = loopback_client(loopback_url(loopback_start_two(failing, answers)));
    (void)state;
    reply_client_set_max_retries(client, 3, NULL);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    char *log = loopback_copy_log();
    assert_matches(log, "^attempt 1 GET " LOOPBACK_PATH ": 503 in [0-9]+ ms\n"
                        "wait [0-9]+ ms: [^\n]+\n"
                        "attempt 2 GET " LOOPBACK_PATH ": (REPLY_ERROR_NETWORK in [0-9]+ ms\n"
                        "wait [0-9]+ ms: [^\n]+\n"
                        "attempt 3 GET " LOOPBACK_PATH ": )?200 in [0-9]+ ms\n$");
    free(log);
}

static void logs_failures_by_name(void **state) {
    char url[64];
    reply_error error;
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", loopback_closed_port());
    assert_int_equal(loopback_fetch(loopback_client(url), &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.curl_code, CURLE_COULDNT_CONNECT);
    char *log = loopback_copy_log();
    assert_matches(log, "^attempt 1 GET " LOOPBACK_PATH ": REPLY_ERROR_NETWORK in [0-9]+ ms\n$");
    free(log);
}

/* Standard output and error, of which the library must write neither, go to a file meanwhile. */
static off_t bytes_printed_by(void (*function)(void)) {
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

static reply_result printing_results[3];

static void fetch_and_fail(void) {
    static const char *const scripts[] = {"HTTP/1.1 200 OK\r\n\r\nnothing", "garbage\r\n\r\n"};
    reply_client *client = NULL;
    struct loopback_server *server = loopback_start(answers);
    printing_results[0] = reply_client_create(LOOPBACK_KEY, &client, NULL);
    reply_client_set_base_url(client, loopback_url(server), NULL);
    reply_sequence_contact *contact = NULL;
    printing_results[0] = reply_get_sequence_contact(client, 1, 2, &contact, NULL);
    reply_sequence_contact_free(contact);
    reply_client_destroy(client);
    for (int i = 0; i < 2; i++) {
        server = loopback_start(SCRIPT(EXPECT, SEND_TEXT(scripts[i])));
        reply_client_create(LOOPBACK_KEY, &client, NULL);
        reply_client_set_base_url(client, loopback_url(server), NULL);
        reply_client_set_max_retries(client, 0, NULL);
        printing_results[1 + i] = reply_get_sequence_contact(client, 1, 2, &contact, NULL);
        reply_client_destroy(client);
    }
}

static void prints_nothing(void **state) {
    (void)state;
    setenv("CURL_VERBOSE", "1", 1);
    setenv("CURL_DEBUG", "all", 1);
    const off_t printed = bytes_printed_by(fetch_and_fail);
    unsetenv("CURL_VERBOSE");
    unsetenv("CURL_DEBUG");
    assert_int_equal(printed, 0);
    assert_int_equal(printing_results[0], REPLY_OK);
    assert_int_equal(printing_results[1], REPLY_ERROR_INVALID_RESPONSE);
    assert_int_equal(printing_results[2], REPLY_ERROR_NETWORK);
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

static int unset_proxies_and_stop_all(void **state) {
    set_proxy_variables(NULL);
    return loopback_stop_all(state);
}

static void uses_no_proxy_to_loopback(void **state) {
    static const char *const formats[] = {"http://127.0.0.1:%d/v4", "http://localhost:%d/v4",
                                          "http://127.1:%d/v4"};
    struct loopback_server *server = loopback_start(answers);
    struct loopback_server *proxy = loopback_start(answers);
    (void)state;
    set_proxy_variables(loopback_url(proxy));
    for (size_t i = 0; i < COUNT(formats); i++) {
        char url[128];
        snprintf(url, sizeof url, formats[i], loopback_port(server));
        assert_int_equal(loopback_fetch(loopback_client(url), NULL), REPLY_OK);
        reply_client *client = loopback_client(url);
        assert_int_equal(reply_client_set_proxy(client, loopback_url(proxy), NULL), REPLY_OK);
        assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    }
    assert_int_equal(loopback_requests(server), 2 * COUNT(formats));
    assert_int_equal(loopback_connections(proxy), 0);
}

/* Whichever of the two settings comes last. */
static void uses_no_proxy_to_loopback_where_the_proxy_is_set_first(void **state) {
    struct loopback_server *server = loopback_start(answers);
    struct loopback_server *proxy = loopback_start(answers);
    reply_client *client = loopback_client("https://api.example.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_proxy(client, loopback_url(proxy), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, loopback_url(server), NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(loopback_connections(proxy), 0);
}

static void uses_no_proxy_to_loopback_over_tls(void **state) {
    struct loopback_server *server =
        loopback_start(SCRIPT(EXPECT_BYTES, SEND("this is no TLS\r\n")));
    struct loopback_server *proxy = loopback_start(answers);
    char url[128];
    (void)state;
    set_proxy_variables(loopback_url(proxy));
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v4", loopback_port(server));
    assert_int_equal(loopback_fetch(loopback_client(url), NULL), REPLY_ERROR_TLS);
    assert_int_equal(loopback_connections(server), 1);
    assert_int_equal(loopback_connections(proxy), 0);
}

static const struct proxy_case {
    const char *name;
    struct loopback_step steps[5];
    reply_result result;
    int attempts; /* with one retry */
} proxy_cases[] = {
    {"407",
     {EXPECT, SEND("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nRetry-After: "
                   "9\r\nContent-Length: 0\r\n\r\n")},
     REPLY_ERROR_NETWORK,
     2},
    {"403",
     {EXPECT, SEND("HTTP/1.1 403 No\r\nContent-Length: 7\r\n\r\nno way!")},
     REPLY_ERROR_NETWORK,
     2},
    {"429",
     {EXPECT, SEND("HTTP/1.1 429 No\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")},
     REPLY_ERROR_NETWORK,
     2},
    {"502",
     {EXPECT, SEND("HTTP/1.1 502 Bad\r\nX-Request-Id: proxy\r\nContent-Length: 0\r\n\r\n")},
     REPLY_ERROR_NETWORK,
     2},
    {"302",
     {EXPECT,
      SEND("HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")},
     REPLY_ERROR_NETWORK,
     2},
    {"header lines without end",
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\n"), SEND_ENDLESSLY("X-Flood: 1\r\n")},
     REPLY_ERROR_NETWORK,
     2},
    {"a header line without end",
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\nX-Long: "), SEND_ENDLESSLY("x")},
     REPLY_ERROR_NETWORK,
     2},
    {"an endless body",
     {EXPECT, SEND("HTTP/1.1 403 No\r\n\r\n"), SEND_ENDLESSLY("x")},
     REPLY_ERROR_NETWORK,
     2},
    {"garbage", {EXPECT, SEND("\x01\x02\x03 garbage\r\n\r\n")}, REPLY_ERROR_NETWORK, 2},
    {"closes", {EXPECT}, REPLY_ERROR_NETWORK, 2},
    {"resets", {EXPECT, RESET}, REPLY_ERROR_NETWORK, 2},
    {"a tunnel to no TLS",
     {EXPECT, SEND("HTTP/1.1 200 Yes\r\n\r\n"), EXPECT_BYTES, SEND("HTTP/1.1 200 OK\r\n\r\n{}")},
     REPLY_ERROR_TLS,
     1},
};

/* A proxy sees the host and nothing else: neither the key nor a header of ours. */
static void check_proxy_case(const struct proxy_case *row, bool is_from_environment) {
    reply_error error;
    struct loopback_server *proxy = loopback_start(row->steps);
    reply_client *client = loopback_client("https://api.example.invalid/v4");
    reply_client_set_max_retries(client, 1, NULL);
    reply_client_add_header(client, "X-TEAM-ID", "secret-team", NULL);
    if (is_from_environment) {
        set_proxy_variables(loopback_url(proxy));
    } else {
        assert_int_equal(reply_client_set_proxy(client, loopback_url(proxy), NULL), REPLY_OK);
    }
    const reply_result result = loopback_fetch(client, &error);
    if (result != row->result || error.http_status != 0 || error.retry_after_ms != -1 ||
        error.attempts != row->attempts || error.curl_code == 0 || error.request_id[0] != '\0' ||
        loopback_connections(proxy) != row->attempts) {
        fail_msg("proxy %s: %s, status %d, %d attempts, %d connections, code %d, %s", row->name,
                 reply_result_name(result), error.http_status, error.attempts,
                 loopback_connections(proxy), error.curl_code, error.message);
    }
    for (int i = 0; i < loopback_requests(proxy); i++) {
        const char *request = loopback_request(proxy, i).text;
        assert_int_equal(strncmp(request, "CONNECT api.example.invalid:443 HTTP/1.1\r\n", 42), 0);
        assert_null(strstr(request, LOOPBACK_KEY));
        assert_null(strcasestr(request, "x-api-key"));
        assert_null(strstr(request, "secret-team"));
        assert_null(strstr(request, "sequences"));
    }
    unset_proxies_and_stop_all(NULL);
}

static void connects_through_a_proxy_that_sees_no_key(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(proxy_cases); i++) {
        check_proxy_case(&proxy_cases[i], false);
    }
    check_proxy_case(&proxy_cases[0], true);
}

/* A proxy of one's own comes before the environment's; "" means none at all. */
static void prefers_the_proxy_that_was_set(void **state) {
    struct loopback_server *environment = loopback_start(SCRIPT(EXPECT));
    struct loopback_server *chosen = loopback_start(SCRIPT(EXPECT));
    reply_client *client = loopback_client("https://api.example.invalid/v4");
    (void)state;
    set_proxy_variables(loopback_url(environment));
    assert_int_equal(reply_client_set_proxy(client, loopback_url(chosen), NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_ERROR_NETWORK);
    assert_int_equal(loopback_connections(chosen), 1);
    client = loopback_client("https://api.example.invalid/v4");
    assert_int_equal(reply_client_set_proxy(client, "", NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_ERROR_NETWORK);
    assert_int_equal(loopback_connections(chosen), 1);
    assert_int_equal(loopback_connections(environment), 0);
}

/* ---- Base URLs ---- */

static const char *const good_urls[] = {
    "https://api.reply.io/v4",
    "https://api.reply.io",
    "https://api.reply.io/",
    "HTTPS://API.REPLY.IO/v4/",
    "https://api.reply.io:8443/a/b/c",
    "https://192.0.2.1/v4",
    "https://[2001:db8::1]/v4",
    "https://127.0.0.1:65535",
    "https://localhost/v4",
    "http://127.0.0.1",
    "http://127.0.0.1:8080/v4/",
    "HTTP://127.0.0.1/",
    "http://127.255.255.254",
    "http://127.1",
    "http://0x7f000001/",
    "http://2130706433",
    "http://0177.0.0.1/",
    "http://localhost",
    "http://localhost:1/",
    "http://LOCALHOST:1",
    "http://LocalHost/v4",
    "http://[::1]",
    "http://[::1]:8080/v4",
    "http://[0:0:0:0:0:0:0:1]/",
};

static const char *const bad_urls[] = {
    "",
    " ",
    "api.reply.io",
    "api.reply.io/v4",
    "//api.reply.io/v4",
    "/v4",
    "https",
    "https:",
    "https:/",
    "https://",
    "https://:443",
    "https:api.reply.io",
    "https:/api.reply.io",
    "https:///v4",
    "https:///api.reply.io/v4",
    "https:////api.reply.io",
    "http:/127.0.0.1",
    "http:///127.0.0.1",
    "http:127.0.0.1",
    "://127.0.0.1",
    ":///127.0.0.1",
    /* another scheme */
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "ws://127.0.0.1/",
    "httpss://api.reply.io",
    "javascript://127.0.0.1/",
    /* plain http to another host */
    "http://api.reply.io/v4",
    "HTTP://api.reply.io/v4",
    "http://10.0.0.1",
    "http://128.0.0.1",
    "http://126.255.255.255",
    "http://0.0.0.0",
    "http://0/",
    "http://0x80000001",
    "http://127.0.0.1.evil.com",
    "http://127.0.0.1.evil.com:80/",
    "http://127.evil.com",
    "http://127.0.0.1x",
    "http://localhost.evil.com",
    "http://localhost.",
    "http://evil.localhost",
    "http://xlocalhost",
    "http://localhos",
    "http://[::]",
    "http://[::2]",
    "http://[1::1]",
    "http://[2001:db8::1]",
    "http://[::ffff:127.0.0.1]",
    "http://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1/",
    "http://\xE2\x93\x9Bocalhost/",
    /* user and password, also empty ones */
    "https://user@api.reply.io",
    "https://user:password@api.reply.io/v4",
    "https://:password@api.reply.io",
    "https://@api.reply.io",
    "https://:@api.reply.io",
    "https://api.reply.io@evil.com/v4",
    "http://127.0.0.1@evil.com/",
    "http://127.0.0.1:80@evil.com/",
    "http://user@127.0.0.1/",
    "http://evil.com@127.0.0.1/",
    /* query and fragment, also empty ones */
    "https://api.reply.io/v4?",
    "https://api.reply.io/v4?x=1",
    "https://api.reply.io?",
    "https://api.reply.io?x",
    "https://api.reply.io/v4#",
    "https://api.reply.io/v4#x",
    "https://api.reply.io#",
    "https://api.reply.io/?#",
    "http://evil.com#@127.0.0.1/",
    "http://evil.com?@127.0.0.1/",
    "http://127.0.0.1#.evil.com",
    /* spaces, controls and backslashes */
    " https://api.reply.io",
    "https://api.reply.io ",
    "https://api.reply.io/v4 ",
    "https://api.reply.io/v 4",
    "https://api reply.io/v4",
    "https ://api.reply.io/v4",
    "https://api.reply.io/v4\r\nX-Evil: 1",
    "https://api.reply.io/v4\n",
    "\nhttps://api.reply.io/v4",
    "https://api.reply.io\r/",
    "https://api.reply.io/\t",
    "https://api.reply.io/\x01",
    "https://api.reply.io/\x7F",
    "https:\\\\api.reply.io",
    "https://api.reply.io\\@evil.com",
    "https://api.reply.io\\v4",
    "https://api.reply.io/a\\b",
    "http://evil.com\\@127.0.0.1",
    "http://127.0.0.1\\.evil.com",
    /* ports and brackets */
    "https://api.reply.io:65536",
    "https://api.reply.io:99999999999999999999",
    "https://api.reply.io:-1",
    "https://api.reply.io:abc",
    "https://api.reply.io:44 3",
    "https://api.reply.io:443:443",
    "http://127.0.0.1:80x/",
    "http://[::1",
    "http://::1/",
    "http://[::1]evil.com",
    "http://[::1].evil.com",
    "http://[127.0.0.1]/",
    "http://[]/",
    "http://[::1%25lo]evil/",
};

static void takes_good_base_urls(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(good_urls); i++) {
        reply_client *client = loopback_client("https://api.example.invalid");
        reply_error error;
        if (reply_client_set_base_url(client, good_urls[i], &error) != REPLY_OK) {
            fail_msg("\"%s\" is refused: %s", good_urls[i], error.message);
        }
        loopback_stop_all(NULL);
    }
}

static void refuses_bad_base_urls_and_changes_nothing(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    (void)state;
    for (size_t i = 0; i < COUNT(bad_urls); i++) {
        reply_error error;
        if (reply_client_set_base_url(client, bad_urls[i], &error) !=
            REPLY_ERROR_INVALID_ARGUMENT) {
            fail_msg("\"%s\" is not refused: %s", bad_urls[i], reply_result_name(error.result));
        }
        assert_int_equal(error.result, REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error.attempts, 0);
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(reply_client_set_base_url(client, NULL, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(loopback_requests(server), 1);
}

/* A good URL of so many bytes. */
static const char *url_of_length(const char *beginning, size_t length) {
    static char url[2050];
    assert_true(length < sizeof url);
    memset(url, 'a', length);
    memcpy(url, beginning, strlen(beginning));
    url[length] = '\0';
    return url;
}

/* Its limit holds for what is passed and for its normal form, which may be longer. */
static void bounds_the_length_of_a_base_url(void **state) {
    struct loopback_server *server = loopback_start(answers);
    reply_client *client = loopback_client(loopback_url(server));
    char beginning[64];
    (void)state;
    snprintf(beginning, sizeof beginning, "%s/", loopback_url(server));
    assert_int_equal(reply_client_set_base_url(client, url_of_length("https://1/", 2042), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, url_of_length(beginning, 2048), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, url_of_length(beginning, 2049), NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_base_url(client, url_of_length("https://1/", 2043), NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    const char *path = url_of_length(beginning, 2048) + strlen("http://127.0.0.1:");
    path += strcspn(path, "/");
    const char *request = loopback_request(server, 0).text;
    assert_int_equal(strncmp(request + strlen("GET "), path, strlen(path)), 0);
    assert_int_equal(strncmp(request + strlen("GET ") + strlen(path),
                             "/sequences/100/contacts/12345 HTTP/1.1\r\n", 40),
                     0);
}

static void takes_good_proxies_and_refuses_bad_ones(void **state) {
    static const char *const good[] = {"",
                                       "http://127.0.0.1:3128",
                                       "https://proxy.example",
                                       "socks4://127.0.0.1",
                                       "socks4a://127.0.0.1",
                                       "socks5://127.0.0.1",
                                       "socks5h://user:password@127.0.0.1:1080",
                                       "SOCKS5://127.0.0.1",
                                       "proxy.example:3128",
                                       "127.0.0.1"};
    static const char *const bad[] = {
        "ftp://127.0.0.1",    "file:///etc/passwd",     "socks://127.0.0.1",
        "socks6://127.0.0.1", "httpx://127.0.0.1",      "http://",
        "http://a b",         "http://127.0.0.1:65536", "\r\n"};
    reply_client *client = loopback_client("https://api.example.invalid");
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        reply_error error;
        if (reply_client_set_proxy(client, good[i], &error) != REPLY_OK) {
            fail_msg("\"%s\" is refused: %s", good[i], error.message);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        reply_error error;
        if (reply_client_set_proxy(client, bad[i], &error) != REPLY_ERROR_INVALID_ARGUMENT ||
            strstr(error.message, "proxy") == NULL) {
            fail_msg("\"%s\" gives %s: %s", bad[i], reply_result_name(error.result), error.message);
        }
    }
}

/* ---- The session itself ---- */

/* A wake is not lost where no wait is in progress, and wakes one wait only; no limit is too long.
 */
static void wakes_the_next_wait(void **state) {
    const struct transport_settings settings = {.connect_timeout_ms = 1000, .slot_count = 1};
    struct transport_session *session = transport_curl.open(&settings);
    struct transport_response response;
    (void)state;
    assert_non_null(session);
    const int64_t limits_ms[] = {-1, INT64_MAX, (int64_t)INT_MAX + 1, 60000};
    for (size_t i = 0; i < COUNT(limits_ms); i++) {
        transport_curl.wake(session);
        assert_int_equal(transport_curl.wait(session, limits_ms[i], &response), -1);
    }
    const int64_t began = loopback_now_ms();
    assert_int_equal(transport_curl.wait(session, 50, &response), -1);
    assert_in_range(loopback_now_ms() - began, 49, loopback_slack_ms(10000));
    transport_curl.close(session, false);
}

static enum { ENTROPY, NO_ENTROPY, KNOWN_ENTROPY } entropy = ENTROPY;
int __real_getentropy(void *buffer, size_t size);
int __wrap_getentropy(void *buffer, size_t size);

int __wrap_getentropy(void *buffer, size_t size) {
    if (entropy == KNOWN_ENTROPY) {
        memset(buffer, 0x5A, size);
        return 0;
    }
    return entropy == NO_ENTROPY ? -1 : __real_getentropy(buffer, size);
}

/* By the system's chance; where it has none to give, the bits change all the same, but the lowest,
 * which no wait depends on. */
static void gives_numbers_by_chance(void **state) {
    uint32_t set = 0;
    uint32_t unset = 0;
    (void)state;
    entropy = KNOWN_ENTROPY;
    assert_int_equal(transport_curl.random(), 0x5A5A5A5A);
    entropy = NO_ENTROPY;
    for (int draw = 0; draw < 1000; draw++) {
        const uint32_t number = transport_curl.random();
        set |= number;
        unset |= ~number;
    }
    entropy = ENTROPY;
    assert_int_equal(set >> 8, UINT32_MAX >> 8);
    assert_int_equal(unset >> 8, UINT32_MAX >> 8);
}

static void refuses_settings_after_a_call(void **state) {
    reply_client *client = loopback_client(loopback_url(loopback_start(answers)));
    reply_sequence_contact *contact = NULL;
    (void)state;
    assert_int_equal(reply_get_sequence_contact(client, 0, 1, &contact, NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_base_url(client, "https://api.reply.io", NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(reply_client_set_proxy(client, "", NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(loopback_fetch(client, NULL), REPLY_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(sends_the_request_and_nothing_else),
        WIRE_TEST(sends_the_product_and_added_headers),
        WIRE_TEST(sends_the_longest_header_that_is_allowed),
        WIRE_TEST(builds_the_path_on_the_base_url),
        WIRE_TEST(reads_no_netrc),
        WIRE_TEST(keeps_the_connection_over_calls),
        WIRE_TEST(keeps_the_connection_over_failures_with_a_status),
        WIRE_TEST(keeps_one_connection_over_many_contacts),
        WIRE_TEST(keeps_as_many_connections_as_one_call_uses),
        WIRE_TEST(makes_a_new_connection_where_the_server_closes),
        WIRE_TEST(speaks_to_ipv6_and_other_spellings_of_loopback),
        WIRE_TEST(reports_a_redirect_and_follows_none),
        WIRE_TEST(follows_no_relative_redirect_and_no_refresh),
        WIRE_TEST(tells_every_status_apart),
        WIRE_TEST(takes_no_contact_from_another_status_than_200),
        WIRE_TEST(skips_informational_responses),
        WIRE_TEST(takes_no_header_of_an_informational_response),
        WIRE_TEST(takes_no_header_of_a_trailer),
        WIRE_TEST(reads_every_framing),
        WIRE_TEST(reads_a_contact_that_comes_byte_by_byte),
        WIRE_TEST(takes_a_contact_of_exactly_1_mib),
        WIRE_TEST(refuses_a_contact_of_over_1_mib),
        WIRE_TEST(bounds_the_headers_at_256_kib),
        WIRE_TEST(counts_the_headers_of_each_response),
        WIRE_TEST(bounds_a_header_line),
        WIRE_TEST(decides_by_status_where_a_body_is_endless),
        WIRE_TEST(reads_a_problem_of_64_kib),
        WIRE_TEST(reads_an_empty_401),
        WIRE_TEST(reads_an_html_404),
        WIRE_TEST(says_what_came_instead_of_a_contact),
        WIRE_TEST(refuses_a_contact_that_was_not_asked_for),
        WIRE_TEST(unpacks_no_gzip),
        WIRE_TEST(fills_the_error_from_a_problem),
        WIRE_TEST(keeps_the_key_out_of_what_a_server_echoes),
        WIRE_TEST(reads_retry_after),
        WIRE_TEST(waits_as_the_server_asks),
        WIRE_TEST(comes_back_at_once_where_a_wait_does_not_fit),
        WIRE_TEST(logs_attempts_and_waits),
        WIRE_TEST(logs_failures_by_name),
        WIRE_TEST(prints_nothing),
        cmocka_unit_test_teardown(uses_no_proxy_to_loopback, unset_proxies_and_stop_all),
        WIRE_TEST(uses_no_proxy_to_loopback_where_the_proxy_is_set_first),
        cmocka_unit_test_teardown(uses_no_proxy_to_loopback_over_tls, unset_proxies_and_stop_all),
        cmocka_unit_test_teardown(connects_through_a_proxy_that_sees_no_key,
                                  unset_proxies_and_stop_all),
        cmocka_unit_test_teardown(prefers_the_proxy_that_was_set, unset_proxies_and_stop_all),
        WIRE_TEST(takes_good_base_urls),
        WIRE_TEST(refuses_bad_base_urls_and_changes_nothing),
        WIRE_TEST(bounds_the_length_of_a_base_url),
        WIRE_TEST(takes_good_proxies_and_refuses_bad_ones),
        WIRE_TEST(wakes_the_next_wait),
        WIRE_TEST(gives_numbers_by_chance),
        WIRE_TEST(refuses_settings_after_a_call),
    };
    set_proxy_variables(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
