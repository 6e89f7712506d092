/* connection.h - the sockets of a session's connections, which libcurl opens and closes through
 * here. A connection is known by its local port, which every version of libcurl reports for a
 * transfer. Old versions report it only while they choose the connection. */
#ifndef REPLYIO_CONNECTION_H
#define REPLYIO_CONNECTION_H

#include <stdbool.h>

#include <curl/curl.h>

enum connection_state {
    CONNECTION_GOOD,
    CONNECTION_RETIRED,  /* transfers in flight on it run on, and nothing new may use it */
    CONNECTION_SHUT_DOWN /* libcurl closes it when it next looks for a connection */
};

struct connection {
    curl_socket_t socket;
    long local_port; /* 0: not known yet */
    bool is_http1;   /* a response on it was HTTP/1.x */
    enum connection_state state;
    struct connection *next;
};

/* Opens a close-on-exec socket and adds it to a list. Returns CURL_SOCKET_BAD if that fails. */
curl_socket_t connection_open(struct connection **list, const struct curl_sockaddr *address);

/* Closes a socket and removes it from a list. A function for CURLOPT_CLOSESOCKETFUNCTION, whose
 * data is the list. */
int connection_close(void *list, curl_socket_t socket);

/* Returns the connection with a local port, or NULL. */
struct connection *connection_find(struct connection *list, long local_port);

/* Returns true if the connection is open and has no unread bytes. Changes errno. */
bool connection_is_quiet(const struct connection *connection);

/* Makes the connection unusable. No transfer may be in flight on it. */
void connection_shut_down(struct connection *connection);

/* Frees the list without closing the sockets. */
void connection_free_list(struct connection *list);

#endif
