/* dispatch.c - the one loop: start what is due, wait, retry or deliver. One contact is many
 * contacts with n = 1. */
#include "dispatch/dispatch.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "decode/contact.h"
#include "base/error.h"
#include "decode/problem.h"
#include "dispatch/request.h"
#include "dispatch/retry.h"

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_IN_FLIGHT };

/* A contact that is being fetched. */
struct slot {
    enum slot_state state;
    size_t index;     /* of its id in the call's contact_ids */
    int64_t due_ms;   /* waiting: when it may be sent */
    int64_t began_ms; /* in flight: since when */
    int32_t attempts;
    int32_t retries;
};

struct run {
    const struct dispatch_call *call;
    struct slot slots[DISPATCH_MOST_REQUESTS];
    int32_t slot_count;
    size_t next;               /* the first contact that has had no slot yet */
    int64_t announced_gate_ms; /* the gate whose wait has been logged */
    bool is_stopped;           /* on_contact asked to stop */
    reply_error end;           /* what ended the call; its result is REPLY_OK while nothing has */
};

/* ---- The log ---- */

static void log_attempt(const struct run *run, const struct slot *slot, reply_result failure,
                        int32_t http_status) {
    const struct dispatch_settings *settings = run->call->settings;
    char url[REQUEST_URL_SIZE];
    char status[16];
    char line[REQUEST_URL_SIZE + 128];
    if (settings->log == NULL) {
        return;
    }
    request_write_url(url, settings->base_url.text, run->call->sequence_id,
                      run->call->contact_ids[slot->index]);
    snprintf(status, sizeof status, "%" PRId32, http_status);
    snprintf(line, sizeof line, "attempt %" PRId32 " GET %s: %s in %" PRId64 " ms", slot->attempts,
             url + settings->base_url.path_offset,
             failure != REPLY_OK ? reply_result_name(failure) : status,
             run->call->transport->now_ms() - slot->began_ms);
    settings->log(line, settings->log_user_data);
}

static void log_wait(const struct run *run, int64_t wait_ms, const char *reason) {
    const struct dispatch_settings *settings = run->call->settings;
    if (settings->log != NULL) {
        char line[160];
        snprintf(line, sizeof line, "wait %" PRId64 " ms: %s", wait_ms, reason);
        settings->log(line, settings->log_user_data);
    }
}

/* ---- The gate and the interrupts, which other threads change too ---- */

static int64_t read_gate(const struct run *run, uint64_t *interrupts) {
    struct dispatch_shared *shared = run->call->shared;
    pthread_mutex_lock(&shared->lock);
    const int64_t gate_ms = shared->gate_ms;
    *interrupts = shared->interrupts;
    pthread_mutex_unlock(&shared->lock);
    return gate_ms;
}

/* Closes the gate until then, unless it is closed for longer. Returns until when it is closed. */
static int64_t close_gate(const struct run *run, int64_t until_ms) {
    struct dispatch_shared *shared = run->call->shared;
    pthread_mutex_lock(&shared->lock);
    if (shared->gate_ms < until_ms) {
        shared->gate_ms = until_ms;
    }
    const int64_t gate_ms = shared->gate_ms;
    pthread_mutex_unlock(&shared->lock);
    return gate_ms;
}

/* ---- Delivery ---- */

/* Hands a contact, or what it failed of, to the caller, who may have asked to be called no more. */
static void deliver(struct run *run, size_t index, int32_t attempts,
                    reply_sequence_contact *contact, const reply_error *reason) {
    const struct dispatch_call *call = run->call;
    reply_error error;
    if (run->is_stopped) {
        reply_sequence_contact_free(contact);
        return;
    }
    error_begin(&error, NULL);
    if (reason->result != REPLY_OK) {
        error_set(&error, reason->result, "contact %" PRId64 " in sequence %" PRId64 ": %s",
                  call->contact_ids[index], call->sequence_id, reason->message);
        error.http_status = reason->http_status;
        error.curl_code = reason->curl_code;
        error.retry_after_ms = reason->retry_after_ms;
        memcpy(error.problem_code, reason->problem_code, sizeof error.problem_code);
        memcpy(error.request_id, reason->request_id, sizeof error.request_id);
    }
    error.attempts = attempts;
    run->is_stopped = call->on_contact(index, error.result, contact, &error, call->user_data) != 0;
}

