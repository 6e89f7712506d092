/* scripted_server.c - servers on loopback that play scripts, with one thread per connection. Every
 * wait of a server's thread ends when the server is stopped. */
#include "support/scripted_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/timing.h"

enum { MAX_REQUEST_SIZE = 1024 * 1024, MAX_SOCKETS = 64 };

struct connection {
    struct connection *next;
    struct server *server;
    const struct server_step *script;
    pthread_t thread;
    int socket;
    int number;
    bool is_closed;                  /* guarded by the server's lock */
    int64_t sequence_id, contact_id; /* of the last request */
};

struct server {
    struct server *next;
    struct server_step *scripts[2]; /* for one connection and for all others */
    int special_number;             /* of the connection that plays the first script */
    int listener;
    int stop_event; /* readable when the server must stop */
    int port;
    char url[64], https_url[64];
    pthread_t acceptor;
    struct connection *connections; /* owned by the acceptor until it has ended */

    pthread_mutex_t lock; /* guards the members below */
    pthread_cond_t changed;
    bool is_stopping, is_released;
    int silent_count; /* of the connections whose tunnels pass nothing */
    int connection_count, closed_count, mark_count, request_count;
    struct server_request *requests;
};

/* To stop and close after a test. Only the test's own thread uses these. */
static struct server *servers;
static int sockets[MAX_SOCKETS];
static size_t socket_count;

/* ---- A connection's thread: a function that returns false ends the script ---- */

/* Waits until the socket is ready, for at most timeout_ms (-1: no timeout). Returns false if the
 * server stops. */
static bool await_socket(const struct connection *connection, short events, int timeout_ms,
                         bool *is_ready) {
    struct pollfd polled[] = {{connection->socket, events, 0},
                              {connection->server->stop_event, POLLIN, 0}};
    int count = 0;
    do {
        count = poll(polled, 2, timeout_ms);
    } while (count < 0 && errno == EINTR);
    *is_ready = polled[0].revents != 0;
    return polled[1].revents == 0;
}

