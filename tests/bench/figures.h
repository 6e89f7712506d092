/* figures.h - the figures of the table: what is measured, and what is to be reached. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "cost.h"
#include "work.h"

/* Which of the server's ports speaks what. */
enum server_port { PORT_HTTP, PORT_HTTPS, PORT_HTTP2 };

/* Names the server, or a relay to it, in the setting. */
void set_server(struct setting *setting, enum server_port server_port, uint16_t port);

/* Measures and prints them all. */
void print_figures(const struct program *program, struct setting *setting);

#endif
