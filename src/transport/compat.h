/* compat.h - everything that differs between versions of libcurl. */
#ifndef REPLYIO_COMPAT_H
#define REPLYIO_COMPAT_H

#include <stdbool.h>

#include <curl/curl.h>

/* Initialises libcurl once in the process. Any thread may call it any number of times. Returns
 * false if out of memory. */
bool compat_prepare(void);

/* Returns the version of libcurl at run time. compat_prepare must have succeeded. */
const char *compat_version(void);

/* Returns true if a handle may serve more than one transfer. */
bool compat_can_reuse_handle(void);

/* Returns true if the code is the one with which newer versions report a header line that is too
 * long. Older ones report CURLE_OUT_OF_MEMORY. */
bool compat_is_too_large(CURLcode code);

/* Returns true if libcurl can read gzip; if it has TLS. */
bool compat_has_gzip(void);
bool compat_has_tls(void);

/* Returns true if libcurl takes unread bytes on an idle HTTP/1 connection for the next response. */
bool compat_reads_unread_bytes(void);

/* Sets the options that only some versions have. */
CURLcode compat_configure(CURL *easy);

#endif
