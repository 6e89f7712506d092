/* test_json.c - the strict scanner: fixtures/json holds texts that are JSON (y_) with what the
 * scanner says of them, and texts that are not (n_) with the byte where they stop being so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "support/fixture.h"
#include "decode/json.h"

/* ---- Fixtures ---- */

static const char *kind_name(enum json_kind kind) {
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_FALSE] = "false",   [JSON_TRUE] = "true",
        [JSON_NUMBER] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
        [JSON_OBJECT] = "object",
    };
    return names[kind];
}

/* What was read, as lines of text. */
struct report {
    char text[4096];
    size_t length;
};

static void add(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct report *report, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int added = vsnprintf(report->text + report->length, sizeof report->text - report->length,
                                format, arguments);
    va_end(arguments);
    assert_true(added >= 0 && report->length + (size_t)added < sizeof report->text);
    report->length += (size_t)added;
}

static void add_flags(struct report *report, const struct json_value *value,
                      const char *separator) {
    add(report, "%s%s%s%s%s%s", value->is_integer ? separator : "",
        value->is_integer ? "integer" : "", value->has_escape ? separator : "",
        value->has_escape ? "escape" : "", value->is_not_text ? separator : "",
        value->is_not_text ? "not-text" : "");
}

static void add_member(const struct json_value *name, const struct json_value *value,
                       void *context) {
    struct report *report = context;
    assert_int_equal(name->kind, JSON_STRING);
    add(report, "%.*s", (int)name->length, name->text);
    add_flags(report, name, " ");
    add(report, ": %s", kind_name(value->kind));
    add_flags(report, value, " ");
    add(report, " %.*s\n", (int)value->length, value->text);
}

static void check_sound(const struct fixture_case *fixture) {
    struct report report = {.length = 0};
    struct report whole = {.length = 0};
    struct json_value document;
    struct json_value alone;
    struct json_fault fault;
    if (!json_guard(fixture->bytes, fixture->length, add_member, &report, &document, &fault)) {
        fail_msg("%s: refused at byte %zu: %s", fixture->name, fault.offset, fault.reason);
    }
    add(&whole, "%s at %zu, %zu bytes", kind_name(document.kind),
        (size_t)(document.text - fixture->bytes), document.length);
    add_flags(&whole, &document, ", ");
    add(&whole, "\n%s", report.text);
    fixture_expect_text(fixture->name, fixture->expected, whole.text);
    assert_true(json_guard(fixture->bytes, fixture->length, NULL, NULL, &alone, &fault));
    assert_int_equal(alone.length, document.length);
}

static void reads_what_is_json(void **state) {
    (void)state;
    fixture_each("json", "y_", check_sound);
}

static void check_fault(const char *name, const char *bytes, size_t length, const char *expected) {
    struct report report = {.length = 0};
    struct report members = {.length = 0};
    struct json_value document;
    struct json_fault fault = {0};
    char *exact = fixture_copy(bytes, length);
    if (json_guard(exact, length, add_member, &members, &document, &fault)) {
        fail_msg("%s: accepted", name);
    }
    free(exact);
    add(&report, "at byte %zu: %s\n", fault.offset, fault.reason);
    fixture_expect_text(name, expected, report.text);
}

static void check_unsound(const struct fixture_case *fixture) {
    check_fault(fixture->name, fixture->bytes, fixture->length, fixture->expected);
}

static void refuses_what_is_not_json(void **state) {
    (void)state;
    fixture_each("json", "n_", check_unsound);
}

/* The text ends too early at every cut; inside a character, which is then not UTF-8, the fault is
 * at its beginning. */
static void check_each_cut(const struct fixture_case *fixture) {
    size_t end = fixture->length;
    while (end > 0 && strchr(" \t\r\n", fixture->bytes[end - 1]) != NULL) {
        end--;
    }
    if (end == 0 || strchr("]}\"", fixture->bytes[end - 1]) == NULL) {
        return; /* a part of a number can be a number */
    }
    for (size_t cut = 0; cut < end; cut++) {
        struct report expected = {.length = 0};
        size_t offset = cut;
        while (((unsigned char)fixture->bytes[offset] & 0xC0) == 0x80) {
            offset--;
        }
        const bool is_byte_order_mark =
            (unsigned char)fixture->bytes[offset] == 0xEF && offset == 0;
        add(&expected, "at byte %zu: %s\n", offset,
            offset == cut        ? "the text ends too early"
            : is_byte_order_mark ? "no value where one must stand"
                                 : "bytes that are not UTF-8");
        check_fault(fixture->name, fixture->bytes, cut, expected.text);
    }
}

