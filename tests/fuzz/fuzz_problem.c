/* fuzz_problem.c - any bytes as a problem document. Code and detail must be short, printable text
 * without the key. */
#include <stdlib.h>
#include <string.h>

#include "decode/problem.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char key[] = "k3y-Secret";
    struct problem problem;
    char *text = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    problem_decode(text, size, key, &problem);
    free(text);
    FUZZ_CHECK(memchr(problem.code, '\0', sizeof problem.code) != NULL &&
               memchr(problem.detail, '\0', sizeof problem.detail) != NULL);
    if (problem.code[0] != '\0') {
        fuzz_check_message(problem.code);
    }
    if (problem.detail[0] != '\0') {
        fuzz_check_message(problem.detail);
    }
    FUZZ_CHECK(strstr(problem.code, key) == NULL && strstr(problem.detail, key) == NULL);
    return 0;
}
