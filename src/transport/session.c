/* session.c - the transport over libcurl's multi interface, which alone can be woken from another
 * thread; the sole user of libcurl. libcurl verifies the peer, follows no redirect, sends no cookie
 * and speaks HTTP/2 where the server offers it by default.
 */
#include "transport/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <curl/curl.h>

#include "base/error.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/text.h"

enum { LARGEST_CONTACT = 1024 * 1024, LARGEST_PROBLEM = 64 * 1024, LARGEST_HEADERS = 256 * 1024 };

/* ---- Clocks and chance ---- */

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t unix_seconds(void) {
    return (int64_t)time(NULL);
}

/* Where the system has no chance to give, the clock's last digits spread the waits well enough. */
static uint32_t random_bits(void) {
    uint32_t bits = 0;
    if (getentropy(&bits, sizeof bits) != 0) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        bits = (uint32_t)time.tv_nsec * 2654435769U;
    }
    return bits;
}

/* ---- The process ---- */

/* What libcurl says of itself, once it is prepared; asking writes to memory that all threads share.
 */
static const curl_version_info_data *libcurl;

/* A failure is tried again by the next client; a success is never undone, since other users of
 * libcurl may rely on it. */
static bool prepare(void) {
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

static const char *version(void) {
    return libcurl->version;
}

/* ---- URLs ---- */

/* Whether a host, as libcurl parsed it, is this machine. libcurl has brought other spellings of an
 * IPv4 address into its usual form. */
static bool is_loopback(const char *host) {
    struct in_addr address4;
    struct in6_addr address6;
    char inner[INET6_ADDRSTRLEN] = "";
    const size_t length = strlen(host);
    if (length == strlen("localhost") && text_equals_ignoring_case(host, "localhost", length)) {
        return true;
    }
    if (host[0] == '[' && length - 2 < sizeof inner) {
        memcpy(inner, host + 1, length - 2);
        return inet_pton(AF_INET6, inner, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6);
    }
    return inet_pton(AF_INET, host, &address4) == 1 && ntohl(address4.s_addr) >> 24 == 127;
}

/* The part of a URL, which the caller frees with curl_free; NULL where it has none or memory ran
 * out, as *code tells. */
static char *get_part(CURLU *url, CURLUPart part, CURLUcode *code) {
    char *text = NULL;
    *code = curl_url_get(url, part, &text, 0);
    return *code == CURLUE_OK ? text : NULL;
}

static reply_result refuse_base_url(reply_error *error) {
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "the base URL is refused; pass an https URL, or an http URL of a loopback "
                     "host, of at most %d bytes, without user, "
                     "password, query and fragment",
                     TRANSPORT_LONGEST_BASE_URL);
}

/* Refuses what libcurl's parser lets pass: a scheme without exactly two slashes after it, a host
 * that is not there, and a user, query or fragment, even an empty one. */
static bool is_plain_base_url(const char *text) {
    const size_t scheme = strcspn(text, ":");
    if (strnlen(text, TRANSPORT_LONGEST_BASE_URL + 1) > TRANSPORT_LONGEST_BASE_URL ||
        strncmp(text + scheme, "://", 3) != 0) {
        return false;
    }
    const char *authority = text + scheme + 3;
    const size_t authority_length = strcspn(authority, "/");
    return authority_length > 0 && memchr(authority, '@', authority_length) == NULL &&
           strpbrk(text, "?#\\") == NULL;
}

static reply_result refuse_part(CURLUcode code, reply_error *error) {
    return code == CURLUE_OUT_OF_MEMORY ? error_set_no_memory(error) : refuse_base_url(error);
}

/* Writes the normal form of a parsed URL. */
static reply_result normalise(CURLU *url, struct transport_base_url *base_url, reply_error *error) {
    CURLUcode code = CURLUE_OK;
    char *path = get_part(url, CURLUPART_PATH, &code);
    char *whole = path != NULL ? get_part(url, CURLUPART_URL, &code) : NULL;
    reply_result result = REPLY_OK;
    if (whole == NULL) {
        result = refuse_part(code, error);
    } else if (!is_plain_base_url(whole)) {
        result = refuse_base_url(
            error); /* longer than the text was, or with a user that the text spelt otherwise */
    } else if ((base_url->text = strdup(whole)) == NULL) {
        result = error_set_no_memory(error);
    } else {
        size_t length = strlen(whole);
        base_url->path_offset = length - strlen(path);
        while (length > base_url->path_offset && whole[length - 1] == '/') {
            length--;
        }
        base_url->text[length] = '\0';
    }
    curl_free(whole);
    curl_free(path);
    return result;
}

