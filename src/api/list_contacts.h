/* list_contacts.h - where the next page of a list starts; pure. */
#ifndef REPLYIO_LIST_CONTACTS_H
#define REPLYIO_LIST_CONTACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros at the start of a list. */
struct list_position {
    int64_t skip;           /* items before the next page */
    int64_t accepted_count; /* items of the last accepted page */
    int64_t back_count;     /* items of the last step back; 0 if the last page was accepted */
    bool has_overlap;       /* the next page repeats items of the last accepted one */
    bool is_at_end;
    int64_t idle_page_count; /* accepted pages in a row without a new contact */
    int64_t idle_item_count; /* their items */
};

/* Returns true if more contacts have left the list than the overlap covers, so that the page at the
 * position cannot be accepted. is_first_delivered is for the page's first contact. */
bool list_must_step_back(const struct list_position *position, size_t item_count, bool has_more,
                         bool is_first_delivered);

/* Moves to before the last accepted page, and twice as far with each further step in a row. */
void list_step_back(struct list_position *position);

/* Moves past a page that was accepted. */
void list_accept_page(struct list_position *position, size_t item_count, bool has_new_contact,
                      bool has_more);

/* Returns true if too many accepted pages in a row have brought no new contact. */
bool list_is_stuck(const struct list_position *position, size_t delivered_count);

#endif
