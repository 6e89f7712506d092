/* test_id_set.c - a set of 64-bit ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/id_set.h"

enum { MANY = 20000 };

static const int64_t special_ids[] = {
    0, 1, -1, 2, INT64_MIN, INT64_MIN + 1, INT64_MAX, INT32_MIN, INT32_MAX, (int64_t)UINT32_MAX + 1,
};

enum { SPECIAL_COUNT = sizeof special_ids / sizeof *special_ids };

static void test_empty_set_has_no_id(void **state) {
    struct id_set set = {.seed = 17};
    (void)state;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        assert_false(id_set_contains(&set, special_ids[i]));
    }
    id_set_free(&set);
}

/* 0 marks a free slot, so that it must be kept in another way. The seed is part of the hash, so
 * that each seed must do. */
static void test_special_ids_are_ordinary(void **state) {
    static const uint64_t seeds[] = {0, 1, UINT64_MAX, UINT64_C(0x8000000000000000)};
    (void)state;
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        struct id_set set = {.seed = seeds[s]};
        for (size_t i = 0; i < SPECIAL_COUNT; i++) {
            assert_false(id_set_contains(&set, special_ids[i]));
            assert_true(id_set_add(&set, special_ids[i]));
            assert_true(id_set_add(&set, special_ids[i])); /* again: no change */
            for (size_t j = 0; j < SPECIAL_COUNT; j++) {
                assert_int_equal(id_set_contains(&set, special_ids[j]), j <= i);
            }
        }
        id_set_free(&set);
    }
}

/* Adds the ids start, start + step and so on. Their neighbours must stay out. */
static void expect_each_kept(uint64_t seed, int64_t start, int64_t step) {
    struct id_set set = {.seed = seed};
    for (int64_t i = 0; i < MANY; i++) {
        assert_false(id_set_contains(&set, start + i * step));
        assert_true(id_set_add(&set, start + i * step));
    }
    for (int64_t i = 0; i < MANY; i++) {
        assert_true(id_set_contains(&set, start + i * step));
        assert_false(id_set_contains(&set, start + i * step + 1));
    }
    id_set_free(&set);
}

static void test_set_grows_without_loss(void **state) {
    static const int64_t steps[] = {2, 1024, 65536, INT64_C(1) << 32};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        expect_each_kept(0, 1, steps[i]);
        expect_each_kept(0x9E3779B9, -steps[i] * (MANY / 2) - 1, steps[i]);
    }
}

