/* scenarios.h - the public calls, as scenarios for tests in which the layers below them fail. */
#ifndef REPLYIO_TESTS_SCENARIOS_H
#define REPLYIO_TESTS_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>

#include "replyio.h"

/* One call. run checks the call's output: contacts, errors, and that each contact of many is
 * delivered once. */
struct scenario {
    const char *name;
    bool needs_client;
    reply_result (*run)(reply_client *client, reply_error *error);
    reply_result expected; /* if nothing fails */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* Creates a client for a scenario that needs one. The caller destroys it. */
reply_client *scenario_create_client(void);

/* Returns true if an error other than NO_MEMORY is right for the failure. The test sets it. */
extern bool (*scenario_is_expected_error)(const reply_error *error);

/* Runs a group of tests with the server that the scenarios need. Returns the group's result. */
int scenarios_run_group(int (*run_group)(void));

#endif
