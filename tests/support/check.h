/* check.h - checks of texts that fail the test with both texts. */
#ifndef REPLYIO_TESTS_CHECK_H
#define REPLYIO_TESTS_CHECK_H

#include "replyio.h"

/* Fails unless part is in text. */
void check_contains(const char *text, const char *part);

/* Fails unless words are in the error's message. */
void check_says(const reply_error *error, const char *words);

/* Fails unless the POSIX extended regular expression matches the text. */
void check_matches(const char *text, const char *pattern);

#endif
