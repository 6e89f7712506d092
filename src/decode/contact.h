/* contact.h - JSON to a contact. */
#ifndef REPLYIO_CONTACT_H
#define REPLYIO_CONTACT_H

#include <stddef.h>

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

#endif
