/* test_dispatch_random.c - random schedules of one call for many contacts, each reproduced by its
 * seed. A model checks every event against the contract. With a seed as its argument, the program
 * runs and prints only that schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_transport.h"
#include "support/statuses.h"
#include "replyio.h"

enum { SEQUENCE = 100, SEED_COUNT = 10000, MAX_CONTACTS = 48, NOTE_INTERRUPT = MAX_CONTACTS };

/* ---- The schedule of a seed ---- */

static uint64_t seed;

/* Returns a random number that depends only on the seed and the arguments. */
static uint64_t draw(uint64_t topic, uint64_t detail) {
    uint64_t mixed =
        seed * 0x9E3779B97F4A7C15U + topic * 0xBF58476D1CE4E5B9U + detail * 0x94D049BB133111EBU;
    for (int i = 0; i < 2; i++) {
        mixed = (mixed ^ (mixed >> 31)) * 0x7FB5D329728EA185U;
        mixed = (mixed ^ (mixed >> 27)) * 0x81DADEF4BC2DD44DU;
    }
    return mixed ^ (mixed >> 33);
}

static int64_t draw_from(uint64_t topic, uint64_t detail, int64_t first, int64_t last) {
    return first + (int64_t)(draw(topic, detail) % (uint64_t)(last - first + 1));
}

enum topic {
    COUNT,
    IDS,
    CONCURRENCY,
    RETRIES,
    TIMEOUT,
    ATTEMPT_TIMEOUT,
    INTERRUPT,
    STOP,
    SUCCESS_RATE,
    OUTCOME,
    DURATION,
    JITTER,
    DELAY,
    CONNECT,
    TOGETHER
};

struct schedule {
    int64_t ids[MAX_CONTACTS];
    size_t count;
    bool has_duplicates, has_invalid_id;
    bool is_slow; /* the callback takes time */
    int32_t concurrency, retries;
    int64_t timeout_ms; /* 0: none */
    int64_t attempt_timeout_ms;
    int64_t interrupt_ms; /* -1: never */
    size_t stop_at;       /* the delivery, counted from 1, that stops the call; 0: none */
};

static void make_ids(struct schedule *schedule) {
    schedule->count = (size_t)draw_from(COUNT, 0, 0, draw(COUNT, 1) % 4 == 0 ? 3 : MAX_CONTACTS);
    schedule->has_duplicates = draw(IDS, 1000) % 8 == 0;
    for (size_t i = 0; i < schedule->count; i++) {
        const bool is_invalid = draw(IDS, i) % 20 == 0;
        schedule->has_invalid_id = schedule->has_invalid_id || is_invalid;
        schedule->ids[i] = is_invalid                 ? -(int64_t)(i % 3)
                           : schedule->has_duplicates ? draw_from(IDS, 100 + i, 1, 5)
                                                      : 1000 + (int64_t)i;
    }
}

static struct schedule make_schedule(void) {
    static const int32_t concurrencies[] = {1, 2, 3, 4, 4, 8, 16, 100};
    static const int32_t retries[] = {0, 0, 1, 2, 3, 3, 10};
    struct schedule schedule = {0};
    make_ids(&schedule);
    schedule.concurrency = concurrencies[draw(CONCURRENCY, 0) % 8];
    schedule.retries = retries[draw(RETRIES, 0) % 7];
    schedule.timeout_ms = draw(TIMEOUT, 0) % 2 == 0
                              ? 0
                              : draw_from(TIMEOUT, 1, 1, draw(TIMEOUT, 2) % 2 == 0 ? 2000 : 60000);
    schedule.attempt_timeout_ms =
        draw(ATTEMPT_TIMEOUT, 0) % 2 == 0 ? 30000 : draw_from(ATTEMPT_TIMEOUT, 1, 1, 2000);
    schedule.interrupt_ms =
        draw(INTERRUPT, 0) % 3 != 0
            ? -1
            : draw_from(INTERRUPT, 1, 0, draw(INTERRUPT, 2) % 2 == 0 ? 1000 : 30000);
    schedule.stop_at = draw(STOP, 0) % 4 != 0 ? 0 : (size_t)draw_from(STOP, 1, 1, MAX_CONTACTS);
    schedule.is_slow = draw(DELAY, 1000) % 8 == 0;
    return schedule;
}

