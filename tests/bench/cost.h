/* cost.h - what noise does not touch, counted in a run of this program of its own. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdint.h>

#include "work.h"

/* What a run of its own needs to do the same: this program and the server's ports. */
struct program {
    const char *path;
    uint16_t port;
};

/* Instructions, and heap allocations, that one contact takes: the difference between two runs, so
 * that beginning and end, the connection among them, do not count. */
double instructions_of(const struct program *program, enum side side, enum work_kind kind);
double allocations_of(const struct program *program, enum side side, enum work_kind kind);

/* By how many KiB the process's largest memory grows when, after 2,000 contacts in one call, it
 * gets 40,000 in another. */
double memory_growth_of(const struct program *program, enum side side);

/* The two parts of the runs, by which the program calls itself: does a work for so many contacts;
 * prints the growth. */
void cost_run(enum side side, enum work_kind kind, const struct setting *setting, size_t count);
void cost_print_memory_growth(enum side side, const struct setting *setting);

#endif
