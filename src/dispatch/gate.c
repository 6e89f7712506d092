/* gate.c - what the calls of one client share: the rate-limit gate, the interrupt count, the fork
 * count, and the list of the calls in progress. */
#include "dispatch/gate.h"

#include "base/error.h"
#include "base/process.h"

bool gate_init(struct gate *gate) {
    gate->fork_count = process_fork_count();
    gate->opens_ms = INT64_MIN;
    gate->interrupt_count = 0;
    gate->calls = NULL;
    return pthread_mutex_init(&gate->lock, NULL) == 0;
}

void gate_destroy(struct gate *gate) {
    if (!gate_is_inherited(gate)) {
        pthread_mutex_destroy(&gate->lock);
    }
}

bool gate_is_inherited(const struct gate *gate) {
    return gate->fork_count != process_fork_count();
}

reply_result gate_check_process(const struct gate *gate, reply_error *error) {
    if (!gate_is_inherited(gate)) {
        return REPLY_OK;
    }
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "invalid client: created before fork; create a client in the child process");
}

void gate_begin_call(struct gate *gate, struct gate_call *call) {
    pthread_mutex_lock(&gate->lock);
    call->interrupt_count = gate->interrupt_count;
    pthread_mutex_unlock(&gate->lock);
}

void gate_add_call(struct gate *gate, struct gate_call *call, const struct transport *transport,
                   struct transport_session *session) {
    call->transport = transport;
    call->session = session;
    pthread_mutex_lock(&gate->lock);
    call->next = gate->calls;
    gate->calls = call;
    pthread_mutex_unlock(&gate->lock);
}

void gate_remove_call(struct gate *gate, const struct gate_call *call) {
    pthread_mutex_lock(&gate->lock);
    struct gate_call **link = &gate->calls;
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    pthread_mutex_unlock(&gate->lock);
}

int64_t gate_read(struct gate *gate, const struct gate_call *call, bool *is_interrupted) {
    pthread_mutex_lock(&gate->lock);
    const int64_t opens_ms = gate->opens_ms;
    *is_interrupted = gate->interrupt_count != call->interrupt_count;
    pthread_mutex_unlock(&gate->lock);
    return opens_ms;
}

/* Wakes the calls in progress but one. Waking under the lock keeps each session open until it has
 * been woken. */
static void wake_calls(const struct gate *gate, const struct gate_call *except) {
    for (struct gate_call *call = gate->calls; call != NULL; call = call->next) {
        if (call != except) {
            call->transport->wake(call->session);
        }
    }
}

int64_t gate_close(struct gate *gate, const struct gate_call *closer, int64_t until_ms) {
    pthread_mutex_lock(&gate->lock);
    if (gate->opens_ms < until_ms) {
        gate->opens_ms = until_ms;
        wake_calls(gate, closer);
    }
    const int64_t opens_ms = gate->opens_ms;
    pthread_mutex_unlock(&gate->lock);
    return opens_ms;
}

void gate_interrupt(struct gate *gate) {
    if (gate_is_inherited(gate)) {
        return;
    }
    pthread_mutex_lock(&gate->lock);
    gate->interrupt_count++;
    wake_calls(gate, NULL);
    pthread_mutex_unlock(&gate->lock);
}
