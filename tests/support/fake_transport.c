/* fake_transport.c - a transport without a network. All threads share one clock, one script and
 * one record under one lock, which is not held while a test's action runs. */
#include "support/fake_transport.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

/* The clock does not begin at 0, so that a time that is mistaken for a duration fails a test. */
enum {
    CLOCK_BEGIN_MS = 5000000,
    MAX_SCRIPTS = 64,
    MAX_ACTIONS = 32,
    MAX_IDLE_WAITS = 10000,
    MAX_EVENTS = 2000000
};

struct fake_slot {
    bool is_in_flight;
    bool is_sent;
    bool is_finished; /* a wait has read its outcome, which collect has not returned */
    bool is_timeout;
    int64_t sequence_id, contact_id;
    int64_t can_send_ms, times_out_ms;
    int64_t ends_ms;      /* if sent */
    int64_t start_number; /* counted over all sessions */
    int64_t read_number;  /* if finished; likewise */
    struct fake_outcome outcome;
    /* Its texts are copies on the heap with their exact lengths, so that a memory checker notices
     * reads past them. */
    struct transport_response response;
};

struct transport_session {
    const struct transport_settings *settings;
    struct transport_session *next; /* the session opened before */
    int32_t number, slot_count;
    int32_t last_collected; /* the slot that collect returned last, until it is used again; -1 */
    bool is_closed, is_broken, is_waiting, is_woken;
    int64_t wait_ends_ms; /* if waiting */
    struct fake_slot *slots;
};

struct script {
    int64_t contact_id;
    const struct fake_outcome *outcomes;
    size_t count, used_count;
};

struct action {
    int64_t time_ms;
    void (*run)(void *data);
    void *data;
};

static struct {
    int64_t now_ms;
    int idle_waits; /* since the clock last moved */
    int thread_count, waiting_count;
    struct transport_session *sessions;
    int opened_count, open_count, inherited_count, wake_count, in_flight_count, max_in_flight;
    int64_t start_count, read_count;
    int opens_to_fail, prepares_to_fail;
    struct script scripts[MAX_SCRIPTS];
    size_t script_count;
    void (*write_outcome)(int64_t contact_id, int64_t time_ms, struct fake_outcome *outcome);
    struct action actions[MAX_ACTIONS];
    size_t action_count;
    const uint32_t *numbers;
    size_t number_count, used_number_count;
    uint32_t (*get_random)(void);
    struct fake_event *events;
    size_t event_count, event_capacity;
    char *url; /* of the attempt that started last */
    char *log;
    size_t log_length;
    char violation[256]; /* the first one */
} fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* ---- The record ---- */

/* Records a breach of the transport's contract. A test cannot be failed here, in the middle of a
 * call and perhaps in another thread. */
static void record_violation(const char *what, const struct transport_session *session,
                             int32_t slot) {
    if (fake.violation[0] == '\0') {
        snprintf(fake.violation, sizeof fake.violation,
                 "%s: session %d, slot %d, at %" PRId64 " ms", what,
                 session != NULL ? session->number : -1, (int)slot, fake.now_ms - CLOCK_BEGIN_MS);
    }
}

/* Ends the program if a test cannot continue. */
static void abort_test(const char *what) {
    fprintf(stderr, "fake transport, at %" PRId64 " ms: %s\n", fake.now_ms - CLOCK_BEGIN_MS, what);
    abort();
}

static struct fake_event *add_event(enum fake_kind kind) {
    if (fake.event_count == MAX_EVENTS) {
        abort_test("the call does not end");
    }
    if (fake.event_count == fake.event_capacity) {
        fake.event_capacity = fake.event_capacity * 2 + 64;
        fake.events = realloc(fake.events, fake.event_capacity * sizeof *fake.events);
        if (fake.events == NULL) {
            abort_test("out of memory for the record");
        }
    }
    struct fake_event *event = &fake.events[fake.event_count++];
    *event = (struct fake_event){.kind = kind, .time_ms = fake.now_ms - CLOCK_BEGIN_MS};
    return event;
}

