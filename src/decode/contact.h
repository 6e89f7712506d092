/* contact.h - JSON to a contact. */
#ifndef REPLYIO_CONTACT_H
#define REPLYIO_CONTACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/json.h"
#include "replyio.h"

/* Decodes like reply_decode_sequence_contact, except that no argument may be NULL. The error must
 * be clear. */
reply_result contact_decode(const char *json, size_t length, reply_sequence_contact **contact,
                            reply_error *error);

/* Decodes the body of a response with status 200 like contact_decode. A body that does not start as
 * an object is rejected with a message about the response instead of a contact. Of an object that
 * is rejected, a problem document's code is kept. The body may be NULL if length is 0; content_type
 * and key may be NULL. Removes the key from the error. */
reply_result contact_decode_response(const char *body, size_t length, const char *content_type,
                                     const char *key, reply_sequence_contact **contact,
                                     reply_error *error);

/* Frees a contact that is not delivered, which may be NULL, overwritten: a server may repeat the
 * key. */
void contact_discard(reply_sequence_contact *contact);

/* ---- In two steps, for the contacts of a page ---- */

enum { CONTACT_MAX_FIELDS = 20 };

/* The fields of a contact in the text. All zeros before the first. */
struct contact_members {
    struct json_value values[CONTACT_MAX_FIELDS]; /* JSON_MISSING if there is none */
    uint32_t duplicates; /* one bit per field that appears twice, by its index */
    bool is_out_of_memory;
    unsigned char likely; /* index of the field that probably comes next */
};

/* Keeps a member if it is a field. A function for json_scan. */
void contact_keep_member(const struct json_value *name, const struct json_value *value,
                         void *members);

/* Each returns true if the members have a valid id with that name, and writes it. */
bool contact_read_contact_id(const struct contact_members *members, int64_t *contact_id);
bool contact_read_sequence_id(const struct contact_members *members, int64_t *sequence_id);

/* Decodes the members of the object in json. */
reply_result contact_read(const struct contact_members *members, const char *json, size_t length,
                          reply_sequence_contact **contact, reply_error *error);

#endif
