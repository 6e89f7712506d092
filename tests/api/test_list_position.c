/* test_list_position.c - where the next page of a list starts, as pure functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/list_contacts.h"

/* Catches an overlap that is rounded up, missing for short pages or kept for a single item. */
static void test_overlap_is_tenth_of_items(void **state) {
    static const struct {
        size_t item_count;
        int64_t skip;
        bool has_overlap;
    } rows[] = {
        {1, 1, false},  {2, 1, true},    {3, 2, true},     {9, 8, true},      {10, 9, true},
        {11, 10, true}, {19, 18, true},  {20, 18, true},   {29, 27, true},    {50, 45, true},
        {99, 90, true}, {100, 90, true}, {999, 900, true}, {1000, 900, true}, {5000, 4500, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_position position = {.skip = 7000};
        list_accept_page(&position, rows[i].item_count, true, true);
        assert_int_equal(position.skip, 7000 + rows[i].skip);
        assert_int_equal(position.has_overlap, rows[i].has_overlap);
        assert_int_equal(position.accepted_count, rows[i].item_count);
        assert_false(position.is_at_end);
    }
}

static void test_page_without_more_is_end(void **state) {
    struct list_position position = {0};
    (void)state;
    list_accept_page(&position, 0, false, false);
    assert_true(position.is_at_end);
    assert_int_equal(position.skip, 0);
}

/* Catches an offset of more than 32 bits. */
static void test_position_exceeds_32_bits(void **state) {
    struct list_position position = {.skip = INT64_C(5000000000)};
    (void)state;
    list_accept_page(&position, 1000, true, true);
    assert_int_equal(position.skip, INT64_C(5000000900));
    list_step_back(&position);
    assert_int_equal(position.skip, INT64_C(4999999900));
}

static void test_page_that_lacks_overlap_is_rejected(void **state) {
    static const struct {
        const char *name;
        struct list_position position;
        size_t item_count;
        bool has_more, is_first_delivered;
        bool must_step_back;
    } rows[] = {
        {"empty list", {.skip = 0}, 0, false, false, false},
        {"first page", {.skip = 0}, 10, true, false, false},
        {"overlap", {.skip = 9, .has_overlap = true}, 10, true, true, false},
        {"overlap on the last page", {.skip = 9, .has_overlap = true}, 1, false, true, false},
        {"gap", {.skip = 9, .has_overlap = true}, 10, true, false, true},
        {"gap on the last page", {.skip = 9, .has_overlap = true}, 1, false, false, true},
        {"empty page", {.skip = 9, .has_overlap = true}, 0, false, false, true},
        {"empty page after a single item", {.skip = 9}, 0, false, false, true},
        {"empty page with more", {.skip = 9, .has_overlap = true}, 0, true, false, false},
        {"unchecked after a single item", {.skip = 9}, 10, true, false, false},
        {"gap after a step back", {.skip = 8, .back_count = 1}, 10, true, false, true},
        {"overlap after a step back", {.skip = 8, .back_count = 1}, 10, true, true, false},
        {"empty page after a step back", {.skip = 8, .back_count = 1}, 0, false, false, true},
        {"gap at 0", {.has_overlap = true, .back_count = 20}, 10, true, false, false},
        {"empty page at 0", {.has_overlap = true, .back_count = 20}, 0, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (list_must_step_back(&rows[i].position, rows[i].item_count, rows[i].has_more,
                                rows[i].is_first_delivered) != rows[i].must_step_back) {
            fail_msg("%s", rows[i].name);
        }
    }
}

/* Catches steps that do not double, end below 0, or go on doubling after an accepted page. */
static void test_step_back_doubles_until_accepted(void **state) {
    static const int64_t skips[] = {8000, 6000, 2000, 0};
    struct list_position position = {.skip = 8100};
    (void)state;
    list_accept_page(&position, 1000, true, true);
    assert_int_equal(position.skip, 9000);
    for (size_t i = 0; i < sizeof skips / sizeof *skips; i++) {
        list_step_back(&position);
        assert_int_equal(position.skip, skips[i]);
    }
    list_accept_page(&position, 40, true, true);
    assert_int_equal(position.skip, 36);
    list_accept_page(&position, 10, true, true);
    assert_int_equal(position.skip, 45);
    list_step_back(&position);
    assert_int_equal(position.skip, 35);
    list_step_back(&position);
    assert_int_equal(position.skip, 15);
}

static void test_step_back_ends_at_0(void **state) {
    static const struct {
        int64_t skip, accepted_count, expected;
    } rows[] = {{9, 10, 0}, {10, 10, 0}, {11, 10, 1}, {1, 1, 0}, {1, 2, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_position position = {.skip = rows[i].skip,
                                         .accepted_count = rows[i].accepted_count};
        list_step_back(&position);
        assert_int_equal(position.skip, rows[i].expected);
    }
}

/* Catches each limit of the rule if it is off by one. */
static void test_stuck_list_is_recognised(void **state) {
    static const struct {
        size_t pages, items_per_page, delivered;
        bool is_stuck;
    } rows[] = {
        {0, 0, 0, false},          {19, 1000, 1, false},     {20, 1000, 1, true},
        {20, 15, 100, false},      {20, 15, 99, true},       {21, 15, 100, true},
        {300, 1, 100, false},      {301, 1, 100, true},      {119, 1000, 40000, false},
        {120, 1000, 40000, false}, {121, 1000, 40000, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_position position = {0};
        for (size_t page = 0; page < rows[i].pages; page++) {
            list_accept_page(&position, rows[i].items_per_page, false, true);
        }
        assert_int_equal(list_is_stuck(&position, rows[i].delivered), rows[i].is_stuck);
    }
}

/* Catches pages that are counted although they do not follow each other. */
static void test_new_contact_resets_stuck_list(void **state) {
    struct list_position position = {0};
    (void)state;
    for (size_t page = 0; page < 19; page++) {
        list_accept_page(&position, 1000, false, true);
    }
    list_accept_page(&position, 1000, true, true);
    for (size_t page = 0; page < 19; page++) {
        list_accept_page(&position, 1000, false, true);
        list_step_back(&position);
        assert_false(list_is_stuck(&position, 1));
    }
    list_accept_page(&position, 1000, false, true);
    assert_true(list_is_stuck(&position, 1));
    assert_int_equal(position.idle_page_count, 20);
    assert_int_equal(position.idle_item_count, 20000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlap_is_tenth_of_items),
        cmocka_unit_test(test_page_without_more_is_end),
        cmocka_unit_test(test_position_exceeds_32_bits),
        cmocka_unit_test(test_page_that_lacks_overlap_is_rejected),
        cmocka_unit_test(test_step_back_doubles_until_accepted),
        cmocka_unit_test(test_step_back_ends_at_0),
        cmocka_unit_test(test_stuck_list_is_recognised),
        cmocka_unit_test(test_new_contact_resets_stuck_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
