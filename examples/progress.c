/* progress.c - the progress line on standard error. */
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "terminal.h"

enum {
    MAX_LINE_SIZE = 160,
    MARGIN = 3 /* columns for the ^C of Ctrl-C, and the last one, after which a line may wrap */
};

static const char erase_sequence[] = "\r\033[K";
static bool is_enabled;
static volatile sig_atomic_t is_drawn;
static char text[MAX_LINE_SIZE];
static bool is_only_while_waiting;
static int64_t wait_end_ms; /* end of the wait for the rate limit, on the monotonic clock */

static void on_signal(int number) {
    if (is_drawn) {
        const ssize_t ignored = write(STDERR_FILENO, erase_sequence, sizeof erase_sequence - 1);
        (void)ignored;
    }
    raise(number); /* ends the process when the handler returns, because of SA_RESETHAND */
}

static void catch_signals(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction inherited;
        sigaction(numbers[i], NULL, &inherited);
        if (inherited.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_enable(void) {
    is_enabled = terminal_is_capable(stderr);
    if (is_enabled) {
        catch_signals();
    }
}

void progress_set(const char *new_text, bool only_while_waiting) {
    snprintf(text, sizeof text, "%s", new_text);
    is_only_while_waiting = only_while_waiting;
    progress_redraw();
}

void progress_note_wait(int64_t wait_ms) {
    wait_end_ms = monotonic_ms() + wait_ms;
}

void progress_redraw(void) {
    const int64_t left_ms = wait_end_ms - monotonic_ms();
    const int length = (int)terminal_width(stderr) - MARGIN;
    char line[MAX_LINE_SIZE + 64];
    if (!is_enabled || length <= 0 || *text == '\0' || (is_only_while_waiting && left_ms <= 0)) {
        return;
    }
    snprintf(line, sizeof line, "%s", text);
    if (left_ms > 0) {
        snprintf(line + strlen(line), sizeof line - strlen(line),
                 ", waiting %" PRId64 " s for the rate limit", (left_ms + 999) / 1000);
    }
    is_drawn = 1; /* first, because a signal may come at any time */
    fprintf(stderr, "%.*s", length, line);
    fflush(stderr);
}

void progress_erase(void) {
    if (is_enabled) {
        fputs(erase_sequence, stderr);
        fflush(stderr);
        is_drawn = 0;
    }
}
