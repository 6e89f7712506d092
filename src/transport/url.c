/* url.c - checks of base URLs and proxy URLs, by libcurl's parser. */
#include "transport/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <curl/curl.h>

#include "base/error.h"
#include "base/text.h"
#include "transport/compat.h"

/* libcurl has already normalised other spellings of an IPv4 address. */
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

/* Returns a part of a URL, to be freed with curl_free; or NULL, with the reason in *code. */
static char *get_part(CURLU *url, CURLUPart part, CURLUcode *code) {
    char *text = NULL;
    *code = curl_url_get(url, part, &text, 0);
    return *code == CURLUE_OK ? text : NULL;
}

static reply_result reject_base_url(reply_error *error) {
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "invalid base URL; use https, or http with a loopback host, without user, "
                     "password, query and fragment, of at most %d bytes",
                     TRANSPORT_MAX_BASE_URL);
}

static bool lacks_tls(const char *text) {
    return text_equals_ignoring_case(text, "https", strlen("https")) && !compat_has_tls();
}

/* Rejects what libcurl's parser accepts: a scheme without exactly two slashes after it, an empty
 * host, and a user, query or fragment, even an empty one. */
static bool is_plain_base_url(const char *text) {
    const size_t scheme = strcspn(text, ":");
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7F) {
            return false; /* older versions of libcurl accept some */
        }
    }
    if (strnlen(text, TRANSPORT_MAX_BASE_URL + 1) > TRANSPORT_MAX_BASE_URL ||
        strncmp(text + scheme, "://", 3) != 0) {
        return false;
    }
    const char *authority = text + scheme + 3;
    const size_t authority_length = strcspn(authority, "/");
    return authority_length > 0 && memchr(authority, '@', authority_length) == NULL &&
           strpbrk(text, "?#\\") == NULL;
}

static reply_result reject_part(CURLUcode code, reply_error *error) {
    return code == CURLUE_OUT_OF_MEMORY ? error_set_no_memory(error) : reject_base_url(error);
}

/* Writes the normal form of a parsed URL. */
static reply_result normalise(CURLU *url, struct transport_base_url *base_url, char **text,
                              reply_error *error) {
    CURLUcode code = CURLUE_OK;
    char *path = get_part(url, CURLUPART_PATH, &code);
    char *whole = path != NULL ? get_part(url, CURLUPART_URL, &code) : NULL;
    reply_result result = REPLY_OK;
    if (whole == NULL) {
        result = reject_part(code, error);
    } else if (!is_plain_base_url(whole)) {
        /* The normal form is too long, or shows a user that the text spelt in another way. */
        result = reject_base_url(error);
    } else {
        size_t length = strlen(whole);
        base_url->path_offset = length - strlen(path);
        while (length > base_url->path_offset && whole[length - 1] == '/') {
            length--;
        }
        *text = strndup(whole, length);
        base_url->text = *text;
        result = *text != NULL ? REPLY_OK : error_set_no_memory(error);
    }
    curl_free(whole);
    curl_free(path);
    return result;
}

static reply_result check_parsed(CURLU *url, struct transport_base_url *base_url, char **text,
                                 reply_error *error) {
    CURLUcode code = CURLUE_OK;
    char *scheme = get_part(url, CURLUPART_SCHEME, &code);
    char *host = scheme != NULL ? get_part(url, CURLUPART_HOST, &code) : NULL;
    bool is_valid = false;
    if (host != NULL) {
        base_url->is_loopback = is_loopback(host);
        is_valid =
            strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && base_url->is_loopback);
    }
    curl_free(host);
    curl_free(scheme);
    return is_valid ? normalise(url, base_url, text, error) : reject_part(code, error);
}

reply_result url_parse_base_url(const char *url, struct transport_base_url *base_url, char **text,
                                reply_error *error) {
    if (!is_plain_base_url(url)) {
        return reject_base_url(error);
    }
    if (lacks_tls(url)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid base URL: libcurl was built without TLS; use a libcurl with TLS");
    }
    CURLU *parsed = curl_url();
    if (parsed == NULL) {
        return error_set_no_memory(error);
    }
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    code = code == CURLUE_OK ? compat_normalise_host(parsed) : code;
    const reply_result result =
        code == CURLUE_OK ? check_parsed(parsed, base_url, text, error) : reject_part(code, error);
    curl_url_cleanup(parsed);
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

reply_result url_check_proxy(const char *url, reply_error *error) {
    CURLU *parsed = curl_url();
    if (parsed == NULL) {
        return error_set_no_memory(error);
    }
    errno = 0;
    /* The flags with which libcurl itself parses a proxy. */
    CURLUcode code =
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    char *scheme = code == CURLUE_OK ? get_part(parsed, CURLUPART_SCHEME, &code) : NULL;
    const bool is_valid = scheme != NULL && is_proxy_scheme(scheme);
    const bool is_out_of_memory = compat_is_out_of_memory(code);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    if (is_out_of_memory) {
        return error_set_no_memory(error);
    }
    return is_valid ? REPLY_OK
                    : error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                                "invalid proxy URL; use an http, https, socks4, socks4a, socks5 or "
                                "socks5h URL, or \"\" for none");
}