static struct fake_event *add_slot_event(enum fake_kind kind,
                                         const struct transport_session *session, int32_t slot) {
    struct fake_event *event = add_event(kind);
    event->session = session->number;
    event->slot = slot;
    event->sequence_id = session->slots[slot].sequence_id;
    event->contact_id = session->slots[slot].contact_id;
    return event;
}

int64_t fake_now_ms(void) {
    pthread_mutex_lock(&lock);
    const int64_t now = fake.now_ms - CLOCK_BEGIN_MS;
    pthread_mutex_unlock(&lock);
    return now;
}

const struct fake_event *fake_get_events(size_t *count) {
    *count = fake.event_count;
    return fake.events;
}

size_t fake_count_events(enum fake_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < fake.event_count; i++) {
        count += fake.events[i].kind == kind;
    }
    return count;
}

struct fake_event fake_get_event(enum fake_kind kind, size_t nth) {
    for (size_t i = 0; i < fake.event_count; i++) {
        if (fake.events[i].kind == kind && nth-- == 0) {
            return fake.events[i];
        }
    }
    fail_msg("only %zu events of kind %d were recorded", fake_count_events(kind), (int)kind);
    return (struct fake_event){0};
}

int64_t fake_get_start_ms(size_t nth) {
    return fake_get_event(FAKE_START, nth).time_ms;
}

void fake_expect_silence(int32_t http_status, int64_t until_ms) {
    bool is_limited = false;
    for (size_t i = 0; i < fake.event_count; i++) {
        const struct fake_event *event = &fake.events[i];
        is_limited = is_limited || (event->kind == FAKE_READ && !event->is_timeout &&
                                    event->outcome.http_status == http_status);
        if (is_limited && event->kind == FAKE_SEND && event->time_ms < until_ms) {
            fail_msg("contact %d was sent at %d ms, after HTTP %d", (int)event->contact_id,
                     (int)event->time_ms, (int)http_status);
        }
    }
    assert_true(is_limited);
}

void fake_expect_starts(const int64_t *times_ms, size_t count) {
    assert_int_equal(fake_count_events(FAKE_START), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fake_get_start_ms(i), times_ms[i]);
    }
}

void fake_add_note(int64_t number) {
    pthread_mutex_lock(&lock);
    add_event(FAKE_NOTE)->contact_id = number;
    pthread_mutex_unlock(&lock);
}

void fake_clear_events(void) {
    fake.event_count = 0;
}

int fake_count_opened_sessions(void) {
    return fake.opened_count;
}

int fake_count_open_sessions(void) {
    return fake.open_count;
}

int fake_count_inherited_sessions(void) {
    return fake.inherited_count;
}

int fake_count_wakes(void) {
    return fake.wake_count;
}

const struct transport_settings *fake_get_settings(void) {
    return fake.sessions != NULL ? fake.sessions->settings : NULL;
}

int32_t fake_get_slot_count(void) {
    return fake.sessions != NULL ? fake.sessions->slot_count : 0;
}

const char *fake_get_url(void) {
    return fake.url != NULL ? fake.url : "";
}

int fake_get_max_in_flight(void) {
    return fake.max_in_flight;
}

void fake_record_line(const char *line, void *user_data) {
    const size_t length = strlen(line);
    (void)user_data;
    pthread_mutex_lock(&lock);
    fake.log = realloc(fake.log, fake.log_length + length + 2);
    if (fake.log == NULL) {
        abort_test("out of memory for the log");
    }
    memcpy(fake.log + fake.log_length, line, length);
    memcpy(fake.log + fake.log_length + length, "\n", 2);
    fake.log_length += length + 1;
    pthread_mutex_unlock(&lock);
}

const char *fake_get_log(void) {
    return fake.log != NULL ? fake.log : "";
}

