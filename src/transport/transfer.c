/* transfer.c - one transfer: its handle and options, what it receives, its limits and outcome.
 * By default libcurl verifies the peer, follows no redirect, sends no cookie and uses HTTP/2 if the
 * server offers it. */
#include "transport/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "transport/compat.h"

enum { MAX_OTHER_BODY = 64 * 1024, MAX_HEADERS = 256 * 1024 };

static const struct {
    const char *name;
    size_t length;
} kept_headers[HEADER_COUNT] = {[CONTENT_TYPE] = {"Content-Type", 12},
                                [CONTENT_LENGTH] = {"Content-Length", 14},
                                [RETRY_AFTER] = {"Retry-After", 11},
                                [DATE] = {"Date", 4},
                                [REQUEST_ID] = {"X-Request-Id", 12}};

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

static bool announces_too_much(const struct transfer *transfer) {
    const char *length = header_text(transfer, CONTENT_LENGTH);
    return length != NULL && strtoll(length, NULL, 10) > (long long)transfer->max_body_size;
}

/* Reads the status when the headers are complete. Another response follows a 1xx. */
static void end_headers(struct transfer *transfer) {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        transfer->http_status = (int32_t)status;
        transfer->is_too_large = status == 200 && announces_too_much(transfer);
    }
}

/* Receives each header line, also of 1xx responses and of trailers. Returning less than the length
 * ends the transfer. */
static size_t on_header(char *line, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    const size_t length = size * count;
    transfer->header_bytes += length;
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

/* libcurl calls this after each step of a transfer and once more when it ends, before anything else
 * can change errno and before the connection can serve another transfer. A connection on which
 * something failed is not reused: libcurl 7.88 keeps a new connection on which a request could not
 * be sent, and the next transfer would get the response to that request. */
static int on_progress(void *context, curl_off_t unused_1, curl_off_t unused_2, curl_off_t unused_3,
                       curl_off_t unused_4) {
    struct transfer *transfer = context;
    (void)unused_1;
    (void)unused_2;
    (void)unused_3;
    (void)unused_4;
    transfer->last_errno = errno;
    if (transfer->error_text[0] != '\0') {
        curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
    }
    return 0;
}

/* ---- Options ---- */

/* Accepts that libcurl was built without an option that nothing depends on. */
static CURLcode accept_missing(CURLcode code) {
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

#define SET(option, value) code = code != CURLE_OK ? code : curl_easy_setopt(easy, option, value)
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

/* Sets what is the same for all transfers of a slot. */
static CURLcode set_options(CURL *easy, struct transfer *transfer,
                            const struct transport_settings *settings,
                            struct curl_slist *header_list) {
    CURLcode code = compat_configure(easy);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTPHEADER, header_list);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET_IF_KNOWN(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_timeout_ms);
    SET(CURLOPT_ERRORBUFFER, transfer->error_text);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    if (settings->base_url.is_loopback) {
        SET(CURLOPT_PROXY, ""); /* a proxy would see the key of a plain http request */
    } else if (settings->proxy != NULL) {
        SET(CURLOPT_PROXY, settings->proxy);
    }
    if (code == CURLE_OK && settings->ca_file != NULL) {
        code = set_ca_file(easy, settings->ca_file);
    }
    return code;
}

/* Gives a slot its handle when it is first used. */
static CURLcode ensure_handle(struct transfer *transfer, const struct transport_settings *settings,
                              struct curl_slist *header_list) {
    if (transfer->easy != NULL) {
        return CURLE_OK;
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    const CURLcode code = set_options(easy, transfer, settings, header_list);
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        return code;
    }
    transfer->easy = easy;
    return CURLE_OK;
}

CURLcode transfer_configure(struct transfer *transfer, const struct transport_settings *settings,
                            struct curl_slist *header_list, const char *url) {
    CURLcode code = ensure_handle(transfer, settings, header_list);
    CURL *easy = transfer->easy;
    transfer->is_https = strncmp(url, "https:", strlen("https:")) == 0;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_FORBID_REUSE, 0L);
    return code;
}

