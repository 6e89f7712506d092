/* test_retry.c - the number of retries, the waits between them, and the parsing of Retry-After. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dispatch/retry.h"
#include "support/fixture.h"
#include "support/http_dates.h"
#include "support/check_range.h"

/* ---- Decisions ---- */

static void expect_retry(struct retry_outcome outcome, int64_t retry_count, int64_t max_retries,
                         uint32_t random, enum retry_action action, int64_t wait_ms) {
    const struct retry_decision decision = retry_decide(&outcome, retry_count, max_retries, random);
    if (decision.action != action || (action == RETRY_WAIT && decision.wait_ms != wait_ms)) {
        fail_msg(
            "retryable %d, gate %d, Retry-After %lld, retry %lld of %lld: action %d, wait %lld",
            outcome.is_retryable, outcome.closes_gate, (long long)outcome.retry_after_ms,
            (long long)retry_count, (long long)max_retries, (int)decision.action,
            (long long)decision.wait_ms);
    }
}

static void test_outcome_and_count_decide_retry(void **state) {
    static const struct {
        struct retry_outcome outcome;
        int64_t retry_count, max_retries;
        uint32_t random;
        enum retry_action action;
        int64_t wait_ms;
    } rows[] = {
        {{true, false, -1}, 0, 3, UINT32_MAX, RETRY_WAIT, 500},
        {{true, false, -1}, 2, 3, UINT32_MAX, RETRY_WAIT, 2000},
        {{true, false, -1}, 3, 3, UINT32_MAX, RETRY_STOP, 0},
        {{true, false, -1}, 0, 0, UINT32_MAX, RETRY_STOP, 0},
        {{true, false, 7000}, 0, 3, UINT32_MAX, RETRY_WAIT, 7000},
        {{true, false, 0}, 0, 3, UINT32_MAX, RETRY_WAIT, 0},
        {{true, false, 7000}, 2, 3, 0, RETRY_WAIT, 7000},
        {{true, false, 7000}, 3, 3, 0, RETRY_STOP, 0},
        {{true, false, 7000}, 0, 0, 0, RETRY_STOP, 0},
        /* The wait for the gate is not a retry, so it needs none to be left. */
        {{true, true, 7000}, 0, 3, UINT32_MAX, RETRY_AT_GATE, 0},
        {{true, true, 7000}, 2, 3, 0, RETRY_AT_GATE, 0},
        {{true, true, 7000}, 3, 3, 0, RETRY_AT_GATE, 0},
        {{true, true, 7000}, 0, 0, 0, RETRY_STOP, 0},
        {{false, false, -1}, 0, 3, UINT32_MAX, RETRY_STOP, 0},
        {{false, false, -1}, 2, 3, UINT32_MAX, RETRY_STOP, 0},
        {{false, false, -1}, 3, 3, UINT32_MAX, RETRY_STOP, 0},
        {{false, false, -1}, 0, 0, UINT32_MAX, RETRY_STOP, 0},
        {{false, false, 7000}, 0, 3, UINT32_MAX, RETRY_STOP, 0},
        {{false, false, 7000}, 2, 3, 0, RETRY_STOP, 0},
        {{false, false, 7000}, 3, 3, 0, RETRY_STOP, 0},
        {{false, false, 7000}, 0, 0, 0, RETRY_STOP, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_retry(rows[i].outcome, rows[i].retry_count, rows[i].max_retries, rows[i].random,
                     rows[i].action, rows[i].wait_ms);
    }
}

static void test_retry_after_replaces_backoff(void **state) {
    static const int64_t waits_ms[] = {1000, 7000, 86400000};
    (void)state;
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        const struct retry_outcome outcome = {.is_retryable = true, .retry_after_ms = waits_ms[i]};
        expect_retry(outcome, 0, 3, 0, RETRY_WAIT, waits_ms[i]);
        expect_retry(outcome, 9, 10, UINT32_MAX, RETRY_WAIT, waits_ms[i]);
    }
}

static void test_backoff_doubles_to_8_seconds(void **state) {
    static const int64_t max_waits_ms[] = {500,  1000, 2000, 4000, 8000,
                                           8000, 8000, 8000, 8000, 8000};
    const struct retry_outcome outcome = {.is_retryable = true, .retry_after_ms = -1};
    (void)state;
    for (int32_t retries = 0; retries < 10; retries++) {
        const int64_t max_ms = max_waits_ms[retries];
        expect_retry(outcome, retries, 10, 0, RETRY_WAIT, 0);
        expect_retry(outcome, retries, 10, UINT32_MAX / 2, RETRY_WAIT, max_ms / 2);
        expect_retry(outcome, retries, 10, UINT32_MAX / 2 + 1, RETRY_WAIT, max_ms / 2);
        expect_retry(outcome, retries, 10, UINT32_MAX, RETRY_WAIT, max_ms);
    }
    expect_retry(outcome, 10, 10, 0, RETRY_STOP, 0);
}