static reply_result check_parsed_base_url(CURLU *url, struct transport_base_url *base_url,
                                          reply_error *error) {
    CURLUcode code = CURLUE_OK;
    char *scheme = get_part(url, CURLUPART_SCHEME, &code);
    char *host = scheme != NULL ? get_part(url, CURLUPART_HOST, &code) : NULL;
    bool is_accepted = false;
    if (host != NULL) {
        base_url->is_loopback = is_loopback(host);
        is_accepted =
            strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && base_url->is_loopback);
    }
    curl_free(host);
    curl_free(scheme);
    if (!is_accepted) {
        return refuse_part(code, error);
    }
    return normalise(url, base_url, error);
}

static reply_result check_base_url(const char *text, struct transport_base_url *base_url,
                                   reply_error *error) {
    if (!is_plain_base_url(text)) {
        return refuse_base_url(error);
    }
    CURLU *url = curl_url();
    if (url == NULL) {
        return error_set_no_memory(error);
    }
    const CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    const reply_result result =
        code == CURLUE_OK ? check_parsed_base_url(url, base_url, error) : refuse_part(code, error);
    curl_url_cleanup(url);
    return result;
}

static bool is_proxy_scheme(const char *scheme) {
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strcmp(scheme, schemes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static reply_result check_proxy(const char *text, reply_error *error) {
    CURLU *url = curl_url();
    if (url == NULL) {
        return error_set_no_memory(error);
    }
    /* As libcurl itself will read it. */
    CURLUcode code =
        curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    char *scheme = code == CURLUE_OK ? get_part(url, CURLUPART_SCHEME, &code) : NULL;
    const bool is_accepted = scheme != NULL && is_proxy_scheme(scheme);
    curl_free(scheme);
    curl_url_cleanup(url);
    /* Any login can be parsed: libcurl calls it bad only where it has no memory to keep it. */
    if (code == CURLUE_OUT_OF_MEMORY || code == CURLUE_BAD_LOGIN) {
        return error_set_no_memory(error);
    }
    return is_accepted ? REPLY_OK
                       : error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                                   "the proxy is refused; pass an http, https, socks4, socks4a, "
                                   "socks5 or socks5h URL, or \"\" for none");
}

/* ---- A transfer: what libcurl hands over as it comes ---- */

/* Bytes that grow, with a NUL after them. */
struct buffer {
    char *bytes; /* NULL: nothing was ever kept */
    size_t length;
    size_t capacity;
};

/* The headers that are kept. */
enum header { CONTENT_TYPE, CONTENT_LENGTH, RETRY_AFTER, DATE, REQUEST_ID, HEADER_COUNT };
static const struct {
    const char *name;
    size_t length;
} kept_headers[HEADER_COUNT] = {{"Content-Type", 12},
                                {"Content-Length", 14},
                                {"Retry-After", 11},
                                {"Date", 4},
                                {"X-Request-Id", 12}};

struct transfer {
    CURL *easy; /* NULL: the slot has no handle at the moment */
    bool is_in_flight;
    bool is_https;
    bool shares_connection; /* it may wait for another one's connection */
    int64_t ends_ms;        /* its time limit, but for what the host's own code takes meanwhile */
    int64_t deadline_ms;    /* its time limit whatever happens */
    int64_t held_up_ms;     /* the session's, when it began */
    CURLcode begin_failure; /* CURLE_OK: it is under way in libcurl */
    char error_text[CURL_ERROR_SIZE];
    int32_t http_status; /* 0: the response's headers are not whole */
    size_t header_bytes;
    struct buffer headers[HEADER_COUNT];
    struct buffer body;
    bool is_too_large;
    bool is_out_of_memory;
    int last_errno; /* as libcurl left it when it last looked after this transfer */
};

struct transport_session {
    CURLM *multi;
    bool is_spent; /* libcurl failed: no transfer waits for a connection any more, and no other call
                      is served */
    int64_t returned_ms; /* when the last wait ended */
    int64_t held_up_ms;  /* how long the host's own code, its callbacks, has kept the session from
                            its transfers, in all */
    const struct transport_settings *settings;
    struct curl_slist
        *headers; /* a list over the settings' lines, which are not copied: they hold the key */
    struct transfer transfers[];
};

static bool append(struct buffer *buffer, const char *bytes, size_t length) {
    if (buffer->capacity - buffer->length <= length) {
        size_t capacity = buffer->capacity * 2;
        if (capacity <= buffer->length + length) {
            capacity = buffer->length + length + 1;
        }
        /* Not realloc, which would leave a copy behind: a server may repeat the key. */
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

/* Keeps the value of a header line, without spaces at its ends, if it is one of those to keep; the
 * last one of a name counts. */
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

/* The length that the response announces; 0 where it announces none. */
static int64_t announced_length(const struct transfer *transfer) {
    const char *length = header_text(transfer, CONTENT_LENGTH);
    return length != NULL ? strtoll(length, NULL, 10) : 0;
}

/* Takes the status of a response whose headers are whole, unless it is a 1xx that another response
 * follows. */
static void end_headers(struct transfer *transfer) {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        transfer->http_status = (int32_t)status;
        transfer->is_too_large = status == 200 && announced_length(transfer) > LARGEST_CONTACT;
    }
}

/* Receives each header line, those of 1xx responses and of trailers too. A return of less than it
 * was given ends the transfer. */
static size_t on_header(char *line, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    const size_t length = size * count;
    transfer->header_bytes += length;
    if (transfer->header_bytes > LARGEST_HEADERS) {
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

/* Receives the body piece by piece. Of a response that is not 200 no more is taken than a problem
 * document needs. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    const size_t length = size * count;
    const size_t limit = transfer->http_status == 200 ? LARGEST_CONTACT : LARGEST_PROBLEM;
    const size_t left = limit - transfer->body.length;
    const size_t taken = length < left ? length : left;
    if (transfer->http_status == 0) {
        return 0; /* no body belongs to a 1xx response */
    }
    if (transfer->http_status == 200 && length > left) {
        transfer->is_too_large = true;
        return 0;
    }
    if (!append(&transfer->body, bytes, taken)) {
        transfer->is_out_of_memory = true;
        return 0;
    }
    return transfer->http_status != 200 && taken == left ? 0 : length;
}

/* Is called when libcurl has looked after the transfer, and once more when it ends, before anything
 * else can change errno and before its connection is another's. One on which something failed is
 * used no more: libcurl 7.88 keeps a new connection on which a request could not be sent, and the
 * next transfer would get the answer to that request. */
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

/* ---- A transfer's end ---- */

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

/* libcurl refuses a header line of over 100 kB as out of memory before 8.6, and by a code of its
 * own since. Where an allocation truly failed, errno says so. */
static bool is_header_too_large(const struct transfer *transfer, CURLcode code) {
    curl_off_t answered_after = 0;
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE) {
        return true;
    }
#endif
    if (code != CURLE_OUT_OF_MEMORY || transfer->begin_failure != CURLE_OK ||
        transfer->last_errno == ENOMEM) {
        return false;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &answered_after);
    return transfer->http_status == 0 && answered_after > 0;
}

static void fail(struct transport_response *response, reply_result failure, CURLcode code,
                 const char *text) {
    *response = (struct transport_response){
        .failure = failure, .failure_text = text, .curl_code = (int32_t)code};
}

/* What a transfer came to, from what was received and the code with which libcurl ended it. The
 * code counts last: where this file broke the transfer off it is only the echo of that, and a
 * status other than 200 decides whatever became of the body. */
static void describe(const struct transfer *transfer, CURLcode code,
                     struct transport_response *response) {
    const bool is_status_decisive = transfer->http_status != 0 && transfer->http_status != 200;
    if (transfer->is_out_of_memory) {
        fail(response, REPLY_ERROR_NO_MEMORY, CURLE_OK, "");
    } else if (transfer->is_too_large) {
        fail(response, REPLY_ERROR_RESPONSE_TOO_LARGE, CURLE_OK,
             "over 1 MiB, or over 256 KiB of headers");
    } else if (code != CURLE_OK && !is_status_decisive) {
        const bool is_too_large = is_header_too_large(transfer, code);
        fail(response, is_too_large ? REPLY_ERROR_RESPONSE_TOO_LARGE : result_of(code), code,
             is_too_large                      ? "a header line of over 100 kB"
             : transfer->error_text[0] != '\0' ? transfer->error_text
                                               : curl_easy_strerror(code));
    } else if (transfer->http_status == 0) {
        fail(response, REPLY_ERROR_NETWORK, CURLE_OK,
             "the connection was closed before the end of the response's headers");
    } else {
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
}

/* ---- The table ---- */

/* The list that libcurl takes headers as, over lines that stay where they are. NULL where memory
 * ran out. */
static struct curl_slist *list_headers(const struct transport_settings *settings) {
    struct curl_slist *list = calloc(settings->header_count, sizeof *list);
    for (size_t i = 0; list != NULL && i < settings->header_count; i++) {
        list[i].data = settings->headers[i];
        list[i].next = i + 1 < settings->header_count ? &list[i + 1] : NULL;
    }
    return list;
}

static void free_session(struct transport_session *session) {
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        for (int header = 0; header < HEADER_COUNT; header++) {
            secret_free(session->transfers[i].headers[header].bytes,
                        session->transfers[i].headers[header].capacity);
        }
        secret_free(session->transfers[i].body.bytes, session->transfers[i].body.capacity);
    }
    free(session->headers);
    free(session);
}

static struct transport_session *open_session(const struct transport_settings *settings) {
    struct transport_session *session =
        calloc(1, sizeof *session + (size_t)settings->slot_count * sizeof session->transfers[0]);
    if (session == NULL) {
        return NULL;
    }
    session->settings = settings;
    session->headers = list_headers(settings);
    session->returned_ms = now_ms();
    session->multi = session->headers != NULL ? curl_multi_init() : NULL;
    /* Without file descriptors to spare libcurl makes a handle that nobody can wake, and no
     * interrupt would reach it. */
    if (session->multi == NULL || curl_multi_wakeup(session->multi) != CURLM_OK) {
        curl_multi_cleanup(session->multi);
        free_session(session);
        return NULL;
    }
    /* As many connections are kept for the next call as one call may need. */
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)settings->slot_count);
    return session;
}

