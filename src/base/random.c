/* random.c - random numbers for jitter. */
#include "base/random.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h> /* getentropy, on musl and FreeBSD */

uint32_t random_bits(void) {
    uint32_t bits = 0;
    if (getentropy(&bits, sizeof bits) != 0) {
        /* The clock's low bits are random enough for jitter. */
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        bits = (uint32_t)time.tv_nsec * 2654435769U;
    }
    return bits;
}
