/* transfer.c - one transfer: its handle and options, what it receives, its limits and outcome.
 * By default libcurl verifies the peer, follows no redirect, sends no cookie and uses HTTP/2 if the
 * server offers it. */
#include "transport/transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/text.h"
#include "transport/compat.h"

enum { MAX_OTHER_BODY = 64 * 1024, MAX_HEADERS = 256 * 1024 };

static const struct {
    const char *name;
    size_t length;
} kept_headers[HEADER_COUNT] = {[CONTENT_TYPE] = {"Content-Type", 12},
                                [CONTENT_LENGTH] = {"Content-Length", 14},
                                [CONTENT_ENCODING] = {"Content-Encoding", 16},
                                [RETRY_AFTER] = {"Retry-After", 11},
                                [DATE] = {"Date", 4},
                                [REQUEST_ID] = {"X-Request-Id", 12}};

/* Sets an option of a handle unless it is set already. */
static CURLcode set_flag(CURL *easy, CURLoption option, bool *is_set, bool value) {
    if (*is_set == value) {
        return CURLE_OK;
    }
    *is_set = value;
    return curl_easy_setopt(easy, option, value ? 1L : 0L);
}

/* ---- Receiving ---- */

static bool append(struct buffer *buffer, const char *bytes, size_t length) {
    if (buffer->capacity - buffer->length <= length) {
        size_t capacity = buffer->capacity * 2;
        if (capacity <= buffer->length + length) {
            capacity = buffer->length + length + 1;
        }
        /* Not realloc, which could leave a copy behind: a server may repeat the key. */
        char *larger = malloc(capacity);
        if (larger == NULL) {
            return false;
        }
        if (buffer->length > 0) {
            memcpy(larger, buffer->bytes, buffer->length);
        }
        secret_free(buffer->bytes, buffer->capacity);
        buffer->bytes = larger;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
    return true;
}

/* Keeps the value of a header line, without spaces at its ends, if the header is one to keep. Of
 * several with one name the last one counts. Returns false if out of memory. */
static bool keep_header(struct transfer *transfer, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (colon == NULL) {
        return true;
    }
    const size_t name_length = (size_t)(colon - line);
    for (int i = 0; i < HEADER_COUNT; i++) {
        if (kept_headers[i].length == name_length &&
            text_equals_ignoring_case(line, kept_headers[i].name, name_length)) {
            const char *first = colon + 1;
            const char *end = line + length;
            while (first < end && (*first == ' ' || *first == '\t')) {
                first++;
            }
            while (end > first &&
                   (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) {
                end--;
            }
            transfer->headers[i].length = 0;
            return append(&transfer->headers[i], first, (size_t)(end - first));
        }
    }
    return true;
}

static void forget_headers(struct transfer *transfer) {
    for (int i = 0; i < HEADER_COUNT; i++) {
        transfer->headers[i].length = 0;
    }
}

static const char *header_text(const struct transfer *transfer, enum header header) {
    return transfer->headers[header].length > 0 ? transfer->headers[header].bytes : NULL;
}

/* The limit is on decoded bytes, of which a compressed body's length says nothing. */
static bool announces_too_much(const struct transfer *transfer) {
    const char *length = header_text(transfer, CONTENT_LENGTH);
    return length != NULL && header_text(transfer, CONTENT_ENCODING) == NULL &&
           strtoll(length, NULL, 10) > (long long)transfer->max_body_size;
}

/* Leaves the status 0 for a 1xx, which another response follows. */
static void read_status(struct transfer *transfer) {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->http_status = status >= 200 ? (int32_t)status : 0;
}

static void end_headers(struct transfer *transfer) {
    read_status(transfer);
    const int32_t status = transfer->http_status;
    if (status != 0) {
        transfer->is_too_large = status == 200 && announces_too_much(transfer);
        transfer->holds_others = status == 401 || status == 429;
        transfer->group->hold_count += transfer->holds_others ? 1 : 0;
    }
}

/* Receives each header line, also of 1xx responses and of trailers. Returning less than the length
 * ends the transfer. */
static size_t on_header(char *line, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    const size_t length = size * count;
    transfer->header_bytes += length;
    transfer->group->arrival_count++;
    /* From the first header line on libcurl chooses no other connection: on_message is done. */
    set_flag(transfer->easy, CURLOPT_VERBOSE, &transfer->is_verbose_set, false);
    if (transfer->header_bytes > MAX_HEADERS) {
        transfer->is_too_large = true;
    } else if (transfer->http_status != 0) {
        return length; /* a trailer */
    } else if (length > 0 && (line[0] == '\r' || line[0] == '\n')) {
        end_headers(transfer);
    } else if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        forget_headers(transfer);
    } else {
        transfer->is_out_of_memory = !keep_header(transfer, line, length);
    }
    return transfer->is_too_large || transfer->is_out_of_memory ? 0 : length;
}

/* Receives a piece of the body. If the status is not 200, reads no more than a problem document
 * needs. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    const size_t length = size * count;
    const size_t limit = transfer->http_status == 200 ? transfer->max_body_size : MAX_OTHER_BODY;
    const size_t left = limit - transfer->body.length;
    const size_t kept = length < left ? length : left;
    transfer->group->arrival_count++;
    if (transfer->http_status == 0) {
        return 0; /* a 1xx response has no body */
    }
    if (transfer->http_status == 200 && length > left) {
        transfer->is_too_large = true;
        return 0;
    }
    if (!append(&transfer->body, bytes, kept)) {
        transfer->is_out_of_memory = true;
        return 0;
    }
    return transfer->http_status != 200 && kept == left ? 0 : length;
}

