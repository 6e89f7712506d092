/* dispatch.c - the one loop: starts the requests of a call, waits, retries or delivers.
 * All finished attempts are read before any is started or delivered, and what is started is sent
 * before anything is delivered, so that a limit stops all sending at once and slow callbacks delay
 * nothing. */
#include "dispatch/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "dispatch/request.h"
#include "dispatch/response.h"
#include "dispatch/retry.h"

/* Until an outcome of a step is delivered in the next step, its slot can be freed once more: by a
 * request that cannot be sent, or by one that ends. */
enum { DELIVERIES_PER_SLOT = 2 };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_IN_FLIGHT };

/* Room for one request in a call. */
struct slot {
    enum slot_state state;
    struct dispatch_request request;
    char *url;          /* the base URL, then the request's path */
    int64_t due_ms;     /* waiting: when it may be sent */
    int64_t started_ms; /* in flight: when the attempt started */
    int32_t attempt_count;
    int32_t retry_count;
};

/* The outcome of a request that has not been delivered. */
struct delivery {
    size_t index;
    void *result;
    reply_error error;
};

/* A call in progress. */
struct run {
    const struct dispatch_call *call;
    const struct dispatch_settings *settings;
    const struct transport *transport;
    struct slot *slots;
    struct delivery *deliveries;
    int32_t slot_count;
    int32_t delivery_count;
    int64_t announced_gate_ms; /* the gate whose wait has been logged */
    bool is_stopped;           /* nothing is delivered any more */
    bool is_inherited; /* a child that the host's code has forked: nothing is logged either */
    reply_error end;   /* what ended the call; REPLY_OK until then */
};

/* ---- Sessions ---- */

/* Gives each slot its URL's room, in one block that begins with the slots. */
static struct slot *make_slots(const struct dispatch_settings *settings, int32_t count) {
    const char *base_url = settings->transport.base_url.text;
    const size_t base_length = strlen(base_url);
    const size_t url_size = base_length + REQUEST_PATH_SIZE;
    struct slot *slots = calloc((size_t)count, sizeof *slots + url_size);
    for (int32_t i = 0; slots != NULL && i < count; i++) {
        slots[i].url = (char *)(slots + count) + (size_t)i * url_size;
        memcpy(slots[i].url, base_url, base_length + 1);
        slots[i].request.path = slots[i].url + base_length;
    }
    return slots;
}

struct dispatch_session *dispatch_open(const struct transport *transport,
                                       const struct dispatch_settings *settings) {
    struct dispatch_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->transport = transport;
    session->settings = settings;
    session->slot_count = (int32_t)settings->max_concurrency;
    session->slots = make_slots(settings, session->slot_count);
    session->deliveries =
        calloc(DELIVERIES_PER_SLOT * (size_t)session->slot_count, sizeof *session->deliveries);
    if (session->slots != NULL && session->deliveries != NULL) {
        session->connections = transport->open(&settings->transport, session->slot_count);
    }
    if (session->connections == NULL) {
        free(session->deliveries);
        free(session->slots);
        free(session);
        return NULL;
    }
    return session;
}

bool dispatch_is_reusable(const struct dispatch_session *session) {
    return session->transport->is_reusable(session->connections);
}

void dispatch_close(struct dispatch_session *session, bool is_inherited) {
    session->transport->close(session->connections, is_inherited);
    free(session->deliveries);
    free(session->slots);
    free(session);
}

/* ---- The host's code ---- */

/* Must follow each call of the host's code, which may have forked: a child leaves the connections
 * to its parent and ends without another word. */
static void check_fork(struct run *run) {
    if (gate_is_inherited(run->call->gate)) {
        run->is_inherited = true;
        run->is_stopped = true;
    }
}

static void log_line(struct run *run, const char *line) {
    run->settings->log(line, run->settings->log_user_data);
    check_fork(run);
}

static void log_attempt(struct run *run, const struct slot *slot, reply_result failure,
                        int32_t http_status) {
    if (run->settings->log != NULL) {
        char status[16];
        char line[TRANSPORT_MAX_BASE_URL + REQUEST_PATH_SIZE + 128];
        snprintf(status, sizeof status, "%" PRId32, http_status);
        snprintf(line, sizeof line, "attempt %" PRId32 " GET %s: %s in %" PRId64 " ms",
                 slot->attempt_count, slot->url + run->settings->transport.base_url.path_offset,
                 failure != REPLY_OK ? reply_result_name(failure) : status,
                 clock_now_ms() - slot->started_ms);
        log_line(run, line);
    }
}

