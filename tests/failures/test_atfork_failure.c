/* test_atfork_failure.c - a process in which pthread_atfork was out of memory when the library was
 * loaded. Functions that depend on it must fail, and all others must work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "replyio.h"

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    (void)prepare;
    (void)parent;
    (void)child;
    return ENOMEM;
}

static void test_client_is_not_created(void **state) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)state;
    assert_int_equal(reply_client_create("k3y-Secret", &client, &error), REPLY_ERROR_NO_MEMORY);
    assert_int_equal(error.result, REPLY_ERROR_NO_MEMORY);
    assert_null(client);
}

#define CONTACT(email)                                                                             \
    "{\"contactId\":1,\"sequenceId\":2,\"email\":\"" email                                         \
    "\",\"status\":\"Active\",\"currentStep\":3,\"addingDate\":\"\","                              \
    "\"isOptedOut\":true}"

/* Decoding needs the lock only for escapes, which cJSON decodes. */
static void test_only_escapes_are_not_decoded(void **state) {
    reply_sequence_contact *contact = NULL;
    (void)state;
    assert_int_equal(
        reply_decode_sequence_contact(CONTACT("a@b"), strlen(CONTACT("a@b")), &contact, NULL),
        REPLY_OK);
    assert_string_equal(contact->email, "a@b");
    reply_sequence_contact_free(contact);
    assert_int_equal(reply_decode_sequence_contact(CONTACT("a\\u0040b"),
                                                   strlen(CONTACT("a\\u0040b")), &contact, NULL),
                     REPLY_ERROR_NO_MEMORY);
    assert_null(contact);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_client_is_not_created),
                                       cmocka_unit_test(test_only_escapes_are_not_decoded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
