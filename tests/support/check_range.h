/* check_range.h - a check of a range. cmocka 2.0 deprecates assert_in_range, and its successors are
 * missing in older versions. */
#ifndef REPLYIO_TESTS_CHECK_RANGE_H
#define REPLYIO_TESTS_CHECK_RANGE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails the test unless minimum <= value <= maximum. */
#define check_in_range(value, minimum, maximum)                                                    \
    check_integer_in_range((int64_t)(value), (int64_t)(minimum), (int64_t)(maximum), __FILE__,     \
                           __LINE__)

static inline void check_integer_in_range(int64_t value, int64_t minimum, int64_t maximum,
                                          const char *file, int line) {
    if (value < minimum || value > maximum) {
        print_error("%" PRId64 " is not within the range %" PRId64 " to %" PRId64 "\n", value,
                    minimum, maximum);
        _fail(file, line);
    }
}

#endif
