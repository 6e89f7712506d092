/* test_page_failures.c - pages when memory runs out. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "base/error.h"
#include "decode/page.h"
#include "support/check_range.h"

static bool is_realloc_failing;
static bool is_parse_failing;
static int allocations_left = INT_MAX; /* malloc and calloc fail when it is 0 */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size) {
    return allocations_left-- > 0 ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size) {
    return allocations_left-- > 0 ? __real_calloc(count, size) : NULL;
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size) {
    return is_realloc_failing ? NULL : __real_realloc(memory, size);
}

cJSON *__real_cJSON_ParseWithLength(const char *text, size_t length);
cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length);

cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length) {
    return is_parse_failing ? NULL : __real_cJSON_ParseWithLength(text, length);
}

static reply_result decode(const char *body, struct page **page) {
    reply_error error;
    const reply_result result =
        page_decode_response(body, strlen(body), NULL, NULL, 1, page, error_begin(&error, NULL));
    assert_int_equal(error.result, result);
    return result;
}

#define CONTACT(id)                                                                                \
    "{\"contactId\":" id ",\"sequenceId\":100,\"status\":\"Active\",\"currentStep\":2,"            \
    "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"

/* Each allocation fails once, until there is enough memory. Nothing may be left. */
static void test_page_needs_its_memory(void **state) {
    static const char body[] = "{\"items\":[" CONTACT("1") "," CONTACT("2") "],\"hasMore\":true}";
    struct page *page = NULL;
    reply_result result = REPLY_ERROR_NO_MEMORY;
    int count = 0;
    (void)state;
    while (result != REPLY_OK) {
        allocations_left = count++;
        result = decode(body, &page);
        allocations_left = INT_MAX;
        assert_true(result == REPLY_OK ? page != NULL : page == NULL);
        assert_true(result == REPLY_OK || result == REPLY_ERROR_NO_MEMORY);
    }
    check_in_range(count, 2, 4);
    assert_int_equal(page->count, 2);
    page_free(page);
}

/* Catches an item that cannot be decoded any more after it was out of memory once. */
static void test_item_needs_its_memory(void **state) {
    static const char body[] = "{\"items\":[" CONTACT("1") "," CONTACT("2") "],\"hasMore\":true}";
    struct page *page = NULL;
    (void)state;
    assert_int_equal(decode(body, &page), REPLY_OK);
    for (size_t i = 0; i < 2; i++) {
        reply_error error;
        reply_sequence_contact *contact = NULL;
        allocations_left = 0;
        assert_int_equal(page_read_item(page, i, &contact, error_begin(&error, NULL)),
                         REPLY_ERROR_NO_MEMORY);
        assert_null(contact);
        allocations_left = INT_MAX;
        assert_int_equal(page_read_item(page, i, &contact, error_begin(&error, NULL)), REPLY_OK);
        assert_int_equal(contact->contact_id, i + 1);
        reply_sequence_contact_free(contact);
    }
    page_free(page);
}

/* The page does not keep the fields of items beyond those asked for: their names are parsed again.
 */
static void test_escaped_item_names_need_memory(void **state) {
    static const char body[] = "{\"items\":[{\"contactId\":1,\"\\u0065mail\":null},{\"contactId\":"
                               "2,\"\\u0065mail\":null}],"
                               "\"hasMore\":true}";
    reply_error error;
    reply_sequence_contact *contact = NULL;
    struct page *page = NULL;
    (void)state;
    assert_int_equal(decode(body, &page), REPLY_OK);
    is_parse_failing = true;
    assert_int_equal(page_read_item(page, 1, &contact, error_begin(&error, NULL)),
                     REPLY_ERROR_NO_MEMORY);
    is_parse_failing = false;
    assert_null(contact);
    page_free(page);
}

/* More items than expected need more memory, which may not be there. */
static void test_larger_page_needs_memory(void **state) {
    static const char body[] = "{\"items\":[{\"contactId\":1},{\"contactId\":2},{\"contactId\":3}],"
                               "\"hasMore\":true}";
    struct page *page = NULL;
    (void)state;
    is_realloc_failing = true;
    assert_int_equal(decode(body, &page), REPLY_ERROR_NO_MEMORY);
    assert_null(page);
    is_realloc_failing = false;
    assert_int_equal(decode(body, &page), REPLY_OK);
    assert_int_equal(page->count, 3);
    assert_int_equal(page->items[2].contact_id, 3);
    page_free(page);
}

/* Names with escapes are parsed by cJSON: without memory nobody knows whether they are fields. */
static void test_escaped_names_need_memory(void **state) {
    static const char *const bodies[] = {
        "{\"items\":[{\"contact\\u0049d\":1}],\"hasMore\":true}",
        "{\"\\u0069tems\":[{\"contactId\":1}],\"hasMore\":true}",
        "{\"items\":[{\"contactId\":1}],\"has\\u004dore\":true}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct page *page = NULL;
        is_parse_failing = true;
        assert_int_equal(decode(bodies[i], &page), REPLY_ERROR_NO_MEMORY);
        assert_null(page);
        is_parse_failing = false;
        assert_int_equal(decode(bodies[i], &page), REPLY_OK);
        assert_int_equal(page->items[0].contact_id, 1);
        page_free(page);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_needs_its_memory),
        cmocka_unit_test(test_item_needs_its_memory),
        cmocka_unit_test(test_escaped_item_names_need_memory),
        cmocka_unit_test(test_larger_page_needs_memory),
        cmocka_unit_test(test_escaped_names_need_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
