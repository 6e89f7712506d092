/* retry.c - retry policy and Retry-After parsing; pure. */
#include "dispatch/retry.h"

#include <stddef.h>
#include <string.h>

#include "decode/datetime.h"

enum {
    MAX_RETRY_AFTER_SECONDS = RETRY_MAX_AFTER_MS / 1000,
    FIRST_BACKOFF_MS = 500,
    MAX_BACKOFF_MS = 8000
};

/* Parses text that consists of digits, of any number. Returns -1 for other text. The result is
 * exact up to the maximum, and above it if the number is. */
static int64_t parse_seconds(const char *text) {
    int64_t seconds = 0;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return -1;
    }
    for (; *text != '\0' && seconds <= MAX_RETRY_AFTER_SECONDS; text++) {
        seconds = seconds * 10 + (*text - '0');
    }
    return seconds;
}

int64_t retry_after_ms(const char *retry_after, const char *date, int64_t host_unix_seconds) {
    if (retry_after == NULL) {
        return -1;
    }
    int64_t seconds = parse_seconds(retry_after);
    int64_t until = 0;
    if (seconds < 0 && datetime_parse_http_date(retry_after, &until)) {
        int64_t now = host_unix_seconds;
        datetime_parse_http_date(date, &now);
        seconds = until - now;
    }
    if (seconds > MAX_RETRY_AFTER_SECONDS) {
        seconds = MAX_RETRY_AFTER_SECONDS;
    }
    return seconds > 0 ? seconds * 1000 : -1;
}

/* Full jitter: uniform over 0 to a bound that doubles, both included. */
static int64_t jitter_ms(int64_t retry_count, uint32_t random) {
    int64_t bound = FIRST_BACKOFF_MS;
    for (int64_t i = 0; i < retry_count && bound < MAX_BACKOFF_MS; i++) {
        bound *= 2;
    }
    return (int64_t)(((uint64_t)random * (uint64_t)(bound + 1)) >> 32);
}

struct retry_decision retry_decide(const struct retry_outcome *outcome, int64_t retry_count,
                                   int64_t max_retries, uint32_t random) {
    if (!outcome->is_retryable || max_retries == 0) {
        return (struct retry_decision){.action = RETRY_STOP};
    }
    if (outcome->closes_gate) {
        return (struct retry_decision){.action = RETRY_AT_GATE};
    }
    if (retry_count >= max_retries) {
        return (struct retry_decision){.action = RETRY_STOP};
    }
    return (struct retry_decision){RETRY_WAIT, outcome->retry_after_ms >= 0
                                                   ? outcome->retry_after_ms
                                                   : jitter_ms(retry_count, random)};
}
