/* test_dispatch_random.c - thousands of random schedules of one call for many contacts, each of
 * which its seed reproduces. A model follows what happened, event by event, and says of each
 * whether the contract allows it. An argument runs that seed alone, and shows it. */
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

enum { SEQUENCE = 100, SEED_COUNT = 10000, MOST_CONTACTS = 48, NOTE_INTERRUPT = MOST_CONTACTS };

/* ---- A schedule, all of it from its seed ---- */

static uint64_t seed;

/* The same number for the same question of the same schedule. */
static uint64_t draw(uint64_t question, uint64_t detail) {
    uint64_t mixed =
        seed * 0x9E3779B97F4A7C15U + question * 0xBF58476D1CE4E5B9U + detail * 0x94D049BB133111EBU;
    for (int i = 0; i < 2; i++) {
        mixed = (mixed ^ (mixed >> 31)) * 0x7FB5D329728EA185U;
        mixed = (mixed ^ (mixed >> 27)) * 0x81DADEF4BC2DD44DU;
    }
    return mixed ^ (mixed >> 33);
}

static int64_t draw_from(uint64_t question, uint64_t detail, int64_t first, int64_t last) {
    return first + (int64_t)(draw(question, detail) % (uint64_t)(last - first + 1));
}

enum question {
    COUNT,
    IDS,
    CONCURRENCY,
    RETRIES,
    TIMEOUT,
    ATTEMPT_TIMEOUT,
    INTERRUPT,
    STOP,
    MILDNESS,
    ANSWER,
    TAKES,
    JITTER,
    SLOW
};

struct schedule {
    int64_t ids[MOST_CONTACTS];
    size_t count;
    bool has_duplicates;
    bool is_slow; /* its callback takes time */
    int32_t concurrency, retries;
    int64_t timeout_ms; /* 0: none */
    int64_t attempt_timeout_ms;
    int64_t interrupt_ms; /* -1: never */
    size_t stop_at;       /* the delivery, counted from 1; 0: none */
};

static void make_ids(struct schedule *schedule) {
    schedule->count = (size_t)draw_from(COUNT, 0, 0, draw(COUNT, 1) % 4 == 0 ? 3 : MOST_CONTACTS);
    schedule->has_duplicates = draw(IDS, 1000) % 8 == 0;
    for (size_t i = 0; i < schedule->count; i++) {
        const bool is_bad = draw(IDS, i) % 20 == 0;
        schedule->ids[i] = is_bad                     ? -(int64_t)(i % 3)
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
    schedule.stop_at = draw(STOP, 0) % 4 != 0 ? 0 : (size_t)draw_from(STOP, 1, 1, MOST_CONTACTS);
    schedule.is_slow = draw(SLOW, 1000) % 8 == 0;
    return schedule;
}

static const struct fake_answer answers[] = {
    {.http_status = 503},
    {.http_status = 429, .retry_after = "2"},
    {.failure = REPLY_ERROR_NETWORK, .curl_code = 56},
    {.http_status = 404},
    {.http_status = 429},
    {.http_status = 401},
    {.http_status = 429, .retry_after = "3600"},
    {.http_status = 500, .retry_after = "1"},
    {.http_status = 429, .retry_after = "30"},
    {.takes_ms = FAKE_HANGS},
    {.failure = REPLY_ERROR_TIMEOUT, .curl_code = 28},
    {.http_status = 408},
    {.http_status = 502},
    {.http_status = 504,
     .retry_after = "Tue, 14 Nov 2023 22:13:50 GMT",
     .date = "Tue, 14 Nov 2023 22:13:40 GMT"},
    {.failure = REPLY_ERROR_TLS, .curl_code = 60},
    {.failure = REPLY_ERROR_RESPONSE_TOO_LARGE},
    {.failure = REPLY_ERROR_NO_MEMORY},
    {.http_status = 400},
    {.http_status = 422},
    {.http_status = 403},
    {.http_status = 501},
    {.http_status = 302},
    {.http_status = 200, .body = "<html>"},
    {.http_status = 200, .body = "{\"contactId\":1}"},
    {.http_status = 200,
     .body = "{\"contactId\":999,\"sequenceId\":100,\"status\":\"Active\",\"currentStep\":1,"
             "\"addingDate\":"
             "\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"},
};

/* The later attempts of a contact meet other answers, since time has passed. How often it goes well
 * depends on the schedule. */
static void write_answer(int64_t contact_id, int64_t time_ms, struct fake_answer *answer) {
    static const int64_t good_percents[] = {10, 60, 90, 98};
    const uint64_t detail = (uint64_t)contact_id * 1000003 + (uint64_t)time_ms;
    const int64_t last = (int64_t)(sizeof answers / sizeof *answers) - 1;
    *answer = (struct fake_answer){0};
    if (draw_from(ANSWER, detail, 1, 100) > good_percents[draw(MILDNESS, 0) % 4]) {
        const int64_t one = draw_from(ANSWER, detail + 1, 0, last);
        const int64_t other = draw_from(ANSWER, detail + 2, 0, last);
        *answer = answers[one < other ? one : other];
    }
    if (answer->takes_ms != FAKE_HANGS) {
        answer->takes_ms =
            draw_from(TAKES, detail, 0, draw(TAKES, detail + 1) % 10 == 0 ? 5000 : 200);
    }
}

static uint32_t draw_jitter(void) {
    return (uint32_t)draw(JITTER, (uint64_t)fake_now());
}

/* ---- The call ---- */

struct delivery {
    int times;
    reply_error error;
    bool is_sound; /* contact and error fit together */
};

struct call {
    struct schedule schedule;
    struct delivery deliveries[MOST_CONTACTS];
    size_t delivered;
    reply_result result;
    reply_error error;
    int64_t ended_ms;
};

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    struct call *call = user_data;
    struct delivery *delivery = &call->deliveries[index];
    fake_note((int64_t)index);
    call->delivered++;
    delivery->times++;
    delivery->error = *error;
    delivery->is_sound = error->result == result && (contact != NULL) == (result == REPLY_OK) &&
                         (contact == NULL || (contact->contact_id == call->schedule.ids[index] &&
                                              contact->sequence_id == SEQUENCE));
    reply_sequence_contact_free(contact);
    if (call->schedule.is_slow) {
        fake_pass(draw_from(SLOW, index, 0, 300));
    }
    return call->delivered == call->schedule.stop_at;
}

