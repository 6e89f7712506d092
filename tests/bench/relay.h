/* relay.h - a server far away: a relay on loopback that holds each byte back for a while, in both
 * directions. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stdint.h>

struct relay;

/* Starts a relay to a port of this machine, in a thread of its own. The throughput has no limit. */
struct relay *relay_start(uint16_t target_port, int64_t delay_ns_each_way);

/* Where it listens, on 127.0.0.1. */
uint16_t relay_port(const struct relay *relay);

void relay_stop(struct relay *relay);

#endif
