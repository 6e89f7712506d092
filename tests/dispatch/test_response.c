/* test_response.c - result, retry and message of each HTTP status, each transport failure and each
 * kind of response. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dispatch/response.h"
#include "support/check_error.h"
#include "support/fake_transport.h"
#include "support/fetch.h"
#include "support/fixture.h"
#include "support/statuses.h"
#include "replyio.h"

enum { ONE_DAY_MS = 86400000 };

enum { MAX_BODY_SIZE = 1024 * 1024 };

/* ---- HTTP statuses ---- */

static struct transport_response make_response(int32_t status, const char *retry_after,
                                               const char *body) {
    return (struct transport_response){.failure_text = "",
                                       .http_status = status,
                                       .retry_after = retry_after,
                                       .body = body,
                                       .body_length = body != NULL ? strlen(body) : 0};
}

static void expect_status(int32_t status, const char *body, const char *words) {
    char name[32];
    reply_error error;
    const struct status *expected = statuses_find(status);
    const struct transport_response response = make_response(status, NULL, body);
    snprintf(name, sizeof name, "HTTP %d", (int)status);
    error_begin(&error, NULL);
    response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
    expect_error(&error, expected->result, 0, status, 0, -1);
    fixture_expect_printable(name, error.message);
    fixture_expect_words(name, name, error.message);
    fixture_expect_words(name, expected->words, error.message);
    fixture_expect_words(name, words, error.message);
    assert_true((strchr(error.message, '(') != NULL) == (body != NULL));
}

static void test_status_decides_result_and_message(void **state) {
    (void)state;
    for (int32_t status = 100; status <= 999; status++) {
        if (status != 200) {
            expect_status(status, NULL, "");
            expect_status(status, "{\"title\":\"gone\"}", "(gone)");
        }
    }
}

static void test_200_leaves_error_empty(void **state) {
    reply_error error;
    const struct transport_response response = make_response(200, "7", "{\"title\":\"gone\"}");
    (void)state;
    error_begin(&error, NULL);
    const struct retry_outcome outcome = response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
    assert_int_equal(error.result, REPLY_OK);
    expect_empty_error(&error);
    assert_false(outcome.is_retryable);
    assert_false(outcome.closes_gate);
}

/* Catches advice that a long detail pushes out of the message. */
static void test_longest_detail_fits_message(void **state) {
    char body[1024] = "{\"title\":\"";
    char detail[256];
    (void)state;
    memset(body + strlen(body), 'd', 1000);
    strcpy(body + 1000, "\"}");
    memset(detail, 'd', 255);
    detail[255] = '\0';
    for (int32_t status = 300; status <= 599; status++) {
        reply_error error;
        const struct transport_response response = make_response(status, "86400", body);
        error_begin(&error, NULL);
        response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
        expect_words(&error, detail);
        expect_words(&error, "asks to wait at least 86400 s)");
        assert_true(strlen(error.message) < sizeof error.message - 1);
    }
}

static void test_status_decides_retry(void **state) {
    (void)state;
    for (int32_t status = 100; status <= 599; status++) {
        static const struct {
            const char *retry_after;
            int64_t ms;
        } rows[] = {{NULL, -1}, {"7", 7000}};
        for (size_t i = 0; i < 2 && status != 200; i++) {
            reply_error error;
            const struct transport_response response =
                make_response(status, rows[i].retry_after, NULL);
            error_begin(&error, NULL);
            const struct retry_outcome outcome =
                response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
            assert_int_equal(outcome.is_retryable, statuses_find(status)->is_retryable);
            assert_int_equal(outcome.closes_gate, status == 429 && rows[i].ms > 0);
            assert_int_equal(outcome.retry_after_ms, rows[i].ms);
            assert_int_equal(error.retry_after_ms, rows[i].ms);
        }
    }
}

static void write_id_as_status(int64_t contact_id, int64_t time_ms, struct fake_outcome *outcome) {
    (void)time_ms;
    *outcome = (struct fake_outcome){.duration_ms = 10, .http_status = (int32_t)contact_id};
}

/* Catches a loop that does not use what the status decides. */
static void test_status_decides_attempts(void **state) {
    char name[16];
    fake_script_default(write_id_as_status);
    FAKE_RANDOM(UINT32_MAX);
    set_retries(*state, 1);
    for (int32_t status = 201; status <= 999; status++) {
        reply_error error;
        const struct status *expected = statuses_find(status);
        const int64_t began_ms = fake_now_ms();
        fetch_one(*state, status, &error);
        expect_error(&error, expected->result, expected->is_retryable ? 2 : 1, status, 0, -1);
        assert_int_equal(fake_now_ms() - began_ms, expected->is_retryable ? 10 + 500 + 10 : 10);
        snprintf(name, sizeof name, "HTTP %d", (int)status);
        expect_words(&error, name);
    }
}

