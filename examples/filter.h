/* filter.h - which contacts of a sequence are listed. */
#ifndef FILTER_H
#define FILTER_H

#include <replyio.h>
#include <stdbool.h>

/* Zeros: all contacts. */
struct filter {
    bool is_opted_out;  /* only contacts that have opted out */
    const char *status; /* only contacts with this status, without regard to ASCII case; or NULL */
};

/* Returns true if the filter excludes any contact at all. */
bool filter_is_set(const struct filter *filter);

/* Returns true if the contact passes. A status that the library does not know is compared as
 * sent. */
bool filter_matches(const struct filter *filter, const reply_sequence_contact *contact);

#endif
