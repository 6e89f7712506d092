/* test_allocations.c - every allocation fails in turn, the library's, cJSON's and libcurl's,
 * through the public calls: the result is NO_MEMORY or success, nothing is lost, and the client
 * works again afterwards. */
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

/* libcurl says of an allocation that fails while it takes in the server's address, that the host
 * could not be resolved. */
static bool is_misnamed_by_libcurl(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK && error->curl_code == CURLE_COULDNT_RESOLVE_HOST;
}

static long threads_at_first;

/* How many blocks there are, once the threads in which libcurl looks up names have freed theirs. */
static long count_live(void) {
    while (thread_count() > threads_at_first) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return failing_malloc_live();
}

/* Runs a scenario with its nth allocation failing. Returns how many allocations there were. */
static long run_failing(const struct scenario *scenario, long nth, bool is_for_ever) {
    reply_client *client = scenario->needs_client ? scenario_create_client() : NULL;
    reply_error error;
    failing_malloc_arm(nth, is_for_ever);
    const reply_result result = scenario->run(client, &error);
    const long count = failing_malloc_disarm();
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY &&
        !scenario_tolerates(&error)) {
        fail_msg("%s, allocation %ld: %s: %s", scenario->name, nth, reply_result_name(result),
                 error.message);
    }
    assert_int_equal(error.result, result);
    /* What failed for lack of memory works when there is some. */
    assert_int_equal(scenario->run(client, &error) == scenario->expected ||
                         (scenario->needs_client && error.result == REPLY_ERROR_INVALID_ARGUMENT),
                     1);
    reply_client_destroy(client);
    return count;
}

static void test_each_allocation_fails(void **state) {
    const bool is_for_ever = *(bool *)*state;
    long total = 0;
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *scenario = &scenarios[i];
        /* Once without a failure: what libraries keep for ever is kept now. */
        long count = run_failing(scenario, 0, false);
        for (long nth = 1; nth <= count; nth++) {
            long live = count_live();
            const long now = run_failing(scenario, nth, is_for_ever);
            count = now > count ? now : count;
            if (count_live() != live) {
                /* A library may keep something for ever the first time that it comes this way; not
                 * the second time. */
                live = count_live();
                run_failing(scenario, nth, is_for_ever);
            }
            if (count_live() != live) {
                fail_msg("%s, allocation %ld: %ld blocks are lost", scenario->name, nth,
                         count_live() - live);
            }
        }
        print_message("%s: %ld allocations failed in turn\n", scenario->name, count);
        total += count;
    }
    print_message("in all: %ld\n", total);
    assert_true(total > 300);
}

static int run_group(void) {
    scenario_tolerates = is_misnamed_by_libcurl;
    threads_at_first = thread_count();
    bool once = false;
    bool for_ever = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_each_allocation_fails, &once),
        cmocka_unit_test_prestate(test_each_allocation_fails, &for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return scenarios_run_group(run_group);
}
