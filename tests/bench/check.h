/* check.h - the end of the program where something does not go as it must: half a measurement is
 * none. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include <stdbool.h>

/* Ends the program with a sentence on standard error. */
_Noreturn void give_up(const char *sentence);

/* Gives up unless it holds. */
static inline void check(bool holds, const char *sentence) {
    if (!holds) {
        give_up(sentence);
    }
}

#endif
