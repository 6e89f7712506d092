/* process.c - what belongs to the process: the lock of what its threads may only do in turn, and
 * how often it came through fork. */
#include "base/process.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_watched = false;
static unsigned fork_count = 0; /* changes only in a child that has one thread yet */

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

/* When the library is loaded: at its first use a fork could come just before. */
__attribute__((constructor)) static void watch_forks(void) {
    is_watched = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
}

bool process_lock(void) {
    if (is_watched) {
        pthread_mutex_lock(&mutex);
    }
    return is_watched;
}

void process_unlock(void) {
    pthread_mutex_unlock(&mutex);
}

unsigned process_fork_count(void) {
    return fork_count;
}
