/* scripted_server.c - servers on loopback that play scripts, a thread for each connection; their
 * clients; a dead name server. Every wait of a server's thread ends when the server is stopped. */
#include "support/scripted_server.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { LARGEST_REQUEST = 1024 * 1024, LARGEST_LOG = 1024 * 1024, MOST_CLIENTS = 64 };

struct connection {
    struct connection *next;
    struct loopback_server *server;
    const struct loopback_step *script;
    pthread_t thread;
    int socket;
    int number;
    int64_t sequence_id, contact_id; /* of the last request */
};

struct loopback_server {
    struct loopback_server *next;
    struct loopback_step *scripts[2]; /* of the first connection, and of all others */
    int listener;
    int stop_event; /* readable once the server is to stop */
    int port;
    char url[64];
    pthread_t acceptor;
    struct connection *connections; /* the acceptor's own until it has ended */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_stopping, is_released;
    int connection_count, closed_count, mark_count, request_count;
    int64_t bytes_sent;
    struct loopback_request *requests;
};

/* What there is to end after a test. Only the test's own thread uses it. */
static struct {
    struct loopback_server *servers;
    reply_client *clients[MOST_CLIENTS];
    int sockets[MOST_CLIENTS];
    size_t client_count, socket_count;
} all;

/* ---- Time ---- */

int64_t loopback_now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t loopback_slack_ms(int64_t ms) {
    const char *slowness = getenv("REPLY_TEST_SLOWNESS");
    const long factor = slowness != NULL ? strtol(slowness, NULL, 10) : 1;
    return ms * (factor > 1 ? factor : 1);
}

static struct timespec patience_ends(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += loopback_slack_ms(LOOPBACK_PATIENCE_MS) / 1000;
    return time;
}

static void init_monotonic(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* ---- A connection's thread: each function returns false where the script cannot go on ---- */

/* Waits until the socket is ready, for at most timeout_ms (-1: no limit). False: the server stops.
 */
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

static bool send_bytes(struct connection *connection, const char *bytes, size_t length) {
    struct loopback_server *server = connection->server;
    bool is_ready = false;
    while (length > 0 && await_socket(connection, POLLOUT, -1, &is_ready)) {
        const ssize_t sent = send(connection->socket, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
            pthread_mutex_lock(&server->lock);
            server->bytes_sent += sent;
            pthread_mutex_unlock(&server->lock);
        }
    }
    return length == 0;
}

/* The bytes so many times over, or without end, many at once. */
static bool send_times(struct connection *connection, const char *bytes, size_t length,
                       int64_t times) {
    const size_t once = length < 65536 ? 65536 / length : 1;
    char *block = malloc(once * length);
    bool is_sent = block != NULL;
    for (size_t i = 0; is_sent && i < once; i++) {
        memcpy(block + i * length, bytes, length);
    }
    while (is_sent && times != 0) {
        const size_t now = times < 0 || (uint64_t)times > once ? once : (size_t)times;
        is_sent = send_bytes(connection, block, now * length);
        times -= times < 0 ? 0 : (int64_t)now;
    }
    free(block);
    return is_sent;
}

static bool send_slowly(struct connection *connection, const struct loopback_step *step) {
    bool is_ready = false;
    for (size_t i = 0; i < step->length; i++) {
        if (!send_bytes(connection, step->bytes + i, 1) ||
            !await_socket(connection, POLLRDHUP, (int)step->number, &is_ready) || is_ready) {
            return false;
        }
    }
    return true;
}

/* Receives bytes. 0: the peer has closed, the connection is lost, or the server stops. */
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
    struct loopback_server *server = connection->server;
    const char *ids = strstr(text, "/sequences/");
    if (ids != NULL) {
        sscanf(ids, "/sequences/%" SCNd64 "/contacts/%" SCNd64, &connection->sequence_id,
               &connection->contact_id);
    }
    pthread_mutex_lock(&server->lock);
    struct loopback_request *more =
        realloc(server->requests, ((size_t)server->request_count + 1) * sizeof *more);
    if (more != NULL) {
        server->requests = more;
        more[server->request_count++] = (struct loopback_request){
            .text = text, .connection = connection->number, .at_ms = loopback_now_ms()};
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    return more != NULL;
}

/* The peer sends no request before the last one is answered, so that nothing follows the headers.
 */
static bool expect_request(struct connection *connection) {
    char *text = malloc(LARGEST_REQUEST);
    size_t length = 0;
    bool is_whole = false;
    while (text != NULL && !is_whole) {
        const size_t received =
            receive_bytes(connection, text + length, LARGEST_REQUEST - 1 - length);
        length += received;
        text[length] = '\0';
        is_whole = length >= 4 && strcmp(text + length - 4, "\r\n\r\n") == 0;
        if (received == 0) {
            break;
        }
    }
    char *kept = is_whole ? strdup(text) : NULL;
    free(text);
    if (kept == NULL || !record_request(connection, kept)) {
        free(kept);
        return false;
    }
    return true;
}

/* Writes the contact that was asked for into total bytes and a NUL. */
static void write_contact(const struct connection *connection, char *json, size_t total) {
    const int head = snprintf(
        json, total + 1,
        "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64 ",\"email\":\"%" PRId64
        "@example.com\",\"firstName\":\"Zo\xC3\xAB\",\"status\":\"Active\","
        "\"subStatus\":\"None\",\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00+00:00\","
        "\"isOptedOut\":false,\"filler\":\"",
        connection->contact_id, connection->sequence_id, connection->contact_id);
    if (head > 0 && (size_t)head + 2 <= total) {
        memset(json + head, 'x', total - (size_t)head);
        memcpy(json + total - 2, "\"}", 3);
    }
}

static bool send_contact(struct connection *connection, size_t total, size_t from, size_t count) {
    char *json = malloc(total + 1);
    bool is_sent = false;
    if (json != NULL) {
        write_contact(connection, json, total);
        is_sent = send_bytes(connection, json + from, count);
    }
    free(json);
    return is_sent;
}

static bool answer(struct connection *connection) {
    char head[128];
    const int length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 (int)LOOPBACK_CONTACT_SIZE);
    return send_bytes(connection, head, (size_t)length) &&
           send_contact(connection, LOOPBACK_CONTACT_SIZE, 0, LOOPBACK_CONTACT_SIZE);
}

