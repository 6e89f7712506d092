/* libc_fault.h - C library functions that fail on request: getaddrinfo, and send and write on a
 * socket. A test program that links this file, and libcurl in it, calls them instead of the C
 * library's. */
#ifndef REPLYIO_TESTS_LIBC_FAULT_H
#define REPLYIO_TESTS_LIBC_FAULT_H

#include <stdint.h>

/* A host whose lookup lasts until libc_fault_end or TIMING_MAX_WAIT_MS, and then fails. With a
 * libcurl that a lookup delays, it lasts for that delay. */
#define LIBC_FAULT_DEAD_HOST "dead-name-server.invalid"

/* Returns how long a lookup of that host can delay the end of its attempt: 0 from libcurl 7.87 on,
 * which does not wait for lookups. */
int64_t libc_fault_lookup_delay_ms(void);

/* Waits until this many transfers have started to look up that host since the last
 * libc_fault_end. */
void libc_fault_await_lookups(int count);

/* Lets one send of the calling thread fail with ECONNRESET: the next one if number is 1, the one
 * after it if 2; none if 0. */
void libc_fault_fail_send(int number);

/* Ends all lookups and cancels a failure that is still to come. */
void libc_fault_end(void);

#endif
