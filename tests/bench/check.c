/* check.c - fatal errors of the benchmark. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

void give_up(const char *message) {
    fprintf(stderr, "bench: %s\n", message);
    exit(EXIT_FAILURE);
}
