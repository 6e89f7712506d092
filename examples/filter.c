/* filter.c - which contacts of a sequence are listed. */
#include "filter.h"

#include <stddef.h>

static int to_lower(int character) {
    return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character;
}

/* strcasecmp depends on the locale. */
static bool equals_ignoring_case(const char *left, const char *right) {
    while (*left != '\0' && to_lower(*left) == to_lower(*right)) {
        left++;
        right++;
    }
    return *left == *right;
}

bool filter_is_set(const struct filter *filter) {
    return filter->is_opted_out || filter->status != NULL;
}

bool filter_matches(const struct filter *filter, const reply_sequence_contact *contact) {
    return (!filter->is_opted_out || contact->is_opted_out) &&
           (filter->status == NULL || equals_ignoring_case(filter->status, contact->status_text));
}
