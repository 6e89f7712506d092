/* test_list_wire.c - a server that misbehaves in the middle of a list's second page: what was
 * delivered stays delivered, nothing of a broken page is delivered, and a retry continues. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/check_error.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Pages ---- */

#define ITEM(id)                                                                                   \
    "{\"contactId\":" #id ",\"sequenceId\":100,\"status\":\"Active\",\"currentStep\":2,"           \
    "\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"

/* The second page starts with the last contact of the first one. */
#define PAGE_1 "{\"items\":[" ITEM(1) "," ITEM(2) "],\"hasMore\":true}"
#define PAGE_2 "{\"items\":[" ITEM(2) "," ITEM(3) "],\"hasMore\":false}"

/* The first half of the second page: ITEM(2) is complete. */
#define HALF_PAGE "{\"items\":[" ITEM(2) ",{\"contactId\":3,"

#define OK_CLOSED OK_HEADERS "\r\n"
#define LENGTH(n) "Content-Length: " #n "\r\n\r\n"

enum { MAX_PAGE_SIZE = 16 * 1024 * 1024, PAGE_2_SIZE = 271 };
_Static_assert(sizeof PAGE_1 - 1 == PAGE_2_SIZE - 1, "the page has a wrong Content-Length");
_Static_assert(sizeof PAGE_2 - 1 == PAGE_2_SIZE, "the page has a wrong Content-Length");

#define OK_PAGE_1 OK_HEADERS LENGTH(270) PAGE_1
#define OK_PAGE_2 OK_HEADERS LENGTH(271) PAGE_2

/* ---- Calls ---- */

enum { MAX_DELIVERIES = 8, ATTEMPT_MS = 10000 };

struct listing {
    int64_t contact_ids[MAX_DELIVERIES];
    int32_t attempts[MAX_DELIVERIES];
    size_t count;
    reply_error error; /* of the call */
};

static int keep_delivery(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    struct listing *listing = user_data;
    if (result == REPLY_OK && index == listing->count && index < MAX_DELIVERIES) {
        listing->contact_ids[index] = contact->contact_id;
        listing->attempts[index] = error->attempts;
        listing->count++;
    }
    reply_sequence_contact_free(contact);
    return 0;
}

static struct listing list_with(reply_client *client) {
    struct listing listing = {.count = 0};
    reply_list_sequence_contacts(client, 100, keep_delivery, &listing, &listing.error);
    return listing;
}

static struct listing list(struct server *server, int32_t retries, int64_t attempt_timeout_ms) {
    reply_client *client = wire_create_client(server_url(server));
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
    assert_int_equal(
        reply_client_set_attempt_timeout_ms(client, timing_scale_ms(attempt_timeout_ms), NULL),
        REPLY_OK);
    assert_int_equal(reply_client_set_page_size(client, 10, NULL), REPLY_OK);
    const struct listing listing = list_with(client);
    wire_destroy_client(client);
    return listing;
}

/* Fails unless the contacts 1 to count were delivered. */
static void expect_listed(const char *name, const struct listing *listing, size_t count) {
    for (size_t i = 0; i < listing->count; i++) {
        assert_int_equal(listing->contact_ids[i], i + 1);
    }
    if (listing->count != count) {
        fail_msg("%s: %zu contacts instead of %zu: %s", name, listing->count, count,
                 listing->error.message);
    }
}

static void test_pages_share_connection(void **state) {
    struct server *server =
        server_start(SCRIPT(EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_PAGE_2), AWAIT_CLOSE));
    (void)state;
    const struct listing listing = list(server, 0, ATTEMPT_MS);
    assert_int_equal(listing.error.result, REPLY_OK);
    expect_listed("two pages", &listing, 3);
    assert_int_equal(server_connection_count(server), 1);
    assert_non_null(strstr(server_request(server, 0).text,
                           "GET /v4/sequences/100/contacts?top=10&skip=0 HTTP/1.1\r\n"));
    assert_non_null(strstr(server_request(server, 1).text,
                           "GET /v4/sequences/100/contacts?top=10&skip=1 HTTP/1.1\r\n"));
}

/* ---- Faults ---- */