static void log_wait(struct run *run, int64_t wait_ms, const char *reason) {
    if (run->settings->log != NULL) {
        char line[160];
        snprintf(line, sizeof line, "wait %" PRId64 " ms: %s", wait_ms, reason);
        log_line(run, line);
    }
}

static void log_retry(struct run *run, const struct slot *slot, const reply_error *error,
                      int64_t wait_ms) {
    char status[16];
    char reason[96];
    snprintf(status, sizeof status, "HTTP %" PRId32, error->http_status);
    snprintf(reason, sizeof reason, "%s, retry %" PRId32 " of %" PRId64,
             error->http_status != 0 ? status : reply_result_name(error->result), slot->retry_count,
             run->settings->max_retries);
    log_wait(run, wait_ms, reason);
}

/* ---- Delivering ---- */

static void set_interrupted(struct run *run) {
    error_begin(&run->end, NULL);
    error_set(&run->end, REPLY_ERROR_CANCELLED,
              "call interrupted by reply_client_interrupt; call again to continue");
}

/* Returns true, and ends the call, if an interrupt has come since it began. */
static bool check_interrupt(struct run *run) {
    bool has_come = false;
    gate_read(run->call->gate, run->call->gate_call, &has_come);
    if (has_come) {
        set_interrupted(run);
    }
    return has_come;
}

/* An outcome can take several deliveries: the items of a page. An interrupt or the callback's stop
 * ends them. */
static void deliver(struct run *run, size_t index, void *result, reply_error *error) {
    const struct dispatch_functions *functions = run->call->functions;
    enum dispatch_next next = DISPATCH_MORE;
    while (next == DISPATCH_MORE && !run->is_stopped) {
        next = functions->deliver(run->call->context, index, result, error);
        run->is_stopped = next == DISPATCH_STOP;
        check_fork(run);
        if (next == DISPATCH_MORE && !run->is_stopped && check_interrupt(run)) {
            break;
        }
    }
    if (next == DISPATCH_MORE) {
        functions->discard(result);
    }
}

/* Delivers an error for a request that will not be sent. The error is copied, because deliver may
 * change it. */
static void deliver_unsent(struct run *run, size_t index, const reply_error *reason) {
    reply_error error = *reason;
    error.attempts = 0;
    deliver(run, index, NULL, &error);
}

/* Delivers the first outcomes of the queue. */
static void deliver_queue(struct run *run, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        struct delivery *delivery = &run->deliveries[i];
        deliver(run, delivery->index, delivery->result, &delivery->error);
    }
    run->delivery_count -= count;
    memmove(run->deliveries, run->deliveries + count,
            (size_t)run->delivery_count * sizeof *run->deliveries);
}

/* Frees a slot whose request is done, and queues its outcome. */
static void queue(struct run *run, struct slot *slot, void *result, const reply_error *error) {
    struct delivery *delivery = &run->deliveries[run->delivery_count++];
    delivery->index = slot->request.index;
    delivery->result = result;
    delivery->error = *error;
    delivery->error.attempts = slot->attempt_count;
    slot->state = SLOT_FREE;
}

/* ---- Reading ---- */

/* Logs once that the gate holds back a request that is due before it opens. */
static void announce_gate(struct run *run, int64_t now, int64_t gate_ms) {
    for (int32_t i = 0; i < run->slot_count && run->announced_gate_ms < gate_ms; i++) {
        if (run->slots[i].state == SLOT_WAITING && run->slots[i].due_ms < gate_ms) {
            run->announced_gate_ms = gate_ms;
            log_wait(run, gate_ms - now, "rate limit");
        }
    }
}

/* Keeps the slot for another attempt, if one is to follow and its wait ends before the deadline. */
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
        slot->due_ms = now + decision.wait_ms;
        slot->retry_count++;
        log_retry(run, slot, error, decision.wait_ms);
    }
    return true;
}

/* Returns true if an error also ends the call. */
static bool ends_call(const struct run *run, const reply_error *error, enum retry_action action,
                      int64_t now) {
    return error->result == REPLY_ERROR_UNAUTHORIZED || action == RETRY_AT_GATE ||
           (error->result == REPLY_ERROR_TIMEOUT && now >= run->call->deadline_ms);
}

static void handle_failure(struct run *run, struct slot *slot, const struct retry_outcome *outcome,
                           reply_error *error) {
    const struct retry_decision decision =
        retry_decide(outcome, slot->retry_count, run->settings->max_retries, random_bits());
    const int64_t now = clock_now_ms();
    int64_t gate_ms = 0;
    if (outcome->closes_gate) {
        gate_ms = gate_close(run->call->gate, run->call->gate_call, now + error->retry_after_ms);
        error->retry_after_ms = gate_ms - now;
    }
    if (run->end.result == REPLY_OK) {
        if (schedule_retry(run, slot, error, decision, now, gate_ms)) {
            return;
        }
        if (ends_call(run, error, decision.action, now)) {
            run->end = *error;
        }
    }
    queue(run, slot, NULL, error);
}

