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

static bool open_pair(int pair[2], bool *is_exhausted) {
    const bool is_open = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;
    *is_exhausted = !is_open && (errno == EMFILE || errno == ENFILE);
    return is_open;
}

static void close_pair(const int pair[2]) {
    close(pair[0]);
    close(pair[1]);
}

bool process_has_free_descriptors(void) {
    int first[2];
    bool is_exhausted = false;
    if (open_pair(first, &is_exhausted)) {
        int second[2];
        if (open_pair(second, &is_exhausted)) {
            close_pair(second);
        }
        close_pair(first);
    }
    return !is_exhausted;
}
