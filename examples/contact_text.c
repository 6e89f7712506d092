/* contact_text.c - members of a contact as text for people. */
#include "contact_text.h"

#include <stdio.h>
#include <time.h>

bool contact_text_has(const char *text) {
    return text != NULL && *text != '\0';
}

const char *contact_text_status(const reply_sequence_contact *contact) {
    return contact->status == REPLY_CONTACT_STATUS_UNKNOWN
               ? contact->status_text
               : reply_contact_status_name(contact->status);
}

bool contact_text_local_time(const reply_datetime *date, bool has_zone, char *text, size_t size) {
    const time_t when = (time_t)date->unix_seconds;
    struct tm local;
    if (!date->has_time || (int64_t)when != date->unix_seconds ||
        localtime_r(&when, &local) == NULL) {
        return false;
    }
    /* strftime's %Y has no leading zeros in glibc: year 1 would be "1". */
    const int length = snprintf(text, size, "%04ld", (long)local.tm_year + 1900);
    return strftime(text + length, size - (size_t)length,
                    has_zone ? "-%m-%d %H:%M %Z" : "-%m-%d %H:%M", &local) > 0;
}
