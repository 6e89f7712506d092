/* child.c - a part of a test that runs in a child after fork. */
#include "child.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the child in another program: on an exit of this one a memory checker would take what the parent's other threads hold for
 * lost, and a count of what was executed would not be kept. */
static _Noreturn void end(int status) {
    char command[32];
    snprintf(command, sizeof command, "exit %d", status);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(126);
}

pid_t child_start(int (*act)(void *context), void *context) {
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(30);
        end(act(context));
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