static const struct fake_outcome outcomes[] = {
    {.http_status = 503},
    {.http_status = 429, .retry_after = "2"},
    {.failure = REPLY_ERROR_NETWORK, .curl_code = 56},
    {.http_status = 404},
    {.http_status = 429},
    {.http_status = 401},
    {.http_status = 429, .retry_after = "3600"},
    {.http_status = 500, .retry_after = "1"},
    {.http_status = 429, .retry_after = "30"},
    {.duration_ms = FAKE_HANGS},
    {.failure = REPLY_ERROR_TIMEOUT, .curl_code = 28},
    {.http_status = 408},
    {.http_status = 502},
    {.http_status = 504,
     .retry_after = "Tue, 14 Nov 2023 22:13:50 GMT",
     .date = "Tue, 14 Nov 2023 22:13:40 GMT"},
    {.failure = REPLY_ERROR_TLS, .curl_code = 60},
    {.failure = REPLY_ERROR_TLS, .curl_code = 35, .is_transient = true},
    {.failure = REPLY_ERROR_NETWORK, .curl_code = 56, .is_final = true},
    {.connect_ms = FAKE_HANGS},
    {.failure = REPLY_ERROR_RESPONSE_TOO_LARGE},
    {.failure = REPLY_ERROR_NO_MEMORY},
    {.http_status = 400},
    {.http_status = 422},
    {.http_status = 403},
    {.http_status = 501},
    {.http_status = 302},
    {.http_status = 200, .body = "<html>"},
    {.http_status = 200, .body = "{\"contactId\":1}"},
    /* The last one is the wrong contact. */
    {.http_status = 200,
     .body = "{\"contactId\":999,\"sequenceId\":100,\"status\":\"Active\",\"currentStep\":1,"
             "\"addingDate\":"
             "\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"},
};

enum { LAST_OUTCOME = sizeof outcomes / sizeof *outcomes - 1 };

/* In some schedules all responses take equally long, so that those of requests that were sent
 * together are read together. In some, connections take time. */
static void draw_times(uint64_t detail, struct fake_outcome *outcome) {
    if (outcome->duration_ms != FAKE_HANGS) {
        outcome->duration_ms =
            draw(TOGETHER, 0) % 3 == 0
                ? 100
                : draw_from(DURATION, detail, 0, draw(DURATION, detail + 1) % 10 == 0 ? 5000 : 200);
    }
    if (outcome->connect_ms != FAKE_HANGS && draw(CONNECT, 0) % 2 == 0) {
        outcome->connect_ms =
            draw(CONNECT, detail) % 2 == 0
                ? 0
                : draw_from(CONNECT, detail + 1, 0, draw_from(CONNECT, 1, 1, 300));
    }
}

/* The outcome depends on the time, so that the attempts of a contact differ. The success rate
 * depends on the schedule. */
static void write_outcome(int64_t contact_id, int64_t time_ms, struct fake_outcome *outcome) {
    static const int64_t success_percents[] = {10, 60, 90, 98};
    const uint64_t detail = (uint64_t)contact_id * 1000003 + (uint64_t)time_ms;
    *outcome = (struct fake_outcome){0};
    if (draw_from(OUTCOME, detail, 1, 100) > success_percents[draw(SUCCESS_RATE, 0) % 4]) {
        const int64_t one = draw_from(OUTCOME, detail + 1, 0, LAST_OUTCOME);
        const int64_t other = draw_from(OUTCOME, detail + 2, 0, LAST_OUTCOME);
        *outcome = outcomes[one < other ? one : other];
    }
    draw_times(detail, outcome);
}

static uint32_t draw_jitter(void) {
    return (uint32_t)draw(JITTER, (uint64_t)fake_now_ms());
}

/* ---- The call ---- */

struct delivery {
    int count;
    reply_error error;
    bool is_valid; /* contact and error match */
};

struct call {
    struct schedule schedule;
    struct delivery deliveries[MAX_CONTACTS];
    size_t delivery_count;
    reply_result result;
    reply_error error;
    int64_t ended_ms;
};

