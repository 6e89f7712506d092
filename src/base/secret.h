/* secret.h - freeing of memory that may contain the API key or another secret. */
#ifndef REPLYIO_SECRET_H
#define REPLYIO_SECRET_H

#include <stddef.h>

/* Overwrites size bytes, in a way that a compiler keeps. */
void secret_overwrite(void *memory, size_t size);

/* Overwrites size bytes and frees them. memory may be NULL if size is 0. */
void secret_free(void *memory, size_t size);

/* Overwrites and frees a string. text may be NULL. */
void secret_free_text(char *text);

#endif
