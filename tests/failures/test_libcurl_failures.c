/* test_libcurl_failures.c - every libcurl call that can fail fails in turn. The result must be a
 * correct error or success, and the client must work afterwards. The linker replaces libcurl's
 * functions by the ones below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "base/clock.h"
#include "failures/scenarios.h"
#include "transport/transport.h"
#include "support/check_range.h"

static struct {
    long call_count;
    long failing_index;        /* of the call that fails, from 1; 0 if none */
    const char *name;          /* of the function that failed last */
    CURLMcode multi_code;      /* with which the multi interface fails */
    CURLoption missing_option; /* which libcurl does not have; 0 if none */
    CURLcode missing_code;     /* which setting that option returns */
    int missing_count;         /* how often that option was set */
} failure;

static bool is_multi_function(const char *name) {
    return strncmp(name, "curl_multi_", strlen("curl_multi_")) == 0;
}

/* With a code other than out of memory, only the multi interface fails: the run with out of memory
 * covers the other functions. */
static bool fails(const char *name) {
    if (failure.multi_code != CURLM_OUT_OF_MEMORY && !is_multi_function(name)) {
        return false;
    }
    if (++failure.call_count == failure.failing_index) {
        failure.name = name;
        return true;
    }
    return false;
}

/* libcurl's type checks are macros with the same names. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define REPLACEMENT(type, failed, name, parameters, arguments)                                     \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        return fails(#name) ? (failed) : __real_##name arguments;                                  \
    }

REPLACEMENT(CURLcode, CURLE_OUT_OF_MEMORY, curl_global_init, (long flags), (flags))
REPLACEMENT(CURLU *, NULL, curl_url, (void), ())
REPLACEMENT(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_set,
            (CURLU * url, CURLUPart part, const char *text, unsigned int flags),
            (url, part, text, flags))
REPLACEMENT(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_get,
            (CURLU * url, CURLUPart part, char **text, unsigned int flags),
            (url, part, text, flags))
REPLACEMENT(CURL *, NULL, curl_easy_init, (void), ())
REPLACEMENT(CURLM *, NULL, curl_multi_init, (void), ())
REPLACEMENT(CURLMcode, CURLM_WAKEUP_FAILURE, curl_multi_wakeup, (CURLM * multi), (multi))
REPLACEMENT(CURLMcode, failure.multi_code, curl_multi_add_handle, (CURLM * multi, CURL *easy),
            (multi, easy))
REPLACEMENT(CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_remove_handle, (CURLM * multi, CURL *easy),
            (multi, easy))
REPLACEMENT(CURLMcode, failure.multi_code, curl_multi_perform, (CURLM * multi, int *running),
            (multi, running))
REPLACEMENT(CURLMcode, failure.multi_code, curl_multi_poll,
            (CURLM * multi, struct curl_waitfd *fds, unsigned int fd_count, int timeout_ms,
             int *ready),
            (multi, fds, fd_count, timeout_ms, ready))

static bool is_missing(int option) {
    return option != 0 && option == (int)failure.missing_option;
}

/* The argument of a variadic function is as wide as a pointer, whatever its type. */
#define VARIADIC_REPLACEMENT(type, failed, name, handle_type, option_type)                         \
    type __real_##name(handle_type handle, option_type option, ...);                               \
    type __wrap_##name(handle_type handle, option_type option, ...);                               \
    type __wrap_##name(handle_type handle, option_type option, ...) {                              \
        va_list arguments;                                                                         \
        va_start(arguments, option);                                                               \
        void *argument = va_arg(arguments, void *);                                                \
        va_end(arguments);                                                                         \
        if (is_missing((int)option)) {                                                             \
            failure.missing_count++;                                                               \
            return (type)failure.missing_code;                                                     \
        }                                                                                          \
        return fails(#name) ? (failed) : __real_##name(handle, option, argument);                  \
    }

