/* scripted_server.h - the wire for tests: servers on loopback that send any bytes at any pace, each
 * connection by a script; clients of theirs, whose log is kept; and a name server that never
 * answers. All of it ends in the test's teardown, loopback_stop_all. */
#ifndef REPLYIO_LOOPBACK_SERVER_H
#define REPLYIO_LOOPBACK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

/* ---- Scripts ---- */

enum loopback_action {
    LOOPBACK_CLOSE, /* ends a script, and so does every table's zeroed rest */
    LOOPBACK_RESET,
    LOOPBACK_AWAIT_CLOSE,
    LOOPBACK_AGAIN,
    LOOPBACK_TUNNEL,
    LOOPBACK_LAST_ENDING = LOOPBACK_TUNNEL,
    LOOPBACK_EXPECT,
    LOOPBACK_EXPECT_BYTES,
    LOOPBACK_SEND,
    LOOPBACK_SEND_SLOWLY,
    LOOPBACK_SEND_ENDLESSLY,
    LOOPBACK_SEND_CONTACT,
    LOOPBACK_ANSWER,
    LOOPBACK_MARK,
    LOOPBACK_AWAIT_RELEASE,
    LOOPBACK_HALF_CLOSE
};

struct loopback_step {
    enum loopback_action action;
    const char *bytes; /* they must outlive the server */
    size_t length;
    int64_t number, from; /* as the steps below say */
};

/* clang-format off */
/* The steps. The first five end a script: close in the ordinary way; reset; take bytes until the peer closes, without a word; begin
 * the script again; pass bytes to and fro between the peer and a port of loopback. */
#define CLOSE {LOOPBACK_CLOSE, NULL, 0, 0, 0}
#define RESET {LOOPBACK_RESET, NULL, 0, 0, 0}
#define AWAIT_CLOSE {LOOPBACK_AWAIT_CLOSE, NULL, 0, 0, 0}
#define AGAIN {LOOPBACK_AGAIN, NULL, 0, 0, 0}
#define TUNNEL(port) {LOOPBACK_TUNNEL, NULL, 0, port, 0}
/* Reads a request to the end of its headers, and records it. Ends the script where the peer closes instead. */
#define EXPECT {LOOPBACK_EXPECT, NULL, 0, 0, 0}
/* Reads what the peer sends first, whatever it is, such as a TLS hello. */
#define EXPECT_BYTES {LOOPBACK_EXPECT_BYTES, NULL, 0, 0, 0}
#define SEND(text) {LOOPBACK_SEND, text, sizeof(text) - 1, 1, 0}
/* Text that is no literal. */
#define SEND_TEXT(text) {LOOPBACK_SEND, text, SIZE_MAX, 1, 0}
#define SEND_TIMES(text, times) {LOOPBACK_SEND, text, sizeof(text) - 1, times, 0}
#define SEND_SLOWLY(text, pace_ms) {LOOPBACK_SEND_SLOWLY, text, sizeof(text) - 1, pace_ms, 0}
#define SEND_ENDLESSLY(text) {LOOPBACK_SEND_ENDLESSLY, text, sizeof(text) - 1, 0, 0}
/* The contact that the last request asks for, as JSON of so many bytes (a member without a meaning fills it up), or of these bytes
 * those at from and after it. */
#define SEND_CONTACT(total) {LOOPBACK_SEND_CONTACT, NULL, total, total, 0}
#define SEND_CONTACT_PART(total, first, count) {LOOPBACK_SEND_CONTACT, NULL, count, total, first}
/* A whole 200 with that contact. */
#define ANSWER {LOOPBACK_ANSWER, NULL, 0, 0, 0}
/* Counts for loopback_await_marks. */
#define MARK {LOOPBACK_MARK, NULL, 0, 0, 0}
#define AWAIT_RELEASE {LOOPBACK_AWAIT_RELEASE, NULL, 0, 0, 0}
#define HALF_CLOSE {LOOPBACK_HALF_CLOSE, NULL, 0, 0, 0}
/* clang-format on */

