/* table.h - the table. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "rounds.h"

enum target_kind { RATIO_AT_LEAST, RATIO_AT_MOST, LIBRARY_AT_MOST, NO_TARGET };

struct line {
    const char *figure;
    const char *unit;
    double baseline; /* negative if none */
    double library;
    struct spread ratio; /* the library's figure to the baseline's; a median of 0 if none */
    enum target_kind target_kind;
    double target;
};

/* Prints the table's heading. */
void table_begin(void);

/* Prints a line, with whether the target is reached. */
void table_print(const struct line *line);

#endif