static bool send_bytes(const struct connection *connection, const char *bytes, size_t length) {
    bool is_ready = false;
    while (length > 0 && await_socket(connection, POLLOUT, -1, &is_ready)) {
        const ssize_t sent = send(connection->socket, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
    }
    return length == 0;
}

/* Sends the bytes this many times (-1: endlessly), in large blocks. */
static bool send_times(const struct connection *connection, const char *bytes, size_t length,
                       int64_t times) {
    const size_t per_block = length < 65536 ? 65536 / length : 1;
    char *block = malloc(per_block * length);
    bool is_sent = block != NULL;
    for (size_t i = 0; is_sent && i < per_block; i++) {
        memcpy(block + i * length, bytes, length);
    }
    while (is_sent && times != 0) {
        const size_t count = times < 0 || (uint64_t)times > per_block ? per_block : (size_t)times;
        is_sent = send_bytes(connection, block, count * length);
        times -= times < 0 ? 0 : (int64_t)count;
    }
    free(block);
    return is_sent;
}

static bool send_slowly(const struct connection *connection, const struct server_step *step) {
    bool is_ready = false;
    for (size_t i = 0; i < step->length; i++) {
        if (!send_bytes(connection, step->bytes + i, 1) ||
            !await_socket(connection, POLLRDHUP, (int)step->number, &is_ready) || is_ready) {
            return false;
        }
    }
    return true;
}

/* Returns 0 if the peer has closed, the connection is lost or the server stops. */
static size_t receive_bytes(const struct connection *connection, char *bytes, size_t size) {
    bool is_ready = false;
    ssize_t received = 0;
    if (await_socket(connection, POLLIN, -1, &is_ready)) {
        received = recv(connection->socket, bytes, size, 0);
    }
    return received > 0 ? (size_t)received : 0;
}

static void await_close(const struct connection *connection) {
    char bytes[4096];
    while (receive_bytes(connection, bytes, sizeof bytes) > 0) {
    }
}

static bool record_request(struct connection *connection, char *text) {
    struct server *server = connection->server;
    const char *ids = strstr(text, "/sequences/");
    if (ids != NULL) {
        sscanf(ids, "/sequences/%" SCNd64 "/contacts/%" SCNd64, &connection->sequence_id,
               &connection->contact_id);
    }
    pthread_mutex_lock(&server->lock);
    struct server_request *more =
        realloc(server->requests, ((size_t)server->request_count + 1) * sizeof *more);
    if (more != NULL) {
        server->requests = more;
        more[server->request_count++] = (struct server_request){
            .text = text, .connection = connection->number, .at_ms = timing_now_ms()};
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    return more != NULL;
}

/* The peer waits for each response, so nothing follows the headers. */
static bool read_request(struct connection *connection) {
    char *text = malloc(MAX_REQUEST_SIZE);
    size_t length = 0;
    bool is_complete = false;
    while (text != NULL && !is_complete) {
        const size_t received =
            receive_bytes(connection, text + length, MAX_REQUEST_SIZE - 1 - length);
        length += received;
        text[length] = '\0';
        is_complete = length >= 4 && strcmp(text + length - 4, "\r\n\r\n") == 0;
        if (received == 0) {
            break;
        }
    }
    char *request = is_complete ? strdup(text) : NULL;
    free(text);
    if (request == NULL || !record_request(connection, request)) {
        free(request);
        return false;
    }
    return true;
}

/* Writes the requested contact as JSON of total bytes, and a NUL. */
static void write_contact(const struct connection *connection, char *json, size_t total) {
    const int length = snprintf(
        json, total + 1,
        "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64 ",\"email\":\"%" PRId64
        "@example.com\",\"firstName\":\"Zo\xC3\xAB\",\"status\":\"Active\","
        "\"subStatus\":\"None\",\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00+00:00\","
        "\"isOptedOut\":false,\"filler\":\"",
        connection->contact_id, connection->sequence_id, connection->contact_id);
    if (length > 0 && (size_t)length + 2 <= total) {
        memset(json + length, 'x', total - (size_t)length);
        memcpy(json + total - 2, "\"}", 3);
    }
}

static bool send_contact(const struct connection *connection, size_t total, size_t from,
                         size_t count) {
    char *json = malloc(total + 1);
    bool is_sent = false;
    if (json != NULL) {
        write_contact(connection, json, total);
        is_sent = send_bytes(connection, json + from, count);
    }
    free(json);
    return is_sent;
}

static bool respond(const struct connection *connection) {
    char headers[128];
    const int length =
        snprintf(headers, sizeof headers,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 (int)SERVER_CONTACT_SIZE);
    return send_bytes(connection, headers, (size_t)length) &&
           send_contact(connection, SERVER_CONTACT_SIZE, 0, SERVER_CONTACT_SIZE);
}

static void mark(struct server *server) {
    pthread_mutex_lock(&server->lock);
    server->mark_count++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static bool await_release(struct server *server) {
    pthread_mutex_lock(&server->lock);
    while (!server->is_released && !server->is_stopping) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    const bool is_released = server->is_released;
    pthread_mutex_unlock(&server->lock);
    return is_released;
}

static bool await_requests(struct server *server, int64_t count) {
    pthread_mutex_lock(&server->lock);
    while (server->request_count < count && !server->is_stopping) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    const bool is_reached = server->request_count >= count;
    pthread_mutex_unlock(&server->lock);
    return is_reached;
}

static void set_reset_on_close(const struct connection *connection) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static int connect_to(int port) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connected >= 0 &&
        connect(connected, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(connected);
        return -1;
    }
    return connected;
}

static bool is_silenced(const struct connection *connection) {
    struct server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    const bool is_silenced = connection->number <= server->silent_count;
    pthread_mutex_unlock(&server->lock);
    return is_silenced;
}

/* Passes bytes between the peer and the port until either closes. */
static void tunnel(struct connection *connection, int port) {
    struct connection other = {.server = connection->server, .socket = connect_to(port)};
    struct pollfd polled[] = {{connection->socket, POLLIN, 0},
                              {other.socket, POLLIN, 0},
                              {connection->server->stop_event, POLLIN, 0}};
    bool is_open = other.socket >= 0;
    while (is_open && poll(polled, 3, -1) > 0 && polled[2].revents == 0) {
        struct connection *ends[] = {connection, &other};
        for (int i = 0; i < 2 && is_open; i++) {
            char bytes[16384];
            if (polled[i].revents != 0) {
                const size_t received = receive_bytes(ends[i], bytes, sizeof bytes);
                is_open = received > 0 &&
                          (is_silenced(connection) || send_bytes(ends[1 - i], bytes, received));
            }
        }
    }
    if (other.socket >= 0) {
        close(other.socket);
    }
}

static bool play_step(struct connection *connection, const struct server_step *step) {
    char bytes[4096];
    switch (step->action) {
    case SERVER_EXPECT:
        return read_request(connection);
    case SERVER_EXPECT_BYTES:
        return receive_bytes(connection, bytes, sizeof bytes) > 0;
    case SERVER_SEND:
        return step->number == 1 ? send_bytes(connection, step->bytes, step->length)
                                 : send_times(connection, step->bytes, step->length, step->number);
    case SERVER_SEND_SLOWLY:
        return send_slowly(connection, step);
    case SERVER_SEND_ENDLESSLY:
        return send_times(connection, step->bytes, step->length, -1);
    case SERVER_SEND_CONTACT:
        return send_contact(connection, (size_t)step->number, (size_t)step->from, step->length);
    case SERVER_RESPOND:
        return respond(connection);
    case SERVER_MARK:
        mark(connection->server);
        return true;
    case SERVER_AWAIT_RELEASE:
        return await_release(connection->server);
    case SERVER_AWAIT_REQUESTS:
        return await_requests(connection->server, step->number);
    case SERVER_HALF_CLOSE:
        shutdown(connection->socket, SHUT_WR);
        return true;
    default:
        return false;
    }
}

static void end_connection(struct connection *connection, const struct server_step *step) {
    if (step->action == SERVER_RESET) {
        set_reset_on_close(connection);
    } else if (step->action == SERVER_AWAIT_CLOSE) {
        await_close(connection);
    } else if (step->action == SERVER_TUNNEL) {
        tunnel(connection, (int)step->number);
    }
    close(connection->socket);
}

static void *play(void *context) {
    struct connection *connection = context;
    struct server *server = connection->server;
    const struct server_step *step = connection->script;
    for (;;) {
        if (step->action == SERVER_REPEAT) {
            step = connection->script;
        }
        if (step->action <= SERVER_LAST_FINAL || !play_step(connection, step)) {
            break;
        }
        step++;
    }
    end_connection(connection, step);
    pthread_mutex_lock(&server->lock);
    connection->is_closed = true;
    server->closed_count++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- A server's thread ---- */

/* Signals are blocked in the thread, because they are for the test's threads. Its stack is small,
 * because a 32-bit process has no room for hundreds of the usual size. */
static int start_thread(pthread_t *thread, void *(*function)(void *), void *context) {
    enum { STACK_SIZE = 256 * 1024 };
    pthread_attr_t attributes;
    sigset_t every, before;
    sigfillset(&every);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    const int result = pthread_create(thread, &attributes, function, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result;
}

static void begin_connection(struct server *server, int accepted) {
    const int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        abort();
    }
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_mutex_lock(&server->lock);
    *connection = (struct connection){.next = server->connections,
                                      .server = server,
                                      .socket = accepted,
                                      .number = ++server->connection_count};
    connection->script = server->scripts[connection->number != server->special_number];
    server->connections = connection;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (start_thread(&connection->thread, play, connection) != 0) {
        abort();
    }
}

static void *accept_connections(void *context) {
    struct server *server = context;
    struct pollfd polled[] = {{server->listener, POLLIN, 0}, {server->stop_event, POLLIN, 0}};
    while (polled[1].revents == 0) {
        if (poll(polled, 2, -1) > 0 && polled[0].revents != 0) {
            const int accepted = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
            if (accepted >= 0) {
                begin_connection(server, accepted);
            }
        }
    }
    return NULL;
}

/* ---- Start and stop ---- */

static size_t count_steps(const struct server_step *script) {
    size_t count = 1;
    while (script[count - 1].action > SERVER_LAST_FINAL) {
        count++;
    }
    return count;
}

/* Copies the bytes of the steps, too, because the server still plays when a test returns. */
static struct server_step *copy_script(const struct server_step *script) {
    const size_t count = count_steps(script);
    struct server_step *copy = calloc(count, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, script, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        if (copy[i].bytes != NULL) {
            copy[i].length = copy[i].length == SIZE_MAX ? strlen(copy[i].bytes) : copy[i].length;
            char *bytes = malloc(copy[i].length + 1);
            assert_non_null(bytes);
            copy[i].bytes = memcpy(bytes, copy[i].bytes, copy[i].length);
        }
    }
    return copy;
}

static void free_script(struct server_step *script) {
    const size_t count = count_steps(script);
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)script[i].bytes);
    }
    free(script);
}

