/* test_libcurl_failures.c - every call of libcurl that can fail fails in turn, through the public
 * calls: the result is an honest error or success, and the client works again afterwards. The
 * linker puts the functions below in the place of libcurl's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "failures/scenarios.h"
#include "transport/transport.h"

static struct {
    long count;    /* calls since it was armed */
    long fails_at; /* 0: none */
    const char *name;
    CURLMcode multi_code; /* what those of the multi interface fail with */
    CURLoption missing;   /* an option that libcurl lacks; 0: none */
    CURLcode missing_code;
} failure;

static bool is_of_multi(const char *name) {
    return strncmp(name, "curl_multi_", strlen("curl_multi_")) == 0;
}

/* With another code than out of memory only those of the multi interface fail, since the others
 * have failed already. */
static bool fails(const char *name) {
    if (failure.multi_code != CURLM_OUT_OF_MEMORY && !is_of_multi(name)) {
        return false;
    }
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

#define STAND_IN(type, failed, name, parameters, arguments)                                        \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        return fails(#name) ? (failed) : __real_##name arguments;                                  \
    }

STAND_IN(CURLcode, CURLE_OUT_OF_MEMORY, curl_global_init, (long flags), (flags))
STAND_IN(CURLU *, NULL, curl_url, (void), ())
STAND_IN(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_set,
         (CURLU * url, CURLUPart part, const char *text, unsigned int flags),
         (url, part, text, flags))
STAND_IN(CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_get,
         (CURLU * url, CURLUPart part, char **text, unsigned int flags), (url, part, text, flags))
STAND_IN(CURL *, NULL, curl_easy_init, (void), ())
STAND_IN(CURLM *, NULL, curl_multi_init, (void), ())
STAND_IN(CURLMcode, CURLM_WAKEUP_FAILURE, curl_multi_wakeup, (CURLM * multi), (multi))
STAND_IN(CURLMcode, failure.multi_code, curl_multi_add_handle, (CURLM * multi, CURL *easy),
         (multi, easy))
STAND_IN(CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_remove_handle, (CURLM * multi, CURL *easy),
         (multi, easy))
STAND_IN(CURLMcode, failure.multi_code, curl_multi_perform, (CURLM * multi, int *running),
         (multi, running))
STAND_IN(CURLMcode, failure.multi_code, curl_multi_poll,
         (CURLM * multi, struct curl_waitfd *fds, unsigned int fd_count, int timeout_ms,
          int *ready),
         (multi, fds, fd_count, timeout_ms, ready))

static bool is_missing(int option) {
    return option != 0 && option == (int)failure.missing;
}

/* The variadic ones take one argument, as wide as a pointer whatever it is. */
#define VARIADIC_STAND_IN(type, failed, name, handle_type, option_type)                            \
    type __real_##name(handle_type handle, option_type option, ...);                               \
    type __wrap_##name(handle_type handle, option_type option, ...);                               \
    type __wrap_##name(handle_type handle, option_type option, ...) {                              \
        va_list arguments;                                                                         \
        va_start(arguments, option);                                                               \
        void *argument = va_arg(arguments, void *);                                                \
        va_end(arguments);                                                                         \
        if (is_missing((int)option)) {                                                             \
            return (type)failure.missing_code;                                                     \
        }                                                                                          \
        return fails(#name) ? (failed) : __real_##name(handle, option, argument);                  \
    }

VARIADIC_STAND_IN(CURLcode, CURLE_OUT_OF_MEMORY, curl_easy_setopt, CURL *, CURLoption)
VARIADIC_STAND_IN(CURLcode, CURLE_BAD_FUNCTION_ARGUMENT, curl_easy_getinfo, CURL *, CURLINFO)
VARIADIC_STAND_IN(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_setopt, CURLM *, CURLMoption)

/* Without the response's status there is no telling a contact from an error: that is as good as no
 * response. And what is no lack of memory is NETWORK. */
static bool is_honest(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK &&
           (strcmp(failure.name, "curl_easy_getinfo") == 0 ||
            (failure.multi_code != CURLM_OUT_OF_MEMORY && is_of_multi(failure.name)));
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
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY &&
        !scenario_tolerates(&error)) {
        fail_msg("%s, call %ld (%s): %s: %s", scenario->name, nth, failure.name,
                 reply_result_name(result), error.message);
    }
    assert_int_equal(error.result, result);
    const reply_result again = scenario->run(client, &error);
    assert_true(again == scenario->expected || again == REPLY_ERROR_INVALID_ARGUMENT);
    reply_client_destroy(client);
    return count;
}

