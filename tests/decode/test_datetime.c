/* test_datetime.c - RFC 3339 dates and HTTP dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode/datetime.h"
#include "support/fixture.h"
#include "support/http_dates.h"

/* ---- RFC 3339 ---- */

/* Expected: the time and the offset, or "none" if the text is not a date. */
static const struct datetime_case {
    const char *text;
    const char *expected;
} cases[] = {
    {"1970-01-01T00:00:00Z", "0 s 0 ns offset 0"},
    {"1969-12-31T23:59:59Z", "-1 s 0 ns offset 0"},
    {"1969-12-31T23:59:59.5Z", "-1 s 500000000 ns offset 0"},
    {"2024-03-08T10:00:00+00:00", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00-00:00", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00", "1709892000 s 0 ns no offset"},
    {"2025-10-29T10:00:00.00", "1761732000 s 0 ns no offset"},
    {"2024-03-08t10:00:00z", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00z", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00+05:30", "1709872200 s 0 ns offset 19800"},
    {"2024-03-08T10:00:00-08:00", "1709920800 s 0 ns offset -28800"},
    {"2024-03-08T10:00:00+23:59", "1709805660 s 0 ns offset 86340"},
    {"2024-03-08T10:00:00-23:59", "1709978340 s 0 ns offset -86340"},
    {"2024-03-08T10:00:00-00:30", "1709893800 s 0 ns offset -1800"},
    {"2024-03-08T10:00:00.1Z", "1709892000 s 100000000 ns offset 0"},
    {"2024-03-08T10:00:00.001Z", "1709892000 s 1000000 ns offset 0"},
    {"2024-03-08T10:00:00.123456789Z", "1709892000 s 123456789 ns offset 0"},
    {"2024-03-08T10:00:00.000000001Z", "1709892000 s 1 ns offset 0"},
    {"2024-03-08T10:00:00.999999999999Z", "1709892000 s 999999999 ns offset 0"},
    {"2024-03-08T10:00:00.1234567890123Z", "1709892000 s 123456789 ns offset 0"},
    {"2024-03-08T10:00:00.0Z", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00.0000000009Z", "1709892000 s 0 ns offset 0"},
    {"2024-03-08T10:00:00.25-01:00", "1709895600 s 250000000 ns offset -3600"},
    {"2024-02-29T03:14:08Z", "1709176448 s 0 ns offset 0"},
    {"2000-02-29T03:14:08Z", "951794048 s 0 ns offset 0"},
    {"1600-02-29T03:14:08Z", "-11670986752 s 0 ns offset 0"},
    {"2023-02-28T03:14:08Z", "1677554048 s 0 ns offset 0"},
    {"1900-02-28T03:14:08Z", "-2203965952 s 0 ns offset 0"},
    {"1900-03-01T03:14:08Z", "-2203879552 s 0 ns offset 0"},
    {"2000-03-01T03:14:08Z", "951880448 s 0 ns offset 0"},
    {"2100-02-28T03:14:08Z", "4107467648 s 0 ns offset 0"},
    {"2100-03-01T03:14:08Z", "4107554048 s 0 ns offset 0"},
    {"0001-01-01T03:14:08Z", "-62135585152 s 0 ns offset 0"},
    {"0004-02-29T03:14:08Z", "-62035879552 s 0 ns offset 0"},
    {"0100-03-01T03:14:08Z", "-59006349952 s 0 ns offset 0"},
    {"0400-02-29T03:14:08Z", "-49539329152 s 0 ns offset 0"},
    {"1582-10-10T03:14:08Z", "-12219713152 s 0 ns offset 0"},
    {"2038-01-19T03:14:08Z", "2147483648 s 0 ns offset 0"},
    {"2106-02-07T03:14:08Z", "4294955648 s 0 ns offset 0"},
    {"9999-12-31T03:14:08Z", "253402226048 s 0 ns offset 0"},
    {"1901-12-13T03:14:08Z", "-2147546752 s 0 ns offset 0"},
    {"2023-01-31T00:00:00Z", "1675123200 s 0 ns offset 0"},
    {"2023-02-28T00:00:00Z", "1677542400 s 0 ns offset 0"},
    {"2023-03-31T00:00:00Z", "1680220800 s 0 ns offset 0"},
    {"2023-04-30T00:00:00Z", "1682812800 s 0 ns offset 0"},
    {"2023-05-31T00:00:00Z", "1685491200 s 0 ns offset 0"},
    {"2023-06-30T00:00:00Z", "1688083200 s 0 ns offset 0"},
    {"2023-07-31T00:00:00Z", "1690761600 s 0 ns offset 0"},
    {"2023-08-31T00:00:00Z", "1693440000 s 0 ns offset 0"},
    {"2023-09-30T00:00:00Z", "1696032000 s 0 ns offset 0"},
    {"2023-10-31T00:00:00Z", "1698710400 s 0 ns offset 0"},
    {"2023-11-30T00:00:00Z", "1701302400 s 0 ns offset 0"},
    {"2023-12-31T00:00:00Z", "1703980800 s 0 ns offset 0"},
    {"0000-01-01T00:00:00Z", "-62167219200 s 0 ns offset 0"},
    {"0000-02-29T12:00:00Z", "-62162078400 s 0 ns offset 0"},
    {"0000-03-01T00:00:00Z", "-62162035200 s 0 ns offset 0"},
    {"0000-12-31T23:59:59Z", "-62135596801 s 0 ns offset 0"},
    {"0000-01-01T00:00:00+23:59", "-62167305540 s 0 ns offset 86340"},
    {"9999-12-31T23:59:59.999999999Z", "253402300799 s 999999999 ns offset 0"},
    {"9999-12-31T23:59:59-23:59", "253402387139 s 0 ns offset -86340"},
    {"2016-12-31T23:59:60Z", "1483228800 s 0 ns offset 0"},
    {"2016-12-31T23:59:60.5Z", "1483228800 s 500000000 ns offset 0"},
    {"2016-12-31T18:59:60-05:00", "1483228800 s 0 ns offset -18000"},
    {"2017-01-01T05:29:60+05:30", "1483228800 s 0 ns offset 19800"},
    {"2016-12-31T23:59:60", "1483228800 s 0 ns no offset"},
    {"1969-12-31T23:59:60Z", "0 s 0 ns offset 0"},
    {"2016-12-31T23:58:60Z", "none"},
    {"2016-12-31T22:59:60Z", "none"},
    {"2016-12-31T23:59:60-05:00", "none"},
    {"2016-12-31T23:59:61Z", "none"},
    {"2016-12-31T00:00:60Z", "none"},
    {"2024-02-30T00:00:00Z", "none"},
    {"2023-02-29T00:00:00Z", "none"},
    {"1900-02-29T00:00:00Z", "none"},
    {"2100-02-29T00:00:00Z", "none"},
    {"2024-04-31T00:00:00Z", "none"},
    {"2024-06-31T00:00:00Z", "none"},
    {"2024-09-31T00:00:00Z", "none"},
    {"2024-11-31T00:00:00Z", "none"},
    {"2024-01-32T00:00:00Z", "none"},
    {"2024-12-32T00:00:00Z", "none"},
    {"2024-13-01T00:00:00Z", "none"},
    {"2024-00-01T00:00:00Z", "none"},
    {"2024-01-00T00:00:00Z", "none"},
    {"2024-01-01T24:00:00Z", "none"},
    {"2024-01-01T23:60:00Z", "none"},
    {"2024-01-01T99:00:00Z", "none"},
    {"2024-03-08", "none"},
    {"2024-03-08T", "none"},
    {"2024-03-08T10", "none"},
    {"2024-03-08T10:00", "none"},
    {"2024-03-08T10:00Z", "none"},
    {"2024-03-08T10:00:0", "none"},
    {"2024-03-08T10:00:00.", "none"},
    {"2024-03-08T10:00:00.Z", "none"},
    {"2024-03-08T10:00:00,5Z", "none"},
    {"2024-03-08T10:00:00.5 Z", "none"},
    {"2024-03-08T10:00:00 Z", "none"},
    {"2024-03-08 10:00:00Z", "none"},
    {"2024-03-08_10:00:00Z", "none"},
    {"2024-3-08T10:00:00Z", "none"},
    {"2024-03-8T10:00:00Z", "none"},
    {"24-03-08T10:00:00Z", "none"},
    {"02024-03-08T10:00:00Z", "none"},
    {"+2024-03-08T10:00:00Z", "none"},
    {"-024-03-08T10:00:00Z", "none"},
    {"20240308T100000Z", "none"},
    {"2024/03/08T10:00:00Z", "none"},
    {"2024-03-08T10.00.00Z", "none"},
    {"2024-W10-5T10:00:00Z", "none"},
    {"2024-068T10:00:00Z", "none"},
    {"2024-03-08T10:00:00+0000", "none"},
    {"2024-03-08T10:00:00+00", "none"},
    {"2024-03-08T10:00:00+00:0", "none"},
    {"2024-03-08T10:00:00+0:00", "none"},
    {"2024-03-08T10:00:00+24:00", "none"},
    {"2024-03-08T10:00:00-24:00", "none"},
    {"2024-03-08T10:00:00+00:60", "none"},
    {"2024-03-08T10:00:00+99:99", "none"},
    {"2024-03-08T10:00:00+", "none"},
    {"2024-03-08T10:00:00-", "none"},
    {"2024-03-08T10:00:00+00:00:00", "none"},
    {"2024-03-08T10:00:00ZZ", "none"},
    {"2024-03-08T10:00:00Z ", "none"},
    {" 2024-03-08T10:00:00Z", "none"},
    {"2024-03-08T10:00:00UTC", "none"},
    {"2024-03-08T10:00:00GMT", "none"},
    {"2024-03-08T10:00:00EST", "none"},
    {"2024-03-08T10:00:00−05:00", "none"},
    {"2024-03-08T10:00:00Zulu", "none"},
    {"2024-03-08T10:00:00+05:30Z", "none"},
    {"2024-03-08T10:00:00Z+05:30", "none"},
    {"2024-03-08T-1:00:00Z", "none"},
    {"2024-03-08T+1:00:00Z", "none"},
    {"2024-03-08T 1:00:00Z", "none"},
    {"2024-03-08T10:00: 0Z", "none"},
    {"٢٠٢٤-03-08T10:00:00Z", "none"},
    {"Fri, 08 Mar 2024 10:00:00 GMT", "none"},
    {"03/08/2024 10:00:00", "none"},
    {"1709892000", "none"},
    {"/Date(1709892000000)/", "none"},
    {"today", "none"},
    {"null", "none"},
    {"Z", "none"},
    {"-", "none"},
};

static void check_datetime(const char *text, const char *expected) {
    reply_datetime datetime;
    char actual[128];
    char offset[32] = "no offset";
    char *exact = fixture_copy(text, strlen(text) + 1);
    memset(&datetime, 0xA5, sizeof datetime);
    datetime_parse(exact, &datetime);
    assert_ptr_equal(datetime.text, exact);
    if (datetime.has_utc_offset) {
        snprintf(offset, sizeof offset, "offset %d", (int)datetime.utc_offset_seconds);
    } else {
        assert_int_equal(datetime.utc_offset_seconds, 0);
    }
    if (datetime.has_time) {
        snprintf(actual, sizeof actual, "%lld s %d ns %s", (long long)datetime.unix_seconds,
                 (int)datetime.nanoseconds, offset);
    } else {
        assert_int_equal(datetime.unix_seconds, 0);
        assert_int_equal(datetime.nanoseconds, 0);
        assert_false(datetime.has_utc_offset);
        snprintf(actual, sizeof actual, "none");
    }
    free(exact);
    fixture_expect_text(text, expected, actual);
}

static void test_rfc3339_date_is_parsed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_datetime(cases[i].text, cases[i].expected);
    }
}

