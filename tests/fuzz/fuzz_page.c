/* fuzz_page.c - any bytes as a page of the list. Each item must lie in the body, and must decode to
 * the same contact, or to the same error, as if its text had come alone. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "decode/page.h"
#include "fuzz.h"
#include "fuzz_contact.h"

static void check_item(const struct page *page, size_t index) {
    const struct page_item *item = &page->items[index];
    reply_sequence_contact *contact = NULL;
    reply_sequence_contact *alone = NULL;
    reply_error error;
    reply_error error_alone;
    const reply_result result = page_read_item(page, index, &contact, error_begin(&error, NULL));
    const reply_result result_alone =
        reply_decode_sequence_contact(item->json, item->json_length, &alone, &error_alone);
    FUZZ_CHECK(result == result_alone);
    if (result == REPLY_OK) {
        fuzz_check_contact(contact);
        FUZZ_CHECK(contact->contact_id == item->contact_id &&
                   contact->sequence_id == item->sequence_id);
        FUZZ_CHECK(fuzz_is_same_contact(contact, alone));
    } else {
        FUZZ_CHECK(result == REPLY_ERROR_INVALID_RESPONSE && contact == NULL);
        FUZZ_CHECK(strcmp(error.message, error_alone.message) == 0);
        fuzz_check_message(error.message);
    }
    reply_sequence_contact_free(contact);
    reply_sequence_contact_free(alone);
}

static void check_page(const struct page *page, const char *body, size_t size) {
    const char *end = body;
    for (size_t i = 0; i < page->count; i++) {
        const struct page_item *item = &page->items[i];
        FUZZ_CHECK(item->json >= end && item->json_length >= 2 && item->json[0] == '{' &&
                   item->json[item->json_length - 1] == '}');
        end = item->json + item->json_length;
        FUZZ_CHECK(end <= body + size);
        check_item(page, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct page *page = NULL;
    reply_error error;
    /* A copy of the exact size, so that AddressSanitizer reports a read past the end. */
    char *body = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(body != NULL);
    if (size > 0) {
        memcpy(body, data, size);
    }
    const reply_result result =
        page_decode_response(body, size, NULL, NULL, 2, &page, error_begin(&error, NULL));
    if (result == REPLY_OK) {
        check_page(page, body, size);
    } else {
        FUZZ_CHECK(result == REPLY_ERROR_INVALID_RESPONSE && page == NULL);
        fuzz_check_message(error.message);
    }
    page_free(page);
    free(body);
    return 0;
}
