/* table.c - a table of text that fits the width of a terminal. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "style.h"
#include "terminal.h"

enum {
    GAP = 2,                      /* columns between two cells */
    ALL_CELLS = TABLE_MAX_COLUMNS /* in place of the index of a cell */
};

struct table_row {
    char *cells[TABLE_MAX_COLUMNS];
    int warning;
};

struct layout {
    size_t widths[TABLE_MAX_COLUMNS];
    bool is_hidden[TABLE_MAX_COLUMNS];
};

/* ---- Rows ---- */

static void free_row(struct table_row *row) {
    for (size_t i = 0; i < TABLE_MAX_COLUMNS; i++) {
        free(row->cells[i]);
    }
}

bool table_add(struct table *table, const char *const *cells, int warning) {
    /* The capacity doubles whenever the count reaches a power of two. */
    if ((table->row_count & (table->row_count - 1)) == 0) {
        const size_t capacity = table->row_count == 0 ? 1 : 2 * table->row_count;
        struct table_row *grown = realloc(table->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        table->rows = grown;
    }
    struct table_row row = {.warning = warning};
    for (size_t i = 0; i < table->column_count; i++) {
        row.cells[i] = strdup(cells[i]);
        if (row.cells[i] == NULL) {
            free_row(&row);
            return false;
        }
    }
    table->rows[table->row_count++] = row;
    return true;
}

void table_free(struct table *table) {
    for (size_t i = 0; i < table->row_count; i++) {
        free_row(&table->rows[i]);
    }
    free(table->rows);
}

/* ---- Layout ---- */

static void measure(const struct table *table, size_t *widths) {
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = strlen(table->columns[i].title);
        for (size_t j = 0; j < table->row_count; j++) {
            const size_t width = terminal_text_width(table->rows[j].cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

static size_t total_width(const struct table *table, const struct layout *layout) {
    size_t total = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!layout->is_hidden[i]) {
            total += layout->widths[i] + (total > 0 ? GAP : 0);
        }
    }
    return total;
}

/* Makes the widest column that may be cut narrower. Returns false if there is none. */
static bool shrink(const struct table *table, struct layout *layout) {
    size_t *widest = NULL;
    for (size_t i = 0; i < table->column_count; i++) {
        const size_t min = table->columns[i].min_width;
        size_t *width = &layout->widths[i];
        if (!layout->is_hidden[i] && min > 0 && *width > min &&
            (widest == NULL || *width > *widest)) {
            widest = width;
        }
    }
    if (widest != NULL) {
        (*widest)--;
    }
    return widest != NULL;
}

/* Hides the column with the highest rank. Returns false if there is none. */
static bool hide(const struct table *table, struct layout *layout) {
    size_t next = 0;
    int rank = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!layout->is_hidden[i] && table->columns[i].hide_rank > rank) {
            rank = table->columns[i].hide_rank;
            next = i;
        }
    }
    layout->is_hidden[next] = layout->is_hidden[next] || rank > 0;
    return rank > 0;
}

static struct layout fit(const struct table *table, size_t width) {
    struct layout layout = {.widths = {0}};
    size_t natural[TABLE_MAX_COLUMNS] = {0};
    measure(table, natural);
    do {
        memcpy(layout.widths, natural, sizeof natural);
        while (width > 0 && total_width(table, &layout) > width && shrink(table, &layout)) {
        }
    } while (width > 0 && total_width(table, &layout) > width && hide(table, &layout));
    return layout;
}

/* ---- Output ---- */

static void write_spaces(FILE *stream, size_t count) {
    fprintf(stream, "%*s", (int)count, "");
}

/* style may be NULL. Returns the number of columns written, at most width. */
static size_t write_cell(FILE *stream, const char *text, size_t width, bool is_right_aligned,
                         const char *style) {
    const size_t natural = terminal_text_width(text);
    const size_t indent = is_right_aligned && natural < width ? width - natural : 0;
    write_spaces(stream, indent);
    fputs(style != NULL ? style : "", stream);
    const size_t used = terminal_write_cut(stream, text, width);
    fputs(style != NULL ? STYLE_PLAIN : "", stream);
    return indent + used;
}

/* The cell at index styled has the style; ALL_CELLS: each cell has it. A cell is padded before the
 * next one, so that a line does not end with spaces. */
static void write_line(FILE *stream, const struct table *table, const struct layout *layout,
                       const char *const *cells, int styled, const char *style) {
    size_t padding = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!layout->is_hidden[i]) {
            const size_t width = layout->widths[i];
            const bool is_styled = styled == (int)i || styled == ALL_CELLS;
            write_spaces(stream, padding);
            const size_t used =
                write_cell(stream, cells[i], width, table->columns[i].is_right_aligned,
                           is_styled ? style : NULL);
            padding = GAP + width - used;
        }
    }
    fputc('\n', stream);
}

void table_write(FILE *stream, const struct table *table, size_t width, bool use_colour) {
    const char *titles[TABLE_MAX_COLUMNS] = {NULL};
    const struct layout layout = fit(table, width);
    if (table->row_count == 0) {
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        titles[i] = table->columns[i].title;
    }
    write_line(stream, table, &layout, titles, ALL_CELLS, use_colour ? STYLE_DIM : NULL);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct table_row *row = &table->rows[i];
        write_line(stream, table, &layout, (const char *const *)row->cells, row->warning,
                   use_colour ? STYLE_WARNING : NULL);
    }
}
