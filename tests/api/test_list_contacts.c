/* test_list_contacts.c - the call for all contacts of a sequence, on a fake transport: requests,
 * pages, items, what ends a call, the callback, threads and fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/id_set.h"
#include "decode/contact.h"
#include "decode/page.h"
#include "support/check_error.h"
#include "support/child.h"
#include "support/fake_list.h"
#include "support/fake_transport.h"
#include "replyio.h"

static const int64_t day_ms = 86400000;

/* ---- Pages of the calls ---- */

static atomic_int page_count; /* decoded and not freed */

reply_result __real_page_decode_response(const char *body, size_t length, const char *content_type,
                                         const char *key, size_t expected_count, struct page **page,
                                         reply_error *error);
reply_result __wrap_page_decode_response(const char *body, size_t length, const char *content_type,
                                         const char *key, size_t expected_count, struct page **page,
                                         reply_error *error);

reply_result __wrap_page_decode_response(const char *body, size_t length, const char *content_type,
                                         const char *key, size_t expected_count, struct page **page,
                                         reply_error *error) {
    const reply_result result =
        __real_page_decode_response(body, length, content_type, key, expected_count, page, error);
    page_count += *page != NULL ? 1 : 0;
    return result;
}

void __real_page_free(struct page *page);
void __wrap_page_free(struct page *page);

void __wrap_page_free(struct page *page) {
    page_count -= page != NULL ? 1 : 0;
    __real_page_free(page);
}

/* Catches a page that leaks. */
static int tear_down(void **state) {
    fake_teardown(state);
    return page_count;
}

/* Begins a test with the contacts 1 to count and pages of 10. */
static struct list_call *begin(void **state, size_t count) {
    static struct list_call call;
    fake_teardown(state);
    fake_setup(state);
    assert_int_equal(reply_client_set_page_size(*state, 10, NULL), REPLY_OK);
    fake_list_begin(count);
    memset(&call, 0, sizeof call);
    call.client = *state;
    return &call;
}

/* ---- Arguments and settings ---- */

static int fail_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    (void)index;
    (void)result;
    (void)error;
    reply_sequence_contact_free(contact);
    ++*(int *)user_data;
    return 0;
}

static void test_invalid_arguments_deliver_nothing(void **state) {
    struct list_call *call = begin(state, 5);
    const struct {
        reply_client *client;
        int64_t sequence_id;
        reply_contact_fn on_contact;
        const char *words;
    } rows[] = {
        {NULL, 100, fail_delivery, "client is NULL"},
        {call->client, 0, fail_delivery, "sequence_id 0"},
        {call->client, -1, fail_delivery, "sequence_id -1"},
        {call->client, INT64_MIN, fail_delivery, "sequence_id -9223372036854775808"},
        {call->client, 100, NULL, "on_contact is NULL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply_error error;
        int count = 0;
        assert_int_equal(reply_list_sequence_contacts(rows[i].client, rows[i].sequence_id,
                                                      rows[i].on_contact, &count, &error),
                         REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(reply_list_sequence_contacts(rows[i].client, rows[i].sequence_id,
                                                      rows[i].on_contact, &count, NULL),
                         REPLY_ERROR_INVALID_ARGUMENT);
        expect_error(&error, REPLY_ERROR_INVALID_ARGUMENT, 0, 0, 0, -1);
        expect_words(&error, rows[i].words);
        assert_int_equal(count, 0);
    }
    assert_int_equal(fake_count_events(FAKE_START), 0);
    /* A rejected call does not fix the settings. */
    assert_int_equal(reply_client_set_page_size(*state, 20, NULL), REPLY_OK);
}

static void test_error_may_be_null(void **state) {
    int count = 0;
    begin(state, 15);
    FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 404});
    assert_int_equal(reply_list_sequence_contacts(*state, 100, fail_delivery, &count, NULL),
                     REPLY_ERROR_NOT_FOUND);
    assert_int_equal(count, 10);
}

