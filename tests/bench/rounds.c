/* rounds.c - the rounds. The sides alternate in going first. */
#include "rounds.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

enum { WARM_UP = 256 };

static double clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds_of(const struct timeval *time) {
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* User and system time of the process. */
static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

static int compare(const void *left, const void *right) {
    const double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

struct spread spread_of(const double numbers[ROUND_COUNT]) {
    double sorted[ROUND_COUNT];
    memcpy(sorted, numbers, sizeof sorted);
    qsort(sorted, ROUND_COUNT, sizeof sorted[0], compare);
    return (struct spread){sorted[ROUND_COUNT / 4], sorted[ROUND_COUNT / 2],
                           sorted[ROUND_COUNT - 1 - ROUND_COUNT / 4]};
}

/* If the state is NULL, opens and closes a fresh one. */
static void run_side(const struct work *work, void *state, const struct setting *setting,
                     size_t count) {
    void *fresh = state == NULL ? work->open(setting) : NULL;
    work->run(state == NULL ? fresh : state, count);
    if (fresh != NULL) {
        work->close(fresh);
    }
}

struct rounds run_rounds(enum work_kind kind, const struct setting *setting, size_t count,
                         bool is_fresh) {
    struct rounds rounds;
    void *states[SIDE_COUNT] = {NULL, NULL};
    for (int side = 0; side < SIDE_COUNT && !is_fresh; side++) {
        states[side] = work_of((enum side)side, kind)->open(setting);
        work_of((enum side)side, kind)->run(states[side], WARM_UP);
    }
    for (int round = 0; round < ROUND_COUNT; round++) {
        for (int place = 0; place < SIDE_COUNT; place++) {
            const enum side side = (enum side)((round + place) % SIDE_COUNT);
            const double cpu_before = cpu_seconds();
            const double before = clock_seconds();
            run_side(work_of(side, kind), states[side], setting, count);
            rounds.seconds[side][round] = (clock_seconds() - before) / (double)count;
            rounds.cpu_seconds[side][round] = (cpu_seconds() - cpu_before) / (double)count;
        }
    }
    for (int side = 0; side < SIDE_COUNT && !is_fresh; side++) {
        work_of((enum side)side, kind)->close(states[side]);
    }
    return rounds;
}

double time_once(enum side side, enum work_kind kind, const struct setting *setting, size_t count) {
    const double before = clock_seconds();
    run_side(work_of(side, kind), NULL, setting, count);
    return clock_seconds() - before;
}