static void test_retry_after_keeps_status_final(void **state) {
    static const int32_t statuses[] = {400, 401, 403, 404, 301, 501, 505};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        reply_error error;
        const struct fake_outcome outcome = {.http_status = statuses[i], .retry_after = "7"};
        const reply_result expected = statuses_find(statuses[i])->result;
        fake_script(statuses[i], &outcome, 1);
        fetch_one(*state, statuses[i], &error);
        expect_error(&error, expected, 1, statuses[i], 0, 7000);
    }
    assert_int_equal(fake_now_ms(), 0);
}

/* ---- Transport failures ---- */

/* The response was lost after its headers: they must decide nothing. */
static void test_failure_decides_error_and_retry(void **state) {
    static const struct {
        reply_result failure;
        const char *text, *words;
        bool is_transient;
    } rows[] = {
        {REPLY_ERROR_NETWORK, "", "connection failed;\nproxy\nbase URL", true},
        {REPLY_ERROR_NETWORK, "reset", "connection failed: reset;\nproxy\nbase URL", true},
        {REPLY_ERROR_NETWORK, "HTTP 407", "connection failed: HTTP 407;\nproxy", false},
        {REPLY_ERROR_TLS, "", "TLS handshake failed;\nnetwork\nproxy\nretry later", true},
        {REPLY_ERROR_TLS, "cut", "TLS handshake failed: cut;\nnetwork", true},
        {REPLY_ERROR_TLS, "", "TLS connection failed;\nCA file\ncertificates", false},
        {REPLY_ERROR_TLS, "expired", "TLS connection failed: expired;\nCA file", false},
        {REPLY_ERROR_TIMEOUT, "", "timed out;\ntimeouts", true},
        {REPLY_ERROR_TIMEOUT, "after 30 s", "timed out: after 30 s;\ntimeouts", true},
        {REPLY_ERROR_RESPONSE_TOO_LARGE, "", "too large: over 1 MiB\n256 KiB\nbase URL", false},
        {REPLY_ERROR_RESPONSE_TOO_LARGE, "headers", "too large: headers;\nbase URL", false},
        {REPLY_ERROR_INVALID_RESPONSE, "", "invalid response\ndecompressed;\nbase URL", false},
        {REPLY_ERROR_NO_MEMORY, "memory", "out of memory; free memory", false},
        {REPLY_ERROR_NO_MEMORY, "file descriptors", "out of file descriptors;", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct transport_response response = {.failure = rows[i].failure,
                                                    .is_transient = rows[i].is_transient,
                                                    .failure_text = rows[i].text,
                                                    .curl_code = 56,
                                                    .http_status = 429,
                                                    .retry_after = "7"};
        error_begin(&error, NULL);
        const struct retry_outcome outcome =
            response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
        expect_error(&error, rows[i].failure, 0, 429, 56, 7000);
        fixture_expect_printable(rows[i].words, error.message);
        fixture_expect_words(rows[i].text, rows[i].words, error.message);
        assert_int_equal(outcome.is_retryable, rows[i].is_transient);
        assert_false(outcome.closes_gate);
        assert_int_equal(outcome.retry_after_ms, -1);
    }
}

/* Catches a message that claims that the service asks for exactly the maximum. */
static void test_message_has_requested_wait(void **state) {
    static const struct {
        const char *retry_after, *words;
    } rows[] = {{"86399", "(the service asks to wait 86399 s)"},
                {"86400", "(the service asks to wait at least 86400 s)"},
                {"1209600", "(the service asks to wait at least 86400 s)"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const struct transport_response response = make_response(503, rows[i].retry_after, NULL);
        error_begin(&error, NULL);
        response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
        expect_words(&error, rows[i].words);
    }
}

/* Catches a 304 that is called a redirect. */
static void test_304_is_not_redirect(void **state) {
    reply_error error;
    const struct transport_response response = make_response(304, NULL, NULL);
    (void)state;
    error_begin(&error, NULL);
    response_read(&response, MAX_BODY_SIZE, NULL, 0, &error);
    expect_no_words(&error, "redirect");
}

/* Catches a limit in the message that is not the request's. */
static void test_size_limit_is_in_message(void **state) {
    reply_error error;
    const struct transport_response response = {.failure = REPLY_ERROR_RESPONSE_TOO_LARGE,
                                                .failure_text = ""};
    (void)state;
    error_begin(&error, NULL);
    response_read(&response, 16 * MAX_BODY_SIZE, NULL, 0, &error);
    expect_words(&error, "over 16 MiB");
}

/* Catches a retry that a proxy's 4xx or an invalid certificate would fail again, and a TLS
 * handshake that is not retried. */
static void test_failure_decides_attempts(void **state) {
    static const struct {
        struct fake_outcome outcome;
        int32_t attempts;
    } rows[] = {
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 6}, 2},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 7}, 2},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 56}, 2},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 0}, 2},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 56, .is_final = true}, 1},
        {{.failure = REPLY_ERROR_TIMEOUT, .curl_code = 28}, 2},
        {{.failure = REPLY_ERROR_TLS, .curl_code = 35, .is_transient = true}, 2},
        {{.failure = REPLY_ERROR_TLS, .curl_code = 60}, 1},
        {{.failure = REPLY_ERROR_RESPONSE_TOO_LARGE, .curl_code = 0}, 1},
        {{.failure = REPLY_ERROR_INVALID_RESPONSE, .curl_code = 61, .http_status = 200}, 1},
        {{.failure = REPLY_ERROR_NO_MEMORY, .curl_code = 27}, 1},
    };
    set_retries(*state, 1);
    FAKE_RANDOM(UINT32_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        const int64_t began_ms = fake_now_ms();
        struct fake_outcome outcome = rows[i].outcome;
        outcome.duration_ms = 10;
        outcome.failure_text = "in the fake";
        fake_script((int64_t)i + 1, &outcome, 1);
        fetch_one(*state, (int64_t)i + 1, &error);
        expect_error(&error, outcome.failure, rows[i].attempts, outcome.http_status,
                     outcome.curl_code, -1);
        expect_words(&error, "in the fake");
        assert_int_equal(fake_now_ms() - began_ms, rows[i].attempts == 2 ? 10 + 500 + 10 : 10);
    }
}