static void deliver_slot(struct run *run, struct slot *slot, reply_sequence_contact *contact,
                         const reply_error *reason) {
    slot->state = SLOT_FREE;
    deliver(run, slot->index, slot->attempts, contact, reason);
}

/* ---- A response to a contact or an error ---- */

/* The contact in a 200, if it is the one that was asked for: never act on another person. */
static void read_contact(const struct run *run, const struct slot *slot,
                         const struct transport_response *response,
                         reply_sequence_contact **contact, reply_error *error) {
    const int64_t contact_id = run->call->contact_ids[slot->index];
    const reply_result result =
        contact_decode_response(response->body, response->body_length, response->content_type,
                                run->call->settings->api_key, contact, error);
    if (result == REPLY_OK && ((*contact)->contact_id != contact_id ||
                               (*contact)->sequence_id != run->call->sequence_id)) {
        error_set(
            error, REPLY_ERROR_INVALID_RESPONSE,
            "the response is contact %" PRId64 " in sequence %" PRId64 ", but contact %" PRId64
            " in sequence %" PRId64 " was asked for; check the base URL",
            (*contact)->contact_id, (*contact)->sequence_id, contact_id, run->call->sequence_id);
        reply_sequence_contact_free(*contact);
        *contact = NULL;
    }
}

static void read_problem(const struct run *run, const struct transport_response *response,
                         reply_error *error) {
    struct problem problem;
    problem_decode(response->body, response->body_length, run->call->settings->api_key, &problem);
    error_set_http_status(error, response->http_status, problem.detail);
    memcpy(error->problem_code, problem.code, sizeof error->problem_code);
}

/* The contact, or the error with all that the response tells. */
static void read_response(const struct run *run, const struct slot *slot,
                          const struct transport_response *response,
                          reply_sequence_contact **contact, reply_error *error) {
    const char *key = run->call->settings->api_key;
    error_begin(error, NULL);
    if (response->retry_after != NULL) {
        error->retry_after_ms = retry_after_ms(response->retry_after, response->date,
                                               run->call->transport->unix_seconds());
    }
    if (response->failure != REPLY_OK) {
        char detail[256];
        error_quote(detail, sizeof detail, response->failure_text, strlen(response->failure_text),
                    key);
        error_set_failure(error, response->failure, detail);
    } else if (response->http_status == 200) {
        read_contact(run, slot, response, contact, error);
    } else {
        read_problem(run, response, error);
    }
    if (error->result != REPLY_OK) {
        error->http_status = response->http_status;
        error->curl_code = response->curl_code;
        if (response->request_id != NULL) {
            error_quote(error->request_id, sizeof error->request_id, response->request_id,
                        strlen(response->request_id), key);
        }
    }
}

/* ---- Retry or deliver ---- */

/* Says once that the gate holds back what would be sent before it opens. */
static void announce_gate(struct run *run, int64_t now, int64_t gate_ms) {
    for (int32_t i = 0; i < run->slot_count && run->announced_gate_ms < gate_ms; i++) {
        if (run->slots[i].state == SLOT_WAITING && run->slots[i].due_ms < gate_ms) {
            run->announced_gate_ms = gate_ms;
            log_wait(run, gate_ms - now, "rate limit");
        }
    }
}

/* Keeps a slot for another attempt where one is due and its wait ends before the deadline. */
static bool schedule_retry(struct run *run, struct slot *slot, const reply_error *error,
                           struct retry_decision decision, int64_t now, int64_t gate_ms) {
    const int64_t deadline_ms = run->call->deadline_ms;
    if (decision.action == RETRY_STOP ||
        (decision.action == RETRY_WAIT && decision.wait_ms >= deadline_ms - now) ||
        (decision.action == RETRY_AT_GATE && gate_ms >= deadline_ms)) {
        return false;
    }
    slot->state = SLOT_WAITING;
    slot->due_ms = now;
    if (decision.action == RETRY_AT_GATE) {
        announce_gate(run, now, gate_ms);
    } else {
        char reason[96];
        slot->due_ms = now + decision.wait_ms;
        slot->retries++;
        if (error->http_status != 0) {
            snprintf(reason, sizeof reason, "HTTP %" PRId32 ", retry %" PRId32 " of %" PRId32,
                     error->http_status, slot->retries, run->call->settings->max_retries);
        } else {
            snprintf(reason, sizeof reason, "%s, retry %" PRId32 " of %" PRId32,
                     reply_result_name(error->result), slot->retries,
                     run->call->settings->max_retries);
        }
        log_wait(run, decision.wait_ms, reason);
    }
    return true;
}

