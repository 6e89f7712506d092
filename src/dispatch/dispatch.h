/* dispatch.h - the one loop: start what is due, wait, retry or deliver. */
#ifndef REPLYIO_DISPATCH_H
#define REPLYIO_DISPATCH_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"
#include "transport/transport.h"

enum { DISPATCH_MOST_REQUESTS = 100 };

/* What the calls of one client share, under lock. */
struct dispatch_shared {
    pthread_mutex_t lock;
    int64_t gate_ms; /* the rate limit's end, on the transport's clock: nothing is sent before it;
                        only ever moves later */
    uint64_t interrupts; /* how often the client was interrupted */
};

struct dispatch_settings {
    const char *api_key; /* to be kept out of messages */
    struct transport_base_url base_url;
    int64_t attempt_timeout_ms;
    int32_t max_retries;
    int32_t max_concurrency;
    reply_log_fn log; /* NULL: none */
    void *log_user_data;
};

#define DISPATCH_NO_DEADLINE INT64_MAX

struct dispatch_call {
    const struct transport *transport;
    struct transport_session *session; /* NULL: memory ran out */
    struct dispatch_shared *shared;
    const struct dispatch_settings *settings;
    uint64_t interrupts; /* what the count was when the call began: a change ends it */
    int64_t deadline_ms; /* on the transport's clock, or DISPATCH_NO_DEADLINE */
    int64_t sequence_id;
    const int64_t *contact_ids;
    size_t count;
    reply_contact_fn on_contact;
    void *user_data;
};

/* Delivers each contact once, unless on_contact stops the call. Returns REPLY_OK, or the error that
 * ended the call, as reply_get_sequence_contacts does. */
reply_result dispatch(const struct dispatch_call *call, reply_error *error);

#endif