/* Catches limits that are off by one, and a rejected value that is kept. */
static void test_page_size_has_limits(void **state) {
    static const int32_t invalid[] = {9, 0, -1, 1001, INT32_MAX, INT32_MIN};
    static const int32_t valid[] = {10, 11, 999, 1000};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        char query[64];
        struct list_call *call = begin(state, 3);
        reply_error error;
        assert_int_equal(reply_client_set_page_size(*state, valid[i], &error), REPLY_OK);
        for (size_t j = 0; j < sizeof invalid / sizeof *invalid; j++) {
            assert_int_equal(reply_client_set_page_size(*state, invalid[j], &error),
                             REPLY_ERROR_INVALID_ARGUMENT);
            expect_words(&error, "page_size");
            expect_words(&error, "1000");
        }
        list_all(call, REPLY_OK);
        snprintf(query, sizeof query, "/contacts?top=%d&skip=0", (int)valid[i]);
        assert_non_null(strstr(fake_get_url(), query));
        assert_int_equal(reply_client_set_page_size(*state, 20, &error),
                         REPLY_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(reply_client_set_page_size(NULL, 20, NULL), REPLY_ERROR_INVALID_ARGUMENT);
}

/* ---- Requests ---- */

static void test_url_is_made_of_position(void **state) {
    static const struct {
        const char *base_url;
        int64_t sequence_id;
        const char *url;
    } rows[] = {
        {NULL, 100, "https://api.reply.io/v4/sequences/100/contacts?top=1000&skip=0"},
        {"https://api.example/v4/", 9007199254740993,
         "https://api.example/v4/sequences/9007199254740993/contacts?top=1000&skip=0"},
        {"https://[::1]:8080", INT64_MAX,
         "https://[::1]:8080/sequences/9223372036854775807/contacts?top=1000&skip=0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int count = 0;
        fake_teardown(state);
        fake_setup(state);
        if (rows[i].base_url != NULL) {
            assert_int_equal(reply_client_set_base_url(*state, rows[i].base_url, NULL), REPLY_OK);
        }
        assert_int_equal(
            reply_list_sequence_contacts(*state, rows[i].sequence_id, fail_delivery, &count, NULL),
            REPLY_OK);
        assert_string_equal(fake_get_url(), rows[i].url);
        assert_int_equal(fake_get_event(FAKE_START, 0).max_body_size, 16 * 1024 * 1024);
    }
}

/* Catches an overlap, an order or an index that is not the contract's. */
static void test_pages_follow_each_other(void **state) {
    struct list_call *call = begin(state, 25);
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    EXPECT_SKIPS(0, 9, 18);
    /* Each page is requested when the last one is delivered. */
    assert_int_equal(call->times_ms[9], 100);
    assert_int_equal(call->times_ms[10], 200);
    assert_int_equal(call->times_ms[24], 300);
    assert_int_equal(fake_get_max_in_flight(), 1);

    call = begin(state, 2500);
    assert_int_equal(reply_client_set_page_size(*state, 1000, NULL), REPLY_OK);
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 2500);
    EXPECT_SKIPS(0, 900, 1800);
}

static void test_single_item_has_no_overlap(void **state) {
    struct list_call *call = begin(state, 4);
    fake_list.max_page_count = 1;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 4);
    EXPECT_SKIPS(0, 1, 2, 3);
}

static void test_empty_list_delivers_nothing(void **state) {
    struct list_call *call = begin(state, 0);
    list_all(call, REPLY_OK);
    assert_int_equal(call->count, 0);
    EXPECT_SKIPS(0);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts?top=10&skip=0: 200 in 100 ms\n");
}

static void test_log_has_query(void **state) {
    struct list_call *call = begin(state, 15);
    FAKE_RANDOM(UINT32_MAX);
    FAKE_SCRIPT(FAKE_PAGE(9), {.duration_ms = 20, .http_status = 503}, {.duration_ms = 30});
    list_all(call, REPLY_OK);
    assert_string_equal(fake_get_log(),
                        "attempt 1 GET /v4/sequences/100/contacts?top=10&skip=0: 200 in 100 ms\n"
                        "attempt 1 GET /v4/sequences/100/contacts?top=10&skip=9: 503 in 20 ms\n"
                        "wait 500 ms: HTTP 503, retry 1 of 3\n"
                        "attempt 2 GET /v4/sequences/100/contacts?top=10&skip=9: 200 in 30 ms\n");
}

/* ---- Pages ---- */

#define ITEM(contact_id, sequence_id, rest)                                                        \
    "{\"contactId\":" contact_id ",\"sequenceId\":" sequence_id                                    \
    ",\"email\":\"p@private.example\",\"status\":\"Active\",\"currentStep\":1,"                    \
    "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false" rest "}"