static void test_key_is_removed_from_failure(void **state) {
    reply_error error;
    FAKE_SCRIPT(7, {.failure = REPLY_ERROR_NETWORK,
                    .curl_code = 7,
                    .failure_text = "no\nway to " FAKE_KEY " at all"});
    set_retries(*state, 0);
    fetch_one(*state, 7, &error);
    expect_error(&error, REPLY_ERROR_NETWORK, 1, 0, 7, -1);
    expect_words(&error, "no way to … at all");
    assert_null(strstr(fake_get_log(), "Secret"));
}

/* ---- Responses ---- */

static void test_invalid_200_is_final(void **state) {
    static const char *const bodies[] = {"", "{}", "[]", "<html>", "{\"contactId\":7", "null"};
    const size_t count = sizeof bodies / sizeof *bodies;
    for (size_t i = 0; i < count; i++) {
        reply_error error;
        const struct fake_outcome outcome = {.duration_ms = 5, .body = bodies[i]};
        fake_script((int64_t)i + 1, &outcome, 1);
        fetch_one(*state, (int64_t)i + 1, &error);
        expect_error(&error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    }
    assert_int_equal(fake_now_ms(), 5 * count);
}

/* A response and the error that it must have. */
struct response_case {
    const char *name;
    struct fake_outcome outcome;
    reply_result result;
    const char *problem_code, *request_id; /* NULL: empty */
    int64_t retry_after_ms;                /* 0: -1 */
    const char *words;                     /* parts of the message, one per line; may be NULL */
    const char *absent;                    /* what the message must not contain; may be NULL */
};

static const char *get_text(const char *text) {
    return text != NULL ? text : "";
}

/* Neither the key nor a contact's data may be in the message, whatever the response is. */
static void expect_response(const struct response_case *row, const reply_error *error) {
    char status[16];
    snprintf(status, sizeof status, "HTTP %d", (int)row->outcome.http_status);
    print_message("%s\n", row->name);
    expect_error(error, row->result, 1, row->outcome.http_status, 0,
                 row->retry_after_ms == 0 ? -1 : row->retry_after_ms);
    assert_string_equal(error->problem_code, get_text(row->problem_code));
    assert_string_equal(error->request_id, get_text(row->request_id));
    fixture_expect_words(row->name, get_text(row->words), error->message);
    if (row->outcome.http_status != 200) {
        expect_words(error, status);
    }
    if (row->absent != NULL) {
        expect_no_words(error, row->absent);
    }
    expect_no_words(error, "Secret");
    expect_no_words(error, "private");
    assert_null(memmem(error, sizeof *error, FAKE_KEY, strlen(FAKE_KEY)));
    fixture_expect_printable(row->name, error->message);
}

static void test_response_decides_error(void **state) {
    static const struct response_case rows[] = {
        {.name = "captive portal",
         .outcome = {.http_status = 200,
                     .content_type = "text/html; charset=utf-8",
                     .body = "<html><title>Hotel Wi-Fi</title>Log in to use the network.</html>"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .words = "text/html; charset=utf-8\nstarts with HTML\ncaptive portal",
         .absent = "Hotel"},
        {.name = "empty 200",
         .outcome = {.http_status = 200, .body = ""},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .words = "Content-Type none"},
        {.name = "200 without a field",
         .outcome = {.http_status = 200,
                     .content_type = "application/json",
                     .retry_after = "9",
                     .request_id = "r9",
                     .body = "{\"contactId\":7,\"sequenceId\":100,\"email\":\"a@private.example\","
                             "\"status\":\"Active\",\"currentStep\":1,"
                             "\"addingDate\":\"2024-03-08T10:00:00Z\"}"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .request_id = "r9",
         .retry_after_ms = 9000,
         .words = "isOptedOut"},
        {.name = "200 with the key as a name and a value",
         .outcome = {.http_status = 200,
                     .content_type = "application/json",
                     .body = "{\"contactId\":7,\"sequenceId\":100,\"" FAKE_KEY "\":1,"
                             "\"status\":\"Active\",\"currentStep\":\"" FAKE_KEY "\","
                             "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .words = "currentStep"},
        {.name = "key in a body that is text",
         .outcome = {.http_status = 200,
                     .content_type = "text/plain",
                     .body =
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" FAKE_KEY " and more"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .absent = "k3y"},
        {.name = "portal with the key",
         .outcome = {.http_status = 200,
                     .content_type = "text/" FAKE_KEY,
                     .body = "<p>" FAKE_KEY "</p>"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .words = "text/…",
         .absent = "<p>"},
        {.name = "problem sent as 200",
         .outcome = {.http_status = 200,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"Gone away\",\"status\":404,\"detail\":\"No such one\","
                             "\"code\":\"not.found." FAKE_KEY "\"}"},
         .result = REPLY_ERROR_INVALID_RESPONSE,
         .problem_code = "not.found.…",
         .absent = "Gone"},
        {.name = "204", .outcome = {.http_status = 204, .body = ""}, .result = REPLY_ERROR_HTTP},
        {.name = "206 with a contact",
         .outcome = {.http_status = 206,
                     .body = "{\"contactId\":7,\"sequenceId\":100,\"status\":\"Active\","
                             "\"currentStep\":1,\"addingDate\":\"2024-03-08T10:00:00Z\","
                             "\"isOptedOut\":false}"},
         .result = REPLY_ERROR_HTTP},
        {.name = "redirect",
         .outcome = {.http_status = 301, .body = ""},
         .result = REPLY_ERROR_HTTP,
         .words = "redirect\nbase URL"},
        {.name = "problem with a JSON pointer",
         .outcome = {.http_status = 400,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"Bad ids\",\"detail\":\"One field is wrong\","
                             "\"code\":\"validation.failed\","
                             "\"errors\":[{\"pointer\":\"/contactId\","
                             "\"detail\":\"must be positive\"}]}"},
         .result = REPLY_ERROR_BAD_REQUEST,
         .problem_code = "validation.failed",
         .words = "Bad ids: One field is wrong\n/contactId must be positive"},
        {.name = "empty 401",
         .outcome = {.http_status = 401, .body = ""},
         .result = REPLY_ERROR_UNAUTHORIZED,
         .words = "api_key"},
        {.name = "key in the detail",
         .outcome = {.http_status = 401,
                     .content_type = "application/problem+json",
                     .request_id = "req-1",
                     .body = "{\"title\":\"Unauthorized\","
                             "\"detail\":\"Key " FAKE_KEY " is unknown\"}"},
         .result = REPLY_ERROR_UNAUTHORIZED,
         .request_id = "req-1",
         .words = "Key … is unknown"},
        {.name = "key in the code",
         .outcome = {.http_status = 403,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"Forbidden\",\"code\":\"denied." FAKE_KEY "\"}"},
         .result = REPLY_ERROR_FORBIDDEN,
         .problem_code = "denied.…",
         .words = "X-TEAM-ID"},
        {.name = "code of a team",
         .outcome = {.http_status = 403,
                     .content_type = "application/problem+json",
                     .body =
                         "{\"title\":\"Team required\",\"code\":\"TEAM_REQUIRED\",\"status\":200}"},
         .result = REPLY_ERROR_FORBIDDEN,
         .problem_code = "TEAM_REQUIRED",
         .words = "Team required"},
        {.name = "HTML",
         .outcome = {.http_status = 404,
                     .content_type = "text/html",
                     .body = "<html><body>Not Found</body></html>"},
         .result = REPLY_ERROR_NOT_FOUND,
         .words =
             "the sequence or the contact does not exist, or the contact is not in this sequence",
         .absent = "<html>"},
        {.name = "key in JSON escapes",
         .outcome = {.http_status = 404,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"tried k3y-Secret\\/0123456789\\u002babc twice: " FAKE_KEY
                             "\"}"},
         .result = REPLY_ERROR_NOT_FOUND,
         .words = "tried … twice: …"},
        {.name = "contact of another sequence",
         .outcome = {.http_status = 404,
                     .content_type = "application/problem+json",
                     .request_id = "0f8fad5b-d9cb-469f-a165-70867728950e",
                     .body = "{\"type\":\"about:blank\",\"title\":\"Not found\",\"status\":404,"
                             "\"detail\":\"The contact is not in it\","
                             "\"code\":\"sequenceContact.notInSequence\"}"},
         .result = REPLY_ERROR_NOT_FOUND,
         .problem_code = "sequenceContact.notInSequence",
         .request_id = "0f8fad5b-d9cb-469f-a165-70867728950e",
         .words = "Not found: The contact is not in it"},
        {.name = "408",
         .outcome = {.http_status = 408, .retry_after = "3", .body = ""},
         .result = REPLY_ERROR_HTTP,
         .retry_after_ms = 3000},
        {.name = "numeric code",
         .outcome = {.http_status = 422,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"Unprocessable\",\"errorCode\":1042}"},
         .result = REPLY_ERROR_BAD_REQUEST,
         .problem_code = "1042"},
        {.name = "429 without a time",
         .outcome = {.http_status = 429, .body = ""},
         .result = REPLY_ERROR_RATE_LIMITED},
        {.name = "429 with a date",
         .outcome = {.http_status = 429,
                     .retry_after = "Tue, 14 Nov 2023 22:14:00 GMT",
                     .date = "Tue, 14 Nov 2023 22:13:00 GMT",
                     .body = ""},
         .result = REPLY_ERROR_RATE_LIMITED,
         .retry_after_ms = 60000},
        {.name = "429 with seconds",
         .outcome = {.http_status = 429,
                     .content_type = "application/problem+json",
                     .retry_after = "41",
                     .request_id = "r 41",
                     .body = "{\"title\":\"Too many requests\"}"},
         .result = REPLY_ERROR_RATE_LIMITED,
         .request_id = "r 41",
         .retry_after_ms = 41000,
         .words = "asks to wait 41 s"},
        {.name = "truncated problem",
         .outcome = {.http_status = 500,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"Inner"},
         .result = REPLY_ERROR_SERVER,
         .absent = "Inner"},
        {.name = "control characters",
         .outcome = {.http_status = 503,
                     .content_type = "application/problem+json",
                     .body = "{\"title\":\"one\\ntwo\\u001b[31mred\",\"code\":\"a\\u0007b\"}"},
         .result = REPLY_ERROR_SERVER,
         .problem_code = "a�b",
         .words = "one two�[31mred"},
        {.name = "key in the request id",
         .outcome = {.http_status = 503, .request_id = "id-" FAKE_KEY "-id", .body = ""},
         .result = REPLY_ERROR_SERVER,
         .request_id = "id-…-id"},
    };
    set_retries(*state, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        fake_script((int64_t)i + 1, &rows[i].outcome, 1);
        fetch_one(*state, (int64_t)i + 1, &error);
        expect_response(&rows[i], &error);
        /* The gate of one case must be open for the next one. */
        fake_advance_clock(ONE_DAY_MS);
    }
    assert_null(strstr(fake_get_log(), FAKE_KEY));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_status_decides_result_and_message),
        TEST(test_200_leaves_error_empty),
        TEST(test_longest_detail_fits_message),
        TEST(test_status_decides_retry),
        TEST(test_status_decides_attempts),
        TEST(test_retry_after_keeps_status_final),
        TEST(test_failure_decides_error_and_retry),
        TEST(test_message_has_requested_wait),
        TEST(test_304_is_not_redirect),
        TEST(test_size_limit_is_in_message),
        TEST(test_failure_decides_attempts),
        TEST(test_key_is_removed_from_failure),
        TEST(test_invalid_200_is_final),
        TEST(test_response_decides_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
