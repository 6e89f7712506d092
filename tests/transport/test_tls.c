/* test_tls.c - TLS and HTTP/2 against a real nginx on loopback, with certificates made at test
 * time: whom the library trusts, how many connections it makes, and what becomes of a call where
 * HTTP/2 goes wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/child.h"
#include "support/scripted_server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* nginx's ports, as tls_fixture.sh sets them up. */
enum port {
    GOOD,         /* HTTP/2, TLS 1.2 or 1.3 */
    HTTP1,        /* without HTTP/2 */
    WRONG_HOST,   /* a certificate for another host */
    EXPIRED,      /* one that was good until yesterday */
    UNTRUSTED,    /* one of an authority that nobody knows */
    TLS_1_1,      /* TLS 1.1 and nothing else */
    TLS_1_2,      /* TLS 1.2 and nothing else */
    SAYS_GOODBYE, /* GOAWAY after 5 requests */
    CLOSES,       /* HTTP/1.1, closing after each answer */
    PORT_COUNT
};

static struct {
    char folder[64];
    pid_t process; /* 0: none */
    int ports[PORT_COUNT];
} nginx = {.folder = "/tmp/replyio-tls-XXXXXX"};

/* ---- nginx ---- */

/* Starts a program with what it prints in a file; it dies with this one. */
static pid_t start_program(const char *const *arguments, const char *output) {
    fflush(NULL);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        char path[512];
        const char *searched = getenv("PATH");
        snprintf(path, sizeof path, "%s:/usr/sbin:/sbin:/usr/local/sbin",
                 searched != NULL ? searched : "/usr/bin:/bin");
        setenv("PATH", path, 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen(output, "a", stdout) == NULL || freopen(output, "a", stderr) == NULL ||
            freopen("/dev/null", "r", stdin) == NULL) {
            _exit(126);
        }
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return process;
}