/* Catches items that are delivered before all of their page is known to be valid. */
static void test_invalid_page_delivers_nothing(void **state) {
    static const struct {
        const char *body, *words;
    } rows[] = {
        {"{\"items\":[],\"hasMore\":true}", "no items, but \"hasMore\" is true"},
        {"", "0 bytes"},
        {"[]", "an array"},
        {"<html>", "HTML"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"hasMore\":false", "not JSON at byte"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"hasMore\":false}x", "not JSON at byte"},
        {"{\"items\":[" ITEM("51", "100", "") "]}", "\"hasMore\" is missing"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"hasMore\":null}", "\"hasMore\" is not"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"hasMore\":0}", "\"hasMore\" is not"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"hasMore\":false,\"hasMore\":false}",
         "\"hasMore\" is a duplicate"},
        {"{\"hasMore\":false}", "\"items\" is missing"},
        {"{\"items\":null,\"hasMore\":false}", "\"items\" is not an array"},
        {"{\"items\":{},\"hasMore\":false}", "\"items\" is not an array"},
        {"{\"items\":[" ITEM("51", "100", "") "],\"items\":[],\"hasMore\":false}",
         "\"items\" is a duplicate"},
        {"{\"items\":[" ITEM("51", "100", "") ",null],\"hasMore\":false}", "item 1 is not"},
        {"{\"items\":[" ITEM("51", "100", "") ",[]],\"hasMore\":false}", "item 1 is not"},
        {"{\"items\":[" ITEM("51", "100", "") ",{}],\"hasMore\":false}",
         "item 1 has no valid \"contactId\""},
        {"{\"items\":[" ITEM("51", "100", "") "," ITEM("5.0", "100", "") "],\"hasMore\":false}",
         "item 1 has no valid \"contactId\""},
        {"{\"items\":[" ITEM("51", "100", ",\"contactId\":51") "],\"hasMore\":false}",
         "item 0 has no valid \"contactId\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows * 2; i++) {
        const bool is_second_page = i % 2 == 1;
        struct list_call *call = begin(state, 15);
        FAKE_SCRIPT(FAKE_PAGE(is_second_page ? 9 : 0),
                    {.body = rows[i / 2].body, .request_id = "r-9"});
        list_all(call, REPLY_ERROR_INVALID_RESPONSE);
        expect_error(&call->error, REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
        expect_words(&call->error, rows[i / 2].words);
        expect_words(&call->error, is_second_page ? "contacts of sequence 100 from 9: "
                                                  : "contacts of sequence 100 from 0: ");
        expect_no_words(&call->error, "private");
        assert_string_equal(call->error.request_id, "r-9");
        assert_int_equal(call->count, is_second_page ? 10 : 0);
        /* It is not retried. */
        assert_int_equal(fake_count_events(FAKE_START), is_second_page ? 2 : 1);
    }
}

static void test_unknown_members_of_page_are_ignored(void **state) {
    struct list_call *call = begin(state, 0);
    FAKE_SCRIPT(FAKE_PAGE(0),
                {.body = "\xEF\xBB\xBF {\"total\":{\"items\":7},\"h\\u0061sMore\":false,"
                         "\"next\":[1,2],\"it\\u0065ms\":[ {\"contactId\":1,\"new\":[{}]} ]} \n"});
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 1);
}

static void test_sent_problem_keeps_code(void **state) {
    struct list_call *call = begin(state, 0);
    FAKE_SCRIPT(FAKE_PAGE(0), {.body = "{\"title\":\"no\",\"code\":\"sequence.archived\"}"});
    list_all(call, REPLY_ERROR_INVALID_RESPONSE);
    assert_string_equal(call->error.problem_code, "sequence.archived");
}

/* ---- Items ---- */

static atomic_int discard_count;
void __real_contact_discard(reply_sequence_contact *contact);
void __wrap_contact_discard(reply_sequence_contact *contact);

void __wrap_contact_discard(reply_sequence_contact *contact) {
    discard_count++;
    __real_contact_discard(contact);
}

/* Catches also a contact of another sequence that leaks: it was decoded, but nobody gets it. */
static void test_broken_item_is_delivered_as_error(void **state) {
    struct list_call *call = begin(state, 25);
    discard_count = 0;
    fake_list.broken_id = 4;
    fake_list.foreign_id = 21;
    FAKE_SCRIPT(FAKE_PAGE(0), {.request_id = "r-0", .retry_after = "7"});
    FAKE_SCRIPT(FAKE_PAGE(18), {.http_status = 502}, {.request_id = FAKE_KEY});
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    assert_int_equal(call->error_count, 2);
    expect_error(&call->errors[0], REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, 7000);
    expect_words(&call->errors[0], "contact 4 in sequence 100: ");
    expect_words(&call->errors[0], "\"currentStep\"");
    assert_string_equal(call->errors[0].request_id, "r-0");
    expect_error(&call->errors[1], REPLY_ERROR_INVALID_RESPONSE, 2, 200, 0, -1);
    expect_words(&call->errors[1], "contact 21 in sequence 100: ");
    expect_words(&call->errors[1], "\"sequenceId\" is 200");
    assert_null(strstr(call->errors[1].request_id, FAKE_KEY));
    assert_int_equal(discard_count, 1);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 0);
}

/* Members of a valid item, for items that lack one of them. */
#define SEQUENCE "\"sequenceId\":100,"
#define STATUS   "\"status\":\"Active\","
#define STEP     "\"currentStep\":1,"
#define ADDED    "\"addingDate\":\"2024-03-08T10:00:00Z\","
#define OPTED    "\"isOptedOut\":false,"
#define ALL      SEQUENCE STATUS STEP ADDED OPTED

