/* failing_malloc.c - the C library's allocation functions, which fail when a test says so. They
 * stand in the test program, where the dynamic linker finds them before the C library's for every
 * library of the process. */
#include "failures/failing_malloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The real functions by their other names, AddressSanitizer's or glibc's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL(name) __interceptor_##name
#endif
#endif
#ifndef REAL
#define REAL(name) __libc_##name
#endif
extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t count, size_t size);
extern void *REAL(realloc)(void *block, size_t size);
extern void REAL(free)(void *block);

static _Thread_local bool is_armed;
static _Thread_local bool fails_for_ever;
static _Thread_local long fails_at;
static _Thread_local long count;
static atomic_long live;

void failing_malloc_arm(long nth, bool is_for_ever) {
    count = 0;
    fails_at = nth;
    fails_for_ever = is_for_ever;
    is_armed = true;
}

long failing_malloc_disarm(void) {
    is_armed = false;
    return count;
}

long failing_malloc_live(void) {
    return live;
}

static bool fails(void) {
    if (is_armed) {
        count++;
        if (fails_at > 0 && (count == fails_at || (fails_for_ever && count > fails_at))) {
            errno = ENOMEM;
            return true;
        }
    }
    return false;
}

static void *counted(void *block) {
    atomic_fetch_add(&live, block != NULL);
    return block;
}

void *malloc(size_t size) {
    return fails() ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t number, size_t size) {
    return fails() ? NULL : counted(REAL(calloc)(number, size));
}

void *realloc(void *block, size_t size) {
    if (fails()) {
        return NULL;
    }
    void *larger = REAL(realloc)(block, size);
    atomic_fetch_add(&live, block == NULL && larger != NULL);
    return larger;
}

/* AddressSanitizer's own does not come by malloc. */
char *strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void free(void *block) {
    atomic_fetch_sub(&live, block != NULL);
    REAL(free)(block);
}
