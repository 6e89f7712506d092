/* fuzz.h - what the fuzz targets share. */
#ifndef REPLYIO_FUZZ_H
#define REPLYIO_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The entry of each target, as libFuzzer calls it; replay.c calls it with files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process where a claim does not hold, in whatever build. */
#define FUZZ_CHECK(claim) ((claim) ? (void)0 : fuzz_fail(#claim, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *claim, const char *file, int line);

/* Text that the library hands out is UTF-8; a message is not empty, and has no control characters
 * either. */
void fuzz_check_utf8(const char *text, size_t length);
void fuzz_check_message(const char *text);

#endif
