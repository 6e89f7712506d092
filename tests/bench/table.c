/* table.c - the table, printed as Markdown. */
#include "table.h"

#include <stdbool.h>
#include <stdio.h>

static const char row_format[] = "| %-55s | %14s | %14s | %-18s | %-10s | %-7s |\n";

void table_begin(void) {
    printf(row_format, "figure", "baseline", "library", "ratio (quartiles)", "target", "");
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

static void format_number(char *text, size_t size, double number, const char *unit) {
    snprintf(text, size, number < 0 ? "" : number < 100 ? "%.1f %s" : "%.0f %s", number, unit);
}

static void format_ratio(char *text, size_t size, const struct spread *ratio) {
    if (ratio->median <= 0) {
        text[0] = '\0';
    } else if (ratio->upper_quartile > ratio->lower_quartile) {
        snprintf(text, size, "%.2f (%.2f-%.2f)", ratio->median, ratio->lower_quartile,
                 ratio->upper_quartile);
    } else {
        snprintf(text, size, "%.2f", ratio->median);
    }
}

static void format_target(char *text, size_t size, const struct line *line) {
    if (line->target_kind == NO_TARGET) {
        text[0] = '\0';
    } else if (line->target_kind == LIBRARY_AT_MOST) {
        snprintf(text, size, "<= %.4g %s", line->target, line->unit);
    } else {
        snprintf(text, size, "%s %.2f",
                 line->target_kind == RATIO_AT_LEAST ? ">=" : "<=", line->target);
    }
}

void table_print(const struct line *line) {
    char baseline[32];
    char library[32];
    char ratio[48];
    char target[32];
    format_number(baseline, sizeof baseline, line->baseline, line->unit);
    format_number(library, sizeof library, line->library, line->unit);
    format_ratio(ratio, sizeof ratio, &line->ratio);
    format_target(target, sizeof target, line);
    printf(row_format, line->figure, baseline, library, ratio, target,
           line->target_kind == NO_TARGET ? ""
           : is_reached(line)             ? "reached"
                                          : "missed");
    fflush(stdout); /* minutes pass between lines */
}
