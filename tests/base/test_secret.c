/* test_secret.c - secrets are overwritten before their memory is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"

static const char *watched = NULL;
static char freed[16];

void __real_free(void *block);
void __wrap_free(void *block);

/* The linker replaces free with this function, which copies the watched block as it is freed. */
void __wrap_free(void *block) {
    if (block != NULL && block == watched) {
        memcpy(freed, watched, sizeof freed);
        watched = NULL;
    }
    __real_free(block);
}

/* Catches an overwrite that the compiler removes because the memory is freed right after it. */
static void test_secret_is_overwritten_when_freed(void **state) {
    static const char zeros[sizeof freed];
    char *secret = malloc(sizeof freed);
    (void)state;
    assert_non_null(secret);
    memcpy(secret, "k3y-Secret-12345", sizeof freed);
    secret[sizeof freed - 1] = '\0';
    watched = secret;
    secret_free_text(secret);
    assert_null(watched);
    assert_memory_equal(freed, zeros, sizeof freed);
}

static void test_secret_may_be_null(void **state) {
    (void)state;
    secret_free_text(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_is_overwritten_when_freed),
        cmocka_unit_test(test_secret_may_be_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
