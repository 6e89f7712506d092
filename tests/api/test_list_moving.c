/* test_list_moving.c - a list that changes while it is read, on a fake transport: each contact that
 * is in it during the whole call is delivered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/check_error.h"
#include "support/fake_list.h"
#include "support/fake_transport.h"
#include "replyio.h"

enum { PAGE_SIZE_COUNT = 3 };

static const int32_t page_sizes[PAGE_SIZE_COUNT] = {10, 50, 1000};

/* The contacts that have been in the list during the whole call. */
static int64_t stayed[FAKE_LIST_MAX];
static size_t stayed_count;

/* Keeps of the stayed contacts those that are in the list. */
static void note_stayed(void) {
    static bool is_listed[FAKE_LIST_MAX];
    size_t count = 0;
    memset(is_listed, 0, sizeof is_listed);
    for (size_t i = 0; i < fake_list.count; i++) {
        if (fake_list.ids[i] < FAKE_LIST_MAX) {
            is_listed[fake_list.ids[i]] = true;
        }
    }
    for (size_t i = 0; i < stayed_count; i++) {
        if (is_listed[stayed[i]]) {
            stayed[count++] = stayed[i];
        }
    }
    stayed_count = count;
}

static void begin(void **state, int32_t page_size, size_t count) {
    fake_teardown(state);
    fake_setup(state);
    assert_int_equal(reply_client_set_page_size(*state, page_size, NULL), REPLY_OK);
    fake_list_begin(count);
    stayed_count = count;
    memcpy(stayed, fake_list.ids, count * sizeof *stayed);
}

static void expect_stayed_once(struct list_call *call, reply_client *client) {
    memset(call, 0, sizeof *call);
    call->client = client;
    list_all(call, REPLY_OK);
    expect_listed_once(call, stayed, stayed_count);
}

/* ---- One by one ---- */

/* One change for each page. */
static struct {
    size_t remove_at, insert_at; /* SIZE_MAX: no change; SIZE_MAX - 1: at the page's first item */
    int64_t next_id;
} drift;

static size_t find_position(size_t position, int64_t skip) {
    if (position == SIZE_MAX - 1) {
        position = (size_t)skip;
    }
    return position < fake_list.count ? position : fake_list.count;
}

static void drift_list(size_t nth, int64_t skip) {
    if (nth > 0 && drift.remove_at != SIZE_MAX) {
        fake_list_remove(find_position(drift.remove_at, skip), 1);
    }
    if (nth > 0 && nth < 1000 && drift.insert_at != SIZE_MAX) {
        fake_list_insert(find_position(drift.insert_at, skip), drift.next_id++, 1);
    }
    note_stayed();
}

