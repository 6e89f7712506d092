/* check_error.h - checks of a reply_error. Each fails the test with what differs. */
#ifndef REPLYIO_TESTS_CHECK_ERROR_H
#define REPLYIO_TESTS_CHECK_ERROR_H

#include <stdint.h>

#include "replyio.h"

/* Fails unless the members have these values. */
void expect_error(const reply_error *error, reply_result result, int32_t attempts,
                  int32_t http_status, int32_t curl_code, int64_t retry_after_ms);

/* Fails unless all members but result and attempts are empty. */
void expect_empty_error(const reply_error *error);

/* Fails unless the message contains words. */
void expect_words(const reply_error *error, const char *words);

/* Fails if the message contains words. */
void expect_no_words(const reply_error *error, const char *words);

/* Fails unless the message is one line of a plausible length. */
void expect_one_line(const reply_error *error);

/* Fails unless the error is that of an interrupt. */
void expect_cancelled(const reply_error *error, int32_t attempts);

#endif
