/* gate.h - what the calls of one client share: the rate-limit gate, the interrupt count, the fork
 * count, and the list of the calls in progress. */
#ifndef REPLYIO_GATE_H
#define REPLYIO_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/transport.h"

/* A call in progress. The caller owns it; only the functions here touch it. */
struct gate_call {
    const struct transport *transport;
    struct transport_session *session;
    uint64_t interrupt_count; /* the gate's when the call began */
    struct gate_call *next;
};

struct gate {
    pthread_mutex_t lock;
    unsigned fork_count;      /* the process's when the gate was made */
    int64_t opens_ms;         /* on the clock of clock_now_ms; only ever moves later */
    uint64_t interrupt_count; /* how many interrupts the client has had */
    struct gate_call *calls;  /* those in progress */
};

/* Makes an open gate. Returns false if out of memory. */
bool gate_init(struct gate *gate);

/* Destroys the gate, except for the lock of one inherited through fork, which a thread of the
 * parent may hold forever. */
void gate_destroy(struct gate *gate);

/* Returns true if this process inherited the gate through fork. */
bool gate_is_inherited(const struct gate *gate);

/* Returns REPLY_OK, or sets INVALID_ARGUMENT if this process inherited the gate through fork. */
reply_result gate_check_process(const struct gate *gate, reply_error *error);

/* Begins a call: notes the interrupt count. */
void gate_begin_call(struct gate *gate, struct gate_call *call);

/* Adds the call to those that an interrupt wakes, by its session. */
void gate_add_call(struct gate *gate, struct gate_call *call, const struct transport *transport,
                   struct transport_session *session);

/* Removes a call that was added. */
void gate_remove_call(struct gate *gate, const struct gate_call *call);

/* Returns the time at which the gate opens, perhaps in the past. *is_interrupted is true if an
 * interrupt has come since the call began. */
int64_t gate_read(struct gate *gate, const struct gate_call *call, bool *is_interrupted);

/* Closes the gate until a time, unless it stays closed for longer, and wakes the calls in progress
 * other than the one given. Returns the time at which the gate opens. */
int64_t gate_close(struct gate *gate, const struct gate_call *closer, int64_t until_ms);

/* Interrupts the calls in progress. Does nothing if the gate is inherited. Any thread may call it.
 */
void gate_interrupt(struct gate *gate);

#endif