static int record_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                           const reply_error *error, void *user_data) {
    struct call *call = user_data;
    struct delivery *delivery = &call->deliveries[index];
    fake_add_note((int64_t)index);
    call->delivery_count++;
    delivery->count++;
    delivery->error = *error;
    delivery->is_valid = error->result == result && (contact != NULL) == (result == REPLY_OK) &&
                         (contact == NULL || (contact->contact_id == call->schedule.ids[index] &&
                                              contact->sequence_id == SEQUENCE));
    reply_sequence_contact_free(contact);
    if (call->schedule.is_slow) {
        fake_advance_clock(draw_from(DELAY, index, 0, 300));
    }
    return call->delivery_count == call->schedule.stop_at;
}

static void interrupt(void *client) {
    fake_add_note(NOTE_INTERRUPT);
    reply_client_interrupt(client);
}

static void make_call(struct call *call, reply_client *client) {
    const struct schedule *schedule = &call->schedule;
    assert_int_equal(reply_client_set_max_concurrency(client, schedule->concurrency, NULL),
                     REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, schedule->retries, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_timeout_ms(client, schedule->timeout_ms, NULL), REPLY_OK);
    assert_int_equal(
        reply_client_set_attempt_timeout_ms(client, schedule->attempt_timeout_ms, NULL), REPLY_OK);
    fake_script_default(write_outcome);
    fake_script_random_function(draw_jitter);
    if (schedule->interrupt_ms >= 0) {
        fake_call_at(schedule->interrupt_ms, interrupt, client);
    }
    call->result = reply_get_sequence_contacts(client, SEQUENCE, schedule->ids, schedule->count,
                                               record_delivery, call, &call->error);
    call->ended_ms = fake_now_ms();
}

/* ---- The model ---- */

enum state { UNSENT, STARTED, SENT, WAITING, ENDED, DELIVERED };

struct contact {
    enum state state;
    int32_t attempts, retries;
    int64_t started_ms;
    int64_t due_ms; /* WAITING: the time of the retry, apart from the gate */
    bool is_retired, is_wrong, is_transient;
    bool has_result; /* ENDED, or WAITING after the end of the call: the error to be delivered */
    reply_result result;
    int32_t http_status, curl_code;
    int64_t retry_after_ms;
};

struct model {
    const struct call *call;
    struct contact contacts[MAX_CONTACTS];
    int32_t slot_count; /* contacts started, sent or waiting */
    int32_t read_count; /* outcomes that were read but not collected */
    int64_t gate_ms, deadline_ms;
    int64_t silent_until_ms; /* by what was read: nothing is sent before that time */
    reply_result end_result; /* the error that has ended the call; REPLY_OK: none */
    int64_t end_retry_after_ms;
    bool is_interrupted, is_stopped, was_cancelled;
    int64_t interrupted_ms;
    size_t delivery_count;
    size_t queue[MAX_CONTACTS]; /* the indexes of ended contacts, in order */
    size_t queue_head, queue_tail;
    size_t must_head;    /* what was queued before the last wait is delivered before the next one */
    char violation[160]; /* the first one */
};

static void record_violation(struct model *model, const char *what, int64_t time_ms,
                             int64_t number) {
    if (model->violation[0] == '\0') {
        snprintf(model->violation, sizeof model->violation, "%s (at %" PRId64 " ms, %" PRId64 ")",
                 what, time_ms, number);
    }
}

static void require(struct model *model, bool holds, const char *what,
                    const struct fake_event *event) {
    if (!holds) {
        record_violation(model, what, event->time_ms, event->contact_id);
    }
}

static struct contact *find_contact(struct model *model, int64_t id, size_t *index) {
    for (size_t i = 0; i < model->call->schedule.count; i++) {
        if (model->call->schedule.ids[i] == id) {
            *index = i;
            return &model->contacts[i];
        }
    }
    *index = 0;
    return NULL;
}

static int64_t get_later(int64_t one, int64_t other) {
    return one > other ? one : other;
}

static bool is_running(const struct model *model) {
    return model->end_result == REPLY_OK && !model->is_interrupted && !model->is_stopped;
}

