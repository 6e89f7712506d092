/* secret.c - freeing of memory that may contain the API key or another secret. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* A compiler drops writes to memory that is about to be freed, but does not know what a volatile
 * pointer points to. */
static void *(*const volatile fill)(void *memory, int byte, size_t size) = memset;

void secret_overwrite(void *memory, size_t size) {
    if (memory != NULL) {
        fill(memory, 0, size);
    }
}

void secret_free(void *memory, size_t size) {
    secret_overwrite(memory, size);
    free(memory);
}

void secret_free_text(char *text) {
    secret_free(text, text != NULL ? strlen(text) : 0);
}
