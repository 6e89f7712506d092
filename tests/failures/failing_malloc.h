/* failing_malloc.h - the C library's allocation functions, which fail when a test says so. Only the
 * calling thread's allocations count and fail. */
#ifndef REPLYIO_FAILING_MALLOC_H
#define REPLYIO_FAILING_MALLOC_H

#include <stdbool.h>

/* Makes the nth allocation from now on fail (1 is the next one; 0: none), and where is_for_ever all
 * after it, too. */
void failing_malloc_arm(long nth, bool is_for_ever);

/* Ends that. Returns how many allocations there were since it began. */
long failing_malloc_disarm(void);

/* How many blocks the process has, of all threads. */
long failing_malloc_live(void);

#endif
