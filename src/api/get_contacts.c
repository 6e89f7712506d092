/* get_contacts.c - one contact and many, by id. One contact is many contacts with a count of 1. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "api/call.h"
#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "decode/contact.h"
#include "dispatch/request.h"
#include "dispatch/response.h"

enum { ONE_CONTACT_TIMEOUT_MS = 120000, MAX_CONTACT_SIZE = 1024 * 1024 };

/* A call for contacts. */
struct contacts {
    int64_t sequence_id;
    const int64_t *contact_ids;
    size_t count;
    size_t next_index; /* of the next contact to request */
    const char *api_key;
    reply_contact_fn on_contact;
    void *user_data;
};

static bool has_next(const void *context) {
    const struct contacts *contacts = context;
    return contacts->next_index < contacts->count;
}

static bool next(void *context, struct dispatch_request *request, reply_error *error) {
    struct contacts *contacts = context;
    request->index = contacts->next_index++;
    request->max_body_size = MAX_CONTACT_SIZE;
    const int64_t contact_id = contacts->contact_ids[request->index];
    snprintf(request->path, REQUEST_PATH_SIZE, "/sequences/%" PRId64 "/contacts/%" PRId64,
             contacts->sequence_id, contact_id);
    if (contact_id < 1) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "invalid contact id: below 1; use the id that the service gave");
    }
    return contact_id >= 1;
}

/* Decodes the contact in a response if it is the requested one: never act on the wrong person. */
static enum dispatch_verdict decode(void *context, const struct dispatch_request *request,
                                    const struct transport_response *response, void **result,
                                    reply_error *error) {
    const struct contacts *contacts = context;
    const int64_t contact_id = contacts->contact_ids[request->index];
    enum dispatch_verdict verdict = DISPATCH_ACCEPT;
    reply_sequence_contact *contact = NULL;
    contact_decode_response(response->body, response->body_length, response->content_type,
                            contacts->api_key, &contact, error);
    if (contact != NULL &&
        (contact->contact_id != contact_id || contact->sequence_id != contacts->sequence_id)) {
        error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                  "invalid response: contact %" PRId64 " in sequence %" PRId64
                  " instead of contact %" PRId64 " in sequence %" PRId64 "; check the base URL",
                  contact->contact_id, contact->sequence_id, contact_id, contacts->sequence_id);
        contact_discard(contact);
        contact = NULL;
        verdict = DISPATCH_RETIRE;
    }
    if (contact == NULL) {
        response_add_details(response, contacts->api_key, clock_unix_seconds(), error);
    }
    *result = contact;
    return verdict;
}

static bool deliver(void *context, size_t index, void *result, reply_error *error) {
    const struct contacts *contacts = context;
    if (result == NULL) {
        error_prefix(error, "contact %" PRId64 " in sequence %" PRId64 ": ",
                     contacts->contact_ids[index], contacts->sequence_id);
    }
    return contacts->on_contact(index, error->result, result, error, contacts->user_data) == 0;
}

static void discard(void *result) {
    contact_discard(result);
}

static const struct dispatch_functions functions = {has_next, next, decode, deliver, discard};

/* Outcome of a call for one contact. */
struct one_contact {
    reply_sequence_contact **contact;
    reply_error *error;
    bool is_delivered;
};

static int keep_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                        const reply_error *error, void *user_data) {
    struct one_contact *one = user_data;
    (void)index;
    (void)result;
    *one->contact = contact;
    *one->error = *error;
    one->is_delivered = true;
    return 0;
}

reply_result reply_get_sequence_contact(reply_client *client, int64_t sequence_id,
                                        int64_t contact_id, reply_sequence_contact **contact,
                                        reply_error *error) {
    reply_error spare;
    reply_error call_error;
    error = error_begin(error, &spare);
    struct one_contact one = {.contact = contact, .error = error};
    if (contact != NULL) {
        *contact = NULL;
    }
    if (!call_check_arguments(client, contact == NULL ? "contact" : NULL, sequence_id, error)) {
        return error->result;
    }
    if (contact_id < 1) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid contact_id %" PRId64
                         ": below 1; use the id that the service gave",
                         contact_id);
    }
    struct contacts contacts = {.sequence_id = sequence_id,
                                .contact_ids = &contact_id,
                                .count = 1,
                                .api_key = client->settings.api_key,
                                .on_contact = keep_contact,
                                .user_data = &one};
    call_run(client, &functions, &contacts, ONE_CONTACT_TIMEOUT_MS, error_begin(&call_error, NULL));
    if (!one.is_delivered) {
        *error = call_error; /* in a child that the log function has forked */
    }
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
    if (!call_check_arguments(client, missing, sequence_id, error)) {
        return error->result;
    }
    struct contacts contacts = {.sequence_id = sequence_id,
                                .contact_ids = contact_ids,
                                .count = count,
                                .api_key = client->settings.api_key,
                                .on_contact = on_contact,
                                .user_data = user_data};
    return call_run(client, &functions, &contacts, 0, error);
}
