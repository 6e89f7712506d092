/* progress.c - the progress line on standard error. */
#include "progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "terminal.h"

enum {
    DEFAULT_WIDTH = 80,
    MARGIN = 3 /* columns for the ^C of Ctrl-C, and the last one, after which a line may wrap */
};

static const char erase_sequence[] = "\r\033[K";
static bool is_enabled;
static volatile sig_atomic_t is_drawn;

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

void progress_enable(void) {
    is_enabled = terminal_is_capable(stderr);
    if (is_enabled) {
        catch_signals();
    }
}

static int terminal_width(void) {
    struct winsize size;
    const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : DEFAULT_WIDTH;
}

void progress_draw(const char *line) {
    const int length = terminal_width() - MARGIN;
    if (is_enabled && length > 0) {
        is_drawn = 1; /* first, because a signal may come at any time */
        fprintf(stderr, "%.*s", length, line);
        fflush(stderr);
    }
}

void progress_erase(void) {
    if (is_enabled) {
        fputs(erase_sequence, stderr);
        fflush(stderr);
        is_drawn = 0;
    }
}
