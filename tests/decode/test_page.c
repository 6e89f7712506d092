/* test_page.c - pages of the list. JSON's syntax is tested in test_json.c, and a contact's fields
 * in test_contact.c. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "decode/page.h"
#include "support/check_range.h"
#include "support/fixture.h"

#define KEY "k3y-Secret"

/* ---- Running a case ---- */

/* Decodes an exact copy of the body, which the caller frees after the page. */
static struct page *decode(const char *body, size_t length, size_t expected_count, char **copy,
                           reply_error *error) {
    struct page *page = (struct page *)error; /* a valid address, which must be overwritten */
    *copy = fixture_copy(body, length);
    const reply_result result = page_decode_response(
        *copy, length, "application/json", KEY, expected_count, &page, error_begin(error, NULL));
    assert_int_equal(result, error->result);
    assert_true((result == REPLY_OK) == (page != NULL));
    return page;
}

/* Writes whether there are more pages, then each item's ids and text, one per line. */
static void describe(const struct page *page, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s\n", page->has_more ? "more" : "last");
    for (size_t i = 0; i < page->count; i++) {
        const struct page_item *item = &page->items[i];
        used += (size_t)snprintf(text + used, size - used, "%" PRId64 ", %" PRId64 ": %.*s\n",
                                 item->contact_id, item->sequence_id, (int)item->json_length,
                                 item->json);
        assert_true(used < size);
    }
}

static void expect_page(const char *name, const char *body, size_t length, size_t expected_count,
                        const char *expected) {
    reply_error error;
    char *copy = NULL;
    char actual[4096];
    struct page *page = decode(body, length, expected_count, &copy, &error);
    fixture_expect_no_error(name, &error);
    describe(page, actual, sizeof actual);
    fixture_expect_text(name, expected, actual);
    page_free(page);
    free(copy);
}

static void expect_rejected(const char *name, const char *body, size_t length, const char *words) {
    reply_error error;
    char *copy = NULL;
    assert_null(decode(body, length, 10, &copy, &error));
    fixture_expect_error(name, &error, REPLY_ERROR_INVALID_RESPONSE, words);
    free(copy);
}

/* ---- Pages ---- */

#define NO_SEQUENCE "-9223372036854775808"