static void test_cut_date_has_no_time(void **state) {
    static const char whole[] = "2024-03-08T10:00:00.125+05:30";
    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char text[sizeof whole] = "";
        memcpy(text, whole, length);
        /* A text cut after the seconds, or after a digit of the fraction, is a date. */
        const bool is_date = length == 19 || (length >= 21 && length <= 23);
        const int nanoseconds[] = {100000000, 120000000, 125000000};
        reply_datetime datetime;
        datetime_parse(text, &datetime);
        assert_int_equal(datetime.has_time, is_date);
        assert_false(datetime.has_utc_offset);
        assert_int_equal(datetime.unix_seconds, is_date ? 1709892000 : 0);
        assert_int_equal(datetime.nanoseconds,
                         length >= 21 && is_date ? nanoseconds[length - 21] : 0);
    }
}

static void test_null_text_has_no_time(void **state) {
    reply_datetime datetime;
    (void)state;
    memset(&datetime, 0xA5, sizeof datetime);
    datetime_parse(NULL, &datetime);
    assert_null(datetime.text);
    assert_false(datetime.has_time);
    assert_false(datetime.has_utc_offset);
    assert_int_equal(datetime.unix_seconds, 0);
    assert_int_equal(datetime.nanoseconds, 0);
    assert_int_equal(datetime.utc_offset_seconds, 0);
}