/* Catches a fault of an item that ends the call, or that hides the item or its neighbours. */
static void test_any_item_fault_is_delivered(void **state) {
    static const struct {
        const char *members, *field;
    } rows[] = {
        {STATUS STEP ADDED OPTED, "sequenceId"},
        {SEQUENCE STEP ADDED OPTED, "status"},
        {SEQUENCE STATUS ADDED OPTED, "currentStep"},
        {SEQUENCE STATUS STEP OPTED, "addingDate"},
        {SEQUENCE STATUS STEP ADDED, "isOptedOut"},
        {"\"sequenceId\":\"100\"," STATUS STEP ADDED OPTED, "sequenceId"},
        {"\"sequenceId\":1e2," STATUS STEP ADDED OPTED, "sequenceId"},
        {"\"sequenceId\":101," STATUS STEP ADDED OPTED, "sequenceId"},
        {SEQUENCE "\"status\":null," STEP ADDED OPTED, "status"},
        {SEQUENCE STATUS "\"currentStep\":2147483648," ADDED OPTED, "currentStep"},
        {SEQUENCE STATUS STEP "\"addingDate\":0," OPTED, "addingDate"},
        {SEQUENCE STATUS STEP ADDED "\"isOptedOut\":\"false\",", "isOptedOut"},
        {ALL "\"sequenceId\":100,", "sequenceId"},
        {ALL "\"email\":1,", "email"},
        {ALL "\"email\":\"\\u0000\",", "email"},
        {ALL "\"email\":null,\"email\":null,", "email"},
        {ALL "\"firstName\":\"\\ud800\",", "firstName"},
        {ALL "\"lastName\":[],", "lastName"},
        {ALL "\"company\":{},", "company"},
        {ALL "\"title\":true,", "title"},
        {ALL "\"subStatus\":0,", "subStatus"},
        {ALL "\"movingDate\":1709892000,", "movingDate"},
        {ALL "\"nextSendAfter\":false,", "nextSendAfter"},
        {ALL "\"emailAccountId\":9223372036854775808,", "emailAccountId"},
        {ALL "\"linkedInAccountId\":1.0,", "linkedInAccountId"},
        {ALL "\"icpScore\":1e999,", "icpScore"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[2048];
        char words[64];
        struct list_call *call = begin(state, 0);
        snprintf(body, sizeof body,
                 "{\"items\":[{\"contactId\":50},{%s\"contactId\":51},{\"contactId\":52}],"
                 "\"hasMore\":false}",
                 rows[i].members);
        FAKE_SCRIPT(FAKE_PAGE(0), {.body = body});
        list_all(call, REPLY_OK);
        expect_listed(call, 50, 52);
        assert_int_equal(call->error_count, 3);
        expect_error(&call->errors[1], REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
        snprintf(words, sizeof words, "\"%s\"", rows[i].field);
        expect_words(&call->errors[1], words);
        expect_words(&call->errors[1], "contact 51 in sequence 100: ");
    }
}

/* Catches an error that is delivered twice because the pages overlap. */
static void test_broken_item_is_delivered_once(void **state) {
    struct list_call *call = begin(state, 25);
    fake_list.broken_id = 10;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    EXPECT_SKIPS(0, 9, 18);
}

/* Catches details that are left from an earlier page. */
static void test_item_error_has_details_of_page(void **state) {
    struct list_call *call = begin(state, 15);
    fake_list.broken_id = 12;
    FAKE_SCRIPT(FAKE_PAGE(0), {.request_id = "r-0", .retry_after = "7"});
    list_all(call, REPLY_OK);
    assert_int_equal(call->error_count, 1);
    expect_error(&call->errors[0], REPLY_ERROR_INVALID_RESPONSE, 1, 200, 0, -1);
    assert_string_equal(call->errors[0].request_id, "");
}

static void test_page_of_other_sequence_retires_connection(void **state) {
    static const struct {
        const char *body;
        size_t delivery_count, retire_count;
    } rows[] = {
        {"{\"items\":[" ITEM("51", "200", "") "," ITEM("52", "300", "") "],\"hasMore\":false}", 2,
         1},
        {"{\"items\":[" ITEM("51", "200", "") ",{\"contactId\":52,\"sequenceId\":100}],"
                                              "\"hasMore\":false}",
         2, 0},
        {"{\"items\":[{\"contactId\":51}," ITEM("52", "200", "") "],\"hasMore\":false}", 2, 0},
        {"{\"items\":[" ITEM("51", "\"200\"", "") "],\"hasMore\":false}", 1, 0},
        {"{\"items\":[],\"hasMore\":false}", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_call *call = begin(state, 0);
        FAKE_SCRIPT(FAKE_PAGE(0), {.body = rows[i].body});
        list_all(call, REPLY_OK);
        assert_int_equal(call->count, rows[i].delivery_count);
        assert_int_equal(fake_count_events(FAKE_RETIRE), rows[i].retire_count);
    }
}

/* Catches ids that mark a free slot of a table. */
static void test_any_contact_id_is_delivered_once(void **state) {
    static const char body[] =
        "{\"items\":[{\"contactId\":0},{\"contactId\":-1},{\"contactId\":-9223372036854775808},"
        "{\"contactId\":9223372036854775807},{\"contactId\":0}],\"hasMore\":false}";
    struct list_call *call = begin(state, 0);
    FAKE_SCRIPT(FAKE_PAGE(0), {.body = body});
    list_all(call, REPLY_OK);
    assert_int_equal(call->count, 4);
    assert_int_equal(call->ids[2], INT64_MIN);
    assert_int_equal(call->ids[3], INT64_MAX);
}

/* ---- Retries and what ends a call ---- */

static void test_attempts_are_those_of_page(void **state) {
    struct list_call *call = begin(state, 25);
    FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 503}, {.failure = REPLY_ERROR_NETWORK}, {0});
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    EXPECT_SKIPS(0, 9, 9, 9, 18);
    assert_int_equal(call->attempts[9], 1);
    assert_int_equal(call->attempts[10], 3);
    assert_int_equal(call->attempts[18], 3);
    assert_int_equal(call->attempts[19], 1);
}

/* Catches a failed page that loses its error, or contacts that were delivered before. */
static void test_failed_page_ends_call(void **state) {
    static const struct {
        struct fake_outcome outcome;
        reply_result result;
        int32_t attempts, http_status, curl_code;
    } rows[] = {
        {{.http_status = 400}, REPLY_ERROR_BAD_REQUEST, 1, 400, 0},
        {{.http_status = 401}, REPLY_ERROR_UNAUTHORIZED, 1, 401, 0},
        {{.http_status = 403}, REPLY_ERROR_FORBIDDEN, 1, 403, 0},
        {{.http_status = 404}, REPLY_ERROR_NOT_FOUND, 1, 404, 0},
        {{.http_status = 204}, REPLY_ERROR_HTTP, 1, 204, 0},
        {{.http_status = 302}, REPLY_ERROR_HTTP, 1, 302, 0},
        {{.http_status = 429}, REPLY_ERROR_RATE_LIMITED, 4, 429, 0},
        {{.http_status = 500}, REPLY_ERROR_SERVER, 4, 500, 0},
        {{.http_status = 501}, REPLY_ERROR_SERVER, 1, 501, 0},
        {{.failure = REPLY_ERROR_NETWORK, .curl_code = 56}, REPLY_ERROR_NETWORK, 4, 0, 56},
        {{.failure = REPLY_ERROR_TLS, .curl_code = 60}, REPLY_ERROR_TLS, 1, 0, 60},
        {{.failure = REPLY_ERROR_RESPONSE_TOO_LARGE}, REPLY_ERROR_RESPONSE_TOO_LARGE, 1, 0, 0},
        {{.failure = REPLY_ERROR_NO_MEMORY}, REPLY_ERROR_NO_MEMORY, 1, 0, 0},
        {{.duration_ms = FAKE_HANGS}, REPLY_ERROR_TIMEOUT, 4, 0, 28},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_call *call = begin(state, 25);
        fake_script(FAKE_PAGE(9), &rows[i].outcome, 1);
        list_all(call, rows[i].result);
        expect_listed(call, 1, 10);
        expect_error(&call->error, rows[i].result, rows[i].attempts, rows[i].http_status,
                     rows[i].curl_code, -1);
        expect_words(&call->error, "contacts of sequence 100 from 9: ");
        assert_int_equal(fake_count_events(FAKE_START), 1 + rows[i].attempts);
    }
}

static void test_too_large_page_names_limit(void **state) {
    struct list_call *call = begin(state, 25);
    FAKE_SCRIPT(FAKE_PAGE(0), {.failure = REPLY_ERROR_RESPONSE_TOO_LARGE});
    list_all(call, REPLY_ERROR_RESPONSE_TOO_LARGE);
    expect_words(&call->error, "16 MiB");
}

static void test_rate_limit_delays_page(void **state) {
    struct list_call *call = begin(state, 15);
    FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 429, .retry_after = "3600"}, {0});
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 15);
    EXPECT_STARTS(0, 100, 3600100);
    fake_expect_silence(429, 3600100);
    assert_int_equal(call->attempts[10], 2);
}