static void mark(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    server->mark_count++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static bool await_release(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    while (!server->is_released && !server->is_stopping) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    const bool is_released = server->is_released;
    pthread_mutex_unlock(&server->lock);
    return is_released;
}

static void reset(struct connection *connection) {
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
                is_open = received > 0 && send_bytes(ends[1 - i], bytes, received);
            }
        }
    }
    if (other.socket >= 0) {
        close(other.socket);
    }
}

static bool play_step(struct connection *connection, const struct loopback_step *step) {
    char bytes[4096];
    switch (step->action) {
    case LOOPBACK_EXPECT:
        return expect_request(connection);
    case LOOPBACK_EXPECT_BYTES:
        return receive_bytes(connection, bytes, sizeof bytes) > 0;
    case LOOPBACK_SEND:
        return step->number == 1 ? send_bytes(connection, step->bytes, step->length)
                                 : send_times(connection, step->bytes, step->length, step->number);
    case LOOPBACK_SEND_SLOWLY:
        return send_slowly(connection, step);
    case LOOPBACK_SEND_ENDLESSLY:
        return send_times(connection, step->bytes, step->length, -1);
    case LOOPBACK_SEND_CONTACT:
        return send_contact(connection, (size_t)step->number, (size_t)step->from, step->length);
    case LOOPBACK_ANSWER:
        return answer(connection);
    case LOOPBACK_MARK:
        mark(connection->server);
        return true;
    case LOOPBACK_AWAIT_RELEASE:
        return await_release(connection->server);
    case LOOPBACK_HALF_CLOSE:
        shutdown(connection->socket, SHUT_WR);
        return true;
    default:
        return false;
    }
}

static void end_connection(struct connection *connection, const struct loopback_step *step) {
    if (step->action == LOOPBACK_RESET) {
        reset(connection);
    } else if (step->action == LOOPBACK_AWAIT_CLOSE) {
        await_close(connection);
    } else if (step->action == LOOPBACK_TUNNEL) {
        tunnel(connection, (int)step->number);
    }
    close(connection->socket);
}

static void *play(void *context) {
    struct connection *connection = context;
    struct loopback_server *server = connection->server;
    const struct loopback_step *step = connection->script;
    for (;;) {
        if (step->action == LOOPBACK_AGAIN) {
            step = connection->script;
        }
        if (step->action <= LOOPBACK_LAST_ENDING || !play_step(connection, step)) {
            break;
        }
        step++;
    }
    end_connection(connection, step);
    pthread_mutex_lock(&server->lock);
    server->closed_count++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- A server's thread ---- */

/* A thread that takes no signals, which are for the threads of the test. Its stack, which stays
 * until the server ends, is small: a 32-bit process has no room for hundreds of the usual size. */
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

static void begin_connection(struct loopback_server *server, int accepted) {
    const int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        abort();
    }
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_mutex_lock(&server->lock);
    *connection = (struct connection){.next = server->connections,
                                      .server = server,
                                      .script = server->scripts[server->connection_count > 0],
                                      .socket = accepted,
                                      .number = ++server->connection_count};
    server->connections = connection;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (start_thread(&connection->thread, play, connection) != 0) {
        abort();
    }
}

