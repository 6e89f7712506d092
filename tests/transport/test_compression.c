/* test_compression.c - compressed responses: what is read, the limit on decoded bytes, and bodies
 * that cannot be decompressed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/check_range.h"
#include "support/check_error.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define GZIP_HEADERS OK_HEADERS "Content-Encoding: gzip\r\n"

#define CONTACT                                                                                    \
    "{\"contactId\":12345,\"sequenceId\":100,\"email\":\"who@example.com\",\"status\":\"Active\"," \
    "\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":false}"

/* ---- gzip ---- */

enum { MAX_GZIP = 2 * 1024 * 1024 };

struct gzip {
    size_t length;
    char bytes[MAX_GZIP];
};

static void append(struct gzip *gzip, const char *bytes, size_t length) {
    assert_true(gzip->length + length <= MAX_GZIP);
    memcpy(gzip->bytes + gzip->length, bytes, length);
    gzip->length += length;
}

static void append_number(struct gzip *gzip, uint32_t number, int size) {
    for (int i = 0; i < size; i++) {
        const char byte = (char)(number >> (8 * i) & 0xFF);
        append(gzip, &byte, 1);
    }
}

static uint32_t checksum(const char *bytes, size_t length) {
    uint32_t sum = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        sum ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320 : 0);
        }
    }
    return ~sum;
}

/* Wraps bytes, at most 65,535, in a gzip file whose comment has comment_length bytes. They are not
 * made smaller. */
static void make_gzip(struct gzip *gzip, const char *bytes, size_t length, size_t comment_length) {
    gzip->length = 0;
    append(gzip, "\x1f\x8b\x08\x10\0\0\0\0\0\x03", 10);
    memset(gzip->bytes + gzip->length, 'c', comment_length);
    gzip->length += comment_length;
    append(gzip, "\0\x01", 2); /* the comment's end; a last block that is stored */
    append_number(gzip, (uint32_t)length, 2);
    append_number(gzip, ~(uint32_t)length, 2);
    append(gzip, bytes, length);
    append_number(gzip, checksum(bytes, length), 4);
    append_number(gzip, (uint32_t)length, 4);
}

static struct server_step send_gzip(const struct gzip *gzip) {
    return (struct server_step){SERVER_SEND, gzip->bytes, gzip->length, 1, 0};
}

/* 32 KiB that decompress to 32 MiB. */
static void read_bomb(struct gzip *bomb) {
    FILE *file = fopen(FIXTURES "/wire/bomb.gz", "rb");
    assert_non_null(file);
    bomb->length = fread(bomb->bytes, 1, MAX_GZIP, file);
    fclose(file);
    check_in_range(bomb->length, 30000, 65535);
}

/* Fetches with one retry from a server that plays the script. */
static reply_result fetch(const struct server_step *script, reply_error *error) {
    reply_client *client = wire_create_client_of(script);
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    return wire_fetch_one(client, error);
}

static struct gzip gzip, outer;

/* ---- What is read ---- */

static void test_gzip_is_requested_and_read(void **state) {
    (void)state;
    make_gzip(&gzip, CONTACT, strlen(CONTACT), 0);
    struct server *server =
        server_start(SCRIPT(EXPECT, SEND(GZIP_HEADERS "\r\n"), send_gzip(&gzip)));
    assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), NULL), REPLY_OK);
    assert_non_null(strstr(server_request(server, 0).text, "\r\nAccept-Encoding: gzip\r\n"));
}