static void test_rate_limit_beyond_deadline_ends_call(void **state) {
    struct list_call *call = begin(state, 15);
    assert_int_equal(reply_client_set_timeout_ms(*state, 60000, NULL), REPLY_OK);
    FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 429, .retry_after = "3600"});
    list_all(call, REPLY_ERROR_RATE_LIMITED);
    expect_listed(call, 1, 10);
    expect_error(&call->error, REPLY_ERROR_RATE_LIMITED, 1, 429, 0, 3600000);
    /* The gate is closed. */
    call->count = 0;
    list_all(call, REPLY_ERROR_RATE_LIMITED);
    assert_int_equal(call->count, 0);
    expect_error(&call->error, REPLY_ERROR_RATE_LIMITED, 0, 0, 0, 3600000);
    expect_words(&call->error, "contacts of sequence 100 from 0: ");
    EXPECT_STARTS(0, 100);
}

static void hit_rate_limit(struct list_call *call) {
    if (call->count == 3) {
        reply_sequence_contact *contact = NULL;
        assert_int_equal(reply_get_sequence_contact(call->client, 100, 7, &contact, NULL),
                         REPLY_ERROR_RATE_LIMITED);
    }
}

/* Catches a list that has a gate of its own. */
static void test_rate_limit_of_other_call_delays_page(void **state) {
    struct list_call *call = begin(state, 15);
    assert_int_equal(reply_client_set_max_retries(*state, 0, NULL), REPLY_OK);
    FAKE_SCRIPT(7, {.http_status = 429, .retry_after = "60"});
    call->on_delivery = hit_rate_limit;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 15);
    EXPECT_SKIPS(0, FAKE_PAGE(7), 9);
    EXPECT_STARTS(0, 100, 60100);
    assert_int_equal(call->times_ms[9], 100); /* the gate delays no delivery */
    assert_int_equal(call->attempts[10], 1);
}

