/* scripted_server.h - servers on loopback that play a script on each connection, byte by byte.
 * Every function asserts, and belongs on the test's own thread, unless it says otherwise. */
#ifndef REPLYIO_TESTS_SCRIPTED_SERVER_H
#define REPLYIO_TESTS_SCRIPTED_SERVER_H

#include <stddef.h>
#include <stdint.h>

/* ---- Scripts ---- */

enum server_action {
    SERVER_CLOSE, /* 0, so that a table's unset steps end the script */
    SERVER_RESET,
    SERVER_AWAIT_CLOSE,
    SERVER_REPEAT,
    SERVER_TUNNEL,
    SERVER_LAST_FINAL = SERVER_TUNNEL,
    SERVER_EXPECT,
    SERVER_EXPECT_BYTES,
    SERVER_SEND,
    SERVER_SEND_SLOWLY,
    SERVER_SEND_ENDLESSLY,
    SERVER_SEND_CONTACT,
    SERVER_RESPOND,
    SERVER_MARK,
    SERVER_AWAIT_RELEASE,
    SERVER_AWAIT_REQUESTS,
    SERVER_HALF_CLOSE
};

struct server_step {
    enum server_action action;
    const char *bytes;
    size_t length;
    int64_t number, from; /* as the steps below define them */
};

/* clang-format off */
/* Final steps, which end a script. CLOSE follows a script's last step by itself. AWAIT_CLOSE reads
 * without responding until the peer closes, REPEAT starts the script again, and TUNNEL passes bytes
 * between the peer and a port on loopback. */
#define CLOSE {SERVER_CLOSE, NULL, 0, 0, 0}
#define RESET {SERVER_RESET, NULL, 0, 0, 0}
#define AWAIT_CLOSE {SERVER_AWAIT_CLOSE, NULL, 0, 0, 0}
#define REPEAT {SERVER_REPEAT, NULL, 0, 0, 0}
#define TUNNEL(port) {SERVER_TUNNEL, NULL, 0, port, 0}

/* Reads a request to the end of its headers, and records it. Ends the script if the peer closes. */
#define EXPECT {SERVER_EXPECT, NULL, 0, 0, 0}

/* Reads the peer's first bytes, whatever they are, such as a TLS hello. */
#define EXPECT_BYTES {SERVER_EXPECT_BYTES, NULL, 0, 0, 0}

/* Send a literal, a string, or a literal many times, byte by byte or endlessly. */
#define SEND(text) {SERVER_SEND, text, sizeof(text) - 1, 1, 0}
#define SEND_TEXT(text) {SERVER_SEND, text, SIZE_MAX, 1, 0}
#define SEND_TIMES(text, times) {SERVER_SEND, text, sizeof(text) - 1, times, 0}
#define SEND_SLOWLY(text, pace_ms) {SERVER_SEND_SLOWLY, text, sizeof(text) - 1, pace_ms, 0}
#define SEND_ENDLESSLY(text) {SERVER_SEND_ENDLESSLY, text, sizeof(text) - 1, 0, 0}

/* Send the contact of the last request as JSON of total bytes, padded with an unknown member; the
 * whole of it, or count bytes from the given offset. */
#define SEND_CONTACT(total) {SERVER_SEND_CONTACT, NULL, total, total, 0}
#define SEND_CONTACT_PART(total, from, count) {SERVER_SEND_CONTACT, NULL, count, total, from}

/* Sends a complete 200 with the contact of the last request. */
#define RESPOND {SERVER_RESPOND, NULL, 0, 0, 0}

/* Counts for server_await_marks. */
#define MARK {SERVER_MARK, NULL, 0, 0, 0}

/* Waits for server_release. */
#define AWAIT_RELEASE {SERVER_AWAIT_RELEASE, NULL, 0, 0, 0}

/* Waits until the server has had that many requests. */
#define AWAIT_REQUESTS(count) {SERVER_AWAIT_REQUESTS, NULL, 0, count, 0}

/* Closes the server's direction only. */
#define HALF_CLOSE {SERVER_HALF_CLOSE, NULL, 0, 0, 0}
/* clang-format on */

#define SCRIPT(...)                                                                                \
    (const struct server_step[]) {                                                                 \
        __VA_ARGS__, CLOSE                                                                         \
    }

/* A script that responds to each request with its contact. */
#define RESPONSES SCRIPT(EXPECT, RESPOND, REPEAT)

/* The beginnings of a 200: for more headers; for a body of 300 bytes; for a chunked body. */
#define OK_HEADERS    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define OK_LENGTH_300 OK_HEADERS "Content-Length: 300\r\n\r\n"
#define OK_CHUNKED    OK_HEADERS "Transfer-Encoding: chunked\r\n\r\n"

/* ---- Servers ---- */

/* The size of the contact that RESPOND sends. */
enum { SERVER_CONTACT_SIZE = 400 };

struct server_request {
    const char *text; /* to the end of its headers, NUL-terminated; owned by the server */
    int connection;   /* counted from 1 */
    int64_t at_ms;
};

struct server;

/* Starts a server on a port that the system picks. Every connection plays the script. */
struct server *server_start(const struct server_step *script);

/* Starts a server whose first connection plays the first script, and every other one the other. */
struct server *server_start_two_scripts(const struct server_step *first,
                                        const struct server_step *other);

/* Starts a server whose connection with this number, from 1, plays the first script, and every
 * other one the other. */
struct server *server_start_special(int number, const struct server_step *special,
                                    const struct server_step *other);

/* Starts a server on ::1. Returns NULL if the machine has no IPv6. */
struct server *server_start_ipv6(const struct server_step *script);

/* Stops all servers and frees their ports. Does not assert. */
void server_stop_all(void);

/* Returns a port that never accepts, so that connecting to it takes forever. */
int server_open_full_port(void);

/* Returns a port that refuses connections. */
int server_find_closed_port(void);

/* Returns how many connections to the port are waiting to be accepted. */
int server_count_connecting(int port);

/* These five, server_release, server_silence and server_reset may be called on any thread. */
int server_port(const struct server *server);
const char *server_url(const struct server *server); /* "http://127.0.0.1:<port>/v4" */
const char *server_https_url(const struct server *server);
int server_connection_count(struct server *server);
int server_request_count(struct server *server);

/* Returns the request with this index, counted from 0. */
struct server_request server_request(struct server *server, int index);

/* Lets every AWAIT_RELEASE go on, those to come included. */
void server_release(struct server *server);

/* Lets the tunnels of the connections so far pass nothing more, without closing them. */
void server_silence(struct server *server);

/* Resets the connections so far that are open. Each must be in a tunnel. */
void server_reset(struct server *server);

/* Wait until there have been this many. The test fails after TIMING_MAX_WAIT_MS. */
void server_await_connections(struct server *server, int count);
void server_await_requests(struct server *server, int count);
void server_await_marks(struct server *server, int count);
void server_await_closed(struct server *server, int count);

#endif
