/* secret.h - memory that may hold the API key, or another header's secret, is overwritten before it is freed. */
#ifndef REPLYIO_SECRET_H
#define REPLYIO_SECRET_H

/* Overwrites and frees a string. NULL is fine. */
void secret_free(char *text);

#endif
