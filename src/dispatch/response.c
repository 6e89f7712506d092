/* response.c - status, problem document or transport failure to reply_error; pure. */
#include "dispatch/response.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "decode/problem.h"

/* ---- Tables ---- */

/* One row per status or range of statuses; the first that matches counts. */
static const struct status_row {
    int32_t first, last;
    reply_result result;
    bool is_retryable;
    const char *reason;
    const char *advice;
} status_rows[] = {
    {400, 400, REPLY_ERROR_BAD_REQUEST, false, "the service rejects the request",
     "check the ids and the added headers"},
    {401, 401, REPLY_ERROR_UNAUTHORIZED, false, "the service rejects the API key",
     "check the api_key given to reply_client_create against Settings > API Key in Reply"},
    {403, 403, REPLY_ERROR_FORBIDDEN, false, "the API key is not permitted to do this",
     "check the key's plan, scopes and user, and for the key of a team or organisation the headers "
     "X-TEAM-ID and X-USER-ID"},
    {404, 404, REPLY_ERROR_NOT_FOUND, false,
     "the sequence or the contact does not exist, or the contact is not in this sequence",
     "check the ids"},
    {408, 408, REPLY_ERROR_HTTP, true, "the service did not receive the request in time",
     "retry later"},
    {422, 422, REPLY_ERROR_BAD_REQUEST, false, "the service rejects the request",
     "check the ids and the added headers"},
    {429, 429, REPLY_ERROR_RATE_LIMITED, true,
     "the rate limit of this user, for all of the user's programs, is used up",
     "wait a minute or as long as the service asks"},
    {500, 500, REPLY_ERROR_SERVER, true, "the service failed", "retry later"},
    {502, 504, REPLY_ERROR_SERVER, true, "the service failed", "retry later"},
    {500, 599, REPLY_ERROR_SERVER, false, "the service failed", "retry later"},
    {304, 304, REPLY_ERROR_HTTP, false, "the response is not modified and has no contact",
     "remove added headers such as If-None-Match"},
    {300, 399, REPLY_ERROR_HTTP, false,
     "the service redirects; redirects are not followed, because that could send the API key to "
     "another host",
     "check the base URL"},
    {0, INT32_MAX, REPLY_ERROR_HTTP, false, "the status does not carry a contact",
     "check the base URL"},
};

/* One row per failure of the transport. */
static const struct failure_row {
    const char *reason;
    const char *advice;
} failure_rows[] = {
    [REPLY_ERROR_NETWORK] = {"connection failed", "check the network, the proxy and the base URL"},
    [REPLY_ERROR_TLS] = {"TLS connection failed", "check the CA file or the system's certificates, "
                                                  "the clock and the base URL"},
    [REPLY_ERROR_TIMEOUT] = {"attempt timed out", "retry later or set longer timeouts"},
    [REPLY_ERROR_RESPONSE_TOO_LARGE] = {"response too large", "check the base URL"},
    [REPLY_ERROR_INVALID_RESPONSE] = {"invalid response: HTTP 200 with a body that cannot be "
                                      "decompressed",
                                      "check the base URL"},
};

static const struct failure_row handshake_row = {
    "TLS handshake failed", "check the network, the proxy and the base URL, or retry later"};

static const struct failure_row missing_tls_row = {"TLS connection failed",
                                                   "use a libcurl with TLS"};

static const struct failure_row *find_failure_row(const struct transport_response *response) {
    if (response->failure == REPLY_ERROR_TLS && response->is_tls_missing) {
        return &missing_tls_row;
    }
    return response->failure == REPLY_ERROR_TLS && response->is_transient
               ? &handshake_row
               : &failure_rows[response->failure];
}

/* ---- Reading ---- */

static bool read_status(const struct transport_response *response, const char *key,
                        reply_error *error) {
    const struct status_row *row = status_rows;
    struct problem problem;
    char wait[64] = "";
    while (response->http_status < row->first || response->http_status > row->last) {
        row++;
    }
    problem_decode(response->body, response->body_length, key, &problem);
    memcpy(error->problem_code, problem.code, sizeof error->problem_code);
    if (error->retry_after_ms >= 0) {
        /* The service may have asked for more than the maximum. */
        snprintf(wait, sizeof wait, " (the service asks to wait %s%" PRId64 " s)",
                 error->retry_after_ms < RETRY_MAX_AFTER_MS ? "" : "at least ",
                 error->retry_after_ms / 1000);
    }
    error_set(error, row->result, "HTTP %" PRId32 ": %s%s%s%s; %s%s", response->http_status,
              row->reason, problem.detail[0] != '\0' ? " (" : "", problem.detail,
              problem.detail[0] != '\0' ? ")" : "", row->advice, wait);
    return row->is_retryable;
}

static void read_failure(const struct transport_response *response, size_t max_body_size,
                         const char *key, reply_error *error) {
    const struct failure_row *row = find_failure_row(response);
    char detail[256];
    if (response->failure == REPLY_ERROR_NO_MEMORY) {
        error_set_out_of(error, response->failure_text);
        return;
    }
    if (response->failure == REPLY_ERROR_RESPONSE_TOO_LARGE && response->failure_text[0] == '\0') {
        snprintf(detail, sizeof detail, "over %zu MiB, or over 256 KiB of headers",
                 max_body_size / 1024 / 1024);
    } else {
        error_quote(detail, sizeof detail, response->failure_text, strlen(response->failure_text),
                    key);
    }
    error_set(error, response->failure, "%s%s%s; %s", row->reason, detail[0] != '\0' ? ": " : "",
              detail, row->advice);
}

void response_add_details(const struct transport_response *response, const char *key,
                          int64_t host_unix_seconds, reply_error *error) {
    error->http_status = response->http_status;
    error->curl_code = response->curl_code;
    error->retry_after_ms =
        retry_after_ms(response->retry_after, response->date, host_unix_seconds);
    if (response->request_id != NULL) {
        error_quote(error->request_id, sizeof error->request_id, response->request_id,
                    strlen(response->request_id), key);
    }
}

struct retry_outcome response_read(const struct transport_response *response, size_t max_body_size,
                                   const char *key, int64_t host_unix_seconds, reply_error *error) {
    struct retry_outcome outcome = {.retry_after_ms = -1};
    if (response->failure == REPLY_OK && response->http_status == 200) {
        return outcome;
    }
    response_add_details(response, key, host_unix_seconds, error);
    if (response->failure != REPLY_OK) {
        read_failure(response, max_body_size, key, error);
        outcome.is_retryable = response->is_transient;
    } else {
        outcome.is_retryable = read_status(response, key, error);
        outcome.retry_after_ms = error->retry_after_ms;
        outcome.closes_gate = response->http_status == 429 && error->retry_after_ms >= 0;
    }
    return outcome;
}
