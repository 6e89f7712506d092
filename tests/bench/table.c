/* table.c - the lines of the table, as Markdown: the README quotes it. */
#include "table.h"

#include <stdbool.h>
#include <stdio.h>

static const char row_format[] = "| %-55s | %14s | %14s | %-18s | %-10s | %-7s |\n";

void table_begin(void) {
    printf(row_format, "figure", "floor", "library", "ratio (quartiles)", "to reach", "");
    printf("|---|---|---|---|---|---|\n");
    fflush(stdout);
}

static bool is_reached(const struct line *line) {
    switch (line->target_kind) {
    case RATIO_AT_LEAST:
        return line->ratio.median >= line->target;
    case RATIO_AT_MOST:
        return line->ratio.median <= line->target;
    case LIBRARY_AT_MOST:
        return line->library <= line->target;
    default:
        return true;
    }
}

static void write_number(char *text, size_t size, double number, const char *unit) {
    snprintf(text, size, number < 0 ? "" : number < 100 ? "%.1f %s" : "%.0f %s", number, unit);
}

static void write_ratio(char *text, size_t size, const struct spread *ratio) {
    if (ratio->median <= 0) {
        text[0] = '\0';
    } else if (ratio->upper_quartile > ratio->lower_quartile) {
        snprintf(text, size, "%.2f (%.2f-%.2f)", ratio->median, ratio->lower_quartile,
                 ratio->upper_quartile);
    } else {
        snprintf(text, size, "%.2f", ratio->median);
    }
}

static void write_target(char *text, size_t size, const struct line *line) {
    if (line->target_kind == NO_TARGET) {
        text[0] = '\0';
    } else if (line->target_kind == LIBRARY_AT_MOST) {
        snprintf(text, size, "<= %.0f %s", line->target, line->unit);
    } else {
        snprintf(text, size, "%s %.2f",
                 line->target_kind == RATIO_AT_LEAST ? ">=" : "<=", line->target);
    }
}

void table_print(const struct line *line) {
    char floor[32];
    char library[32];
    char ratio[48];
    char target[32];
    write_number(floor, sizeof floor, line->floor, line->unit);
    write_number(library, sizeof library, line->library, line->unit);
    write_ratio(ratio, sizeof ratio, &line->ratio);
    write_target(target, sizeof target, line);
    printf(row_format, line->figure, floor, library, ratio, target,
           line->target_kind == NO_TARGET ? ""
           : is_reached(line)             ? "reached"
                                          : "missed");
    fflush(stdout); /* the lines come minutes apart */
}
