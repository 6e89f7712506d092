/* test_allocations.c - every allocation of the library, cJSON and libcurl fails in turn. The result
 * must be NO_MEMORY or success, nothing may leak, and the client must work afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <time.h>

#include "failures/failing_malloc.h"
#include "failures/scenarios.h"
#include "support/thread_count.h"

/* If an allocation fails while libcurl stores the server's address, libcurl reports a failed lookup
 * instead of out of memory. */
static bool is_reported_as_lookup_failure(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK && error->curl_code == CURLE_COULDNT_RESOLVE_HOST;
}

static long initial_thread_count;

/* Waits until libcurl's lookup threads have freed their blocks. */
static long count_live_blocks(void) {
    while (thread_count() > initial_thread_count) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return failing_malloc_live();
}

/* Runs a scenario in which the nth allocation fails. Returns the number of allocations. */
static long run_failing(const struct scenario *scenario, long nth, bool is_permanent) {
    reply_client *client = scenario->needs_client ? scenario_create_client() : NULL;
    reply_error error;
    failing_malloc_arm(nth, is_permanent);
    const reply_result result = scenario->run(client, &error);
    const long count = failing_malloc_disarm();
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY &&
        !scenario_is_expected_error(&error)) {
        fail_msg("%s, allocation %ld: %s: %s", scenario->name, nth, reply_result_name(result),
                 error.message);
    }
    assert_int_equal(error.result, result);
    /* The call must succeed once there is memory, unless the first run has added the header. */
    if (scenario->run(client, &error) != scenario->expected &&
        !(scenario->needs_client && error.result == REPLY_ERROR_INVALID_ARGUMENT)) {
        fail_msg("%s after allocation %ld: %s: %s", scenario->name, nth,
                 reply_result_name(error.result), error.message);
    }
    reply_client_destroy(client);
    return count;
}

static void test_failed_allocation_is_survived(void **state) {
    const bool is_permanent = *(bool *)*state;
    long total = 0;
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = &scenarios[i];
        /* Once without a failure, so that libraries allocate what they keep forever. */
        long count = run_failing(scenario, 0, false);
        for (long nth = 1; nth <= count; nth++) {
            long live = count_live_blocks();
            const long now = run_failing(scenario, nth, is_permanent);
            count = now > count ? now : count;
            if (count_live_blocks() != live) {
                /* A library may allocate something that it keeps forever on the first run of a code
                 * path, but not on the second. */
                live = count_live_blocks();
                run_failing(scenario, nth, is_permanent);
            }
            if (count_live_blocks() != live) {
                fail_msg("%s, allocation %ld: %ld blocks leaked", scenario->name, nth,
                         count_live_blocks() - live);
            }
        }
        print_message("%s: %ld allocations failed in turn\n", scenario->name, count);
        total += count;
    }
    print_message("total: %ld\n", total);
    assert_true(total > 300);
}

static int run_group(void) {
    scenario_is_expected_error = is_reported_as_lookup_failure;
    initial_thread_count = thread_count();
    bool once = false;
    bool permanent = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_failed_allocation_is_survived, &once),
        cmocka_unit_test_prestate(test_failed_allocation_is_survived, &permanent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return scenarios_run_group(run_group);
}