static void refuses_each_cut(void **state) {
    (void)state;
    fixture_each("json", "y_", check_each_cut);
}

/* ---- Bytes ---- */

static bool is_json(const char *bytes, size_t length, size_t *offset) {
    struct json_value document;
    struct json_fault fault = {.offset = 0};
    char *exact = fixture_copy(bytes, length);
    const bool is_sound = json_guard(exact, length, NULL, NULL, &document, &fault);
    free(exact);
    *offset = fault.offset;
    return is_sound;
}

static void takes_each_byte_for_what_it_is(void **state) {
    size_t offset = 0;
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char alone[] = {(char)byte};
        const char in_string[] = {'"', (char)byte, '"'};
        const char escaped[] = {'"', '\\', (char)byte, '"'};
        const char around[] = {'[', (char)byte, ']'};
        const char after[] = {'1', (char)byte};
        const bool is_space = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        const bool is_digit = byte >= '0' && byte <= '9';
        const bool is_escape = byte != 0 && strchr("\"\\/bfnrt", byte) != NULL;
        assert_int_equal(is_json(alone, 1, &offset), is_digit);
        assert_int_equal(is_json(in_string, 3, &offset),
                         byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\');
        assert_int_equal(is_json(escaped, 4, &offset), is_escape);
        assert_int_equal(is_json(around, 3, &offset), is_space || is_digit);
        assert_int_equal(is_json(after, 2, &offset), is_space || is_digit);
    }
}

static void names_the_byte_of_a_raw_control_character(void **state) {
    (void)state;
    for (int byte = 0; byte < 0x20; byte++) {
        const char text[] = {'{', '"', 'a', '"', ':', '"', 'b', (char)byte, '"', '}'};
        check_fault("a control character", text, sizeof text,
                    "at byte 7: a control character in a string\n");
    }
}

static void takes_each_unicode_escape_for_what_it_is(void **state) {
    struct json_value document;
    struct json_fault fault;
    char text[16];
    (void)state;
    for (unsigned unit = 0; unit <= 0xFFFF; unit++) {
        const int length =
            snprintf(text, sizeof text, unit % 2 == 0 ? "\"\\u%04x\"" : "\"\\u%04X\"", unit);
        assert_true(json_guard(text, (size_t)length, NULL, NULL, &document, &fault));
        assert_true(document.has_escape);
        assert_int_equal(document.is_not_text, unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF));
    }
    for (int byte = 0; byte < 256; byte++) {
        const bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                              (byte >= 'A' && byte <= 'F');
        for (int place = 0; place < 4; place++) {
            char escape[] = "\"\\u1111\"";
            escape[3 + place] = (char)byte;
            assert_int_equal(json_guard(escape, 8, NULL, NULL, &document, &fault), is_digit);
            if (!is_digit) {
                assert_int_equal(fault.offset, 3 + place);
            }
        }
    }
}

static void takes_a_pair_only_of_a_high_and_a_low_surrogate(void **state) {
    static const unsigned units[] = {0x0041, 0xD7FF, 0xD800, 0xDABC, 0xDBFF,
                                     0xDC00, 0xDEAD, 0xDFFF, 0xE000};
    enum { COUNT = sizeof units / sizeof *units };
    (void)state;
    for (size_t i = 0; i < COUNT * COUNT * COUNT; i++) {
        const unsigned three[] = {units[i % COUNT], units[i / COUNT % COUNT],
                                  units[i / COUNT / COUNT]};
        struct json_value document;
        struct json_fault fault;
        char text[32];
        bool is_text = true;
        for (size_t at = 0; at < 3; at++) {
            if (at < 2 && three[at] >= 0xD800 && three[at] <= 0xDBFF && three[at + 1] >= 0xDC00 &&
                three[at + 1] <= 0xDFFF) {
                at++;
            } else {
                is_text = is_text && !(three[at] >= 0xD800 && three[at] <= 0xDFFF);
            }
        }
        const int length =
            snprintf(text, sizeof text, "\"\\u%04x\\u%04x\\u%04x\"", three[0], three[1], three[2]);
        assert_true(json_guard(text, (size_t)length, NULL, NULL, &document, &fault));
        assert_int_equal(document.is_not_text, !is_text);
    }
}

