/* transport.h - what the library needs of the network, the clocks and chance: a small table of
 * functions. A session has as many slots as transfers may be under way in it; one thread at a time
 * uses it, and only wake may be called by others. */
#ifndef REPLYIO_TRANSPORT_H
#define REPLYIO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

/* How a session connects. All that this points to must outlive the session. */
struct transport_settings {
    char *const *headers; /* complete lines, sent as they are */
    size_t header_count;
    const char *ca_file; /* NULL: the system's */
    const char *proxy;   /* NULL: what the environment says; "": none */
    bool is_loopback;    /* the host is this machine: no proxy, whatever proxy says */
    int64_t connect_timeout_ms;
    int32_t slot_count;
};

/* What a transfer came to. A response whose status is not 200 counts as whole wherever its body
 * breaks off. The pointers are valid until its slot is started again. */
struct transport_response {
    reply_result failure;     /* REPLY_OK: there is a response; else NETWORK, TLS, TIMEOUT,
                                 RESPONSE_TOO_LARGE or NO_MEMORY */
    const char *failure_text; /* in words; perhaps empty, never NULL */
    int32_t curl_code;        /* the CURLcode; 0: libcurl did not fail */
    int32_t http_status;      /* 0: no response */
    const char *body;         /* body_length bytes; NULL where that is 0 */
    size_t body_length;
    const char *content_type, *retry_after, *date,
        *request_id; /* headers, without spaces at their ends; NULL: not sent */
};

enum { TRANSPORT_LONGEST_BASE_URL = 2048 };

/* A base URL in its normal form. */
struct transport_base_url {
    char *text;         /* without a slash at its end; whoever asked frees it */
    size_t path_offset; /* where its path begins, perhaps at its end */
    bool is_loopback;
};

struct transport_session;

struct transport {
    /* Milliseconds on a clock that only goes forward; seconds since 1970-01-01T00:00:00Z; 32 random
     * bits. */
    int64_t (*now_ms)(void);
    int64_t (*unix_seconds)(void);
    uint32_t (*random)(void);

    /* Prepares the process, once; any number of calls from any thread. Returns false where memory
     * ran out. */
    bool (*prepare)(void);

    /* The version of libcurl. */
    const char *(*version)(void);

    /* Checks and normalises a base URL; checks a proxy's. Returns INVALID_ARGUMENT, with error set,
     * or NO_MEMORY. */
    reply_result (*check_base_url)(const char *text, struct transport_base_url *base_url,
                                   reply_error *error);
    reply_result (*check_proxy)(const char *text, reply_error *error);

    /* Opens a session; NULL where memory ran out. */
    struct transport_session *(*open)(const struct transport_settings *settings);

    /* Begins to get a URL in a slot that is free, for at most timeout_ms, not counting the time
     * between two waits, and until deadline_ms at the latest, whatever happens. A transfer that
     * cannot begin is over at once, as wait tells. */
    void (*start)(struct transport_session *session, int32_t slot, const char *url,
                  int64_t timeout_ms, int64_t deadline_ms);

    /* Waits until a transfer is over, and returns its slot, free again, with its *response; or -1,
     * perhaps early, where timeout_ms
     * (-1: no limit) has passed or wake was called. */
    int32_t (*wait)(struct transport_session *session, int64_t timeout_ms,
                    struct transport_response *response);

    /* Ends the transfer in a slot. */
    void (*cancel)(struct transport_session *session, int32_t slot);

    /* Makes wait return, the one in progress or else the next. May be called by any thread while
     * the session is open. */
    void (*wake)(struct transport_session *session);

    /* Whether the session, in which nothing is under way, may serve another call. */
    bool (*may_serve_again)(const struct transport_session *session);

    /* Closes the session. Where it came through fork, its connections are the parent's and are left
     * alone. */
    void (*close)(struct transport_session *session, bool came_through_fork);
};

extern const struct transport transport_curl;

#endif
