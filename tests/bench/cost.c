/* cost.c - runs of this program under valgrind, with counted allocations, or alone for its memory.
 */
#include "cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum {
    FEW = 100,
    MANY_MORE = 600,
    PAGE = 1000,
    MEMORY_BEFORE = 2000,
    MEMORY_AFTER = 40000,
    REPEATS = 3
};

/* ---- The runs ---- */

/* Returns the number that a command prints after a label. */
static double read_number(const char *command, const char *label) {
    char line[512];
    double number = -1;
    /* NOLINTNEXTLINE(cert-env33-c): every part of the command comes from this program */
    FILE *output = popen(command, "r");
    check(output != NULL, "cannot start a program");
    while (fgets(line, sizeof line, output) != NULL) {
        const char *at = strstr(line, label);
        if (at != NULL) {
            number = strtod(at + strlen(label), NULL);
        }
    }
    check(pclose(output) == 0 && number >= 0, command);
    return number;
}

static double run_counted(const struct program *program, const char *counter, const char *label,
                          enum side side, enum work_kind kind, int count) {
    char command[1024];
    snprintf(command, sizeof command, "%s '%s' cost %d %d %d %d 2>&1", counter, program->path,
             (int)program->port, (int)side, (int)kind, count);
    return read_number(command, label);
}

static double median_of_three(const double numbers[REPEATS]) {
    const double least = numbers[0] < numbers[1] ? numbers[0] : numbers[1];
    const double most = numbers[0] < numbers[1] ? numbers[1] : numbers[0];
    return numbers[2] < least ? least : numbers[2] > most ? most : numbers[2];
}

/* Returns the median of several differences, because the number of waits for the server varies
 * slightly between runs. */
static double measure_contact(const struct program *program, const char *counter, const char *label,
                              enum side side, enum work_kind kind) {
    double costs[REPEATS];
    const int few = kind == LIST ? PAGE : FEW;
    const int many = kind == LIST ? 5 * PAGE : MANY_MORE;
    for (int i = 0; i < REPEATS; i++) {
        const double more = run_counted(program, counter, label, side, kind, many);
        costs[i] = (more - run_counted(program, counter, label, side, kind, few)) / (many - few);
    }
    return median_of_three(costs);
}

double measure_instructions(const struct program *program, enum side side, enum work_kind kind) {
    return measure_contact(program, "valgrind --tool=callgrind --callgrind-out-file=/dev/null",
                           "Collected : ", side, kind);
}

double measure_allocations(const struct program *program, enum side side, enum work_kind kind) {
    return measure_contact(program, "LD_PRELOAD=./count_allocations.so", "allocations: ", side,
                           kind);
}

double measure_memory_growth(const struct program *program, enum side side, enum work_kind kind,
                             const char *path) {
    char command[1024];
    double growths[REPEATS];
    snprintf(command, sizeof command, "'%s' memory %d %d %d %s 2>&1", program->path,
             (int)program->port, (int)side, (int)kind, path);
    for (int i = 0; i < REPEATS; i++) {
        growths[i] = read_number(command, "growth: ");
    }
    return median_of_three(growths);
}

/* ---- The body of a run ---- */

void cost_run(enum side side, enum work_kind kind, const struct setting *setting, size_t count) {
    const struct work *work = work_of(side, kind);
    void *state = work->open(setting);
    work->run(state, count);
    work->close(state);
}

/* Returns the peak memory of the process in KiB. */
static long read_peak_memory(void) {
    char line[256];
    long size = -1;
    FILE *status = fopen("/proc/self/status", "r");
    check(status != NULL, "cannot read /proc/self/status");
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            size = strtol(line + 6, NULL, 10);
        }
    }
    fclose(status);
    return size;
}

void cost_print_memory_growth(enum side side, enum work_kind kind, const struct setting *little,
                              const struct setting *much) {
    const struct work *work = work_of(side, kind);
    if (kind == LIST) {
        cost_run(side, kind, little, 1); /* its memory for CAs and TLS is used again */
    }
    void *state = work->open(much);
    if (kind == MANY) {
        work->run(state, MEMORY_BEFORE);
    }
    const long before = read_peak_memory();
    work->run(state, kind == LIST ? 1 : MEMORY_AFTER);
    printf("growth: %ld\n", read_peak_memory() - before);
    work->close(state);
}
