/* scenarios.h - the public calls, each as a scenario in which something underneath is made to fail.
 */
#ifndef REPLYIO_SCENARIOS_H
#define REPLYIO_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>

#include "replyio.h"

/* A call. It checks what comes out, and that each of many contacts is delivered once. */
struct scenario {
    const char *name;
    bool needs_client;
    reply_result (*run)(reply_client *client, reply_error *error);
    reply_result expected; /* where nothing fails */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* A client for the scenarios that need one. */
reply_client *scenario_create_client(void);

/* Whether an error other than NO_MEMORY is right for what was made to fail. Set by the test. */
extern bool (*scenario_tolerates)(const reply_error *error);

/* Runs tests with the server that the scenarios need. */
int scenarios_run_group(int (*run_group)(void));

#endif
