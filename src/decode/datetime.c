/* datetime.c - RFC 3339 dates and HTTP dates; pure. The C library's own functions for times are not
 * used, because they depend on the host's locale and time zone. */
#include "decode/datetime.h"

#include <stddef.h>
#include <string.h>

struct civil_time {
    int year, month, day, hour, minute, second;
};

/* ---- The calendar ---- */

static bool is_leap_year(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Returns the days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_since_1970(const struct civil_time *time) {
    static const int days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    /* Counted from the year -400, one whole cycle of the calendar before the year 0, because the
     * divisions round as needed only for positive numbers. */
    const int64_t years = (int64_t)time->year + 400;
    const int64_t days_before_year =
        years * 365 + (years + 3) / 4 - (years + 99) / 100 + (years + 399) / 400;
    const int leap_day = time->month > 2 && is_leap_year(time->year) ? 1 : 0;
    const int64_t days_to_1970 = 865625;
    return days_before_year + days_before_month[time->month - 1] + leap_day + time->day - 1 -
           days_to_1970;
}

/* A second of 60 is left to convert_to_unix_seconds. */
static bool is_civil_time(const struct civil_time *time) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->month < 1 || time->month > 12) {
        return false;
    }
    const int leap_day = time->month == 2 && is_leap_year(time->year) ? 1 : 0;
    return time->day >= 1 && time->day <= days[time->month - 1] + leap_day && time->hour <= 23 &&
           time->minute <= 59 && time->second <= 60;
}

/* Unix time has no leap seconds: one counts as the second after it. A leap second can only be the
 * last second of a day in UTC. */
static bool convert_to_unix_seconds(const struct civil_time *time, int utc_offset_seconds,
                                    int64_t *unix_seconds) {
    if (!is_civil_time(time)) {
        return false;
    }
    const int second_of_day = time->hour * 3600 + time->minute * 60 + time->second;
    const int64_t seconds = days_since_1970(time) * 86400 + second_of_day - utc_offset_seconds;
    if (time->second == 60 && seconds % 86400 != 0) {
        return false;
    }
    *unix_seconds = seconds;
    return true;
}

/* ---- Parts of a date: each function advances *at past what it has read ---- */

static bool parse_digits(const char **at, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *number = *number * 10 + (*(*at)++ - '0');
    }
    return true;
}

static bool skip_byte(const char **at, char byte) {
    if (**at != byte) {
        return false;
    }
    ++*at;
    return true;
}

static bool skip_text(const char **at, const char *text) {
    const size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0) {
        return false;
    }
    *at += length;
    return true;
}

static bool parse_name(const char **at, const char *const *names, int count, int *index) {
    for (*index = 0; *index < count; ++*index) {
        if (skip_text(at, names[*index])) {
            return true;
        }
    }
    return false;
}

/* YYYY-MM-DD */
static bool parse_date(const char **at, struct civil_time *time) {
    return parse_digits(at, 4, &time->year) && skip_byte(at, '-') &&
           parse_digits(at, 2, &time->month) && skip_byte(at, '-') &&
           parse_digits(at, 2, &time->day);
}

/* HH:MM:SS */
static bool parse_time_of_day(const char **at, struct civil_time *time) {
    return parse_digits(at, 2, &time->hour) && skip_byte(at, ':') &&
           parse_digits(at, 2, &time->minute) && skip_byte(at, ':') &&
           parse_digits(at, 2, &time->second);
}

/* An optional point with at least one digit. */
static bool parse_fraction(const char **at, int32_t *nanoseconds) {
    *nanoseconds = 0;
    if (!skip_byte(at, '.')) {
        return true;
    }
    const char *digits = *at;
    for (int32_t unit = 100000000; **at >= '0' && **at <= '9'; unit /= 10) {
        *nanoseconds += (*(*at)++ - '0') * unit;
    }
    return *at > digits;
}

/* Z, or a sign with HH:MM, or the end of the text. */
static bool parse_offset(const char **at, reply_datetime *datetime) {
    int hours = 0;
    int minutes = 0;
    datetime->has_utc_offset = **at != '\0';
    if (!datetime->has_utc_offset || skip_byte(at, 'Z') || skip_byte(at, 'z')) {
        return true;
    }
    const int sign = **at == '-' ? -1 : 1;
    if (!(skip_byte(at, '+') || skip_byte(at, '-')) || !parse_digits(at, 2, &hours) ||
        !skip_byte(at, ':') || !parse_digits(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    datetime->utc_offset_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* ---- Dates ---- */

static bool parse_rfc3339(const char *text, reply_datetime *datetime) {
    struct civil_time time;
    const char *at = text;
    if (!parse_date(&at, &time) || !(skip_byte(&at, 'T') || skip_byte(&at, 't')) ||
        !parse_time_of_day(&at, &time) || !parse_fraction(&at, &datetime->nanoseconds) ||
        !parse_offset(&at, datetime)) {
        return false;
    }
    datetime->has_time = *at == '\0' && convert_to_unix_seconds(&time, datetime->utc_offset_seconds,
                                                                &datetime->unix_seconds);
    return datetime->has_time;
}

void datetime_parse(const char *text, reply_datetime *datetime) {
    reply_datetime parsed = {.text = text};
    *datetime = parsed;
    if (text != NULL && parse_rfc3339(text, &parsed)) {
        *datetime = parsed;
    }
}

bool datetime_parse_http_date(const char *text, int64_t *unix_seconds) {
    static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil_time time;
    int weekday = 0;
    const char *at = text;
    if (text == NULL || !parse_name(&at, weekdays, 7, &weekday) || !skip_text(&at, ", ") ||
        !parse_digits(&at, 2, &time.day) || !skip_byte(&at, ' ') ||
        !parse_name(&at, months, 12, &time.month) || !skip_byte(&at, ' ') ||
        !parse_digits(&at, 4, &time.year) || !skip_byte(&at, ' ') ||
        !parse_time_of_day(&at, &time) || strcmp(at, " GMT") != 0) {
        return false;
    }
    time.month++;
    return convert_to_unix_seconds(&time, 0, unix_seconds);
}