static void test_gzip_is_read_in_any_framing(void **state) {
    char length[64];
    char chunk[16];
    (void)state;
    make_gzip(&gzip, CONTACT, strlen(CONTACT), 0);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", gzip.length);
    snprintf(chunk, sizeof chunk, "%zx\r\n", gzip.length);
    assert_int_equal(
        fetch(SCRIPT(EXPECT, SEND(GZIP_HEADERS), SEND_TEXT(length), send_gzip(&gzip), AWAIT_CLOSE),
              NULL),
        REPLY_OK);
    assert_int_equal(
        fetch(SCRIPT(EXPECT, SEND(GZIP_HEADERS "Transfer-Encoding: chunked\r\n\r\n"),
                     SEND_TEXT(chunk), send_gzip(&gzip), SEND("\r\n0\r\n\r\n"), AWAIT_CLOSE),
              NULL),
        REPLY_OK);
    assert_int_equal(fetch(SCRIPT(EXPECT, SEND(OK_HEADERS "content-encoding:  x-gzip \r\n\r\n"),
                                  send_gzip(&gzip)),
                           NULL),
                     REPLY_OK);
}

static void test_compressed_problem_keeps_its_code(void **state) {
    static const char problem[] = "{\"code\":\"contact.notFound\",\"title\":\"No such contact\"}";
    reply_error error;
    (void)state;
    make_gzip(&gzip, problem, strlen(problem), 0);
    assert_int_equal(fetch(SCRIPT(EXPECT, SEND("HTTP/1.1 404 No\r\nContent-Encoding: gzip\r\n\r\n"),
                                  send_gzip(&gzip)),
                           &error),
                     REPLY_ERROR_NOT_FOUND);
    assert_string_equal(error.problem_code, "contact.notFound");
    expect_words(&error, "No such contact");
    assert_int_equal(error.http_status, 404);
    assert_int_equal(error.attempts, 1);
}

/* ---- Limits ---- */

/* The limit is on decoded bytes. Would catch a rejection for the length on the wire. */
static void test_length_of_gzip_is_unlimited(void **state) {
    char length[64];
    (void)state;
    make_gzip(&gzip, CONTACT, strlen(CONTACT), 1500000);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", gzip.length);
    assert_int_equal(
        fetch(SCRIPT(EXPECT, SEND(GZIP_HEADERS), SEND_TEXT(length), send_gzip(&gzip), AWAIT_CLOSE),
              NULL),
        REPLY_OK);
}

/* The server sends only what decompresses to a few MiB, and then waits. Would catch a client that
 * decompresses more than that, or a retry. */
static void test_gzip_bomb_ends_at_limit(void **state) {
    enum { FIRST_BYTES = 4096 };
    (void)state;
    read_bomb(&gzip);
    make_gzip(&outer, gzip.bytes, gzip.length, 0);
    const struct {
        const char *coding;
        const struct gzip *sent;
    } cases[] = {{"gzip", &gzip}, {"gzip, gzip", &outer}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[128];
        reply_error error;
        snprintf(headers, sizeof headers, "%sContent-Encoding: %s\r\n\r\n", OK_HEADERS,
                 cases[i].coding);
        const struct server_step first = {SERVER_SEND, cases[i].sent->bytes, FIRST_BYTES, 1, 0};
        const int64_t started_ms = timing_now_ms();
        assert_int_equal(fetch(SCRIPT(EXPECT, SEND_TEXT(headers), first, AWAIT_CLOSE), &error),
                         REPLY_ERROR_RESPONSE_TOO_LARGE);
        assert_int_equal(error.attempts, 1);
        assert_true(timing_now_ms() - started_ms < timing_scale_ms(2000));
    }
}

/* How libcurl treats a transfer coding that was not requested. */
static enum { DECODED, IGNORED, REJECTED } transfer_coding_treatment(void) {
    const unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    return version < 0x080100 ? DECODED : version < 0x080E00 ? IGNORED : REJECTED;
}

static void test_transfer_coding_bomb_ends_at_limit(void **state) {
    const reply_result expected = transfer_coding_treatment() == DECODED
                                      ? REPLY_ERROR_RESPONSE_TOO_LARGE
                                      : REPLY_ERROR_INVALID_RESPONSE;
    reply_error error;
    (void)state;
    read_bomb(&gzip);
    const reply_result result =
        fetch(SCRIPT(EXPECT, SEND(OK_HEADERS "Transfer-Encoding: gzip\r\n\r\n"), send_gzip(&gzip)),
              &error);
    assert_int_equal(result, expected);
    assert_int_equal(error.attempts, 1);
}

