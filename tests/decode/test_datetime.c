/* test_datetime.c - RFC 3339 and HTTP dates: fixtures/datetime holds a text and what it is read as
 * in each line. */
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

static void check_datetime(const char *text, const char *expected) {
    reply_datetime datetime;
    char actual[128];
    char offset[32] = "no offset";
    char *exact = fixture_copy(text, strlen(text) + 1);
    memset(&datetime, 0xA5, sizeof datetime);
    datetime_read(exact, &datetime);
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

static void reads_rfc3339(void **state) {
    (void)state;
    fixture_each_line("datetime/rfc3339.txt", check_datetime);
}

static void reads_no_part_of_a_date(void **state) {
    static const char whole[] = "2024-03-08T10:00:00.125+05:30";
    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char text[sizeof whole] = "";
        memcpy(text, whole, length);
        /* To the second, and to a fraction's digit, it is a date without an offset. */
        const bool is_whole = length == 19 || (length >= 21 && length <= 23);
        const int nanoseconds[] = {100000000, 120000000, 125000000};
        reply_datetime datetime;
        datetime_read(text, &datetime);
        assert_int_equal(datetime.has_time, is_whole);
        assert_false(datetime.has_utc_offset);
        assert_int_equal(datetime.unix_seconds, is_whole ? 1709892000 : 0);
        assert_int_equal(datetime.nanoseconds,
                         length >= 21 && is_whole ? nanoseconds[length - 21] : 0);
    }
}

static void reads_no_text_as_no_time(void **state) {
    reply_datetime datetime;
    (void)state;
    memset(&datetime, 0xA5, sizeof datetime);
    datetime_read(NULL, &datetime);
    assert_null(datetime.text);
    assert_false(datetime.has_time);
    assert_false(datetime.has_utc_offset);
    assert_int_equal(datetime.unix_seconds, 0);
    assert_int_equal(datetime.nanoseconds, 0);
    assert_int_equal(datetime.utc_offset_seconds, 0);
}

static void check_day(int year, int month, int day, bool is_there, int64_t expected) {
    char text[64];
    reply_datetime datetime;
    snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
    datetime_read(text, &datetime);
    if (datetime.has_time != is_there || datetime.unix_seconds != (is_there ? expected : 0)) {
        fail_msg("%s: %d, %lld instead of %d, %lld", text, datetime.has_time,
                 (long long)datetime.unix_seconds, is_there, (long long)expected);
    }
}

/* Days follow each other by 86,400 seconds over all years that four digits can write; counted by
 * the calendar's plain rule. There are no others. */
static void counts_each_day_of_all_years(void **state) {
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

static void check_http_date(const char *text, const char *expected) {
    int64_t unix_seconds = 77;
    char actual[64] = "none";
    char *exact = fixture_copy(text, strlen(text) + 1);
    if (datetime_read_http_date(exact, &unix_seconds)) {
        snprintf(actual, sizeof actual, "%lld", (long long)unix_seconds);
    } else {
        assert_int_equal(unix_seconds, 77);
    }
    free(exact);
    fixture_expect_text(text, expected, actual);
}

static void reads_http_dates(void **state) {
    (void)state;
    fixture_each_line("datetime/http.txt", check_http_date);
    check_http_date("", "none");
}

static void reads_no_part_of_an_http_date(void **state) {
    static const char whole[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char text[sizeof whole] = "";
        memcpy(text, whole, length);
        check_http_date(text, "none");
    }
}

static void reads_no_http_date_from_null(void **state) {
    int64_t unix_seconds = 77;
    (void)state;
    assert_false(datetime_read_http_date(NULL, &unix_seconds));
    assert_int_equal(unix_seconds, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rfc3339),
        cmocka_unit_test(reads_no_part_of_a_date),
        cmocka_unit_test(reads_no_text_as_no_time),
        cmocka_unit_test(counts_each_day_of_all_years),
        cmocka_unit_test(reads_http_dates),
        cmocka_unit_test(reads_no_part_of_an_http_date),
        cmocka_unit_test(reads_no_http_date_from_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
