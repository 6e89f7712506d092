/* fault_server.c - the server's threads, one per connection, and its faults. */
#include "soak/fault_server.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/timing.h"

/* What was sent before the limit was read may still be on its way. */
enum { MARGIN_MS = 150 };

static _Atomic int64_t limited_ms[FAULT_MAX_SEQUENCES + 1]; /* time of the last limit; 0: none */
static atomic_int violation_count;

struct connection {
    int socket;
    unsigned seed;
    char request[8192];
    int64_t sequence_id, contact_id;
};

static void check_limit(const struct connection *connection) {
    const int64_t elapsed_ms = timing_now_ms() - limited_ms[connection->sequence_id];
    if (elapsed_ms > MARGIN_MS && elapsed_ms < FAULT_RETRY_AFTER_MS - MARGIN_MS) {
        fprintf(stderr,
                "sequence %" PRId64 ", contact %" PRId64 ": sent %" PRId64 " ms after a limit\n",
                connection->sequence_id, connection->contact_id, elapsed_ms);
        violation_count++;
    }
}

static bool read_request(struct connection *connection) {
    size_t length = 0;
    do {
        const ssize_t received = recv(connection->socket, connection->request + length,
                                      sizeof connection->request - 1 - length, 0);
        if (received <= 0) {
            return false;
        }
        length += (size_t)received;
        connection->request[length] = '\0';
    } while (strstr(connection->request, "\r\n\r\n") == NULL);
    const char *ids = strstr(connection->request, "/sequences/");
    if (ids == NULL || sscanf(ids, "/sequences/%" SCNd64 "/contacts/%" SCNd64,
                              &connection->sequence_id, &connection->contact_id) != 2) {
        return false;
    }
    check_limit(connection);
    return true;
}

static bool send_text(const struct connection *connection, const char *text, size_t length) {
    return send(connection->socket, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static size_t write_response(const struct connection *connection, char response[1024]) {
    char body[512];
    if (connection->contact_id % FAULT_MISSING_MODULUS == 0) {
        return (size_t)snprintf(response, 1024,
                                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    const int length =
        snprintf(body, sizeof body,
                 "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64 ",\"email\":\"%" PRId64
                 "@%" PRId64 ".example\",\"status\":\"Active\",\"currentStep\":2,"
                 "\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":false}",
                 connection->contact_id, connection->sequence_id, connection->contact_id,
                 connection->sequence_id);
    return (size_t)snprintf(
        response, 1024,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length,
        body);
}

static bool send_literal(const struct connection *connection, const char *text) {
    return send_text(connection, text, strlen(text));
}

static void reset(const struct connection *connection) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* Reads without responding until the peer closes. */
static void stay_silent(const struct connection *connection) {
    char bytes[1024];
    while (recv(connection->socket, bytes, sizeof bytes, 0) > 0) {
    }
}

/* The bytes arrive on an idle connection, or before the response to the next request. */
static bool send_late(struct connection *connection, const char *bytes) {
    timing_sleep_ms(rand_r(&connection->seed) % 6);
    return send_literal(connection, bytes);
}

/* Nothing shows for which contact a stray 404 is, so there is none. */
static bool respond_twice(struct connection *connection, const char *response, size_t length) {
    return send_text(connection, response, length) &&
           (connection->contact_id % FAULT_MISSING_MODULUS == 0 || send_late(connection, response));
}

/* Returns false if the connection must be closed. */
static bool respond(struct connection *connection) {
    char response[1024];
    const size_t length = write_response(connection, response);
    switch (rand_r(&connection->seed) % 200) {
    case 0:
        stay_silent(connection);
        return false;
    case 1:
        reset(connection);
        return false;
    case 2:
        return false;
    case 3:
        send_text(connection, response, length / 2);
        return false;
    case 4:
        send_text(connection, response, length - 1);
        reset(connection);
        return false;
    case 5:
        return respond_twice(connection, response, length);
    case 6:
        return send_text(connection, response, length) &&
               send_late(connection, "HTTP/1.1 408 Late\r\nConnection: close\r\n\r\n");
    case 7:
    case 8:
        return send_literal(connection, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    case 9:
        return send_literal(connection,
                            "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    case 10:
        return send_literal(connection, "garbage\r\n\r\n");
    default:
        if (rand_r(&connection->seed) % 4 == 0) {
            timing_sleep_ms(rand_r(&connection->seed) % 20);
        }
        return send_text(connection, response, length);
    }
}

static void *serve(void *context) {
    struct connection *connection = context;
    while (read_request(connection) && respond(connection)) {
    }
    close(connection->socket);
    free(connection);
    return NULL;
}

static void *accept_connections(void *context) {
    const int listener = (int)(intptr_t)context;
    static unsigned seed = 1;
    const int on = 1;
    for (;;) {
        pthread_t thread;
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL) {
            abort();
        }
        connection->seed = seed++;
        connection->socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connection->socket < 0 || pthread_create(&thread, NULL, serve, connection) != 0) {
            abort();
        }
        pthread_detach(thread);
    }
    return NULL;
}

int fault_server_start(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&thread, NULL, accept_connections, (void *)(intptr_t)listener) != 0) {
        abort();
    }
    pthread_detach(thread);
    return ntohs(address.sin_port);
}

void fault_server_note_limit(int64_t sequence_id) {
    limited_ms[sequence_id] = timing_now_ms();
}

void fault_server_forget_limit(int64_t sequence_id) {
    limited_ms[sequence_id] = 0;
}

int fault_server_violation_count(void) {
    return violation_count;
}
