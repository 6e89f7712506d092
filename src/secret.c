/* secret.c - memory that may hold the API key, or another header's secret, is overwritten before it is freed. */
#include "secret.h"

#include <stddef.h>
#include <stdlib.h>

void secret_free(char *text) {
    /* Through a volatile pointer, since a compiler drops writes to memory that is about to be freed. */
    for (volatile char *at = text; at != NULL && *at != '\0'; at++) {
        *at = '\0';
    }
    free(text);
}