static void be_busy(struct list_call *call) {
    if (call->count == 3 || call->count == 15) {
        fake_advance_clock(day_ms);
    }
}

/* Catches a deadline that is checked between deliveries, or not before a page. */
static void test_deadline_is_checked_before_page(void **state) {
    struct list_call *call = begin(state, 25);
    assert_int_equal(reply_client_set_timeout_ms(*state, 60000, NULL), REPLY_OK);
    call->on_delivery = be_busy;
    list_all(call, REPLY_ERROR_TIMEOUT);
    expect_listed(call, 1, 10);
    expect_error(&call->error, REPLY_ERROR_TIMEOUT, 0, 0, 0, -1);
    expect_words(&call->error, "contacts of sequence 100 from 9: call timed out");

    /* The last page is delivered beyond it. */
    call = begin(state, 10);
    assert_int_equal(reply_client_set_timeout_ms(*state, 60000, NULL), REPLY_OK);
    call->on_delivery = be_busy;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 10);
}

static void test_deadline_ends_attempt(void **state) {
    struct list_call *call = begin(state, 25);
    assert_int_equal(reply_client_set_timeout_ms(*state, 5000, NULL), REPLY_OK);
    FAKE_SCRIPT(FAKE_PAGE(9), {.duration_ms = FAKE_HANGS});
    list_all(call, REPLY_ERROR_TIMEOUT);
    expect_listed(call, 1, 10);
    expect_error(&call->error, REPLY_ERROR_TIMEOUT, 1, 0, 28, -1);
    assert_int_equal(fake_now_ms(), 5000);
}

static void test_list_has_no_default_deadline(void **state) {
    struct list_call *call = begin(state, 25);
    call->on_delivery = be_busy;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    assert_true(fake_now_ms() > 2 * day_ms);
}

static void test_session_out_of_memory_is_reported(void **state) {
    struct list_call *call = begin(state, 25);
    fake_fail_opens(1);
    list_all(call, REPLY_ERROR_NO_MEMORY);
    assert_int_equal(call->count, 0);
    expect_error(&call->error, REPLY_ERROR_NO_MEMORY, 0, 0, 0, -1);
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
}

static atomic_int adds_until_failure; /* calls in several threads count it down, too */
bool __real_id_set_add(struct id_set *set, int64_t id);
bool __wrap_id_set_add(struct id_set *set, int64_t id);

bool __wrap_id_set_add(struct id_set *set, int64_t id) {
    return --adds_until_failure != 0 && __real_id_set_add(set, id);
}

/* Catches a contact that is delivered although it cannot be remembered. */
static void test_set_out_of_memory_ends_call(void **state) {
    struct list_call *call = begin(state, 25);
    adds_until_failure = 14;
    list_all(call, REPLY_ERROR_NO_MEMORY);
    expect_listed(call, 1, 13);
    expect_error(&call->error, REPLY_ERROR_NO_MEMORY, 1, 0, 0, -1);
    EXPECT_SKIPS(0, 9);
}

/* ---- Interrupts ---- */

static void interrupt_at_delivery(struct list_call *call) {
    if (call->count == 13 || call->count == 25) {
        reply_client_interrupt(call->client);
    }
}

static void test_interrupt_ends_deliveries(void **state) {
    struct list_call *call = begin(state, 24);
    call->on_delivery = interrupt_at_delivery;
    list_all(call, REPLY_ERROR_CANCELLED);
    expect_listed(call, 1, 13);
    expect_cancelled(&call->error, 0);
    EXPECT_SKIPS(0, 9);
    /* The client works, and the interrupt is over. */
    call->count = 0;
    call->on_delivery = NULL;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 24);
}

static void interrupt_at_last(struct list_call *call) {
    if (call->count == fake_list.count) {
        reply_client_interrupt(call->client);
    }
}