/* A fault after the request for the second page. */
static const struct fault {
    const char *name;
    reply_result result; /* of a call without retries */
    int32_t http_status;
    int32_t attempts; /* of the second page, with a retry that succeeds; 0: final */
    struct server_step steps[6];
} faults[] = {
    /* clang-format off */
    /* libcurl itself sends the request again, because an idle connection may just have closed. */
    {"close instead of page", REPLY_ERROR_NETWORK, 0, 1,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, CLOSE}},
    {"close after headers", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_HEADERS LENGTH(271))}},
    {"close in page", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_HEADERS LENGTH(271) HALF_PAGE)}},
    {"reset in page", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_HEADERS LENGTH(271) HALF_PAGE), RESET}},
    {"truncated chunk", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CHUNKED "10f\r\n" HALF_PAGE)}},
    {"missing last chunk", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CHUNKED "10f\r\n" PAGE_2 "\r\n")}},
    {"invalid chunk size", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CHUNKED "zz\r\n" PAGE_2 "\r\n0\r\n\r\n")}},
    {"silence in page", REPLY_ERROR_TIMEOUT, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_HEADERS LENGTH(271) HALF_PAGE), AWAIT_CLOSE}},
    {"page byte by byte", REPLY_ERROR_TIMEOUT, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND_SLOWLY(OK_HEADERS LENGTH(271) PAGE_2, 100),
      AWAIT_CLOSE}},
    {"garbage", REPLY_ERROR_NETWORK, 0, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("\x01\x02\xFFgarbage\r\n\r\n")}},
    {"failing service", REPLY_ERROR_SERVER, 503, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("HTTP/1.1 503 No\r\n" LENGTH(0))}},
    {"rate limit without a time", REPLY_ERROR_RATE_LIMITED, 429, 2,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("HTTP/1.1 429 No\r\n" LENGTH(0))}},

    {"missing sequence", REPLY_ERROR_NOT_FOUND, 404, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("HTTP/1.1 404 No\r\n" LENGTH(0))}},
    {"rejected key", REPLY_ERROR_UNAUTHORIZED, 401, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("HTTP/1.1 401 No\r\n" LENGTH(0))}},
    {"redirect", REPLY_ERROR_HTTP, 302, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND("HTTP/1.1 302 No\r\nLocation: /\r\n" LENGTH(0))}},
    {"partial content", REPLY_ERROR_HTTP, 206, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT,
      SEND("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-270/999\r\n" LENGTH(271) PAGE_2)}},
    {"cut page without length", REPLY_ERROR_INVALID_RESPONSE, 200, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CLOSED HALF_PAGE)}},
    {"length shorter than page", REPLY_ERROR_INVALID_RESPONSE, 200, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_HEADERS LENGTH(270) PAGE_2)}},
    {"two pages in one response", REPLY_ERROR_INVALID_RESPONSE, 200, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CLOSED PAGE_2 PAGE_2)}},
    {"HTML", REPLY_ERROR_INVALID_RESPONSE, 200, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CLOSED "<html>Sign in</html>")}},
    {"page that is not compressed", REPLY_ERROR_INVALID_RESPONSE, 200, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT,
      SEND(OK_HEADERS "Content-Encoding: gzip\r\n" LENGTH(271) PAGE_2)}},
    {"endless page", REPLY_ERROR_RESPONSE_TOO_LARGE, 0, 0,
     {EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_CLOSED "{\"items\":[" ITEM(2)),
      SEND_ENDLESSLY("                                                                ")}},
    /* clang-format on */
};

/* Short for a fault that ends with it, but long enough for the first page. */
static int64_t timeout_of(const struct fault *fault) {
    return fault->result == REPLY_ERROR_TIMEOUT ? 1000 : ATTEMPT_MS;
}

/* Nothing of the second page is delivered, although its first items may have arrived. */
static void test_fault_in_page_ends_list(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        const struct listing listing = list(
            server_start_two_scripts(faults[i].steps, SCRIPT(EXPECT)), 0, timeout_of(&faults[i]));
        if (listing.error.result != faults[i].result ||
            listing.error.http_status != faults[i].http_status || listing.error.attempts != 1) {
            fail_msg("%s: %s after %d attempts, HTTP %d: %s", faults[i].name,
                     reply_result_name(listing.error.result), (int)listing.error.attempts,
                     (int)listing.error.http_status, listing.error.message);
        }
        expect_listed(faults[i].name, &listing, 2);
        expect_words(&listing.error, "contacts of sequence 100 from 1: ");
        wire_tear_down(NULL);
    }
}

/* Contact 2 is on both pages and must not be delivered again. */
static void test_retry_continues_list(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct server *server =
            server_start_two_scripts(faults[i].steps, SCRIPT(EXPECT, SEND(OK_PAGE_2)));
        const struct listing listing = list(server, 1, timeout_of(&faults[i]));
        if ((listing.error.result == REPLY_OK) != (faults[i].attempts > 0)) {
            fail_msg("%s: %s", faults[i].name, listing.error.message);
        }
        expect_listed(faults[i].name, &listing, faults[i].attempts > 0 ? 3 : 2);
        assert_int_equal(listing.attempts[1], 1);
        if (faults[i].attempts > 0) {
            assert_int_equal(listing.attempts[2], faults[i].attempts);
            assert_int_equal(listing.error.attempts, 0);
        }
        wire_tear_down(NULL);
    }
}

