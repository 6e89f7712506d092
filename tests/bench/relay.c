/* relay.c - a queue of received bytes per direction, each entry with the time at which it is sent.
 */
#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* Each direction of a connection is a pipe. Pipe i ^ 1 is the other direction of pipe i. */
enum { MAX_PIPES = 128, CHUNK_SIZE = 65536 };
static const int64_t max_wait_ns = 20000000;

struct chunk {
    struct chunk *next;
    int64_t due_ns;
    size_t length; /* 0 at the end of the stream */
    char bytes[];
};

struct pipe {
    int from, to; /* -1 if the pipe is unused */
    bool is_ended;
    struct chunk *first, *last;
};

struct relay {
    int listener;
    uint16_t port, target_port;
    int64_t delay_ns;
    atomic_bool is_stopping;
    pthread_t thread;
    int64_t byte_count; /* from the server */
    struct pipe pipes[MAX_PIPES];
};

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- Connections ---- */

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

/* Only the relay may delay bytes. */
static void disable_nagle(int socket_fd) {
    const int on = 1;
    setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void accept_connection(struct relay *relay) {
    const struct sockaddr_in address = loopback(relay->target_port);
    const int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t free_pipe = 0;
    while (free_pipe < MAX_PIPES && relay->pipes[free_pipe].from >= 0) {
        free_pipe += 2;
    }
    check(client >= 0 && server >= 0 && free_pipe < MAX_PIPES, "too many connections to the relay");
    check(connect(server, (const struct sockaddr *)&address, sizeof address) == 0,
          "the relay cannot connect to the server");
    disable_nagle(client);
    disable_nagle(server);
    relay->pipes[free_pipe] = (struct pipe){.from = client, .to = server};
    relay->pipes[free_pipe + 1] = (struct pipe){.from = server, .to = client};
}

static void drop_chunk(struct pipe *pipe) {
    struct chunk *chunk = pipe->first;
    pipe->first = chunk->next;
    free(chunk);
}

static void close_connection(struct pipe *pipe, struct pipe *other) {
    close(pipe->from);
    close(pipe->to);
    while (pipe->first != NULL) {
        drop_chunk(pipe);
    }
    while (other->first != NULL) {
        drop_chunk(other);
    }
    pipe->from = other->from = -1;
}

/* ---- Bytes ---- */

static void receive(struct relay *relay, struct pipe *pipe) {
    char bytes[CHUNK_SIZE];
    const ssize_t received = recv(pipe->from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    const size_t length = received > 0 ? (size_t)received : 0;
    const bool is_from_server = (pipe - relay->pipes) % 2 == 1;
    relay->byte_count += is_from_server ? (int64_t)length : 0;
    struct chunk *chunk = malloc(sizeof *chunk + length);
    check(chunk != NULL, "out of memory");
    *chunk = (struct chunk){.due_ns = now_ns() + relay->delay_ns, .length = length};
    memcpy(chunk->bytes, bytes, length);
    if (pipe->first != NULL) {
        pipe->last->next = chunk;
    } else {
        pipe->first = chunk;
    }
    pipe->last = chunk;
    pipe->is_ended = length == 0;
}

/* Returns false if the connection has ended. */
static bool send_due(struct pipe *pipe, int64_t now) {
    while (pipe->first != NULL && pipe->first->due_ns <= now) {
        const struct chunk *chunk = pipe->first;
        for (size_t sent = 0; sent < chunk->length;) {
            const ssize_t step =
                send(pipe->to, chunk->bytes + sent, chunk->length - sent, MSG_NOSIGNAL);
            if (step < 0) {
                return false;
            }
            sent += (size_t)step;
        }
        if (chunk->length == 0) {
            return false;
        }
        drop_chunk(pipe);
    }
    return true;
}

/* ---- The loop ---- */

/* Returns 0, for a busy loop, if any bytes are queued: a sleep ends late, on a virtual machine by a
 * tenth of a millisecond, which would add to the delay. */
static int64_t compute_wait(const struct relay *relay) {
    for (size_t i = 0; i < MAX_PIPES; i++) {
        if (relay->pipes[i].from >= 0 && relay->pipes[i].first != NULL) {
            return 0;
        }
    }
    return max_wait_ns;
}

static void run_once(struct relay *relay) {
    struct pollfd fds[MAX_PIPES + 1];
    for (size_t i = 0; i < MAX_PIPES; i++) {
        fds[i] = (struct pollfd){.fd = relay->pipes[i].is_ended ? -1 : relay->pipes[i].from,
                                 .events = POLLIN};
    }
    fds[MAX_PIPES] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    const struct timespec wait = {.tv_nsec = compute_wait(relay)};
    if (ppoll(fds, MAX_PIPES + 1, &wait, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < MAX_PIPES; i++) {
        if (relay->pipes[i].from >= 0 && fds[i].revents != 0) {
            receive(relay, &relay->pipes[i]);
        }
    }
    const int64_t now = now_ns();
    for (size_t i = 0; i < MAX_PIPES; i++) {
        if (relay->pipes[i].from >= 0 && !send_due(&relay->pipes[i], now)) {
            close_connection(&relay->pipes[i], &relay->pipes[i ^ 1]);
        }
    }
    if (fds[MAX_PIPES].revents != 0) {
        accept_connection(relay);
    }
}

static void *run(void *context) {
    struct relay *relay = context;
    while (!atomic_load(&relay->is_stopping)) {
        run_once(relay);
    }
    return NULL;
}

struct relay *relay_start(uint16_t target_port, int64_t delay_ns_each_way) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    struct relay *relay = calloc(1, sizeof *relay);
    check(relay != NULL, "out of memory");
    relay->target_port = target_port;
    relay->delay_ns = delay_ns_each_way;
    for (size_t i = 0; i < MAX_PIPES; i++) {
        relay->pipes[i].from = -1;
    }
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(relay->listener >= 0 &&
              bind(relay->listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(relay->listener, MAX_PIPES) == 0 &&
              getsockname(relay->listener, (struct sockaddr *)&address, &size) == 0,
          "the relay cannot listen");
    relay->port = ntohs(address.sin_port);
    check(pthread_create(&relay->thread, NULL, run, relay) == 0,
          "cannot create a thread for the relay");
    return relay;
}

uint16_t relay_port(const struct relay *relay) {
    return relay->port;
}

int64_t relay_stop(struct relay *relay) {
    atomic_store(&relay->is_stopping, true);
    pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < MAX_PIPES; i += 2) {
        if (relay->pipes[i].from >= 0) {
            close_connection(&relay->pipes[i], &relay->pipes[i + 1]);
        }
    }
    close(relay->listener);
    const int64_t byte_count = relay->byte_count;
    free(relay);
    return byte_count;
}