/* ---- The script ---- */

void fake_script(int64_t contact_id, const struct fake_outcome *outcomes, size_t count) {
    if (fake.script_count == MAX_SCRIPTS) {
        abort_test("too many scripts");
    }
    fake.scripts[fake.script_count++] =
        (struct script){.contact_id = contact_id, .outcomes = outcomes, .count = count};
}

void fake_script_default(void (*write_outcome)(int64_t contact_id, int64_t time_ms,
                                               struct fake_outcome *outcome)) {
    fake.write_outcome = write_outcome;
}

void fake_script_random(const uint32_t *numbers, size_t count) {
    fake.numbers = numbers;
    fake.number_count = count;
    fake.used_number_count = 0;
}

void fake_script_random_function(uint32_t (*get_random)(void)) {
    fake.get_random = get_random;
}

void fake_call_at(int64_t time_ms, void (*action)(void *data), void *data) {
    if (fake.action_count == MAX_ACTIONS) {
        abort_test("too many actions");
    }
    fake.actions[fake.action_count++] = (struct action){CLOCK_BEGIN_MS + time_ms, action, data};
}

static void interrupt(void *client) {
    reply_client_interrupt(client);
}

void fake_interrupt_at(int64_t time_ms, reply_client *client) {
    fake_call_at(time_ms, interrupt, client);
}

void fake_advance_clock(int64_t ms) {
    pthread_mutex_lock(&lock);
    fake.now_ms += ms;
    fake.idle_waits = 0;
    pthread_mutex_unlock(&lock);
}

void fake_fail_opens(int count) {
    fake.opens_to_fail = count;
}

void fake_fail_prepares(int count) {
    fake.prepares_to_fail = count;
}

/* Returns the outcome of the contact's next attempt. */
static struct fake_outcome use_outcome(int64_t contact_id) {
    struct fake_outcome outcome = {.duration_ms = 100};
    for (size_t i = 0; i < fake.script_count; i++) {
        struct script *script = &fake.scripts[i];
        if (script->contact_id == contact_id) {
            const size_t index =
                script->used_count < script->count ? script->used_count : script->count - 1;
            script->used_count++;
            return script->outcomes[index];
        }
    }
    if (fake.write_outcome != NULL) {
        fake.write_outcome(contact_id, fake.now_ms - CLOCK_BEGIN_MS, &outcome);
    }
    return outcome;
}

/* ---- The clock ---- */

static int64_t get_earlier(int64_t one, int64_t other) {
    return one < other ? one : other;
}

/* Returns true if a response was read that stops all sending until it is collected. */
static bool is_held(const struct transport_session *session) {
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct fake_slot *slot = &session->slots[i];
        if (slot->is_finished && !slot->is_timeout && slot->outcome.failure == REPLY_OK &&
            (slot->outcome.http_status == 401 || slot->outcome.http_status == 429)) {
            return true;
        }
    }
    return false;
}

/* Returns the time at which the session's wait ends, unless it is woken. */
static int64_t find_next_ms(const struct transport_session *session) {
    int64_t next = session->wait_ends_ms;
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct fake_slot *slot = &session->slots[i];
        if (slot->is_in_flight) {
            next = get_earlier(next, slot->is_sent
                                         ? slot->ends_ms
                                         : get_earlier(slot->can_send_ms, slot->times_out_ms));
        }
    }
    return next;
}

/* Moves the clock to the next event and ends all waits. All threads are waiting. */
static void advance(void) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < fake.action_count; i++) {
        next = get_earlier(next, fake.actions[i].time_ms);
    }
    for (struct transport_session *session = fake.sessions; session != NULL;
         session = session->next) {
        if (session->is_waiting) {
            next = get_earlier(next, find_next_ms(session));
            session->is_waiting = false;
        }
    }
    if (next == INT64_MAX) {
        abort_test("all threads wait forever");
    }
    if (next > fake.now_ms) {
        fake.now_ms = next;
        fake.idle_waits = 0;
    }
    fake.waiting_count = 0;
    pthread_cond_broadcast(&changed);
}