static void test_interrupt_after_last_item_cancels(void **state) {
    static const size_t counts[] = {1, 10, 25};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct list_call *call = begin(state, counts[i]);
        call->on_delivery = interrupt_at_last;
        list_all(call, REPLY_ERROR_CANCELLED);
        expect_listed(call, 1, (int64_t)counts[i]);
        expect_cancelled(&call->error, 0);
    }
}

static size_t interrupt_at_line, line_count;

static void log_and_interrupt(const char *line, void *user_data) {
    fake_record_line(line, NULL);
    if (++line_count == interrupt_at_line) {
        reply_client_interrupt(user_data);
    }
}

/* Catches a page that is delivered, or ends the list, although the interrupt came before. The log
 * function is called when the page has arrived. */
static void test_interrupt_before_page_delivers_nothing(void **state) {
    static const struct {
        size_t list_count, line, delivered_count;
    } rows[] = {{25, 1, 0}, {25, 2, 10}, {25, 3, 19}, {0, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_call *call = begin(state, rows[i].list_count);
        line_count = 0;
        interrupt_at_line = rows[i].line;
        assert_int_equal(reply_client_set_log(*state, log_and_interrupt, *state, NULL), REPLY_OK);
        list_all(call, REPLY_ERROR_CANCELLED);
        expect_listed(call, 1, (int64_t)rows[i].delivered_count);
        expect_cancelled(&call->error, 0);
    }
}

static void test_interrupt_ends_transfer(void **state) {
    struct list_call *call = begin(state, 25);
    FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 503}, {.duration_ms = 60000});
    fake_interrupt_at(5000, *state);
    list_all(call, REPLY_ERROR_CANCELLED);
    expect_listed(call, 1, 10);
    expect_cancelled(&call->error, 2);
    expect_words(&call->error, "contacts of sequence 100 from 9: ");
    assert_int_equal(fake_count_events(FAKE_CANCEL), 1);
    assert_int_equal(fake_count_events(FAKE_RETIRE), 1);
    assert_int_equal(fake_now_ms(), 5000);
}

static void test_interrupt_ends_wait(void **state) {
    static const struct fake_outcome outcomes[] = {
        {.http_status = 503, .retry_after = "60"},
        {.http_status = 429, .retry_after = "60"},
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct list_call *call = begin(state, 25);
        fake_script(FAKE_PAGE(9), &outcomes[i], 1);
        fake_interrupt_at(5000, *state);
        list_all(call, REPLY_ERROR_CANCELLED);
        expect_listed(call, 1, 10);
        expect_cancelled(&call->error, 1);
        assert_int_equal(fake_now_ms(), 5000);
    }
}

static void test_earlier_interrupt_has_no_effect(void **state) {
    struct list_call *call = begin(state, 25);
    reply_client_interrupt(*state);
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
}

/* ---- The callback ---- */

static void test_stop_ends_call(void **state) {
    static const size_t stops[] = {1, 9, 10, 11, 24, 25};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct list_call *call = begin(state, 25);
        call->stop_at = stops[i];
        list_all(call, REPLY_ERROR_CANCELLED);
        expect_listed(call, 1, (int64_t)stops[i]);
        expect_error(&call->error, REPLY_ERROR_CANCELLED, 0, 0, 0, -1);
        expect_words(&call->error, "callback returned non-zero");
        assert_int_equal(fake_count_events(FAKE_START), stops[i] <= 10   ? 1
                                                        : stops[i] <= 19 ? 2
                                                                         : 3);
    }
}

static struct list_call nested;

static void make_calls(struct list_call *call) {
    if (call->count == 12) {
        reply_sequence_contact *contact = NULL;
        assert_int_equal(reply_get_sequence_contact(call->client, 100, 7, &contact, NULL),
                         REPLY_OK);
        reply_sequence_contact_free(contact);
        list_all(&nested, REPLY_OK);
    }
}

/* Catches state that two calls share: the inner call lists all while the outer one has half a
 * page. */
static void test_callback_may_use_client(void **state) {
    struct list_call *call = begin(state, 25);
    memset(&nested, 0, sizeof nested);
    nested.client = *state;
    call->on_delivery = make_calls;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    expect_listed(&nested, 1, 25);
    EXPECT_SKIPS(0, 9, FAKE_PAGE(7), 0, 9, 18, 18);
}

/* ---- Threads and fork ---- */

static void run_list(void *context) {
    list_contacts(context);
}

static void test_threads_share_client(void **state) {
    enum { THREADS = 4 };
    static struct list_call calls[THREADS];
    begin(state, 200);
    FAKE_SCRIPT(FAKE_PAGE(90), {.http_status = 503});
    for (int i = 0; i < THREADS; i++) {
        memset(&calls[i], 0, sizeof calls[i]);
        calls[i].client = *state;
        calls[i].stop_at = i == 0 ? 42 : 0;
    }
    fake_run_in_threads(run_list, calls, sizeof *calls, THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(calls[i].result, i == 0 ? REPLY_ERROR_CANCELLED : REPLY_ERROR_SERVER);
        assert_false(calls[i].has_invalid_delivery);
        expect_listed(&calls[i], 1, i == 0 ? 42 : 91);
    }
    assert_int_equal(fake_count_opened_sessions(), THREADS);
}