static void *accept_connections(void *context) {
    struct loopback_server *server = context;
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

/* ---- Starting and stopping ---- */

static struct loopback_step *copy_script(const struct loopback_step *script) {
    size_t count = 1;
    while (script[count - 1].action > LOOPBACK_LAST_ENDING) {
        count++;
    }
    struct loopback_step *copy = calloc(count, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, script, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i].length = copy[i].length == SIZE_MAX ? strlen(copy[i].bytes) : copy[i].length;
    }
    return copy;
}

/* Listens on a port of loopback that the system picks; -1 where that fails. */
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

static struct loopback_server *start(int family, const struct loopback_step *first,
                                     const struct loopback_step *other) {
    struct loopback_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->listener = listen_on(family, 128, &server->port);
    if (server->listener < 0) {
        free(server);
        return NULL;
    }
    snprintf(server->url, sizeof server->url, "http://%s:%d/v4",
             family == AF_INET ? "127.0.0.1" : "[::1]", server->port);
    server->scripts[0] = copy_script(first);
    server->scripts[1] = copy_script(other);
    server->stop_event = eventfd(0, EFD_CLOEXEC);
    assert_true(server->stop_event >= 0);
    pthread_mutex_init(&server->lock, NULL);
    init_monotonic(&server->changed);
    assert_int_equal(start_thread(&server->acceptor, accept_connections, server), 0);
    server->next = all.servers;
    all.servers = server;
    return server;
}

struct loopback_server *loopback_start_two(const struct loopback_step *first,
                                           const struct loopback_step *other) {
    struct loopback_server *server = start(AF_INET, first, other);
    assert_non_null(server);
    return server;
}

struct loopback_server *loopback_start(const struct loopback_step *script) {
    return loopback_start_two(script, script);
}

struct loopback_server *loopback_start_ipv6(const struct loopback_step *script) {
    return start(AF_INET6, script, script);
}

static void free_server(struct loopback_server *server) {
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
    free(server->scripts[0]);
    free(server->scripts[1]);
    close(server->listener);
    close(server->stop_event);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static void stop(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    eventfd_write(server->stop_event, 1);
    pthread_join(server->acceptor, NULL);
    free_server(server);
}

/* ---- Ports without a server ---- */

static void keep_socket(int kept) {
    assert_true(all.socket_count < MOST_CLIENTS);
    all.sockets[all.socket_count++] = kept;
}

int loopback_full_port(void) {
    int port = 0;
    const int listener = listen_on(AF_INET, 0, &port);
    assert_true(listener >= 0);
    keep_socket(listener);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 8; i++) {
        const int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(filler >= 0);
        keep_socket(filler);
        connect(filler, (const struct sockaddr *)&address, sizeof address);
        struct pollfd polled = {filler, POLLOUT, 0};
        if (poll(&polled, 1, 100) == 0) {
            close(filler); /* so that nobody but those whom the test makes wait does */
            all.socket_count--;
            return port;
        }
    }
    fail_msg("the queue of a listening socket does not fill up");
    return 0;
}

int loopback_closed_port(void) {
    int port = 0;
    const int listener = listen_on(AF_INET, 1, &port);
    assert_true(listener >= 0);
    close(listener);
    return port;
}

/* The kernel's table tells, for it is in no program's power to see a connection that does not come
 * about. */