struct thread {
    pthread_t thread;
    void (*run)(void *context);
    void *context;
};

static void *run_thread(void *argument) {
    const struct thread *thread = argument;
    thread->run(thread->context);
    pthread_mutex_lock(&lock);
    fake.thread_count--;
    if (fake.thread_count > 0 && fake.waiting_count == fake.thread_count) {
        advance();
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void fake_run_in_threads(void (*run)(void *context), void *contexts, size_t size, int count) {
    struct thread threads[8];
    fake.thread_count = count;
    for (int i = 0; i < count; i++) {
        threads[i] = (struct thread){.run = run, .context = (char *)contexts + (size_t)i * size};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    fake.thread_count = 1;
}

/* Runs the actions that are due, the earliest first. The lock is held, except during an action. */
static void run_actions(void) {
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < fake.action_count; i++) {
            first = fake.actions[i].time_ms < fake.actions[first].time_ms ? i : first;
        }
        if (fake.action_count == 0 || fake.actions[first].time_ms > fake.now_ms) {
            return;
        }
        const struct action action = fake.actions[first];
        fake.actions[first] = fake.actions[--fake.action_count];
        pthread_mutex_unlock(&lock);
        action.run(action.data);
        pthread_mutex_lock(&lock);
    }
}

/* Waits until the clock has moved or the session is woken. */
static void wait_for_change(struct transport_session *session) {
    session->is_waiting = true;
    fake.waiting_count++;
    if (fake.waiting_count == fake.thread_count) {
        advance();
    }
    while (session->is_waiting) {
        pthread_cond_wait(&changed, &lock);
    }
}

/* ---- Sessions ---- */

static void check_use(const struct transport_session *session, int32_t slot, const char *what) {
    if (session->is_closed || slot < 0 || slot >= session->slot_count) {
        record_violation(what, session, slot);
        abort_test(fake.violation);
    }
}

static char *copy_bytes(const char *bytes, size_t length) {
    char *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL) {
        abort_test("out of memory for a response");
    }
    memcpy(copy, bytes, length);
    return copy;
}

static char *copy_text(const char *text) {
    return text != NULL ? copy_bytes(text, strlen(text) + 1) : NULL;
}

static void free_response(struct transport_response *response) {
    free((void *)response->failure_text);
    free((void *)response->body);
    free((void *)response->content_type);
    free((void *)response->retry_after);
    free((void *)response->date);
    free((void *)response->request_id);
    memset(response, 0, sizeof *response);
}

static struct transport_session *open_session(const struct transport_settings *settings,
                                              int32_t slot_count) {
    struct transport_session *session = NULL;
    pthread_mutex_lock(&lock);
    if (fake.opens_to_fail > 0) {
        fake.opens_to_fail--;
    } else {
        session = calloc(1, sizeof *session);
        if (session == NULL ||
            (session->slots = calloc((size_t)slot_count, sizeof *session->slots)) == NULL) {
            abort_test("out of memory for a session");
        }
        session->settings = settings;
        session->slot_count = slot_count;
        session->last_collected = -1;
        session->number = fake.opened_count++;
        session->next = fake.sessions;
        fake.sessions = session;
        fake.open_count++;
    }
    pthread_mutex_unlock(&lock);
    return session;
}

static void close_session(struct transport_session *session, bool is_inherited) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "close of a closed session");
    for (int32_t i = 0; i < session->slot_count; i++) {
        if (session->slots[i].is_in_flight && !is_inherited) {
            record_violation("close with an attempt in flight", session, i);
        }
        free_response(&session->slots[i].response);
    }
    session->is_closed = true;
    fake.open_count--;
    fake.inherited_count += is_inherited;
    pthread_mutex_unlock(&lock);
}

