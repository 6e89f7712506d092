/* libc_fault.c - C library functions that fail on request: getaddrinfo and send. */
#include "support/libc_fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "support/timing.h"

/* ---- Lookups ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_once_t once;
    bool has_ended;
    int waiting_count;
    int started_count;
} lookups = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void init_lookups(void) {
    timing_init_condition(&lookups.changed);
}

static void wait_for_end(void) {
    pthread_once(&lookups.once, init_lookups);
    const struct timespec deadline = timing_wait_deadline();
    int result = 0;
    pthread_mutex_lock(&lookups.lock);
    lookups.waiting_count++;
    lookups.started_count++;
    pthread_cond_broadcast(&lookups.changed);
    while (!lookups.has_ended && result == 0) {
        result = pthread_cond_timedwait(&lookups.changed, &lookups.lock, &deadline);
    }
    lookups.waiting_count--;
    pthread_cond_broadcast(&lookups.changed);
    pthread_mutex_unlock(&lookups.lock);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    if (node == NULL || strcmp(node, LIBC_FAULT_DEAD_HOST) != 0) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real != NULL ? real(node, service, hints, result) : EAI_FAIL;
    }
    wait_for_end();
    return EAI_AGAIN;
}

void libc_fault_await_lookups(int count) {
    pthread_once(&lookups.once, init_lookups);
    timing_await_count(&lookups.lock, &lookups.changed, &lookups.started_count, count, "lookups");
}

static void end_lookups(void) {
    pthread_once(&lookups.once, init_lookups);
    pthread_mutex_lock(&lookups.lock);
    lookups.has_ended = true;
    pthread_cond_broadcast(&lookups.changed);
    while (lookups.waiting_count > 0) {
        pthread_cond_wait(&lookups.changed, &lookups.lock);
    }
    lookups.has_ended = false;
    lookups.started_count = 0;
    pthread_mutex_unlock(&lookups.lock);
}

/* ---- Sends ---- */

/* Per thread: the servers' threads send without failures. */
static _Thread_local int sends_until_failure;

void libc_fault_fail_send(int number) {
    sends_until_failure = number;
}

ssize_t send(int target, const void *bytes, size_t length, int flags) {
    /* libcurl wakes itself with a byte, which does not count. In builds of 7.81 without socketpair
     * it is sent over a TCP connection. */
    if (sends_until_failure > 0 && length > 1 && --sends_until_failure == 0) {
        errno = ECONNRESET;
        return -1;
    }
    return sendto(target, bytes, length, flags, NULL, 0);
}

void libc_fault_end(void) {
    end_lookups();
    sends_until_failure = 0;
}
