/* check_retry.h - a check of the retry policy's decisions. */
#ifndef REPLYIO_CHECK_RETRY_H
#define REPLYIO_CHECK_RETRY_H

#include <stdint.h>

#include "dispatch/retry.h"

/* Fails unless the decision has this action and, if it is RETRY_WAIT, this wait. */
void expect_retry(struct retry_outcome outcome, int32_t retries, int32_t max_retries,
                  uint32_t random, enum retry_action action, int64_t wait_ms);

#endif
