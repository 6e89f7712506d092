/* random.h - random numbers for jitter. Tests put a function of their own in its place. */
#ifndef REPLYIO_RANDOM_H
#define REPLYIO_RANDOM_H

#include <stdint.h>

/* Returns 32 random bits. Any thread may call it. */
uint32_t random_bits(void);

#endif
