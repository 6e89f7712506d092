/* client.h - the client: its settings and its idle sessions. */
#ifndef REPLYIO_CLIENT_H
#define REPLYIO_CLIENT_H

#include <stdbool.h>

#include "dispatch/dispatch.h"
#include "dispatch/gate.h"
#include "replyio.h"
#include "transport/transport.h"

/* The headers that every request has come first. */
enum { HEADER_API_KEY, HEADER_ACCEPT, HEADER_USER_AGENT, OWN_HEADER_COUNT, MAX_ADDED_HEADERS = 64 };

struct reply_client {
    const struct transport *transport;
    struct dispatch_settings settings; /* points to the texts below */
    int64_t timeout_ms;                /* -1: not set, so that it depends on the call */
    char *headers[OWN_HEADER_COUNT + MAX_ADDED_HEADERS];
    char *base_url; /* NULL: the default */
    char *ca_file;
    char *proxy;
    struct gate gate;
    pthread_mutex_t lock;          /* guards the members below */
    bool is_in_use;                /* a call was made: the settings are fixed */
    struct dispatch_session *idle; /* a list */
};

/* Creates a client as reply_client_create does, over any transport. */
reply_result client_create(const struct transport *transport, const char *api_key,
                           reply_client **client, reply_error *error);

/* Fixes the settings, and lends a session to a call. Returns NULL if out of memory. */
struct dispatch_session *client_borrow_session(reply_client *client);

/* Takes a session back for the next call, or closes it if it cannot serve one. */
void client_return_session(reply_client *client, struct dispatch_session *session);

#endif