static void check_day(int year, int month, int day, bool exists, int64_t expected) {
    char text[64];
    reply_datetime datetime;
    snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
    datetime_parse(text, &datetime);
    if (datetime.has_time != exists || datetime.unix_seconds != (exists ? expected : 0)) {
        fail_msg("%s: %d, %lld instead of %d, %lld", text, datetime.has_time,
                 (long long)datetime.unix_seconds, exists, (long long)expected);
    }
}

/* Compares with a count of days by the calendar's plain rule, over all years of four digits. The
 * days before the first and after the last of a month must be rejected. */
static void test_each_day_of_all_years_is_exact(void **state) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = -62167219200; /* 0000-01-01 */
    (void)state;
    for (int year = 0; year <= 9999; year++) {
        const bool is_leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            const int last = days[month - 1] + (month == 2 && is_leap ? 1 : 0);
            check_day(year, month, 0, false, 0);
            for (int day = 1; day <= last; day++) {
                check_day(year, month, day, true, expected);
                expected += 86400;
            }
            check_day(year, month, last + 1, false, 0);
        }
    }
    assert_true(expected == 253402300800);
}

/* ---- HTTP dates ---- */

static void check_http_date(const char *text, bool is_date, int64_t expected) {
    int64_t unix_seconds = 77;
    char *exact = fixture_copy(text, strlen(text) + 1);
    const bool is_parsed = datetime_parse_http_date(exact, &unix_seconds);
    free(exact);
    if (is_parsed != is_date || unix_seconds != (is_date ? expected : 77)) {
        fail_msg("\"%s\": %d, %lld", text, is_parsed, (long long)unix_seconds);
    }
}

static void test_http_date_is_parsed(void **state) {
    (void)state;
    for (size_t i = 0; i < http_date_count; i++) {
        check_http_date(http_dates[i].text, http_dates[i].is_date, http_dates[i].unix_seconds);
    }
    check_http_date("", false, 0);
}

static void test_cut_http_date_is_rejected(void **state) {
    static const char whole[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char text[sizeof whole] = "";
        memcpy(text, whole, length);
        check_http_date(text, false, 0);
    }
}

static void test_null_http_date_is_rejected(void **state) {
    int64_t unix_seconds = 77;
    (void)state;
    assert_false(datetime_parse_http_date(NULL, &unix_seconds));
    assert_int_equal(unix_seconds, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339_date_is_parsed),
        cmocka_unit_test(test_cut_date_has_no_time),
        cmocka_unit_test(test_null_text_has_no_time),
        cmocka_unit_test(test_each_day_of_all_years_is_exact),
        cmocka_unit_test(test_http_date_is_parsed),
        cmocka_unit_test(test_cut_http_date_is_rejected),
        cmocka_unit_test(test_null_http_date_is_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