static void interrupt(void *client) {
    fake_note(NOTE_INTERRUPT);
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
    fake_script_all(write_answer);
    fake_script_all_random(draw_jitter);
    if (schedule->interrupt_ms >= 0) {
        fake_at(schedule->interrupt_ms, interrupt, client);
    }
    call->result = reply_get_sequence_contacts(client, SEQUENCE, schedule->ids, schedule->count,
                                               on_contact, call, &call->error);
    call->ended_ms = fake_now();
}

/* ---- The model ---- */

enum state { UNSENT, IN_FLIGHT, WAITING, ENDED, DELIVERED };

struct contact {
    enum state state;
    int32_t attempts, retries;
    int64_t due_ms; /* waiting: when the retry may be sent, but for the gate */
    /* Ended: what is to be delivered. */
    reply_result result;
    int32_t http_status, curl_code;
    int64_t retry_after_ms;
};

struct model {
    const struct call *call;
    struct contact contacts[MOST_CONTACTS];
    int32_t places; /* contacts that are in flight, wait, or are about to be delivered */
    int64_t gate_ms, deadline_ms;
    reply_result ending, next_ending; /* what has ended the call; what will, once the contact that
                                         it struck is delivered */
    int64_t ending_retry_after_ms;
    bool is_interrupted, is_stopped, was_cancelled;
    int64_t interrupted_ms;
    size_t delivered;
    int64_t must_deliver; /* the index whose delivery must come next; -1: any */
    char violation[160];  /* the first one */
};

static void violate(struct model *model, const char *what, int64_t time_ms, int64_t number) {
    if (model->violation[0] == '\0') {
        snprintf(model->violation, sizeof model->violation, "%s (at %" PRId64 " ms, %" PRId64 ")",
                 what, time_ms, number);
    }
}

static void require(struct model *model, bool holds, const char *what,
                    const struct fake_event *event) {
    if (!holds) {
        violate(model, what, event->time_ms, event->contact_id);
    }
}

static struct contact *find(struct model *model, int64_t id, size_t *index) {
    for (size_t i = 0; i < model->call->schedule.count; i++) {
        if (model->call->schedule.ids[i] == id) {
            *index = i;
            return &model->contacts[i];
        }
    }
    *index = 0;
    return NULL;
}

static int64_t later(int64_t one, int64_t other) {
    return one > other ? one : other;
}

