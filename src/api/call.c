/* call.c - the beginning and end of every read: arguments, deadline, session. */
#include "api/call.h"

#include <inttypes.h>
#include <stddef.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"

bool call_check_arguments(const reply_client *client, const char *missing, int64_t sequence_id,
                          reply_error *error) {
    if (client == NULL || missing != NULL) {
        error_set_null_argument(error, client == NULL ? "client" : missing);
        return false;
    }
    if (sequence_id < 1) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "invalid sequence_id %" PRId64 ": below 1; use the id that the service gave",
                  sequence_id);
        return false;
    }
    return gate_check_process(&client->gate, error) == REPLY_OK;
}

reply_result call_run(reply_client *client, const struct dispatch_functions *functions,
                      void *context, int64_t default_timeout_ms, reply_error *error) {
    const int64_t timeout_ms = client->timeout_ms < 0 ? default_timeout_ms : client->timeout_ms;
    const int64_t deadline_ms = timeout_ms == 0 ? INT64_MAX : clock_now_ms() + timeout_ms;
    struct gate_call gate_call;
    gate_begin_call(&client->gate, &gate_call);
    struct dispatch_session *session = client_borrow_session(client);
    if (session != NULL) {
        gate_add_call(&client->gate, &gate_call, session->transport, session->connections);
    }
    const reply_result result = dispatch(&(struct dispatch_call){.session = session,
                                                                 .gate = &client->gate,
                                                                 .gate_call = &gate_call,
                                                                 .deadline_ms = deadline_ms,
                                                                 .functions = functions,
                                                                 .context = context},
                                         error);
    if (session != NULL && gate_is_inherited(&client->gate)) {
        /* The host's code has forked: the locks may be held, and the connections are the parent's.
         */
        dispatch_close(session, true);
    } else if (session != NULL) {
        gate_remove_call(&client->gate, &gate_call);
        client_return_session(client, session);
    }
    return result;
}
