/* rounds.h - alternating measurements of the two sides, so that the machine's noise affects both
 * equally. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "work.h"

enum { ROUND_COUNT = 25 };

/* Times per contact, in seconds. */
struct rounds {
    double seconds[SIDE_COUNT][ROUND_COUNT];
    double cpu_seconds[SIDE_COUNT][ROUND_COUNT];
};

struct spread {
    double lower_quartile, median, upper_quartile;
};

struct spread spread_of(const double numbers[ROUND_COUNT]);

/* Measures rounds of count contacts each. If is_fresh, each round opens new connections, and
 * opening and closing are measured too. Otherwise the connections are open before the first round.
 */
struct rounds run_rounds(enum work_kind kind, const struct setting *setting, size_t count,
                         bool is_fresh);

/* Returns the seconds that one run takes, on fresh connections. */
double time_once(enum side side, enum work_kind kind, const struct setting *setting, size_t count);

#endif