VARIADIC_REPLACEMENT(CURLcode, CURLE_OUT_OF_MEMORY, curl_easy_setopt, CURL *, CURLoption)
VARIADIC_REPLACEMENT(CURLcode, CURLE_BAD_FUNCTION_ARGUMENT, curl_easy_getinfo, CURL *, CURLINFO)
VARIADIC_REPLACEMENT(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_setopt, CURLM *, CURLMoption)

/* NETWORK is right if the response's status cannot be read, and if the multi interface fails with a
 * code other than out of memory. */
static bool is_expected_error(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK &&
           (strcmp(failure.name, "curl_easy_getinfo") == 0 ||
            (failure.multi_code != CURLM_OUT_OF_MEMORY && is_multi_function(failure.name)));
}

/* Runs a scenario in which the nth libcurl call fails. Returns the number of calls. */
static long run_failing(const struct scenario *scenario, long nth) {
    reply_client *client = scenario->needs_client ? scenario_create_client() : NULL;
    reply_error error;
    failure.call_count = 0;
    failure.failing_index = nth;
    const reply_result result = scenario->run(client, &error);
    const long count = failure.call_count;
    failure.failing_index = 0;
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY &&
        !scenario_is_expected_error(&error)) {
        fail_msg("%s, call %ld (%s): %s: %s", scenario->name, nth, failure.name,
                 reply_result_name(result), error.message);
    }
    assert_int_equal(error.result, result);
    /* The call must succeed now, unless the first run has added the header. */
    const reply_result retried = scenario->run(client, &error);
    assert_true(retried == scenario->expected || retried == REPLY_ERROR_INVALID_ARGUMENT);
    reply_client_destroy(client);
    return count;
}

static void test_failed_call_is_survived(void **state) {
    long total = 0;
    failure.multi_code = *(const CURLMcode *)*state;
    for (size_t i = 0; i < scenario_count; i++) {
        long count = run_failing(&scenarios[i], 0);
        for (long nth = 1; nth <= count; nth++) {
            const long now = run_failing(&scenarios[i], nth);
            count = now > count ? now : count;
        }
        print_message("%s: %ld calls failed in turn\n", scenarios[i].name, count);
        total += count;
    }
    print_message("total: %ld\n", total);
    assert_true(total > 50);
}

/* A session that cannot be woken could not be interrupted. */
static void test_session_without_wakeup_is_rejected(void **state) {
    const struct transport_settings settings = {.base_url.text = "http://127.0.0.1",
                                                .connect_timeout_ms = 1000};
    (void)state;
    failure.multi_code = CURLM_OUT_OF_MEMORY;
    failure.call_count = 0;
    failure.failing_index = 2; /* after curl_multi_init */
    struct transport_session *session = transport_libcurl.open(&settings, 1);
    failure.failing_index = 0;
    assert_string_equal(failure.name, "curl_multi_wakeup");
    assert_null(session);
}

/* A failing multi handle without transfers, as during the wait before a retry, would make the loop
 * a busy one. */
static void test_failing_loop_is_not_busy(void **state) {
    const struct transport_settings settings = {.base_url.text = "http://127.0.0.1",
                                                .connect_timeout_ms = 1000};
    struct transport_session *session = transport_libcurl.open(&settings, 1);
    struct transport_response response;
    (void)state;
    assert_non_null(session);
    failure.multi_code = CURLM_INTERNAL_ERROR;
    /* Consume the wakeup with which open checks the session. */
    transport_libcurl.wait(session, 0);
    /* Call 1 is curl_multi_wakeup, 2 is curl_multi_perform and 3 is curl_multi_poll, which does not
     * follow a failure. */
    for (long nth = 2; nth <= 3; nth++) {
        failure.call_count = 0;
        failure.failing_index = nth;
        transport_libcurl.wake(session);
        const int64_t began = clock_now_ms();
        transport_libcurl.wait(session, 60000);
        assert_int_equal(transport_libcurl.collect(session, &response), -1);
        assert_int_equal(failure.call_count, nth);
        check_in_range(clock_now_ms() - began, 9, 30000);
        assert_false(transport_libcurl.is_reusable(session));
    }
    transport_libcurl.close(session, false);
}

