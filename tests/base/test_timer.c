/* test_timer.c - a timeout with pauses, and the deadline over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timer.h"

enum { NEVER = -1 };

/* Each timer starts at 1,000 ms with a timeout of 500 ms. */
static void test_only_running_time_is_counted(void **state) {
    static const struct {
        int64_t pause_ms, resume_ms, now_ms, deadline_ms, left_ms;
    } rows[] = {
        /* Running. */
        {NEVER, NEVER, 1000, INT64_MAX, 500},
        {NEVER, NEVER, 1200, INT64_MAX, 300},
        {NEVER, NEVER, 1500, INT64_MAX, 0},
        {NEVER, NEVER, 1600, INT64_MAX, -100},
        /* Paused. */
        {1200, NEVER, 1200, INT64_MAX, 300},
        {1200, NEVER, 9000, INT64_MAX, 300},
        {1500, NEVER, 9000, INT64_MAX, 0},
        /* Resumed. */
        {1200, 9000, 9000, INT64_MAX, 300},
        {1200, 9000, 9100, INT64_MAX, 200},
        {1200, 9000, 9301, INT64_MAX, -1},
        {1200, 1200, 1300, INT64_MAX, 200},
        /* The deadline comes first, or is not reached. */
        {NEVER, NEVER, 1000, 1400, 400},
        {NEVER, NEVER, 1000, 1500, 500},
        {NEVER, NEVER, 1000, 1600, 500},
        {NEVER, NEVER, 1400, 1400, 0},
        /* The deadline does not pause. */
        {1200, NEVER, 1300, 1400, 100},
        {1200, NEVER, 9000, 1400, -7600},
        {1200, 9000, 9100, 9150, 50},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timer timer;
        timer_start(&timer, 1000, 500, rows[i].deadline_ms);
        if (rows[i].pause_ms != NEVER) {
            timer_pause(&timer, rows[i].pause_ms);
        }
        if (rows[i].resume_ms != NEVER) {
            timer_resume(&timer, rows[i].resume_ms);
        }
        assert_int_equal(timer_left_ms(&timer, rows[i].now_ms), rows[i].left_ms);
    }
}

/* Catches a resume that forgets the pauses before it. */
static void test_pauses_add_up(void **state) {
    struct timer timer;
    (void)state;
    timer_start(&timer, 0, 100, INT64_MAX);
    for (int64_t now_ms = 0; now_ms < 50000; now_ms += 1000) {
        timer_pause(&timer, now_ms);
        timer_resume(&timer, now_ms + 999);
    }
    assert_int_equal(timer_left_ms(&timer, 50000), 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_running_time_is_counted),
        cmocka_unit_test(test_pauses_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
