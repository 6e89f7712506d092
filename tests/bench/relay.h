/* relay.h - a relay on loopback that delays every byte in both directions, to simulate a distant
 * server. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stdint.h>

struct relay;

/* Starts a relay to a loopback port, in a new thread. The throughput is not limited. The caller
 * stops the relay with relay_stop. */
struct relay *relay_start(uint16_t target_port, int64_t delay_ns_each_way);

/* Returns the port on 127.0.0.1 on which the relay listens. */
uint16_t relay_port(const struct relay *relay);

/* Returns the number of bytes that the server has sent. */
int64_t relay_stop(struct relay *relay);

#endif
