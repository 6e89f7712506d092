/* timer.c - a timeout that does not run while it is paused, under a deadline that always does. */
#include "base/timer.h"

void timer_start(struct timer *timer, int64_t now_ms, int64_t timeout_ms, int64_t deadline_ms) {
    *timer =
        (struct timer){.ends_ms = now_ms + timeout_ms, .paused_ms = -1, .deadline_ms = deadline_ms};
}

void timer_pause(struct timer *timer, int64_t now_ms) {
    timer->paused_ms = now_ms;
}

void timer_resume(struct timer *timer, int64_t now_ms) {
    timer->ends_ms += now_ms - timer->paused_ms;
    timer->paused_ms = -1;
}

int64_t timer_left_ms(const struct timer *timer, int64_t now_ms) {
    const int64_t runs_until_ms = timer->paused_ms >= 0 ? timer->paused_ms : now_ms;
    const int64_t timeout_left_ms = timer->ends_ms - runs_until_ms;
    const int64_t deadline_left_ms = timer->deadline_ms - now_ms;
    return timeout_left_ms < deadline_left_ms ? timeout_left_ms : deadline_left_ms;
}
