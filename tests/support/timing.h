/* timing.h - the clock of tests on real connections, time bounds and waits. */
#ifndef REPLYIO_TESTS_TIMING_H
#define REPLYIO_TESTS_TIMING_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Timeout of a wait for an event that a test expects. It is scaled. */
enum { TIMING_MAX_WAIT_MS = 20000 };

/* Returns the monotonic time in milliseconds. */
int64_t timing_now_ms(void);

/* Scales an upper bound on a duration by REPLY_TEST_SLOWNESS, an environment variable that says how
 * many times slower the program runs (valgrind, an emulator). Default: 1. */
int64_t timing_scale_ms(int64_t ms);

/* Returns the time on the monotonic clock that is this long from now. */
struct timespec timing_deadline(int64_t ms);

/* Returns the time on the monotonic clock at which a wait that begins now must end. */
struct timespec timing_wait_deadline(void);

/* Sleeps for this long. A signal may end the sleep earlier. */
void timing_sleep_ms(int64_t ms);

/* Initialises a condition variable that is waited for on the monotonic clock. */
void timing_init_condition(pthread_cond_t *condition);

/* Waits until count, which lock guards, is at least wanted. Fails the test after
 * TIMING_MAX_WAIT_MS; noun is for the failure's message. */
void timing_await_count(pthread_mutex_t *lock, pthread_cond_t *changed, const int *count,
                        int wanted, const char *noun);

#endif
