/* libc_fault.c - C library functions that fail on request: getaddrinfo, and send and write on a
 * socket. */
#include "support/libc_fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "support/timing.h"

/* ---- Lookups ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_once_t once;
    int64_t delay_ms;
    bool has_ended;
    int waiting_count;
    int started_count;
} lookups = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

/* Asking libcurl for its version writes to memory that all threads share. */
static void init_lookups(void) {
    const bool is_waited_for = curl_version_info(CURLVERSION_NOW)->version_num < 0x075700;
    lookups.delay_ms = is_waited_for ? timing_scale_ms(1000) : 0;
    timing_init_condition(&lookups.changed);
}

int64_t libc_fault_lookup_delay_ms(void) {
    pthread_once(&lookups.once, init_lookups);
    return lookups.delay_ms;
}

/* From 8.20 on libcurl makes a lookup of IPv6 addresses in addition to the one that is counted. */
static void wait_for_end(bool is_counted) {
    const int64_t delay_ms = libc_fault_lookup_delay_ms();
    const struct timespec deadline =
        delay_ms > 0 ? timing_deadline(delay_ms) : timing_wait_deadline();
    int result = 0;
    pthread_mutex_lock(&lookups.lock);
    lookups.waiting_count++;
    lookups.started_count += is_counted ? 1 : 0;
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
    wait_for_end(hints->ai_family != AF_INET6);
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

/* libcurl wakes itself with a byte, and in builds without socketpair checks a pair of sockets with
 * the text of an address. Neither counts. */
static bool fails(size_t length) {
    enum { MAX_OWN_LENGTH = sizeof "0x0123456789abcdef" };
    if (sends_until_failure == 0 || length <= MAX_OWN_LENGTH || --sends_until_failure > 0) {
        return false;
    }
    errno = ECONNRESET;
    return true;
}

ssize_t send(int target, const void *bytes, size_t length, int flags) {
    return fails(length) ? -1 : sendto(target, bytes, length, flags, NULL, 0);
}

static bool is_socket(int target) {
    struct stat status;
    return fstat(target, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Before libcurl 7.87 OpenSSL sends in this way. */
ssize_t write(int target, const void *bytes, size_t length) {
    ssize_t (*real)(int, const void *, size_t) = NULL;
    if (sends_until_failure > 0 && is_socket(target) && fails(length)) {
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "write");
    return real(target, bytes, length);
}

void libc_fault_end(void) {
    end_lookups();
    sends_until_failure = 0;
}
