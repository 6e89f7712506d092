/* check.c - the end of the program where something does not go as it must. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

void give_up(const char *sentence) {
    fprintf(stderr, "bench: %s\n", sentence);
    exit(EXIT_FAILURE);
}
