/* statuses.h - the result, the retry and the message that each HTTP status but 200 must have. The
 * table is written from the contract, independently of the library's. */
#ifndef REPLYIO_TESTS_STATUSES_H
#define REPLYIO_TESTS_STATUSES_H

#include <stdbool.h>
#include <stdint.h>

#include "replyio.h"

struct status {
    int32_t first, last; /* the statuses that the row is about */
    reply_result result;
    bool is_retryable;
    const char *words; /* parts of the message, one per line */
};

/* Returns the row of a status, which must not be negative. */
const struct status *statuses_find(int32_t status);

#endif
