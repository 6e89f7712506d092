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

/* The library promises its callers at most 32 bytes per id. */
static void test_memory_per_id_is_limited(void **state) {
    struct id_set set = {.seed = 1};
    size_t first_capacity = 0;
    (void)state;
    for (int64_t id = 1; id <= MANY; id++) {
        assert_true(id_set_add(&set, id));
        first_capacity = first_capacity == 0 ? set.capacity : first_capacity;
        assert_true(set.capacity == first_capacity ||
                    set.capacity * sizeof *set.slots <= 32 * (size_t)id);
        assert_true(set.count < set.capacity); /* a search ends at a free slot */
    }
    assert_int_equal(set.count, MANY);
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
        cmocka_unit_test(test_memory_per_id_is_limited),
        cmocka_unit_test(test_known_id_uses_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