/* ---- Sending ---- */

long transfer_local_port(struct transfer *transfer) {
    long port = 0;
    /* libcurl may have sent the request again by itself, on another connection. */
    if (transfer->is_added) {
        curl_easy_getinfo(transfer->easy, CURLINFO_LOCAL_PORT, &port);
        transfer->local_port = port > 0 ? port : transfer->local_port;
    }
    return transfer->local_port;
}

bool transfer_is_sent(struct transfer *transfer) {
    long size = 0;
    curl_off_t sent_after = 0;
    /* Without a connection the values are those of the handle's last transfer. */
    if (transfer->is_sent || !transfer->is_added || !transfer->has_connection) {
        return transfer->is_sent;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &size);
    if (size > transfer->lost_size && transfer->is_proxied) {
        /* The size counts the CONNECT, too. */
        curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after);
    }
    transfer->is_sent =
        size > transfer->lost_size && (sent_after > transfer->lost_after || !transfer->is_proxied);
    if (transfer->is_sent) {
        transfer->sent_port = transfer_local_port(transfer);
        /* on_message must see if libcurl chooses another connection. */
        set_flag(transfer->easy, CURLOPT_VERBOSE, &transfer->is_verbose_set,
                 compat_hides_local_port());
    }
    return transfer->is_sent;
}

void transfer_start_connecting(struct transfer *transfer, int64_t now_ms) {
    transfer->connect_started_ms = now_ms;
    timer_start(&transfer->connect_timer, now_ms, transfer->group->settings->connect_timeout_ms,
                INT64_MAX);
}

/* libcurl sends a request again by itself if a reused connection was closed without a response, or
 * if an HTTP/2 server refused the stream. */
static void begin_resending(struct transfer *transfer) {
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &transfer->lost_size);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &transfer->lost_after);
    transfer->was_sent = true;
    transfer->is_sent = false;
    transfer->error_text[0] = '\0'; /* about the lost connection */
    transfer_start_connecting(transfer, clock_now_ms());
}

/* Returns true if libcurl is about to send the request again on another existing connection, of
 * which there is none if the session has opened only one. */
static bool has_moved(struct transfer *transfer) {
    return transfer->group->open_count > 1 && transfer->is_sent && transfer->header_bytes == 0 &&
           transfer->sent_port > 0 && transfer_local_port(transfer) != transfer->sent_port;
}