static void read_ids(const char *url, struct fake_slot *slot) {
    const char *ids = strstr(url, "/sequences/");
    if (ids == NULL ||
        sscanf(ids, "/sequences/%" SCNd64 "/contacts/%" SCNd64, &slot->sequence_id,
               &slot->contact_id) != 2 ||
        strncmp(url, "https://", 8) != 0) {
        abort_test("not the URL of a contact");
    }
}

/* Returns the first slot, in the order of reading, whose outcome has been read; -1 if none. */
static int32_t find_finished(const struct transport_session *session) {
    int32_t found = -1;
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct fake_slot *slot = &session->slots[i];
        if (slot->is_finished &&
            (found < 0 || slot->read_number < session->slots[found].read_number)) {
            found = i;
        }
    }
    return found;
}

static int64_t add_ms(int64_t time_ms, int64_t ms) {
    return ms > INT64_MAX - time_ms ? INT64_MAX : time_ms + ms;
}

static void check_start(const struct transport_session *session, int32_t number,
                        const struct transport_request *request) {
    check_use(session, number, "start");
    if (request->timeout_ms > request->deadline_ms - fake.now_ms) {
        record_violation("start with a timeout beyond the deadline", session, number);
    }
    if (request->timeout_ms < 1) {
        record_violation("start without a timeout", session, number);
    }
    if (session->slots[number].is_in_flight || session->is_waiting) {
        record_violation("start in a slot that is in use", session, number);
    }
    if (find_finished(session) >= 0) {
        record_violation("start before an outcome is collected", session, number);
    }
}

static void start(struct transport_session *session, int32_t number,
                  const struct transport_request *request) {
    pthread_mutex_lock(&lock);
    check_start(session, number, request);
    struct fake_slot *slot = &session->slots[number];
    session->last_collected = session->last_collected == number ? -1 : session->last_collected;
    free_response(&slot->response);
    read_ids(request->url, slot);
    free(fake.url);
    fake.url = copy_text(request->url);
    slot->outcome = use_outcome(slot->contact_id);
    slot->can_send_ms = add_ms(fake.now_ms, slot->outcome.connect_ms);
    slot->times_out_ms = fake.now_ms + request->timeout_ms;
    slot->start_number = fake.start_count++;
    slot->is_in_flight = true;
    slot->is_sent = false;
    slot->is_timeout = false;
    fake.in_flight_count++;
    fake.max_in_flight =
        fake.in_flight_count > fake.max_in_flight ? fake.in_flight_count : fake.max_in_flight;
    struct fake_event *event = add_slot_event(FAKE_START, session, number);
    event->timeout_ms = request->timeout_ms;
    event->max_body_size = request->max_body_size;
    pthread_mutex_unlock(&lock);
}

static void free_slot(struct fake_slot *slot) {
    slot->is_in_flight = false;
    slot->is_finished = false;
    fake.in_flight_count--;
}

static void cancel(struct transport_session *session, int32_t number) {
    pthread_mutex_lock(&lock);
    check_use(session, number, "cancel");
    if (!session->slots[number].is_in_flight) {
        record_violation("cancel of a slot that is free", session, number);
    }
    free_slot(&session->slots[number]);
    add_slot_event(FAKE_CANCEL, session, number);
    pthread_mutex_unlock(&lock);
}

/* An attempt that is recalled uses up no outcome of its contact. */
static void unuse_outcome(int64_t contact_id) {
    for (size_t i = 0; i < fake.script_count; i++) {
        if (fake.scripts[i].contact_id == contact_id) {
            fake.scripts[i].used_count--;
            return;
        }
    }
}