static void follow_start(struct model *model, const struct fake_event *event) {
    const struct schedule *schedule = &model->call->schedule;
    const int64_t left_ms = model->deadline_ms - event->time_ms;
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model, contact != NULL && event->contact_id > 0, "started with an invalid id", event);
    if (contact == NULL) {
        return;
    }
    require(model, contact->state == UNSENT || contact->state == WAITING,
            "started while in flight or ended", event);
    require(model, model->read_count == 0, "started before an outcome is collected", event);
    require(model, is_running(model), "started after the end", event);
    require(model, left_ms > 0, "started at or after the deadline", event);
    require(model, event->time_ms >= model->gate_ms, "started while the gate is closed", event);
    require(model,
            event->timeout_ms ==
                (left_ms < schedule->attempt_timeout_ms ? left_ms : schedule->attempt_timeout_ms),
            "started with the wrong timeout", event);
    if (contact->state == UNSENT) {
        model->slot_count++;
    } else {
        const int64_t due_ms = get_later(contact->due_ms, model->gate_ms);
        require(model, schedule->is_slow ? event->time_ms >= due_ms : event->time_ms == due_ms,
                "not started when due", event);
    }
    require(model, model->slot_count <= schedule->concurrency, "more slots than max_concurrency",
            event);
    contact->state = STARTED;
    contact->started_ms = event->time_ms;
    contact->attempts++;
}

static void follow_send(struct model *model, const struct fake_event *event) {
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model, contact != NULL && contact->state == STARTED, "sent unexpectedly", event);
    require(model, model->end_result == REPLY_OK && !model->is_stopped, "sent after the end",
            event);
    require(model, event->time_ms >= model->silent_until_ms, "sent after a limit was read", event);
    if (contact != NULL) {
        contact->state = SENT;
    }
}

static void follow_read(struct model *model, const struct fake_event *event) {
    const struct fake_outcome *outcome = &event->outcome;
    model->read_count++;
    if (event->is_timeout || outcome->failure != REPLY_OK) {
        return;
    }
    if (outcome->http_status == 401) {
        model->silent_until_ms = INT64_MAX;
    } else if (outcome->http_status == 429 && outcome->retry_after != NULL) {
        model->silent_until_ms = get_later(
            model->silent_until_ms, event->time_ms + strtol(outcome->retry_after, NULL, 10) * 1000);
    }
}

static bool has_contact(const struct model *model, enum state state) {
    for (size_t i = 0; i < model->call->schedule.count; i++) {
        if (model->contacts[i].state == state) {
            return true;
        }
    }
    return false;
}

/* Ends the call if something is unsent, and the deadline has passed or comes before the gate opens.
 */
static void end_if_late(struct model *model, int64_t now) {
    if (model->end_result != REPLY_OK ||
        !(has_contact(model, UNSENT) || has_contact(model, WAITING))) {
        return;
    }
    if (now >= model->deadline_ms) {
        model->end_result = REPLY_ERROR_TIMEOUT;
        model->end_retry_after_ms = -1;
    } else if (model->gate_ms >= model->deadline_ms) {
        model->end_result = REPLY_ERROR_RATE_LIMITED;
        model->end_retry_after_ms = model->gate_ms - now;
    }
}

static void follow_recall(struct model *model, const struct fake_event *event) {
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model, contact != NULL && contact->state == STARTED, "recalled unexpectedly", event);
    end_if_late(model, event->time_ms);
    require(model, model->gate_ms > event->time_ms || model->end_result != REPLY_OK,
            "recalled without a reason", event);
    if (contact != NULL) {
        contact->state = WAITING;
        contact->due_ms = contact->started_ms;
        contact->attempts--;
    }
}

/* Retries and what was recalled get the error that has ended the call, if one has. */
static void end_waiting(struct model *model) {
    for (size_t i = 0; i < model->call->schedule.count && model->end_result != REPLY_OK; i++) {
        struct contact *contact = &model->contacts[i];
        if (contact->state == WAITING && !contact->has_result) {
            contact->has_result = true;
            contact->result = model->end_result;
            contact->retry_after_ms = model->end_retry_after_ms;
        }
    }
}

/* The library must not wait for something else while it has something to deliver, or while a slot
 * is free, a contact is unsent and the gate is open. An invalid id uses a slot for one step. */
