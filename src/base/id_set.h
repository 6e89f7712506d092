/* id_set.h - a set of 64-bit ids. */
#ifndef REPLYIO_ID_SET_H
#define REPLYIO_ID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An empty set is all zeros, except for its seed. */
struct id_set {
    int64_t *slots; /* 0: free */
    size_t capacity;
    size_t count;  /* of used slots */
    uint64_t seed; /* any random number */
    bool has_zero;
};

/* Returns true if the set has the id. */
bool id_set_contains(const struct id_set *set, int64_t id);

/* Adds an id. At most 32 bytes are used per id once the set has grown. Returns false if out of
 * memory. */
bool id_set_add(struct id_set *set, int64_t id);

/* Frees what the set uses. */
void id_set_free(struct id_set *set);

#endif
