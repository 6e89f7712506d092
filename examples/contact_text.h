/* contact_text.h - members of a contact as text for people. */
#ifndef CONTACT_TEXT_H
#define CONTACT_TEXT_H

#include <replyio.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns true if the text is neither NULL nor empty. */
bool contact_text_has(const char *text);

/* Returns the name of the contact's status, or the text as sent if the library does not know it.
 * The string belongs to the contact or the library. */
const char *contact_text_status(const reply_sequence_contact *contact);

/* Formats a date as 2024-03-09 14:30 in the user's local time zone. has_zone adds
 * the zone. Returns false if the date has no time, or one that cannot be formatted. */
bool contact_text_local_time(const reply_datetime *date, bool has_zone, char *text, size_t size);

#endif
