/* work_library.c - the work, done by the library. */
#include "work.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <replyio.h>

#include "check.h"

struct state {
    const struct setting *setting;
    reply_client *client; /* NULL if the work needs none */
};

static void *open_decode(const struct setting *setting) {
    struct state *state = calloc(1, sizeof *state);
    check(state != NULL, "out of memory");
    state->setting = setting;
    return state;
}

static void count_attempt(const char *line, void *user_data) {
    size_t *attempt_count = user_data;
    *attempt_count += strncmp(line, "attempt ", 8) == 0 ? 1 : 0;
}

static void *open_client(const struct setting *setting) {
    struct state *state = open_decode(setting);
    check(reply_client_create("0123456789abcdef0123456789abcdef", &state->client, NULL) ==
                  REPLY_OK &&
              reply_client_set_base_url(state->client, setting->base_url, NULL) == REPLY_OK &&
              reply_client_set_ca_file(state->client, setting->ca_file, NULL) == REPLY_OK,
          "cannot create the client");
    if (setting->attempt_count != NULL) {
        reply_client_set_log(state->client, count_attempt, setting->attempt_count, NULL);
    }
    return state;
}

static void *open_many(const struct setting *setting) {
    struct state *state = open_client(setting);
    check(reply_client_set_max_concurrency(state->client, IN_FLIGHT, NULL) == REPLY_OK,
          "cannot create the client");
    return state;
}

static void close_state(void *context) {
    struct state *state = context;
    reply_client_destroy(state->client);
    free(state);
}

static void check_contact(reply_sequence_contact *contact, int64_t contact_id) {
    check(contact != NULL && contact->contact_id == contact_id &&
              contact->sequence_id == SEQUENCE_ID,
          "the library did not get the contact");
    reply_sequence_contact_free(contact);
}

/* ---- One by one ---- */

static void run_one_by_one(void *context, size_t count) {
    const struct state *state = context;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    for (size_t i = 0; i < count; i++) {
        const int64_t contact_id = (int64_t)i + 1;
        check(reply_get_sequence_contact(state->client, SEQUENCE_ID, contact_id, &contact,
                                         &error) == REPLY_OK,
              error.message);
        check_contact(contact, contact_id);
    }
}

/* ---- Threads on one client ---- */

struct share {
    struct state *state;
    size_t count;
};

static void *run_share(void *context) {
    const struct share *share = context;
    run_one_by_one(share->state, share->count);
    return NULL;
}

static void run_threads(void *context, size_t count) {
    struct share share = {context, count / THREAD_COUNT};
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        check(pthread_create(&threads[i], NULL, run_share, &share) == 0, "cannot create a thread");
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- Many at a time ---- */

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    const struct state *state = user_data;
    check(result == REPLY_OK, error->message);
    check_contact(contact, state->setting->contact_ids[index]);
    return 0;
}

static void run_many(void *context, size_t count) {
    struct state *state = context;
    reply_error error;
    check(reply_get_sequence_contacts(state->client, SEQUENCE_ID, state->setting->contact_ids,
                                      count, on_contact, state, &error) == REPLY_OK,
          error.message);
}

/* ---- The list ---- */

static int on_listed_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                             const reply_error *error, void *user_data) {
    size_t *count = user_data;
    check(result == REPLY_OK, error->message);
    check_contact(contact, (int64_t)index + 1);
    ++*count;
    return 0;
}

static void run_list(void *context, size_t count) {
    const struct state *state = context;
    reply_error error;
    for (size_t done = 0; done < count;) {
        check(reply_list_sequence_contacts(state->client, SEQUENCE_ID, on_listed_contact, &done,
                                           &error) == REPLY_OK,
              error.message);
    }
}

/* ---- Decoding only ---- */

static void run_decode(void *context, size_t count) {
    const struct state *state = context;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    for (size_t i = 0; i < count; i++) {
        check(reply_decode_sequence_contact(state->setting->json, state->setting->json_length,
                                            &contact, &error) == REPLY_OK,
              error.message);
        check_contact(contact, EXAMPLE_CONTACT_ID);
    }
}

const struct work library_works[WORK_KIND_COUNT] = {
    [ONE_BY_ONE] = {open_client, run_one_by_one, close_state},
    [MANY] = {open_many, run_many, close_state},
    [THREADS] = {open_client, run_threads, close_state},
    [DECODE] = {open_decode, run_decode, close_state},
    [LIST] = {open_client, run_list, close_state},
};