/* Looks once at the connection that a request is about to be sent on: a look costs a system call.
 * libcurl takes several steps before it sends, but all in one call. */
static bool has_quiet_connection(struct transfer *transfer, const struct connection *connection) {
    if (transfer->quiet_port != connection->local_port && connection_is_quiet(connection)) {
        transfer->quiet_port = connection->local_port;
    }
    return transfer->quiet_port == connection->local_port;
}

/* Returns true if the transfer is about to be sent on a connection that is retired, or on a reused
 * HTTP/1 connection that was closed or on which something has arrived: those bytes cannot be its
 * response. */
static bool is_stale(struct transfer *transfer) {
    const struct connection *connection =
        connection_find(transfer->group->connections, transfer_local_port(transfer));
    return connection != NULL && (connection->state != CONNECTION_GOOD ||
                                  (compat_trusts_idle_connections() && connection->is_http1 &&
                                   !has_quiet_connection(transfer, connection)));
}

/* Returns true if the call was woken, but a proxy may keep libcurl from returning to it. */
static bool is_stuck_at_proxy(const struct transfer *transfer) {
    return compat_can_be_stuck_at_proxy() && transfer->is_proxied &&
           atomic_load(&transfer->group->is_woken);
}

/* Decides about a transfer that libcurl is about to send. */
static enum transfer_hold choose_hold(struct transfer *transfer) {
    if (transfer->group->hold_count > 0 || transfer->is_recalled) {
        return TRANSFER_IS_HELD;
    }
    return is_stuck_at_proxy(transfer) || is_stale(transfer) ? TRANSFER_IS_STALE : TRANSFER_GOES_ON;
}

/* Returns true if the time is over while a proxy is responding to CONNECT. */
static bool is_overdue_at_proxy(struct transfer *transfer) {
    return transfer->is_proxied && !transfer_is_sent(transfer) &&
           transfer_left_ms(transfer, clock_now_ms()) <= 0;
}

/* libcurl keeps only the first error of a transfer, and counts what fails while it closes another
 * connection to make room, so the transfer has no error buffer before it has a connection. */
static void note_connection(struct transfer *transfer) {
    if (!transfer->has_connection) {
        transfer->has_connection = true;
        curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    }
}

/* libcurl calls this after each step of a transfer, also between choosing a connection and sending
 * the request, and once more when the transfer ends, before anything else can change errno and
 * before the connection can serve another transfer. Returning non-zero ends the transfer. A stale
 * connection, and one on which something failed, is not reused: libcurl 7.88 keeps a new connection
 * on which a request could not be sent, and the next transfer would get the response to that
 * request. */
static int on_progress(void *context, curl_off_t unused_1, curl_off_t unused_2, curl_off_t unused_3,
                       curl_off_t unused_4) {
    struct transfer *transfer = context;
    (void)unused_1;
    (void)unused_2;
    (void)unused_3;
    (void)unused_4;
    transfer->last_errno = errno;
    note_connection(transfer);
    if (has_moved(transfer)) {
        begin_resending(transfer);
    }
    if (transfer->is_sent && transfer->error_text[0] == '\0') {
        return 0;
    }
    if (transfer->hold == TRANSFER_GOES_ON) {
        transfer->hold = transfer_is_sent(transfer) ? TRANSFER_GOES_ON : choose_hold(transfer);
        set_flag(transfer->easy, CURLOPT_FORBID_REUSE, &transfer->is_forbid_set,
                 transfer->hold == TRANSFER_IS_STALE || transfer->error_text[0] != '\0');
    }
    return transfer->hold == TRANSFER_GOES_ON && !is_overdue_at_proxy(transfer) ? 0 : 1;
}

/* libcurl calls this, among others, while it is choosing a connection, which it may do again after
 * the request was sent and before the response begins. Other messages are turned off, because they
 * cost time. */