static void follow_start(struct model *model, const struct fake_event *event) {
    const struct schedule *schedule = &model->call->schedule;
    const int64_t left_ms = model->deadline_ms - event->time_ms;
    size_t index = 0;
    struct contact *contact = find(model, event->contact_id, &index);
    require(model, contact != NULL && event->contact_id > 0, "an id was sent that is none", event);
    if (contact == NULL) {
        return;
    }
    require(model, contact->state == UNSENT || contact->state == WAITING,
            "sent while in flight or delivered", event);
    require(model, model->must_deliver < 0, "sent before what was done was delivered", event);
    require(model, model->ending == REPLY_OK && !model->is_interrupted && !model->is_stopped,
            "sent after the end", event);
    require(model, left_ms > 0, "sent at or after the deadline", event);
    require(model, event->time_ms >= model->gate_ms, "sent while the gate is closed", event);
    require(model,
            event->timeout_ms ==
                (left_ms < schedule->attempt_timeout_ms ? left_ms : schedule->attempt_timeout_ms),
            "sent with another time limit", event);
    if (contact->state == UNSENT) {
        model->places++;
    } else {
        const int64_t due_ms = later(contact->due_ms, model->gate_ms);
        require(model, schedule->is_slow ? event->time_ms >= due_ms : event->time_ms == due_ms,
                "not sent when due", event);
    }
    require(model, model->places <= schedule->concurrency, "more under way than max_concurrency",
            event);
    contact->state = IN_FLIGHT;
    contact->attempts++;
}

/* Ends the call where time or the rate limit leaves no time for what is unsent. */
static void end_if_late(struct model *model, int64_t now) {
    if (model->ending == REPLY_OK && now >= model->deadline_ms) {
        model->ending = REPLY_ERROR_TIMEOUT;
        model->ending_retry_after_ms = -1;
    } else if (model->ending == REPLY_OK && model->gate_ms >= model->deadline_ms) {
        model->ending = REPLY_ERROR_RATE_LIMITED;
        model->ending_retry_after_ms = model->gate_ms - now;
    }
}

/* Where there is a place and a contact for it, and nothing holds them back, nobody waits. */
static void follow_wait(struct model *model, const struct fake_event *event) {
    const struct schedule *schedule = &model->call->schedule;
    bool has_unsent = false;
    bool has_waiting = false;
    for (size_t i = 0; i < schedule->count; i++) {
        has_unsent = has_unsent || model->contacts[i].state == UNSENT;
        has_waiting = has_waiting || model->contacts[i].state == WAITING;
    }
    if (has_unsent || has_waiting) {
        end_if_late(model, event->time_ms);
    }
    require(model, !has_waiting || (model->ending == REPLY_OK && !model->is_interrupted),
            "waits for a retry after the end", event);
    require(model,
            !has_unsent || model->places >= schedule->concurrency || model->ending != REPLY_OK ||
                model->gate_ms > event->time_ms,
            "waits although there is a place", event);
    require(model, model->must_deliver < 0, "waits before what is done is delivered", event);
}

static reply_result result_of(const struct contact *contact, const struct fake_event *event) {
    if (event->is_timeout) {
        return REPLY_ERROR_TIMEOUT;
    }
    if (event->answer.failure != REPLY_OK) {
        return event->answer.failure;
    }
    if (contact->http_status == 200) {
        return event->answer.body == NULL ? REPLY_OK : REPLY_ERROR_INVALID_RESPONSE;
    }
    return result_of_status(contact->http_status);
}

static bool may_pass(const struct contact *contact) {
    static const int32_t statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (contact->http_status == statuses[i]) {
            return true;
        }
    }
    return contact->result == REPLY_ERROR_NETWORK || contact->result == REPLY_ERROR_TIMEOUT;
}

static void take_outcome(struct contact *contact, const struct fake_event *event) {
    const struct fake_answer *answer = &event->answer;
    const bool is_response = !event->is_timeout && answer->failure == REPLY_OK;
    contact->http_status = !is_response ? 0 : answer->http_status == 0 ? 200 : answer->http_status;
    contact->curl_code = event->is_timeout ? 28 : answer->curl_code;
    contact->retry_after_ms = -1;
    if (is_response && answer->retry_after != NULL) {
        contact->retry_after_ms =
            answer->date != NULL ? 10000 : strtol(answer->retry_after, NULL, 10) * 1000;
    }
    contact->result = result_of(contact, event);
    contact->state = ENDED;
}

/* The wait before a retry that is not held by a 429's time. */
static int64_t retry_wait(const struct contact *contact, int64_t now) {
    const int64_t doubled = contact->retries > 4 ? 8000 : (int64_t)500 << contact->retries;
    const int64_t jitter =
        (int64_t)(((draw(JITTER, (uint64_t)now) & UINT32_MAX) * (uint64_t)(doubled + 1)) >> 32);
    return contact->retry_after_ms >= 0 ? contact->retry_after_ms : jitter;
}

