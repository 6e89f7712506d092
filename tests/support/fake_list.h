/* fake_list.h - the service's list of a sequence, and calls that list it, for tests on the fake
 * transport. */
#ifndef REPLYIO_TESTS_FAKE_LIST_H
#define REPLYIO_TESTS_FAKE_LIST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"

enum { FAKE_LIST_MAX = 8000, FAKE_LIST_SEQUENCE = 100, FAKE_LIST_MAX_ERRORS = 32 };

/* ---- The service ---- */

/* The list, in the service's order, and how the service departs from what it documents. */
struct fake_list {
    int64_t ids[FAKE_LIST_MAX];
    size_t count;
    size_t max_page_count;                     /* items that a page has at most; 0: any number */
    bool ignores_skip;                         /* each page is the first */
    bool is_endless;                           /* hasMore is true on each page that has an item */
    int64_t broken_id;                         /* has an invalid currentStep; 0: none */
    int64_t foreign_id;                        /* is of sequence 200; 0: none */
    void (*on_page)(size_t nth, int64_t skip); /* changes the list before its nth page, from 0 */
    size_t page_count;                         /* pages made */
};

extern struct fake_list fake_list;

/* Sets up a test as fake_setup does, with the contacts 1 to count in the list. */
void fake_list_begin(size_t count);

/* Inserts the contacts first to first + count - 1 at a position. */
void fake_list_insert(size_t position, int64_t first, size_t count);

/* Removes contacts from a position on, or those that are there. */
void fake_list_remove(size_t position, size_t count);

/* ---- Calls ---- */

/* A call for the list and what it delivered. */
struct list_call {
    reply_client *client;
    size_t stop_at; /* the delivery, from 1, that stops the call; 0: none */
    void (*on_delivery)(struct list_call *call); /* may be NULL */
    pthread_t thread;
    bool has_invalid_delivery;
    size_t count;
    int64_t ids[FAKE_LIST_MAX]; /* of the deliveries; of an error as its message says */
    int64_t times_ms[FAKE_LIST_MAX];
    int32_t attempts[FAKE_LIST_MAX];
    size_t error_count;
    reply_error errors[FAKE_LIST_MAX_ERRORS]; /* the first deliveries of errors */
    reply_result result;
    reply_error error;
};

/* Makes the call. */
void list_contacts(struct list_call *call);

/* Makes the call, and fails unless it has the result and every delivery was valid. */
void list_all(struct list_call *call, reply_result result);

/* Fails unless exactly the contacts first to last were delivered, in order. */
void expect_listed(const struct list_call *call, int64_t first, int64_t last);

/* Fails unless no contact was delivered twice, and each of these was delivered. */
void expect_listed_once(const struct list_call *call, const int64_t *ids, size_t count);

/* Fails unless the attempts were for the pages with these values of skip. */
void expect_skips(const int64_t *skips, size_t count);
#define EXPECT_SKIPS(...)                                                                          \
    expect_skips((const int64_t[]){__VA_ARGS__},                                                   \
                 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

#endif
