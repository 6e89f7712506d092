/* test_random.c - random numbers, with and without getentropy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static enum { REAL, FAILING, FIXED } entropy = REAL;
int __real_getentropy(void *buffer, size_t size);
int __wrap_getentropy(void *buffer, size_t size);

int __wrap_getentropy(void *buffer, size_t size) {
    if (entropy == FIXED) {
        memset(buffer, 0x5A, size);
        return 0;
    }
    return entropy == FAILING ? -1 : __real_getentropy(buffer, size);
}

/* Would catch a random number that does not come from getentropy. */
static void test_random_number_is_from_getentropy(void **state) {
    (void)state;
    entropy = FIXED;
    assert_int_equal(random_bits(), 0x5A5A5A5A);
    entropy = REAL;
}

/* Would catch a constant number if getentropy fails. The lowest bits need not change: waits do not
 * depend on them. */
static void test_random_numbers_vary_without_getentropy(void **state) {
    uint32_t set = 0;
    uint32_t unset = 0;
    (void)state;
    entropy = FAILING;
    for (int draw = 0; draw < 1000; draw++) {
        const uint32_t number = random_bits();
        set |= number;
        unset |= ~number;
    }
    entropy = REAL;
    assert_int_equal(set >> 8, UINT32_MAX >> 8);
    assert_int_equal(unset >> 8, UINT32_MAX >> 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_number_is_from_getentropy),
        cmocka_unit_test(test_random_numbers_vary_without_getentropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
