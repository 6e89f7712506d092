/* test_libcurl_versions.c - libcurl's initialisation, which can fail, its version, which decides
 * about remedies, and a libcurl without TLS. Each case runs in its own child, because both
 * happen once per process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <signal.h>

#include "base/error.h"
#include "replyio.h"
#include "support/child.h"
#include "support/contact_server.h"
#include "transport/compat.h"

static char base_url[64];

static unsigned int version_num;
static int handle_count;
static int failing_init_count;
static bool lacks_tls;

curl_version_info_data *__real_curl_version_info(CURLversion age);
curl_version_info_data *__wrap_curl_version_info(CURLversion age);

curl_version_info_data *__wrap_curl_version_info(CURLversion age) {
    static curl_version_info_data data;
    data = *__real_curl_version_info(age);
    data.version_num = version_num != 0 ? version_num : data.version_num;
    data.features &= lacks_tls ? ~CURL_VERSION_SSL : ~0;
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

/* Options by number, because headers of older versions lack names. */
enum { QUICK_EXIT = CURLOPTTYPE_LONG + 322, MULTI_QUICK_EXIT = CURLOPTTYPE_LONG + 21 };

/* The values of options that the library has set; 0 if none. */
static struct {
    long quick_exit;
    long buffer_size;
    long upload_buffer_size;
    long multi_quick_exit;
} options;

/* libcurl's type checks are macros with the same names. */
#undef curl_easy_setopt
#undef curl_multi_setopt

static void note_option(CURLoption option, long value) {
    if ((int)option == QUICK_EXIT) {
        options.quick_exit = value;
    } else if (option == CURLOPT_BUFFERSIZE) {
        options.buffer_size = value;
    } else if (option == CURLOPT_UPLOAD_BUFFERSIZE) {
        options.upload_buffer_size = value;
    }
}

CURLcode __real_curl_easy_setopt(CURL *handle, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *handle, CURLoption option, ...);

/* Fails as a libcurl without TLS does. */
CURLcode __wrap_curl_easy_setopt(CURL *handle, CURLoption option, ...) {
    va_list arguments;
    if (lacks_tls && (option == CURLOPT_SSLVERSION || option == CURLOPT_PROXY_SSLVERSION)) {
        return CURLE_NOT_BUILT_IN;
    }
    va_start(arguments, option);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    note_option(option, (long)(intptr_t)argument);
    return __real_curl_easy_setopt(handle, option, argument);
}

CURLMcode __real_curl_multi_setopt(CURLM *multi, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption option, ...);

CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
    va_list arguments;
    va_start(arguments, option);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if ((int)option == MULTI_QUICK_EXIT) {
        options.multi_quick_exit = (long)(intptr_t)argument;
    }
    return __real_curl_multi_setopt(multi, option, argument);
}

CURLUcode __real_curl_url_set(CURLU *url, CURLUPart part, const char *text, unsigned int flags);
CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart part, const char *text, unsigned int flags);

CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart part, const char *text, unsigned int flags) {
    return lacks_tls && (flags & CURLU_NON_SUPPORT_SCHEME) == 0 &&
                   strncasecmp(text, "https:", 6) == 0
               ? CURLUE_UNSUPPORTED_SCHEME
               : __real_curl_url_set(url, part, text, flags);
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
    /* Catches remedies that do not reach the handles; test_version_decides_options has the rest. */
    if (options.quick_exit != (version_num >= 0x075700 ? 1 : 0) ||
        options.multi_quick_exit != (version_num >= 0x081400 ? 1 : 0)) {
        return FAILED;
    }
    return handle_count;
}