/* The program's exit status; -1 where a signal ended it. */
static int run_program(const char *const *arguments, const char *output) {
    int status = 0;
    const pid_t process = start_program(arguments, output);
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Ports that are free now: all are held until the last is found. */
static void pick_ports(void) {
    int sockets[PORT_COUNT];
    for (int i = 0; i < PORT_COUNT; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(sockets[i] >= 0);
        assert_int_equal(bind(sockets[i], (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(sockets[i], (struct sockaddr *)&address, &length), 0);
        nginx.ports[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < PORT_COUNT; i++) {
        close(sockets[i]);
    }
}

static bool is_listening(int port) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_there =
        probe >= 0 && connect(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return is_there;
}

static void path_of(char path[128], const char *file) {
    snprintf(path, 128, "%s/%s", nginx.folder, file);
}

/* The file's whole text, which the caller frees. */
static char *read_file(const char *file) {
    enum { LARGEST = 1024 * 1024 };
    char path[128];
    char *text = calloc(1, LARGEST);
    assert_non_null(text);
    path_of(path, file);
    FILE *stream = fopen(path, "r");
    if (stream != NULL) {
        const size_t length = fread(text, 1, LARGEST - 1, stream);
        text[length] = '\0';
        fclose(stream);
    }
    return text;
}

static int complain(const char *what) {
    char *output = read_file("output");
    char *errors = read_file("error.log");
    print_error("%s (this test needs nginx with HTTP/2, and openssl: sh tests/run.sh installs "
                "both)\n%s%s\n",
                what, output, errors);
    free(output);
    free(errors);
    return 1;
}

/* Makes the certificates and the configuration. */
static int write_configuration(void) {
    char output[128];
    char ports[PORT_COUNT][8];
    const char *arguments[3 + PORT_COUNT + 1] = {"sh", FIXTURES "/../transport/tls_fixture.sh",
                                                 nginx.folder};
    for (int i = 0; i < PORT_COUNT; i++) {
        snprintf(ports[i], sizeof ports[i], "%d", nginx.ports[i] % 100000);
        arguments[3 + i] = ports[i];
    }
    path_of(output, "output");
    return run_program(arguments, output);
}

static bool is_nginx_running(void) {
    int status = 0;
    if (waitpid(nginx.process, &status, WNOHANG) == 0) {
        return true;
    }
    nginx.process = 0;
    return false;
}

/* Starts nginx and waits until it listens. False: it has ended by itself. */
static bool run_nginx(void) {
    char output[128];
    char configuration[128];
    const int64_t until = loopback_now_ms() + loopback_slack_ms(LOOPBACK_PATIENCE_MS);
    path_of(output, "output");
    path_of(configuration, "nginx.conf");
    nginx.process = start_program(
        (const char *const[]){"nginx", "-e", output, "-p", nginx.folder, "-c", configuration, NULL},
        output);
    for (int i = 0; i < PORT_COUNT && loopback_now_ms() < until;) {
        if (!is_nginx_running()) {
            return false;
        }
        if (is_listening(nginx.ports[i])) {
            i++;
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
    }
    return true;
}

static int stop_nginx(void **state) {
    (void)state;
    if (nginx.process > 0) {
        kill(nginx.process, SIGKILL);
        waitpid(nginx.process, NULL, 0);
        nginx.process = 0;
    }
    return run_program((const char *const[]){"rm", "-rf", "--", nginx.folder, NULL}, "/dev/null");
}

/* Another program may take a port between its choice and nginx: then others are tried. */
static int start_nginx(void **state) {
    bool is_running = false;
    int result = 0;
    assert_non_null(mkdtemp(nginx.folder));
    for (int try = 0; try < 3 && !is_running && result == 0; try++) {
        pick_ports();
        result = write_configuration();
        is_running = result == 0 && run_nginx();
    }
    if (!is_running) {
        result =
            complain(result != 0 ? "the certificates could not be made" : "nginx does not start");
        stop_nginx(state);
    }
    return result;
}

/* ---- What nginx saw ---- */

/* Waits until the access log has so many lines with this part in them, and returns them, which the
 * caller frees. nginx writes a line when the answer is sent, so that the client may have it a
 * moment sooner. */
static char *await_lines(const char *part, int count) {
    const int64_t until = loopback_now_ms() + loopback_slack_ms(LOOPBACK_PATIENCE_MS);
    for (;;) {
        char *log = read_file("access.log");
        char *kept = log;
        int found = 0;
        for (char *line = log; strchr(line, '\n') != NULL;) {
            const size_t length = strcspn(line, "\n") + 1;
            char *next = line + length;
            char after = *next;
            *next = '\0';
            const bool is_wanted = strstr(line, part) != NULL;
            *next = after;
            if (is_wanted) {
                memmove(kept, line, length);
                kept += length;
                found++;
            }
            line = next;
        }
        *kept = '\0';
        if (found >= count) {
            assert_int_equal(found, count);
            return log;
        }
        free(log);
        if (loopback_now_ms() > until) {
            fail_msg("of %d lines with \"%s\" in the access log only %d came", count, part, found);
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static int count_parts(const char *text, const char *part) {
    int count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* How many different connections the lines name. */
static int count_connections(const char *lines) {
    long seen[512];
    int count = 0;
    for (const char *at = strstr(lines, "connection="); at != NULL;
         at = strstr(at + 1, "connection=")) {
        const long number = strtol(at + strlen("connection="), NULL, 10);
        int i = 0;
        while (i < count && seen[i] != number) {
            i++;
        }
        if (i == count && count < (int)COUNT(seen)) {
            seen[count++] = number;
        }
    }
    return count;
}

/* ---- Clients ---- */

static const char *ca_file(const char *name) {
    static char path[128];
    path_of(path, name);
    return path;
}

static reply_client *client_of(enum port port, const char *ca) {
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v4", nginx.ports[port]);
    reply_client *client = loopback_client(url);
    if (ca != NULL) {
        assert_int_equal(reply_client_set_ca_file(client, ca_file(ca), NULL), REPLY_OK);
    }
    return client;
}

static reply_client *good_client(enum port port) {
    return client_of(port, "known.pem");
}

/* A client of a loopback server behind nginx, which turns it to TLS and HTTP/2. */
static reply_client *client_of_server_behind(struct loopback_server *server) {
    char url[96];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/to/%d/v4", nginx.ports[GOOD],
             loopback_port(server));
    reply_client *client = loopback_client(url);
    assert_int_equal(reply_client_set_ca_file(client, ca_file("known.pem"), NULL), REPLY_OK);
    return client;
}

/* ---- Trust ---- */

static void speaks_http2_and_tls13(void **state) {
    (void)state;
    assert_int_equal(loopback_fetch_ids(good_client(GOOD), 1, 2, NULL), REPLY_OK);
    char *lines = await_lines("/sequences/1/", 1);
    assert_non_null(strstr(
        lines,
        "protocol=HTTP/2.0 tls=TLSv1.3 status=200 uri=/v4/sequences/1/contacts/2 key=" LOOPBACK_KEY
        " accept=application/json encoding=- end"));
    free(lines);
}

static void speaks_http1_where_that_is_all_there_is(void **state) {
    (void)state;
    assert_int_equal(loopback_fetch_ids(good_client(HTTP1), 2, 2, NULL), REPLY_OK);
    char *lines = await_lines("/sequences/2/", 1);
    assert_non_null(strstr(lines, "protocol=HTTP/1.1 tls=TLSv1.3 status=200"));
    free(lines);
}

static void speaks_tls12(void **state) {
    (void)state;
    assert_int_equal(loopback_fetch_ids(good_client(TLS_1_2), 3, 2, NULL), REPLY_OK);
    char *lines = await_lines("/sequences/3/", 1);
    assert_non_null(strstr(lines, "protocol=HTTP/2.0 tls=TLSv1.2 status=200"));
    free(lines);
}

static void takes_localhost_by_its_name(void **state) {
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "https://LocalHost:%d/v4/", nginx.ports[GOOD]);
    reply_client *client = loopback_client(url);
    assert_int_equal(reply_client_set_ca_file(client, ca_file("known.pem"), NULL), REPLY_OK);
    assert_int_equal(loopback_fetch_ids(client, 4, 2, NULL), REPLY_OK);
}

static const struct refusal {
    const char *name;
    enum port port;
    const char *ca; /* NULL: the system's */
} refusals[] = {
    {"a certificate for another host", WRONG_HOST, "known.pem"},
    {"a certificate that has expired", EXPIRED, "known.pem"},
    {"a certificate of an unknown authority", UNTRUSTED, "known.pem"},
    {"an authority that the system does not know", GOOD, NULL},
    {"a CA file of another authority", GOOD, "unknown.pem"},
    {"a CA file that is not there", GOOD, "nothing.pem"},
    {"a CA file without a certificate", GOOD, "nginx.conf"},
    {"a CA file that is a folder", GOOD, "."},
};

/* The handshake fails, and nothing is sent, not once more either: no request, no key. */
static void refuses_to_trust(void **state) {
    const struct refusal *row = *state;
    const int sequence_id = 1000 + (int)(row - refusals);
    reply_error error;
    char path[64];
    reply_client *client = client_of(row->port, row->ca);
    reply_client_set_max_retries(client, 3, NULL);
    assert_int_equal(loopback_fetch_ids(client, sequence_id, 2, &error), REPLY_ERROR_TLS);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(error.http_status, 0);
    assert_int_not_equal(error.curl_code, 0);
    assert_int_equal(loopback_waited_ms(), 0);
    /* A request that is seen afterwards tells that one before would have been, too. */
    assert_int_equal(loopback_fetch_ids(good_client(GOOD), sequence_id, 3, NULL), REPLY_OK);
    snprintf(path, sizeof path, "/sequences/%d/", sequence_id);
    free(await_lines(path, 1));
}

static void refuses_tls11(void **state) {
    char address[32];
    char output[128];
    reply_error error;
    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:%d", nginx.ports[TLS_1_1]);
    path_of(output, "tls11");
    if (run_program((const char *const[]){"openssl", "s_client", "-connect", address, "-tls1_1",
                                          "-cipher", "DEFAULT@SECLEVEL=0", NULL},
                    output) != 0) {
        print_message("skipped: this machine's OpenSSL speaks no TLS 1.1, so that there is nothing "
                      "to refuse\n");
        skip();
    }
    reply_client *client = good_client(TLS_1_1);
    reply_client_set_max_retries(client, 3, NULL);
    assert_int_equal(loopback_fetch(client, &error), REPLY_ERROR_TLS);
    assert_int_equal(error.attempts, 1);
}

/* ---- Connections ---- */

static void keeps_the_connection_over_calls(void **state) {
    static const enum port ports[] = {GOOD, HTTP1};
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        char path[32];
        reply_client *client = good_client(ports[i]);
        for (int contact = 1; contact <= 10; contact++) {
            assert_int_equal(loopback_fetch_ids(client, 20 + (int)i, contact, NULL), REPLY_OK);
        }
        snprintf(path, sizeof path, "/sequences/%d/", 20 + (int)i);
        char *lines = await_lines(path, 10);
        assert_int_equal(count_connections(lines), 1);
        free(lines);
    }
}

struct many {
    int counts[200], fine, failed;
    reply_result failure;
    int most_attempts;
};

static int count_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    struct many *many = user_data;
    many->counts[index]++;
    many->fine += result == REPLY_OK && contact->contact_id == (int64_t)index + 1;
    if (result != REPLY_OK) {
        many->failed++;
        many->failure = result;
    }
    many->most_attempts =
        error->attempts > many->most_attempts ? error->attempts : many->most_attempts;
    reply_sequence_contact_free(contact);
    return 0;
}

/* Fetches the contacts 1 to count, each of which must be delivered once. */
static struct many fetch_many(reply_client *client, int64_t sequence_id, int count) {
    struct many many;
    int64_t ids[200];
    memset(&many, 0, sizeof many);
    for (int i = 0; i < count; i++) {
        ids[i] = i + 1;
    }
    assert_int_equal(reply_get_sequence_contacts(client, sequence_id, ids, (size_t)count,
                                                 count_contact, &many, NULL),
                     REPLY_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(many.counts[i], 1);
    }
    return many;
}

static void uses_one_connection_for_many_contacts(void **state) {
    reply_client *client = good_client(GOOD);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 32, NULL), REPLY_OK);
    const struct many many = fetch_many(client, 30, 200);
    assert_int_equal(many.fine, 200);
    assert_int_equal(many.most_attempts, 1);
    char *lines = await_lines("/sequences/30/", 200);
    assert_int_equal(count_connections(lines), 1);
    assert_int_equal(count_parts(lines, "protocol=HTTP/2.0"), 200);
    free(lines);
}

/* As many at once as asked for, on that one connection: the server answers none before it has them
 * all. */
static void sends_as_many_at_once_as_it_may(void **state) {
    struct loopback_server *server = loopback_start(SCRIPT(EXPECT, AWAIT_RELEASE, ANSWER, AGAIN));
    reply_client *client = client_of_server_behind(server);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 32, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_timeout_ms(client, 1000, NULL), REPLY_OK);
    reply_error error;
    struct many many;
    int64_t ids[200];
    memset(&many, 0, sizeof many);
    for (int i = 0; i < 200; i++) {
        ids[i] = i + 1;
    }
    assert_int_equal(
        reply_get_sequence_contacts(client, 31, ids, 200, count_contact, &many, &error),
        REPLY_ERROR_TIMEOUT);
    assert_int_equal(loopback_requests(server), 32);
    assert_int_equal(many.failed, 200);
    loopback_release(server); /* nginx logs what it could get rid of */
    char *lines = await_lines("/sequences/31/", 32);
    assert_int_equal(count_connections(lines), 1);
    free(lines);
}

/* ---- Where HTTP/2 goes wrong ---- */

/* A server says GOAWAY after five requests: the others go to another connection, none is lost and
 * none is delivered twice. */
static void goes_on_after_goaway(void **state) {
    (void)state;
    reply_client *client = good_client(SAYS_GOODBYE);
    for (int contact = 1; contact <= 12; contact++) {
        reply_error error;
        assert_int_equal(loopback_fetch_ids(client, 40, contact, &error), REPLY_OK);
        assert_int_equal(error.attempts, 1);
    }
    char *lines = await_lines("/sequences/40/", 12);
    assert_int_equal(count_connections(lines), 3);
    free(lines);
}

static void loses_no_contact_to_goaway(void **state) {
    (void)state;
    reply_client *client = good_client(SAYS_GOODBYE);
    assert_int_equal(reply_client_set_max_concurrency(client, 4, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 3, NULL), REPLY_OK);
    const struct many many = fetch_many(client, 41, 40);
    assert_int_equal(many.fine, 40);
}

/* nginx's 444 resets the stream. */
static void reports_a_stream_that_was_reset(void **state) {
    reply_client *client = good_client(GOOD);
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 1, NULL);
    assert_int_equal(loopback_fetch_ids(client, 42, 444, &error), REPLY_ERROR_NETWORK);
    assert_int_equal(error.attempts, 2);
    assert_int_equal(error.http_status, 0);
    assert_int_not_equal(error.curl_code, 0);
    assert_int_equal(loopback_fetch_ids(client, 42, 1, NULL), REPLY_OK);
}

static int fetch_two_and_count(size_t index, reply_result result, reply_sequence_contact *contact,
                               const reply_error *error, void *user_data) {
    int *results = user_data;
    (void)error;
    results[index] = (int)result;
    reply_sequence_contact_free(contact);
    return 0;
}

static void leaves_the_other_streams_alone_where_one_is_reset(void **state) {
    const int64_t ids[] = {1, 2, 444, 3, 4, 5, 444, 6};
    int results[COUNT(ids)];
    reply_client *client = good_client(GOOD);
    (void)state;
    assert_int_equal(reply_client_set_max_concurrency(client, 8, NULL), REPLY_OK);
    assert_int_equal(reply_get_sequence_contacts(client, 43, ids, COUNT(ids), fetch_two_and_count,
                                                 results, NULL),
                     REPLY_OK);
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(results[i], ids[i] == 444 ? REPLY_ERROR_NETWORK : REPLY_OK);
    }
}

