/* table.h - a table of text that fits the width of a terminal. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TABLE_MAX_COLUMNS = 8 };

struct table_column {
    const char *title;
    size_t min_width; /* a cell may be cut to this width; 0: it is never cut */
    int hide_rank;    /* if there is not enough space, the highest is hidden first; 0: never */
    bool is_right_aligned;
};

struct table_row;

/* Starts as zeros, except columns and column_count. */
struct table {
    const struct table_column *columns;
    size_t column_count;
    struct table_row *rows;
    size_t row_count;
};

/* Adds a row and copies its cells. The cell at index warning is emphasised; a negative index: none.
 * Returns false if out of memory. */
bool table_add(struct table *table, const char *const *cells, int warning);

/* Writes the titles and the rows, or nothing if there are no rows. width is the number of columns
 * of the terminal; 0 if unlimited. */
void table_write(FILE *stream, const struct table *table, size_t width, bool use_colour);

/* Frees what table_add allocated. */
void table_free(struct table *table);

#endif