static const struct valid_case {
    const char *name;
    const char *body;
    size_t length;
    const char *expected;
} valid_cases[] = {
    {"empty", TEXT("{\"items\":[],\"hasMore\":false}"), "last\n"},
    {"empty with more", TEXT("{\"items\":[],\"hasMore\":true}"), "more\n"},
    {"one item", TEXT("{\"items\":[{\"contactId\":7,\"sequenceId\":100}],\"hasMore\":true}"),
     "more\n7, 100: {\"contactId\":7,\"sequenceId\":100}\n"},
    {"other order", TEXT("{\"hasMore\":true,\"items\":[{\"sequenceId\":100,\"contactId\":7}]}"),
     "more\n7, 100: {\"sequenceId\":100,\"contactId\":7}\n"},
    {"order of items",
     TEXT("{\"items\":[{\"contactId\":9},{\"contactId\":1},{\"contactId\":5}],\"hasMore\":false}"),
     "last\n"
     "9, " NO_SEQUENCE ": {\"contactId\":9}\n"
     "1, " NO_SEQUENCE ": {\"contactId\":1}\n"
     "5, " NO_SEQUENCE ": {\"contactId\":5}\n"},
    {"contact twice", TEXT("{\"items\":[{\"contactId\":9},{\"contactId\":9}],\"hasMore\":false}"),
     "last\n"
     "9, " NO_SEQUENCE ": {\"contactId\":9}\n"
     "9, " NO_SEQUENCE ": {\"contactId\":9}\n"},
    {"whitespace", TEXT(" \r\n{ \"items\" :\t[ { \"contactId\" : 7 } ] , \"hasMore\" : false } \n"),
     "last\n7, " NO_SEQUENCE ": { \"contactId\" : 7 }\n"},
    {"byte order mark", TEXT("\xEF\xBB\xBF{\"items\":[{\"contactId\":7}],\"hasMore\":false}"),
     "last\n7, " NO_SEQUENCE ": {\"contactId\":7}\n"},

    /* Members of the page. */
    {"escaped names",
     TEXT("{\"\\u0069tems\":[{\"contactI\\u0064\":7,\"\\u0073equenceId\":100}],"
          "\"has\\u004dore\":true}"),
     "more\n7, 100: {\"contactI\\u0064\":7,\"\\u0073equenceId\":100}\n"},
    {"escaped names that are no text",
     TEXT("{\"items\\u0000\":1,\"hasMore\\ud800\":1,\"items\":[],\"hasMore\":true}"), "more\n"},
    {"similar names",
     TEXT("{\"Items\":1,\"item\":[1],\"itemss\":[{}],\"hasmore\":[],\"hasMor\":1,\"hasMore \":1,"
          "\"\":[2],\"items\":[],\"hasMore\":false}"),
     "last\n"},
    {"unknown members",
     TEXT("{\"a\":null,\"b\":[[],[{\"items\":7}],{}],\"total\":-1.5e+9,\"items\":[],"
          "\"c\":{\"items\":[1],\"hasMore\":{}},\"hasMore\":false,\"d\":\"\\u0000\\udc00\"}"),
     "last\n"},
    {"duplicate unknown members",
     TEXT("{\"a\":1,\"items\":[],\"a\":[],\"hasMore\":false,\"a\":{}}"), "last\n"},

    /* Items: a fault in any field but the contact's id is found when the item is delivered. */
    {"item with other faults",
     TEXT("{\"items\":[{\"contactId\":7,\"sequenceId\":\"x\",\"email\":1,\"email\":2}],"
          "\"hasMore\":false}"),
     "last\n7, " NO_SEQUENCE ": {\"contactId\":7,\"sequenceId\":\"x\",\"email\":1,\"email\":2}\n"},
    {"duplicate sequence id",
     TEXT("{\"items\":[{\"contactId\":7,\"sequenceId\":1,\"sequenceId\":1}],\"hasMore\":false}"),
     "last\n7, " NO_SEQUENCE ": {\"contactId\":7,\"sequenceId\":1,\"sequenceId\":1}\n"},
    {"null sequence id",
     TEXT("{\"items\":[{\"contactId\":7,\"sequenceId\":null}],\"hasMore\":false}"),
     "last\n7, " NO_SEQUENCE ": {\"contactId\":7,\"sequenceId\":null}\n"},
    {"unknown members of item",
     TEXT("{\"items\":[{\"items\":[{\"contactId\":1}],\"x\":{\"contactId\":2},\"contactId\":7,"
          "\"y\":[[\"contactId\"]]}],\"hasMore\":false}"),
     "last\n7, " NO_SEQUENCE
     ": {\"items\":[{\"contactId\":1}],\"x\":{\"contactId\":2},\"contactId\":7,"
     "\"y\":[[\"contactId\"]]}\n"},
    {"extreme ids",
     TEXT("{\"items\":[{\"contactId\":9223372036854775807},{\"contactId\":-9223372036854775808},"
          "{\"contactId\":0},{\"contactId\":-0}],\"hasMore\":false}"),
     "last\n"
     "9223372036854775807, " NO_SEQUENCE ": {\"contactId\":9223372036854775807}\n"
     "-9223372036854775808, " NO_SEQUENCE ": {\"contactId\":-9223372036854775808}\n"
     "0, " NO_SEQUENCE ": {\"contactId\":0}\n"
     "0, " NO_SEQUENCE ": {\"contactId\":-0}\n"},
};

static void test_valid_page_is_decoded(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid_cases / sizeof *valid_cases; i++) {
        const struct valid_case *row = &valid_cases[i];
        expect_page(row->name, row->body, row->length, 10, row->expected);
    }
}