/* An option that a libcurl may have been built without, where nothing is lost by its lack. */
static CURLcode unless_missing(CURLcode code) {
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code;
}

#define SET(option, value) code = code != CURLE_OK ? code : curl_easy_setopt(easy, option, value)
#define SET_IF_THERE(option, value)                                                                \
    code = code != CURLE_OK ? code : unless_missing(curl_easy_setopt(easy, option, value))

/* Trusts the file alone: libcurl would go on trusting the system's folder beside it. */
static CURLcode configure_ca_file(CURL *easy, const char *ca_file) {
    CURLcode code = CURLE_OK;
    SET(CURLOPT_CAINFO, ca_file);
    SET_IF_THERE(CURLOPT_CAPATH, NULL);
    SET_IF_THERE(CURLOPT_PROXY_CAINFO, ca_file);
    SET_IF_THERE(CURLOPT_PROXY_CAPATH, NULL);
    return code;
}

/* What is the same for all transfers of a slot. */
static CURLcode configure(CURL *easy, struct transfer *transfer,
                          const struct transport_session *session) {
    const struct transport_settings *settings = session->settings;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A dead name server would hold the end of a transfer until its own time limit. */
    SET_IF_THERE(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_HTTPHEADER, session->headers);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET_IF_THERE(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_timeout_ms);
    SET(CURLOPT_ERRORBUFFER, transfer->error_text);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    if (settings->is_loopback) {
        SET(CURLOPT_PROXY, ""); /* a proxy would be shown the key, since this may be plain http */
    } else if (settings->proxy != NULL) {
        SET(CURLOPT_PROXY, settings->proxy);
    }
    if (code == CURLE_OK && settings->ca_file != NULL) {
        code = configure_ca_file(easy, settings->ca_file);
    }
    return code;
}

