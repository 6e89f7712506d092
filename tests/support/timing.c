/* timing.c - the clock of tests on real connections, time bounds and waits. */
#include "support/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

int64_t timing_now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t timing_scale_ms(int64_t ms) {
    const char *slowness = getenv("REPLY_TEST_SLOWNESS");
    const long factor = slowness != NULL ? strtol(slowness, NULL, 10) : 1;
    return ms * (factor > 1 ? factor : 1);
}

struct timespec timing_deadline(int64_t ms) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000 + (time.tv_nsec + ms % 1000 * 1000000) / 1000000000;
    time.tv_nsec = (time.tv_nsec + (long)(ms % 1000) * 1000000) % 1000000000;
    return time;
}

struct timespec timing_wait_deadline(void) {
    return timing_deadline(timing_scale_ms(TIMING_MAX_WAIT_MS));
}

void timing_sleep_ms(int64_t ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

void timing_init_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void timing_await_count(pthread_mutex_t *lock, pthread_cond_t *changed, const int *count,
                        int wanted, const char *noun) {
    const struct timespec deadline = timing_wait_deadline();
    int result = 0;
    pthread_mutex_lock(lock);
    while (*count < wanted && result == 0) {
        result = pthread_cond_timedwait(changed, lock, &deadline);
    }
    const int reached = *count;
    pthread_mutex_unlock(lock);
    if (reached < wanted) {
        fail_msg("expected %d %s, got %d", wanted, noun, reached);
    }
}