static void test_each_call_fails(void **state) {
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
    print_message("in all: %ld\n", total);
    assert_true(total > 50);
}

/* What cannot be woken cannot be interrupted: no session is opened. */
static void test_session_that_cannot_be_woken(void **state) {
    const struct transport_settings settings = {.connect_timeout_ms = 1000, .slot_count = 1};
    (void)state;
    failure.multi_code = CURLM_OUT_OF_MEMORY;
    failure.count = 0;
    failure.fails_at = 2; /* after curl_multi_init */
    struct transport_session *session = transport_curl.open(&settings);
    failure.fails_at = 0;
    assert_string_equal(failure.name, "curl_multi_wakeup");
    assert_null(session);
}

/* Where nothing is under way that could be ended, as during the wait before a retry, a failing loop
 * does not become a busy one. */
static void test_failing_loop_without_transfers(void **state) {
    const struct transport_settings settings = {.connect_timeout_ms = 1000, .slot_count = 1};
    struct transport_session *session = transport_curl.open(&settings);
    struct transport_response response;
    (void)state;
    assert_non_null(session);
    failure.multi_code = CURLM_INTERNAL_ERROR;
    assert_int_equal(transport_curl.wait(session, 0, &response),
                     -1); /* takes the wake with which a session is tried */
    for (long nth = 2; nth <= 3; nth++) {
        failure.count = 0;
        failure.fails_at =
            nth; /* after curl_multi_wakeup, curl_multi_perform, then curl_multi_poll */
        transport_curl.wake(session);
        const int64_t began = transport_curl.now_ms();
        assert_int_equal(transport_curl.wait(session, 60000, &response), -1);
        assert_int_equal(failure.count, 3);
        assert_in_range(transport_curl.now_ms() - began, 9, 30000);
        assert_false(transport_curl.may_serve_again(session));
    }
    transport_curl.close(session, false);
}

/* Without an option that only makes things better a call goes well; without one that keeps the key
 * safe it fails. */
static void test_missing_options(void **state) {
    static const struct {
        CURLoption option;
        reply_result result;
    } options[] = {
        {CURLOPT_QUICK_EXIT, REPLY_OK},
        {CURLOPT_CAPATH, REPLY_OK},
        {CURLOPT_PROXY_CAINFO, REPLY_OK},
        {CURLOPT_PROXY_CAPATH, REPLY_OK},
        {CURLOPT_PROXY_SSLVERSION, REPLY_OK},
        {CURLOPT_NOSIGNAL, REPLY_ERROR_NETWORK},
        {CURLOPT_SSLVERSION, REPLY_ERROR_NETWORK},
        {CURLOPT_CAINFO, REPLY_ERROR_NETWORK},
        {CURLOPT_PROXY, REPLY_ERROR_NETWORK},
        {CURLOPT_HEADEROPT, REPLY_ERROR_NETWORK},
        {CURLOPT_PIPEWAIT, REPLY_ERROR_NETWORK},
    };
    static const CURLcode codes[] = {CURLE_UNKNOWN_OPTION, CURLE_NOT_BUILT_IN};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof options / sizeof *options; i++) {
        reply_client *client = scenario_create_client();
        reply_sequence_contact *contact = NULL;
        reply_error error;
        failure.missing = options[i / 2].option;
        failure.missing_code = codes[i % 2];
        assert_int_equal(reply_client_set_ca_file(client, "/nonexistent/ca.pem", NULL), REPLY_OK);
        const reply_result result = reply_get_sequence_contact(client, 100, 1, &contact, &error);
        failure.missing = 0;
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
    scenario_tolerates = is_honest;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_each_call_fails, &codes[0]),
        cmocka_unit_test_prestate(test_each_call_fails, &codes[1]),
        cmocka_unit_test(test_session_that_cannot_be_woken),
        cmocka_unit_test(test_failing_loop_without_transfers),
        cmocka_unit_test(test_missing_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return scenarios_run_group(run_group);
}
