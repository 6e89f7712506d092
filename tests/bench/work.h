/* work.h - the kinds of work that are measured, each done by both sides. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stddef.h>
#include <stdint.h>

enum side { BASELINE, LIBRARY, SIDE_COUNT };

enum work_kind { ONE_BY_ONE, MANY, THREADS, DECODE, LIST, WORK_KIND_COUNT };

enum {
    IN_FLIGHT = 32,
    THREAD_COUNT = 8,
    MAX_CONTACTS = 40000,
    SEQUENCE_ID = 100,
    EXAMPLE_CONTACT_ID = 12345
};

/* The input of all work. */
struct setting {
    char base_url[64];
    const char *ca_file;
    const char *json; /* the example contact */
    size_t json_length;
    int64_t *contact_ids;  /* MAX_CONTACTS, allocated before any measurement */
    size_t *attempt_count; /* counts the library's attempts; NULL if they are not counted */
};

/* One kind of work: opened once, run any number of times, each for count contacts. A run checks the
 * ids of each contact and frees it. LIST reads the whole list again and again, until it has read
 * count contacts. Any failure ends the program. */
struct work {
    void *(*open)(const struct setting *setting);
    void (*run)(void *state, size_t count);
    void (*close)(void *state);
};

extern const struct work baseline_works[WORK_KIND_COUNT];
extern const struct work library_works[WORK_KIND_COUNT];

static inline const struct work *work_of(enum side side, enum work_kind kind) {
    return side == BASELINE ? &baseline_works[kind] : &library_works[kind];
}

#endif
