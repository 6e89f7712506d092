/* fake_list.c - the service's list of a sequence, and calls that list it. */
#include "support/fake_list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check_error.h"
#include "support/fake_transport.h"

/* ---- The service ---- */

enum { ITEM_SIZE = 256 };

struct fake_list fake_list;

static size_t smaller(size_t one, size_t other) {
    return one < other ? one : other;
}

static size_t write_item(char *text, int64_t contact_id, int64_t sequence_id) {
    return (size_t)snprintf(text, ITEM_SIZE,
                            "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64
                            ",\"email\":\"p%" PRId64 "@private.example\",\"status\":\"Active\","
                            "\"currentStep\":%s,\"addingDate\":\"2024-03-08T10:00:00Z\","
                            "\"isOptedOut\":false}",
                            contact_id,
                            contact_id == fake_list.foreign_id ? sequence_id + 100 : sequence_id,
                            contact_id, contact_id == fake_list.broken_id ? "\"two\"" : "2");
}

static char *make_page(int64_t sequence_id, int64_t top, int64_t skip) {
    if (fake_list.on_page != NULL) {
        fake_list.on_page(fake_list.page_count, skip);
    }
    fake_list.page_count++;
    const size_t max = fake_list.max_page_count > 0 ? fake_list.max_page_count : SIZE_MAX;
    const size_t begin = fake_list.ignores_skip ? 0 : smaller((size_t)skip, fake_list.count);
    const size_t count = smaller(smaller((size_t)top, max), fake_list.count - begin);
    const bool has_more = fake_list.is_endless ? count > 0 : begin + count < fake_list.count;
    char *page = malloc((count + 1) * ITEM_SIZE);
    if (page == NULL) {
        abort();
    }
    size_t length = (size_t)sprintf(page, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        length += write_item(page + length, fake_list.ids[begin + i], sequence_id);
        page[length++] = ',';
    }
    length -= count > 0 ? 1 : 0;
    sprintf(page + length, "],\"hasMore\":%s}", has_more ? "true" : "false");
    return page;
}

void fake_list_begin(size_t count) {
    memset(&fake_list, 0, sizeof fake_list);
    fake_list_insert(0, 1, count);
    fake_script_pages(make_page);
}

void fake_list_insert(size_t position, int64_t first, size_t count) {
    assert_true(position <= fake_list.count && fake_list.count + count <= FAKE_LIST_MAX);
    memmove(fake_list.ids + position + count, fake_list.ids + position,
            (fake_list.count - position) * sizeof *fake_list.ids);
    for (size_t i = 0; i < count; i++) {
        fake_list.ids[position + i] = first + (int64_t)i;
    }
    fake_list.count += count;
}

void fake_list_remove(size_t position, size_t count) {
    position = smaller(position, fake_list.count);
    count = smaller(count, fake_list.count - position);
    fake_list.count -= count;
    memmove(fake_list.ids + position, fake_list.ids + position + count,
            (fake_list.count - position) * sizeof *fake_list.ids);
}

/* ---- Calls ---- */

static bool is_valid_contact(const reply_sequence_contact *contact) {
    char item[ITEM_SIZE];
    const size_t length = write_item(item, contact->contact_id, FAKE_LIST_SEQUENCE);
    return contact->sequence_id == FAKE_LIST_SEQUENCE && contact->json_length == length &&
           strcmp(contact->json, item) == 0;
}

static bool is_valid_delivery(const struct list_call *call, size_t index, reply_result result,
                              const reply_sequence_contact *contact, const reply_error *error) {
    if (!pthread_equal(call->thread, pthread_self()) || index != call->count || error == NULL ||
        error->result != result || (contact != NULL) != (result == REPLY_OK)) {
        return false;
    }
    if (result != REPLY_OK) {
        return error->http_status == 200 && strstr(error->message, "private") == NULL;
    }
    return is_valid_contact(contact) && error->message[0] == '\0' && error->http_status == 0 &&
           error->retry_after_ms == -1;
}

static int64_t read_id(const reply_sequence_contact *contact, const reply_error *error) {
    int64_t id = 0;
    if (contact != NULL) {
        return contact->contact_id;
    }
    sscanf(error->message, "contact %" SCNd64 " in sequence", &id);
    return id;
}

static int record_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                           const reply_error *error, void *user_data) {
    struct list_call *call = user_data;
    if (!is_valid_delivery(call, index, result, contact, error) || call->count == FAKE_LIST_MAX) {
        call->has_invalid_delivery = true;
        reply_sequence_contact_free(contact);
        return 1;
    }
    if (contact == NULL && call->error_count < FAKE_LIST_MAX_ERRORS) {
        call->errors[call->error_count++] = *error;
    }
    call->ids[call->count] = read_id(contact, error);
    call->times_ms[call->count] = fake_now_ms();
    call->attempts[call->count++] = error->attempts;
    reply_sequence_contact_free(contact);
    if (call->on_delivery != NULL) {
        call->on_delivery(call);
    }
    return call->count == call->stop_at ? -7 : 0;
}

void list_contacts(struct list_call *call) {
    call->thread = pthread_self();
    call->result = reply_list_sequence_contacts(call->client, FAKE_LIST_SEQUENCE, record_delivery,
                                                call, &call->error);
}

void list_all(struct list_call *call, reply_result result) {
    list_contacts(call);
    if (call->result != result) {
        print_message("%s\n", call->error.message);
    }
    assert_string_equal(reply_result_name(call->result), reply_result_name(result));
    assert_int_equal(call->error.result, result);
    assert_false(call->has_invalid_delivery);
    if (result == REPLY_OK) {
        expect_empty_error(&call->error);
        assert_int_equal(call->error.attempts, 0);
    } else {
        expect_one_line(&call->error);
    }
}

void expect_listed(const struct list_call *call, int64_t first, int64_t last) {
    assert_int_equal(call->count, last - first + 1);
    for (size_t i = 0; i < call->count; i++) {
        assert_int_equal(call->ids[i], first + (int64_t)i);
    }
}

static int compare_ids(const void *one, const void *other) {
    const int64_t a = *(const int64_t *)one;
    const int64_t b = *(const int64_t *)other;
    return a < b ? -1 : a > b;
}

void expect_listed_once(const struct list_call *call, const int64_t *ids, size_t count) {
    static int64_t sorted[FAKE_LIST_MAX];
    memcpy(sorted, call->ids, call->count * sizeof *sorted);
    qsort(sorted, call->count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < call->count; i++) {
        if (sorted[i] == sorted[i - 1]) {
            fail_msg("contact %" PRId64 " was delivered twice", sorted[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (bsearch(&ids[i], sorted, call->count, sizeof *sorted, compare_ids) == NULL) {
            fail_msg("contact %" PRId64 " was not delivered", ids[i]);
        }
    }
}

void expect_skips(const int64_t *skips, size_t count) {
    assert_int_equal(fake_count_events(FAKE_START), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fake_get_event(FAKE_START, i).contact_id, FAKE_PAGE(skips[i]));
    }
}
