/* work_baseline.c - the works, done by hand. */
#include "work.h"

#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "baseline.h"

_Static_assert((int)FLOOR_IN_FLIGHT == (int)IN_FLIGHT,
               "both sides have as many requests under way");

struct state {
    const struct setting *setting;
    struct floor_getter *getters[THREAD_COUNT]; /* the first alone, where there is one thread */
    struct floor_multi *multi;
};

static struct state *open_state(const struct setting *setting) {
    struct state *state = calloc(1, sizeof *state);
    check(state != NULL, "memory ran out");
    state->setting = setting;
    return state;
}

static void take(struct floor_contact *contact, int64_t contact_id) {
    check(contact != NULL && contact->contact_id == contact_id &&
              contact->sequence_id == SEQUENCE_ID,
          "the floor has not got its contact");
    free(contact);
}

/* ---- One by one ---- */

static void open_getters(struct state *state, size_t count) {
    for (size_t i = 0; i < count; i++) {
        state->getters[i] = floor_open(state->setting->base_url, state->setting->ca_file);
        check(state->getters[i] != NULL, "the floor cannot begin");
    }
}

static void *open_one_by_one(const struct setting *setting) {
    struct state *state = open_state(setting);
    open_getters(state, 1);
    return state;
}

static void get_one_by_one(struct floor_getter *getter, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int64_t contact_id = (int64_t)i + 1;
        take(floor_get(getter, SEQUENCE_ID, contact_id), contact_id);
    }
}

static void run_one_by_one(void *context, size_t count) {
    const struct state *state = context;
    get_one_by_one(state->getters[0], count);
}

static void close_getters(void *context) {
    struct state *state = context;
    for (size_t i = 0; i < THREAD_COUNT && state->getters[i] != NULL; i++) {
        floor_close(state->getters[i]);
    }
    free(state);
}

/* ---- Threads, a handle each ---- */

struct share {
    struct floor_getter *getter;
    size_t count;
};

static void *open_threads(const struct setting *setting) {
    struct state *state = open_state(setting);
    open_getters(state, THREAD_COUNT);
    return state;
}

static void *run_share(void *context) {
    const struct share *share = context;
    get_one_by_one(share->getter, share->count);
    return NULL;
}

static void run_threads(void *context, size_t count) {
    const struct state *state = context;
    pthread_t threads[THREAD_COUNT];
    struct share shares[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        shares[i] = (struct share){state->getters[i], count / THREAD_COUNT};
        check(pthread_create(&threads[i], NULL, run_share, &shares[i]) == 0,
              "no thread can be made");
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- Many at a time ---- */

static void *open_many(const struct setting *setting) {
    struct state *state = open_state(setting);
    state->multi = floor_multi_open(setting->base_url, setting->ca_file);
    check(state->multi != NULL, "the floor cannot begin");
    return state;
}

static void take_one_of_many(size_t index, struct floor_contact *contact, void *user_data) {
    const struct state *state = user_data;
    take(contact, state->setting->contact_ids[index]);
}

static void run_many(void *context, size_t count) {
    struct state *state = context;
    check(floor_multi_get(state->multi, SEQUENCE_ID, state->setting->contact_ids, count,
                          take_one_of_many, state),
          "the floor cannot go on");
}

static void close_many(void *context) {
    struct state *state = context;
    floor_multi_close(state->multi);
    free(state);
}

/* ---- Decode alone ---- */

static void *open_decode(const struct setting *setting) {
    return open_state(setting);
}

static void run_decode(void *context, size_t count) {
    const struct state *state = context;
    for (size_t i = 0; i < count; i++) {
        take(floor_decode(state->setting->json, state->setting->json_length), EXAMPLE_CONTACT_ID);
    }
}

const struct work floor_works[WORK_KIND_COUNT] = {
    [ONE_BY_ONE] = {open_one_by_one, run_one_by_one, close_getters},
    [MANY] = {open_many, run_many, close_many},
    [THREADS] = {open_threads, run_threads, close_getters},
    [DECODE] = {open_decode, run_decode, free},
};
