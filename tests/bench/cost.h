/* cost.h - costs that noise does not affect, counted in separate runs of this program. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdint.h>

#include "work.h"

/* What a separate run needs. */
struct program {
    const char *path; /* of this program */
    uint16_t port;    /* the server's first */
};

/* Return the instructions, or heap allocations, per contact: the difference between two runs, so
 * that opening and closing, connections included, do not count. */
double measure_instructions(const struct program *program, enum side side, enum work_kind kind);
double measure_allocations(const struct program *program, enum side side, enum work_kind kind);

/* Returns the growth, in KiB, of the process's peak memory when much work follows a little: for
 * MANY, a call for 40,000 contacts one for 2,000, and for LIST, the list at a path one of 10. */
double measure_memory_growth(const struct program *program, enum side side, enum work_kind kind,
                             const char *path);

/* The bodies of these runs: the first does one kind of work for count contacts, the second prints
 * the growth. */
void cost_run(enum side side, enum work_kind kind, const struct setting *setting, size_t count);
void cost_print_memory_growth(enum side side, enum work_kind kind, const struct setting *little,
                              const struct setting *much);

#endif