static void fetch_contact(reply_client *client, int32_t expected_attempts) {
    reply_sequence_contact *contact = NULL;
    reply_error error;
    assert_int_equal(reply_get_sequence_contact(client, 100, 1, &contact, &error), REPLY_OK);
    assert_int_equal(error.attempts, expected_attempts);
    reply_sequence_contact_free(contact);
}

/* Catches a failure of the loop that also ends the next attempt of the call. */
static void test_failing_loop_costs_one_attempt(void **state) {
    reply_client *client = scenario_create_client();
    (void)state;
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    fetch_contact(client, 1);
    failure.multi_code = CURLM_INTERNAL_ERROR;
    failure.call_count = 0;
    failure.failing_index = 2; /* after curl_multi_add_handle */
    fetch_contact(client, 2);
    failure.failing_index = 0;
    assert_string_equal(failure.name, "curl_multi_perform");
    reply_client_destroy(client);
}

/* A call must set each of these options. It must fail without one that keeps the key safe, but not
 * without any other. */
static void test_missing_option_fails_if_required(void **state) {
    static const struct {
        CURLoption option;
        reply_result result;
    } options[] = {
#if LIBCURL_VERSION_NUM >= 0x075700
        {CURLOPT_QUICK_EXIT, REPLY_OK},
#endif
        {CURLOPT_CAPATH, REPLY_OK},
        {CURLOPT_PROXY_CAINFO, REPLY_OK},
        {CURLOPT_PROXY_CAPATH, REPLY_OK},
        {CURLOPT_PROXY_SSLVERSION, REPLY_OK},
        {CURLOPT_ACCEPT_ENCODING, REPLY_OK},
        {CURLOPT_NOSIGNAL, REPLY_ERROR_NETWORK},
        {CURLOPT_SSLVERSION, REPLY_ERROR_NETWORK},
        {CURLOPT_CAINFO, REPLY_ERROR_NETWORK},
        {CURLOPT_PROXY, REPLY_ERROR_NETWORK},
        {CURLOPT_HEADEROPT, REPLY_ERROR_NETWORK},
        {CURLOPT_OPENSOCKETFUNCTION, REPLY_ERROR_NETWORK},
        {CURLOPT_CLOSESOCKETFUNCTION, REPLY_ERROR_NETWORK},
    };
    static const CURLcode codes[] = {CURLE_UNKNOWN_OPTION, CURLE_NOT_BUILT_IN};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof options / sizeof *options; i++) {
        reply_client *client = scenario_create_client();
        reply_sequence_contact *contact = NULL;
        reply_error error;
        failure.missing_option = options[i / 2].option;
        failure.missing_code = codes[i % 2];
        failure.missing_count = 0;
        assert_int_equal(reply_client_set_ca_file(client, "/nonexistent/ca.pem", NULL), REPLY_OK);
        const reply_result result = reply_get_sequence_contact(client, 100, 1, &contact, &error);
        failure.missing_option = 0;
        assert_true(failure.missing_count > 0);
        if (result != options[i / 2].result ||
            (result != REPLY_OK && error.curl_code != (int32_t)codes[i % 2])) {
            fail_msg("option %d: %s: %s", (int)options[i / 2].option, reply_result_name(result),
                     error.message);
        }
        reply_sequence_contact_free(contact);
        reply_client_destroy(client);
    }
}

static int run_group(void) {
    static CURLMcode codes[] = {CURLM_OUT_OF_MEMORY, CURLM_INTERNAL_ERROR};
    scenario_is_expected_error = is_expected_error;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_failed_call_is_survived, &codes[0]),
        cmocka_unit_test_prestate(test_failed_call_is_survived, &codes[1]),
        cmocka_unit_test(test_session_without_wakeup_is_rejected),
        cmocka_unit_test(test_failing_loop_is_not_busy),
        cmocka_unit_test(test_failing_loop_costs_one_attempt),
        cmocka_unit_test(test_missing_option_fails_if_required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return scenarios_run_group(run_group);
}
