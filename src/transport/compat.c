/* compat.c - everything that differs between versions of libcurl.
 *
 * When a version is dropped, its rows go, and what they name as the remedy.
 *
 * versions         symptom                                remedy
 * ---------------  -------------------------------------  ---------------------------------------
 * before 7.76.0    not supported                          #error, compat_prepare
 * before 7.77.0    no CURLE_SSL_CLIENTCERT                COMPAT_SSL_CLIENTCERT
 * before 7.77.0    other spellings of an IPv4 address,    compat_normalise_host
 *                  such as 127.1, are left as they are
 * before 7.77.0    an HTTP/2 response without a           none: the header says so
 *                  Content-Length that the server aborts
 *                  ends like a complete one
 * before 7.79.0    CURLINFO_LOCAL_PORT is -1 for a        compat_hides_local_port: transfer.c reads
 *                  reused connection, except while        it in the debug callback
 *                  libcurl is choosing it
 * before 7.81.0    a URL's login that there is no memory  compat_is_out_of_memory: errno
 *                  for is CURLUE_MALFORMED_INPUT          distinguishes the two
 * from 7.81.0 on   the same is CURLUE_BAD_LOGIN           compat_is_out_of_memory
 * before 7.87.0    OpenSSL raises SIGPIPE when it writes  compat_block_sigpipe
 *                  to a broken connection
 * before 7.87.0    a name lookup in progress delays the   none: the header says so
 *                  end of its transfer
 * from 7.87.0 on   the same, for a dead name server       compat_configure: CURLOPT_QUICK_EXIT
 * from 8.20.0 on   the same, for lookups in threads of    compat_configure_multi:
 *                  the multi handle                       CURLMOPT_QUICK_EXIT
 * before 8.0.0     unread bytes on an idle HTTP/1         compat_trusts_idle_connections:
 *                  connection are taken for the next      transfer.c looks before it sends, and
 *                  response                               takes another connection
 * from 8.22.0 on   the same, and a connection that was    compat_trusts_idle_connections
 *                  closed is used: libcurl looks at a
 *                  connection at most once a second
 * 7.84.0 - 8.0.1   a handle keeps a pointer to the freed  compat_can_reuse_handle: each transfer
 *                  last header of its last response and   has a handle of its own; connections
 *                  follows it if the next response        live in the multi handle and are reused
 *                  begins with a folded header
 * before 8.1.0     several in flight, an HTTP/2 response  compat_configure: a CURLOPT_BUFFERSIZE
 *                  whose headers do not fit into the      of 32 kB; larger headers can still be
 *                  buffer (16 kB) is garbled or lost      garbled, and the attempt is retried
 * before 8.3.0     a proxy's endless headers never leave  compat_can_be_stuck_at_proxy: on_progress
 *                  curl_multi_perform                     puts a transfer aside if the call was
 *                                                         woken, and ends one whose time is over
 * 8.4.0 - 8.6.0    a plain request of over 128 KiB is     compat_configure: a larger
 *                  never sent completely                  CURLOPT_UPLOAD_BUFFERSIZE
 * before 8.6.0     a header line of over 100 kB is        compat_is_too_large: errno distinguishes
 *                  reported as out of memory              the two
 * from 8.6.0 on    the same is CURLE_TOO_LARGE, as are    compat_is_too_large
 *                  over 5,000 header lines
 * from 8.20.0 on   the progress callback is not called    transfer.c: on_lookup and on_open_socket
 *                  before the connection is made          note the connection
 * 8.14.0 - 8.14.1  a handle leaks the name of a host that compat_can_reuse_handle: a handle whose
 *                  was not found when it looks up again   transfer had no response is not reused
 *
 * These remedies are used with every version. Of each, a version is named that needs it:
 *
 * before 8.0.0     a connection with unread bytes is      connection_shut_down reads them
 *                  alive to libcurl, even if shut down
 * 7.76.1, 7.81.0   CURLINFO_REQUEST_SIZE counts the       transfer_is_sent:
 *                  CONNECT, too                           CURLINFO_PRETRANSFER_TIME_T
 * from 8.21.0 on   CURLINFO_PRETRANSFER_TIME_T is set     transfer_is_sent: the size must have
 *                  when an unsent transfer ends           grown, too
 * 7.88.1           a new connection is kept on which a    transfer.c: CURLOPT_FORBID_REUSE after
 *                  request could not be sent              an error
 * 7.88.1           data of an HTTP/2 connection that was  session.c: MAX_POLL_MS
 *                  read for another transfer is forgotten
 * from 8.14.0 on   a transfer coding that was not         transfer.c: result_of
 *                  requested is CURLE_BAD_CONTENT_ENCODING
 * older ones       the error text lacks the CA file       transfer.c: failure_text
 * older ones       white space in a URL is accepted       url.c: is_plain_base_url
 */
#include "transport/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <time.h>

#include "base/error.h"
#include "base/process.h"

#if defined(LIBCURL_VERSION_NUM) && LIBCURL_VERSION_NUM < 0x074C00
#error "libreplyio needs libcurl 7.76.0 or newer"
#endif

enum {
    MIN_VERSION = 0x074C00, /* 7.76.0 */
    OPTION_QUICK_EXIT = CURLOPTTYPE_LONG + 322,
    OPTION_MULTI_QUICK_EXIT = CURLOPTTYPE_LONG + 21,
    CODE_TOO_LARGE = 100,
    URL_BAD_LOGIN = 23, /* CURLUE_BAD_LOGIN */
    /* libcurl allocates a buffer per transfer. From 48 kB on, glibc returned the memory to the
     * system after many transfers, which cost a tenth of the rate. */
    RECEIVE_BUFFER_SIZE = 32 * 1024,
    MAX_SAFE_REQUEST = 64 * 1024,
    MAX_UPLOAD_BUFFER = 2 * 1024 * 1024
};

