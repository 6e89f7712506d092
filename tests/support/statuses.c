/* statuses.c - the result, the retry and the message that each HTTP status but 200 must have. */
#include "support/statuses.h"

/* The first row that contains a status counts. */
static const struct status rows[] = {
    {400, 400, REPLY_ERROR_BAD_REQUEST, false, "malformed\nids"},
    {401, 401, REPLY_ERROR_UNAUTHORIZED, false, "API key\nreply_client_create"},
    {403, 403, REPLY_ERROR_FORBIDDEN, false, "not allowed\nplan\nX-TEAM-ID"},
    {404, 404, REPLY_ERROR_NOT_FOUND, false,
     "sequence\ncontact does not exist\nnot in this sequence\nids"},
    {408, 408, REPLY_ERROR_HTTP, true, "in time\ntry again"},
    {422, 422, REPLY_ERROR_BAD_REQUEST, false, "malformed\nids"},
    {429, 429, REPLY_ERROR_RATE_LIMITED, true, "rate limit\nwait a minute"},
    {500, 500, REPLY_ERROR_SERVER, true, "service failed\ntry again"},
    {502, 504, REPLY_ERROR_SERVER, true, "service failed\ntry again"},
    {500, 599, REPLY_ERROR_SERVER, false, "service failed\ntry again"},
    {300, 399, REPLY_ERROR_HTTP, false, "redirect\nnot followed\nbase URL"},
    {0, INT32_MAX, REPLY_ERROR_HTTP, false, "holds a contact\nbase URL"},
};

const struct status *statuses_find(int32_t status) {
    const struct status *row = rows;
    while (status < row->first || status > row->last) {
        row++;
    }
    return row;
}