/* Catches a jitter that prefers some waits. Evenly spaced random numbers must give each wait
 * equally often, except for rounding. */
static void test_jitter_is_uniform(void **state) {
    const struct retry_outcome outcome = {.is_retryable = true, .retry_after_ms = -1};
    static int counts[501];
    (void)state;
    for (uint32_t i = 0; i < 501 * 20; i++) {
        const uint32_t random = (uint32_t)(((uint64_t)i << 32) / (501 * 20));
        const struct retry_decision decision = retry_decide(&outcome, 0, 3, random);
        check_in_range(decision.wait_ms, 0, 500);
        counts[decision.wait_ms]++;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        check_in_range(counts[i], 19, 21);
    }
}

/* ---- Retry-After ---- */

enum { NOW = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static void expect_ms(const char *retry_after, const char *date, int64_t expected) {
    const int64_t ms = retry_after_ms(retry_after, date, NOW);
    if (ms != expected) {
        fail_msg("Retry-After \"%s\", Date \"%s\": %lld instead of %lld",
                 retry_after != NULL ? retry_after : "none", date != NULL ? date : "none",
                 (long long)ms, (long long)expected);
    }
}

static void test_seconds_are_parsed(void **state) {
    static const struct {
        const char *retry_after;
        int64_t ms;
    } rows[] = {
        {"1", 1000},
        {"7", 7000},
        {"120", 120000},
        {"3600", 3600000},
        {"86399", 86399000},
        {"86400", 86400000},
        {"86401", 86400000},
        {"007", 7000},
        {"00000000000000000000000000000000000000000086399", 86399000},
        {"99999999999999999999999999999999999999999999999999", 86400000},
        {"2147483648", 86400000},
        {"4294967297", 86400000},
        {"9223372036854775808", 86400000},
        {"18446744073709551617", 86400000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_ms(rows[i].retry_after, NULL, rows[i].ms);
        expect_ms(rows[i].retry_after, "Sun, 06 Nov 1994 08:00:00 GMT", rows[i].ms);
    }
}

static void test_seconds_have_any_length(void **state) {
    static const size_t counts[] = {6, 20, 30, 500, 8192};
    char text[8200];
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        memset(text, '9', counts[i]);
        text[counts[i]] = '\0';
        expect_ms(text, NULL, 86400000);
        memset(text, '0', counts[i]);
        expect_ms(text, NULL, -1);
        text[counts[i] - 1] = '5';
        expect_ms(text, NULL, 5000);
        text[counts[i] - 1] = 'x';
        expect_ms(text, NULL, -1);
    }
}

static void test_invalid_retry_after_is_absent(void **state) {
    static const char *const texts[] = {NULL,
                                        "",
                                        " ",
                                        "0",
                                        "00",
                                        "000",
                                        "0000000000",
                                        "-0",
                                        "-1",
                                        "-86400",
                                        "+1",
                                        "+5",
                                        " 5",
                                        "5 ",
                                        "5\t",
                                        "7.5",
                                        "7.0",
                                        "7,5",
                                        "5s",
                                        "7s",
                                        "5 seconds",
                                        "0x10",
                                        "1e3",
                                        "5;6",
                                        "5, 6",
                                        "7, 8",
                                        "abc",
                                        "soon",
                                        "null",
                                        "\"5\"",
                                        "\xD9\xA5",
                                        "2030-01-01",
                                        "2030-01-01T00:00:00Z",
                                        "PT5S",
                                        "Monday, 07-Nov-94 08:49:37 GMT",
                                        "Mon Nov  7 08:49:37 1994",
                                        "Mon, 07 Nov 1994 08:49:37 gmt",
                                        "Mon, 07 Nov 1994 08:49:37 UTC",
                                        "mon, 07 Nov 1994 08:49:37 GMT",
                                        "Mon, 07 NOV 1994 08:49:37 GMT",
                                        "Mon, 31 Nov 1994 08:49:37 GMT",
                                        "Mon, 07 Nov 1994 24:49:37 GMT",
                                        " Mon, 07 Nov 1994 08:49:37 GMT",
                                        "07 Nov 1994 08:49:37 GMT"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_ms(texts[i], NULL, -1);
        expect_ms(texts[i], "Sun, 06 Nov 1994 08:49:37 GMT", -1);
    }
}

static void test_date_is_relative_to_response(void **state) {
    static const struct {
        const char *retry_after, *date;
        int64_t ms;
    } rows[] = {
        {"Tue, 07 Nov 2034 10:00:30 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 30000},
        {"Tue, 07 Nov 2034 10:00:01 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 1000},
        {"Wed, 08 Nov 2034 10:00:00 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86400000},
        {"Wed, 08 Nov 2034 09:59:59 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86399000},
        {"Wed, 08 Nov 2034 10:00:01 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86400000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", 86400000},
        {"Thu, 01 Jan 1970 00:00:05 GMT", "Wed, 31 Dec 1969 23:59:59 GMT", 6000},
        /* Equal, or in the past. */
        {"Tue, 07 Nov 2034 10:00:00 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", -1},
        {"Tue, 07 Nov 2034 09:59:59 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", -1},
        {"Sat, 01 Jan 0000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_ms(rows[i].retry_after, rows[i].date, rows[i].ms);
    }
}

static void test_date_defaults_to_host_clock(void **state) {
    static const char *const absent_dates[] = {NULL,
                                               "",
                                               "garbage",
                                               "784111777",
                                               "Sunday, 06-Nov-94 08:49:00 GMT",
                                               "Sun, 06 nov 1994 08:00:00 GMT"};
    (void)state;
    for (size_t i = 0; i < sizeof absent_dates / sizeof *absent_dates; i++) {
        expect_ms("Sun, 06 Nov 1994 08:50:07 GMT", absent_dates[i], 30000);
        expect_ms("Sun, 06 Nov 1994 08:49:38 GMT", absent_dates[i], 1000);
        expect_ms("Sun, 06 Nov 1994 08:49:37 GMT", absent_dates[i], -1);
        expect_ms("Sun, 06 Nov 1994 08:49:36 GMT", absent_dates[i], -1);
        expect_ms("Mon, 07 Nov 1994 08:49:38 GMT", absent_dates[i], 86400000);
    }
}

/* A text that is not an HTTP date is not a Retry-After either, unless it is a number of seconds. */
static void check_form(const struct http_date *date) {
    int64_t ms = -1;
    if (date->is_date) {
        const int64_t seconds = date->unix_seconds - NOW;
        ms = seconds > 86400 ? 86400000 : seconds > 0 ? seconds * 1000 : -1;
    } else if (date->text[strspn(date->text, "0123456789")] == '\0') {
        ms = 86400000; /* digits are seconds */
    }
    expect_ms(date->text, NULL, ms);
}

/* Catches a date that the parser of HTTP dates rejects and Retry-After accepts, or the reverse. */
static void test_http_dates_are_parsed(void **state) {
    (void)state;
    for (size_t i = 0; i < http_date_count; i++) {
        check_form(&http_dates[i]);
    }
    expect_ms("Monday, 07-Nov-94 08:49:37 GMT", NULL, -1);
    expect_ms("Mon Nov  7 08:49:37 1994", NULL, -1);
    expect_ms("Mon, 07 Nov 1994 08:49:37 gmt", NULL, -1);
    expect_ms("mon, 07 Nov 1994 08:49:37 GMT", NULL, -1);
    expect_ms("Mon, 07 NOV 1994 08:49:37 GMT", NULL, -1);
    expect_ms("Mon, 31 Nov 1994 08:49:37 GMT", NULL, -1);
    expect_ms("Mon, 07 Nov 1994 24:49:37 GMT", NULL, -1);
    expect_ms(" Mon, 07 Nov 1994 08:49:37 GMT", NULL, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_and_count_decide_retry),
        cmocka_unit_test(test_retry_after_replaces_backoff),
        cmocka_unit_test(test_backoff_doubles_to_8_seconds),
        cmocka_unit_test(test_jitter_is_uniform),
        cmocka_unit_test(test_seconds_are_parsed),
        cmocka_unit_test(test_seconds_have_any_length),
        cmocka_unit_test(test_invalid_retry_after_is_absent),
        cmocka_unit_test(test_date_is_relative_to_response),
        cmocka_unit_test(test_date_defaults_to_host_clock),
        cmocka_unit_test(test_http_dates_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
