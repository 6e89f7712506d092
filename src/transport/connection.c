/* connection.c - the sockets of a session's connections, which libcurl opens and closes through
 * here.
 */
#include "transport/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif

curl_socket_t connection_open(struct connection **list, const struct curl_sockaddr *address) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return CURL_SOCKET_BAD;
    }
    connection->socket =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (connection->socket < 0) {
        free(connection);
        return CURL_SOCKET_BAD;
    }
    if (SOCK_CLOEXEC == 0) {
        fcntl(connection->socket, F_SETFD, FD_CLOEXEC);
    }
    connection->next = *list;
    *list = connection;
    return connection->socket;
}

int connection_close(void *list, curl_socket_t socket) {
    for (struct connection **link = (struct connection **)list; *link != NULL;
         link = &(*link)->next) {
        struct connection *connection = *link;
        if (connection->socket == socket) {
            *link = connection->next;
            free(connection);
            break;
        }
    }
    return close(socket);
}

static long read_local_port(curl_socket_t socket) {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(socket, &address.any, &size) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.ipv6.sin6_port
                                                   : address.ipv4.sin_port);
}

struct connection *connection_find(struct connection *list, long local_port) {
    for (struct connection *connection = list; connection != NULL && local_port > 0;
         connection = connection->next) {
        if (connection->local_port == 0) {
            connection->local_port = read_local_port(connection->socket);
        }
        if (connection->local_port == local_port) {
            return connection;
        }
    }
    return NULL;
}

bool connection_is_quiet(const struct connection *connection) {
    char byte;
    return recv(connection->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Reads what has arrived, too: older versions of libcurl believe that a connection with unread
 * bytes is alive. */
void connection_shut_down(struct connection *connection) {
    char bytes[4096];
    connection->state = CONNECTION_SHUT_DOWN;
    shutdown(connection->socket, SHUT_RDWR);
    while (recv(connection->socket, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

void connection_free_list(struct connection *list) {
    while (list != NULL) {
        struct connection *connection = list;
        list = connection->next;
        free(connection);
    }
}