static void handle_success(struct run *run, struct slot *slot,
                           const struct transport_response *response, reply_error *error) {
    void *result = NULL;
    if (run->call->functions->decode(run->call->context, &slot->request, response, &result,
                                     error) == DISPATCH_RETIRE) {
        run->transport->retire(run->call->session->connections, (int32_t)(slot - run->slots));
    }
    queue(run, slot, result, error);
}

static void handle_response(struct run *run, struct slot *slot,
                            const struct transport_response *response) {
    reply_error error;
    log_attempt(run, slot, response->failure, response->http_status);
    if (run->is_inherited) {
        return;
    }
    error_begin(&error, NULL);
    const struct retry_outcome outcome =
        response_read(response, slot->request.max_body_size, run->settings->api_key,
                      clock_unix_seconds(), &error);
    if (error.result == REPLY_OK) {
        handle_success(run, slot, response, &error);
    } else {
        handle_failure(run, slot, &outcome, &error);
    }
}

/* Reads everything that is finished before anything else is sent. */
static void handle_finished(struct run *run) {
    struct transport_session *connections = run->call->session->connections;
    struct transport_response response;
    int32_t slot = 0;
    while (!run->is_inherited && (slot = run->transport->collect(connections, &response)) >= 0) {
        handle_response(run, &run->slots[slot], &response);
    }
}

/* ---- The end of a call ---- */

static bool has_slot(const struct run *run, enum slot_state state) {
    for (int32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == state) {
            return true;
        }
    }
    return false;
}

static bool has_next(const struct run *run) {
    return run->call->functions->has_next(run->call->context);
}

/* Ends all attempts in flight, and queues an error for each. */
static void cancel_in_flight(struct run *run, const reply_error *error) {
    for (int32_t i = 0; i < run->slot_count && !run->is_inherited; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_IN_FLIGHT) {
            run->transport->cancel(run->call->session->connections, i);
            log_attempt(run, slot, REPLY_ERROR_CANCELLED, 0);
            queue(run, slot, NULL, error);
        }
    }
}

static void interrupt(struct run *run) {
    set_interrupted(run);
    for (int32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == SLOT_IN_FLIGHT) {
            run->transport->retire(run->call->session->connections, i);
        }
    }
    cancel_in_flight(run, &run->end);
}

/* Takes back what was started but not sent. Such an attempt does not count. */
static void recall_unsent(struct run *run) {
    for (int32_t i = 0; i < run->slot_count && !run->is_inherited; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_IN_FLIGHT &&
            run->transport->recall(run->call->session->connections, i)) {
            slot->state = SLOT_WAITING;
            slot->attempt_count--;
        }
    }
}

/* Queues the error that ended the call for the requests that have not been sent. */
static void queue_waiting(struct run *run) {
    for (int32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == SLOT_WAITING) {
            queue(run, &run->slots[i], NULL, &run->end);
        }
    }
}

/* Delivers the error that ended the call for the requests that never had a slot. */
static void deliver_rest(struct run *run) {
    while (!run->is_stopped && has_next(run)) {
        char path[REQUEST_PATH_SIZE] = "";
        struct dispatch_request request = {.path = path};
        reply_error ignored;
        run->call->functions->next(run->call->context, &request, error_begin(&ignored, NULL));
        deliver_unsent(run, request.index, &run->end);
    }
}

static bool is_idle(const struct run *run) {
    return !has_slot(run, SLOT_WAITING) && !has_slot(run, SLOT_IN_FLIGHT);
}

/* Ends the call if it was interrupted before its last outcome, or if its deadline leaves no time to
 * send what is unsent. What is in flight at the deadline ends by itself, because no attempt has a
 * later end. */
static void check_end(struct run *run, int64_t now, int64_t gate_ms, bool is_interrupted) {
    if (is_interrupted) {
        if (!is_idle(run) || has_next(run)) {
            interrupt(run);
        }
    } else if (run->end.result == REPLY_OK && (has_next(run) || has_slot(run, SLOT_WAITING))) {
        if (now >= run->call->deadline_ms) {
            error_set(&run->end, REPLY_ERROR_TIMEOUT,
                      "call timed out; retry later or set a longer timeout");
        } else if (gate_ms >= run->call->deadline_ms) {
            error_set(&run->end, REPLY_ERROR_RATE_LIMITED,
                      "rate limited: nothing may be sent for another %" PRId64
                      " ms, which exceeds the call's timeout; call again after that time",
                      gate_ms - now);
            run->end.retry_after_ms = gate_ms - now;
        }
    }
}