/* A reused handle of 7.84.0 to 8.0.1 can read freed memory; elsewhere a new one would be waste. */
static void test_version_decides_handle_reuse(void **state) {
    static const struct {
        unsigned int version;
        int handle_count;
    } cases[] = {
        {0x074C00, 1}, {0x0753FF, 1}, {0x075400, TRANSFER_COUNT}, {0x0800FF, TRANSFER_COUNT},
        {0x080100, 1}, {0x081400, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned int version = cases[i].version;
        assert_int_equal(child_run(count_handles, &version), cases[i].handle_count);
    }
}

enum remedy {
    HIDES_LOCAL_PORT = 1,
    TRUSTS_IDLE_CONNECTIONS = 2,
    CAN_BE_STUCK_AT_PROXY = 4,
    TOO_LARGE_IS_OUT_OF_MEMORY = 8,
    TOO_LARGE_HAS_CODE = 16
};

static int find_remedies(void *version) {
    bool is_exact = false;
    version_num = *(const unsigned int *)version;
    if (compat_prepare(NULL) != REPLY_OK) {
        return FAILED;
    }
    return (compat_hides_local_port() ? HIDES_LOCAL_PORT : 0) |
           (compat_trusts_idle_connections() ? TRUSTS_IDLE_CONNECTIONS : 0) |
           (compat_can_be_stuck_at_proxy() ? CAN_BE_STUCK_AT_PROXY : 0) |
           (compat_is_too_large(CURLE_OUT_OF_MEMORY, &is_exact) ? TOO_LARGE_IS_OUT_OF_MEMORY : 0) |
           (compat_is_too_large((CURLcode)100, &is_exact) ? TOO_LARGE_HAS_CODE : 0);
}

static void test_version_decides_remedies(void **state) {
    enum {
        FROM_7_79 = TRUSTS_IDLE_CONNECTIONS | CAN_BE_STUCK_AT_PROXY | TOO_LARGE_IS_OUT_OF_MEMORY
    };
    static const struct {
        unsigned int version;
        int remedies;
    } cases[] = {
        {0x074C00, FROM_7_79 | HIDES_LOCAL_PORT},
        {0x074EFF, FROM_7_79 | HIDES_LOCAL_PORT},
        {0x074F00, FROM_7_79},
        {0x07FFFF, FROM_7_79},
        {0x080000, CAN_BE_STUCK_AT_PROXY | TOO_LARGE_IS_OUT_OF_MEMORY},
        {0x0802FF, CAN_BE_STUCK_AT_PROXY | TOO_LARGE_IS_OUT_OF_MEMORY},
        {0x080300, TOO_LARGE_IS_OUT_OF_MEMORY},
        {0x0805FF, TOO_LARGE_IS_OUT_OF_MEMORY},
        {0x080600, TOO_LARGE_HAS_CODE},
        {0x0815FF, TOO_LARGE_HAS_CODE},
        {0x081600, TOO_LARGE_HAS_CODE | TRUSTS_IDLE_CONNECTIONS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned int version = cases[i].version;
        assert_int_equal(child_run(find_remedies, &version), cases[i].remedies);
    }
}

static int count_network_errors(size_t index, reply_result result, reply_sequence_contact *contact,
                                const reply_error *error, void *user_data) {
    (void)index;
    (void)error;
    reply_sequence_contact_free(contact);
    *(int *)user_data += result == REPLY_ERROR_NETWORK ? 1 : 0;
    return 0;
}

/* Returns the number of easy handles that transfers without a response use. */
static int count_handles_of_failures(void *version) {
    static const int64_t contact_ids[TRANSFER_COUNT] = {1, 2, 3};
    reply_client *client = NULL;
    int error_count = 0;
    version_num = *(const unsigned int *)version;
    if (reply_client_create("k3y-Secret", &client, NULL) != REPLY_OK ||
        reply_client_set_base_url(client, "http://127.0.0.1:1/v4", NULL) != REPLY_OK ||
        reply_client_set_max_retries(client, 0, NULL) != REPLY_OK ||
        reply_client_set_max_concurrency(client, 1, NULL) != REPLY_OK) {
        return FAILED;
    }
    reply_get_sequence_contacts(client, 100, contact_ids, TRANSFER_COUNT, count_network_errors,
                                &error_count, NULL);
    reply_client_destroy(client);
    return error_count == TRANSFER_COUNT ? handle_count : FAILED;
}

/* A handle of 8.14 leaks when it looks up a second name after a failure. */
static void test_version_decides_reuse_after_failure(void **state) {
    static const struct {
        unsigned int version;
        int handle_count;
    } cases[] = {
        {0x080D00, 1}, {0x080E00, TRANSFER_COUNT}, {0x080E01, TRANSFER_COUNT}, {0x080F00, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned int version = cases[i].version;
        assert_int_equal(child_run(count_handles_of_failures, &version), cases[i].handle_count);
    }
}

/* Returns 0, or the number of the check that failed. */
static int check_oldest_version(void *unused) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)unused;
    version_num = 0x074BFF;
    if (reply_client_create("k3y-Secret", &client, &error) != REPLY_ERROR_INVALID_ARGUMENT ||
        client != NULL) {
        return 1;
    }
    if (strstr(error.message, "libcurl") == NULL || strstr(error.message, "7.76.0") == NULL) {
        return 2;
    }
    return 0;
}

/* Catches a library that runs on a libcurl older than the one it was compiled with. */
static void test_too_old_libcurl_is_rejected(void **state) {
    (void)state;
    assert_int_equal(child_run(check_oldest_version, NULL), 0);
}

/* ---- Options ---- */

struct options_case {
    unsigned int version;
    size_t request_size;
    bool is_https;
    long quick_exit, buffer_size, upload_buffer_size, multi_quick_exit;
};

/* Returns 0, or the number of the check that failed. The real libcurl must accept each option. */
static int check_options(void *context) {
    const struct options_case *row = context;
    reply_error error;
    version_num = row->version;
    if (compat_prepare(error_begin(&error, NULL)) != REPLY_OK) {
        return 1;
    }
    CURL *easy = curl_easy_init();
    CURLM *multi = curl_multi_init();
    const CURLcode code = compat_configure(easy, row->request_size, row->is_https);
    compat_configure_multi(multi);
    curl_multi_cleanup(multi);
    curl_easy_cleanup(easy);
    return code != CURLE_OK                                        ? 2
           : options.quick_exit != row->quick_exit                 ? 3
           : options.buffer_size != row->buffer_size               ? 4
           : options.upload_buffer_size != row->upload_buffer_size ? 5
           : options.multi_quick_exit != row->multi_quick_exit     ? 6
                                                                   : 0;
}

/* Catches an option of a newer version that makes every call fail, a buffer too large for it, and
 * a remedy that is missing for a version that needs it. */
static void test_version_decides_options(void **state) {
    enum { LARGE = 65537, RECEIVE = 32 * 1024, UPLOAD = 2 * 1024 * 1024 };
    static const struct options_case cases[] = {
        {0x074C00, LARGE, true, 0, RECEIVE, 0, 0}, {0x0756FF, LARGE, true, 0, RECEIVE, 0, 0},
        {0x075700, LARGE, true, 1, RECEIVE, 0, 0}, {0x0800FF, LARGE, true, 1, RECEIVE, 0, 0},
        {0x0800FF, LARGE, false, 1, 0, 0, 0},      {0x080100, LARGE, true, 1, 0, 0, 0},
        {0x0803FF, LARGE, true, 1, 0, 0, 0},       {0x080400, LARGE, true, 1, 0, UPLOAD, 0},
        {0x080400, LARGE - 1, true, 1, 0, 0, 0},   {0x0806FF, LARGE, false, 1, 0, UPLOAD, 0},
        {0x080700, LARGE, true, 1, 0, 0, 0},       {0x0813FF, LARGE, true, 1, 0, 0, 0},
        {0x081400, LARGE, true, 1, 0, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options_case row = cases[i];
        const int failed = child_run(check_options, &row);
        if (failed != 0) {
            fail_msg("version %06x: check %d", row.version, failed);
        }
    }
}

/* ---- SIGPIPE ---- */

static bool is_sigpipe_blocked(void) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGPIPE) == 1;
}