/* Gives a slot its handle, the first time that it is used. */
static CURLcode ensure_handle(const struct transport_session *session, struct transfer *transfer) {
    if (transfer->easy != NULL) {
        return CURLE_OK;
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    const CURLcode code = configure(easy, transfer, session);
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        return code;
    }
    transfer->easy = easy;
    return CURLE_OK;
}

/* Hands a transfer to libcurl. It waits for a connection that may carry several transfers, instead
 * of making one of its own, unless none can (plain http) or one has not come about. */
static CURLcode add(const struct transport_session *session, struct transfer *transfer) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
    transfer->shares_connection = transfer->is_https && !session->is_spent;
    SET(CURLOPT_PIPEWAIT, transfer->shares_connection ? 1L : 0L);
    SET(CURLOPT_FORBID_REUSE, 0L);
    if (code == CURLE_OK) {
        const CURLMcode multi_code = curl_multi_add_handle(session->multi, easy);
        code = multi_code == CURLM_OK              ? CURLE_OK
               : multi_code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
                                                   : CURLE_FAILED_INIT;
    }
    return code;
}

static CURLcode begin(const struct transport_session *session, struct transfer *transfer,
                      const char *url) {
    CURLcode code = ensure_handle(session, transfer);
    CURL *easy = transfer->easy;
    transfer->is_https = strncmp(url, "https:", strlen("https:")) == 0;
    SET(CURLOPT_URL, url);
    return code == CURLE_OK ? add(session, transfer) : code;
}

