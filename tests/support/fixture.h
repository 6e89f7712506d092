/* fixture.h - fixture files, exact copies, checks of texts and errors, and the host's locale. A
 * failed check names the case. */
#ifndef REPLYIO_TESTS_FIXTURE_H
#define REPLYIO_TESTS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "replyio.h"

/* A string literal and its length, for a text with any bytes in a table of cases. */
#define TEXT(literal) literal, sizeof(literal) - 1

/* A string literal so many times, for a text of a certain length. */
#define TIMES_5(literal)   literal literal literal literal literal
#define TIMES_20(literal)  TIMES_5(literal) TIMES_5(literal) TIMES_5(literal) TIMES_5(literal)
#define TIMES_60(literal)  TIMES_20(literal) TIMES_20(literal) TIMES_20(literal)
#define TIMES_240(literal) TIMES_60(literal) TIMES_60(literal) TIMES_60(literal) TIMES_60(literal)

/* Copies bytes into a block of exactly their size, so that a memory checker reports a read past
 * them. The caller frees the block. */
char *fixture_copy(const char *bytes, size_t length);

/* Reads a file into a block of exactly its size. The path is relative to the fixtures. The caller
 * frees the block. */
char *fixture_read(const char *path, size_t *length);

/* Fails if the texts differ. */
void fixture_expect_text(const char *name, const char *expected, const char *actual);

/* Fails unless text contains each line of words. */
void fixture_expect_words(const char *name, const char *words, const char *text);

/* Fails unless text is UTF-8 without control characters, and not empty. */
void fixture_expect_printable(const char *name, const char *text);

/* Fills an error with bytes that no function leaves in it. */
void fixture_spoil_error(reply_error *error);

/* Fails unless error has the result, a printable message that contains each line of words, and
 * nothing of a response. */
void fixture_expect_error(const char *name, const reply_error *error, reply_result result,
                          const char *words);

/* Fails unless error is that of a success. */
void fixture_expect_no_error(const char *name, const reply_error *error);

/* Builds a locale in UTF-8, such as "tr_TR", from the machine's sources, and switches to it.
 * Returns false, and prints the reason, if the machine cannot build it. */
bool fixture_begin_locale(const char *name);
void fixture_end_locale(void);

#endif
