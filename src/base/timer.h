/* timer.h - a timeout that does not run while it is paused, under a deadline that always does;
 * pure. All times are milliseconds on the clock of clock_now_ms. */
#ifndef REPLYIO_TIMER_H
#define REPLYIO_TIMER_H

#include <stdint.h>

struct timer {
    int64_t ends_ms;     /* end of the timeout, if no further pause comes */
    int64_t paused_ms;   /* beginning of the pause in progress; -1 if running */
    int64_t deadline_ms; /* INT64_MAX if none */
};

/* Starts a timer that ends after timeout_ms, not counting pauses, and at deadline_ms at the latest.
 */
void timer_start(struct timer *timer, int64_t now_ms, int64_t timeout_ms, int64_t deadline_ms);

/* Pauses a running timer. */
void timer_pause(struct timer *timer, int64_t now_ms);

/* Resumes a paused timer. */
void timer_resume(struct timer *timer, int64_t now_ms);

/* Returns the milliseconds until the end; 0 or less if the time is over. */
int64_t timer_left_ms(const struct timer *timer, int64_t now_ms);

#endif
