/* process.h - process-wide state: a lock that is safe across fork, and a fork counter. */
#ifndef REPLYIO_PROCESS_H
#define REPLYIO_PROCESS_H

#include <stdbool.h>

/* Takes the lock. fork waits for it, so that it is free in the child. Returns false, without the
 * lock, if the process was out of memory when the library was loaded. */
bool process_lock(void);

/* Releases the lock. */
void process_unlock(void);

/* Returns the number of forks between this process and the one that loaded the library. */
unsigned process_fork_count(void);

/* Returns true if the process can open four more file descriptors. */
bool process_has_free_descriptors(void);

#endif