/* Listens on a loopback port that the system picks. Returns -1 on failure. */
static int listen_on(int family, int backlog, int *port) {
    struct sockaddr_in address4 = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *address =
        family == AF_INET ? (struct sockaddr *)&address4 : (struct sockaddr *)&address6;
    socklen_t length = family == AF_INET ? sizeof address4 : sizeof address6;
    const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && (bind(listener, address, length) != 0 || listen(listener, backlog) != 0 ||
                          getsockname(listener, address, &length) != 0)) {
        close(listener);
        return -1;
    }
    *port = ntohs(family == AF_INET ? address4.sin_port : address6.sin6_port);
    return listener;
}

static struct server *start(int family, const struct server_step *first,
                            const struct server_step *other) {
    struct server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->listener = listen_on(family, 128, &server->port);
    if (server->listener < 0) {
        free(server);
        return NULL;
    }
    snprintf(server->url, sizeof server->url, "http://%s:%d/v4",
             family == AF_INET ? "127.0.0.1" : "[::1]", server->port);
    snprintf(server->https_url, sizeof server->https_url, "https%s", server->url + strlen("http"));
    server->special_number = 1;
    server->scripts[0] = copy_script(first);
    server->scripts[1] = copy_script(other);
    server->stop_event = eventfd(0, EFD_CLOEXEC);
    assert_true(server->stop_event >= 0);
    pthread_mutex_init(&server->lock, NULL);
    timing_init_condition(&server->changed);
    assert_int_equal(start_thread(&server->acceptor, accept_connections, server), 0);
    server->next = servers;
    servers = server;
    return server;
}

