/* clock.h - the library's two clocks. Tests put functions of their own in their place. */
#ifndef REPLYIO_CLOCK_H
#define REPLYIO_CLOCK_H

#include <stdint.h>

/* Returns milliseconds on a clock that only moves forward. Any thread may call it. */
int64_t clock_now_ms(void);

/* Returns seconds since 1970-01-01T00:00:00Z. Any thread may call it. */
int64_t clock_unix_seconds(void);

#endif
