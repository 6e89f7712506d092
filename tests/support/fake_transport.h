/* fake_transport.h - a transport without a network. A program that links it also has its clock and
 * its random numbers instead of the library's. The clock moves only while all threads wait, and
 * every outcome is scripted. A breach of the transport's contract is recorded and fails the test at
 * its end. */
#ifndef REPLYIO_TESTS_FAKE_TRANSPORT_H
#define REPLYIO_TESTS_FAKE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"
#include "transport/transport.h"

extern const struct transport fake_transport;

#define FAKE_KEY "k3y-Secret/0123456789+abc"

/* The duration of an attempt that only its timeout ends. */
#define FAKE_HANGS INT64_MAX

/* The host's clock when a test begins: 2023-11-14T22:13:20Z. */
#define FAKE_UNIX_SECONDS 1700000000

/* Outcome of an attempt. If connect_ms and duration_ms together exceed the attempt's timeout, the
 * outcome is TIMEOUT instead. */
struct fake_outcome {
    int64_t connect_ms;   /* from its start until it can be sent; a wait sends it */
    int64_t duration_ms;  /* from its sending to its end */
    reply_result failure; /* REPLY_OK: a response */
    bool is_transient;    /* for a failure other than NETWORK, which is transient by default */
    bool is_final;        /* a NETWORK failure that is not transient */
    const char *failure_text;
    int32_t curl_code;
    int32_t http_status; /* 0 without a failure: 200 */
    const char *body;    /* NULL: the requested contact for a 200, empty for any other status */
    const char *content_type, *retry_after, *date, *request_id;
};

enum fake_kind {
    FAKE_START,  /* an attempt starts */
    FAKE_SEND,   /* a wait sends an attempt's request */
    FAKE_READ,   /* a wait reads the outcome of an attempt */
    FAKE_END,    /* collect returns the outcome of an attempt */
    FAKE_RECALL, /* the library takes back an attempt that was not sent */
    FAKE_RETIRE, /* the library retires the connection of an attempt */
    FAKE_CANCEL, /* the library cancels an attempt */
    FAKE_WAIT,   /* the library starts to wait */
    FAKE_NOTE,   /* added by the test */
};

/* An event. Times are milliseconds since the test began. */
struct fake_event {
    enum fake_kind kind;
    int64_t time_ms;
    int64_t sequence_id, contact_id; /* of an attempt; contact_id is also a note's number */
    int64_t timeout_ms;          /* START: the attempt's timeout; WAIT: the wait's, -1 if none */
    size_t max_body_size;        /* START */
    int32_t session, slot;       /* sessions count from 0 */
    bool is_timeout;             /* READ, END: the attempt's timeout expired */
    struct fake_outcome outcome; /* READ, END, unless is_timeout */
};

/* Set up and tear down a test. *state is a new client with FAKE_KEY, whose log is recorded. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* Begin and end a test without a client. fake_end returns 0, or -1 if the transport's contract was
 * broken. */
void fake_begin(void);
int fake_end(void);

/* Creates a client with FAKE_KEY on the fake transport, whose log is recorded. */
reply_client *fake_create_client(void);

/* ---- The script ---- */

/* Sets the outcomes of a contact's attempts, in order. The last one is repeated. They are
 * borrowed. Without a script an attempt returns the contact after 100 ms. */
void fake_script(int64_t contact_id, const struct fake_outcome *outcomes, size_t count);
#define FAKE_SCRIPT(contact_id, ...)                                                               \
    fake_script((contact_id), (const struct fake_outcome[]){__VA_ARGS__},                          \
                sizeof((const struct fake_outcome[]){__VA_ARGS__}) / sizeof(struct fake_outcome))

/* Sets a function that writes the outcome of each attempt without a script. It must not call the
 * fake. */
void fake_script_default(void (*write_outcome)(int64_t contact_id, int64_t time_ms,
                                               struct fake_outcome *outcome));

/* Sets the random numbers, in order. The last one is repeated. They are borrowed. Default: 0. */
void fake_script_random(const uint32_t *numbers, size_t count);
#define FAKE_RANDOM(...)                                                                           \
    fake_script_random((const uint32_t[]){__VA_ARGS__},                                            \
                       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Sets a function that returns the random numbers. */
void fake_script_random_function(uint32_t (*get_random)(void));

/* Calls action(data) when the clock reaches a time, before any other event of that time. */
void fake_call_at(int64_t time_ms, void (*action)(void *data), void *data);

/* Interrupts the client at that time. */
void fake_interrupt_at(int64_t time_ms, reply_client *client);

/* Advances the clock, as if the caller had been busy. */
void fake_advance_clock(int64_t ms);

/* Make the next sessions to be opened, or the next preparations of the process, fail for lack of
 * memory. */
void fake_fail_opens(int count);
void fake_fail_prepares(int count);

/* Calls run in as many threads, at most 8, each with its own element of contexts, an array whose
 * elements have this size. */
void fake_run_in_threads(void (*run)(void *context), void *contexts, size_t size, int count);

/* ---- The record ---- */

/* Returns the milliseconds since the test began. */
int64_t fake_now_ms(void);

/* Returns the events, in order. They are valid until the next event. */
const struct fake_event *fake_get_events(size_t *count);

/* Counts the events of a kind. */
size_t fake_count_events(enum fake_kind kind);

/* Returns the nth event of a kind, counted from 0. Fails the test if there are fewer. */
struct fake_event fake_get_event(enum fake_kind kind, size_t nth);

/* Returns the time at which the nth attempt started. */
int64_t fake_get_start_ms(size_t nth);

/* Fails the test if a response with this status was never read, or a request was sent after the
 * first one and before until_ms. */
void fake_expect_silence(int32_t http_status, int64_t until_ms);

/* Fails the test unless the attempts started at exactly these times. */
void fake_expect_starts(const int64_t *times_ms, size_t count);
#define EXPECT_STARTS(...)                                                                         \
    fake_expect_starts((const int64_t[]){__VA_ARGS__},                                             \
                       sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Adds a note to the events. */
void fake_add_note(int64_t number);

/* Removes all events. */
void fake_clear_events(void);

/* Count the sessions that were opened, those that are open, and those that were closed as inherited
 * through fork. */
int fake_count_opened_sessions(void);
int fake_count_open_sessions(void);
int fake_count_inherited_sessions(void);

/* Counts the calls of wake. */
int fake_count_wakes(void);

/* Returns the settings of the session that was opened last, valid as long as its client. NULL if
 * none was opened. */
const struct transport_settings *fake_get_settings(void);

/* Returns the number of slots of the session that was opened last. */
int32_t fake_get_slot_count(void);

/* Returns the URL of the attempt that started last. It is valid until the next one starts. */
const char *fake_get_url(void);

/* Returns the largest number of attempts that were in flight at once, over all sessions. */
int fake_get_max_in_flight(void);

/* Records a line of the log. fake_create_client sets this as the client's log function. */
void fake_record_line(const char *line, void *user_data);

/* Returns the recorded lines, each with a newline. They are valid until the next line. */
const char *fake_get_log(void);

#endif
