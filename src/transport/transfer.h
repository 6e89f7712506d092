/* transfer.h - one transfer: its handle and options, what it receives, its limits and outcome. */
#ifndef REPLYIO_TRANSFER_H
#define REPLYIO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/timer.h"
#include "transport/transport.h"

/* Bytes that grow, with a NUL after them. */
struct buffer {
    char *bytes; /* NULL until something is kept */
    size_t length;
    size_t capacity;
};

/* The headers that are kept. */
enum header { CONTENT_TYPE, CONTENT_LENGTH, RETRY_AFTER, DATE, REQUEST_ID, HEADER_COUNT };

struct transfer {
    CURL *easy; /* NULL: the slot has no handle at present */
    bool is_in_flight;
    bool is_https;
    bool can_wait; /* it may wait for a connection that another transfer opens */
    struct timer timer;
    CURLcode start_failure; /* CURLE_OK: libcurl has accepted the transfer */
    char error_text[CURL_ERROR_SIZE];
    size_t max_body_size;
    int32_t http_status; /* 0: the response's headers are not complete */
    size_t header_bytes;
    struct buffer headers[HEADER_COUNT];
    struct buffer body;
    bool is_too_large;
    bool is_out_of_memory;
    int last_errno; /* as libcurl left it after its last step of the transfer */
};

/* Forgets what an earlier transfer in the slot received, and prepares for a request. Does not touch
 * the handle. */
void transfer_reset(struct transfer *transfer, const struct transport_request *request);

/* Makes the slot's handle, unless it has one, and sets all of its options. header_list is sent as
 * it is. */
CURLcode transfer_configure(struct transfer *transfer, const struct transport_settings *settings,
                            struct curl_slist *header_list, const char *url);

/* Sets whether the transfer may wait for a connection that another transfer opens, if that
 * connection may carry both. */
CURLcode transfer_set_can_wait(struct transfer *transfer, bool can_wait);

/* Returns true if the transfer neither has a connection of its own nor has been sent on that of
 * another. */
bool transfer_is_waiting(const struct transfer *transfer);

/* Describes the outcome of a transfer that libcurl has ended with a code. */
void transfer_describe(const struct transfer *transfer, CURLcode code,
                       struct transport_response *response);

/* Describes a transfer that failed without a response. */
void transfer_describe_failure(struct transport_response *response, reply_result failure,
                               CURLcode code, const char *text);

/* Frees a slot's buffers, overwritten, because a server may repeat the key. Does not free the
 * handle. */
void transfer_free_buffers(struct transfer *transfer);

#endif