/* ---- The loop ---- */

/* Gives requests to free slots, and queues an error for an item that cannot be sent. */
static void fill_slots(struct run *run, int64_t now) {
    for (int32_t i = 0; i < run->slot_count && has_next(run); i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_FREE) {
            reply_error error;
            slot->state = SLOT_WAITING;
            slot->due_ms = now;
            slot->attempt_count = 0;
            slot->retry_count = 0;
            if (!run->call->functions->next(run->call->context, &slot->request,
                                            error_begin(&error, NULL))) {
                queue(run, slot, NULL, &error);
            }
        }
    }
}

static void start_due(struct run *run, int64_t now) {
    const int64_t left_ms = run->call->deadline_ms - now;
    const int64_t timeout_ms = run->settings->attempt_timeout_ms;
    for (int32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->state == SLOT_WAITING && slot->due_ms <= now) {
            slot->state = SLOT_IN_FLIGHT;
            slot->started_ms = now;
            slot->attempt_count++;
            run->transport->start(run->call->session->connections, i,
                                  &(struct transport_request){
                                      .url = slot->url,
                                      .max_body_size = slot->request.max_body_size,
                                      .timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms,
                                      .deadline_ms = run->call->deadline_ms});
        }
    }
}

/* Returns the time until a waiting request is due and the gate is open; -1 if none waits. */
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

/* Starts what is due, unless the call has ended or the gate is closed. */
static void start_requests(struct run *run, int64_t now, int64_t gate_ms) {
    if (run->end.result != REPLY_OK) {
        recall_unsent(run);
        queue_waiting(run);
        return;
    }
    fill_slots(run, now);
    if (gate_ms <= now) {
        start_due(run, now);
    } else {
        announce_gate(run, now, gate_ms);
    }
}

/* Sends what was started and reads what is finished, before the host's code takes its time. Waits
 * for what comes first only if nothing is to be delivered. */
static void exchange(struct run *run, int64_t now, int64_t gate_ms) {
    run->transport->wait(run->call->session->connections,
                         run->delivery_count > 0 ? 0 : time_to_wait(run, now, gate_ms));
    handle_finished(run);
}

/* Checks for the end of the call, starts what is due, and delivers what the step before has read.
 * Returns false when nothing is left to do. */
static bool step(struct run *run) {
    bool is_interrupted = false;
    const int64_t gate_ms = gate_read(run->call->gate, run->call->gate_call, &is_interrupted);
    const int64_t now = clock_now_ms();
    if (gate_ms > now) {
        recall_unsent(run); /* first, because the gate may open only after the call's end */
    }
    check_end(run, now, gate_ms, is_interrupted);
    start_requests(run, now, gate_ms);
    if (run->is_stopped || (is_idle(run) && run->delivery_count == 0)) {
        return false;
    }
    const int32_t due_count = run->delivery_count;
    if (!is_idle(run)) {
        exchange(run, now, gate_ms);
    }
    deliver_queue(run, due_count);
    return !run->is_stopped && (!is_idle(run) || run->delivery_count > 0 || has_next(run));
}

/* What a stop leaves waiting is dropped, and what it leaves in flight is cancelled. */
static void clear_slots(struct run *run) {
    cancel_in_flight(run, &run->end);
    deliver_queue(run, run->delivery_count);
    for (int32_t i = 0; i < run->slot_count; i++) {
        run->slots[i].state = SLOT_FREE;
    }
}

static void send_requests(struct run *run) {
    struct dispatch_session *session = run->call->session;
    run->settings = session->settings;
    run->transport = session->transport;
    run->slots = session->slots;
    run->deliveries = session->deliveries;
    run->slot_count = session->slot_count;
    while (!run->is_stopped && step(run)) {
    }
    clear_slots(run);
}

reply_result dispatch(const struct dispatch_call *call, reply_error *error) {
    struct run run = {.call = call, .announced_gate_ms = INT64_MIN};
    error_begin(&run.end, NULL);
    if (call->session != NULL) {
        send_requests(&run);
    } else {
        error_set_exhausted(&run.end);
    }
    deliver_rest(&run);
    if (run.is_inherited) {
        return gate_check_process(call->gate, error);
    }
    if (run.is_stopped) {
        return error_set(error, REPLY_ERROR_CANCELLED,
                         "call stopped: the callback returned non-zero");
    }
    if (run.end.result != REPLY_OK) {
        *error = run.end;
        error->attempts = 0;
    }
    return error->result;
}
