/* client.h - what a client holds, and how a call borrows one of its sessions. */
#ifndef REPLYIO_CLIENT_H
#define REPLYIO_CLIENT_H

#include <stdbool.h>

#include "dispatch/dispatch.h"
#include "replyio.h"
#include "transport/transport.h"

/* The headers that every request has come first. */
enum {
    HEADER_API_KEY,
    HEADER_ACCEPT,
    HEADER_USER_AGENT,
    OWN_HEADER_COUNT,
    MOST_ADDED_HEADERS = 64
};

/* A session, perhaps one that a call is using. */
struct client_session {
    struct transport_session *session;
    bool is_busy;
    struct client_session *next;
};

struct reply_client {
    const struct transport *transport;
    unsigned fork_count; /* the process's when the client was created: no other may call */
    char *headers[OWN_HEADER_COUNT + MOST_ADDED_HEADERS];
    char *ca_file;
    char *proxy;
    int64_t timeout_ms; /* -1: not set, so that it depends on the call */
    struct transport_settings transport_settings;
    struct dispatch_settings dispatch_settings;
    struct dispatch_shared shared; /* its lock guards what follows, too */
    bool is_in_use;                /* a call was made: no more settings */
    struct client_session
        *sessions; /* one for each call that was ever in progress at the same time */
};

/* reply_client_create over any transport. */
reply_result client_create(const struct transport *transport, const char *api_key,
                           reply_client **client, reply_error *error);

/* Whether this process may use the client. */
reply_result client_check_process(const reply_client *client, reply_error *error);

/* Begins a call: closes the client to settings, notes the interrupts in *interrupts, and lends a
 * session, which may be NULL where memory ran out. */
struct client_session *client_begin_call(reply_client *client, uint64_t *interrupts);

/* Ends a call: gives the session back for the next one, unless it is broken. NULL is fine. */
void client_end_call(reply_client *client, struct client_session *session);

#endif
