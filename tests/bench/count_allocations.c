/* count_allocations.c - to be preloaded: counts the allocations of a process, and says how many
 * there were when it ends. A library of its own, so that the measurements of time are made without
 * it. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

/* The C library's own, under the names by which glibc offers them to replacements. */
extern void *
__libc_malloc(size_t size); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *
__libc_calloc(size_t count,
              size_t size); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *
__libc_realloc(void *old,
               size_t size); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static atomic_ullong allocations;

void *malloc(size_t size) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_realloc(old, size);
}

__attribute__((destructor)) static void tell(void) {
    dprintf(2, "allocations: %llu\n", atomic_load(&allocations));
}
