/* statuses.c - the result that the contract gives to each HTTP status but 200, written anew for the
 * tests. */
#include "support/statuses.h"

reply_result result_of_status(int64_t status) {
    switch (status) {
    case 400:
    case 422:
        return REPLY_ERROR_BAD_REQUEST;
    case 401:
        return REPLY_ERROR_UNAUTHORIZED;
    case 403:
        return REPLY_ERROR_FORBIDDEN;
    case 404:
        return REPLY_ERROR_NOT_FOUND;
    case 429:
        return REPLY_ERROR_RATE_LIMITED;
    default:
        return status >= 500 && status <= 599 ? REPLY_ERROR_SERVER : REPLY_ERROR_HTTP;
    }
}
