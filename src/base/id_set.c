/* id_set.c - a set of 64-bit ids: a hash table with open addressing. */
#include "base/id_set.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 }; /* a power of two, as all capacities are */

/* A server chooses the ids. After two rounds each bit of an id affects the low bits of the hash;
 * one round would leave the ids that differ only in their high bits in one slot, whatever the seed.
 */
static uint64_t hash_id(const struct id_set *set, int64_t id) {
    uint64_t hash = (uint64_t)id ^ set->seed;
    for (int round = 0; round < 2; round++) {
        hash *= UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return hash;
}

/* Returns the id's slot, or the free slot where it would be. */
static size_t find_slot(const struct id_set *set, int64_t id) {
    size_t index = (size_t)hash_id(set, id) & (set->capacity - 1);
    while (set->slots[index] != 0 && set->slots[index] != id) {
        index = (index + 1) & (set->capacity - 1);
    }
    return index;
}

bool id_set_contains(const struct id_set *set, int64_t id) {
    if (id == 0 || set->capacity == 0) {
        return id == 0 && set->has_zero;
    }
    return set->slots[find_slot(set, id)] == id;
}

/* At least a quarter of the slots stays free, so that searches are short. */
static bool grow(struct id_set *set) {
    struct id_set larger = *set;
    larger.capacity = set->capacity == 0 ? FIRST_CAPACITY : set->capacity * 2;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] != 0) {
            larger.slots[find_slot(&larger, set->slots[i])] = set->slots[i];
        }
    }
    free(set->slots);
    *set = larger;
    return true;
}

bool id_set_add(struct id_set *set, int64_t id) {
    if (id_set_contains(set, id)) {
        return true;
    }
    if (id == 0) {
        set->has_zero = true;
        return true;
    }
    if (set->count >= set->capacity / 4 * 3 && !grow(set)) {
        return false;
    }
    set->slots[find_slot(set, id)] = id;
    set->count++;
    return true;
}

void id_set_free(struct id_set *set) {
    free(set->slots);
}