static void follow_wait(struct model *model, const struct fake_event *event) {
    const struct schedule *schedule = &model->call->schedule;
    const bool is_short = event->timeout_ms == 0;
    end_if_late(model, event->time_ms);
    require(model, model->read_count == 0, "waits before an outcome is collected", event);
    require(model, !model->is_interrupted && !model->is_stopped, "waits after the end", event);
    require(model, !has_contact(model, WAITING) || model->end_result == REPLY_OK || is_short,
            "waits for a retry after the end", event);
    require(model,
            !has_contact(model, UNSENT) || model->slot_count >= schedule->concurrency ||
                model->end_result != REPLY_OK || model->gate_ms > event->time_ms ||
                (is_short && schedule->has_invalid_id),
            "waits while a slot is free", event);
    require(model, model->queue_head == model->queue_tail || is_short,
            "waits before a delivery that is due", event);
    require(model, model->queue_head >= model->must_head, "waits twice before a delivery", event);
    require(model,
            model->queue_tail - model->queue_head <= 2 * (size_t)model->call->schedule.concurrency,
            "more queued than there is room for", event);
    model->must_head = model->queue_tail;
    end_waiting(model);
}

static reply_result get_result(const struct contact *contact, const struct fake_event *event) {
    if (event->is_timeout) {
        return REPLY_ERROR_TIMEOUT;
    }
    if (event->outcome.failure != REPLY_OK) {
        return event->outcome.failure;
    }
    if (contact->http_status == 200) {
        return event->outcome.body == NULL ? REPLY_OK : REPLY_ERROR_INVALID_RESPONSE;
    }
    return statuses_find(contact->http_status)->result;
}

static bool is_retryable(const struct contact *contact) {
    return contact->is_transient || statuses_find(contact->http_status)->is_retryable;
}

static void set_outcome(struct contact *contact, const struct fake_event *event) {
    const struct fake_outcome *outcome = &event->outcome;
    const bool is_response = !event->is_timeout && outcome->failure == REPLY_OK;
    contact->http_status = !is_response                ? 0
                           : outcome->http_status == 0 ? 200
                                                       : outcome->http_status;
    contact->curl_code = event->is_timeout ? 28 : outcome->curl_code;
    contact->retry_after_ms = -1;
    if (is_response && outcome->retry_after != NULL) {
        contact->retry_after_ms =
            outcome->date != NULL ? 10000 : strtol(outcome->retry_after, NULL, 10) * 1000;
    }
    contact->is_transient = event->is_timeout || outcome->is_transient ||
                            outcome->failure == REPLY_ERROR_TIMEOUT ||
                            (outcome->failure == REPLY_ERROR_NETWORK && !outcome->is_final);
    contact->is_wrong = is_response && outcome->body == outcomes[LAST_OUTCOME].body;
    contact->result = get_result(contact, event);
    contact->state = ENDED;
}

/* Ends a contact, whose outcome is then due for delivery. */
static void end_contact(struct model *model, size_t index) {
    model->contacts[index].state = ENDED;
    model->contacts[index].has_result = true;
    model->slot_count--;
    model->queue[model->queue_tail++] = index;
}

/* Returns the wait before a retry, apart from the gate. */
static int64_t get_retry_wait(const struct contact *contact, int64_t now) {
    const int64_t doubled = contact->retries > 4 ? 8000 : (int64_t)500 << contact->retries;
    const int64_t jitter =
        (int64_t)(((draw(JITTER, (uint64_t)now) & UINT32_MAX) * (uint64_t)(doubled + 1)) >> 32);
    return contact->retry_after_ms >= 0 ? contact->retry_after_ms : jitter;
}

/* Makes the contact wait if the contract retries it. */
static void decide_retry(struct model *model, struct contact *contact, bool is_at_gate,
                         int64_t now) {
    const struct schedule *schedule = &model->call->schedule;
    if (!is_retryable(contact) || schedule->retries == 0 || model->end_result != REPLY_OK) {
        return;
    }
    if (is_at_gate) {
        contact->due_ms = now;
        contact->state = model->gate_ms < model->deadline_ms ? WAITING : ENDED;
    } else if (contact->retries < schedule->retries &&
               get_retry_wait(contact, now) < model->deadline_ms - now) {
        contact->due_ms = now + get_retry_wait(contact, now);
        contact->retries++;
        contact->state = WAITING;
    }
}

/* Returns true if an outcome that is not retried ends the call. */
static bool ends_call(const struct model *model, const struct contact *contact, bool is_at_gate,
                      int64_t now) {
    return contact->result == REPLY_ERROR_UNAUTHORIZED ||
           (contact->result == REPLY_ERROR_TIMEOUT && now >= model->deadline_ms) ||
           (is_at_gate && model->call->schedule.retries > 0);
}