int loopback_connecting_to(int port) {
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

/* ---- What servers saw ---- */

int loopback_port(const struct loopback_server *server) {
    return server->port;
}

const char *loopback_url(const struct loopback_server *server) {
    return server->url;
}

int loopback_connections(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    const int count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

int loopback_requests(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    const int count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

struct loopback_request loopback_request(struct loopback_server *server, int index) {
    struct loopback_request request = {0};
    pthread_mutex_lock(&server->lock);
    if (index < server->request_count) {
        request = server->requests[index];
    }
    pthread_mutex_unlock(&server->lock);
    assert_non_null(request.text);
    return request;
}

int64_t loopback_bytes_sent(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    const int64_t count = server->bytes_sent;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void loopback_release(struct loopback_server *server) {
    pthread_mutex_lock(&server->lock);
    server->is_released = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void await_count(pthread_mutex_t *lock, pthread_cond_t *changed, const int *count,
                        int wanted, const char *what) {
    const struct timespec until = patience_ends();
    int result = 0;
    pthread_mutex_lock(lock);
    while (*count < wanted && result == 0) {
        result = pthread_cond_timedwait(changed, lock, &until);
    }
    const int reached = *count;
    pthread_mutex_unlock(lock);
    if (reached < wanted) {
        fail_msg("%d %s were awaited, and %d came", wanted, what, reached);
    }
}

void loopback_await_connections(struct loopback_server *server, int count) {
    await_count(&server->lock, &server->changed, &server->connection_count, count, "connections");
}

void loopback_await_requests(struct loopback_server *server, int count) {
    await_count(&server->lock, &server->changed, &server->request_count, count, "requests");
}

void loopback_await_marks(struct loopback_server *server, int count) {
    await_count(&server->lock, &server->changed, &server->mark_count, count, "marks");
}

void loopback_await_closed(struct loopback_server *server, int count) {
    await_count(&server->lock, &server->changed, &server->closed_count, count,
                "closed connections");
}

/* ---- The log ---- */

static struct {
    pthread_mutex_t lock;
    size_t length;
    char text[LARGEST_LOG];
} kept_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep_log_line(const char *line, void *user_data) {
    (void)user_data;
    pthread_mutex_lock(&kept_log.lock);
    const size_t length = strlen(line);
    if (kept_log.length + length + 2 < LARGEST_LOG) {
        memcpy(kept_log.text + kept_log.length, line, length);
        kept_log.length += length;
        memcpy(kept_log.text + kept_log.length, "\n", 2);
        kept_log.length++;
    }
    pthread_mutex_unlock(&kept_log.lock);
}

char *loopback_copy_log(void) {
    pthread_mutex_lock(&kept_log.lock);
    char *copy = strdup(kept_log.text);
    pthread_mutex_unlock(&kept_log.lock);
    if (copy == NULL) {
        abort();
    }
    return copy;
}

/* The lines that begin like this, and the sum of the numbers that follow there. */
static int count_log(const char *beginning, int64_t *sum) {
    char *log = loopback_copy_log();
    int count = 0;
    *sum = 0;
    for (const char *line = log; *line != '\0'; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, beginning, strlen(beginning)) == 0) {
            count++;
            *sum += strtoll(line + strlen(beginning), NULL, 10);
        }
    }
    free(log);
    return count;
}

int loopback_count_log(const char *beginning) {
    int64_t sum = 0;
    return count_log(beginning, &sum);
}

int64_t loopback_waited_ms(void) {
    int64_t sum = 0;
    count_log("wait ", &sum);
    return sum;
}

/* The hook must stay free of everything that could let it wait, so that this looks again and again.
 */
void loopback_await_log(const char *beginning, int count) {
    const int64_t until = loopback_now_ms() + loopback_slack_ms(LOOPBACK_PATIENCE_MS);
    while (loopback_count_log(beginning) < count) {
        if (loopback_now_ms() > until) {
            fail_msg("%d lines \"%s\" of the log were awaited", count, beginning);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* ---- Clients ---- */

reply_client *loopback_client(const char *base_url) {
    reply_client *client = NULL;
    assert_true(all.client_count < MOST_CLIENTS);
    assert_int_equal(reply_client_create(LOOPBACK_KEY, &client, NULL), REPLY_OK);
    all.clients[all.client_count++] = client;
    assert_int_equal(reply_client_set_base_url(client, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 0, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_attempt_timeout_ms(client, loopback_slack_ms(10000), NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_log(client, keep_log_line, NULL, NULL), REPLY_OK);
    return client;
}

void loopback_destroy_client(reply_client *client) {
    for (size_t i = 0; i < all.client_count; i++) {
        if (all.clients[i] == client) {
            reply_client_destroy(client);
            all.clients[i] = NULL;
        }
    }
}

static void assert_holds_no_key(const char *text) {
    if (strstr(text, LOOPBACK_KEY) != NULL) {
        fail_msg("the key stands in \"%s\"", text);
    }
}

static void assert_all_zero(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void check_failure(const reply_error *error) {
    assert_true(strlen(error->message) > 10);
    for (const char *at = error->message; *at != '\0'; at++) {
        assert_true((unsigned char)*at >= ' ' && *at != 0x7F);
    }
    assert_holds_no_key(error->message);
    assert_holds_no_key(error->problem_code);
    assert_holds_no_key(error->request_id);
}

static void check_success(const reply_error *error) {
    assert_int_equal(error->http_status, 0);
    assert_int_equal(error->curl_code, 0);
    assert_true(error->attempts >= 1);
    assert_int_equal(error->retry_after_ms, -1);
    assert_string_equal(error->problem_code, "");
    assert_string_equal(error->request_id, "");
    assert_string_equal(error->message, "");
}

reply_result loopback_fetch_ids(reply_client *client, int64_t sequence_id, int64_t contact_id,
                                reply_error *error) {
    reply_error spare;
    reply_sequence_contact *contact =
        (reply_sequence_contact *)(uintptr_t)&spare; /* anything but NULL */
    reply_error *filled = error != NULL ? error : &spare;
    memset(filled, 0x5A, sizeof *filled);
    const reply_result result =
        reply_get_sequence_contact(client, sequence_id, contact_id, &contact, filled);
    assert_int_equal(filled->result, result);
    assert_all_zero(filled->reserved, sizeof filled->reserved);
    char *log = loopback_copy_log();
    assert_holds_no_key(log);
    assert_null(strstr(log, "example.com"));
    free(log);
    if (result != REPLY_OK) {
        assert_null(contact);
        check_failure(filled);
        return result;
    }
    check_success(filled);
    assert_non_null(contact);
    assert_int_equal(contact->sequence_id, sequence_id);
    assert_int_equal(contact->contact_id, contact_id);
    reply_sequence_contact_free(contact);
    return result;
}

reply_result loopback_fetch(reply_client *client, reply_error *error) {
    return loopback_fetch_ids(client, 100, 12345, error);
}

/* ---- A name server that never answers ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_once_t once;
    bool is_over;
    int waiting;
    int begun;
} lookups = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void init_lookups(void) {
    init_monotonic(&lookups.changed);
}

/* Stands before the C library's own, for libcurl too. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    if (node == NULL || strcmp(node, LOOPBACK_DEAD_NAME) != 0) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real != NULL ? real(node, service, hints, result) : EAI_FAIL;
    }
    pthread_once(&lookups.once, init_lookups);
    const struct timespec until = patience_ends();
    int result_of_wait = 0;
    pthread_mutex_lock(&lookups.lock);
    lookups.waiting++;
    lookups.begun++;
    pthread_cond_broadcast(&lookups.changed);
    while (!lookups.is_over && result_of_wait == 0) {
        result_of_wait = pthread_cond_timedwait(&lookups.changed, &lookups.lock, &until);
    }
    lookups.waiting--;
    pthread_cond_broadcast(&lookups.changed);
    pthread_mutex_unlock(&lookups.lock);
    return EAI_AGAIN;
}

void loopback_await_lookups(int count) {
    pthread_once(&lookups.once, init_lookups);
    await_count(&lookups.lock, &lookups.changed, &lookups.begun, count, "look-ups");
}

static void end_lookups(void) {
    pthread_once(&lookups.once, init_lookups);
    pthread_mutex_lock(&lookups.lock);
    lookups.is_over = true;
    pthread_cond_broadcast(&lookups.changed);
    while (lookups.waiting > 0) {
        pthread_cond_wait(&lookups.changed, &lookups.lock);
    }
    lookups.is_over = false;
    lookups.begun = 0;
    pthread_mutex_unlock(&lookups.lock);
}

/* ---- A send that fails ---- */

/* Of the thread that calls the library: the servers' threads send undisturbed. */
static _Thread_local int sends_to_failure;

void loopback_fail_send(int number) {
    sends_to_failure = number;
}

/* Whether a socket is one of the network, and not of the pair by which libcurl wakes itself. */
static bool is_of_network(int target) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    return getsockname(target, (struct sockaddr *)&address, &length) == 0 &&
           address.ss_family != AF_UNIX;
}

/* Stands before the C library's own, for libcurl too. */
ssize_t send(int target, const void *bytes, size_t length, int flags) {
    if (sends_to_failure > 0 && is_of_network(target) && --sends_to_failure == 0) {
        errno = ECONNRESET;
        return -1;
    }
    return sendto(target, bytes, length, flags, NULL, 0);
}

/* ---- The end ---- */

int loopback_stop_all(void **state) {
    (void)state;
    for (size_t i = 0; i < all.client_count; i++) {
        reply_client_destroy(all.clients[i]);
    }
    all.client_count = 0;
    while (all.servers != NULL) {
        struct loopback_server *server = all.servers;
        all.servers = server->next;
        stop(server);
    }
    for (size_t i = 0; i < all.socket_count; i++) {
        close(all.sockets[i]);
    }
    all.socket_count = 0;
    end_lookups();
    sends_to_failure = 0;
    pthread_mutex_lock(&kept_log.lock);
    kept_log.length = 0;
    kept_log.text[0] = '\0';
    pthread_mutex_unlock(&kept_log.lock);
    return 0;
}