static int on_message(CURL *unused_1, curl_infotype unused_2, char *unused_3, size_t unused_4,
                      void *context) {
    struct transfer *transfer = context;
    (void)unused_1;
    (void)unused_2;
    (void)unused_3;
    (void)unused_4;
    const long local_port = transfer_local_port(transfer); /* remembers it, too */
    if (local_port > 0 && !transfer->is_sent) {
        set_flag(transfer->easy, CURLOPT_VERBOSE, &transfer->is_verbose_set, false);
    }
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype unused,
                                    struct curl_sockaddr *address) {
    struct transfer *transfer = context;
    (void)unused;
    if (transfer_is_sent(transfer)) {
        begin_resending(transfer);
    }
    const curl_socket_t socket = connection_open(&transfer->group->connections, address);
    transfer->socket_errno = socket == CURL_SOCKET_BAD ? errno : 0;
    transfer->group->open_count++;
    note_connection(transfer);
    return socket;
}

/* libcurl calls this before each lookup. */
static int on_lookup(void *unused_1, void *unused_2, void *context) {
    (void)unused_1;
    (void)unused_2;
    note_connection(context);
    return 0;
}

/* ---- Options ---- */

/* Accepts that libcurl was built without an option that nothing depends on. */
static CURLcode accept_missing(CURLcode code) {
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

#define SET(option, value) code = code != CURLE_OK ? code : curl_easy_setopt(easy, option, value)
#define SET_FLAG(option, is_set, value)                                                            \
    code = code != CURLE_OK ? code : set_flag(easy, option, &transfer->is_set, value)
#define SET_IF_KNOWN(option, value)                                                                \
    code = code != CURLE_OK ? code : accept_missing(curl_easy_setopt(easy, option, value))

/* libcurl would also trust the system's directory of certificates. */
static CURLcode set_ca_file(CURL *easy, const char *ca_file) {
    CURLcode code = CURLE_OK;
    SET(CURLOPT_CAINFO, ca_file);
    SET_IF_KNOWN(CURLOPT_CAPATH, NULL);
    SET_IF_KNOWN(CURLOPT_PROXY_CAINFO, ca_file);
    SET_IF_KNOWN(CURLOPT_PROXY_CAPATH, NULL);
    return code;
}

/* A proxy would see the key of a plain http request, so none is used for loopback. One that was set
 * is used whatever NO_PROXY in the environment says. */
static CURLcode set_proxy(CURL *easy, const struct transport_settings *settings) {
    CURLcode code = CURLE_OK;
    if (settings->base_url.is_loopback) {
        SET(CURLOPT_PROXY, "");
    } else if (settings->proxy != NULL) {
        SET(CURLOPT_PROXY, settings->proxy);
        SET(CURLOPT_NOPROXY, "");
    }
    return code;
}

/* Sets what is the same for all transfers of a slot. */
static CURLcode set_options(CURL *easy, struct transfer *transfer) {
    const struct transport_settings *settings = transfer->group->settings;
    CURLcode code = compat_configure(easy, transfer->group->header_size, transfer->group->is_https);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTPHEADER, transfer->group->headers);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (compat_has_tls()) {
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    }
    SET_IF_KNOWN(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET_IF_KNOWN(CURLOPT_ACCEPT_ENCODING, compat_has_gzip() ? "gzip" : NULL);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
    SET(CURLOPT_RESOLVER_START_DATA, transfer);
    SET(CURLOPT_CLOSESOCKETFUNCTION, connection_close);
    SET(CURLOPT_CLOSESOCKETDATA, &transfer->group->connections);
    if (compat_hides_local_port()) {
        SET(CURLOPT_DEBUGFUNCTION, on_message);
        SET(CURLOPT_DEBUGDATA, transfer);
    }
    code = code != CURLE_OK ? code : set_proxy(easy, settings);
    if (code == CURLE_OK && settings->ca_file != NULL) {
        code = set_ca_file(easy, settings->ca_file);
    }
    return code;
}

/* Gives a slot its handle when it is first used. */
static CURLcode ensure_handle(struct transfer *transfer) {
    if (transfer->easy != NULL) {
        return CURLE_OK;
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    const CURLcode code = set_options(easy, transfer);
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        return code;
    }
    transfer->easy = easy;
    transfer->is_pipewait_set = false;
    transfer->is_fresh_set = false;
    transfer->is_forbid_set = false;
    transfer->is_verbose_set = false;
    transfer->is_timeout_extended = true;
    transfer->has_connection = false;
    return CURLE_OK;
}

/* libcurl itself finds a proxy in the environment for an https URL in this way. */
static bool may_use_proxy(const struct transport_settings *settings) {
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    if (settings->base_url.is_loopback || settings->proxy != NULL) {
        return !settings->base_url.is_loopback && settings->proxy[0] != '\0';
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return true;
        }
    }
    return false;
}