/* An attempt that failed: makes it again later, or delivers its error, which may end the call. */
static void handle_failure(struct run *run, struct slot *slot, reply_result failure,
                           reply_error *error) {
    const struct dispatch_call *call = run->call;
    const struct retry_outcome outcome = {failure, error->http_status, error->retry_after_ms};
    const struct retry_decision decision = retry_decide(
        &outcome, slot->retries, call->settings->max_retries, call->transport->random());
    const int64_t now = call->transport->now_ms();
    int64_t gate_ms = 0;
    if (error->http_status == 429 && error->retry_after_ms >= 0) {
        gate_ms = close_gate(run, now + error->retry_after_ms);
        error->retry_after_ms = gate_ms - now;
    }
    if (run->end.result == REPLY_OK && schedule_retry(run, slot, error, decision, now, gate_ms)) {
        return;
    }
    if (run->end.result == REPLY_OK &&
        (error->result == REPLY_ERROR_UNAUTHORIZED || decision.action == RETRY_AT_GATE ||
         (error->result == REPLY_ERROR_TIMEOUT && now >= call->deadline_ms))) {
        run->end = *error;
    }
    deliver_slot(run, slot, NULL, error);
}

static void handle_response(struct run *run, struct slot *slot,
                            const struct transport_response *response) {
    reply_error error;
    reply_sequence_contact *contact = NULL;
    log_attempt(run, slot, response->failure, response->http_status);
    read_response(run, slot, response, &contact, &error);
    if (error.result == REPLY_OK) {
        deliver_slot(run, slot, contact, &error);
    } else {
        handle_failure(run, slot, response->failure, &error);
    }
}

/* ---- The loop ---- */

static bool has_slot(const struct run *run, enum slot_state state) {
    for (int32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == state) {
            return true;
        }
    }
    return false;
}

static void cancel_in_flight(struct run *run) {
    for (int32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_IN_FLIGHT) {
            run->call->transport->cancel(run->call->session, i);
            log_attempt(run, slot, REPLY_ERROR_CANCELLED, 0);
            deliver_slot(run, slot, NULL, &run->end);
        }
    }
}

static void deliver_waiting(struct run *run) {
    for (int32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == SLOT_WAITING) {
            deliver_slot(run, &run->slots[i], NULL, &run->end);
        }
    }
}

/* Ends the call where it was interrupted, or where time or the rate limit leaves no time to send
 * what is unsent. What is in flight at the deadline ends by itself, since no attempt is given
 * longer. */
static void check_end(struct run *run, int64_t now, int64_t gate_ms, uint64_t interrupts) {
    const struct dispatch_call *call = run->call;
    if (interrupts != call->interrupts) {
        error_begin(&run->end, NULL);
        error_set(&run->end, REPLY_ERROR_CANCELLED,
                  "the call was ended by reply_client_interrupt; call again to go on");
        cancel_in_flight(run);
    } else if (run->end.result == REPLY_OK &&
               (run->next < call->count || has_slot(run, SLOT_WAITING))) {
        if (now >= call->deadline_ms) {
            error_set(&run->end, REPLY_ERROR_TIMEOUT,
                      "the call's time limit was reached; try again later or set a longer timeout");
        } else if (gate_ms >= call->deadline_ms) {
            error_set(&run->end, REPLY_ERROR_RATE_LIMITED,
                      "the service's rate limit holds this client back for %" PRId64
                      " ms, longer than the call may take; call again after "
                      "that time",
                      gate_ms - now);
            run->end.retry_after_ms = gate_ms - now;
        }
    }
}

/* Gives contacts to free slots. Returns false after an id that is none, which is delivered instead:
 * the loop looks around first. */