/* Lets the contact wait where the contract tries it again. */
static void decide(struct model *model, struct contact *contact, bool is_at_gate, int64_t now) {
    const struct schedule *schedule = &model->call->schedule;
    if (!may_pass(contact) || schedule->retries == 0 || model->ending != REPLY_OK) {
        return;
    }
    if (is_at_gate) {
        contact->due_ms = now;
        contact->state = model->gate_ms < model->deadline_ms ? WAITING : ENDED;
        model->next_ending = contact->state == ENDED ? REPLY_ERROR_RATE_LIMITED : REPLY_OK;
    } else if (contact->retries < schedule->retries &&
               retry_wait(contact, now) < model->deadline_ms - now) {
        contact->due_ms = now + retry_wait(contact, now);
        contact->retries++;
        contact->state = WAITING;
    }
}

static void follow_end(struct model *model, const struct fake_event *event) {
    const int64_t now = event->time_ms;
    size_t index = 0;
    struct contact *contact = find(model, event->contact_id, &index);
    require(model, contact != NULL && contact->state == IN_FLIGHT && model->must_deliver < 0,
            "ended out of turn", event);
    if (contact == NULL) {
        return;
    }
    take_outcome(contact, event);
    const bool is_at_gate = contact->http_status == 429 && contact->retry_after_ms >= 0;
    if (is_at_gate) {
        model->gate_ms = later(model->gate_ms, now + contact->retry_after_ms);
        contact->retry_after_ms = model->gate_ms - now;
    }
    decide(model, contact, is_at_gate, now);
    if (contact->state == ENDED) {
        model->must_deliver = (int64_t)index;
        if (model->ending == REPLY_OK &&
            (contact->result == REPLY_ERROR_UNAUTHORIZED ||
             (contact->result == REPLY_ERROR_TIMEOUT && now >= model->deadline_ms))) {
            model->next_ending = contact->result;
        }
    }
}

static void follow_cancel(struct model *model, const struct fake_event *event) {
    size_t index = 0;
    struct contact *contact = find(model, event->contact_id, &index);
    require(model, contact != NULL && contact->state == IN_FLIGHT, "cancelled out of turn", event);
    require(model, model->is_interrupted || model->is_stopped, "cancelled without a reason", event);
    if (contact != NULL) {
        *contact = (struct contact){.state = ENDED,
                                    .attempts = contact->attempts,
                                    .result = REPLY_ERROR_CANCELLED,
                                    .retry_after_ms = -1};
        model->must_deliver = model->is_stopped ? -1 : (int64_t)index;
    }
}

/* What a contact is delivered with that the end of the call struck. */
static reply_result result_of_end(struct model *model, int64_t now) {
    if (model->is_interrupted) {
        model->ending_retry_after_ms = -1;
        return REPLY_ERROR_CANCELLED;
    }
    end_if_late(model, now);
    return model->ending;
}

static void follow_delivery(struct model *model, const struct fake_event *event) {
    const size_t index = (size_t)event->contact_id;
    const struct delivery *delivery = &model->call->deliveries[index];
    const reply_error *error = &delivery->error;
    struct contact *contact = &model->contacts[index];
    require(model, !model->is_stopped, "called after a stop", event);
    require(model, model->must_deliver < 0 || model->must_deliver == event->contact_id,
            "delivered out of turn", event);
    require(model, contact->state != DELIVERED && contact->state != IN_FLIGHT,
            "delivered while in flight, or twice", event);
    require(model, delivery->is_sound, "the contact and the error do not fit", event);
    require(model, error->attempts == contact->attempts, "another number of attempts", event);
    require(model, model->call->schedule.is_slow || event->time_ms <= model->deadline_ms,
            "after the deadline", event);
    if (contact->state == ENDED) {
        require(model, error->result == contact->result, "another result", event);
        require(model,
                error->http_status == (contact->result == REPLY_OK ? 0 : contact->http_status),
                "another status", event);
        require(model, error->curl_code == contact->curl_code, "another code of libcurl", event);
        require(model,
                error->retry_after_ms ==
                    (contact->result == REPLY_OK ? -1 : contact->retry_after_ms),
                "another Retry-After", event);
    } else if (model->call->schedule.ids[index] > 0 ||
               error->result != REPLY_ERROR_INVALID_ARGUMENT) {
        const reply_result result = result_of_end(model, event->time_ms);
        require(model, result != REPLY_OK && error->result == result, "unsent without that reason",
                event);
        require(model, error->retry_after_ms == model->ending_retry_after_ms,
                "another time to wait", event);
    }
    model->was_cancelled = model->was_cancelled || error->result == REPLY_ERROR_CANCELLED;
    model->places -= contact->state != UNSENT;
    contact->state = DELIVERED;
    model->must_deliver = -1;
    if (model->next_ending != REPLY_OK) {
        model->ending = model->next_ending;
        model->ending_retry_after_ms = contact->retry_after_ms;
        model->next_ending = REPLY_OK;
    }
    model->is_stopped = ++model->delivered == model->call->schedule.stop_at;
}

