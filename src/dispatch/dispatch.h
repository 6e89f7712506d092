/* dispatch.h - the one loop: starts the requests of a call, waits, retries or delivers. */
#ifndef REPLYIO_DISPATCH_H
#define REPLYIO_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatch/gate.h"
#include "replyio.h"
#include "transport/transport.h"

struct dispatch_settings {
    struct transport_settings transport;
    const char *api_key; /* removed from messages */
    int64_t attempt_timeout_ms;
    int64_t max_retries;
    int64_t max_concurrency;
    reply_log_fn log; /* NULL: none */
    void *log_user_data;
};

/* A transport session with slots for the requests of a call. One call at a time uses it. */
struct dispatch_session {
    const struct transport *transport;
    const struct dispatch_settings *settings;
    struct transport_session *connections;
    struct dispatch_session *next; /* for a list of its owner */
    struct slot *slots;
    struct delivery *deliveries; /* room for all that can be queued at once */
    int32_t slot_count;
};

/* Opens a session. settings must outlive it. Returns NULL if out of memory. */
struct dispatch_session *dispatch_open(const struct transport *transport,
                                       const struct dispatch_settings *settings);

/* Returns true if the session can serve another call. */
bool dispatch_is_reusable(const struct dispatch_session *session);

/* Closes the session. The connections of one inherited through fork are left alone. */
void dispatch_close(struct dispatch_session *session, bool is_inherited);

/* A request: one GET, with its retries. The call's next function fills it in. */
struct dispatch_request {
    size_t index;         /* the call's own number for it */
    size_t max_body_size; /* of a 200, in bytes */
    char *path; /* path and query to append to the base URL; there is room for REQUEST_PATH_SIZE */
};

/* What follows a delivery. */
enum dispatch_next {
    DISPATCH_DONE, /* the outcome is delivered */
    DISPATCH_MORE, /* deliver is to be called for it again */
    DISPATCH_STOP  /* the callback has stopped the call; the outcome is delivered or freed */
};

/* Result of decoding a response. */
enum dispatch_verdict {
    DISPATCH_ACCEPT,
    DISPATCH_RETIRE /* the response is not for the request: its connection is out of step */
};

/* What a call brings. All functions are called on the calling thread. */
struct dispatch_functions {
    /* Returns true if there is another request to send now. */
    bool (*has_next)(const void *context);

    /* Writes the next request. Returns false with error set if its item cannot be sent: that error
     * is then delivered. */
    bool (*next)(void *context, struct dispatch_request *request, reply_error *error);

    /* Decodes a response with status 200 into *result, or sets error, as soon as it has arrived. */
    enum dispatch_verdict (*decode)(void *context, const struct dispatch_request *request,
                                    const struct transport_response *response, void **result,
                                    reply_error *error);

    /* Delivers the result of decode, or an error and a NULL result, by running the host's code at
     * most once. Takes the result over, unless it returns DISPATCH_MORE. It may change the error.
     */
    enum dispatch_next (*deliver)(void *context, size_t index, void *result, reply_error *error);

    /* Frees a result that is not delivered. */
    void (*discard)(void *result);
};

struct dispatch_call {
    struct dispatch_session *session; /* NULL: out of memory */
    struct gate *gate;
    const struct gate_call *gate_call;
    int64_t deadline_ms; /* on the clock of clock_now_ms; INT64_MAX if none */
    const struct dispatch_functions *functions;
    void *context;
};

/* Sends the requests of a call and delivers each outcome once, in the order of completion, unless
 * the call is stopped. Returns REPLY_OK, or the error that ended the call; the requests that it
 * left unsent are delivered with that error. In a child that the host's code has forked, returns
 * INVALID_ARGUMENT at once. */
reply_result dispatch(const struct dispatch_call *call, reply_error *error);

#endif
