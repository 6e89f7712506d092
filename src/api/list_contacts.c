/* list_contacts.c - all contacts of a sequence, page by page, and where the next page starts.
 * Pages are only offsets into a list that changes, so they overlap: a page that starts with a
 * contact that was delivered shows that no contact has been missed. */
#include "api/list_contacts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id_set.h"
#include "base/random.h"
#include "decode/page.h"
#include "dispatch/request.h"
#include "dispatch/response.h"

enum { MAX_PAGE_SIZE = 16 * 1024 * 1024 };

/* ---- Where the next page starts (pure) ---- */

void list_accept_page(struct list_position *position, size_t item_count, bool has_new_contact,
                      bool has_more) {
    const int64_t count = (int64_t)item_count;
    const int64_t overlap = count <= 1 ? 0 : count < 10 ? 1 : count / 10;
    position->skip += count - overlap;
    position->has_overlap = overlap > 0;
    position->accepted_count = count;
    position->back_count = 0;
    position->is_at_end = !has_more;
    position->idle_page_count = has_new_contact ? 0 : position->idle_page_count + 1;
    position->idle_item_count = has_new_contact ? 0 : position->idle_item_count + count;
}

void list_step_back(struct list_position *position) {
    position->back_count =
        position->back_count == 0 ? position->accepted_count : position->back_count * 2;
    position->skip =
        position->skip > position->back_count ? position->skip - position->back_count : 0;
}

bool list_must_step_back(const struct list_position *position, size_t item_count, bool has_more,
                         bool is_first_delivered) {
    if (position->skip == 0) {
        return false;
    }
    if (item_count == 0) {
        return !has_more;
    }
    return (position->has_overlap || position->back_count > 0) && !is_first_delivered;
}

bool list_is_stuck(const struct list_position *position, size_t delivered_count) {
    return position->idle_page_count >= 20 &&
           position->idle_item_count > 3 * (int64_t)delivered_count;
}

/* ---- The call ---- */

struct list {
    int64_t sequence_id;
    int64_t page_size;
    const char *api_key;
    reply_contact_fn on_contact;
    void *user_data;
    struct list_position position; /* of the next page */
    int64_t skip;                  /* of the page that was requested last */
    struct id_set delivered;
    size_t delivered_count;
    bool is_pending; /* a page was requested and is not delivered yet */
    struct page *page;
    bool is_begun; /* the page's deliveries */
    size_t next_item;
    reply_error details; /* of the page's response, for items that cannot be decoded */
    reply_error end;     /* the error that ended the list; REPLY_OK if none */
};

static bool has_next(const void *context) {
    const struct list *list = context;
    return !list->is_pending && !list->position.is_at_end && list->end.result == REPLY_OK;
}

static bool next(void *context, struct dispatch_request *request, reply_error *error) {
    struct list *list = context;
    (void)error;
    request->max_body_size = MAX_PAGE_SIZE;
    list->skip = list->position.skip;
    snprintf(request->path, REQUEST_PATH_SIZE,
             "/sequences/%" PRId64 "/contacts?top=%" PRId64 "&skip=%" PRId64, list->sequence_id,
             list->page_size, list->skip);
    list->is_pending = true;
    return true;
}

/* ---- Pages ---- */

static bool is_delivered(const struct list *list, const struct page_item *item) {
    return id_set_contains(&list->delivered, item->contact_id);
}

static bool has_new_contact(const struct list *list, const struct page *page) {
    for (size_t i = 0; i < page->count; i++) {
        if (!is_delivered(list, &page->items[i])) {
            return true;
        }
    }
    return false;
}

/* Returns true if the page is for another request: its connection is out of step. */
static bool is_of_other_sequence(const struct list *list, const struct page *page) {
    for (size_t i = 0; i < page->count; i++) {
        const int64_t sequence_id = page->items[i].sequence_id;
        if (sequence_id == list->sequence_id || sequence_id == INT64_MIN) {
            return false;
        }
    }
    return page->count > 0;
}

/* Moves the position past the page, and keeps the page if it is accepted. */
static void place_page(struct list *list, struct page *page, reply_error *error) {
    struct list_position *position = &list->position;
    list->page = NULL;
    if (page->count == 0 && page->has_more) {
        error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                  "invalid page: no items, but \"hasMore\" is true; check the base URL");
    } else if (list_must_step_back(position, page->count, page->has_more,
                                   page->count > 0 && is_delivered(list, &page->items[0]))) {
        list_step_back(position);
    } else {
        list_accept_page(position, page->count, has_new_contact(list, page), page->has_more);
        list->page = page;
        list->is_begun = false;
        list->next_item = 0;
        /* The page that ends the list is included: hasMore is not reliable if the service has
         * repeated its pages for so long. */
        if (list_is_stuck(position, list->delivered_count)) {
            error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                      "invalid pages: the last %" PRId64
                      " bring no new contact; check the base URL",
                      position->idle_page_count);
        }
    }
}