static void follow_end(struct model *model, const struct fake_event *event) {
    const int64_t now = event->time_ms;
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model,
            contact != NULL &&
                (contact->state == SENT || (contact->state == STARTED && event->is_timeout)),
            "ended unexpectedly", event);
    model->read_count--;
    if (contact == NULL) {
        return;
    }
    set_outcome(contact, event);
    const bool is_at_gate = contact->http_status == 429 && contact->retry_after_ms >= 0;
    if (is_at_gate) {
        model->gate_ms = get_later(model->gate_ms, now + contact->retry_after_ms);
        contact->retry_after_ms = model->gate_ms - now;
    }
    decide_retry(model, contact, is_at_gate, now);
    if (contact->state == ENDED) {
        end_contact(model, index);
        if (model->end_result == REPLY_OK && ends_call(model, contact, is_at_gate, now)) {
            model->end_result = contact->result;
            model->end_retry_after_ms = contact->retry_after_ms;
        }
    }
}

/* The connections of what an interrupt cancels are retired, and that of a wrong contact. */
static void follow_retire(struct model *model, const struct fake_event *event) {
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model,
            contact != NULL && !contact->is_retired &&
                (contact->state == ENDED ? contact->is_wrong
                                         : model->is_interrupted && (contact->state == STARTED ||
                                                                     contact->state == SENT)),
            "retired without a reason", event);
    if (contact != NULL) {
        contact->is_retired = true;
    }
}

static void follow_cancel(struct model *model, const struct fake_event *event) {
    size_t index = 0;
    struct contact *contact = find_contact(model, event->contact_id, &index);
    require(model, contact != NULL && (contact->state == STARTED || contact->state == SENT),
            "cancelled while not in flight", event);
    require(model, model->is_interrupted || model->is_stopped, "cancelled without a reason", event);
    if (contact != NULL) {
        require(model, model->is_stopped ? !contact->is_retired : contact->is_retired,
                "retired by a stop, or not by an interrupt", event);
        *contact = (struct contact){
            .attempts = contact->attempts, .result = REPLY_ERROR_CANCELLED, .retry_after_ms = -1};
        end_contact(model, index);
    }
}

/* Returns the result of a contact that the end of the call leaves unsent. */
static reply_result get_end_result(struct model *model, int64_t now) {
    if (model->is_interrupted) {
        model->end_retry_after_ms = -1;
        return REPLY_ERROR_CANCELLED;
    }
    end_if_late(model, now);
    return model->end_result;
}

/* Removes a contact that ended from the queue. */
static void follow_order(struct model *model, const struct fake_event *event) {
    require(model,
            model->queue_head < model->queue_tail &&
                model->queue[model->queue_head] == (size_t)event->contact_id,
            "not delivered in the order of completion", event);
    model->queue_head++;
}

/* The last steps of a call do not wait. Such a step begins with the delivery of the first outcome
 * that was queued after the last wait, or of the first contact that was recalled. */
static void follow_step(struct model *model, const struct contact *contact, int64_t now) {
    const bool is_first = contact->state == ENDED
                              ? model->queue_head == model->must_head
                              : contact->state == WAITING && !contact->has_result;
    if (is_first && !model->is_interrupted) {
        model->must_head = model->queue_tail;
        end_if_late(model, now);
        end_waiting(model);
    }
}

static void check_result(struct model *model, const struct contact *contact,
                         const reply_error *error, const struct fake_event *event) {
    require(model, error->result == contact->result, "wrong result", event);
    require(model,
            contact->state == WAITING ||
                error->http_status == (contact->result == REPLY_OK ? 0 : contact->http_status),
            "wrong status", event);
    require(model, contact->state == WAITING || error->curl_code == contact->curl_code,
            "wrong CURLcode", event);
    require(model,
            error->retry_after_ms == (contact->result == REPLY_OK ? -1 : contact->retry_after_ms),
            "wrong retry_after_ms", event);
}

