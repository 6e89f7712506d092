/* child.h - a part of a test that runs in a child after fork. */
#ifndef REPLYIO_CHILD_H
#define REPLYIO_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Forks a child, which calls act and ends with the status that it returns, 0 to 125. One that hangs
 * is ended after 30 s. */
pid_t child_start(int (*act)(void *context), void *context);

/* The status with which a child ended; -1 where there was none, or where a signal ended it. */
int child_wait(pid_t child);

/* Both in one. */
int child_run(int (*act)(void *context), void *context);

/* Whether a child can be expected to work that is forked while other threads allocate.
 * AddressSanitizer's allocator has locks of its own, which a fork copies as they are: such a child
 * may hang in it. */
bool child_works_beside_threads(void);

#endif