static void test_bomb_of_other_status_is_truncated(void **state) {
    static const char *const codings[] = {"Content-Encoding", "Transfer-Encoding"};
    (void)state;
    read_bomb(&gzip);
    for (size_t i = 0; i < COUNT(codings); i++) {
        char headers[128];
        reply_error error;
        snprintf(headers, sizeof headers, "HTTP/1.1 403 No\r\n%s: gzip\r\n\r\n", codings[i]);
        assert_int_equal(fetch(SCRIPT(EXPECT, SEND_TEXT(headers), send_gzip(&gzip)), &error),
                         REPLY_ERROR_FORBIDDEN);
        assert_int_equal(error.http_status, 403);
    }
}

/* ---- Pages ---- */

#define PAGE "{\"items\":[" CONTACT "],\"hasMore\":false}"

static int count_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                         const reply_error *error, void *user_data) {
    (void)index;
    (void)error;
    assert_int_equal(result, REPLY_OK);
    reply_sequence_contact_free(contact);
    ++*(int *)user_data;
    return 0;
}

/* Lists a sequence whose only page is sent as one gzip file. Returns the number of deliveries. */
static int list_from(const struct gzip *page, size_t length, reply_error *error) {
    const struct server_step send_part = {SERVER_SEND, page->bytes, length, 1, 0};
    int count = 0;
    reply_client *client =
        wire_create_client_of(SCRIPT(EXPECT, SEND(GZIP_HEADERS "\r\n"), send_part));
    reply_list_sequence_contacts(client, 100, count_contact, &count, error);
    return count;
}

static void test_gzip_page_is_read(void **state) {
    reply_error error;
    (void)state;
    make_gzip(&gzip, PAGE, strlen(PAGE), 0);
    assert_int_equal(list_from(&gzip, gzip.length, &error), 1);
    assert_int_equal(error.result, REPLY_OK);
}

/* Would catch a cut page that passes for a shorter list. The last 8 bytes are only a checksum and a
 * length. */
static void test_cut_gzip_page_is_rejected(void **state) {
    reply_error error;
    (void)state;
    make_gzip(&gzip, PAGE, strlen(PAGE), 0);
    for (size_t length = 0; length < gzip.length - 8; length++) {
        assert_int_equal(list_from(&gzip, length, &error), 0);
        assert_int_equal(error.result, REPLY_ERROR_INVALID_RESPONSE);
        assert_int_equal(error.http_status, 200);
        wire_tear_down(NULL);
    }
}

/* The bomb has 32 MiB, and the limit of a page is 16 MiB. */
static void test_gzip_bomb_is_too_large_page(void **state) {
    reply_error error;
    (void)state;
    read_bomb(&gzip);
    assert_int_equal(list_from(&gzip, gzip.length, &error), 0);
    assert_int_equal(error.result, REPLY_ERROR_RESPONSE_TOO_LARGE);
    expect_words(&error, "over 16 MiB");
}

/* ---- What cannot be decompressed ---- */

static void expect_invalid(const char *name, const char *headers, const char *bytes,
                           size_t length) {
    reply_error error;
    const struct server_step send_body = {SERVER_SEND, bytes, length, 1, 0};
    struct server *server = server_start(SCRIPT(EXPECT, SEND_TEXT(headers), send_body));
    reply_client *client = wire_create_client(server_url(server));
    assert_int_equal(reply_client_set_max_retries(client, 1, NULL), REPLY_OK);
    const reply_result result = wire_fetch_one(client, &error);
    if (result != REPLY_ERROR_INVALID_RESPONSE || error.http_status != 200 || error.attempts != 1 ||
        server_request_count(server) != 1 || strstr(error.message, "example.com") != NULL) {
        fail_msg("%s: %s, status %d, %d attempts: %s", name, reply_result_name(result),
                 error.http_status, error.attempts, error.message);
    }
}

