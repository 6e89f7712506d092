/* test_retry.c - what to do after each outcome, the bounds of the jitter, and the reading of
 * Retry-After. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/http_dates.h"
#include "dispatch/retry.h"

/* ---- Decisions ---- */

static void expect_decision(struct retry_outcome outcome, int32_t retries, int32_t max_retries,
                            uint32_t random, enum retry_action action, int64_t wait_ms) {
    const struct retry_decision decision = retry_decide(&outcome, retries, max_retries, random);
    if (decision.action != action || (action == RETRY_WAIT && decision.wait_ms != wait_ms)) {
        fail_msg("failure %d, HTTP %d, Retry-After %lld, retry %d of %d: action %d, wait %lld",
                 (int)outcome.failure, (int)outcome.http_status, (long long)outcome.retry_after_ms,
                 (int)retries, (int)max_retries, (int)decision.action, (long long)decision.wait_ms);
    }
}

static bool is_tried_again(int32_t status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

static void decides_on_each_status(void **state) {
    (void)state;
    for (int32_t status = 100; status <= 599; status++) {
        const struct retry_outcome without_time = {.http_status = status, .retry_after_ms = -1};
        const struct retry_outcome with_time = {.http_status = status, .retry_after_ms = 7000};
        const enum retry_action action = is_tried_again(status) ? RETRY_WAIT : RETRY_STOP;
        expect_decision(without_time, 0, 3, UINT32_MAX, action, 500);
        expect_decision(without_time, 2, 3, UINT32_MAX, action, 2000);
        expect_decision(without_time, 3, 3, UINT32_MAX, RETRY_STOP, 0);
        expect_decision(without_time, 0, 0, UINT32_MAX, RETRY_STOP, 0);
        expect_decision(with_time, 0, 3, UINT32_MAX, status == 429 ? RETRY_AT_GATE : action, 7000);
        expect_decision(with_time, 2, 3, 0, status == 429 ? RETRY_AT_GATE : action, 7000);
        /* The gate uses up no retry, so it is open to a request that has none left. */
        expect_decision(with_time, 3, 3, 0, status == 429 ? RETRY_AT_GATE : RETRY_STOP, 0);
        expect_decision(with_time, 0, 0, 0, RETRY_STOP, 0);
    }
}

static void decides_on_each_failure(void **state) {
    (void)state;
    for (int failure = REPLY_ERROR_INVALID_ARGUMENT; failure <= REPLY_ERROR_HTTP; failure++) {
        const struct retry_outcome outcome = {.failure = (reply_result)failure,
                                              .retry_after_ms = -1};
        const struct retry_outcome after_status = {
            .failure = (reply_result)failure, .http_status = 429, .retry_after_ms = 7000};
        const bool may_pass = failure == REPLY_ERROR_NETWORK || failure == REPLY_ERROR_TIMEOUT;
        expect_decision(outcome, 0, 3, UINT32_MAX, may_pass ? RETRY_WAIT : RETRY_STOP, 500);
        expect_decision(outcome, 3, 3, UINT32_MAX, RETRY_STOP, 0);
        expect_decision(outcome, 0, 0, UINT32_MAX, RETRY_STOP, 0);
        /* A response that was lost on the way decides nothing: the failure does. */
        expect_decision(after_status, 0, 3, UINT32_MAX, may_pass ? RETRY_WAIT : RETRY_STOP, 500);
    }
}

static void waits_as_long_as_asked(void **state) {
    static const int64_t asked[] = {1000, 7000, 86400000};
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const struct retry_outcome outcome = {.http_status = 503, .retry_after_ms = asked[i]};
        expect_decision(outcome, 0, 3, 0, RETRY_WAIT, asked[i]);
        expect_decision(outcome, 9, 10, UINT32_MAX, RETRY_WAIT, asked[i]);
    }
}

static void jitters_over_a_bound_that_doubles_to_8_seconds(void **state) {
    static const int64_t bounds[] = {500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000};
    const struct retry_outcome outcome = {.http_status = 503, .retry_after_ms = -1};
    (void)state;
    for (int32_t retries = 0; retries < 10; retries++) {
        expect_decision(outcome, retries, 10, 0, RETRY_WAIT, 0);
        expect_decision(outcome, retries, 10, UINT32_MAX / 2, RETRY_WAIT, bounds[retries] / 2);
        expect_decision(outcome, retries, 10, UINT32_MAX / 2 + 1, RETRY_WAIT, bounds[retries] / 2);
        expect_decision(outcome, retries, 10, UINT32_MAX, RETRY_WAIT, bounds[retries]);
    }
    expect_decision(outcome, 10, 10, 0, RETRY_STOP, 0);
}

/* Over evenly spaced random numbers each wait comes up equally often, but for what rounding takes.
 */