CURLcode transfer_configure(struct transfer *transfer, const char *url) {
    transfer->is_proxied = may_use_proxy(transfer->group->settings);
    if (transfer->group->is_https && !compat_has_tls()) {
        return CURLE_UNSUPPORTED_PROTOCOL;
    }
    CURLcode code = ensure_handle(transfer);
    CURL *easy = transfer->easy;
    SET(CURLOPT_URL, url);
    return code;
}

CURLcode transfer_set_connection(struct transfer *transfer, bool can_wait, bool is_fresh) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
    if (transfer->has_connection) {
        SET(CURLOPT_ERRORBUFFER, NULL);
    }
    if (transfer->is_timeout_extended) {
        SET(CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->group->settings->connect_timeout_ms);
    }
    transfer->has_connection = false;
    transfer->is_timeout_extended = false;
    transfer->lost_size = 0;
    transfer->lost_after = 0;
    transfer->can_wait = can_wait;
    transfer->hold = TRANSFER_GOES_ON;
    transfer->local_port = 0;
    transfer->quiet_port = 0;
    transfer->error_text[0] = '\0';
    SET_FLAG(CURLOPT_FORBID_REUSE, is_forbid_set, false);
    SET_FLAG(CURLOPT_PIPEWAIT, is_pipewait_set, can_wait);
    SET_FLAG(CURLOPT_FRESH_CONNECT, is_fresh_set, is_fresh);
    SET_FLAG(CURLOPT_VERBOSE, is_verbose_set, compat_hides_local_port());
    return code;
}

void transfer_extend_connect(struct transfer *transfer) {
    const int64_t timeout_ms = transfer->connect_timer.ends_ms - transfer->connect_started_ms;
    transfer->is_timeout_extended = true;
    curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout_ms < LONG_MAX ? (long)timeout_ms : LONG_MAX);
}

void transfer_reset(struct transfer *transfer, const struct transport_request *request) {
    forget_headers(transfer);
    transfer->is_sent = false;
    transfer->was_sent = false;
    transfer->is_recalled = false;
    transfer->hold = TRANSFER_GOES_ON;
    transfer->holds_others = false;
    transfer->arrival_count = transfer->group->arrival_count;
    transfer->local_port = 0;
    transfer->error_text[0] = '\0';
    transfer->max_body_size = request->max_body_size;
    transfer->http_status = 0;
    transfer->header_bytes = 0;
    transfer->body.length = 0;
    transfer->is_too_large = false;
    transfer->is_out_of_memory = false;
    transfer->socket_errno = 0;
    transfer->last_errno = 0;
}

bool transfer_is_waiting(const struct transfer *transfer) {
    return transfer->is_added && transfer->can_wait && !transfer->has_connection;
}

int64_t transfer_left_ms(struct transfer *transfer, int64_t now_ms) {
    if (transfer->hold == TRANSFER_IS_HELD && transfer->start_failure == CURLE_OK) {
        return INT64_MAX; /* the transfer that holds it has the same deadline */
    }
    const int64_t left_ms = timer_left_ms(&transfer->timer, now_ms);
    if (transfer->start_failure != CURLE_OK || transfer_is_sent(transfer) ||
        transfer_is_waiting(transfer)) {
        return left_ms;
    }
    const int64_t connect_left_ms = timer_left_ms(&transfer->connect_timer, now_ms);
    return connect_left_ms < left_ms ? connect_left_ms : left_ms;
}