static size_t host_call_count, fork_at;
static pid_t child;

/* What the child has found at the fork, and must find at the end of its call. */
static size_t event_count, log_length;

/* Forks at the nth call of the host's code, and returns in both processes. */
static void fork_once(void) {
    if (++host_call_count == fork_at) {
        child = fork();
        if (child == 0) {
            alarm(10);
            fake_get_events(&event_count);
            log_length = strlen(fake_get_log());
        }
    }
}

static void fork_at_delivery(struct list_call *call) {
    (void)call;
    fork_once();
}

static void log_and_fork(const char *line, void *user_data) {
    fake_record_line(line, user_data);
    fork_once();
}

/* Returns 0, or the number of the check that failed. */
static int check_child(const struct list_call *call) {
    if (call->result != REPLY_ERROR_INVALID_ARGUMENT || call->error.result != call->result ||
        strstr(call->error.message, "fork") == NULL) {
        return 1;
    }
    if (host_call_count != fork_at || strlen(fake_get_log()) != log_length) {
        return 2; /* something was logged or delivered */
    }
    size_t count = 0;
    fake_get_events(&count);
    if (count != event_count) {
        return 3; /* the parent's connections were used */
    }
    reply_client_destroy(call->client);
    return fake_count_open_sessions() == 0 && fake_count_inherited_sessions() == 1 ? 0 : 4;
}

/* Catches a child that goes on after the fork, at each call of the host's code. */
static void test_child_ends_call_after_fork(void **state) {
    fork_at = 0;
    do {
        struct list_call *call = begin(state, 25);
        fork_at++;
        host_call_count = 0;
        child = -1;
        assert_int_equal(reply_client_set_log(*state, log_and_fork, NULL, NULL), REPLY_OK);
        FAKE_SCRIPT(FAKE_PAGE(9), {.http_status = 503}, {0});
        fake_list.broken_id = 12;
        call->on_delivery = fork_at_delivery;
        list_contacts(call);
        if (child == 0) {
            child_quit(check_child(call));
        }
        assert_int_equal(call->result, REPLY_OK);
        assert_false(call->has_invalid_delivery);
        expect_listed(call, 1, 25);
        if (child > 0) {
            assert_int_equal(child_wait(child), 0);
        }
    } while (child > 0);
    /* 25 deliveries, 4 attempts and a wait */
    assert_int_equal(fork_at, 25 + 4 + 1 + 1);
}

/* ---- Sessions ---- */

static void test_session_is_reused(void **state) {
    struct list_call *call = begin(state, 25);
    list_all(call, REPLY_OK);
    call->count = 0;
    list_all(call, REPLY_OK);
    expect_listed(call, 1, 25);
    assert_int_equal(fake_count_opened_sessions(), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fake_setup, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_invalid_arguments_deliver_nothing),
        TEST(test_error_may_be_null),
        TEST(test_page_size_has_limits),
        TEST(test_url_is_made_of_position),
        TEST(test_pages_follow_each_other),
        TEST(test_single_item_has_no_overlap),
        TEST(test_empty_list_delivers_nothing),
        TEST(test_log_has_query),
        TEST(test_invalid_page_delivers_nothing),
        TEST(test_unknown_members_of_page_are_ignored),
        TEST(test_sent_problem_keeps_code),
        TEST(test_broken_item_is_delivered_as_error),
        TEST(test_any_item_fault_is_delivered),
        TEST(test_broken_item_is_delivered_once),
        TEST(test_item_error_has_details_of_page),
        TEST(test_page_of_other_sequence_retires_connection),
        TEST(test_any_contact_id_is_delivered_once),
        TEST(test_attempts_are_those_of_page),
        TEST(test_failed_page_ends_call),
        TEST(test_too_large_page_names_limit),
        TEST(test_rate_limit_delays_page),
        TEST(test_rate_limit_beyond_deadline_ends_call),
        TEST(test_rate_limit_of_other_call_delays_page),
        TEST(test_deadline_is_checked_before_page),
        TEST(test_deadline_ends_attempt),
        TEST(test_list_has_no_default_deadline),
        TEST(test_session_out_of_memory_is_reported),
        TEST(test_set_out_of_memory_ends_call),
        TEST(test_interrupt_ends_deliveries),
        TEST(test_interrupt_after_last_item_cancels),
        TEST(test_interrupt_before_page_delivers_nothing),
        TEST(test_interrupt_ends_transfer),
        TEST(test_interrupt_ends_wait),
        TEST(test_earlier_interrupt_has_no_effect),
        TEST(test_stop_ends_call),
        TEST(test_callback_may_use_client),
        TEST(test_threads_share_client),
        TEST(test_child_ends_call_after_fork),
        TEST(test_session_is_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