static void reads_what_comes_through_http2(void **state) {
    static const struct {
        struct loopback_step steps[6];
        reply_result result;
        int32_t http_status;
    } rows[] = {
        {{EXPECT, ANSWER}, REPLY_OK, 0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_CONTACT(1024 * 1024)}, REPLY_OK, 0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_CONTACT(1024 * 1024 + 1)},
         REPLY_ERROR_RESPONSE_TOO_LARGE,
         0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_ENDLESSLY("[")},
         REPLY_ERROR_RESPONSE_TOO_LARGE,
         0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 107374182400\r\n\r\n{"), AWAIT_CLOSE},
         REPLY_ERROR_RESPONSE_TOO_LARGE,
         0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"),
          SEND_CONTACT_PART(300, 0, 200)},
         REPLY_ERROR_NETWORK,
         0},
        {{EXPECT, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n"),
          SEND_CONTACT_PART(300, 0, 200)},
         REPLY_ERROR_NETWORK,
         0},
        {{EXPECT, SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n{")},
         REPLY_ERROR_NOT_FOUND,
         404},
        {{EXPECT, SEND("HTTP/1.1 404 Not Found\r\n\r\n"), SEND_ENDLESSLY("[")},
         REPLY_ERROR_NOT_FOUND,
         404},
        {{EXPECT, SEND("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")},
         REPLY_ERROR_UNAUTHORIZED,
         401},
        {{EXPECT,
          SEND("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n")},
         REPLY_ERROR_HTTP,
         302},
        {{EXPECT, SEND("HTTP/1.1 204 No Content\r\n\r\n")}, REPLY_ERROR_HTTP, 204},
        {{EXPECT, CLOSE}, REPLY_ERROR_SERVER, 502}, /* nginx's own */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply_error error;
        const reply_result result = loopback_fetch_ids(
            client_of_server_behind(loopback_start(rows[i].steps)), 44, 5, &error);
        if (result != rows[i].result || error.http_status != rows[i].http_status) {
            fail_msg("row %zu: %s, status %d, code %d: %s", i, reply_result_name(result),
                     error.http_status, error.curl_code, error.message);
        }
        loopback_stop_all(NULL);
    }
}

