/* retry.h - an attempt's outcome to "wait so long" or "stop", and the reading of Retry-After; pure.
 */
#ifndef REPLYIO_RETRY_H
#define REPLYIO_RETRY_H

#include <stdint.h>

#include "replyio.h"

/* What a Retry-After header asks for, in milliseconds of at most a day; -1 where it asks for
 * nothing that can be used. A date is measured against the response's Date header, or
 * host_unix_seconds where there is none. Both texts may be NULL. */
int64_t retry_after_ms(const char *retry_after, const char *date, int64_t host_unix_seconds);

enum retry_action {
    RETRY_STOP,    /* the outcome is final */
    RETRY_WAIT,    /* once more after wait_ms; this uses up a retry */
    RETRY_AT_GATE, /* once more when the rate limit is over; this uses up none */
};

struct retry_decision {
    enum retry_action action;
    int64_t wait_ms;
};

/* What an attempt came to. */
struct retry_outcome {
    reply_result failure; /* REPLY_OK: there is an HTTP status */
    int32_t http_status;
    int64_t retry_after_ms; /* -1: none */
};

/* What to do after an attempt, of which retries were retries already, out of max_retries. random is
 * any number, evenly chosen. */
struct retry_decision retry_decide(const struct retry_outcome *outcome, int32_t retries,
                                   int32_t max_retries, uint32_t random);

#endif
