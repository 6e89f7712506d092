/* fake_transport.h - a transport without a network: its clock only moves inside wait, its answers
 * and its chance are scripted, and it records what was asked of it. Several threads may use it at
 * once: the clock moves when all of them wait. What breaks the transport's contract is noted and
 * fails the test at its end. */
#ifndef REPLYIO_FAKE_TRANSPORT_H
#define REPLYIO_FAKE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyio.h"
#include "transport/transport.h"

extern const struct transport fake_transport;

#define FAKE_KEY "k3y-Secret/0123456789+abc"

/* Longer than any attempt may take. */
#define FAKE_HANGS INT64_MAX

/* 2023-11-14T22:13:20Z: the host's clock when a test begins. */
#define FAKE_UNIX_SECONDS 1700000000

/* What an attempt comes to. One that takes longer than it is given ends as TIMEOUT by itself. */
struct fake_answer {
    int64_t takes_ms;
    reply_result failure; /* REPLY_OK: there is a response */
    const char *failure_text;
    int32_t curl_code;
    int32_t http_status; /* 0 without a failure: 200 */
    const char *body;    /* NULL: of a 200 the contact that was asked for, else empty */
    const char *content_type, *retry_after, *date, *request_id;
};

enum fake_kind {
    FAKE_START,  /* an attempt begins */
    FAKE_END,    /* an attempt is over, and the library is told so */
    FAKE_CANCEL, /* the library ends an attempt */
    FAKE_WAIT,   /* the library begins to wait */
    FAKE_NOTE,   /* a test's own */
};

/* Something that happened. Times are milliseconds since the test began. */
struct fake_event {
    enum fake_kind kind;
    int64_t time_ms;
    int64_t sequence_id, contact_id; /* of an attempt; contact_id is a note's number, too */
    int64_t timeout_ms;              /* START: the longest that it may take; WAIT: -1 is no limit */
    int32_t session, slot;           /* sessions count from 0 */
    bool is_timeout;                 /* END: no answer came in time */
    struct fake_answer answer;       /* END, unless is_timeout */
};

/* Setup and teardown of each test, with a new client, of FAKE_KEY and with its log kept, as *state.
 */
int fake_setup(void **state);
int fake_teardown(void **state);

/* Begins and ends without a client. Returns 0, or -1 where the transport's contract was broken. */
void fake_begin(void);
int fake_end(void);

/* A client of FAKE_KEY on the fake transport, whose log is kept. */
reply_client *fake_create_client(void);

/* ---- The script ---- */

/* The answers to a contact's attempts, in turn; the last one again for all that follow. They are
 * not copied. A contact without a script is had in 100 ms. */
void fake_script(int64_t contact_id, const struct fake_answer *answers, size_t count);
#define FAKE_SCRIPT(contact_id, ...)                                                               \
    fake_script((contact_id), (const struct fake_answer[]){__VA_ARGS__},                           \
                sizeof((const struct fake_answer[]){__VA_ARGS__}) / sizeof(struct fake_answer))

/* Fills in the answer to any attempt that has no script. It must not call the fake. */
void fake_script_all(void (*write_answer)(int64_t contact_id, int64_t time_ms,
                                          struct fake_answer *answer));

/* What chance gives: the numbers in turn, the last one again for all that follow (not copied); 0
 * without a script. Or a function.
 */
void fake_script_random(const uint32_t *numbers, size_t count);
#define FAKE_RANDOM(...)                                                                           \
    fake_script_random((const uint32_t[]){__VA_ARGS__},                                            \
                       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
void fake_script_all_random(uint32_t (*random)(void));

/* Calls action(data) when the clock reaches a time, before anything else that happens then. */
void fake_at(int64_t time_ms, void (*action)(void *data), void *data);

/* Interrupts the client then. */
void fake_interrupt_at(int64_t time_ms, reply_client *client);

/* Moves the clock, as a caller that is busy for a while. */
void fake_pass(int64_t ms);

/* The next sessions to be opened, or the next preparations of the process, fail for lack of memory.
 */
void fake_fail_opens(int count);
void fake_fail_prepares(int count);

/* Calls run in so many threads at once, at most 8, each with its own element of contexts, an array
 * of elements of this size. The clock moves when all that still run wait. */
void fake_run_in_threads(void (*run)(void *context), void *contexts, size_t size, int count);

/* ---- The record ---- */

/* Milliseconds since the test began. */
int64_t fake_now(void);

/* What happened, in its order; valid until more happens. */
const struct fake_event *fake_events(size_t *count);
size_t fake_count(enum fake_kind kind);
/* The nth of a kind, counted from 0. Fails the test where there are fewer. */
struct fake_event fake_nth(enum fake_kind kind, size_t nth);
/* When the nth attempt began. */
int64_t fake_start_ms(size_t nth);
void fake_note(int64_t number);
/* Forgets what happened. */
void fake_forget_events(void);

int fake_sessions_opened(void);
int fake_sessions_open(void);
int fake_sessions_left_to_parent(void); /* closed with came_through_fork */
int fake_wakes(void);
/* The settings of the session that was opened last, as long as its client lives. */
const struct transport_settings *fake_settings(void);
/* The most attempts that were ever under way at once, over all sessions. */
int fake_most_in_flight(void);

/* The lines that fake_log received, each with a line feed after it; valid until the next one.
 * fake_create_client sets it. */
void fake_log(const char *line, void *user_data);
const char *fake_log_text(void);

#endif