static void reads_headers_through_http2(void **state) {
    struct loopback_server *server = loopback_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 503 Unavailable\r\nRetry-After: 7\r\nX-Request-Id: req-2\r\n"
                            "Content-Length: 22\r\n\r\n{\"code\":\"some.problem\"}")));
    reply_error error;
    (void)state;
    assert_int_equal(loopback_fetch_ids(client_of_server_behind(server), 45, 5, &error),
                     REPLY_ERROR_SERVER);
    assert_int_equal(error.http_status, 503);
    assert_int_equal(error.retry_after_ms, 7000);
    assert_string_equal(error.request_id, "req-2");
    assert_non_null(
        strstr(loopback_request(server, 0).text, "X-API-Key: " LOOPBACK_KEY "\r\n") != NULL
            ? loopback_request(server, 0).text
            : strcasestr(loopback_request(server, 0).text, "x-api-key: " LOOPBACK_KEY "\r\n"));
}

/* A stream that gets no answer ends in time, and the next call is none the worse for it. */
static void times_out_over_http2(void **state) {
    struct loopback_server *server =
        loopback_start_two(SCRIPT(EXPECT, AWAIT_CLOSE), SCRIPT(EXPECT, ANSWER, AGAIN));
    reply_client *client = client_of_server_behind(server);
    const int64_t began = loopback_now_ms();
    (void)state;
    reply_client_set_attempt_timeout_ms(client, 300, NULL);
    assert_int_equal(loopback_fetch_ids(client, 46, 5, NULL), REPLY_ERROR_TIMEOUT);
    assert_in_range(loopback_now_ms() - began, 295, 300 + loopback_slack_ms(200));
    assert_int_equal(loopback_fetch_ids(client, 46, 6, NULL), REPLY_OK);
}