#define SCRIPT(...)                                                                                \
    (const struct loopback_step[]) {                                                               \
        __VA_ARGS__, CLOSE                                                                         \
    }

/* ---- Servers: everything asserts, and so belongs on the test's own thread, unless it says
 * otherwise ---- */

enum { LOOPBACK_PATIENCE_MS = 20000, LOOPBACK_CONTACT_SIZE = 400 };

struct loopback_request {
    const char *text; /* to the end of its headers, NUL-terminated; lives as long as the server */
    int connection;   /* counted from 1 */
    int64_t at_ms;
};

struct loopback_server;

/* Starts a server on a port that the system picks, every connection of which plays this script. */
struct loopback_server *loopback_start(const struct loopback_step *script);

/* The first connection plays the first script, the second the other, and so do all after it. */
struct loopback_server *loopback_start_two(const struct loopback_step *first,
                                           const struct loopback_step *other);

/* On ::1; NULL where this machine has no IPv6. */
struct loopback_server *loopback_start_ipv6(const struct loopback_step *script);

/* A port on which connections are never accepted, so that connecting to it takes for ever; and one
 * that refuses them. */
int loopback_full_port(void);
int loopback_closed_port(void);

/* How many are at this moment waiting to be connected to the port. */
int loopback_connecting_to(int port);

int loopback_port(const struct loopback_server *server);
const char *loopback_url(const struct loopback_server *server); /* "http://127.0.0.1:<port>/v4" */
int loopback_connections(struct loopback_server *server);
int loopback_requests(struct loopback_server *server);
struct loopback_request loopback_request(struct loopback_server *server, int index);
int64_t loopback_bytes_sent(struct loopback_server *server);
void loopback_release(struct loopback_server *server);

/* Wait until there have been so many; a test that has to wait for LOOPBACK_PATIENCE_MS fails. */
void loopback_await_connections(struct loopback_server *server, int count);
void loopback_await_requests(struct loopback_server *server, int count);
void loopback_await_marks(struct loopback_server *server, int count);
void loopback_await_closed(struct loopback_server *server, int count);

/* ---- Clients ---- */

#define LOOPBACK_KEY  "k3y-S3cret.0123456789~abcdef"
#define LOOPBACK_PATH "/v4/sequences/100/contacts/12345"

/* A client with this base URL, no retries, attempts of up to 10 s, and its log kept. */
reply_client *loopback_client(const char *base_url);

/* Destroys a client before the test's end. */
void loopback_destroy_client(reply_client *client);

/* Fetches contact 12345 in sequence 100, or another. Asserts what holds of every call: the error
 * agrees with the result and says something, nothing holds the key, the contact is there or not. */
reply_result loopback_fetch(reply_client *client, reply_error *error);
reply_result loopback_fetch_ids(reply_client *client, int64_t sequence_id, int64_t contact_id,
                                reply_error *error);

/* The log's lines since the test began, each with a line feed; how many of them begin like this;
 * and the sum of the waits that they announce. From any thread. */
char *loopback_copy_log(void);
int loopback_count_log(const char *beginning);
int64_t loopback_waited_ms(void);
void loopback_await_log(const char *beginning, int count);

/* ---- Time, names, failing sends, and the end ---- */

int64_t loopback_now_ms(void);

/* A bound on time as it counts here: REPLY_TEST_SLOWNESS in the environment is by how much
 * everything takes longer (valgrind). */
int64_t loopback_slack_ms(int64_t ms);

/* A host whose name server never answers, which the process's getaddrinfo plays; and how many wait
 * for it now. */
#define LOOPBACK_DEAD_NAME "dead-name-server.invalid"
void loopback_await_lookups(int count);

/* Lets one of this thread's sends fail, the next one where number is 1, as if the peer had reset
 * the connection just before. */
void loopback_fail_send(int number);

/* The teardown of each test: destroys the clients, stops the servers, ends the look-ups, forgets
 * the log. */
int loopback_stop_all(void **state);

#define WIRE_TEST(function) cmocka_unit_test_teardown(function, loopback_stop_all)

#endif
