/* test_page_failures.c - pages when memory runs out. */
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

static bool is_realloc_failing;
static bool is_parse_failing;

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
        cmocka_unit_test(test_larger_page_needs_memory),
        cmocka_unit_test(test_escaped_names_need_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