static bool recall(struct transport_session *session, int32_t number) {
    pthread_mutex_lock(&lock);
    check_use(session, number, "recall");
    struct fake_slot *slot = &session->slots[number];
    if (!slot->is_in_flight || session->is_waiting || find_finished(session) >= 0) {
        record_violation("recall of a free slot or before an outcome is collected", session,
                         number);
    }
    const bool is_recalled = slot->is_in_flight && !slot->is_sent;
    if (is_recalled) {
        free_slot(slot);
        unuse_outcome(slot->contact_id);
        add_slot_event(FAKE_RECALL, session, number);
    }
    pthread_mutex_unlock(&lock);
    return is_recalled;
}

static void retire(struct transport_session *session, int32_t number) {
    pthread_mutex_lock(&lock);
    check_use(session, number, "retire");
    if (!session->slots[number].is_in_flight && session->last_collected != number) {
        record_violation("retire of a slot that is free", session, number);
    }
    add_slot_event(FAKE_RETIRE, session, number);
    pthread_mutex_unlock(&lock);
}

/* Returns the requested contact, with personal data that no message may contain. */
static char *make_contact(const struct fake_slot *slot) {
    char body[512];
    snprintf(body, sizeof body,
             "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64 ",\"email\":\"person%" PRId64
             "@private.example\",\"firstName\":\"Private\",\"status\":\"Active\",\"currentStep\":2,"
             "\"addingDate\":"
             "\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":true}",
             slot->contact_id, slot->sequence_id, slot->contact_id);
    return copy_text(body);
}

static void fill_response(struct fake_slot *slot) {
    const struct fake_outcome *outcome = &slot->outcome;
    struct transport_response *response = &slot->response;
    if (slot->is_timeout) {
        *response = (struct transport_response){.failure = REPLY_ERROR_TIMEOUT,
                                                .is_transient = true,
                                                .failure_text = copy_text("Operation timed out"),
                                                .curl_code = 28};
        return;
    }
    *response = (struct transport_response){
        .failure = outcome->failure,
        .is_transient = outcome->is_transient ||
                        (!outcome->is_final && (outcome->failure == REPLY_ERROR_NETWORK ||
                                                outcome->failure == REPLY_ERROR_TIMEOUT)),
        .failure_text = copy_text(outcome->failure_text != NULL ? outcome->failure_text
                                  : outcome->failure == REPLY_ERROR_NO_MEMORY ? "memory"
                                                                              : ""),
        .curl_code = outcome->curl_code,
        .http_status =
            outcome->failure == REPLY_OK && outcome->http_status == 0 ? 200 : outcome->http_status,
        .content_type = copy_text(outcome->content_type),
        .retry_after = copy_text(outcome->retry_after),
        .date = copy_text(outcome->date),
        .request_id = copy_text(outcome->request_id),
    };
    char *contact =
        response->http_status == 200 && outcome->body == NULL ? make_contact(slot) : NULL;
    const char *body = contact != NULL ? contact : outcome->body;
    if (body != NULL && body[0] != '\0') {
        response->body_length = strlen(body);
        response->body = copy_bytes(body, response->body_length);
    }
    free(contact);
}

/* Returns the time at which an attempt ends; INT64_MAX if it has ended. */
static int64_t find_end_ms(const struct fake_slot *slot) {
    return !slot->is_in_flight || slot->is_finished ? INT64_MAX
           : slot->is_sent                          ? slot->ends_ms
                                                    : slot->times_out_ms;
}

/* Returns the slot whose attempt ended first, or -1 if none has ended. */
static int32_t find_ended(const struct transport_session *session) {
    int32_t found = -1;
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct fake_slot *slot = &session->slots[i];
        const struct fake_slot *best = &session->slots[found < 0 ? i : found];
        const int64_t end_ms = find_end_ms(slot);
        if (end_ms <= fake.now_ms &&
            (found < 0 || end_ms < find_end_ms(best) ||
             (end_ms == find_end_ms(best) && slot->start_number < best->start_number))) {
            found = i;
        }
    }
    return found;
}

