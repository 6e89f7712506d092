/* response.h - status, problem document or transport failure to reply_error; pure. */
#ifndef REPLYIO_RESPONSE_H
#define REPLYIO_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

#include "dispatch/retry.h"
#include "replyio.h"
#include "transport/transport.h"

/* Reads a response into an error that has been begun, and returns what follows from it. The error
 * stays REPLY_OK if the response is a 200. max_body_size is the request's limit in bytes. key is
 * removed from all texts. host_unix_seconds is the host's clock, for a Retry-After date in a
 * response without a Date. */
struct retry_outcome response_read(const struct transport_response *response, size_t max_body_size,
                                   const char *key, int64_t host_unix_seconds, reply_error *error);

/* Adds to an error what a response says besides its body: status, libcurl's code, the wait that it
 * asks for, and the request id. */
void response_add_details(const struct transport_response *response, const char *key,
                          int64_t host_unix_seconds, reply_error *error);

#endif
