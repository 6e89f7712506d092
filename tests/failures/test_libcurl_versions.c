/* test_libcurl_versions.c - libcurl's initialisation, which can fail, and its version, which
 * decides if easy handles are reused. Each case runs in its own child, because both happen once per
 * process. */
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
static int handle_count;
static int failing_init_count;

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
    handle_count++;
    return __real_curl_easy_init();
}

CURLcode __real_curl_global_init(long flags);
CURLcode __wrap_curl_global_init(long flags);

CURLcode __wrap_curl_global_init(long flags) {
    return failing_init_count-- > 0 ? CURLE_FAILED_INIT : __real_curl_global_init(flags);
}

/* ---- The version ---- */

enum { TRANSFER_COUNT = 3, FAILED = 100 };

/* Returns the number of easy handles that the transfers use. */
static int count_handles(void *version) {
    reply_client *client = NULL;
    version_num = *(const unsigned int *)version;
    if (reply_client_create("k3y-Secret", &client, NULL) != REPLY_OK ||
        reply_client_set_base_url(client, base_url, NULL) != REPLY_OK) {
        return FAILED;
    }
    for (int64_t id = 1; id <= TRANSFER_COUNT; id++) {
        reply_sequence_contact *contact = NULL;
        if (reply_get_sequence_contact(client, 100, id, &contact, NULL) != REPLY_OK ||
            contact->contact_id != id) {
            return FAILED;
        }
        reply_sequence_contact_free(contact);
    }
    reply_client_destroy(client);
    return handle_count;
}

/* A reused handle of 7.83.0 to 8.1.0 can read freed memory; elsewhere a new one would be waste. */
static void test_version_decides_handle_reuse(void **state) {
    static const struct {
        unsigned int version;
        int handle_count;
    } cases[] = {
        {0x0752FF, 1},
        {0x075300, TRANSFER_COUNT},
        {0x080100, TRANSFER_COUNT},
        {0x080101, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned int version = cases[i].version;
        assert_int_equal(child_run(count_handles, &version), cases[i].handle_count);
    }
}

/* ---- The initialisation ---- */

/* Returns 0, or the number of the check that failed. */
static int check_initialisation(void *unused) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)unused;
    failing_init_count = 1;
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_ERROR_NO_MEMORY ||
        client != NULL || error.result != REPLY_ERROR_NO_MEMORY) {
        return 1;
    }
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_OK ||
        failing_init_count != -1) {
        return 2;
    }
    reply_client_destroy(client);
    /* The second client must not initialise libcurl again. */
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_OK ||
        failing_init_count != -1) {
        return 3;
    }
    reply_client_destroy(client);
    return 0;
}

static void test_failed_initialisation_is_retried(void **state) {
    (void)state;
    assert_int_equal(child_run(check_initialisation, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_version_decides_handle_reuse),
                                       cmocka_unit_test(test_failed_initialisation_is_retried)};
    const pid_t server = contact_server_start(base_url);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    contact_server_stop(server);
    return failed;
}