struct server *server_start_two_scripts(const struct server_step *first,
                                        const struct server_step *other) {
    struct server *server = start(AF_INET, first, other);
    assert_non_null(server);
    return server;
}

struct server *server_start_special(int number, const struct server_step *special,
                                    const struct server_step *other) {
    struct server *server = server_start_two_scripts(special, other);
    server->special_number = number;
    return server;
}

struct server *server_start(const struct server_step *script) {
    return server_start_two_scripts(script, script);
}

struct server *server_start_ipv6(const struct server_step *script) {
    return start(AF_INET6, script, script);
}

static void free_server(struct server *server) {
    while (server->connections != NULL) {
        struct connection *connection = server->connections;
        server->connections = connection->next;
        pthread_join(connection->thread, NULL);
        free(connection);
    }
    for (int i = 0; i < server->request_count; i++) {
        free((void *)(uintptr_t)server->requests[i].text);
    }
    free(server->requests);
    free_script(server->scripts[0]);
    free_script(server->scripts[1]);
    close(server->listener);
    close(server->stop_event);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static void stop_server(struct server *server) {
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    eventfd_write(server->stop_event, 1);
    pthread_join(server->acceptor, NULL);
    free_server(server);
}

/* ---- Ports that do not respond ---- */

static void close_after_test(int opened) {
    assert_true(socket_count < MAX_SOCKETS);
    sockets[socket_count++] = opened;
}

int server_open_full_port(void) {
    int port = 0;
    const int listener = listen_on(AF_INET, 0, &port);
    assert_true(listener >= 0);
    close_after_test(listener);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 8; i++) {
        const int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(filler >= 0);
        close_after_test(filler);
        connect(filler, (const struct sockaddr *)&address, sizeof address);
        struct pollfd polled = {filler, POLLOUT, 0};
        if (poll(&polled, 1, 100) == 0) {
            close(filler); /* only the test's own connections may wait */
            socket_count--;
            return port;
        }
    }
    fail_msg("the queue of a listening socket does not fill");
    return 0;
}

