/* transport.h - what the library needs of the network: a small table of functions.
 * A session has one slot for each transfer that may be in flight in it. One thread at a time uses a
 * session; only wake may be called by others. */
#ifndef REPLYIO_TRANSPORT_H
#define REPLYIO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

enum { TRANSPORT_MAX_BASE_URL = 2048 };

/* A base URL in its normal form. */
struct transport_base_url {
    const char *text;   /* without a slash at its end */
    size_t path_offset; /* index of the first byte of its path, perhaps at its end */
    bool is_loopback;   /* the host is this machine: a proxy is never used */
};

/* How a session connects. It and all that it points to must outlive the session. */
struct transport_settings {
    struct transport_base_url base_url;
    char *const *headers; /* complete lines, sent as they are */
    size_t header_count;
    const char *ca_file; /* NULL: the system's */
    const char *proxy;   /* NULL: the environment's; "": none */
    int64_t connect_timeout_ms;
};

/* A request as the transport needs it. */
struct transport_request {
    const char *url;      /* must stay valid until the transfer is over */
    size_t max_body_size; /* of a 200, in bytes: a larger body is RESPONSE_TOO_LARGE */
    int64_t timeout_ms;   /* not counting the time between two waits */
    int64_t deadline_ms;  /* end of the transfer in any case; INT64_MAX if none */
};

/* Outcome of a transfer. A response whose status is not 200 counts as complete wherever its body
 * ends. The pointers are valid until the next transfer starts in the slot. */
struct transport_response {
    reply_result failure;     /* REPLY_OK: there is a response; else NETWORK, TLS, TIMEOUT,
                                 RESPONSE_TOO_LARGE, INVALID_RESPONSE or NO_MEMORY */
    bool is_transient;        /* the failure may not happen again */
    bool is_tls_missing;      /* the transport was built without TLS */
    const char *failure_text; /* in words; may be empty, never NULL */
    int32_t curl_code;        /* a CURLcode; 0: libcurl did not fail */
    int32_t http_status;      /* 0: no response, or none that counts */
    const char *body;         /* body_length bytes; NULL if that is 0 */
    size_t body_length;
    /* Headers, without spaces at their ends; NULL if not sent. */
    const char *content_type, *retry_after, *date, *request_id;
};

struct transport_session;

struct transport {
    /* Prepares the process once. Any thread may call it any number of times. Errors: NO_MEMORY, and
     * INVALID_ARGUMENT if libcurl is too old. */
    reply_result (*prepare)(reply_error *error);

    /* Returns the version of libcurl. */
    const char *(*version)(void);

    /* Parses a base URL. *text is its normal form, which the caller frees and base_url->text points
     * to. Errors: INVALID_ARGUMENT, NO_MEMORY. */
    reply_result (*parse_base_url)(const char *url, struct transport_base_url *base_url,
                                   char **text, reply_error *error);

    /* Checks a proxy URL. Errors: INVALID_ARGUMENT, NO_MEMORY. */
    reply_result (*check_proxy)(const char *url, reply_error *error);

    /* Opens a session. Returns NULL if out of memory. */
    struct transport_session *(*open)(const struct transport_settings *settings,
                                      int32_t slot_count);

    /* Starts a transfer in a free slot. Its request is sent by the next wait. If it cannot start,
     * it is over at once. */
    void (*start)(struct transport_session *session, int32_t slot,
                  const struct transport_request *request);

    /* Sends and receives what it can, then waits until a transfer is over, timeout_ms (-1: no
     * limit) have passed or wake was called. May return early. Once the headers of a 401 or 429
     * have been read, no request is sent until collect has returned that response. */
    void (*wait)(struct transport_session *session, int64_t timeout_ms);

    /* Returns the slot of a transfer that is over, free again, and fills *response. Returns -1 if
     * there is none. Nothing is sent or received meanwhile. */
    int32_t (*collect)(struct transport_session *session, struct transport_response *response);

    /* Takes back a transfer whose request has not been sent, and frees its slot. Returns false if
     * the request has been sent, perhaps in part. Such a request is not sent again if its
     * connection is closed without a response: the transfer ends with NETWORK. */
    bool (*recall)(struct transport_session *session, int32_t slot);

    /* Ends the transfer in a slot, and frees the slot. */
    void (*cancel)(struct transport_session *session, int32_t slot);

    /* Sends no later request on the connection of the transfer in a slot, which is in flight or was
     * the last to be returned by collect. Requests in flight on it run on. */
    void (*retire)(struct transport_session *session, int32_t slot);

    /* Ends the wait in progress, or the next one. Any thread may call it while the session is open.
     */
    void (*wake)(struct transport_session *session);

    /* Returns true if the session, in which no transfer is in flight, can serve another call. */
    bool (*is_reusable)(const struct transport_session *session);

    /* Closes the session. The connections of one inherited through fork are left alone. */
    void (*close)(struct transport_session *session, bool is_inherited);
};

extern const struct transport transport_libcurl;

#endif
