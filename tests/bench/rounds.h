/* rounds.h - the two sides in turn, several times over: the machine's noise meets both, and the
 * median is quoted. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "work.h"

enum { ROUND_COUNT = 25 };

/* What some rounds took, per contact. */
struct rounds {
    double seconds[SIDE_COUNT][ROUND_COUNT];
    double cpu_seconds[SIDE_COUNT][ROUND_COUNT];
};

/* Where half of some numbers lie. */
struct spread {
    double lower_quartile, median, upper_quartile;
};

struct spread spread_of(const double numbers[ROUND_COUNT]);

/* Runs a work for so many contacts in each round. Where it is not to be fresh, it was opened and
 * run before: connections are open. Where it is, each round begins with none, and opening and
 * closing are measured too. */
struct rounds run_rounds(enum work_kind kind, const struct setting *setting, size_t count,
                         bool is_fresh);

#endif