/* ---- Outcome ---- */

static reply_result result_of(const struct transfer *transfer, CURLcode code) {
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY:
        return REPLY_ERROR_NO_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
        return REPLY_ERROR_TIMEOUT;
    case CURLE_BAD_CONTENT_ENCODING:
        return transfer->http_status == 200 ? REPLY_ERROR_INVALID_RESPONSE : REPLY_ERROR_NETWORK;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return compat_has_tls() ? REPLY_ERROR_NETWORK : REPLY_ERROR_TLS;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case COMPAT_SSL_CLIENTCERT:
        return REPLY_ERROR_TLS;
    default:
        return REPLY_ERROR_NETWORK;
    }
}

/* Returns true if the headers of the response were too large for libcurl. If its code also means
 * out of memory, errno says so; a code from before any response is about a proxy's headers. */
static bool is_header_too_large(struct transfer *transfer, CURLcode code) {
    curl_off_t responded_after = 0;
    bool is_exact = false;
    if (!compat_is_too_large(code, &is_exact) || transfer->start_failure != CURLE_OK ||
        !transfer_is_sent(transfer)) {
        return false;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &responded_after);
    return is_exact ||
           (transfer->last_errno != ENOMEM && transfer->http_status == 0 && responded_after > 0);
}

void transfer_describe_failure(struct transport_response *response, reply_result failure,
                               CURLcode code, const char *text) {
    *response = (struct transport_response){
        .failure = failure, .failure_text = text, .curl_code = (int32_t)code};
}

/* Returns the status with which a proxy has rejected the tunnel; 0 if it has not. */
static long proxy_status(const struct transfer *transfer) {
    long status = 0;
    if (transfer->is_proxied && transfer->easy != NULL) {
        curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    }
    return status >= 300 ? status : 0;
}

/* libcurl's own text may quote the proxy's URL until the request has been sent. */
static const char *failure_text(struct transfer *transfer, CURLcode code) {
    const long status = proxy_status(transfer);
    const char *ca_file = transfer->group->settings->ca_file;
    if (status > 0) {
        snprintf(transfer->error_text, sizeof transfer->error_text,
                 "the proxy responded to CONNECT with HTTP %ld", status);
    } else if (code == CURLE_SSL_CACERT_BADFILE && ca_file != NULL) {
        /* Not every version of libcurl names the file. */
        snprintf(transfer->error_text, sizeof transfer->error_text, "cannot load the CA file %s",
                 ca_file);
    } else if (code == CURLE_UNSUPPORTED_PROTOCOL && !compat_has_tls()) {
        return "libcurl was built without TLS";
    } else if (code == CURLE_OPERATION_TIMEDOUT && transfer->error_text[0] == '\0') {
        return ""; /* the transfer's own timeout, of which there is no more to say */
    } else if (transfer->error_text[0] == '\0' ||
               (transfer->is_proxied && !transfer_is_sent(transfer))) {
        return curl_easy_strerror(code);
    }
    return transfer->error_text;
}

/* Returns true if an HTTP proxy has rejected the tunnel, or a SOCKS proxy the login. */
static bool is_rejected_by_proxy(const struct transfer *transfer) {
    const long status = proxy_status(transfer);
    long socks_error = CURLPX_OK;
    if (transfer->is_proxied && transfer->easy != NULL) {
        curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_ERROR, &socks_error);
    }
    return (status >= 400 && status <= 499) || socks_error == CURLPX_USER_REJECTED;
}

/* Returns true if the failure may not happen again. A proxy would reject a retry, too, which could
 * lock an account by sending a wrong password again. */
static bool is_transient(const struct transfer *transfer, CURLcode code, reply_result result) {
    return result == REPLY_ERROR_TIMEOUT || code == CURLE_SSL_CONNECT_ERROR ||
           (result == REPLY_ERROR_NETWORK && !is_rejected_by_proxy(transfer));
}