static enum dispatch_verdict decode(void *context, const struct dispatch_request *request,
                                    const struct transport_response *response, void **result,
                                    reply_error *error) {
    struct list *list = context;
    struct page *page = NULL;
    enum dispatch_verdict verdict = DISPATCH_ACCEPT;
    (void)request;
    error_begin(&list->details, NULL);
    response_add_details(response, list->api_key, clock_unix_seconds(), &list->details);
    page_decode_response(response->body, response->body_length, response->content_type,
                         list->api_key, (size_t)list->page_size, &page, error);
    if (page != NULL) {
        verdict = is_of_other_sequence(list, page) ? DISPATCH_RETIRE : DISPATCH_ACCEPT;
        place_page(list, page, error);
    }
    if (error->result != REPLY_OK) {
        response_add_details(response, list->api_key, clock_unix_seconds(), error);
        list->page = NULL;
    }
    if (list->page == NULL) {
        page_free(page);
    }
    *result = list->page;
    return verdict;
}

/* ---- Deliveries ---- */

static reply_sequence_contact *read_item(const struct list *list, size_t index,
                                         reply_error *error) {
    reply_sequence_contact *contact = NULL;
    page_read_item(list->page, index, &contact, error);
    if (contact != NULL && contact->sequence_id != list->sequence_id) {
        error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                  "invalid contact: field \"sequenceId\" is %" PRId64 "; check the base URL",
                  contact->sequence_id);
        contact_discard(contact);
        contact = NULL;
    }
    return contact;
}

static enum dispatch_next deliver_item(struct list *list, size_t index, int32_t attempt_count) {
    reply_error error;
    error_begin(&error, NULL);
    reply_sequence_contact *contact = read_item(list, index, &error);
    if (contact == NULL) {
        error.http_status = list->details.http_status;
        error.retry_after_ms = list->details.retry_after_ms;
        memcpy(error.request_id, list->details.request_id, sizeof error.request_id);
        error_prefix(&error, "contact %" PRId64 " in sequence %" PRId64 ": ",
                     list->page->items[index].contact_id, list->sequence_id);
    }
    error.attempts = attempt_count;
    const int stop =
        list->on_contact(list->delivered_count++, error.result, contact, &error, list->user_data);
    return stop == 0 ? DISPATCH_MORE : DISPATCH_STOP;
}

static void end_list(struct list *list, const reply_error *error) {
    list->end = *error;
    error_prefix(&list->end, "contacts of sequence %" PRId64 " from %" PRId64 ": ",
                 list->sequence_id, list->skip);
}

/* Delivers the next item of a page that has not been delivered, or ends the page. */
static enum dispatch_next deliver(void *context, size_t index, void *result, reply_error *error) {
    struct list *list = context;
    struct page *page = result;
    (void)index;
    if (page != NULL && !list->is_begun) {
        list->is_begun = true;
        return DISPATCH_MORE; /* an interrupt that has come meanwhile ends the call first */
    }
    while (page != NULL && list->next_item < page->count) {
        const size_t item_index = list->next_item++;
        const struct page_item *item = &page->items[item_index];
        if (is_delivered(list, item)) {
            continue;
        }
        if (!id_set_add(&list->delivered, item->contact_id)) {
            error_set_no_memory(error);
            break;
        }
        const enum dispatch_next following = deliver_item(list, item_index, error->attempts);
        if (following == DISPATCH_STOP) {
            page_free(page);
        }
        return following;
    }
    if (error->result != REPLY_OK) {
        end_list(list, error);
    }
    page_free(page);
    list->is_pending = false;
    return DISPATCH_DONE;
}

static void discard(void *result) {
    page_free(result);
}

reply_result reply_list_sequence_contacts(reply_client *client, int64_t sequence_id,
                                          reply_contact_fn on_contact, void *user_data,
                                          reply_error *error) {
    static const struct dispatch_functions functions = {has_next, next, decode, deliver, discard};
    reply_error spare;
    error = error_begin(error, &spare);
    if (!call_check_arguments(client, on_contact == NULL ? "on_contact" : NULL, sequence_id,
                              error)) {
        return error->result;
    }
    struct list list = {.sequence_id = sequence_id,
                        .page_size = client->page_size,
                        .api_key = client->settings.api_key,
                        .on_contact = on_contact,
                        .user_data = user_data,
                        .delivered = {.seed = random_bits()}};
    error_begin(&list.end, NULL);
    call_run(client, &functions, &list, 0, error);
    if (list.end.result != REPLY_OK) {
        *error = list.end;
    }
    id_set_free(&list.delivered);
    return error->result;
}