/* Returns the length of the longest row of used slots, which is about what a search may cost. */
static size_t find_longest_search(const struct id_set *set) {
    size_t longest = 0;
    size_t length = 0;
    for (size_t i = 0; i < set->capacity; i++) {
        length = set->slots[i] != 0 ? length + 1 : 0;
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* A service, or whoever pretends to be it, must not be able to choose ids that all have one slot:
 * the whole hash must depend on the seed and on each bit of an id. */
static void test_regular_ids_are_spread(void **state) {
    (void)state;
    for (int bit = 0; bit <= 48; bit++) {
        struct id_set set = {.seed = UINT64_C(0x0123456789ABCDEF)};
        for (int64_t i = 1; i <= MANY; i++) {
            assert_true(id_set_add(&set, i * (INT64_C(1) << bit)));
        }
        if (find_longest_search(&set) > 500) {
            fail_msg("ids %d bits apart: a search of %zu slots", bit, find_longest_search(&set));
        }
        id_set_free(&set);
    }
}

/* The library promises its callers at most 32 bytes per id. While the set grows, it has two tables.
 */
static void test_memory_per_id_is_limited(void **state) {
    struct id_set set = {.seed = 1};
    (void)state;
    assert_true(id_set_add(&set, 1));
    const size_t first_capacity = set.capacity;
    for (int64_t id = 2; id <= MANY; id++) {
        const size_t capacity = set.capacity;
        assert_true(id_set_add(&set, id));
        const size_t old_capacity = capacity < set.capacity ? capacity : 0;
        assert_true(set.capacity == first_capacity ||
                    (old_capacity + set.capacity) * sizeof *set.slots <= 32 * (size_t)id);
        assert_true(set.count < set.capacity); /* a search ends at a free slot */
    }
    assert_int_equal(set.count, MANY);
    assert_true(set.capacity > first_capacity);
    id_set_free(&set);
}

/* ---- Many ids, and no memory ---- */

enum { RANDOM_COUNT = 1000000 };

/* xorshift64: each number but 0 appears once in a period. */
static uint64_t next_random(uint64_t *bits) {
    *bits ^= *bits << 13;
    *bits ^= *bits >> 7;
    *bits ^= *bits << 17;
    return *bits;
}

static int compare_ids(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static bool is_sorted_id(const int64_t *sorted, int64_t id) {
    return bsearch(&id, sorted, RANDOM_COUNT, sizeof id, compare_ids) != NULL;
}

/* The reference is a sorted array. A quarter of the ids are small, so that many appear twice. */
static void test_set_agrees_with_reference(void **state) {
    int64_t *ids = malloc(RANDOM_COUNT * sizeof *ids);
    uint64_t bits = 88172645463325252U;
    size_t distinct_count = 1;
    struct id_set set = {.seed = 17};
    (void)state;
    assert_non_null(ids);
    for (size_t i = 0; i < RANDOM_COUNT; i++) {
        const uint64_t random = next_random(&bits);
        ids[i] = (int64_t)(i % 4 == 0 ? random % 100000 : random);
        assert_true(id_set_add(&set, ids[i]));
    }
    qsort(ids, RANDOM_COUNT, sizeof *ids, compare_ids);
    for (size_t i = 1; i < RANDOM_COUNT; i++) {
        distinct_count += ids[i] != ids[i - 1] ? 1 : 0;
    }
    assert_int_equal(set.count + (set.has_zero ? 1 : 0), distinct_count);
    for (size_t i = 0; i < RANDOM_COUNT; i++) {
        const int64_t other = (int64_t)(next_random(&bits) % 200000);
        assert_true(id_set_contains(&set, ids[i]));
        assert_int_equal(id_set_contains(&set, other), is_sorted_id(ids, other));
    }
    id_set_free(&set);
    free(ids);
}

static bool is_calloc_failing;
static int block_count;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    void *block = is_calloc_failing ? NULL : __real_calloc(count, size);
    block_count += block != NULL ? 1 : 0;
    return block;
}

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block) {
    block_count -= block != NULL ? 1 : 0;
    __real_free(block);
}

static void test_growing_set_has_one_block(void **state) {
    struct id_set set = {.seed = 1};
    (void)state;
    block_count = 0;
    for (int64_t id = 1; id <= MANY; id++) {
        assert_true(id_set_add(&set, id));
        assert_int_equal(block_count, 1);
    }
    id_set_free(&set);
    assert_int_equal(block_count, 0);
}

/* Adds ids from 1 on until the set has to grow, which fails. Returns the first that is missing. */
static int64_t add_until_full(struct id_set *set) {
    int64_t id = 1;
    is_calloc_failing = true;
    while (id_set_add(set, id)) {
        id++;
    }
    is_calloc_failing = false;
    return id;
}

static void expect_ids_up_to(const struct id_set *set, int64_t last) {
    assert_int_equal(set->count, last);
    for (int64_t id = 1; id <= last; id++) {
        assert_true(id_set_contains(set, id));
    }
    assert_false(id_set_contains(set, last + 1));
}

/* A set that cannot grow must keep what it has, and must be able to grow later. */
static void test_failed_growth_loses_nothing(void **state) {
    struct id_set set = {.seed = 1};
    (void)state;
    assert_int_equal(add_until_full(&set), 1);
    expect_ids_up_to(&set, 0);
    assert_true(id_set_add(&set, 1));
    const int64_t missing = add_until_full(&set);
    expect_ids_up_to(&set, missing - 1);
    assert_true(id_set_add(&set, missing));
    expect_ids_up_to(&set, missing);
    id_set_free(&set);
}

/* An id that the set has needs no slot. */
static void test_full_set_accepts_known_ids(void **state) {
    struct id_set set = {.seed = 1};
    (void)state;
    assert_true(id_set_add(&set, 1));
    const int64_t missing = add_until_full(&set);
    is_calloc_failing = true;
    assert_true(id_set_add(&set, missing - 1));
    assert_true(id_set_add(&set, 0));
    assert_false(id_set_add(&set, missing));
    is_calloc_failing = false;
    id_set_free(&set);
}

static void test_known_id_uses_no_memory(void **state) {
    struct id_set set = {.seed = 1};
    (void)state;
    for (int i = 0; i < MANY; i++) {
        assert_true(id_set_add(&set, 7));
        assert_true(id_set_add(&set, 0));
    }
    assert_int_equal(set.count, 1);
    id_set_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_set_has_no_id),
        cmocka_unit_test(test_special_ids_are_ordinary),
        cmocka_unit_test(test_set_grows_without_loss),
        cmocka_unit_test(test_regular_ids_are_spread),
        cmocka_unit_test(test_memory_per_id_is_limited),
        cmocka_unit_test(test_set_agrees_with_reference),
        cmocka_unit_test(test_growing_set_has_one_block),
        cmocka_unit_test(test_failed_growth_loses_nothing),
        cmocka_unit_test(test_full_set_accepts_known_ids),
        cmocka_unit_test(test_known_id_uses_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
