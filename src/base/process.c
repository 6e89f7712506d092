/* process.c - process-wide state: a lock that is safe across fork, and a fork counter. */
#include "base/process.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_registered = false;
static unsigned fork_count = 0; /* changes only in a child with one thread */

static void before_fork(void) {
    pthread_mutex_lock(&mutex);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&mutex);
}

static void after_fork_in_child(void) {
    fork_count++;
    pthread_mutex_unlock(&mutex);
}

/* Runs when the library is loaded: at its first use another thread could be just about to fork. */
__attribute__((constructor)) static void register_fork_handlers(void) {
    is_registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
}

bool process_lock(void) {
    if (is_registered) {
        pthread_mutex_lock(&mutex);
    }
    return is_registered;
}

void process_unlock(void) {
    pthread_mutex_unlock(&mutex);
}

unsigned process_fork_count(void) {
    return fork_count;
}

enum { MIN_FREE_DESCRIPTORS = 4 };

bool process_has_free_descriptors(void) {
    int opened[MIN_FREE_DESCRIPTORS];
    int count = 0;
    while (count < MIN_FREE_DESCRIPTORS) {
        opened[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (opened[count] < 0) {
            break;
        }
        count++;
    }
    const bool is_exhausted = count < MIN_FREE_DESCRIPTORS && (errno == EMFILE || errno == ENFILE);
    while (count > 0) {
        close(opened[--count]);
    }
    return !is_exhausted;
}
