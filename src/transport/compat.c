/* compat.c - everything that differs between versions of libcurl.
 *
 * versions         symptom                                remedy, until the versions are dropped
 * ---------------  -------------------------------------  ---------------------------------------
 * 7.83.0 - 8.1.0   a handle keeps a pointer to the freed  compat_can_reuse_handle: each transfer
 *                  last header of its last response and   has a handle of its own; connections
 *                  follows it if the next response        live in the multi handle and are reused
 *                  begins with a folded header
 * before 8.6.0     a header line of over 100 kB is        transfer.c: errno tells the two apart
 *                  reported as out of memory
 * from 8.6.0 on    the same is CURLE_TOO_LARGE            compat_is_too_large
 * from 7.87.0 on   a dead name server delays the end of   compat_configure: CURLOPT_QUICK_EXIT
 *                  a transfer; before, nothing helps
 * before 8.0.0     unread bytes on an idle HTTP/1         compat_reads_unread_bytes: transfer.c
 *                  connection are taken for the next      looks before it sends, and takes another
 *                  response                               connection
 * before 8.1.0     several in flight, an HTTP/2 response  compat_configure: a CURLOPT_BUFFERSIZE
 *                  whose headers do not fit into the      for all headers that libcurl accepts
 *                  buffer (16 kB) is garbled or lost
 */
#include "transport/compat.h"

#include "base/process.h"

/* Asking libcurl for its version writes to memory that all threads share. */
static const curl_version_info_data *libcurl;

/* A failure is retried by the next client. A success is never undone, because other users of
 * libcurl in the process may rely on it. */
bool compat_prepare(void) {
    if (!process_lock()) {
        return false;
    }
    if (libcurl == NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        libcurl = curl_version_info(CURLVERSION_NOW);
    }
    const bool is_prepared = libcurl != NULL;
    process_unlock();
    return is_prepared;
}

const char *compat_version(void) {
    return libcurl->version;
}

bool compat_can_reuse_handle(void) {
    return libcurl->version_num < 0x075300 || libcurl->version_num > 0x080100;
}

bool compat_is_too_large(CURLcode code) {
#if LIBCURL_VERSION_NUM >= 0x080600
    return code == CURLE_TOO_LARGE;
#else
    (void)code;
    return false;
#endif
}

bool compat_has_gzip(void) {
    return (libcurl->features & CURL_VERSION_LIBZ) != 0;
}

bool compat_has_tls(void) {
    return (libcurl->features & CURL_VERSION_SSL) != 0;
}

bool compat_reads_unread_bytes(void) {
    return libcurl->version_num < 0x080000;
}

/* libcurl accepts at most this many bytes of HTTP/2 headers. */
enum { MAX_HTTP2_HEADERS = 128 * 1024 };

CURLcode compat_configure(CURL *easy) {
    CURLcode code = CURLE_OK;
    if (libcurl->version_num < 0x080100) {
        code = curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)MAX_HTTP2_HEADERS);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
        code = code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
    }
#endif
    return code;
}
