/* compat.h - everything that differs between versions of libcurl. The version at run time decides.
 */
#ifndef REPLYIO_COMPAT_H
#define REPLYIO_COMPAT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "replyio.h"

/* CURLE_SSL_CLIENTCERT, which the headers of old versions do not have. */
enum { COMPAT_SSL_CLIENTCERT = 98 };

/* Initialises libcurl once in the process. Any thread may call it any number of times. Errors:
 * NO_MEMORY, and INVALID_ARGUMENT if libcurl is too old. */
reply_result compat_prepare(reply_error *error);

/* Returns the version of libcurl at run time. compat_prepare must have succeeded. */
const char *compat_version(void);

/* Returns true if libcurl can read gzip; if it has TLS. */
bool compat_has_gzip(void);
bool compat_has_tls(void);

/* Writes another spelling of an IPv4 address, such as 127.1, as four numbers. */
CURLUcode compat_normalise_host(CURLU *url);

/* Returns true if a URL was not parsed because libcurl is out of memory. The caller must have set
 * errno to 0 before. */
bool compat_is_out_of_memory(CURLUcode code);

/* Returns true if a handle may serve another transfer. has_response is true if its last transfer
 * had a response. */
bool compat_can_reuse_handle(bool has_response);

/* Returns true if the local port of a reused connection can be read only while libcurl chooses it.
 */
bool compat_hides_local_port(void);

/* Returns true if libcurl may send on an idle connection that was closed or has unread bytes, which
 * it takes for the response. */
bool compat_trusts_idle_connections(void);

/* Returns true if a proxy's endless headers keep libcurl busy until a callback ends the transfer.
 */
bool compat_can_be_stuck_at_proxy(void);

/* Returns true if the code can mean a header line that is too long. is_exact is false if the code
 * also means out of memory. */
bool compat_is_too_large(CURLcode code, bool *is_exact);

/* Sets the options that only some versions need or have. request_size is that of the headers to
 * send, in bytes. */
CURLcode compat_configure(CURL *easy, size_t request_size, bool is_https);
void compat_configure_multi(CURLM *multi);

/* Keeps SIGPIPE from the calling thread while libcurl writes, if libcurl lets it be raised. The
 * calls come in pairs. */
struct compat_signals {
    bool is_blocked;
    bool was_pending;
    sigset_t mask;
};
void compat_block_sigpipe(struct compat_signals *signals);
void compat_restore_sigpipe(const struct compat_signals *signals);

#endif
