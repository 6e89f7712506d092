/* process.h - what belongs to the process: the lock of what its threads may only do in turn, and
 * how often it came through fork. */
#ifndef REPLYIO_PROCESS_H
#define REPLYIO_PROCESS_H

#include <stdbool.h>

/* Takes the lock, which a fork waits for, so that it is free in the child. Returns false, without
 * it, where memory ran out when the library was loaded. */
bool process_lock(void);
void process_unlock(void);

/* How many forks lie between this process and the one that loaded the library. */
unsigned process_fork_count(void);

#endif
