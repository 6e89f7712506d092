/* fuzz.h - entry and checks of the fuzz targets. */
#ifndef REPLYIO_TESTS_FUZZ_H
#define REPLYIO_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input of a target. Called by libFuzzer, or with files by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts the process if the claim is false, in every build type. */
#define FUZZ_CHECK(claim) ((claim) ? (void)0 : fuzz_fail(#claim, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *claim, const char *file, int line);

/* Aborts unless text is UTF-8, as all text from the library must be. A message must also be
 * non-empty and without control characters. */
void fuzz_check_utf8(const char *text, size_t length);
void fuzz_check_message(const char *text);

#endif
