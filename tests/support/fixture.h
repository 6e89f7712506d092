/* fixture.h - what tests are made on: fixture files, texts at their exact size, errors, and the
 * host's locale. A check that fails names the case. */
#ifndef REPLYIO_TESTS_FIXTURE_H
#define REPLYIO_TESTS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "replyio.h"

/* Copies bytes into a block of exactly their size, so that a read past them is seen by a memory
 * checker. The caller frees it. */
char *fixture_copy(const char *bytes, size_t length);

/* Reads the file at path, below the fixtures' folder, into a block of exactly its size. The caller
 * frees it. */
char *fixture_read(const char *path, size_t *length);

/* Reads the same with a NUL after it. */
char *fixture_read_text(const char *path);

/* A case: a file, and the text of the file beside it that ends in ".expected". */
struct fixture_case {
    const char *name; /* of the file, without its ending */
    const char *bytes;
    size_t length;
    const char *expected;
};

typedef void (*fixture_fn)(const struct fixture_case *fixture);

/* Calls use for each file in folder whose name begins with prefix and ends with ".json", in the
 * order of names. Fails where there are none. */
void fixture_each(const char *folder, const char *prefix, fixture_fn use);

/* Calls use for each line of a table file, parted at " = ". Fails where there are none. */
void fixture_each_line(const char *path, void (*use)(const char *text, const char *expected));

/* Fails with both texts where they differ. */
void fixture_expect_text(const char *name, const char *expected, const char *actual);

/* Fails where a line of words is not in text. */
void fixture_expect_words(const char *name, const char *words, const char *text);

/* Fails unless a text is not empty, UTF-8 and without control characters. */
void fixture_expect_sound(const char *name, const char *text);

/* Fills an error with what no function leaves in it. */
void fixture_spoil_error(reply_error *error);

/* Fails unless error is of the result, with a sound message that has all lines of words, and with
 * nothing of a response. */
void fixture_expect_error(const char *name, const reply_error *error, reply_result result,
                          const char *words);

/* Fails unless error is that of success: nothing but "the server did not say how long to wait". */
void fixture_expect_no_error(const char *name, const reply_error *error);

/* Makes a locale, such as "tr_TR", in UTF-8, from the machine's sources, and switches to it.
 * Returns false, with the reason printed, where the machine cannot. */
bool fixture_begin_locale(const char *name);
void fixture_end_locale(void);

#endif