/* A cut must never pass for the end of the list, wherever it is. */
static void test_page_cut_anywhere_ends_list(void **state) {
    static const char response[] = OK_PAGE_2;
    (void)state;
    for (size_t length = sizeof response - 2; length > 0; length--) {
        const struct server_step steps[] = {
            EXPECT, SEND(OK_PAGE_1), EXPECT, {SERVER_SEND, response, length, 1, 0}, CLOSE};
        const struct listing listing =
            list(server_start_two_scripts(steps, SCRIPT(EXPECT)), 0, ATTEMPT_MS);
        assert_int_equal(listing.error.result, REPLY_ERROR_NETWORK);
        expect_listed("cut", &listing, 2);
        wire_tear_down(NULL);
    }
}

/* ---- Aborted transfers ---- */

/* Creates a client whose first connection falls silent in the second page. */
static reply_client *create_client_of_silent_server(struct server **server) {
    *server = server_start_two_scripts(SCRIPT(EXPECT, SEND(OK_PAGE_1), EXPECT,
                                              SEND(OK_HEADERS LENGTH(271) HALF_PAGE), AWAIT_CLOSE),
                                       SCRIPT(EXPECT, SEND(OK_PAGE_1), EXPECT, SEND(OK_PAGE_2)));
    return wire_create_client(server_url(*server));
}

/* Catches a call that uses the connection with the rest of the page. */
static void expect_list_on_new_connection(reply_client *client, struct server *server) {
    const struct listing listing = list_with(client);
    assert_int_equal(listing.error.result, REPLY_OK);
    expect_listed("after the abort", &listing, 3);
    assert_int_equal(server_connection_count(server), 2);
}

struct interrupter {
    reply_client *client;
    struct server *server;
};

static void *interrupt_in_second_page(void *context) {
    const struct interrupter *interrupter = context;
    while (server_request_count(interrupter->server) < 2) {
        timing_sleep_ms(5);
    }
    timing_sleep_ms(50); /* so that half of the page has usually arrived */
    reply_client_interrupt(interrupter->client);
    return NULL;
}

static void test_interrupt_aborts_page(void **state) {
    struct interrupter interrupter;
    pthread_t thread;
    (void)state;
    interrupter.client = create_client_of_silent_server(&interrupter.server);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_in_second_page, &interrupter), 0);
    const struct listing listing = list_with(interrupter.client);
    pthread_join(thread, NULL);
    assert_int_equal(listing.error.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(listing.error.attempts, 1);
    expect_listed("interrupt", &listing, 2);
    expect_list_on_new_connection(interrupter.client, interrupter.server);
}

static void test_deadline_aborts_page(void **state) {
    struct server *server = NULL;
    reply_client *client = create_client_of_silent_server(&server);
    (void)state;
    assert_int_equal(reply_client_set_timeout_ms(client, timing_scale_ms(1500), NULL), REPLY_OK);
    const struct listing listing = list_with(client);
    assert_int_equal(listing.error.result, REPLY_ERROR_TIMEOUT);
    assert_int_equal(listing.error.attempts, 1);
    expect_listed("deadline", &listing, 2);
    expect_list_on_new_connection(client, server);
}

/* ---- Sizes ---- */

static void test_page_of_16_mib_is_accepted(void **state) {
    struct server *server =
        server_start(SCRIPT(EXPECT, SEND(OK_HEADERS LENGTH(16777216)),
                            SEND_TIMES(" ", MAX_PAGE_SIZE - PAGE_2_SIZE), SEND(PAGE_2)));
    struct listing listing = {.count = 0};
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(
        reply_list_sequence_contacts(client, 100, keep_delivery, &listing, &listing.error),
        REPLY_OK);
    assert_int_equal(listing.count, 2);
}

/* The Content-Length alone is enough to reject the page. */
static void test_larger_page_is_rejected(void **state) {
    static const struct {
        const char *name;
        struct server_step steps[5];
    } rows[] = {
        {"by its length", {EXPECT, SEND(OK_HEADERS LENGTH(16777217)), AWAIT_CLOSE}},
        {"by its bytes",
         {EXPECT, SEND(OK_CLOSED), SEND_TIMES(" ", MAX_PAGE_SIZE - PAGE_2_SIZE + 1), SEND(PAGE_2)}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct listing listing = {.count = 0};
        reply_client *client = wire_create_client(server_url(server_start(rows[i].steps)));
        assert_int_equal(
            reply_list_sequence_contacts(client, 100, keep_delivery, &listing, &listing.error),
            REPLY_ERROR_RESPONSE_TOO_LARGE);
        expect_listed(rows[i].name, &listing, 0);
        expect_words(&listing.error, "over 16 MiB");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_pages_share_connection),     WIRE_TEST(test_fault_in_page_ends_list),
        WIRE_TEST(test_retry_continues_list),       WIRE_TEST(test_page_cut_anywhere_ends_list),
        WIRE_TEST(test_interrupt_aborts_page),      WIRE_TEST(test_deadline_aborts_page),
        WIRE_TEST(test_page_of_16_mib_is_accepted), WIRE_TEST(test_larger_page_is_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
