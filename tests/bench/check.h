/* check.h - fatal errors of the benchmark: any failure invalidates the measurement. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include <stdbool.h>

/* Writes a message to standard error and ends the program. */
_Noreturn void give_up(const char *message);

/* Gives up unless the condition is true. */
static inline void check(bool condition, const char *message) {
    if (!condition) {
        give_up(message);
    }
}

#endif
