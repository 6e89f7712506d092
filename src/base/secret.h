/* secret.h - memory that may hold the API key, or another header's secret, is overwritten before it
 * is freed. */
#ifndef REPLYIO_SECRET_H
#define REPLYIO_SECRET_H

#include <stddef.h>

/* Overwrites size bytes and frees them. NULL is fine where size is 0. */
void secret_free(void *memory, size_t size);

/* The same for a string, which may be NULL. */
void secret_free_text(char *text);

#endif
