/* child.c - a child process, forked for a part of a test. */
#include "support/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/thread_count.h"

#ifdef REPLYIO_COVERAGE
extern void __gcov_dump(void);
#endif

/* Exits from another program: if this one exited, a memory checker would report the blocks of the
 * parent's other threads as leaked. */
_Noreturn void child_exit(int status) {
    char command[32];
    snprintf(command, sizeof command, "exit %d", status);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(126);
}

_Noreturn void child_quit(int status) {
#ifdef REPLYIO_COVERAGE
    __gcov_dump();
#endif
    _exit(status);
}

pid_t child_start(int (*act)(void *context), void *context) {
#ifdef REPLYIO_COVERAGE
    /* If other threads were counting during the fork, the child's counts are inconsistent. */
    const bool is_counted = thread_count() == 1;
#endif
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(30);
        const int status = act(context);
#ifdef REPLYIO_COVERAGE
        if (is_counted) {
            __gcov_dump();
        }
#endif
        child_exit(status);
    }
    return child;
}

int child_wait(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

int child_run(int (*act)(void *context), void *context) {
    return child_wait(child_start(act, context));
}

bool child_works_beside_threads(void) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    return false;
#endif
#endif
    return true;
}