struct interrupted_call {
    pthread_t thread;
    reply_client *client;
    reply_result result;
    int64_t ended_ms;
};

static void *call_and_hang(void *context) {
    struct interrupted_call *call = context;
    reply_sequence_contact *contact = NULL;
    call->result = reply_get_sequence_contact(call->client, 47, 5, &contact, NULL);
    call->ended_ms = loopback_now_ms();
    reply_sequence_contact_free(contact);
    return NULL;
}

static void is_interrupted_over_http2(void **state) {
    int64_t best = INT64_MAX;
    (void)state;
    for (int try = 0; try < 5 && best > loopback_slack_ms(50); try++) {
        struct loopback_server *server =
            loopback_start_two(SCRIPT(EXPECT, AWAIT_CLOSE), SCRIPT(EXPECT, ANSWER, AGAIN));
        struct interrupted_call call = {.client = client_of_server_behind(server)};
        assert_int_equal(pthread_create(&call.thread, NULL, call_and_hang, &call), 0);
        loopback_await_requests(server, 1);
        const int64_t began = loopback_now_ms();
        reply_client_interrupt(call.client);
        pthread_join(call.thread, NULL);
        assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
        best = call.ended_ms - began < best ? call.ended_ms - began : best;
        assert_int_equal(loopback_fetch_ids(call.client, 47, 6, NULL), REPLY_OK);
        loopback_stop_all(NULL);
    }
    assert_in_range(best, 0, loopback_slack_ms(50));
}