static void follow_delivery(struct model *model, const struct fake_event *event) {
    const size_t index = (size_t)event->contact_id;
    const struct delivery *delivery = &model->call->deliveries[index];
    const reply_error *error = &delivery->error;
    struct contact *contact = &model->contacts[index];
    follow_step(model, contact, event->time_ms);
    require(model, !model->is_stopped, "called after a stop", event);
    require(model, model->read_count == 0, "delivered before an outcome is collected", event);
    require(model, contact->state == ENDED || contact->state == WAITING || contact->state == UNSENT,
            "delivered while in flight, or twice", event);
    require(model, delivery->is_valid, "the contact and the error do not match", event);
    require(model, error->attempts == contact->attempts, "wrong number of attempts", event);
    require(model, contact->is_retired == contact->is_wrong || contact->state != ENDED,
            "the connection of a wrong contact is not retired", event);
    require(model, model->call->schedule.is_slow || event->time_ms <= model->deadline_ms,
            "delivered after the deadline", event);
    if (contact->state == ENDED) {
        follow_order(model, event);
    }
    if (contact->has_result) {
        check_result(model, contact, error, event);
    } else if (model->call->schedule.ids[index] > 0 ||
               error->result != REPLY_ERROR_INVALID_ARGUMENT) {
        const reply_result result = get_end_result(model, event->time_ms);
        require(model, result != REPLY_OK && error->result == result, "unsent without a reason",
                event);
        require(model, error->retry_after_ms == model->end_retry_after_ms, "wrong time to wait",
                event);
    }
    model->was_cancelled = model->was_cancelled || error->result == REPLY_ERROR_CANCELLED;
    model->slot_count -= contact->state == WAITING;
    contact->state = DELIVERED;
    model->is_stopped = ++model->delivery_count == model->call->schedule.stop_at;
}

static void follow_event(struct model *model, const struct fake_event *event) {
    switch (event->kind) {
    case FAKE_START:
        follow_start(model, event);
        break;
    case FAKE_SEND:
        follow_send(model, event);
        break;
    case FAKE_WAIT:
        follow_wait(model, event);
        break;
    case FAKE_READ:
        follow_read(model, event);
        break;
    case FAKE_RECALL:
        follow_recall(model, event);
        break;
    case FAKE_RETIRE:
        follow_retire(model, event);
        break;
    case FAKE_END:
        follow_end(model, event);
        break;
    case FAKE_CANCEL:
        follow_cancel(model, event);
        break;
    case FAKE_NOTE:
        if (event->contact_id == NOTE_INTERRUPT) {
            model->is_interrupted = true;
            model->interrupted_ms = event->time_ms;
        } else {
            follow_delivery(model, event);
        }
        break;
    }
}

static void check_return(struct model *model) {
    const struct call *call = model->call;
    const bool is_cancelled = model->is_stopped || model->was_cancelled;
    const reply_result expected = is_cancelled ? REPLY_ERROR_CANCELLED : model->end_result;
    if (call->result != expected || call->error.result != expected || call->error.attempts != 0) {
        record_violation(model, "wrong result returned", call->ended_ms, call->result);
    }
    if (!call->schedule.is_slow && call->ended_ms > model->deadline_ms) {
        record_violation(model, "returned after the deadline", call->ended_ms, 0);
    }
    if (!call->schedule.is_slow && model->is_interrupted &&
        call->ended_ms != model->interrupted_ms) {
        record_violation(model, "returned late after an interrupt", call->ended_ms, 0);
    }
}

/* ---- Checks of every schedule ---- */

static size_t count_lines(const char *beginning) {
    size_t count = 0;
    const size_t length = strlen(beginning);
    for (const char *line = fake_get_log(); *line != '\0'; line = strchr(line, '\n') + 1) {
        count += strncmp(line, beginning, length) == 0;
    }
    return count;
}

static void check_totals(struct model *model) {
    const struct call *call = model->call;
    const bool is_stopped =
        call->schedule.stop_at > 0 && call->delivery_count == call->schedule.stop_at;
    const size_t starts = fake_count_events(FAKE_START) - fake_count_events(FAKE_RECALL);
    size_t attempts = 0;
    for (size_t i = 0; i < call->schedule.count; i++) {
        attempts += (size_t)call->deliveries[i].error.attempts;
        if (call->deliveries[i].count > 1 || (call->deliveries[i].count == 0 && !is_stopped)) {
            record_violation(model, "not delivered exactly once", call->ended_ms, (int64_t)i);
        }
    }
    if (is_stopped ? attempts > starts : attempts != starts) {
        record_violation(model, "the sum of attempts is wrong", call->ended_ms, (int64_t)attempts);
    }
    if (starts != fake_count_events(FAKE_END) + fake_count_events(FAKE_CANCEL) ||
        count_lines("attempt ") != starts) {
        record_violation(model, "an attempt without an end or a log line", call->ended_ms,
                         (int64_t)starts);
    }
    if (fake_get_max_in_flight() > call->schedule.concurrency) {
        record_violation(model, "more in flight than max_concurrency", call->ended_ms,
                         fake_get_max_in_flight());
    }
    if (strstr(fake_get_log(), "private") != NULL || strstr(fake_get_log(), FAKE_KEY) != NULL) {
        record_violation(model, "personal data or the key in the log", call->ended_ms, 0);
    }
}

