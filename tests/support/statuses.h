/* statuses.h - the result that the contract gives to each HTTP status but 200, written anew for the
 * tests. */
#ifndef REPLYIO_STATUSES_H
#define REPLYIO_STATUSES_H

#include <stdint.h>

#include "replyio.h"

reply_result result_of_status(int64_t status);

#endif
