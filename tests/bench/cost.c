/* cost.c - what noise does not touch: this program runs itself under valgrind, with its allocations
 * counted, or alone for its memory. */
#include "cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { FEW = 100, MANY_MORE = 600, MEMORY_BEFORE = 2000, MEMORY_AFTER = 40000, REPEATS = 3 };

/* ---- The runs ---- */

/* The number that a command prints after a mark. */
static double number_printed(const char *command, const char *mark) {
    char line[512];
    double number = -1;
    FILE *output =
        popen(command,
              "r"); /* NOLINT(cert-env33-c): the command is made here, of nothing from elsewhere */
    check(output != NULL, "no program can be started");
    while (fgets(line, sizeof line, output) != NULL) {
        const char *at = strstr(line, mark);
        if (at != NULL) {
            number = strtod(at + strlen(mark), NULL);
        }
    }
    check(pclose(output) == 0 && number >= 0, command);
    return number;
}

static double cost_of_run(const struct program *program, const char *counter, const char *mark,
                          enum side side, enum work_kind kind, int count) {
    char command[1024];
    snprintf(command, sizeof command, "%s '%s' cost %d %d %d %d 2>&1", counter, program->path,
             (int)program->port, (int)side, (int)kind, count);
    return number_printed(command, mark);
}

static double median_of_three(const double numbers[REPEATS]) {
    const double least = numbers[0] < numbers[1] ? numbers[0] : numbers[1];
    const double most = numbers[0] < numbers[1] ? numbers[1] : numbers[0];
    return numbers[2] < least ? least : numbers[2] > most ? most : numbers[2];
}

/* The median of some differences: how often a transfer must wait for the server varies a little
 * from run to run. */
static double cost_of_contact(const struct program *program, const char *counter, const char *mark,
                              enum side side, enum work_kind kind) {
    double costs[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        const double more = cost_of_run(program, counter, mark, side, kind, MANY_MORE);
        costs[i] =
            (more - cost_of_run(program, counter, mark, side, kind, FEW)) / (MANY_MORE - FEW);
    }
    return median_of_three(costs);
}

double instructions_of(const struct program *program, enum side side, enum work_kind kind) {
    return cost_of_contact(program, "valgrind --tool=callgrind --callgrind-out-file=/dev/null",
                           "Collected : ", side, kind);
}

double allocations_of(const struct program *program, enum side side, enum work_kind kind) {
    return cost_of_contact(program, "LD_PRELOAD=./count_allocations.so", "allocations: ", side,
                           kind);
}

double memory_growth_of(const struct program *program, enum side side) {
    char command[1024];
    double growths[REPEATS];
    snprintf(command, sizeof command, "'%s' memory %d %d 2>&1", program->path, (int)program->port,
             (int)side);
    for (int i = 0; i < REPEATS; i++) {
        growths[i] = number_printed(command, "growth: ");
    }
    return median_of_three(growths);
}

/* ---- Inside a run ---- */

void cost_run(enum side side, enum work_kind kind, const struct setting *setting, size_t count) {
    const struct work *work = work_of(side, kind);
    void *state = work->open(setting);
    work->run(state, count);
    work->close(state);
}

/* The largest memory that the process has had, in KiB. */
static long largest_memory(void) {
    char line[256];
    long size = -1;
    FILE *status = fopen("/proc/self/status", "r");
    check(status != NULL, "the system does not tell how large the process was");
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            size = strtol(line + 6, NULL, 10);
        }
    }
    fclose(status);
    return size;
}

void cost_print_memory_growth(enum side side, const struct setting *setting) {
    const struct work *work = work_of(side, MANY);
    void *state = work->open(setting);
    work->run(state, MEMORY_BEFORE);
    const long before = largest_memory();
    work->run(state, MEMORY_AFTER);
    printf("growth: %ld\n", largest_memory() - before);
    work->close(state);
}
