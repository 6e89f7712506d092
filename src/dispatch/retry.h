/* retry.h - retry policy and Retry-After parsing; pure. */
#ifndef REPLYIO_RETRY_H
#define REPLYIO_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum { RETRY_MAX_AFTER_MS = 86400000 };

/* Parses a Retry-After header. Returns the wait that it asks for, in milliseconds, at most a day;
 * -1 if it is absent or not usable. A date is measured against the response's Date header, or
 * against host_unix_seconds if there is none. Both texts may be NULL. */
int64_t retry_after_ms(const char *retry_after, const char *date, int64_t host_unix_seconds);

enum retry_action {
    RETRY_STOP,    /* the outcome is final */
    RETRY_WAIT,    /* retry after wait_ms */
    RETRY_AT_GATE, /* send again when the gate opens; this does not use up a retry */
};

struct retry_decision {
    enum retry_action action;
    int64_t wait_ms;
};

/* Outcome of an attempt that failed. */
struct retry_outcome {
    bool is_retryable;
    bool closes_gate;
    int64_t retry_after_ms; /* -1: none */
};

/* Decides what follows an attempt of a request that has used up retry_count of max_retries. random
 * is any 32-bit random number. */
struct retry_decision retry_decide(const struct retry_outcome *outcome, int64_t retry_count,
                                   int64_t max_retries, uint32_t random);

#endif
