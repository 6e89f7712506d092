/* output.c - standard output: JSON, and failed writes. */
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "terminal.h"

/* In valid JSON a newline is white space between tokens, so a space can replace it. Any other
 * control character is inside a string, where the escape has the same meaning. */
void output_write_json(const char *json) {
    while (*json != '\0') {
        const size_t length = strcspn(json, "\t\n\r");
        terminal_write(stdout, json, length);
        json += length;
        if (*json != '\0') {
            fputc(' ', stdout);
            json++;
        }
    }
    fputc('\n', stdout);
}

int output_flush(void) {
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : report_write_error();
}

int output_close(int status) {
    return ferror(stdout) || fclose(stdout) == 0 ? status : report_write_error();
}
