/* failing_malloc.c - replacements for the allocation functions. The dynamic linker finds them in
 * the test program before the C library's, for every library of the process. */
#include "failures/failing_malloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The real functions, by the names that AddressSanitizer or glibc gives them. musl does not give
 * them other names, but its dlsym does not allocate. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL(name) __interceptor_##name
#endif
#endif
#if !defined(REAL) && defined(__GLIBC__)
#define REAL(name) __libc_##name
#endif
#ifdef REAL
extern void *REAL(malloc)(size_t size);
extern void *REAL(realloc)(void *block, size_t size);
extern void REAL(free)(void *block);
#else
#include <dlfcn.h>
#define REAL(name) (__extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name))
#endif

/* AddressSanitizer of clang 19 allocates while it starts, before instrumented code can run. */
#define UNINSTRUMENTED __attribute__((no_sanitize("address")))

static _Thread_local bool is_armed;
static _Thread_local bool is_permanent;
static _Thread_local long failing_index; /* from 1; 0 if none */
static _Thread_local long allocation_count;
static atomic_long live_count;

void failing_malloc_arm(long nth, bool fails_from_nth_on) {
    allocation_count = 0;
    failing_index = nth;
    is_permanent = fails_from_nth_on;
    is_armed = true;
}

long failing_malloc_disarm(void) {
    is_armed = false;
    return allocation_count;
}

long failing_malloc_live(void) {
    return live_count;
}

UNINSTRUMENTED static bool fails(void) {
    if (!is_armed) {
        return false;
    }
    allocation_count++;
    const bool is_failing =
        failing_index > 0 &&
        (allocation_count == failing_index || (is_permanent && allocation_count > failing_index));
    if (is_failing) {
        errno = ENOMEM;
    }
    return is_failing;
}

UNINSTRUMENTED static void *count_block(void *block) {
    atomic_fetch_add(&live_count, block != NULL);
    return block;
}

UNINSTRUMENTED void *malloc(size_t size) {
    return fails() ? NULL : count_block(REAL(malloc)(size));
}

/* musl's calloc calls malloc, which would count the block twice. */
UNINSTRUMENTED void *calloc(size_t number, size_t size) {
    size_t total = 0;
    if (fails() || __builtin_mul_overflow(number, size, &total)) {
        return NULL;
    }
    void *block = count_block(REAL(malloc)(total));
    return block != NULL ? memset(block, 0, total) : NULL;
}

UNINSTRUMENTED void *realloc(void *block, size_t size) {
    if (fails()) {
        return NULL;
    }
    void *larger = REAL(realloc)(block, size);
    atomic_fetch_add(&live_count, block == NULL && larger != NULL);
    return larger;
}

/* AddressSanitizer's strdup and strndup do not call malloc. */
char *strndup(const char *text, size_t size) {
    const size_t length = strnlen(text, size);
    char *copy = malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *strdup(const char *text) {
    return strndup(text, strlen(text));
}

UNINSTRUMENTED void free(void *block) {
    atomic_fetch_sub(&live_count, block != NULL);
    REAL(free)(block);
}
