/* check_retry.c - a check of the retry policy's decisions. */
#include "support/check_retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void expect_retry(struct retry_outcome outcome, int32_t retries, int32_t max_retries,
                  uint32_t random, enum retry_action action, int64_t wait_ms) {
    const struct retry_decision decision = retry_decide(&outcome, retries, max_retries, random);
    if (decision.action != action || (action == RETRY_WAIT && decision.wait_ms != wait_ms)) {
        fail_msg("failure %d, HTTP %d, Retry-After %lld, retry %d of %d: action %d, wait %lld",
                 (int)outcome.failure, (int)outcome.http_status, (long long)outcome.retry_after_ms,
                 (int)retries, (int)max_retries, (int)decision.action, (long long)decision.wait_ms);
    }
}
