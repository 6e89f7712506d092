/* mock_contacts.h - made-up contacts and lists of the mock server, as JSON. */
#ifndef MOCK_CONTACTS_H
#define MOCK_CONTACTS_H

#include <stdint.h>
#include <stdio.h>

/* Sequences with a list. The others are empty. */
enum {
    SAMPLE_SEQUENCE = 100,       /* a dozen contacts */
    LONG_SEQUENCE = 200,         /* 2,500 contacts */
    FAST_LONG_SEQUENCE = 201,    /* the same, for tests */
    FORBIDDEN_SEQUENCE = 403,    /* HTTP 403 after the first page of a long list */
    NOT_FOUND_SEQUENCE = 404,    /* HTTP 404 */
    RATE_LIMITED_SEQUENCE = 429, /* the dozen contacts, but HTTP 429 for the first request */
    HOSTILE_SEQUENCE = 666       /* difficult contacts, two of which are invalid */
};

/* Writes the contact with this id: the documentation's example if no other contact has the id. */
void mock_contacts_write_one(FILE *body, int64_t sequence_id, int64_t contact_id);

/* Writes the page of a sequence with at most top contacts after skip others. */
void mock_contacts_write_page(FILE *body, int64_t sequence_id, uint64_t top, uint64_t skip);

#endif
