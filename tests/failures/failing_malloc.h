/* failing_malloc.h - the C library's allocation functions, which fail when a test asks for it. Only
 * the calling thread's allocations are counted and fail. */
#ifndef REPLYIO_TESTS_FAILING_MALLOC_H
#define REPLYIO_TESTS_FAILING_MALLOC_H

#include <stdbool.h>

/* Starts counting. The nth allocation from now on fails (1 is the next one, 0 is none), and all
 * later ones if fails_from_nth_on is true. */
void failing_malloc_arm(long nth, bool fails_from_nth_on);

/* Stops counting. Returns the number of allocations since failing_malloc_arm. */
long failing_malloc_disarm(void);

/* Returns the number of blocks that the process has allocated, in all threads. */
long failing_malloc_live(void);

#endif