static bool is_sigpipe_pending(void) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

/* Returns 0, or the number of the check that failed. A SIGPIPE that is not kept back ends the
 * child.
 */
static int check_sigpipe(void *version) {
    struct compat_signals signals;
    reply_error error;
    sigset_t sigpipe;
    version_num = *(const unsigned int *)version;
    if (compat_prepare(error_begin(&error, NULL)) != REPLY_OK) {
        return 1;
    }
    compat_block_sigpipe(&signals);
    if (is_sigpipe_blocked() != (version_num < 0x075700)) {
        return 2;
    }
    if (version_num < 0x075700) {
        raise(SIGPIPE);
    }
    compat_restore_sigpipe(&signals);
    if (is_sigpipe_blocked() || is_sigpipe_pending()) {
        return 3;
    }
    /* One that the host has blocked, and that is pending already. */
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, NULL);
    raise(SIGPIPE);
    compat_block_sigpipe(&signals);
    compat_restore_sigpipe(&signals);
    return is_sigpipe_blocked() && is_sigpipe_pending() ? 0 : 4;
}

/* Before 7.87.0 OpenSSL raises SIGPIPE when libcurl writes to a broken connection. */
static void test_sigpipe_is_kept_from_host(void **state) {
    static const unsigned int versions[] = {0x074C01, 0x0756FF, 0x075700, 0x080500};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        unsigned int version = versions[i];
        assert_int_equal(child_run(check_sigpipe, &version), 0);
    }
}