/* Asking libcurl for its version writes to memory that all threads share. */
static const curl_version_info_data *libcurl;

static bool is_between(unsigned first, unsigned end) {
    return libcurl->version_num >= first && libcurl->version_num < end;
}

/* ---- The process ---- */

/* A failure is retried by the next client. A success is never undone, because other users of
 * libcurl in the process may rely on it. */
static bool initialise(void) {
    if (!process_lock()) {
        return false;
    }
    if (libcurl == NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        libcurl = curl_version_info(CURLVERSION_NOW);
    }
    const bool is_initialised = libcurl != NULL;
    process_unlock();
    return is_initialised;
}

reply_result compat_prepare(reply_error *error) {
    if (!initialise()) {
        return error_set_no_memory(error);
    }
    if (libcurl->version_num < MIN_VERSION) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid libcurl: version %s; use 7.76.0 or newer", libcurl->version);
    }
    return REPLY_OK;
}

const char *compat_version(void) {
    return libcurl->version;
}

bool compat_has_gzip(void) {
    return (libcurl->features & CURL_VERSION_LIBZ) != 0;
}

bool compat_has_tls(void) {
    return (libcurl->features & CURL_VERSION_SSL) != 0;
}

/* ---- SIGPIPE ---- */

static void make_sigpipe_set(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static bool is_sigpipe_pending(void) {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

void compat_block_sigpipe(struct compat_signals *signals) {
    sigset_t sigpipe;
    signals->is_blocked = is_between(0, 0x075700);
    if (signals->is_blocked) {
        make_sigpipe_set(&sigpipe);
        signals->was_pending = is_sigpipe_pending();
        pthread_sigmask(SIG_BLOCK, &sigpipe, &signals->mask);
    }
}

/* Another thread may consume a signal that is pending for the process, so that waiting for it could
 * last forever. macOS lacks sigtimedwait. */
static void consume_sigpipe(const sigset_t *sigpipe) {
#ifdef __APPLE__
    int number = 0;
    sigwait(sigpipe, &number);
#else
    sigtimedwait(sigpipe, NULL, &(struct timespec){0});
#endif
}

/* A SIGPIPE that was pending before stays pending. */
void compat_restore_sigpipe(const struct compat_signals *signals) {
    sigset_t sigpipe;
    if (signals->is_blocked) {
        make_sigpipe_set(&sigpipe);
        if (!signals->was_pending && is_sigpipe_pending()) {
            consume_sigpipe(&sigpipe);
        }
        pthread_sigmask(SIG_SETMASK, &signals->mask, NULL);
    }
}

/* ---- URLs ---- */

CURLUcode compat_normalise_host(CURLU *url) {
    char *host = NULL;
    struct in_addr address;
    if (!is_between(0, 0x074D00)) {
        return CURLUE_OK;
    }
    CURLUcode code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK && inet_aton(host, &address) != 0) {
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, text, sizeof text);
        code = curl_url_set(url, CURLUPART_HOST, text, 0);
    }
    curl_free(host);
    return code;
}

/* Any login can be parsed: libcurl calls it invalid only if it has no memory to keep it. */
bool compat_is_out_of_memory(CURLUcode code) {
    return code == CURLUE_OUT_OF_MEMORY || (int)code == URL_BAD_LOGIN ||
           (is_between(0, 0x075100) && code == CURLUE_MALFORMED_INPUT && errno == ENOMEM);
}

/* ---- Handles and connections ---- */

bool compat_can_reuse_handle(bool has_response) {
    return !is_between(0x075400, 0x080100) && (has_response || !is_between(0x080E00, 0x080F00));
}

bool compat_hides_local_port(void) {
    return is_between(0, 0x074F00);
}

bool compat_trusts_idle_connections(void) {
    return is_between(0, 0x080000) || !is_between(0, 0x081600);
}

bool compat_can_be_stuck_at_proxy(void) {
    return is_between(0, 0x080300);
}

bool compat_is_too_large(CURLcode code, bool *is_exact) {
    *is_exact = !is_between(0, 0x080600);
    return *is_exact ? (int)code == CODE_TOO_LARGE : code == CURLE_OUT_OF_MEMORY;
}

/* ---- Options ---- */

/* Accepts that libcurl was built without an option. */
static CURLcode set_long(CURL *easy, CURLoption option, long value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

CURLcode compat_configure(CURL *easy, size_t request_size, bool is_https) {
    CURLcode code = CURLE_OK;
    if (!is_between(0, 0x075700)) {
        code = set_long(easy, (CURLoption)OPTION_QUICK_EXIT, 1);
    }
    if (code == CURLE_OK && is_between(0, 0x080100) && is_https) {
        code = set_long(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_SIZE);
    }
    if (code == CURLE_OK && is_between(0x080400, 0x080700) && request_size > MAX_SAFE_REQUEST) {
        code = set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, MAX_UPLOAD_BUFFER);
    }
    return code;
}

void compat_configure_multi(CURLM *multi) {
    if (!is_between(0, 0x081400)) {
        /* NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): old headers lack it */
        curl_multi_setopt(multi, (CURLMoption)OPTION_MULTI_QUICK_EXIT, 1L);
    }
}
