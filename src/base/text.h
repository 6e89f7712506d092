/* text.h - ASCII and UTF-8, whatever the host's locale; pure. */
#ifndef REPLYIO_TEXT_H
#define REPLYIO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the UTF-8 sequence at the start of text into *code_point. Returns its length, 1 to 4; or
 * 0 if length is 0 or the bytes are not the shortest form of a Unicode scalar value. */
size_t text_decode_utf8(const char *text, size_t length, uint32_t *code_point);

/* Returns true if the first length bytes of both texts, which must have that many, differ at most
 * in the case of ASCII letters. */
bool text_equals_ignoring_case(const char *left, const char *right, size_t length);

#endif