/* Whatever send fails, of the handshake's or of the request's: nothing waits for the dead
 * connection, in this call or the next. */
static void survives_sends_that_fail(void **state) {
    static const enum port ports[] = {GOOD, HTTP1};
    (void)state;
    for (int i = 0; i < 16; i++) {
        reply_client *client = good_client(ports[i % 2]);
        reply_error error;
        reply_client_set_max_retries(client, 1, NULL);
        loopback_fail_send(1 + i / 2);
        const int64_t began = loopback_now_ms();
        const reply_result result = loopback_fetch_ids(client, 48, 5, &error);
        const int64_t took = loopback_now_ms() - began - loopback_waited_ms();
        loopback_fail_send(0);
        if ((result != REPLY_OK && result != REPLY_ERROR_TLS) || took > loopback_slack_ms(1000)) {
            fail_msg("send %d: %s after %d attempts in %d ms: %s", 1 + i / 2,
                     reply_result_name(result), error.attempts, (int)took, error.message);
        }
        assert_int_equal(loopback_fetch_ids(client, 48, 6, &error), REPLY_OK);
        assert_true(loopback_now_ms() - began - loopback_waited_ms() < loopback_slack_ms(2000));
        loopback_stop_all(NULL);
    }
}

/* The same where others wait for that connection. One whose request could not be sent is of use to
 * nobody: what it sends late would be answered to another contact. */
