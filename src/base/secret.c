/* secret.c - freeing of memory that may contain the API key or another secret. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_overwrite(void *memory, size_t size) {
    /* A compiler drops writes to memory that is about to be freed, except through volatile. */
    volatile char *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = '\0';
    }
}

void secret_free(void *memory, size_t size) {
    secret_overwrite(memory, size);
    free(memory);
}

void secret_free_text(char *text) {
    secret_free(text, text != NULL ? strlen(text) : 0);
}
