/* child.h - a child process for a part of a test. */
#ifndef REPLYIO_TESTS_CHILD_H
#define REPLYIO_TESTS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Forks a child that calls act and exits with its result, 0 to 125. A child that hangs is killed
 * after 30 s. Returns the process id, or -1 on failure. */
pid_t child_start(int (*act)(void *context), void *context);

/* Ends a child that the caller has forked itself, from another program. */
_Noreturn void child_exit(int status);

/* Ends a child that the caller has forked itself while this process had one thread. */
_Noreturn void child_quit(int status);

/* Waits for a child. Returns its exit status, or -1 if it was not started or a signal ended it. */
int child_wait(pid_t child);

/* Starts a child and waits for it. Returns as child_wait does. */
int child_run(int (*act)(void *context), void *context);

/* Returns true if a child works that is forked while other threads allocate. It can hang with
 * AddressSanitizer: fork copies the allocator's locks in whatever state they are. */
bool child_works_beside_threads(void);

#endif
