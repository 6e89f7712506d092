/* work_baseline.c - the work, done by the baseline. */
#include "work.h"

#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "baseline.h"

_Static_assert((int)BASELINE_IN_FLIGHT == (int)IN_FLIGHT,
               "both sides have the same number of requests in flight");

struct state {
    const struct setting *setting;
    struct baseline_getter *getters[THREAD_COUNT]; /* only the first if there is one thread */
    struct baseline_multi *multi;
};

static struct state *open_state(const struct setting *setting) {
    struct state *state = calloc(1, sizeof *state);
    check(state != NULL, "out of memory");
    state->setting = setting;
    return state;
}

static void check_contact(struct baseline_contact *contact, int64_t contact_id) {
    check(contact != NULL && contact->contact_id == contact_id &&
              contact->sequence_id == SEQUENCE_ID,
          "the baseline did not get the contact");
    free(contact);
}

/* ---- One by one ---- */

static void open_getters(struct state *state, size_t count) {
    for (size_t i = 0; i < count; i++) {
        state->getters[i] = baseline_open(state->setting->base_url, state->setting->ca_file);
        check(state->getters[i] != NULL, "cannot open the baseline");
    }
}

static void *open_one_by_one(const struct setting *setting) {
    struct state *state = open_state(setting);
    open_getters(state, 1);
    return state;
}

static void get_one_by_one(struct baseline_getter *getter, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int64_t contact_id = (int64_t)i + 1;
        check_contact(baseline_get(getter, SEQUENCE_ID, contact_id), contact_id);
    }
}

static void run_one_by_one(void *context, size_t count) {
    const struct state *state = context;
    get_one_by_one(state->getters[0], count);
}

static void close_getters(void *context) {
    struct state *state = context;
    for (size_t i = 0; i < THREAD_COUNT && state->getters[i] != NULL; i++) {
        baseline_close(state->getters[i]);
    }
    free(state);
}

/* ---- Threads, each with its own handle ---- */

struct share {
    struct baseline_getter *getter;
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
              "cannot create a thread");
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- Many at a time ---- */

static void *open_many(const struct setting *setting) {
    struct state *state = open_state(setting);
    state->multi = baseline_multi_open(setting->base_url, setting->ca_file);
    check(state->multi != NULL, "cannot open the baseline");
    return state;
}

static void on_contact(size_t index, struct baseline_contact *contact, void *user_data) {
    const struct state *state = user_data;
    check_contact(contact, state->setting->contact_ids[index]);
}

static void run_many(void *context, size_t count) {
    struct state *state = context;
    check(baseline_multi_get(state->multi, SEQUENCE_ID, state->setting->contact_ids, count,
                             on_contact, state),
          "the baseline failed");
}

static void close_many(void *context) {
    struct state *state = context;
    baseline_multi_close(state->multi);
    free(state);
}

/* ---- The list ---- */

static void on_listed_contact(size_t index, struct baseline_contact *contact, void *user_data) {
    size_t *count = user_data;
    check_contact(contact, (int64_t)index + 1);
    ++*count;
}

static void run_list(void *context, size_t count) {
    const struct state *state = context;
    for (size_t done = 0; done < count;) {
        check(baseline_list(state->getters[0], SEQUENCE_ID, on_listed_contact, &done),
              "the baseline did not get the list");
    }
}

/* ---- Decoding only ---- */

static void *open_decode(const struct setting *setting) {
    return open_state(setting);
}

static void run_decode(void *context, size_t count) {
    const struct state *state = context;
    for (size_t i = 0; i < count; i++) {
        check_contact(baseline_decode(state->setting->json, state->setting->json_length),
                      EXAMPLE_CONTACT_ID);
    }
}

const struct work baseline_works[WORK_KIND_COUNT] = {
    [ONE_BY_ONE] = {open_one_by_one, run_one_by_one, close_getters},
    [MANY] = {open_many, run_many, close_many},
    [THREADS] = {open_threads, run_threads, close_getters},
    [DECODE] = {open_decode, run_decode, free},
    [LIST] = {open_one_by_one, run_list, close_getters},
};
