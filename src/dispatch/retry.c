/* retry.c - an attempt's outcome to "wait so long" or "stop", and the reading of Retry-After; pure.
 */
#include "dispatch/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "decode/datetime.h"

enum { LONGEST_RETRY_AFTER_SECONDS = 86400, FIRST_JITTER_MS = 500, LONGEST_JITTER_MS = 8000 };

/* The number that text is, however long, or the longest wait where it is more; -1 where text is not
 * digits alone. */
static int64_t whole_seconds(const char *text) {
    int64_t seconds = 0;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return -1;
    }
    for (; *text != '\0' && seconds <= LONGEST_RETRY_AFTER_SECONDS; text++) {
        seconds = seconds * 10 + (*text - '0');
    }
    return seconds;
}

int64_t retry_after_ms(const char *retry_after, const char *date, int64_t host_unix_seconds) {
    if (retry_after == NULL) {
        return -1;
    }
    int64_t seconds = whole_seconds(retry_after);
    int64_t until = 0;
    if (seconds < 0 && datetime_parse_http_date(retry_after, &until)) {
        int64_t now = host_unix_seconds;
        datetime_parse_http_date(date, &now);
        seconds = until - now;
    }
    if (seconds > LONGEST_RETRY_AFTER_SECONDS) {
        seconds = LONGEST_RETRY_AFTER_SECONDS;
    }
    return seconds > 0 ? seconds * 1000 : -1;
}

static bool may_pass(const struct retry_outcome *outcome) {
    if (outcome->failure != REPLY_OK) {
        return outcome->failure == REPLY_ERROR_NETWORK || outcome->failure == REPLY_ERROR_TIMEOUT;
    }
    switch (outcome->http_status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

/* Full jitter: evenly from 0 to a bound that doubles, both included. */
static int64_t jitter_ms(int32_t retries, uint32_t random) {
    int64_t bound = FIRST_JITTER_MS;
    for (int32_t i = 0; i < retries && bound < LONGEST_JITTER_MS; i++) {
        bound *= 2;
    }
    return (int64_t)(((uint64_t)random * (uint64_t)(bound + 1)) >> 32);
}

struct retry_decision retry_decide(const struct retry_outcome *outcome, int32_t retries,
                                   int32_t max_retries, uint32_t random) {
    const bool waits_as_asked = outcome->failure == REPLY_OK && outcome->retry_after_ms >= 0;
    if (!may_pass(outcome) || max_retries == 0) {
        return (struct retry_decision){.action = RETRY_STOP};
    }
    if (waits_as_asked && outcome->http_status == 429) {
        return (struct retry_decision){.action = RETRY_AT_GATE};
    }
    if (retries >= max_retries) {
        return (struct retry_decision){.action = RETRY_STOP};
    }
    return (struct retry_decision){RETRY_WAIT, waits_as_asked ? outcome->retry_after_ms
                                                              : jitter_ms(retries, random)};
}
