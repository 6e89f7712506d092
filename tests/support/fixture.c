/* fixture.c - fixture files, exact copies, checks of texts and errors, and the host's locale. */
#include "support/fixture.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

/* ---- Files ---- */

char *fixture_copy(const char *bytes, size_t length) {
    char *copy = malloc(length);
    if (length > 0) {
        assert_non_null(copy);
        memcpy(copy, bytes, length);
    }
    return copy;
}

static FILE *open_fixture(const char *path) {
    char full[1024];
    assert_true((size_t)snprintf(full, sizeof full, "%s/%s", FIXTURES, path) < sizeof full);
    FILE *file = fopen(full, "rb");
    if (file == NULL) {
        fail_msg("cannot read %s", full);
    }
    return file;
}

char *fixture_read(const char *path, size_t *length) {
    FILE *file = open_fixture(path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

/* ---- Checks ---- */

void fixture_expect_text(const char *name, const char *expected, const char *actual) {
    if (strcmp(expected, actual) != 0) {
        fail_msg("%s: expected\n%s\nbut got\n%s", name, expected, actual);
    }
}

void fixture_expect_words(const char *name, const char *words, const char *text) {
    char *copy = strdup(words);
    char *rest = NULL;
    assert_non_null(copy);
    for (const char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(text, line) == NULL) {
            fail_msg("%s: \"%s\" is not in \"%s\"", name, line, text);
        }
    }
    free(copy);
}

void fixture_expect_printable(const char *name, const char *text) {
    const size_t length = strlen(text);
    size_t step = 0;
    for (size_t at = 0; at < length; at += step) {
        uint32_t code_point = 0;
        step = text_decode_utf8(text + at, length - at, &code_point);
        if (step == 0 || code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) {
            fail_msg("%s: at byte %zu not UTF-8 or not printable: %s", name, at, text);
        }
    }
    if (length == 0) {
        fail_msg("%s: the text is empty", name);
    }
}

void fixture_spoil_error(reply_error *error) {
    memset(error, 0xA5, sizeof *error);
}

/* The reserved bytes must be zero too. */
static bool has_no_response(const reply_error *error) {
    static const char zeros[sizeof error->reserved];
    return error->http_status == 0 && error->curl_code == 0 && error->attempts == 0 &&
           error->retry_after_ms == -1 && error->problem_code[0] == '\0' &&
           error->request_id[0] == '\0' && memcmp(error->reserved, zeros, sizeof zeros) == 0;
}

void fixture_expect_error(const char *name, const reply_error *error, reply_result result,
                          const char *words) {
    if (error->result != result) {
        fail_msg("%s: result %d instead of %d: %s", name, (int)error->result, (int)result,
                 error->message);
    }
    if (!has_no_response(error)) {
        fail_msg("%s: the error has parts of a response, or is not cleared", name);
    }
    fixture_expect_words(name, words, error->message);
    fixture_expect_printable(name, error->message);
}

void fixture_expect_no_error(const char *name, const reply_error *error) {
    if (error->result != REPLY_OK || error->message[0] != '\0' || !has_no_response(error)) {
        fail_msg("%s: the error is not empty: %d %s", name, (int)error->result, error->message);
    }
}

/* ---- The host's locale ---- */

static char locale_directory[] = "/tmp/replyio-locale-XXXXXX";
static bool has_locale_directory = false;

static void run_command(const char *command) {
    if (system(command) != 0) {
        print_message("\"%s\" failed\n", command);
    }
}

static void remove_locales(void) {
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", locale_directory);
    run_command(command);
}

bool fixture_begin_locale(const char *name) {
    /* The program localedef belongs to the machine, whose byte order an emulator may hide. */
    const char *byte_order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little";
    char command[256];
    char full_name[64];
#ifndef __GLIBC__
    print_message("skipped: only the locales of glibc have a decimal comma\n");
    return false;
#endif
    snprintf(full_name, sizeof full_name, "%s.UTF-8", name);
    if (!has_locale_directory) {
        assert_non_null(mkdtemp(locale_directory));
        assert_int_equal(atexit(remove_locales), 0);
        assert_int_equal(setenv("LOCPATH", locale_directory, 1), 0);
        has_locale_directory = true;
    }
    /* The status of localedef is ignored: it warns about some of the machine's own sources, but
     * builds the locale. */
    snprintf(command, sizeof command,
             "localedef --%s-endian -i %s -f UTF-8 %s/%s >%s/log 2>&1 || true", byte_order, name,
             locale_directory, full_name, locale_directory);
    run_command(command);
    if (setlocale(LC_ALL, full_name) == NULL) {
        print_message("skipped: cannot build the locale %s (the package \"locales\" contains "
                      "its sources)\n",
                      full_name);
        return false;
    }
    return true;
}

void fixture_end_locale(void) {
    assert_non_null(setlocale(LC_ALL, "C"));
}