static void start(struct transport_session *session, int32_t slot, const char *url,
                  int64_t timeout_ms, int64_t deadline_ms) {
    const int64_t now = now_ms();
    struct transfer *transfer = &session->transfers[slot];
    forget_headers(transfer);
    transfer->error_text[0] = '\0';
    transfer->http_status = 0;
    transfer->header_bytes = 0;
    transfer->body.length = 0;
    transfer->is_too_large = false;
    transfer->is_out_of_memory = false;
    transfer->last_errno = 0;
    transfer->ends_ms = now + timeout_ms;
    transfer->deadline_ms = deadline_ms;
    transfer->held_up_ms = session->held_up_ms + now - session->returned_ms;
    transfer->begin_failure = begin(session, transfer, url);
    transfer->is_in_flight = true;
}

/* libcurl 7.83 to 8.1.0 keeps a pointer to the last header of a handle's last response, which it
 * has freed, and follows it where the next response begins with a folded header: such a handle
 * serves one transfer. Its connection lives on in the session. */
static bool may_reuse_handle(void) {
    return libcurl->version_num < 0x075300 || libcurl->version_num > 0x080100;
}

static void cancel(struct transport_session *session, int32_t slot) {
    struct transfer *transfer = &session->transfers[slot];
    if (transfer->begin_failure == CURLE_OK) {
        curl_multi_remove_handle(session->multi, transfer->easy);
    }
    if (!may_reuse_handle()) {
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
    transfer->is_in_flight = false;
}

/* Whether a transfer has neither a connection of its own nor been sent over another's. */
static bool may_be_waiting(const struct transfer *transfer) {
    curl_off_t looked_up_after = 0;
    curl_off_t sent_after = 0;
    if (!transfer->is_in_flight || transfer->begin_failure != CURLE_OK ||
        !transfer->shares_connection) {
        return false;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_after);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after);
    return looked_up_after == 0 && sent_after == 0;
}

/* Where a connection does not come about, libcurl lets those that wait for it try one after the
 * other, for as long as each may take to connect: each that may be waiting begins anew, for itself.
 */
static void end_waiting(struct transport_session *session) {
    session->is_spent = true;
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (may_be_waiting(transfer)) {
            curl_multi_remove_handle(session->multi, transfer->easy);
            transfer->begin_failure = add(session, transfer);
        }
    }
}

/* Ends a transfer with libcurl's code, and describes it. CURLE_WRITE_ERROR is this file's own
 * doing. */
static int32_t finish(struct transport_session *session, int32_t slot, CURLcode code,
                      struct transport_response *response) {
    describe(&session->transfers[slot], code, response);
    cancel(session, slot);
    if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
        end_waiting(session);
    }
    return slot;
}

/* The slot of a transfer that libcurl has ended, or that could not begin; -1 where there is none.
 */
static int32_t take_finished(struct transport_session *session,
                             struct transport_response *response) {
    int messages_left = 0;
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        if (session->transfers[i].is_in_flight && session->transfers[i].begin_failure != CURLE_OK) {
            return finish(session, i, session->transfers[i].begin_failure, response);
        }
    }
    const CURLMsg *message = curl_multi_info_read(session->multi, &messages_left);
    for (int32_t i = 0; message != NULL && i < session->settings->slot_count; i++) {
        if (message->easy_handle == session->transfers[i].easy) {
            return finish(session, i, message->data.result, response);
        }
    }
    return -1;
}