CURLcode transfer_set_can_wait(struct transfer *transfer, bool can_wait) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
    transfer->can_wait = can_wait;
    SET(CURLOPT_PIPEWAIT, can_wait ? 1L : 0L);
    return code;
}

void transfer_reset(struct transfer *transfer, const struct transport_request *request) {
    forget_headers(transfer);
    transfer->error_text[0] = '\0';
    transfer->max_body_size = request->max_body_size;
    transfer->http_status = 0;
    transfer->header_bytes = 0;
    transfer->body.length = 0;
    transfer->is_too_large = false;
    transfer->is_out_of_memory = false;
    transfer->last_errno = 0;
}

bool transfer_is_waiting(const struct transfer *transfer) {
    curl_off_t looked_up_after = 0;
    curl_off_t sent_after = 0;
    if (!transfer->is_in_flight || transfer->start_failure != CURLE_OK || !transfer->can_wait) {
        return false;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_after);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after);
    return looked_up_after == 0 && sent_after == 0;
}

/* ---- Outcome ---- */

static reply_result result_of(CURLcode code) {
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return REPLY_ERROR_NO_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
        return REPLY_ERROR_TIMEOUT;
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
    case CURLE_SSL_CLIENTCERT:
        return REPLY_ERROR_TLS;
    default:
        return REPLY_ERROR_NETWORK;
    }
}

/* Older versions of libcurl report a header line of over 100 kB as out of memory. If an allocation
 * really failed, errno says so. */
static bool is_header_too_large(const struct transfer *transfer, CURLcode code) {
    curl_off_t responded_after = 0;
    if (code == CURLE_OUT_OF_MEMORY && transfer->start_failure == CURLE_OK &&
        transfer->last_errno != ENOMEM && transfer->http_status == 0) {
        curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &responded_after);
    }
    return compat_is_too_large(code) || responded_after > 0;
}

void transfer_describe_failure(struct transport_response *response, reply_result failure,
                               CURLcode code, const char *text) {
    *response = (struct transport_response){
        .failure = failure, .failure_text = text, .curl_code = (int32_t)code};
}

static void describe_code(const struct transfer *transfer, CURLcode code,
                          struct transport_response *response) {
    if (is_header_too_large(transfer, code)) {
        transfer_describe_failure(response, REPLY_ERROR_RESPONSE_TOO_LARGE, code,
                                  "a header line of over 100 kB");
    } else {
        transfer_describe_failure(response, result_of(code), code,
                                  transfer->error_text[0] != '\0' ? transfer->error_text
                                                                  : curl_easy_strerror(code));
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
void transfer_describe(const struct transfer *transfer, CURLcode code,
                       struct transport_response *response) {
    const bool is_status_decisive = transfer->http_status != 0 && transfer->http_status != 200;
    if (transfer->is_out_of_memory) {
        transfer_describe_failure(response, REPLY_ERROR_NO_MEMORY, CURLE_OK, "");
    } else if (transfer->is_too_large) {
        transfer_describe_failure(response, REPLY_ERROR_RESPONSE_TOO_LARGE, CURLE_OK, "");
    } else if (code != CURLE_OK && !is_status_decisive) {
        describe_code(transfer, code, response);
    } else if (transfer->http_status == 0) {
        transfer_describe_failure(
            response, REPLY_ERROR_NETWORK, CURLE_OK,
            "the connection was closed before the end of the response's headers");
    } else {
        describe_response(transfer, response);
    }
}

void transfer_free_buffers(struct transfer *transfer) {
    for (int i = 0; i < HEADER_COUNT; i++) {
        secret_free(transfer->headers[i].bytes, transfer->headers[i].capacity);
    }
    secret_free(transfer->body.bytes, transfer->body.capacity);
}