static bool fill_slots(struct run *run, int64_t now) {
    const struct dispatch_call *call = run->call;
    for (int32_t i = 0; i < run->slot_count && run->next < call->count; i++) {
        if (run->slots[i].state != SLOT_FREE) {
            continue;
        }
        const size_t index = run->next++;
        if (call->contact_ids[index] < 1) {
            reply_error error;
            error_begin(&error, NULL);
            error_set(&error, REPLY_ERROR_INVALID_ARGUMENT,
                      "an id is 1 or more; pass the id that the service gave");
            deliver(run, index, 0, NULL, &error);
            return false;
        }
        run->slots[i] = (struct slot){.state = SLOT_WAITING, .index = index, .due_ms = now};
    }
    return true;
}

static void start_due(struct run *run, int64_t now) {
    const struct dispatch_call *call = run->call;
    const int64_t left_ms = call->deadline_ms - now;
    const int64_t limit_ms = call->settings->attempt_timeout_ms;
    for (int32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_WAITING && slot->due_ms <= now) {
            char url[REQUEST_URL_SIZE];
            request_write_url(url, call->settings->base_url.text, call->sequence_id,
                              call->contact_ids[slot->index]);
            slot->state = SLOT_IN_FLIGHT;
            slot->began_ms = now;
            slot->attempts++;
            call->transport->start(call->session, i, url, left_ms < limit_ms ? left_ms : limit_ms,
                                   call->deadline_ms);
        }
    }
}

/* How long nothing is to be started: until the first waiting slot is due and the gate is open; -1
 * where no slot waits. */
static int64_t time_to_wait(const struct run *run, int64_t now, int64_t gate_ms) {
    int64_t wait_ms = -1;
    for (int32_t i = 0; i < run->slot_count; i++) {
        const struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_WAITING) {
            const int64_t until_ms = slot->due_ms > gate_ms ? slot->due_ms : gate_ms;
            wait_ms = wait_ms < 0 || until_ms - now < wait_ms ? until_ms - now : wait_ms;
        }
    }
    return wait_ms;
}

static bool is_under_way(const struct run *run) {
    return has_slot(run, SLOT_WAITING) || has_slot(run, SLOT_IN_FLIGHT);
}

/* One turn: looks around, starts what is due, waits for what comes first. Returns false when
 * nothing is left to do. */
static bool turn(struct run *run) {
    const struct transport *transport = run->call->transport;
    struct transport_response response;
    uint64_t interrupts = 0;
    if (run->next == run->call->count && !is_under_way(run)) {
        return false;
    }
    const int64_t gate_ms = read_gate(run, &interrupts);
    const int64_t now = transport->now_ms();
    check_end(run, now, gate_ms, interrupts);
    if (run->end.result != REPLY_OK) {
        deliver_waiting(run);
    } else if (!fill_slots(run, now)) {
        return true;
    } else if (gate_ms <= now) {
        start_due(run, now);
    } else {
        announce_gate(run, now, gate_ms);
    }
    if (run->is_stopped || !is_under_way(run)) {
        return false;
    }
    const int32_t done =
        transport->wait(run->call->session, time_to_wait(run, now, gate_ms), &response);
    if (done >= 0) {
        handle_response(run, &run->slots[done], &response);
    }
    return true;
}

reply_result dispatch(const struct dispatch_call *call, reply_error *error) {
    struct run run;
    run.call = call;
    run.slot_count = call->settings->max_concurrency;
    if (call->count < (size_t)run.slot_count) {
        run.slot_count = (int32_t)call->count;
    }
    run.next = 0;
    run.announced_gate_ms = INT64_MIN;
    run.is_stopped = false;
    error_begin(&run.end, NULL);
    for (int32_t i = 0; i < run.slot_count; i++) {
        run.slots[i].state = SLOT_FREE;
    }
    if (call->session == NULL) {
        error_set_no_memory(&run.end);
    }
    while (!run.is_stopped && turn(&run)) {
    }
    cancel_in_flight(&run);
    while (!run.is_stopped && run.next < call->count) {
        deliver(&run, run.next++, 0, NULL, &run.end);
    }
    if (run.is_stopped) {
        return error_set(error, REPLY_ERROR_CANCELLED,
                         "the callback ended the call by returning non-zero");
    }
    if (run.end.result != REPLY_OK) {
        *error = run.end;
        error->attempts = 0;
    }
    return error->result;
}