int server_find_closed_port(void) {
    int port = 0;
    const int listener = listen_on(AF_INET, 1, &port);
    assert_true(listener >= 0);
    close(listener);
    return port;
}

/* Reads the kernel's table, because the listening socket does not show pending connections. */
int server_count_connecting(int port) {
    char line[512];
    char wanted[32];
    int count = 0;
    FILE *table = fopen("/proc/net/tcp", "r");
    assert_non_null(table);
    snprintf(wanted, sizeof wanted, ":%04X 02 ", (unsigned)port);
    while (fgets(line, sizeof line, table) != NULL) {
        count += strstr(line, wanted) != NULL;
    }
    fclose(table);
    return count;
}

/* ---- What a server received ---- */

int server_port(const struct server *server) {
    return server->port;
}

const char *server_url(const struct server *server) {
    return server->url;
}

const char *server_https_url(const struct server *server) {
    return server->https_url;
}

int server_connection_count(struct server *server) {
    pthread_mutex_lock(&server->lock);
    const int count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

int server_request_count(struct server *server) {
    pthread_mutex_lock(&server->lock);
    const int count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

struct server_request server_request(struct server *server, int index) {
    struct server_request request = {0};
    pthread_mutex_lock(&server->lock);
    if (index < server->request_count) {
        request = server->requests[index];
    }
    pthread_mutex_unlock(&server->lock);
    assert_non_null(request.text);
    return request;
}

void server_release(struct server *server) {
    pthread_mutex_lock(&server->lock);
    server->is_released = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void server_silence(struct server *server) {
    pthread_mutex_lock(&server->lock);
    server->silent_count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
}

/* The connection's thread wakes up and closes the socket. */
void server_reset(struct server *server) {
    pthread_mutex_lock(&server->lock);
    for (struct connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        if (!connection->is_closed) {
            set_reset_on_close(connection);
            shutdown(connection->socket, SHUT_RD);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

void server_await_connections(struct server *server, int count) {
    timing_await_count(&server->lock, &server->changed, &server->connection_count, count,
                       "connections");
}

void server_await_requests(struct server *server, int count) {
    timing_await_count(&server->lock, &server->changed, &server->request_count, count, "requests");
}

void server_await_marks(struct server *server, int count) {
    timing_await_count(&server->lock, &server->changed, &server->mark_count, count, "marks");
}

void server_await_closed(struct server *server, int count) {
    timing_await_count(&server->lock, &server->changed, &server->closed_count, count,
                       "closed connections");
}

/* ---- Teardown ---- */

void server_stop_all(void) {
    while (servers != NULL) {
        struct server *server = servers;
        servers = server->next;
        stop_server(server);
    }
    for (size_t i = 0; i < socket_count; i++) {
        close(sockets[i]);
    }
    socket_count = 0;
}
