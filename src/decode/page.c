/* page.c - JSON to the items of a page of the list. The text is scanned once: the scan notes where
 * the fields of each item are, and the item is decoded when it is delivered. For more items than
 * were asked for nothing is noted, because tiny ones would need many times the text's memory. */
#include "decode/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "decode/body.h"
#include "decode/json.h"
#include "decode/locked_cjson.h"
#include "decode/problem.h"

/* A page under construction. */
struct decoding {
    struct page *page;
    size_t capacity;
    struct contact_members *members; /* of the item that is scanned */
    size_t list_count;               /* members "items" that are arrays */
    size_t has_more_count;           /* members "hasMore" that are booleans */
    const char *fault;               /* the first; NULL if none */
    bool is_item_fault;
    size_t item_index; /* of the item that the fault is about */
    bool is_out_of_memory;
};

static bool has_name(struct decoding *decoding, const struct json_value *name,
                     const char *expected) {
    const size_t length = strlen(expected);
    if (!name->has_escape) {
        return name->length - 2 == length && memcmp(name->text + 1, expected, length) == 0;
    }
    if (!name->is_text) {
        return false;
    }
    cJSON *item = locked_cjson_parse(name);
    decoding->is_out_of_memory = decoding->is_out_of_memory || item == NULL;
    const bool is_equal = item != NULL && strcmp(item->valuestring, expected) == 0;
    locked_cjson_free(item);
    return is_equal;
}

static void note_fault(struct decoding *decoding, const char *fault, bool is_item_fault) {
    if (decoding->fault == NULL) {
        decoding->fault = fault;
        decoding->is_item_fault = is_item_fault;
        decoding->item_index = decoding->page->count;
    }
}

/* ---- Functions of the scan ---- */

static bool is_list(const struct json_value *name, void *context) {
    struct decoding *decoding = context;
    const bool is_items = has_name(decoding, name, "items");
    if (is_items && decoding->list_count++ > 0) {
        note_fault(decoding, "\"items\" is a duplicate", false);
    }
    return is_items;
}

static void keep_member(const struct json_value *name, const struct json_value *value,
                        void *context) {
    struct decoding *decoding = context;
    if (has_name(decoding, name, "items")) {
        note_fault(decoding, "\"items\" is not an array", false);
    } else if (has_name(decoding, name, "hasMore")) {
        decoding->page->has_more = value->kind == JSON_TRUE;
        if (value->kind != JSON_TRUE && value->kind != JSON_FALSE) {
            note_fault(decoding, "\"hasMore\" is not a boolean", false);
        }
        if (decoding->has_more_count++ > 0) {
            note_fault(decoding, "\"hasMore\" is a duplicate", false);
        }
    }
}

static bool grow(struct decoding *decoding) {
    struct page *page = decoding->page;
    const size_t capacity = decoding->capacity * 2;
    struct page_item *items = realloc(page->items, capacity * sizeof *items);
    if (items == NULL) {
        decoding->is_out_of_memory = true;
        return false;
    }
    page->items = items;
    decoding->capacity = capacity;
    return true;
}

static void *start_item(void *context) {
    struct decoding *decoding = context;
    struct page *page = decoding->page;
    if (page->count == decoding->capacity && !grow(decoding)) {
        return NULL;
    }
    const bool is_expected = page->count < page->expected_count;
    decoding->members = &page->members[is_expected ? page->count : page->expected_count];
    memset(decoding->members, 0, sizeof *decoding->members);
    return decoding->members;
}

/* After a fault no item is kept: the page is rejected, and tiny items would need many times the
 * text's memory. */
static void end_item(const struct json_value *value, void *context) {
    struct decoding *decoding = context;
    struct page_item *item = &decoding->page->items[decoding->page->count];
    if (decoding->members->is_out_of_memory) {
        decoding->is_out_of_memory = true;
    } else if (value->kind != JSON_OBJECT) {
        note_fault(decoding, "is not an object", true);
    } else if (!contact_read_contact_id(decoding->members, &item->contact_id)) {
        note_fault(decoding, "has no valid \"contactId\"", true);
    }
    if (decoding->fault != NULL) {
        return;
    }
    if (!contact_read_sequence_id(decoding->members, &item->sequence_id)) {
        item->sequence_id = INT64_MIN;
    }
    item->json = value->text;
    item->json_length = value->length;
    decoding->page->count++;
}

/* ---- The page ---- */

static reply_result reject(const struct decoding *decoding, reply_error *error) {
    char item[32] = "";
    if (decoding->is_item_fault) {
        snprintf(item, sizeof item, "item %zu ", decoding->item_index);
    }
    return error_set(error, REPLY_ERROR_INVALID_RESPONSE, "invalid page: %s%s; check the base URL",
                     item, decoding->fault);
}

static reply_result scan(struct decoding *decoding, const char *body, size_t length,
                         reply_error *error) {
    const struct json_visitor visitor = {is_list,  keep_member, start_item, contact_keep_member,
                                         end_item, decoding};
    struct json_document document;
    struct json_fault fault;
    const bool is_json = json_scan_items(body, length, &visitor, &document, &fault);
    if (decoding->is_out_of_memory) {
        return error_set_no_memory(error);
    }
    if (!is_json) {
        return error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                         "invalid page: not JSON at byte %zu (%s); check the base URL",
                         fault.offset, fault.reason);
    }
    if (decoding->list_count == 0) {
        note_fault(decoding, "\"items\" is missing", false);
    }
    if (decoding->has_more_count == 0) {
        note_fault(decoding, "\"hasMore\" is missing", false);
    }
    return decoding->fault != NULL ? reject(decoding, error) : REPLY_OK;
}

/* Makes an empty page with room for the expected items. Returns NULL if out of memory. */
static struct page *make_page(size_t expected_count) {
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL) {
        return NULL;
    }
    page->expected_count = expected_count;
    page->items = malloc(expected_count * sizeof *page->items);
    page->members = malloc((expected_count + 1) * sizeof *page->members); /* one for all others */
    if (page->items == NULL || page->members == NULL) {
        page_free(page);
        return NULL;
    }
    return page;
}

reply_result page_decode_response(const char *body, size_t length, const char *content_type,
                                  const char *key, size_t expected_count, struct page **page,
                                  reply_error *error) {
    *page = NULL;
    if (!body_is_object(body, length)) {
        return body_reject(body, length, content_type, key, "a page of contacts", error);
    }
    struct decoding decoding = {.page = make_page(expected_count), .capacity = expected_count};
    if (decoding.page == NULL) {
        return error_set_no_memory(error);
    }
    if (scan(&decoding, body, length, error) == REPLY_OK) {
        *page = decoding.page;
        return REPLY_OK;
    }
    page_free(decoding.page);
    if (error->result == REPLY_ERROR_INVALID_RESPONSE) {
        problem_keep_code(body, length, key, error);
    }
    return error->result;
}

reply_result page_read_item(const struct page *page, size_t index, reply_sequence_contact **contact,
                            reply_error *error) {
    const struct page_item *item = &page->items[index];
    return index < page->expected_count
               ? contact_read(&page->members[index], item->json, item->json_length, contact, error)
               : contact_decode(item->json, item->json_length, contact, error);
}

void page_free(struct page *page) {
    if (page != NULL) {
        free(page->items);
        free(page->members);
        free(page);
    }
}
