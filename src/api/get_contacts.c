/* get_contacts.c - the public calls: their arguments to a dispatch, one contact as many with n = 1.
 */
#include <stddef.h>

#include "api/client.h"
#include "dispatch/dispatch.h"
#include "base/error.h"

enum { ONE_CONTACT_TIMEOUT_MS = 120000 };

/* What both calls check first; missing is the name of an argument that is NULL and must not be, or
 * NULL. */
static bool may_call(const reply_client *client, const char *missing, int64_t sequence_id,
                     reply_error *error) {
    if (client == NULL || missing != NULL) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "%s is NULL; pass the client and all that the call needs",
                  client == NULL ? "client" : missing);
        return false;
    }
    if (sequence_id < 1) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "sequence_id %lld is below 1; pass the id that the service gave",
                  (long long)sequence_id);
        return false;
    }
    return client_check_process(client, error) == REPLY_OK;
}

/* Completes and makes a call whose contacts and callback are set. */
static reply_result make_call(reply_client *client, struct dispatch_call *call,
                              int64_t default_timeout_ms, reply_error *error) {
    struct client_session *session = NULL;
    const int64_t timeout_ms = client->timeout_ms < 0 ? default_timeout_ms : client->timeout_ms;
    call->transport = client->transport;
    call->shared = &client->shared;
    call->settings = &client->dispatch_settings;
    call->deadline_ms =
        timeout_ms == 0 ? DISPATCH_NO_DEADLINE : client->transport->now_ms() + timeout_ms;
    session = client_begin_call(client, &call->interrupts);
    call->session = session != NULL ? session->session : NULL;
    const reply_result result = dispatch(call, error);
    client_end_call(client, session);
    return result;
}

/* What became of the one contact. */
struct one_contact {
    reply_sequence_contact *contact;
    reply_error *error;
};

static int take_one_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                            const reply_error *error, void *user_data) {
    struct one_contact *one = user_data;
    (void)index;
    (void)result;
    one->contact = contact;
    *one->error = *error;
    return 0;
}

reply_result reply_get_sequence_contact(reply_client *client, int64_t sequence_id,
                                        int64_t contact_id, reply_sequence_contact **contact,
                                        reply_error *error) {
    reply_error spare;
    reply_error ending;
    error = error_begin(error, &spare);
    struct one_contact one = {.error = error};
    if (contact != NULL) {
        *contact = NULL;
    }
    if (!may_call(client, contact == NULL ? "contact" : NULL, sequence_id, error)) {
        return error->result;
    }
    if (contact_id < 1) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "contact_id %lld is below 1; pass the id that the service gave",
                         (long long)contact_id);
    }
    struct dispatch_call call = {.sequence_id = sequence_id,
                                 .contact_ids = &contact_id,
                                 .count = 1,
                                 .on_contact = take_one_contact,
                                 .user_data = &one};
    make_call(client, &call, ONE_CONTACT_TIMEOUT_MS, error_begin(&ending, NULL));
    *contact = one.contact;
    return error->result;
}

reply_result reply_get_sequence_contacts(reply_client *client, int64_t sequence_id,
                                         const int64_t *contact_ids, size_t count,
                                         reply_contact_fn on_contact, void *user_data,
                                         reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    const char *missing = on_contact == NULL                 ? "on_contact"
                          : contact_ids == NULL && count > 0 ? "contact_ids"
                                                             : NULL;
    if (!may_call(client, missing, sequence_id, error)) {
        return error->result;
    }
    struct dispatch_call call = {.sequence_id = sequence_id,
                                 .contact_ids = contact_ids,
                                 .count = count,
                                 .on_contact = on_contact,
                                 .user_data = user_data};
    return make_call(client, &call, 0, error);
}