static void print_schedule(const struct call *call) {
    static const char *const kinds[] = {"start",  "send",   "read", "end", "recall",
                                        "retire", "cancel", "wait", "note"};
    size_t count = 0;
    const struct fake_event *events = fake_get_events(&count);
    const struct schedule *schedule = &call->schedule;
    print_message("seed %" PRIu64 ": %zu contacts, concurrency %d, retries %d, timeout %d, attempt "
                  "timeout %d, interrupt at %d, stop "
                  "at %zu%s\n",
                  seed, schedule->count, (int)schedule->concurrency, (int)schedule->retries,
                  (int)schedule->timeout_ms, (int)schedule->attempt_timeout_ms,
                  (int)schedule->interrupt_ms, schedule->stop_at,
                  schedule->is_slow ? ", a slow callback" : "");
    for (size_t i = 0; i < count; i++) {
        const struct fake_event *event = &events[i];
        print_message("%8" PRId64 " ms %s %" PRId64 "%s%s\n", event->time_ms, kinds[event->kind],
                      event->contact_id,
                      event->kind == FAKE_NOTE && event->contact_id != NOTE_INTERRUPT ? " " : "",
                      event->kind == FAKE_NOTE && event->contact_id != NOTE_INTERRUPT
                          ? reply_result_name(call->deliveries[event->contact_id].error.result)
                          : "");
    }
    print_message("%s%s\n", fake_get_log(), reply_result_name(call->result));
}

/* How often each result was returned. A result that never occurs is not tested. */
static int result_counts[16];
static size_t recall_count;

static bool run_schedule(bool is_shown) {
    static struct call call;
    static struct model model;
    void *client = NULL;
    size_t count = 0;
    fake_setup(&client);
    memset(&call, 0, sizeof call);
    memset(&model, 0, sizeof model);
    call.schedule = make_schedule();
    make_call(&call, client);
    model.call = &call;
    model.gate_ms = INT64_MIN;
    model.silent_until_ms = INT64_MIN;
    model.deadline_ms = call.schedule.timeout_ms == 0 ? INT64_MAX : call.schedule.timeout_ms;
    const struct fake_event *events = fake_get_events(&count);
    for (size_t i = 0; i < count && !call.schedule.has_duplicates; i++) {
        follow_event(&model, &events[i]);
    }
    if (!call.schedule.has_duplicates) {
        check_return(&model);
    }
    check_totals(&model);
    result_counts[call.result]++;
    recall_count += fake_count_events(FAKE_RECALL);
    if (is_shown) {
        print_schedule(&call);
    }
    if (fake_teardown(&client) != 0) {
        record_violation(&model, "the transport's contract is broken", 0, 0);
    }
    if (model.violation[0] != '\0') {
        print_error("seed %" PRIu64 ": %s\n", seed, model.violation);
    }
    return model.violation[0] == '\0';
}

static void test_random_schedules_follow_contract(void **state) {
    int failures = 0;
    (void)state;
    for (seed = 1; seed <= SEED_COUNT && failures < 10; seed++) {
        failures += !run_schedule(false);
    }
    assert_int_equal(failures, 0);
    static const reply_result results[] = {REPLY_OK, REPLY_ERROR_CANCELLED,
                                           REPLY_ERROR_UNAUTHORIZED, REPLY_ERROR_RATE_LIMITED,
                                           REPLY_ERROR_TIMEOUT};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        print_message("%s: %d times\n", reply_result_name(results[i]), result_counts[results[i]]);
        assert_true(result_counts[results[i]] >= SEED_COUNT / 100);
    }
    print_message("%zu attempts were recalled\n", recall_count);
    assert_true(recall_count >= SEED_COUNT / 10);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_schedules_follow_contract)};
    if (count > 1) {
        seed = strtoull(arguments[1], NULL, 10);
        return run_schedule(true) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
