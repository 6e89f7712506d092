/* check_text.h - checks of texts that fail the test with both texts. */
#ifndef REPLYIO_TESTS_CHECK_TEXT_H
#define REPLYIO_TESTS_CHECK_TEXT_H

/* Fails unless part is in text. */
void expect_contains(const char *text, const char *part);

/* Fails unless the POSIX extended regular expression matches the text. */
void expect_matches(const char *text, const char *pattern);

#endif
