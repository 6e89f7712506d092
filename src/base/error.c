/* error.c - the one home of reply_error: codes, sentences, first error wins. Nothing here
 * allocates. */
#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

_Static_assert(sizeof(reply_error) == 1024, "bindings copy reply_error by its size");
_Static_assert(sizeof(reply_result) == 4, "bindings read enums as 4 bytes");

const char *reply_result_name(reply_result result) {
    static const char *const names[] = {
        "REPLY_OK",
        "REPLY_ERROR_INVALID_ARGUMENT",
        "REPLY_ERROR_NO_MEMORY",
        "REPLY_ERROR_CANCELLED",
        "REPLY_ERROR_NETWORK",
        "REPLY_ERROR_TLS",
        "REPLY_ERROR_TIMEOUT",
        "REPLY_ERROR_RESPONSE_TOO_LARGE",
        "REPLY_ERROR_INVALID_RESPONSE",
        "REPLY_ERROR_BAD_REQUEST",
        "REPLY_ERROR_UNAUTHORIZED",
        "REPLY_ERROR_FORBIDDEN",
        "REPLY_ERROR_NOT_FOUND",
        "REPLY_ERROR_RATE_LIMITED",
        "REPLY_ERROR_SERVER",
        "REPLY_ERROR_HTTP",
    };
    const size_t index = (size_t)result; /* a negative number becomes a huge one */
    return index < sizeof names / sizeof *names ? names[index] : "UNKNOWN";
}

reply_error *error_begin(reply_error *error, reply_error *spare) {
    reply_error *begun = error != NULL ? error : spare;
    memset(begun, 0, sizeof *begun);
    begun->retry_after_ms = -1;
    return begun;
}

/* Where a text was cut, it may end in a part of a character, which goes too. */
static void end_with_whole_character(char *text) {
    const size_t length = strlen(text);
    uint32_t code_point = 0;
    size_t whole = 0;
    for (size_t size = 1; size > 0; whole += size) {
        size = text_decode_utf8(text + whole, length - whole, &code_point);
    }
    text[whole] = '\0';
}

reply_result error_set(reply_error *error, reply_result result, const char *format, ...) {
    if (error->result == REPLY_OK) {
        va_list arguments;
        error->result = result;
        va_start(arguments, format);
        if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0) {
            error->message[0] = '\0';
        }
        va_end(arguments);
        end_with_whole_character(error->message);
    }
    return error->result;
}

reply_result error_set_no_memory(reply_error *error) {
    return error_set(error, REPLY_ERROR_NO_MEMORY, "memory ran out: free some and try again");
}

/* A row serves the statuses from first to last. */
static const struct status_row {
    int32_t first, last;
    reply_result result;
    const char *reason;
    const char *advice;
} status_rows[] = {
    {400, 400, REPLY_ERROR_BAD_REQUEST, "the service finds the request malformed",
     "check the ids and the headers that were added"},
    {401, 401, REPLY_ERROR_UNAUTHORIZED, "the service does not accept the API key",
     "check the api_key given to reply_client_create against Settings > API Key in Reply"},
    {403, 403, REPLY_ERROR_FORBIDDEN, "the API key is not allowed to do this",
     "check the key's plan, scopes and user, and for the key of a team or organisation the headers "
     "X-TEAM-ID and X-USER-ID"},
    {404, 404, REPLY_ERROR_NOT_FOUND,
     "the sequence or the contact does not exist, or the contact is not in this sequence",
     "check both ids"},
    {408, 408, REPLY_ERROR_HTTP, "the service did not receive the request in time",
     "try again later"},
    {422, 422, REPLY_ERROR_BAD_REQUEST, "the service finds the request malformed",
     "check the ids and the headers that were added"},
    {429, 429, REPLY_ERROR_RATE_LIMITED,
     "the rate limit of this user, over all programs, is used up",
     "send fewer requests, and wait a minute or as long as the service asks"},
    {500, 599, REPLY_ERROR_SERVER, "the service failed", "try again later"},
    {300, 399, REPLY_ERROR_HTTP,
     "the service redirects, which is not followed since it could hand the API key to another host",
     "check the base URL"},
    {0, INT32_MAX, REPLY_ERROR_HTTP, "this is not an answer that holds a contact",
     "check the base URL"},
};

reply_result error_set_http_status(reply_error *error, int32_t http_status, const char *detail) {
    const struct status_row *row = status_rows;
    while (http_status < row->first || http_status > row->last) {
        row++;
    }
    char asked[64] = "";
    if (error->retry_after_ms >= 0) {
        snprintf(asked, sizeof asked, " (it asks to wait %" PRId64 " s)",
                 error->retry_after_ms / 1000);
    }
    return error_set(error, row->result, "HTTP %d, %s%s%s%s; %s%s", (int)http_status, row->reason,
                     *detail != '\0' ? " (" : "", detail, *detail != '\0' ? ")" : "", row->advice,
                     asked);
}

reply_result error_set_failure(reply_error *error, reply_result failure, const char *detail) {
    static const struct {
        const char *reason;
        const char *advice;
    } sentences[] = {
        [REPLY_ERROR_NETWORK] = {"the service could not be reached, or the connection was lost",
                                 "check the network, the proxy and the base URL"},
        [REPLY_ERROR_TLS] =
            {"no trusted connection to the service came about",
             "check the CA file or the system's certificates, the clock and the base URL"},
        [REPLY_ERROR_TIMEOUT] = {"the service did not answer in time",
                                 "try again later or set longer timeouts"},
        [REPLY_ERROR_RESPONSE_TOO_LARGE] = {"the response is larger than any contact",
                                            "check the base URL"},
    };
    if (failure == REPLY_ERROR_NO_MEMORY) {
        return error_set_no_memory(error);
    }
    return error_set(error, failure, "%s%s%s%s; %s", sentences[failure].reason,
                     *detail != '\0' ? " (" : "", detail, *detail != '\0' ? ")" : "",
                     sentences[failure].advice);
}

/* Characters that a terminal obeys instead of showing, or that end a line: C0, DEL, C1, and the
 * controls of direction and lines. */
static bool is_control(uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x061C ||
           code_point == 0x200E || code_point == 0x200F ||
           (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

/* No replacement has a visible ASCII character, and a key has no others: none can complete a key.
 */
void error_quote(char *target, size_t size, const char *text, size_t length, const char *key) {
    const size_t key_length = key != NULL ? strlen(key) : 0;
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code_point = 0;
        const char *piece = text + at;
        size_t step = text_decode_utf8(piece, length - at, &code_point);
        size_t piece_size = step;
        if (key_length > 0 && length - at >= key_length && memcmp(piece, key, key_length) == 0) {
            piece = "\xE2\x80\xA6"; /* an ellipsis */
            piece_size = 3;
            step = key_length;
        } else if (step == 0 || is_control(code_point)) {
            const bool is_space =
                step == 1 && (code_point == '\n' || code_point == '\r' || code_point == '\t');
            piece = is_space ? " " : "\xEF\xBF\xBD"; /* U+FFFD */
            piece_size = is_space ? 1 : 3;
            step = step == 0 ? 1 : step;
        }
        if (used + piece_size >= size) {
            break;
        }
        memcpy(target + used, piece, piece_size);
        used += piece_size;
        at += step;
    }
    target[used] = '\0';
}