/* ---- The initialisation ---- */

/* Returns 0, or the number of the check that failed. */
static int check_initialisation(void *unused) {
    reply_error error;
    reply_client *client = (reply_client *)&error;
    (void)unused;
    failing_init_count = 1;
    version_num = LIBCURL_VERSION_NUM;
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

/* ---- TLS ---- */

static bool names_tls(const reply_error *error) {
    return strstr(error->message, "libcurl was built without TLS; use a libcurl with TLS") != NULL;
}

/* Returns 0, or the number of the check that failed. */
static int check_without_tls(void *unused) {
    static const char *const urls[] = {"https://api.reply.io/v4", "HTTPS://127.0.0.1"};
    reply_client *client = NULL;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    (void)unused;
    lacks_tls = true;
    if (reply_client_create("k3y-Secret", &client, NULL) != REPLY_OK) {
        return 1;
    }
    if (reply_get_sequence_contact(client, 100, 1, &contact, &error) != REPLY_ERROR_TLS ||
        !names_tls(&error) || error.attempts != 1) {
        return 2;
    }
    reply_client_destroy(client);
    if (reply_client_create("k3y-Secret", &client, NULL) != REPLY_OK) {
        return 3;
    }
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (reply_client_set_base_url(client, urls[i], &error) != REPLY_ERROR_INVALID_ARGUMENT ||
            !names_tls(&error)) {
            return 4;
        }
    }
    if (reply_client_set_base_url(client, "https://", &error) != REPLY_ERROR_INVALID_ARGUMENT ||
        names_tls(&error)) {
        return 5;
    }
    if (reply_client_set_base_url(client, base_url, NULL) != REPLY_OK ||
        reply_get_sequence_contact(client, 100, 1, &contact, NULL) != REPLY_OK) {
        return 6; /* plain http needs no TLS */
    }
    reply_sequence_contact_free(contact);
    reply_client_destroy(client);
    return 0;
}

static void test_missing_tls_is_named(void **state) {
    (void)state;
    assert_int_equal(child_run(check_without_tls, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_decides_handle_reuse),
        cmocka_unit_test(test_version_decides_reuse_after_failure),
        cmocka_unit_test(test_too_old_libcurl_is_rejected),
        cmocka_unit_test(test_version_decides_options),
        cmocka_unit_test(test_version_decides_remedies),
        cmocka_unit_test(test_sigpipe_is_kept_from_host),
        cmocka_unit_test(test_failed_initialisation_is_retried),
        cmocka_unit_test(test_missing_tls_is_named),
    };
    const pid_t server = contact_server_start(base_url);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    contact_server_stop(server);
    return failed;
}