/* Catches a contact that is missed because another one left or came. */
static void test_drifting_list_is_complete(void **state) {
    static struct list_call call;
    static const struct {
        size_t remove_at, insert_at;
    } rows[] = {
        {SIZE_MAX, SIZE_MAX},     /* nothing changes */
        {0, SIZE_MAX},            /* the first contact leaves */
        {5, SIZE_MAX},            /* one before the border leaves */
        {SIZE_MAX - 1, SIZE_MAX}, /* the one at the border leaves */
        {SIZE_MAX, 0},            /* contacts are added in front */
        {SIZE_MAX, SIZE_MAX - 1}, /* contacts are added at the border */
        {SIZE_MAX, 7000},         /* contacts are added at the end */
        {0, 0},
        {3, 7000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows * PAGE_SIZE_COUNT; i++) {
        const int32_t page_size = page_sizes[i % PAGE_SIZE_COUNT];
        begin(state, page_size, page_size == 1000 ? 6500 : 400);
        drift.remove_at = rows[i / PAGE_SIZE_COUNT].remove_at;
        drift.insert_at = rows[i / PAGE_SIZE_COUNT].insert_at;
        drift.next_id = 100000;
        fake_list.on_page = drift_list;
        expect_stayed_once(&call, *state);
    }
}

/* ---- At once ---- */

/* One change, when a page from a position on is requested. */
static struct {
    bool is_done;
    int64_t from_skip;
    size_t before; /* contacts to remove before the page's first item */
    size_t behind; /* from that item on */
    size_t insert_count;
} change;

static void change_list(size_t nth, int64_t skip) {
    (void)nth;
    if (change.is_done || skip < change.from_skip) {
        return;
    }
    change.is_done = true;
    fake_list_remove((size_t)skip - change.before, change.before + change.behind);
    fake_list_insert(0, 100000, change.insert_count);
    note_stayed();
}

static void list_with_change(struct list_call *call, void **state, int32_t page_size) {
    begin(state, page_size, 6000);
    change.is_done = false;
    fake_list.on_page = change_list;
    expect_stayed_once(call, *state);
    assert_true(change.is_done);
}

/* Catches a page that is accepted beyond a gap. */
static void test_mass_removal_misses_nobody(void **state) {
    static struct list_call call;
    static const struct {
        int64_t from_skip;
        size_t before, behind;
    } rows[] = {
        {2000, 1500, 0}, {2000, 0, 1500}, {2000, 750, 750}, {2000, 1499, 1},   {2000, 1, 1499},
        {5400, 1500, 0}, {5400, 0, 1500}, {5400, 900, 600}, {5300, 1600, 700},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows * PAGE_SIZE_COUNT; i++) {
        change.from_skip = rows[i / PAGE_SIZE_COUNT].from_skip;
        change.before = rows[i / PAGE_SIZE_COUNT].before;
        change.behind = rows[i / PAGE_SIZE_COUNT].behind;
        change.insert_count = 0;
        list_with_change(&call, state, page_sizes[i % PAGE_SIZE_COUNT]);
    }
}

static void test_import_misses_nobody(void **state) {
    static struct list_call call;
    change.from_skip = 1800;
    change.before = 0;
    change.behind = 0;
    change.insert_count = 600;
    for (size_t i = 0; i < PAGE_SIZE_COUNT; i++) {
        list_with_change(&call, state, page_sizes[i]);
        /* Those in front of the page are not seen. */
        assert_int_equal(stayed_count, 6000);
    }
}

/* Catches steps of the wrong length: 1,500 contacts leave before the page at 2,700. */
static void test_step_back_follows_contract(void **state) {
    static struct list_call call;
    change.from_skip = 2700;
    change.before = 1500;
    change.behind = 0;
    change.insert_count = 0;
    list_with_change(&call, state, 1000);
    EXPECT_SKIPS(0, 900, 1800, 2700, 1700, 0, 900, 1800, 2700, 3600);
}

static void empty_list(size_t nth, int64_t skip) {
    (void)skip;
    if (nth == 2) {
        fake_list_remove(0, fake_list.count);
    }
}

/* Catches a list that ends in an error or never if all contacts leave. */
static void test_list_may_become_empty(void **state) {
    static struct list_call call;
    begin(state, 10, 30);
    fake_list.on_page = empty_list;
    stayed_count = 0;
    expect_stayed_once(&call, *state);
    expect_listed(&call, 1, 19);
    EXPECT_SKIPS(0, 9, 18, 8, 0);
}

static void cut_list(size_t nth, int64_t skip) {
    (void)skip;
    if (nth == 2) {
        fake_list_remove(15, fake_list.count);
    }
}

/* Catches an empty last page that ends the list without a look at what moved up. */
static void test_empty_last_page_steps_back(void **state) {
    static struct list_call call;
    begin(state, 10, 30);
    fake_list.on_page = cut_list;
    stayed_count = 15;
    expect_stayed_once(&call, *state);
    expect_listed(&call, 1, 19);
    EXPECT_SKIPS(0, 9, 18, 8);
}

static void return_contact(size_t nth, int64_t skip) {
    (void)skip;
    if (nth == 1) {
        fake_list_remove(0, 1);
    } else if (nth == 2) {
        fake_list_insert(0, 1, 1);
    }
}

/* Catches a contact that is delivered twice because it left and came back. */
static void test_returning_contact_is_delivered_once(void **state) {
    static struct list_call call;
    begin(state, 10, 50);
    fake_list.on_page = return_contact;
    expect_stayed_once(&call, *state);
    expect_listed(&call, 1, 50);
}

/* ---- Services that depart from their documentation ---- */

static void test_short_pages_are_accepted(void **state) {
    static struct list_call call;
    static const size_t counts[] = {1, 2, 3, 7, 9};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        begin(state, 10, 50);
        fake_list.max_page_count = counts[i];
        expect_stayed_once(&call, *state);
        expect_listed(&call, 1, 50);
    }
}

/* Catches a limit on the items of a page. */
static void test_page_may_exceed_page_size(void **state) {
    static struct list_call call;
    begin(state, 10, 0);
    char body[4096] = "{\"items\":[";
    for (int i = 1; i <= 30; i++) {
        char item[16];
        strcat(body, "{\"contactId\":");
        snprintf(item, sizeof item, "%d},", i);
        strcat(body, item);
    }
    strcpy(body + strlen(body) - 1, "],\"hasMore\":false}");
    FAKE_SCRIPT(FAKE_PAGE(0), {.body = body});
    call.client = *state;
    list_all(&call, REPLY_OK);
    expect_listed(&call, 1, 30);
}

