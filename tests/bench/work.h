/* work.h - the kinds of work that are measured, each done by two sides. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stddef.h>
#include <stdint.h>

enum side { FLOOR, LIBRARY, SIDE_COUNT };

enum work_kind { ONE_BY_ONE, MANY, THREADS, DECODE, WORK_KIND_COUNT };

enum {
    IN_FLIGHT = 32,
    THREAD_COUNT = 8,
    MOST_CONTACTS = 40000,
    SEQUENCE_ID = 100,
    EXAMPLE_CONTACT_ID = 12345
};

/* What a work needs to begin. */
struct setting {
    char base_url[64];
    const char *ca_file;
    const char *json; /* the example contact */
    size_t json_length;
    int64_t *contact_ids; /* MOST_CONTACTS, which are there from the beginning: memory that no side
                             is charged for */
};

/* A work is opened once and run any number of times, each time for a number of contacts. Each
 * contact is checked to be the one that was asked for, and freed; whatever fails ends the program.
 */
struct work {
    void *(*open)(const struct setting *setting);
    void (*run)(void *state, size_t count);
    void (*close)(void *state);
};

extern const struct work floor_works[WORK_KIND_COUNT];
extern const struct work library_works[WORK_KIND_COUNT];

static inline const struct work *work_of(enum side side, enum work_kind kind) {
    return side == FLOOR ? &floor_works[kind] : &library_works[kind];
}

#endif