static void measures_a_byte_order_mark(void **state) {
    static const char marked[] = "\xEF\xBB\xBF\xEF\xBB\xBF{}";
    (void)state;
    for (size_t length = 0; length < sizeof marked; length++) {
        char *exact = fixture_copy(marked, length);
        assert_int_equal(json_mark_length(exact, length), length < 3 ? 0 : 3);
        free(exact);
    }
    assert_int_equal(json_mark_length("\xEF\xBB\xBE{}", 5), 0);
    assert_int_equal(json_mark_length("\xFE\xFF{}", 4), 0);
    assert_int_equal(json_mark_length(" \xEF\xBB\xBF", 4), 0);
}

/* ---- Depth ---- */

/* Writes opener depth times, and closer as often; a member has a value where the nesting ends.
 * Returns the length. */
static size_t nest(char *text, const char *opener, const char *closer, size_t depth) {
    size_t length = 0;
    for (size_t i = 0; i < depth; i++) {
        length += (size_t)sprintf(text + length, "%s", opener);
    }
    if (strchr(opener, ':') != NULL) {
        text[length++] = '1';
    }
    for (size_t i = 0; i < depth; i++) {
        length += (size_t)sprintf(text + length, "%s", closer);
    }
    return length;
}

static void check_depth(const char *beginning, const char *opener, const char *closer,
                        const char *end, size_t levels) {
    char text[16384];
    char expected[128];
    size_t offset = 0;
    for (size_t depth = levels; depth < levels + 2; depth++) {
        size_t length = (size_t)sprintf(text, "%s", beginning);
        length += nest(text + length, opener, closer, depth);
        length += (size_t)sprintf(text + length, "%s", end);
        assert_int_equal(is_json(text, length, &offset), depth == levels);
        if (depth > levels) {
            const size_t bracket =
                strlen(beginning) + strlen(opener) * (depth - 1) + strcspn(opener, "[{");
            sprintf(expected, "at byte %zu: a value more than 512 levels deep\n", bracket);
            check_fault("depth", text, length, expected);
        }
    }
}

static void reads_512_levels_and_no_more(void **state) {
    (void)state;
    check_depth("", "[", "]", "", 512);
    check_depth("", "{\"a\":", "}", "", 512);
    check_depth("", "[0,{\"a\":", "}]", "", 256);
    check_depth("{\"a\":", "[", "]", "}", 511);
    check_depth("{\"a\":", "{\"b\":", "}", "}", 511);
    check_depth("{\"a\":{\"b\":[],\"c\":[[[[]]]]},\"d\":[", "[", "]", ",0]}", 510);
    check_depth("[[],", "[", "]", ",{}]", 511);
}

static void counts_depth_not_brackets(void **state) {
    char text[16384] = "[";
    size_t length = 1;
    size_t offset = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        length += (size_t)sprintf(text + length, "[{}],");
    }
    length += (size_t)sprintf(text + length, "0]");
    assert_true(is_json(text, length, &offset));
}

/* ---- Against cJSON, which accepts all that is JSON (and more) ---- */

/* Any numbers, the same at each run. */
static uint32_t next_random(void) {
    static uint64_t state = 20240308;
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33);
}

struct draft {
    char text[2048];
    size_t length;
};

static void put(struct draft *draft, const char *text) {
    if (draft->length + strlen(text) < sizeof draft->text) {
        strcpy(draft->text + draft->length, text);
        draft->length += strlen(text);
    }
}

static void put_one_of(struct draft *draft, const char *const *texts, size_t count) {
    put(draft, texts[next_random() % count]);
}

static void put_value(struct draft *draft, int depth) {
    static const char *const spaces[] = {"", "", " ", "\n", "\t \r"};
    static const char *const scalars[] = {
        "null",       "true",        "false",        "0",
        "-0",         "17",          "-1.25e+2",     "1E3",
        "0.5",        "123456",      "\"\"",         "\"a\"",
        "\"é\"",      "\"\\n\\\"\"", "\"\\u00e9x\"", "\"\\uD83D\\uDE00\"",
        "\"[{\\\\\"", "\"😀\"",
    };
    static const char *const names[] = {"\"a\"", "\"\"", "\"b\\u0063\"", "\"ключ\"", "\"a b\""};
    const uint32_t choice = depth > 3 ? 2 : next_random() % 4;
    const uint32_t count = next_random() % 4;
    if (choice > 1) {
        put_one_of(draft, scalars, sizeof scalars / sizeof *scalars);
        return;
    }
    put(draft, choice == 0 ? "[" : "{");
    put_one_of(draft, spaces, 5);
    for (uint32_t i = 0; i < count; i++) {
        put(draft, i > 0 ? "," : "");
        put_one_of(draft, spaces, 5);
        if (choice == 1) {
            put_one_of(draft, names, sizeof names / sizeof *names);
            put(draft, ":");
        }
        put_value(draft, depth + 1);
        put_one_of(draft, spaces, 5);
    }
    put(draft, choice == 0 ? "]" : "}");
}