static void add_outcome_event(enum fake_kind kind, const struct transport_session *session,
                              int32_t number) {
    struct fake_event *event = add_slot_event(kind, session, number);
    event->is_timeout = session->slots[number].is_timeout;
    event->outcome = session->slots[number].outcome;
}

static void read_ended(struct transport_session *session) {
    for (int32_t i = find_ended(session); i >= 0; i = find_ended(session)) {
        struct fake_slot *slot = &session->slots[i];
        slot->is_timeout = slot->is_timeout || !slot->is_sent;
        slot->is_finished = true;
        slot->read_number = fake.read_count++;
        fill_response(slot);
        session->is_broken = session->is_broken || slot->response.failure == REPLY_ERROR_NO_MEMORY;
        add_outcome_event(FAKE_READ, session, i);
    }
}

/* Returns true if something was sent. */
static bool send_unsent(struct transport_session *session) {
    bool has_sent = false;
    for (int32_t i = 0; i < session->slot_count && !is_held(session); i++) {
        struct fake_slot *slot = &session->slots[i];
        if (slot->is_in_flight && !slot->is_finished && !slot->is_sent &&
            slot->can_send_ms <= fake.now_ms) {
            slot->is_sent = true;
            slot->is_timeout = slot->outcome.duration_ms > slot->times_out_ms - fake.now_ms;
            slot->ends_ms =
                slot->is_timeout ? slot->times_out_ms : fake.now_ms + slot->outcome.duration_ms;
            add_slot_event(FAKE_SEND, session, i);
            has_sent = true;
        }
    }
    return has_sent;
}

static void begin_wait(struct transport_session *session, int64_t timeout_ms) {
    check_use(session, 0, "wait");
    if (session->is_waiting || timeout_ms < -1) {
        record_violation(session->is_waiting ? "wait in two threads"
                                             : "wait with an invalid timeout",
                         session, 0);
    }
    if (find_finished(session) >= 0) {
        record_violation("wait before an outcome is collected", session, find_finished(session));
    }
    if (++fake.idle_waits > MAX_IDLE_WAITS) {
        abort_test("busy loop: the clock does not move");
    }
    session->wait_ends_ms = timeout_ms < 0 ? INT64_MAX : add_ms(fake.now_ms, timeout_ms);
    struct fake_event *event = add_event(FAKE_WAIT);
    event->session = session->number;
    event->timeout_ms = timeout_ms;
}

/* What arrives is read before anything is sent, as late as the contract allows. */
static void wait_for_transfer(struct transport_session *session, int64_t timeout_ms) {
    pthread_mutex_lock(&lock);
    begin_wait(session, timeout_ms);
    for (;;) {
        run_actions();
        do {
            read_ended(session);
        } while (send_unsent(session));
        if (find_finished(session) >= 0 || timeout_ms == 0) {
            break; /* without a poll, which alone notices that it was woken */
        }
        if (session->is_woken || fake.now_ms >= session->wait_ends_ms) {
            session->is_woken = false;
            break;
        }
        wait_for_change(session);
    }
    pthread_mutex_unlock(&lock);
}

static int32_t collect(struct transport_session *session, struct transport_response *response) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "collect");
    const int32_t number = find_finished(session);
    if (number >= 0) {
        *response = session->slots[number].response;
        free_slot(&session->slots[number]);
        session->last_collected = number;
        add_outcome_event(FAKE_END, session, number);
    }
    pthread_mutex_unlock(&lock);
    return number;
}

static void wake(struct transport_session *session) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "wake");
    session->is_woken = true;
    fake.wake_count++;
    if (session->is_waiting) {
        session->is_waiting = false;
        fake.waiting_count--;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
}

/* Out of memory may have left the session in an undefined state, as in the real transport. */
static bool is_reusable(const struct transport_session *session) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "is_reusable");
    for (int32_t i = 0; i < session->slot_count; i++) {
        if (session->slots[i].is_in_flight) {
            record_violation("end of a call with an attempt in flight", session, i);
        }
    }
    const bool is_broken = session->is_broken;
    pthread_mutex_unlock(&lock);
    return !is_broken;
}

