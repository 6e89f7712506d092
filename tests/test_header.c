/* test_header.c - the order, the width and the values of the public types, which bindings copy, and the version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "replyio.h"

static void has_errors_of_1024_bytes(void **state) {
    (void)state;
    assert_int_equal(sizeof(reply_error), 1024);
    assert_int_equal(offsetof(reply_error, result), 0);
    assert_int_equal(offsetof(reply_error, http_status), 4);
    assert_int_equal(offsetof(reply_error, curl_code), 8);
    assert_int_equal(offsetof(reply_error, attempts), 12);
    assert_int_equal(offsetof(reply_error, retry_after_ms), 16);
    assert_int_equal(offsetof(reply_error, problem_code), 24);
    assert_int_equal(offsetof(reply_error, request_id), 88);
    assert_int_equal(offsetof(reply_error, message), 152);
    assert_int_equal(offsetof(reply_error, reserved), 664);
    assert_int_equal(sizeof((reply_error *)NULL)->reserved, 360);
}

static void has_enums_of_4_bytes(void **state) {
    (void)state;
    assert_int_equal(sizeof(reply_result), 4);
    assert_int_equal(sizeof(reply_contact_status), 4);
    assert_int_equal(sizeof(reply_contact_sub_status), 4);
}

static void numbers_the_results(void **state) {
    (void)state;
    assert_int_equal(REPLY_OK, 0);
    assert_int_equal(REPLY_ERROR_INVALID_ARGUMENT, 1);
    assert_int_equal(REPLY_ERROR_NO_MEMORY, 2);
    assert_int_equal(REPLY_ERROR_CANCELLED, 3);
    assert_int_equal(REPLY_ERROR_NETWORK, 4);
    assert_int_equal(REPLY_ERROR_TLS, 5);
    assert_int_equal(REPLY_ERROR_TIMEOUT, 6);
    assert_int_equal(REPLY_ERROR_RESPONSE_TOO_LARGE, 7);
    assert_int_equal(REPLY_ERROR_INVALID_RESPONSE, 8);
    assert_int_equal(REPLY_ERROR_BAD_REQUEST, 9);
    assert_int_equal(REPLY_ERROR_UNAUTHORIZED, 10);
    assert_int_equal(REPLY_ERROR_FORBIDDEN, 11);
    assert_int_equal(REPLY_ERROR_NOT_FOUND, 12);
    assert_int_equal(REPLY_ERROR_RATE_LIMITED, 13);
    assert_int_equal(REPLY_ERROR_SERVER, 14);
    assert_int_equal(REPLY_ERROR_HTTP, 15);
}

static void numbers_the_statuses(void **state) {
    (void)state;
    assert_int_equal(REPLY_CONTACT_STATUS_UNKNOWN, 0);
    assert_int_equal(REPLY_CONTACT_STATUS_ACTIVE, 1);
    assert_int_equal(REPLY_CONTACT_STATUS_PAUSED, 2);
    assert_int_equal(REPLY_CONTACT_STATUS_FINISHED, 3);
    assert_int_equal(REPLY_CONTACT_STATUS_INACTIVE, 4);
    assert_int_equal(REPLY_CONTACT_STATUS_OUT_OF_OFFICE, 5);
    assert_int_equal(REPLY_CONTACT_SUB_STATUS_UNKNOWN, 0);
    assert_int_equal(REPLY_CONTACT_SUB_STATUS_NULL, 1);
    assert_int_equal(REPLY_CONTACT_SUB_STATUS_NONE, 2);
    assert_int_equal(REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED, 3);
}

/* The offsets of a machine whose pointers have 8 bytes. */
static void orders_the_members_of_a_contact(void **state) {
    (void)state;
    if (sizeof(void *) != 8) {
        print_message("skipped: pointers do not have 8 bytes here\n");
        skip();
    }
    assert_int_equal(sizeof(reply_datetime), 32);
    assert_int_equal(offsetof(reply_datetime, text), 0);
    assert_int_equal(offsetof(reply_datetime, unix_seconds), 8);
    assert_int_equal(offsetof(reply_datetime, nanoseconds), 16);
    assert_int_equal(offsetof(reply_datetime, utc_offset_seconds), 20);
    assert_int_equal(offsetof(reply_datetime, has_time), 24);
    assert_int_equal(offsetof(reply_datetime, has_utc_offset), 25);
    assert_int_equal(offsetof(reply_sequence_contact, contact_id), 0);
    assert_int_equal(offsetof(reply_sequence_contact, sequence_id), 8);
    assert_int_equal(offsetof(reply_sequence_contact, email), 16);
    assert_int_equal(offsetof(reply_sequence_contact, first_name), 24);
    assert_int_equal(offsetof(reply_sequence_contact, last_name), 32);
    assert_int_equal(offsetof(reply_sequence_contact, company), 40);
    assert_int_equal(offsetof(reply_sequence_contact, title), 48);
    assert_int_equal(offsetof(reply_sequence_contact, status), 56);
    assert_int_equal(offsetof(reply_sequence_contact, status_text), 64);
    assert_int_equal(offsetof(reply_sequence_contact, sub_status), 72);
    assert_int_equal(offsetof(reply_sequence_contact, sub_status_text), 80);
    assert_int_equal(offsetof(reply_sequence_contact, current_step), 88);
    assert_int_equal(offsetof(reply_sequence_contact, adding_date), 96);
    assert_int_equal(offsetof(reply_sequence_contact, moving_date), 128);
    assert_int_equal(offsetof(reply_sequence_contact, next_send_after), 160);
    assert_int_equal(offsetof(reply_sequence_contact, is_opted_out), 192);
    assert_int_equal(offsetof(reply_sequence_contact, has_email_account_id), 193);
    assert_int_equal(offsetof(reply_sequence_contact, email_account_id), 200);
    assert_int_equal(offsetof(reply_sequence_contact, has_linkedin_account_id), 208);
    assert_int_equal(offsetof(reply_sequence_contact, linkedin_account_id), 216);
    assert_int_equal(offsetof(reply_sequence_contact, has_icp_score), 224);
    assert_int_equal(offsetof(reply_sequence_contact, icp_score), 232);
    assert_int_equal(offsetof(reply_sequence_contact, json), 240);
    assert_int_equal(offsetof(reply_sequence_contact, json_length), 248);
}

static void tells_its_version(void **state) {
    (void)state;
    assert_string_equal(reply_version(), REPLYIO_VERSION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_errors_of_1024_bytes),
        cmocka_unit_test(has_enums_of_4_bytes),
        cmocka_unit_test(numbers_the_results),
        cmocka_unit_test(numbers_the_statuses),
        cmocka_unit_test(orders_the_members_of_a_contact),
        cmocka_unit_test(tells_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
