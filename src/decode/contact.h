/* contact.h - sound JSON to a contact, or to what a problem document says. */
#ifndef REPLYIO_DECODE_H
#define REPLYIO_DECODE_H

#include <stddef.h>

#include "replyio.h"

/* As reply_decode_sequence_contact, with error never NULL and begun. */
reply_result decode_contact(const char *json, size_t length, reply_sequence_contact **contact,
                            reply_error *error);

/* What an RFC 9457 problem document says, fit for an error message; both empty where it says
 * nothing. */
struct decode_problem {
    char code[64];    /* "code" or "errorCode" as text */
    char detail[256]; /* title, detail, and the fields at fault */
};

/* Reads the body of an error response, whatever it is; it may be NULL where length is 0. The key is
 * taken out; key may be NULL. Where memory runs out it says less: the HTTP status, not this text,
 * decides what an error response is. */
void decode_problem(const char *body, size_t length, const char *key,
                    struct decode_problem *problem);

#endif
