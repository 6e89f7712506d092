/* statuses.c - the result, the retry and the message that each HTTP status but 200 must have. */
#include "support/statuses.h"

/* The first row that contains a status counts. */
static const struct status rows[] = {
    {400, 400, REPLY_ERROR_BAD_REQUEST, false, "rejects the request\nids"},
    {401, 401, REPLY_ERROR_UNAUTHORIZED, false, "API key\nreply_client_create"},
    {403, 403, REPLY_ERROR_FORBIDDEN, false, "not permitted\nplan\nX-TEAM-ID"},
    {404, 404, REPLY_ERROR_NOT_FOUND, false,
     "sequence\ncontact does not exist\nnot in this sequence\nids"},
    {408, 408, REPLY_ERROR_HTTP, true, "in time\nretry later"},
    {422, 422, REPLY_ERROR_BAD_REQUEST, false, "rejects the request\nids"},
    {429, 429, REPLY_ERROR_RATE_LIMITED, true, "rate limit\nwait a minute"},
    {500, 500, REPLY_ERROR_SERVER, true, "service failed\nretry later"},
    {502, 504, REPLY_ERROR_SERVER, true, "service failed\nretry later"},
    {500, 599, REPLY_ERROR_SERVER, false, "service failed\nretry later"},
    {304, 304, REPLY_ERROR_HTTP, false, "not modified\nno contact\nadded headers"},
    {300, 399, REPLY_ERROR_HTTP, false, "redirect\nnot followed\nbase URL"},
    {0, INT32_MAX, REPLY_ERROR_HTTP, false, "does not carry a contact\nbase URL"},
};

const struct status *statuses_find(int32_t status) {
    const struct status *row = rows;
    while (status < row->first || status > row->last) {
        row++;
    }
    return row;
}
