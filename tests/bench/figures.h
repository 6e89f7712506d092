/* figures.h - the table's measurements. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "cost.h"
#include "work.h"

/* The server's ports, counted from its first. */
enum server_port { PORT_HTTP, PORT_HTTPS, PORT_HTTP2 };

/* Sets the base URL to the server, or to a relay to it. The path says how long a sequence's list
 * is: "/v4" for 40,000 contacts, "/gzip" for as many in compressed pages, "/page" for 1,000, which
 * are one page, and "/small" for 10. */
void set_server(struct setting *setting, enum server_port server_port, uint16_t port,
                const char *path);

/* Measures and prints all figures. */
void print_figures(const struct program *program, struct setting *setting);

#endif
