/* datetime.c - text to time: RFC 3339, and the IMF-fixdate of HTTP headers; pure. The C library's
 * own functions for times depend on the locale and the time zone of the host, so none is used. */
#include "decode/datetime.h"

#include <stddef.h>
#include <string.h>

struct civil_time {
    int year, month, day, hour, minute, second;
};

/* Takes exactly count digits. */
static bool take_number(const char **at, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *number = *number * 10 + (*(*at)++ - '0');
    }
    return true;
}

static bool take(const char **at, const char *text) {
    const size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0) {
        return false;
    }
    *at += length;
    return true;
}

/* Takes one of some names, and tells which. */
static bool take_name(const char **at, const char *const *names, int count, int *index) {
    for (*index = 0; *index < count; ++*index) {
        if (take(at, names[*index])) {
            return true;
        }
    }
    return false;
}

static bool is_leap_year(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar: the days of the whole years before it,
 * of the whole months, and its own.
 */
static int64_t days_since_1970(const struct civil_time *time) {
    static const int days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    /* Counted from the year -400, a whole cycle of the calendar before the earliest, so that no
     * division meets a negative. */
    const int64_t years = (int64_t)time->year + 400;
    const int64_t days_before_year =
        years * 365 + (years + 3) / 4 - (years + 99) / 100 + (years + 399) / 400;
    const int leap_day = time->month > 2 && is_leap_year(time->year) ? 1 : 0;
    const int64_t days_to_1970 = 865625;
    return days_before_year + days_before_month[time->month - 1] + leap_day + time->day - 1 -
           days_to_1970;
}

/* Whether there is such a day and such a time of day; a second of 60 is left to unix_seconds_of. */
static bool is_civil_time(const struct civil_time *time) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->month < 1 || time->month > 12) {
        return false;
    }
    const int leap_day = time->month == 2 && is_leap_year(time->year) ? 1 : 0;
    return time->day >= 1 && time->day <= days[time->month - 1] + leap_day && time->hour <= 23 &&
           time->minute <= 59 && time->second <= 60;
}

/* A leap second, which Unix time does not know, counts as the second after it; it can only be the
 * last one of a day in UTC. */
static bool unix_seconds_of(const struct civil_time *time, int utc_offset_seconds,
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

/* Takes the fraction of a second, if there is one: a point and at least one digit. */
static bool take_fraction(const char **at, int32_t *nanoseconds) {
    *nanoseconds = 0;
    if (!take(at, ".")) {
        return true;
    }
    const char *digits = *at;
    for (int32_t unit = 100000000; **at >= '0' && **at <= '9'; unit /= 10) {
        *nanoseconds += (*(*at)++ - '0') * unit;
    }
    return *at > digits;
}

/* Takes Z, or a sign, hours and minutes; or nothing where the text ends. */
static bool take_offset(const char **at, reply_datetime *datetime) {
    int hours = 0;
    int minutes = 0;
    datetime->has_utc_offset = **at != '\0';
    if (!datetime->has_utc_offset || take(at, "Z") || take(at, "z")) {
        return true;
    }
    const int sign = **at == '-' ? -1 : 1;
    if (!(take(at, "+") || take(at, "-")) || !take_number(at, 2, &hours) || !take(at, ":") ||
        !take_number(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    datetime->utc_offset_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

void datetime_read(const char *text, reply_datetime *datetime) {
    struct civil_time time;
    reply_datetime read = {.text = text, .has_time = true};
    const char *at = text;
    *datetime = (reply_datetime){.text = text};
    if (text != NULL && take_number(&at, 4, &time.year) && take(&at, "-") &&
        take_number(&at, 2, &time.month) && take(&at, "-") && take_number(&at, 2, &time.day) &&
        (take(&at, "T") || take(&at, "t")) && take_number(&at, 2, &time.hour) && take(&at, ":") &&
        take_number(&at, 2, &time.minute) && take(&at, ":") && take_number(&at, 2, &time.second) &&
        take_fraction(&at, &read.nanoseconds) && take_offset(&at, &read) && *at == '\0' &&
        unix_seconds_of(&time, read.utc_offset_seconds, &read.unix_seconds)) {
        *datetime = read;
    }
}

bool datetime_read_http_date(const char *text, int64_t *unix_seconds) {
    static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil_time time;
    int weekday = 0;
    const char *at = text;
    if (text == NULL || !take_name(&at, weekdays, 7, &weekday) || !take(&at, ", ") ||
        !take_number(&at, 2, &time.day) || !take(&at, " ") ||
        !take_name(&at, months, 12, &time.month) || !take(&at, " ") ||
        !take_number(&at, 4, &time.year) || !take(&at, " ") || !take_number(&at, 2, &time.hour) ||
        !take(&at, ":") || !take_number(&at, 2, &time.minute) || !take(&at, ":") ||
        !take_number(&at, 2, &time.second) || strcmp(at, " GMT") != 0) {
        return false;
    }
    time.month++;
    return unix_seconds_of(&time, 0, unix_seconds);
}