static void test_invalid_gzip_is_invalid_response(void **state) {
    (void)state;
    make_gzip(&gzip, CONTACT, strlen(CONTACT), 0);
    expect_invalid("plain text", GZIP_HEADERS "\r\n", CONTACT, strlen(CONTACT));
    expect_invalid("truncated header", GZIP_HEADERS "\r\n", gzip.bytes, 5);
    expect_invalid("truncated body", GZIP_HEADERS "\r\n", gzip.bytes, gzip.length / 2);
    expect_invalid("empty body", GZIP_HEADERS "\r\n", "", 0);
    gzip.bytes[gzip.length - 8] ^= 1;
    expect_invalid("wrong checksum", GZIP_HEADERS "\r\n", gzip.bytes, gzip.length);
    gzip.bytes[2] = 9;
    expect_invalid("unknown method", GZIP_HEADERS "\r\n", gzip.bytes, gzip.length);
}

/* The body is a contact, but the server says that it is something else. */
static void test_unknown_coding_is_invalid_response(void **state) {
    static const char *const codings[] = {
        "rot13", "br", "zstd", "compress", "gzip, rot13", "gzip, gzip, gzip, gzip, gzip, gzip"};
    (void)state;
    for (size_t i = 0; i < COUNT(codings); i++) {
        char headers[128];
        snprintf(headers, sizeof headers, "%sContent-Encoding: %s\r\n\r\n", OK_HEADERS, codings[i]);
        expect_invalid(codings[i], headers, CONTACT, strlen(CONTACT));
    }
}

static void test_unknown_transfer_coding_is_final(void **state) {
    const reply_result expected =
        transfer_coding_treatment() == IGNORED ? REPLY_OK : REPLY_ERROR_INVALID_RESPONSE;
    reply_error error;
    (void)state;
    const reply_result result =
        fetch(SCRIPT(EXPECT, SEND(OK_HEADERS "Transfer-Encoding: rot13\r\n\r\n" CONTACT)), &error);
    assert_int_equal(result, expected);
    assert_int_equal(error.http_status, result == REPLY_OK ? 0 : 200);
    assert_int_equal(error.attempts, 1);
}

static void test_status_decides_despite_invalid_gzip(void **state) {
    static const char *const codings[] = {"gzip", "rot13", "gzip, gzip, gzip, gzip, gzip, gzip"};
    (void)state;
    for (size_t i = 0; i < COUNT(codings); i++) {
        char headers[128];
        reply_error error;
        snprintf(headers, sizeof headers, "HTTP/1.1 404 No\r\nContent-Encoding: %s\r\n\r\n{}",
                 codings[i]);
        assert_int_equal(fetch(SCRIPT(EXPECT, SEND_TEXT(headers)), &error), REPLY_ERROR_NOT_FOUND);
        assert_int_equal(error.http_status, 404);
        assert_int_equal(error.curl_code, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_gzip_is_requested_and_read),
        WIRE_TEST(test_gzip_is_read_in_any_framing),
        WIRE_TEST(test_compressed_problem_keeps_its_code),
        WIRE_TEST(test_length_of_gzip_is_unlimited),
        WIRE_TEST(test_gzip_bomb_ends_at_limit),
        WIRE_TEST(test_transfer_coding_bomb_ends_at_limit),
        WIRE_TEST(test_bomb_of_other_status_is_truncated),
        WIRE_TEST(test_gzip_page_is_read),
        WIRE_TEST(test_cut_gzip_page_is_rejected),
        WIRE_TEST(test_gzip_bomb_is_too_large_page),
        WIRE_TEST(test_invalid_gzip_is_invalid_response),
        WIRE_TEST(test_unknown_coding_is_invalid_response),
        WIRE_TEST(test_unknown_transfer_coding_is_final),
        WIRE_TEST(test_status_decides_despite_invalid_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
