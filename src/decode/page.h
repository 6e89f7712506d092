/* page.h - JSON to the items of a page of the list. */
#ifndef REPLYIO_PAGE_H
#define REPLYIO_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/contact.h"
#include "replyio.h"

struct page_item {
    int64_t contact_id;
    int64_t sequence_id; /* INT64_MIN if it has none */
    const char *json;
    size_t json_length;
};

struct page {
    struct page_item *items;
    size_t count;
    bool has_more;
    struct contact_members *members; /* of the first expected_count items */
    size_t expected_count;
};

/* Decodes a response with status 200 into *page, whose items point into the body. expected_count is
 * the number of items that were asked for, at least 1; further ones take longer to read. The caller
 * frees the page with page_free. The body may be NULL if length is 0; content_type and key may be
 * NULL. Errors: NO_MEMORY, and INVALID_RESPONSE if the body is not a page or has an item without a
 * valid contactId. */
reply_result page_decode_response(const char *body, size_t length, const char *content_type,
                                  const char *key, size_t expected_count, struct page **page,
                                  reply_error *error);

/* Decodes an item like contact_decode. */
reply_result page_read_item(const struct page *page, size_t index, reply_sequence_contact **contact,
                            reply_error *error);

/* Frees a page. page may be NULL. */
void page_free(struct page *page);

#endif