static void mixes_up_no_contacts_after_a_send_that_failed(void **state) {
    static const enum port ports[] = {GOOD, HTTP1};
    (void)state;
    for (int i = 0; i < 20; i++) {
        reply_client *client = good_client(ports[i % 2]);
        reply_client_set_max_retries(client, 1, NULL);
        loopback_fail_send(1 + i / 2);
        const int64_t began = loopback_now_ms();
        const struct many many = fetch_many(client, 49, 8);
        const int64_t took = loopback_now_ms() - began - loopback_waited_ms();
        loopback_fail_send(0);
        if (many.fine < 7 || (many.failed == 1 && many.failure != REPLY_ERROR_TLS) ||
            took > loopback_slack_ms(1000)) {
            fail_msg("send %d: %d fine, %d failed with %s, in %d ms", 1 + i / 2, many.fine,
                     many.failed, reply_result_name(many.failure), (int)took);
        }
        loopback_stop_all(NULL);
    }
}

/* ---- A proxy, fork, signals ---- */

/* What goes through the tunnel is TLS: the proxy sees the host's name and no key, the server sees
 * the key. */
static void fetches_through_a_proxy_that_sees_no_key(void **state) {
    struct loopback_server *proxy = loopback_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 200 Established\r\n\r\n"), TUNNEL(nginx.ports[GOOD])));
    reply_client *client = loopback_client("https://api.example.invalid/v4");
    (void)state;
    assert_int_equal(reply_client_set_ca_file(client, ca_file("known.pem"), NULL), REPLY_OK);
    assert_int_equal(reply_client_set_proxy(client, loopback_url(proxy), NULL), REPLY_OK);
    for (int contact = 1; contact <= 3; contact++) {
        assert_int_equal(loopback_fetch_ids(client, 50, contact, NULL), REPLY_OK);
    }
    assert_int_equal(loopback_connections(proxy), 1);
    const char *request = loopback_request(proxy, 0).text;
    assert_int_equal(strncmp(request, "CONNECT api.example.invalid:443 HTTP/1.1\r\n", 42), 0);
    assert_null(strstr(request, LOOPBACK_KEY));
    char *lines = await_lines("/sequences/50/", 3);
    assert_int_equal(count_parts(lines, "key=" LOOPBACK_KEY " "), 3);
    assert_int_equal(count_connections(lines), 1);
    free(lines);
}

static int destroy_in_child(void *client) {
    reply_client_destroy(client);
    return 0;
}

