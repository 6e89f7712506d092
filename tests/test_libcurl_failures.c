/* test_libcurl_failures.c - every call of libcurl that can fail fails in turn, through the public calls: the result is an honest
 * error or success, and the client works again afterwards. The linker puts the functions below in the place of libcurl's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "scenarios.h"

static struct {
    long count;    /* calls since it was armed */
    long fails_at; /* 0: none */
    const char *name;
} failure;

static bool fails(const char *name) {
    if (++failure.count == failure.fails_at) {
        failure.name = name;
        return true;
    }
    return false;
}

/* libcurl's checks of types stand in macros of the same names. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define STAND_IN(type, failed, name, parameters, arguments)                                                                        \
    type __real_##name parameters;                                                                                                 \
    type __wrap_##name parameters;                                                                                                 \
    type __wrap_##name parameters {                                                                                                \
        return fails(#name) ? (failed) : __real_##name arguments;                                                                  \
    }

STAND_IN(CURLcode, CURLE_OUT_OF_MEMORY, curl_global_init, (long flags), (flags))
STAND_IN(CURLU *, NULL, curl_url, (void), ())
STAND_IN(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_set, (CURLU * url, CURLUPart part, const char *text, unsigned int flags),
         (url, part, text, flags))
STAND_IN(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_get, (CURLU * url, CURLUPart part, char **text, unsigned int flags),
         (url, part, text, flags))
STAND_IN(CURL *, NULL, curl_easy_init, (void), ())
STAND_IN(CURLM *, NULL, curl_multi_init, (void), ())
STAND_IN(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy))
STAND_IN(CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy))
STAND_IN(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_perform, (CURLM * multi, int *running), (multi, running))
STAND_IN(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_poll,
         (CURLM * multi, struct curl_waitfd *fds, unsigned int fd_count, int timeout_ms, int *ready),
         (multi, fds, fd_count, timeout_ms, ready))

/* The variadic ones take one argument, as wide as a pointer whatever it is. */
#define VARIADIC_STAND_IN(type, failed, name, handle_type, option_type)                                                            \
    type __real_##name(handle_type handle, option_type option, ...);                                                               \
    type __wrap_##name(handle_type handle, option_type option, ...);                                                               \
    type __wrap_##name(handle_type handle, option_type option, ...) {                                                              \
        va_list arguments;                                                                                                         \
        va_start(arguments, option);                                                                                               \
        void *argument = va_arg(arguments, void *);                                                                                \
        va_end(arguments);                                                                                                         \
        return fails(#name) ? (failed) : __real_##name(handle, option, argument);                                                  \
    }

VARIADIC_STAND_IN(CURLcode, CURLE_OUT_OF_MEMORY, curl_easy_setopt, CURL *, CURLoption)
VARIADIC_STAND_IN(CURLcode, CURLE_BAD_FUNCTION_ARGUMENT, curl_easy_getinfo, CURL *, CURLINFO)
VARIADIC_STAND_IN(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_setopt, CURLM *, CURLMoption)

/* Without the response's status there is no telling a contact from an error: that is as good as no response. */
static bool is_lack_of_status(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK && strcmp(failure.name, "curl_easy_getinfo") == 0;
}

/* Runs a scenario with its nth call of libcurl failing. Returns how many calls there were. */
static long run_failing(const struct scenario *scenario, long nth) {
    reply_client *client = scenario->needs_client ? scenario_create_client() : NULL;
    reply_error error;
    failure.count = 0;
    failure.fails_at = nth;
    const reply_result result = scenario->run(client, &error);
    const long count = failure.count;
    failure.fails_at = 0;
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY && !scenario_tolerates(&error)) {
        fail_msg("%s, call %ld (%s): %s: %s", scenario->name, nth, failure.name, reply_result_name(result), error.message);
    }
    assert_int_equal(error.result, result);
    const reply_result again = scenario->run(client, &error);
    assert_true(again == scenario->expected || again == REPLY_ERROR_INVALID_ARGUMENT);
    reply_client_destroy(client);
    return count;
}

static void test_each_call_fails(void **state) {
    long total = 0;
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        long count = run_failing(&scenarios[i], 0);
        for (long nth = 1; nth <= count; nth++) {
            const long now = run_failing(&scenarios[i], nth);
            count = now > count ? now : count;
        }
        print_message("%s: %ld calls failed in turn\n", scenarios[i].name, count);
        total += count;
    }
    print_message("in all: %ld\n", total);
    assert_true(total > 100);
}

static int run_group(void) {
    scenario_tolerates = is_lack_of_status;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_call_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return scenarios_run_group(run_group);
}
