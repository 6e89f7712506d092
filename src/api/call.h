/* call.h - the beginning and end of every read: arguments, deadline, session. */
#ifndef REPLYIO_CALL_H
#define REPLYIO_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "dispatch/dispatch.h"
#include "replyio.h"

/* Returns true if a call with the client can be made. missing is the name of another argument that
 * is NULL and must not be, or NULL. */
bool call_check_arguments(const reply_client *client, const char *missing, int64_t sequence_id,
                          reply_error *error);

/* Runs a call whose arguments are valid: functions, which receive context, bring its requests. The
 * default timeout is for a client on which none was set; 0 is none. Returns what dispatch returns.
 */
reply_result call_run(reply_client *client, const struct dispatch_functions *functions,
                      void *context, int64_t default_timeout_ms, reply_error *error);

#endif