/* By the time libcurl reports a failure it has closed some descriptors again. */
static bool is_out_of_descriptors(const struct transfer *transfer, reply_result result) {
    return transfer->socket_errno == EMFILE || transfer->socket_errno == ENFILE ||
           ((result == REPLY_ERROR_NETWORK || result == REPLY_ERROR_TLS ||
             result == REPLY_ERROR_NO_MEMORY) &&
            !process_has_free_descriptors());
}

static void describe_code(struct transfer *transfer, CURLcode code,
                          struct transport_response *response) {
    const reply_result result = result_of(transfer, code);
    if (is_header_too_large(transfer, code)) {
        transfer_describe_failure(response, REPLY_ERROR_RESPONSE_TOO_LARGE, code,
                                  "a header line of over 100 kB, or too many header lines");
    } else if (is_out_of_descriptors(transfer, result)) {
        transfer_describe_failure(response, REPLY_ERROR_NO_MEMORY, code, "file descriptors");
    } else if (result == REPLY_ERROR_NO_MEMORY || transfer->socket_errno == ENOMEM ||
               transfer->socket_errno == ENOBUFS) {
        transfer_describe_failure(response, REPLY_ERROR_NO_MEMORY, code, "memory");
    } else {
        transfer_describe_failure(response, result, code, failure_text(transfer, code));
        response->is_transient = is_transient(transfer, code, result);
        response->is_tls_missing = result == REPLY_ERROR_TLS && !compat_has_tls();
        response->http_status = result == REPLY_ERROR_INVALID_RESPONSE ? 200 : 0;
    }
}

static void describe_response(const struct transfer *transfer,
                              struct transport_response *response) {
    *response = (struct transport_response){
        .failure_text = "",
        .http_status = transfer->http_status,
        .body = transfer->body.length > 0 ? transfer->body.bytes : NULL,
        .body_length = transfer->body.length,
        .content_type = header_text(transfer, CONTENT_TYPE),
        .retry_after = header_text(transfer, RETRY_AFTER),
        .date = header_text(transfer, DATE),
        .request_id = header_text(transfer, REQUEST_ID),
    };
}

/* The code counts last. If this file ended the transfer, the code only repeats that, and a status
 * other than 200 decides whatever happened to the body. */
void transfer_describe(struct transfer *transfer, CURLcode code,
                       struct transport_response *response) {
    if (code == CURLE_BAD_CONTENT_ENCODING) {
        read_status(transfer); /* libcurl may reject a coding before the end of the headers */
    }
    const bool is_status_decisive = transfer->http_status != 0 && transfer->http_status != 200;
    if (transfer->is_out_of_memory) {
        transfer_describe_failure(response, REPLY_ERROR_NO_MEMORY, CURLE_OK, "memory");
    } else if (transfer->is_too_large) {
        transfer_describe_failure(response, REPLY_ERROR_RESPONSE_TOO_LARGE, CURLE_OK, "");
    } else if (code != CURLE_OK && !is_status_decisive) {
        describe_code(transfer, code, response);
    } else if (transfer->http_status == 0) {
        transfer_describe_failure(
            response, REPLY_ERROR_NETWORK, CURLE_OK,
            "the connection was closed before the end of the response's headers");
        response->is_transient = true;
    } else {
        describe_response(transfer, response);
    }
}

void transfer_note_connection(struct transfer *transfer) {
    long version = 0;
    struct connection *connection =
        connection_find(transfer->group->connections, transfer_local_port(transfer));
    if (connection != NULL && !connection->is_http1) {
        curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
        connection->is_http1 = version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
    }
}

void transfer_free_buffers(struct transfer *transfer) {
    for (int i = 0; i < HEADER_COUNT; i++) {
        secret_free(transfer->headers[i].bytes, transfer->headers[i].capacity);
    }
    secret_free(transfer->body.bytes, transfer->body.capacity);
}
