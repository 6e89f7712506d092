/* fuzz_contact.h - checks of contacts for the fuzz targets. */
#ifndef REPLYIO_TESTS_FUZZ_CONTACT_H
#define REPLYIO_TESTS_FUZZ_CONTACT_H

#include "replyio.h"

/* Aborts unless all texts of the contact are UTF-8 and its numbers are finite. */
void fuzz_check_contact(const reply_sequence_contact *contact);

/* Returns non-zero if the contacts have the same values. */
int fuzz_is_same_contact(const reply_sequence_contact *left, const reply_sequence_contact *right);

#endif