/* Where libcurl's loop itself fails, no transfer can go on: each is ended in turn. Where none is
 * left, a short sleep keeps the wait from becoming a busy loop. */
static int32_t give_up(struct transport_session *session, CURLMcode code,
                       struct transport_response *response) {
    session->is_spent = true;
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        if (session->transfers[i].is_in_flight) {
            fail(response,
                 code == CURLM_OUT_OF_MEMORY ? REPLY_ERROR_NO_MEMORY : REPLY_ERROR_NETWORK,
                 CURLE_OK, curl_multi_strerror(code));
            cancel(session, i);
            return i;
        }
    }
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return -1;
}

/* The end of a transfer's time. What the host's own code took, before libcurl could look after the
 * transfer, is not counted. */
static int64_t end_of(const struct transport_session *session, const struct transfer *transfer) {
    const int64_t ends_ms = transfer->ends_ms + session->held_up_ms - transfer->held_up_ms;
    return ends_ms < transfer->deadline_ms ? ends_ms : transfer->deadline_ms;
}

/* Ends a transfer whose time is over. Where there is none, returns -1 and shortens *timeout_ms to
 * the next one's end. libcurl's own limit would not do: it throws away what has arrived meanwhile,
 * and a transfer that waits for another's connection has none. */
static int32_t take_overdue(struct transport_session *session, int64_t *timeout_ms,
                            struct transport_response *response) {
    const int64_t now = now_ms();
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        const struct transfer *transfer = &session->transfers[i];
        if (!transfer->is_in_flight) {
            continue;
        }
        const int64_t left_ms = end_of(session, transfer) - now;
        if (left_ms <= 0) {
            return finish(session, i, CURLE_OPERATION_TIMEDOUT, response);
        }
        if (*timeout_ms < 0 || left_ms < *timeout_ms) {
            *timeout_ms = left_ms;
        }
    }
    return -1;
}

/* Lets libcurl do what it can, and takes a transfer that is over; -1 where none is, with
 * *timeout_ms shortened to the next one's end. */
static int32_t step(struct transport_session *session, int64_t *timeout_ms,
                    struct transport_response *response) {
    int running = 0;
    int32_t slot = take_finished(session, response);
    if (slot >= 0) {
        return slot;
    }
    errno = 0;
    const CURLMcode code = curl_multi_perform(session->multi, &running);
    if (code != CURLM_OK) {
        return give_up(session, code, response);
    }
    slot = take_finished(session, response);
    return slot >= 0 ? slot : take_overdue(session, timeout_ms, response);
}

static int32_t wait_for_one(struct transport_session *session, int64_t timeout_ms,
                            struct transport_response *response) {
    session->held_up_ms += now_ms() - session->returned_ms;
    int32_t slot = step(session, &timeout_ms, response);
    if (slot < 0) {
        const int longest = timeout_ms < 0 || timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
        const CURLMcode code = curl_multi_poll(session->multi, NULL, 0, longest, NULL);
        slot = code == CURLM_OK ? -1 : give_up(session, code, response);
    }
    session->returned_ms = now_ms();
    return slot;
}

static bool may_serve_again(const struct transport_session *session) {
    return !session->is_spent;
}

static void wake(struct transport_session *session) {
    curl_multi_wakeup(session->multi);
}

static void close_session(struct transport_session *session, bool came_through_fork) {
    if (!came_through_fork) {
        for (int32_t i = 0; i < session->settings->slot_count; i++) {
            curl_easy_cleanup(session->transfers[i].easy);
        }
        curl_multi_cleanup(session->multi);
    }
    free_session(session);
}

const struct transport transport_curl = {
    .now_ms = now_ms,
    .unix_seconds = unix_seconds,
    .random = random_bits,
    .prepare = prepare,
    .version = version,
    .check_base_url = check_base_url,
    .check_proxy = check_proxy,
    .open = open_session,
    .start = start,
    .wait = wait_for_one,
    .cancel = cancel,
    .wake = wake,
    .may_serve_again = may_serve_again,
    .close = close_session,
};
