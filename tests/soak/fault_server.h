/* fault_server.h - a server on loopback that responds correctly to most requests, and to the others
 * with a random fault. All functions may be called on any thread. */
#ifndef REPLYIO_TESTS_FAULT_SERVER_H
#define REPLYIO_TESTS_FAULT_SERVER_H

#include <stdint.h>

/* Sequences are numbered from 1 to this. */
enum { FAULT_MAX_SEQUENCES = 16, FAULT_MISSING_MODULUS = 17, FAULT_RETRY_AFTER_MS = 1000 };

/* Starts the server, which runs until the process ends. Returns its port. A contact whose id is a
 * multiple of FAULT_MISSING_MODULUS does not exist. */
int fault_server_start(void);

/* Notes that a sequence's client has read a 429 with a Retry-After of FAULT_RETRY_AFTER_MS. */
void fault_server_note_limit(int64_t sequence_id);

/* Notes that the sequence has a new client, to which no limit applies. */
void fault_server_forget_limit(int64_t sequence_id);

/* Returns how many requests arrived although a limit forbade them. */
int fault_server_violation_count(void);

#endif