/* Destroying the client in a child must not say goodbye on the parent's TLS connection. */
static void leaves_the_parent_s_tls_connection_alone(void **state) {
    static const enum port ports[] = {GOOD, HTTP1};
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        char path[32];
        reply_client *client = good_client(ports[i]);
        assert_int_equal(loopback_fetch_ids(client, 60 + (int)i, 1, NULL), REPLY_OK);
        assert_int_equal(child_run(destroy_in_child, client), 0);
        assert_int_equal(loopback_fetch_ids(client, 60 + (int)i, 2, NULL), REPLY_OK);
        snprintf(path, sizeof path, "/sequences/%d/", 60 + (int)i);
        char *lines = await_lines(path, 2);
        assert_int_equal(count_connections(lines), 1);
        free(lines);
    }
}

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int number) {
    (void)number;
    broken_pipes++;
}

static int ignore_no_pipe_and_stop_all(void **state) {
    signal(SIGPIPE, SIG_DFL);
    return loopback_stop_all(state);
}

/* TLS says goodbye on connections that the server has closed or reset. */
static void raises_no_sigpipe(void **state) {
    const struct sigaction action = {.sa_handler = count_broken_pipe};
    (void)state;
    sigaction(SIGPIPE, &action, NULL);
    broken_pipes = 0;
    for (int i = 0; i < 10; i++) {
        reply_client *client = good_client(CLOSES);
        assert_int_equal(loopback_fetch_ids(client, 70, 1, NULL), REPLY_OK);
        assert_int_equal(loopback_fetch_ids(client, 70, 2, NULL), REPLY_OK);
        loopback_destroy_client(client);
        struct loopback_server *server = loopback_start(SCRIPT(EXPECT_BYTES, RESET));
        char url[64];
        snprintf(url, sizeof url, "https://127.0.0.1:%d/v4", loopback_port(server));
        assert_int_equal(loopback_fetch(loopback_client(url), NULL), REPLY_ERROR_TLS);
        loopback_stop_all(NULL);
    }
    assert_int_equal(broken_pipes, 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(speaks_http2_and_tls13),
        WIRE_TEST(speaks_http1_where_that_is_all_there_is),
        WIRE_TEST(speaks_tls12),
        WIRE_TEST(takes_localhost_by_its_name),
        WIRE_TEST(refuses_tls11),
        WIRE_TEST(keeps_the_connection_over_calls),
        WIRE_TEST(uses_one_connection_for_many_contacts),
        WIRE_TEST(sends_as_many_at_once_as_it_may),
        WIRE_TEST(goes_on_after_goaway),
        WIRE_TEST(loses_no_contact_to_goaway),
        WIRE_TEST(reports_a_stream_that_was_reset),
        WIRE_TEST(leaves_the_other_streams_alone_where_one_is_reset),
        WIRE_TEST(reads_what_comes_through_http2),
        WIRE_TEST(reads_headers_through_http2),
        WIRE_TEST(survives_sends_that_fail),
        WIRE_TEST(mixes_up_no_contacts_after_a_send_that_failed),
        WIRE_TEST(times_out_over_http2),
        WIRE_TEST(is_interrupted_over_http2),
        WIRE_TEST(fetches_through_a_proxy_that_sees_no_key),
        WIRE_TEST(leaves_the_parent_s_tls_connection_alone),
        cmocka_unit_test_teardown(raises_no_sigpipe, ignore_no_pipe_and_stop_all),
    };
    static struct CMUnitTest all[COUNT(refusals) + COUNT(tests)];
    for (size_t i = 0; i < COUNT(refusals); i++) {
        all[i] = (struct CMUnitTest){.name = refusals[i].name,
                                     .test_func = refuses_to_trust,
                                     .teardown_func = loopback_stop_all,
                                     .initial_state = (void *)(uintptr_t)&refusals[i]};
    }
    memcpy(all + COUNT(refusals), tests, sizeof tests);
    return cmocka_run_group_tests_name("tls", all, start_nginx, stop_nginx);
}
