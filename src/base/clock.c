/* clock.c - the library's two clocks. */
#include "base/clock.h"

#include <time.h>

int64_t clock_now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t clock_unix_seconds(void) {
    return (int64_t)time(NULL);
}
