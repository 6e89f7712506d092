/* fuzz_datetime.c - any text as a date. A parsed date must format back to the same time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decode/datetime.h"
#include "fuzz.h"

static struct tm civil_of(int64_t unix_seconds) {
    const time_t time = (time_t)unix_seconds;
    struct tm civil;
    FUZZ_CHECK(gmtime_r(&time, &civil) != NULL);
    return civil;
}

static void check_rfc3339(const char *text) {
    reply_datetime datetime;
    reply_datetime again;
    char formatted[64];
    datetime_parse(text, &datetime);
    FUZZ_CHECK(datetime.text == text);
    if (!datetime.has_time) {
        FUZZ_CHECK(datetime.unix_seconds == 0 && datetime.nanoseconds == 0 &&
                   datetime.utc_offset_seconds == 0 && !datetime.has_utc_offset);
        return;
    }
    FUZZ_CHECK(datetime.nanoseconds >= 0 && datetime.nanoseconds <= 999999999);
    FUZZ_CHECK(abs(datetime.utc_offset_seconds) < 86400 &&
               (datetime.has_utc_offset || datetime.utc_offset_seconds == 0));
    const struct tm civil = civil_of(datetime.unix_seconds);
    if (civil.tm_year < -1900 || civil.tm_year > 9999 - 1900) {
        return; /* the offset moved the year beyond four digits */
    }
    snprintf(formatted, sizeof formatted, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ",
             civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour, civil.tm_min,
             civil.tm_sec, (int)datetime.nanoseconds);
    datetime_parse(formatted, &again);
    FUZZ_CHECK(again.has_time && again.unix_seconds == datetime.unix_seconds &&
               again.nanoseconds == datetime.nanoseconds);
}

static void check_http_date(const char *text) {
    int64_t unix_seconds = 0;
    char formatted[64];
    if (datetime_parse_http_date(text, &unix_seconds)) {
        const struct tm civil = civil_of(unix_seconds);
        FUZZ_CHECK(strftime(formatted, sizeof formatted, "%d %b %Y %H:%M:%S GMT", &civil) > 0);
        /* The weekday is not checked, a leap second becomes the second after it, and strftime
         * writes years without leading zeros. */
        FUZZ_CHECK(civil.tm_year + 1900 < 1000 || strcmp(formatted, text + 5) == 0 ||
                   strstr(text, ":60") != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    check_rfc3339(text);
    check_http_date(text);
    free(text);
    return 0;
}