/* Walks cJSON's members along with the scanner's. */
struct walk {
    const cJSON *next;
    bool is_text; /* no string among names and values that cJSON would cut or refuse */
};

static bool is_of_kind(const cJSON *item, enum json_kind kind) {
    const int types[] = {
        [JSON_NULL] = cJSON_NULL,     [JSON_FALSE] = cJSON_False,   [JSON_TRUE] = cJSON_True,
        [JSON_NUMBER] = cJSON_Number, [JSON_STRING] = cJSON_String, [JSON_ARRAY] = cJSON_Array,
        [JSON_OBJECT] = cJSON_Object};
    return (item->type & 0xFF) == types[kind];
}

static void compare_member(const struct json_value *name, const struct json_value *value,
                           void *context) {
    struct walk *walk = context;
    assert_non_null(walk->next);
    assert_true(is_of_kind(walk->next, value->kind));
    if (!name->has_escape) {
        assert_int_equal(strlen(walk->next->string), name->length - 2);
        assert_memory_equal(walk->next->string, name->text + 1, name->length - 2);
    }
    if (value->kind == JSON_STRING && !value->has_escape) {
        assert_int_equal(strlen(walk->next->valuestring), value->length - 2);
        assert_memory_equal(walk->next->valuestring, value->text + 1, value->length - 2);
    }
    if (value->kind == JSON_NUMBER) {
        assert_true(walk->next->valuedouble == strtod(value->text, NULL));
    }
    walk->next = walk->next->next;
}

/* Returns whether the scanner accepted the text, which cJSON then must accept, too, with the same
 * members. */
static bool compare_with_cjson(const struct draft *draft) {
    struct json_value document;
    struct json_fault fault;
    if (!json_guard(draft->text, draft->length, NULL, NULL, &document, &fault)) {
        assert_true(fault.offset <= draft->length);
        return false;
    }
    cJSON *item = cJSON_ParseWithLength(draft->text, draft->length);
    if (item == NULL) {
        fail_msg("cJSON refuses %s", draft->text);
    }
    struct walk walk = {.next = item->child};
    assert_true(is_of_kind(item, document.kind));
    if (document.kind == JSON_OBJECT) {
        assert_true(
            json_guard(draft->text, draft->length, compare_member, &walk, &document, &fault));
        assert_null(walk.next);
    }
    cJSON_Delete(item);
    return true;
}

/* Texts that are JSON by the way they are made; then each with a byte changed, put in or left out.
 * No change makes an escaped surrogate or NUL, which cJSON treats otherwise: digits replace
 * nothing. */
static void agrees_with_cjson(void **state) {
    static const char changes[] = "[]{}:,\"\\ntf -+.eE\n/";
    int changed_and_sound = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct draft draft = {.length = 0};
        put_value(&draft, 0);
        if (draft.length > sizeof draft.text - 64) {
            continue;
        }
        if (!compare_with_cjson(&draft)) {
            fail_msg("refused: %s", draft.text);
        }
        for (int j = 0; j < 10; j++) {
            struct draft changed = draft;
            const size_t at = next_random() % draft.length;
            if (memchr(draft.text, '\\', draft.length) != NULL &&
                strstr(draft.text, "\\u") != NULL) {
                break;
            }
            changed.text[at] = changes[next_random() % (sizeof changes - 1)];
            changed_and_sound += compare_with_cjson(&changed) ? 1 : 0;
        }
    }
    assert_in_range(changed_and_sound, 100, 49000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_json),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(refuses_each_cut),
        cmocka_unit_test(takes_each_byte_for_what_it_is),
        cmocka_unit_test(names_the_byte_of_a_raw_control_character),
        cmocka_unit_test(takes_each_unicode_escape_for_what_it_is),
        cmocka_unit_test(takes_a_pair_only_of_a_high_and_a_low_surrogate),
        cmocka_unit_test(measures_a_byte_order_mark),
        cmocka_unit_test(reads_512_levels_and_no_more),
        cmocka_unit_test(counts_depth_not_brackets),
        cmocka_unit_test(agrees_with_cjson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