/* Catches requests without end. */
static void test_ignored_skip_ends_call(void **state) {
    static struct list_call call;
    begin(state, 10, 50);
    fake_list.ignores_skip = true;
    call.client = *state;
    list_all(&call, REPLY_ERROR_INVALID_RESPONSE);
    expect_listed(&call, 1, 10);
    assert_int_equal(fake_list.page_count, 21);
    expect_error(&call.error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    expect_words(&call.error, "contacts of sequence 100 from 180: "); /* the last page */
    expect_words(&call.error, "the last 20 bring no new contact");
}

static size_t repeated_count;

static void repeat_first_items(size_t nth, int64_t skip) {
    (void)skip;
    if (nth == 1) {
        fake_list.ignores_skip = true;
        fake_list.max_page_count = repeated_count;
    }
}

/* Catches a limit of the rule that is off by one: 100 contacts are delivered, and 20 pages may have
 * 300 items. */
static void test_stuck_list_ends_at_limits(void **state) {
    static struct list_call call;
    static const struct {
        size_t item_count, page_count;
    } rows[] = {{15, 1 + 21}, {16, 1 + 20}, {100, 1 + 20}, {1, 1 + 301}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(state, 100, 200);
        fake_list.on_page = repeat_first_items;
        repeated_count = rows[i].item_count;
        memset(&call, 0, sizeof call);
        call.client = *state;
        list_all(&call, REPLY_ERROR_INVALID_RESPONSE);
        expect_listed(&call, 1, 100);
        assert_int_equal(fake_list.page_count, rows[i].page_count);
    }
}

static size_t last_page;

static void repeat_then_end(size_t nth, int64_t skip) {
    repeat_first_items(nth, skip);
    if (nth == last_page) {
        fake_list_remove(repeated_count, fake_list.count);
    }
}

/* Catches an exception from the rule for the page that ends the list: 100 contacts are delivered,
 * and hasMore is false on the last page without a new one. */
static void test_stuck_rule_includes_last_page(void **state) {
    static struct list_call call;
    static const struct {
        size_t item_count, page_count;
        reply_result result;
    } rows[] = {
        {100, 19, REPLY_OK}, {100, 20, REPLY_ERROR_INVALID_RESPONSE},
        {15, 20, REPLY_OK},  {15, 21, REPLY_ERROR_INVALID_RESPONSE},
        {16, 19, REPLY_OK},  {16, 20, REPLY_ERROR_INVALID_RESPONSE},
        {1, 300, REPLY_OK},  {1, 301, REPLY_ERROR_INVALID_RESPONSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(state, 100, 200);
        fake_list.on_page = repeat_then_end;
        repeated_count = rows[i].item_count;
        last_page = rows[i].page_count;
        memset(&call, 0, sizeof call);
        call.client = *state;
        list_all(&call, rows[i].result);
        expect_listed(&call, 1, 100);
        assert_int_equal(fake_list.page_count, 1 + rows[i].page_count);
    }
}

static void test_repeated_contact_is_delivered_once(void **state) {
    static struct list_call call;
    begin(state, 10, 50);
    fake_list_insert(3, 3, 1);  /* beside itself */
    fake_list_insert(35, 2, 1); /* on another page */
    fake_list_insert(45, 51, 1);
    fake_list_insert(47, 51, 1);
    memcpy(stayed, fake_list.ids, fake_list.count * sizeof *stayed);
    stayed_count = fake_list.count;
    expect_stayed_once(&call, *state);
    assert_int_equal(call.count, 51);
}

/* Catches a list that never ends if the service promises more until it gives an empty page. */
static void test_endless_promise_ends_call(void **state) {
    static struct list_call call;
    begin(state, 10, 12);
    fake_list.is_endless = true;
    call.client = *state;
    list_all(&call, REPLY_ERROR_INVALID_RESPONSE);
    expect_listed(&call, 1, 12);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_drifting_list_is_complete),
        TEST(test_mass_removal_misses_nobody),
        TEST(test_import_misses_nobody),
        TEST(test_step_back_follows_contract),
        TEST(test_list_may_become_empty),
        TEST(test_empty_last_page_steps_back),
        TEST(test_returning_contact_is_delivered_once),
        TEST(test_short_pages_are_accepted),
        TEST(test_page_may_exceed_page_size),
        TEST(test_ignored_skip_ends_call),
        TEST(test_stuck_list_ends_at_limits),
        TEST(test_stuck_rule_includes_last_page),
        TEST(test_repeated_contact_is_delivered_once),
        TEST(test_endless_promise_ends_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
