/* test_atfork_failure.c - a process in which the library cannot ask to be told of forks, for lack
 * of memory when it was loaded: what would need that says so, and the rest works. */
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

static void creates_no_client(void **state) {
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

/* Only cJSON, which decodes escapes, needs the lock. */
static void decodes_what_has_no_escapes(void **state) {
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(creates_no_client),
                                       cmocka_unit_test(decodes_what_has_no_escapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
