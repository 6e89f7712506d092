/* http_dates.h - texts that are HTTP dates, and texts that are not. */
#ifndef REPLYIO_TESTS_HTTP_DATES_H
#define REPLYIO_TESTS_HTTP_DATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_date {
    const char *text;
    bool is_date;
    int64_t unix_seconds;
};

extern const struct http_date http_dates[];
extern const size_t http_date_count;

#endif
