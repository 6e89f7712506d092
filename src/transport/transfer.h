/* transfer.h - one transfer: its handle and options, what it receives, its limits and outcome. */
#ifndef REPLYIO_TRANSFER_H
#define REPLYIO_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/timer.h"
#include "transport/connection.h"
#include "transport/transport.h"

/* Bytes that grow, with a NUL after them. */
struct buffer {
    char *bytes; /* NULL until something is kept */
    size_t length;
    size_t capacity;
};

/* The headers that are kept. */
enum header {
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    RETRY_AFTER,
    DATE,
    REQUEST_ID,
    HEADER_COUNT
};

/* What the transfers of a session share. */
struct transfer_group {
    const struct transport_settings *settings;
    struct curl_slist *headers; /* over the settings' lines, not copies: they hold the key */
    size_t header_size;         /* of all lines, in bytes */
    bool is_https;
    struct connection *connections;
    uint64_t open_count;    /* of sockets since the session was opened */
    uint64_t arrival_count; /* of pieces of responses */
    int32_t hold_count;     /* transfers in flight whose response stops the sending of others */
    atomic_bool is_woken;   /* since the last wait ended */
};

/* Why a transfer was taken from libcurl before it was sent. */
enum transfer_hold {
    TRANSFER_GOES_ON,
    TRANSFER_IS_HELD, /* nothing may be sent at present */
    TRANSFER_IS_STALE /* its connection is retired, was closed or has unread bytes, or its proxy
                         keeps libcurl busy */
};

struct transfer {
    struct transfer_group *group;
    CURL *easy; /* NULL: the slot has no handle at present */
    /* Options of the handle that differ between transfers: setting one costs time. */
    bool is_pipewait_set, is_fresh_set, is_forbid_set, is_verbose_set, is_timeout_extended;
    bool is_in_flight;
    bool is_added;       /* libcurl has it */
    bool is_proxied;     /* it may use a proxy */
    bool can_wait;       /* it may wait for a connection that another transfer opens */
    bool has_connection; /* libcurl has chosen one for it, or opens one */
    bool is_sent;        /* as far as was seen; transfer_is_sent looks */
    long sent_port;      /* the local port of the connection that it was sent on; 0: not known */
    bool was_sent;       /* on a connection that was lost: libcurl sends it again by itself */
    bool is_recalled;    /* libcurl must not send it again */
    /* What libcurl reports of the lost connection: the size of what was sent, and the time of the
     * sending, which grows with each. */
    long lost_size;
    curl_off_t lost_after;
    bool holds_others;
    enum transfer_hold hold;
    struct timer timer;
    struct timer connect_timer;
    int64_t connect_started_ms;
    uint64_t arrival_count; /* the group's when the transfer started */
    long local_port;        /* of its connection, as it was last seen; transfer_local_port looks */
    long quiet_port;        /* of the connection that had no unread bytes; 0: none yet */
    CURLcode start_failure; /* CURLE_OK: libcurl has accepted the transfer */
    char error_text[CURL_ERROR_SIZE];
    size_t max_body_size;
    int32_t http_status; /* 0: the response's headers are not complete */
    size_t header_bytes;
    struct buffer headers[HEADER_COUNT];
    struct buffer body;
    bool is_too_large;
    bool is_out_of_memory;
    int socket_errno; /* of the last socket that could not be opened; 0: none */
    int last_errno;   /* as libcurl left it after its last step of the transfer */
};

/* Forgets what an earlier transfer in the slot received, and prepares for a request. Does not touch
 * the handle. */
void transfer_reset(struct transfer *transfer, const struct transport_request *request);

/* Makes the slot's handle, unless it has one, and sets all of its options. */
CURLcode transfer_configure(struct transfer *transfer, const char *url);

/* Sets how the transfer gets a connection. It may wait for one that another transfer opens, if that
 * may carry both; is_fresh forbids it to use any that exists. */
CURLcode transfer_set_connection(struct transfer *transfer, bool can_wait, bool is_fresh);

/* Starts the time that the transfer has for its connection. */
void transfer_start_connecting(struct transfer *transfer, int64_t now_ms);

/* Makes up for a pause of the connect timer, which libcurl's own connect timeout does not have. */
void transfer_extend_connect(struct transfer *transfer);

/* Returns true if the request has been sent, at least in part. */
bool transfer_is_sent(struct transfer *transfer);

/* Returns true if the transfer waits for a connection that another transfer opens. */
bool transfer_is_waiting(const struct transfer *transfer);

/* Returns the time until the transfer's timeout, or its connect timeout if it is connecting. */
int64_t transfer_left_ms(struct transfer *transfer, int64_t now_ms);

/* Returns the local port of the transfer's connection; 0 or less if there is none. */
long transfer_local_port(struct transfer *transfer);

/* Notes whether the connection of a transfer that has ended is HTTP/1. */
void transfer_note_connection(struct transfer *transfer);

/* Describes the outcome of a transfer that libcurl has ended with a code. */
void transfer_describe(struct transfer *transfer, CURLcode code,
                       struct transport_response *response);

/* Describes a transfer that failed without a response. */
void transfer_describe_failure(struct transport_response *response, reply_result failure,
                               CURLcode code, const char *text);

/* Frees a slot's buffers, overwritten, because a server may repeat the key. Does not free the
 * handle. */
void transfer_free_buffers(struct transfer *transfer);

#endif