static void follow(struct model *model, const struct fake_event *event) {
    switch (event->kind) {
    case FAKE_START:
        follow_start(model, event);
        break;
    case FAKE_WAIT:
        follow_wait(model, event);
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
    const reply_result expected = is_cancelled ? REPLY_ERROR_CANCELLED : model->ending;
    if (call->result != expected || call->error.result != expected || call->error.attempts != 0) {
        violate(model, "another result is returned", call->ended_ms, call->result);
    }
    if (!call->schedule.is_slow && call->ended_ms > model->deadline_ms) {
        violate(model, "returned after the deadline", call->ended_ms, 0);
    }
    if (!call->schedule.is_slow && model->is_interrupted &&
        call->ended_ms != model->interrupted_ms) {
        violate(model, "went on after an interrupt", call->ended_ms, 0);
    }
}

/* ---- What holds for every schedule ---- */

static size_t count_lines(const char *beginning) {
    size_t count = 0;
    const size_t length = strlen(beginning);
    for (const char *line = fake_log_text(); *line != '\0'; line = strchr(line, '\n') + 1) {
        count += strncmp(line, beginning, length) == 0;
    }
    return count;
}

static void check_totals(struct model *model) {
    const struct call *call = model->call;
    const bool is_stopped = call->schedule.stop_at > 0 && call->delivered == call->schedule.stop_at;
    const size_t starts = fake_count(FAKE_START);
    size_t attempts = 0;
    for (size_t i = 0; i < call->schedule.count; i++) {
        attempts += (size_t)call->deliveries[i].error.attempts;
        if (call->deliveries[i].times > 1 || (call->deliveries[i].times == 0 && !is_stopped)) {
            violate(model, "not delivered once", call->ended_ms, (int64_t)i);
        }
    }
    if (is_stopped ? attempts > starts : attempts != starts) {
        violate(model, "the attempts are not those that began", call->ended_ms, (int64_t)attempts);
    }
    if (starts != fake_count(FAKE_END) + fake_count(FAKE_CANCEL) ||
        count_lines("attempt ") != starts) {
        violate(model, "an attempt has no end, or no line in the log", call->ended_ms,
                (int64_t)starts);
    }
    if (fake_most_in_flight() > call->schedule.concurrency) {
        violate(model, "more in flight than max_concurrency", call->ended_ms,
                fake_most_in_flight());
    }
    if (strstr(fake_log_text(), "private") != NULL || strstr(fake_log_text(), FAKE_KEY) != NULL) {
        violate(model, "the log tells too much", call->ended_ms, 0);
    }
}

static void print_schedule(const struct call *call) {
    static const char *const kinds[] = {"start", "end", "cancel", "wait", "note"};
    size_t count = 0;
    const struct fake_event *events = fake_events(&count);
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
    print_message("%s%s\n", fake_log_text(), reply_result_name(call->result));
}

/* How often each result was returned: a test whose schedules never meet something tests nothing of
 * it. */
static int returned[16];

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
    model.must_deliver = -1;
    model.gate_ms = INT64_MIN;
    model.deadline_ms = call.schedule.timeout_ms == 0 ? INT64_MAX : call.schedule.timeout_ms;
    const struct fake_event *events = fake_events(&count);
    for (size_t i = 0; i < count && !call.schedule.has_duplicates; i++) {
        follow(&model, &events[i]);
    }
    if (!call.schedule.has_duplicates) {
        check_return(&model);
    }
    check_totals(&model);
    returned[call.result]++;
    if (is_shown) {
        print_schedule(&call);
    }
    if (fake_teardown(&client) != 0) {
        violate(&model, "the transport's contract", 0, 0);
    }
    if (model.violation[0] != '\0') {
        print_error("seed %" PRIu64 ": %s\n", seed, model.violation);
    }
    return model.violation[0] == '\0';
}

static void test_random_schedules(void **state) {
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
        print_message("%s: %d times\n", reply_result_name(results[i]), returned[results[i]]);
        assert_true(returned[results[i]] >= SEED_COUNT / 100);
    }
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_schedules)};
    if (count > 1) {
        seed = strtoull(arguments[1], NULL, 10);
        return run_schedule(true) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
