/* test_libcurl_versions.c - what a process meets once: libcurl's initialisation, which may fail,
 * and its version, which decides whether a handle serves one transfer or many. Each is met in a
 * child of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/child.h"
#include "replyio.h"
#include "support/contact_server.h"

static char base_url[64];

static unsigned int version_num;
static int handles;
static int failing_inits;

curl_version_info_data *__real_curl_version_info(CURLversion age);
curl_version_info_data *__wrap_curl_version_info(CURLversion age);

curl_version_info_data *__wrap_curl_version_info(CURLversion age) {
    static curl_version_info_data data;
    data = *__real_curl_version_info(age);
    data.version_num = version_num;
    return &data;
}

CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);

CURL *__wrap_curl_easy_init(void) {
    handles++;
    return __real_curl_easy_init();
}

CURLcode __real_curl_global_init(long flags);
CURLcode __wrap_curl_global_init(long flags);

CURLcode __wrap_curl_global_init(long flags) {
    return failing_inits-- > 0 ? CURLE_FAILED_INIT : __real_curl_global_init(flags);
}

/* ---- The version ---- */

enum { TRANSFERS = 3, FAILED = 100 };

/* How many handles so many transfers take. */
static int count_handles(void *version) {
    reply_client *client = NULL;
    version_num = *(const unsigned int *)version;
    if (reply_client_create("k3y-Secret", &client, NULL) != REPLY_OK ||
        reply_client_set_base_url(client, base_url, NULL) != REPLY_OK) {
        return FAILED;
    }
    for (int64_t id = 1; id <= TRANSFERS; id++) {
        reply_sequence_contact *contact = NULL;
        if (reply_get_sequence_contact(client, 100, id, &contact, NULL) != REPLY_OK ||
            contact->contact_id != id) {
            return FAILED;
        }
        reply_sequence_contact_free(contact);
    }
    reply_client_destroy(client);
    return handles;
}

static void test_handles(void **state) {
    unsigned int before = 0x0752FF;
    unsigned int first = 0x075300;
    unsigned int last = 0x080100;
    unsigned int after = 0x080101;
    (void)state;
    assert_int_equal(child_run(count_handles, &before), 1);
    assert_int_equal(child_run(count_handles, &first), TRANSFERS);
    assert_int_equal(child_run(count_handles, &last), TRANSFERS);
    assert_int_equal(child_run(count_handles, &after), 1);
}

/* ---- The initialisation ---- */

/* A failure is told, and tried again by the next client; 0: all is well. */
static int fail_to_initialise(void *unused) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)unused;
    failing_inits = 1;
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_ERROR_NO_MEMORY ||
        client != NULL || error.result != REPLY_ERROR_NO_MEMORY) {
        return 1;
    }
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_OK || failing_inits != -1) {
        return 2;
    }
    reply_client_destroy(client);
    /* Once is enough. */
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_OK || failing_inits != -1) {
        return 3;
    }
    reply_client_destroy(client);
    return 0;
}

static void test_initialisation(void **state) {
    (void)state;
    assert_int_equal(child_run(fail_to_initialise, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_handles),
                                       cmocka_unit_test(test_initialisation)};
    const pid_t server = contact_server_start(base_url);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    contact_server_stop(server);
    return failed;
}
