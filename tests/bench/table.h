/* table.h - the lines of the table. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "rounds.h"

enum target_kind { RATIO_AT_LEAST, RATIO_AT_MOST, LIBRARY_AT_MOST, NO_TARGET };

struct line {
    const char *figure;
    const char *unit;
    double floor; /* negative: there is none */
    double library;
    struct spread ratio; /* of the library to the floor; a median of 0: there is none */
    enum target_kind target_kind;
    double target;
};

void table_begin(void);
void table_print(const struct line *line);

#endif