/* Room that is too small or missing must grow without losing an item. */
static void test_any_expected_count_is_enough(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid_cases / sizeof *valid_cases; i++) {
        for (size_t expected_count = 1; expected_count < 5; expected_count++) {
            const struct valid_case *row = &valid_cases[i];
            expect_page(row->name, row->body, row->length, expected_count, row->expected);
        }
    }
}

static const struct invalid_case {
    const char *name;
    const char *body;
    size_t length;
    const char *words;
} invalid_cases[] = {
    /* The page's members. */
    {"no members", TEXT("{}"), "invalid page: \"items\" is missing; check the base URL"},
    {"no items", TEXT("{\"hasMore\":true}"), "invalid page: \"items\" is missing"},
    {"no hasMore", TEXT("{\"items\":[]}"), "invalid page: \"hasMore\" is missing"},
    {"null items", TEXT("{\"items\":null,\"hasMore\":true}"),
     "invalid page: \"items\" is not an array"},
    {"items are an object", TEXT("{\"items\":{},\"hasMore\":true}"),
     "invalid page: \"items\" is not an array"},
    {"items are a string", TEXT("{\"items\":\"[]\",\"hasMore\":true}"),
     "invalid page: \"items\" is not an array"},
    {"items are a boolean", TEXT("{\"items\":false,\"hasMore\":true}"),
     "invalid page: \"items\" is not an array"},
    {"null hasMore", TEXT("{\"items\":[],\"hasMore\":null}"),
     "invalid page: \"hasMore\" is not a boolean"},
    {"hasMore is a number", TEXT("{\"items\":[],\"hasMore\":1}"),
     "invalid page: \"hasMore\" is not a boolean"},
    {"hasMore is a string", TEXT("{\"items\":[],\"hasMore\":\"false\"}"),
     "invalid page: \"hasMore\" is not a boolean"},
    {"hasMore is an array", TEXT("{\"items\":[],\"hasMore\":[true]}"),
     "invalid page: \"hasMore\" is not a boolean"},
    {"duplicate items", TEXT("{\"items\":[],\"hasMore\":true,\"items\":[]}"),
     "invalid page: \"items\" is a duplicate"},
    {"duplicate items, one escaped", TEXT("{\"items\":[],\"hasMore\":true,\"item\\u0073\":[]}"),
     "invalid page: \"items\" is a duplicate"},
    {"duplicate items, first null", TEXT("{\"items\":null,\"hasMore\":true,\"items\":[]}"),
     "invalid page: \"items\" is not an array"},
    {"duplicate items, second null", TEXT("{\"items\":[],\"hasMore\":true,\"items\":null}"),
     "invalid page: \"items\" is not an array"},
    {"duplicate hasMore", TEXT("{\"hasMore\":true,\"items\":[],\"hasMore\":true}"),
     "invalid page: \"hasMore\" is a duplicate"},
    {"duplicate hasMore, one escaped",
     TEXT("{\"hasMore\":true,\"items\":[],\"\\u0068asMore\":true}"),
     "invalid page: \"hasMore\" is a duplicate"},

    /* Items that are not objects. */
    {"null item", TEXT("{\"items\":[null],\"hasMore\":false}"), "item 0 is not an object"},
    {"number item", TEXT("{\"items\":[{\"contactId\":1},7],\"hasMore\":false}"),
     "item 1 is not an object"},
    {"string item", TEXT("{\"items\":[\"{}\"],\"hasMore\":false}"), "item 0 is not an object"},
    {"boolean item", TEXT("{\"items\":[true],\"hasMore\":false}"), "item 0 is not an object"},
    {"array item", TEXT("{\"items\":[{\"contactId\":1},{\"contactId\":1},[]],\"hasMore\":false}"),
     "item 2 is not an object"},
    {"array of an object", TEXT("{\"items\":[[{\"contactId\":1}]],\"hasMore\":false}"),
     "item 0 is not an object"},

    /* Items that are about nobody. */
    {"no contact id", TEXT("{\"items\":[{\"contactId\":1},{}],\"hasMore\":false}"),
     "invalid page: item 1 has no valid \"contactId\"; check the base URL"},
    {"other case", TEXT("{\"items\":[{\"contactid\":7}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"null contact id", TEXT("{\"items\":[{\"contactId\":null}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"string contact id", TEXT("{\"items\":[{\"contactId\":\"7\"}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"fraction as contact id", TEXT("{\"items\":[{\"contactId\":7.0}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"exponent in contact id", TEXT("{\"items\":[{\"contactId\":7e0}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"too large contact id",
     TEXT("{\"items\":[{\"contactId\":9223372036854775808}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"too small contact id",
     TEXT("{\"items\":[{\"contactId\":-9223372036854775809}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"long contact id",
     TEXT("{\"items\":[{\"contactId\":" TIMES_60("1") "1111}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"duplicate contact id",
     TEXT("{\"items\":[{\"contactId\":7,\"contactId\":7}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"duplicate contact id, one escaped",
     TEXT("{\"items\":[{\"contactId\":7,\"\\u0063ontactId\":7}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},
    {"contact id of an earlier item",
     TEXT("{\"items\":[{\"contactId\":7},{\"sequenceId\":1}],\"hasMore\":false}"),
     "item 1 has no valid \"contactId\""},
    {"nested contact id", TEXT("{\"items\":[{\"x\":{\"contactId\":7}}],\"hasMore\":false}"),
     "item 0 has no valid \"contactId\""},

    /* The first fault is named. */
    {"two faults", TEXT("{\"items\":[{\"contactId\":7},{},null],\"hasMore\":1}"),
     "item 1 has no valid \"contactId\""},
    {"fault after hasMore", TEXT("{\"hasMore\":1,\"items\":[{}]}"),
     "invalid page: \"hasMore\" is not a boolean"},

    /* Not JSON, or not a page. */
    {"text after page", TEXT("{\"items\":[],\"hasMore\":true}x"),
     "not JSON at byte 27 (text after the document)"},
    {"missing comma", TEXT("{\"items\":[{\"contactId\":1}{}],\"hasMore\":true}"),
     "not JSON at byte 25 (expected a comma or ])"},
    {"comma after last item", TEXT("{\"items\":[{\"contactId\":1},],\"hasMore\":true}"),
     "not JSON at byte 26 (expected a value)"},
    {"comma after last member", TEXT("{\"items\":[],\"hasMore\":true,}"),
     "not JSON at byte 27 (expected a name)"},
    {"comma after last member of item", TEXT("{\"items\":[{\"contactId\":1,}],\"hasMore\":true}"),
     "not JSON at byte 25 (expected a name)"},
    {"invalid UTF-8 in item",
     TEXT("{\"items\":[{\"contactId\":1,\"x\":\"\xFF\"}],\"hasMore\":true}"),
     "not JSON at byte 30 (invalid UTF-8)"},
    {"two byte order marks", TEXT("\xEF\xBB\xBF\xEF\xBB\xBF{\"items\":[],\"hasMore\":true}"),
     "without a page of contacts"},
    {"array", TEXT("[{\"contactId\":1}]"), "without a page of contacts\nstarts with an array"},
    {"HTML", TEXT("<html>hello</html>"), "without a page of contacts\nstarts with HTML"},
    {"empty", TEXT(""), "without a page of contacts\n0 bytes, starts with nothing"},
};

static void test_invalid_page_is_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof invalid_cases / sizeof *invalid_cases; i++) {
        const struct invalid_case *row = &invalid_cases[i];
        expect_rejected(row->name, row->body, row->length, row->words);
    }
}

/* A page that is cut must never pass for a shorter one. */
static void test_cut_page_is_rejected(void **state) {
    static const char body[] =
        "{\"x\":[{}],\"items\":[{\"contactId\":1,\"sequenceId\":100,\"email\":\"\\u0061\","
        "\"y\":[{\"z\":null}]},{\"contactId\":2}],\"hasMore\":false}";
    (void)state;
    for (size_t length = 1; length < sizeof body - 1; length++) {
        char name[32];
        char words[64];
        snprintf(name, sizeof name, "cut at %zu", length);
        snprintf(words, sizeof words, "not JSON at byte %zu", length);
        expect_rejected(name, body, length, words);
    }
}

/* The message may not contain the text of a rejected page, which is about persons. */
static void test_rejected_page_is_not_quoted(void **state) {
    static const char body[] = "{\"items\":[{\"email\":\"ada@private.example\"}],\"hasMore\":false,"
                               "\"code\":\"" KEY " 17\"}";
    reply_error error;
    char *copy = NULL;
    (void)state;
    assert_null(decode(body, sizeof body - 1, 10, &copy, &error));
    assert_null(strstr(error.message, "ada"));
    assert_string_equal(error.problem_code, "\xE2\x80\xA6 17");
    free(copy);
}

/* A service can send a problem document with status 200. */
static void test_code_of_problem_is_kept(void **state) {
    static const char body[] = "{\"title\":\"Limit\",\"code\":\"sequence.locked\"}";
    reply_error error;
    char *copy = NULL;
    (void)state;
    assert_null(decode(body, sizeof body - 1, 10, &copy, &error));
    assert_string_equal(error.problem_code, "sequence.locked");
    free(copy);
}

/* ---- Nesting ---- */

/* Writes a page whose only item has arrays, so that the deepest one is at the given level. */
static size_t write_deep_page(char *body, size_t size, size_t level) {
    const size_t array_count = level - 3; /* below the page, its items and the item */
    char open[JSON_MAX_DEPTH + 8];
    char closed[JSON_MAX_DEPTH + 8];
    memset(open, '[', array_count);
    memset(closed, ']', array_count);
    return (size_t)snprintf(body, size,
                            "{\"items\":[{\"x\":%.*s%.*s,\"contactId\":1}],\"hasMore\":true}",
                            (int)array_count, open, (int)array_count, closed);
}

static void test_nesting_is_counted_from_page(void **state) {
    char body[4096];
    reply_error error;
    char *copy = NULL;
    (void)state;
    const size_t length = write_deep_page(body, sizeof body, JSON_MAX_DEPTH);
    struct page *page = decode(body, length, 10, &copy, &error);
    fixture_expect_no_error("512 levels", &error);
    page_free(page);
    free(copy);
    expect_rejected("513 levels", body, write_deep_page(body, sizeof body, JSON_MAX_DEPTH + 1),
                    "nested more than 512 levels deep");
}

/* ---- Items ---- */

static void check_contacts(size_t expected_count) {
    static const char body[] =
        "{\"items\":["
        "{\"contactId\":1,\"sequenceId\":100,\"email\":\"a\\u0040b.example\",\"icpScore\":0.5,"
        "\"status\":\"Active\",\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00+00:00\","
        "\"isOptedOut\":true,\"title\":\"CEO\"},"
        "{\"isOptedOut\":false,\"addingDate\":\"x\",\"currentStep\":3,\"status\":\"Paused\","
        "\"sequenceId\":200,\"contactId\":2}"
        "],\"hasMore\":false}";
    reply_error error;
    char *copy = NULL;
    reply_sequence_contact *contacts[2] = {NULL, NULL};
    struct page *page = decode(body, sizeof body - 1, expected_count, &copy, &error);
    assert_int_equal(page->count, 2);
    for (size_t i = 0; i < page->count; i++) {
        assert_int_equal(page_read_item(page, i, &contacts[i], &error), REPLY_OK);
    }
    page_free(page);
    free(copy); /* a contact has its own copy of everything */
    assert_string_equal(contacts[0]->email, "a@b.example");
    assert_string_equal(contacts[0]->title, "CEO");
    assert_true(contacts[0]->is_opted_out && contacts[0]->has_icp_score);
    assert_int_equal(contacts[0]->status, REPLY_CONTACT_STATUS_ACTIVE);
    assert_int_equal(contacts[1]->contact_id, 2);
    assert_int_equal(contacts[1]->sequence_id, 200);
    assert_null(contacts[1]->email);
    assert_null(contacts[1]->title);
    assert_false(contacts[1]->is_opted_out || contacts[1]->has_icp_score);
    assert_int_equal(contacts[1]->status, REPLY_CONTACT_STATUS_PAUSED);
    assert_string_equal(contacts[1]->json,
                        "{\"isOptedOut\":false,\"addingDate\":\"x\",\"currentStep\":3,\"status\":"
                        "\"Paused\",\"sequenceId\":200,\"contactId\":2}");
    assert_int_equal(contacts[1]->json_length, strlen(contacts[1]->json));
    reply_sequence_contact_free(contacts[0]);
    reply_sequence_contact_free(contacts[1]);
}

/* An item is decoded from what the scan of the page has noted: nothing of another item may show. Of
 * an item beyond those that were asked for nothing is noted. */
static void test_items_decode_to_their_contacts(void **state) {
    (void)state;
    for (size_t expected_count = 1; expected_count <= 3; expected_count++) {
        check_contacts(expected_count);
    }
}

/* ---- Memory ---- */

static size_t largest_block;

void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_realloc(void *block, size_t size) {
    largest_block = size > largest_block ? size : largest_block;
    return __real_realloc(block, size);
}

enum { TINY_COUNT = 100000 };

/* Writes a page that has an item many times. Returns its length. */
static size_t write_tiny_items(char *body, const char *item) {
    size_t length = (size_t)sprintf(body, "{\"items\":[%s", item);
    for (int i = 1; i < TINY_COUNT; i++) {
        length += (size_t)sprintf(body + length, ",%s", item);
    }
    return length + (size_t)sprintf(body + length, "],\"hasMore\":true}");
}

/* A page of many tiny items, far more than were asked for, must not need many times its size. */
static void test_tiny_items_need_little_memory(void **state) {
    static char body[TINY_COUNT * 16 + 64];
    reply_error error;
    char *copy = NULL;
    const size_t length = write_tiny_items(body, "{\"contactId\":1}");
    (void)state;
    largest_block = 0;
    struct page *page = decode(body, length, 1000, &copy, &error);
    fixture_expect_no_error("tiny items", &error);
    assert_int_equal(page->count, TINY_COUNT);
    check_in_range(largest_block, length / 2, 4 * length);
    page_free(page);
    free(copy);
}

/* What is rejected can be smaller than any valid item: nothing may be kept of it. */
static void test_rejected_items_need_no_memory(void **state) {
    static const char *const items[] = {"0", "{}", "{\"contactId\":\"\"}"};
    static char body[TINY_COUNT * 20 + 64];
    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        const size_t length = write_tiny_items(body, items[i]);
        largest_block = 0;
        expect_rejected(items[i], body, length, "item 0 ");
        assert_int_equal(largest_block, 0);
    }
}

static void test_null_page_is_freed(void **state) {
    (void)state;
    page_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_page_is_decoded),
        cmocka_unit_test(test_any_expected_count_is_enough),
        cmocka_unit_test(test_invalid_page_is_rejected),
        cmocka_unit_test(test_cut_page_is_rejected),
        cmocka_unit_test(test_rejected_page_is_not_quoted),
        cmocka_unit_test(test_code_of_problem_is_kept),
        cmocka_unit_test(test_nesting_is_counted_from_page),
        cmocka_unit_test(test_items_decode_to_their_contacts),
        cmocka_unit_test(test_tiny_items_need_little_memory),
        cmocka_unit_test(test_rejected_items_need_no_memory),
        cmocka_unit_test(test_null_page_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