/* ---- Clocks and random numbers, instead of the library's ---- */

int64_t clock_now_ms(void) {
    return fake_now_ms() + CLOCK_BEGIN_MS;
}

int64_t clock_unix_seconds(void) {
    return FAKE_UNIX_SECONDS + fake_now_ms() / 1000;
}

uint32_t random_bits(void) {
    uint32_t number = 0;
    if (fake.get_random != NULL) {
        return fake.get_random();
    }
    pthread_mutex_lock(&lock);
    if (fake.number_count > 0) {
        const size_t last = fake.number_count - 1;
        number = fake.numbers[fake.used_number_count < last ? fake.used_number_count++ : last];
    }
    pthread_mutex_unlock(&lock);
    return number;
}

/* ---- The rest of the table ---- */

static reply_result prepare(reply_error *error) {
    if (fake.prepares_to_fail > 0) {
        fake.prepares_to_fail--;
        return error_set_no_memory(error);
    }
    return REPLY_OK;
}

static const char *version(void) {
    return "7.fake";
}

/* Accepts only https. A host named "loop" is a loopback host. */
static reply_result parse_base_url(const char *url, struct transport_base_url *base_url,
                                   char **text, reply_error *error) {
    if (strncmp(url, "https://", 8) != 0) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid base URL: not https; use https with the fake transport");
    }
    size_t length = strlen(url);
    base_url->path_offset = 8 + strcspn(url + 8, "/");
    while (length > base_url->path_offset && url[length - 1] == '/') {
        length--;
    }
    base_url->is_loopback = strncmp(url + 8, "loop", 4) == 0;
    *text = copy_text(url);
    (*text)[length] = '\0';
    base_url->text = *text;
    return REPLY_OK;
}

static reply_result check_proxy(const char *url, reply_error *error) {
    if (strncmp(url, "http", 4) == 0) {
        return REPLY_OK;
    }
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "invalid proxy URL: not http; use http with the fake transport");
}

const struct transport fake_transport = {
    .prepare = prepare,
    .version = version,
    .parse_base_url = parse_base_url,
    .check_proxy = check_proxy,
    .open = open_session,
    .start = start,
    .wait = wait_for_transfer,
    .collect = collect,
    .recall = recall,
    .cancel = cancel,
    .retire = retire,
    .wake = wake,
    .is_reusable = is_reusable,
    .close = close_session,
};

/* ---- Setup and teardown ---- */

void fake_begin(void) {
    memset(&fake, 0, sizeof fake);
    fake.now_ms = CLOCK_BEGIN_MS;
    fake.thread_count = 1;
}

int fake_end(void) {
    if (fake.violation[0] == '\0' && fake.open_count > 0) {
        record_violation("a session was never closed", fake.sessions, 0);
    }
    while (fake.sessions != NULL) {
        struct transport_session *session = fake.sessions;
        fake.sessions = session->next;
        free(session->slots);
        free(session);
    }
    free(fake.events);
    free(fake.url);
    free(fake.log);
    fake.events = NULL;
    fake.url = NULL;
    fake.log = NULL;
    if (fake.violation[0] != '\0') {
        fprintf(stderr, "the transport's contract is broken: %s\n", fake.violation);
        return -1;
    }
    return 0;
}

reply_client *fake_create_client(void) {
    reply_client *client = NULL;
    reply_error error;
    assert_int_equal(client_create(&fake_transport, FAKE_KEY, &client, error_begin(&error, NULL)),
                     REPLY_OK);
    assert_int_equal(reply_client_set_log(client, fake_record_line, NULL, NULL), REPLY_OK);
    return client;
}

int fake_setup(void **state) {
    fake_begin();
    *state = fake_create_client();
    return 0;
}

int fake_teardown(void **state) {
    reply_client_destroy(*state);
    return fake_end();
}