static void jitters_uniformly(void **state) {
    const struct retry_outcome outcome = {.http_status = 503, .retry_after_ms = -1};
    static int times[501];
    (void)state;
    for (uint32_t i = 0; i < 501 * 20; i++) {
        const uint32_t random = (uint32_t)(((uint64_t)i << 32) / (501 * 20));
        const struct retry_decision decision = retry_decide(&outcome, 0, 3, random);
        assert_in_range(decision.wait_ms, 0, 500);
        times[decision.wait_ms]++;
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_in_range(times[i], 19, 21);
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

static void reads_whole_seconds(void **state) {
    (void)state;
    expect_ms("1", NULL, 1000);
    expect_ms("7", NULL, 7000);
    expect_ms("120", "Sun, 06 Nov 1994 08:00:00 GMT", 120000);
    expect_ms("3600", NULL, 3600000);
    expect_ms("86399", NULL, 86399000);
    expect_ms("86400", NULL, 86400000);
    expect_ms("86401", NULL, 86400000);
    expect_ms("007", NULL, 7000);
    expect_ms("00000000000000000000000000000000000000086399", NULL, 86399000);
    expect_ms("2147483648", NULL, 86400000);
    expect_ms("4294967297", NULL, 86400000);
    expect_ms("9223372036854775808", NULL, 86400000);
    expect_ms("18446744073709551617", NULL, 86400000);
}

static void reads_seconds_of_any_number_of_digits(void **state) {
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

static void takes_anything_else_as_absent(void **state) {
    static const char *const texts[] = {"",         " ",          "0",
                                        "00",       "0000000000", "-0",
                                        "-1",       "-86400",     "+5",
                                        " 5",       "5 ",         "5\t",
                                        "7.5",      "7.0",        "7,5",
                                        "5s",       "5 seconds",  "0x10",
                                        "1e3",      "5;6",        "5, 6",
                                        "abc",      "null",       "\"5\"",
                                        "\xD9\xA5", "2030-01-01", "2030-01-01T00:00:00Z",
                                        "PT5S"};
    (void)state;
    expect_ms(NULL, NULL, -1);
    expect_ms(NULL, "Sun, 06 Nov 1994 08:49:37 GMT", -1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_ms(texts[i], NULL, -1);
        expect_ms(texts[i], "Sun, 06 Nov 1994 08:49:37 GMT", -1);
    }
}

static void measures_a_date_against_the_response(void **state) {
    (void)state;
    expect_ms("Tue, 07 Nov 2034 10:00:30 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 30000);
    expect_ms("Tue, 07 Nov 2034 10:00:01 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 1000);
    expect_ms("Wed, 08 Nov 2034 10:00:00 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86400000);
    expect_ms("Wed, 08 Nov 2034 09:59:59 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86399000);
    expect_ms("Wed, 08 Nov 2034 10:00:01 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", 86400000);
    expect_ms("Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", 86400000);
    expect_ms("Thu, 01 Jan 1970 00:00:05 GMT", "Wed, 31 Dec 1969 23:59:59 GMT", 6000);
    /* Equal, or past. */
    expect_ms("Tue, 07 Nov 2034 10:00:00 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", -1);
    expect_ms("Tue, 07 Nov 2034 09:59:59 GMT", "Tue, 07 Nov 2034 10:00:00 GMT", -1);
    expect_ms("Sat, 01 Jan 0000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", -1);
}

static void measures_a_date_against_the_host_where_the_response_has_none(void **state) {
    static const char *const no_dates[] = {NULL,
                                           "",
                                           "garbage",
                                           "784111777",
                                           "Sunday, 06-Nov-94 08:49:00 GMT",
                                           "Sun, 06 nov 1994 08:00:00 GMT"};
    (void)state;
    for (size_t i = 0; i < sizeof no_dates / sizeof *no_dates; i++) {
        expect_ms("Sun, 06 Nov 1994 08:50:07 GMT", no_dates[i], 30000);
        expect_ms("Sun, 06 Nov 1994 08:49:38 GMT", no_dates[i], 1000);
        expect_ms("Sun, 06 Nov 1994 08:49:37 GMT", no_dates[i], -1);
        expect_ms("Sun, 06 Nov 1994 08:49:36 GMT", no_dates[i], -1);
        expect_ms("Mon, 07 Nov 1994 08:49:38 GMT", no_dates[i], 86400000);
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

static void takes_dates_of_one_form_only(void **state) {
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
        cmocka_unit_test(decides_on_each_status),
        cmocka_unit_test(decides_on_each_failure),
        cmocka_unit_test(waits_as_long_as_asked),
        cmocka_unit_test(jitters_over_a_bound_that_doubles_to_8_seconds),
        cmocka_unit_test(jitters_uniformly),
        cmocka_unit_test(reads_whole_seconds),
        cmocka_unit_test(reads_seconds_of_any_number_of_digits),
        cmocka_unit_test(takes_anything_else_as_absent),
        cmocka_unit_test(measures_a_date_against_the_response),
        cmocka_unit_test(measures_a_date_against_the_host_where_the_response_has_none),
        cmocka_unit_test(takes_dates_of_one_form_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
