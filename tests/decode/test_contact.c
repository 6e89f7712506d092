/* test_contact.c - text to a contact. fixtures/contact/valid holds documents with each member of
 * what they decode to, fixtures/contact/refused those that are no contact with words of the
 * message; what each field takes stands in tables here. */
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "decode/contact.h"
#include "base/error.h"
#include "support/child.h"
#include "support/fixture.h"
#include "replyio.h"

/* ---- A contact as text ---- */

static void write_text(FILE *file, const char *member, const char *text) {
    fprintf(file, "%s=", member);
    if (text == NULL) {
        fputs("null\n", file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7F) {
            fprintf(file, "\\x%02X", byte);
        } else {
            fprintf(file, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
        }
    }
    fputs("\"\n", file);
}

static void write_flag(FILE *file, const char *member, bool flag) {
    fprintf(file, "%s=%s\n", member, flag ? "true" : "false");
}

static void write_integer(FILE *file, const char *member, int64_t integer) {
    fprintf(file, "%s=%lld\n", member, (long long)integer);
}

static void write_datetime(FILE *file, const char *member, const reply_datetime *datetime) {
    char name[64];
    snprintf(name, sizeof name, "%s.text", member);
    write_text(file, name, datetime->text);
    snprintf(name, sizeof name, "%s.unix_seconds", member);
    write_integer(file, name, datetime->unix_seconds);
    snprintf(name, sizeof name, "%s.nanoseconds", member);
    write_integer(file, name, datetime->nanoseconds);
    snprintf(name, sizeof name, "%s.utc_offset_seconds", member);
    write_integer(file, name, datetime->utc_offset_seconds);
    snprintf(name, sizeof name, "%s.has_time", member);
    write_flag(file, name, datetime->has_time);
    snprintf(name, sizeof name, "%s.has_utc_offset", member);
    write_flag(file, name, datetime->has_utc_offset);
}

static const char *status_word(reply_contact_status status) {
    static const char *const words[] = {
        [REPLY_CONTACT_STATUS_UNKNOWN] = "UNKNOWN",
        [REPLY_CONTACT_STATUS_ACTIVE] = "ACTIVE",
        [REPLY_CONTACT_STATUS_PAUSED] = "PAUSED",
        [REPLY_CONTACT_STATUS_FINISHED] = "FINISHED",
        [REPLY_CONTACT_STATUS_INACTIVE] = "INACTIVE",
        [REPLY_CONTACT_STATUS_OUT_OF_OFFICE] = "OUT_OF_OFFICE",
    };
    assert_in_range(status, 0, REPLY_CONTACT_STATUS_OUT_OF_OFFICE);
    return words[status];
}

static const char *sub_status_word(reply_contact_sub_status sub_status) {
    static const char *const words[] = {
        [REPLY_CONTACT_SUB_STATUS_UNKNOWN] = "UNKNOWN",
        [REPLY_CONTACT_SUB_STATUS_NULL] = "NULL",
        [REPLY_CONTACT_SUB_STATUS_NONE] = "NONE",
        [REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED] = "AUTO_REPLIED",
    };
    assert_in_range(sub_status, 0, REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED);
    return words[sub_status];
}

static void write_members(FILE *file, const reply_sequence_contact *contact) {
    write_integer(file, "contact_id", contact->contact_id);
    write_integer(file, "sequence_id", contact->sequence_id);
    write_text(file, "email", contact->email);
    write_text(file, "first_name", contact->first_name);
    write_text(file, "last_name", contact->last_name);
    write_text(file, "company", contact->company);
    write_text(file, "title", contact->title);
    fprintf(file, "status=%s\n", status_word(contact->status));
    write_text(file, "status_text", contact->status_text);
    fprintf(file, "sub_status=%s\n", sub_status_word(contact->sub_status));
    write_text(file, "sub_status_text", contact->sub_status_text);
    write_integer(file, "current_step", contact->current_step);
    write_datetime(file, "adding_date", &contact->adding_date);
    write_datetime(file, "moving_date", &contact->moving_date);
    write_datetime(file, "next_send_after", &contact->next_send_after);
    write_flag(file, "is_opted_out", contact->is_opted_out);
    write_flag(file, "has_email_account_id", contact->has_email_account_id);
    write_integer(file, "email_account_id", contact->email_account_id);
    write_flag(file, "has_linkedin_account_id", contact->has_linkedin_account_id);
    write_integer(file, "linkedin_account_id", contact->linkedin_account_id);
    write_flag(file, "has_icp_score", contact->has_icp_score);
    fprintf(file, "icp_score=%.17g\n", contact->icp_score);
    fprintf(file, "json_length=%zu\n", contact->json_length);
}

/* Each member as a line, whatever the host's locale. The caller frees it. */
static char *dump(const reply_sequence_contact *contact) {
    char *text = NULL;
    size_t size = 0;
    const locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert_true(locale != (locale_t)0);
    const locale_t host_locale = uselocale(locale);
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    write_members(file, contact);
    fclose(file);
    uselocale(host_locale);
    freelocale(locale);
    return text;
}

/* ---- Decoding ---- */

/* Decodes a copy of the text at its exact size, which is gone afterwards: the contact must not need
 * it. */
static reply_sequence_contact *decode(const char *name, const char *text, size_t length) {
    reply_sequence_contact *contact = NULL;
    reply_error error;
    char *exact = fixture_copy(text, length);
    fixture_spoil_error(&error);
    const reply_result result = reply_decode_sequence_contact(exact, length, &contact, &error);
    memset(exact, '#', length);
    free(exact);
    if (result != REPLY_OK) {
        fail_msg("%s: %s: %s", name, reply_result_name(result), error.message);
    }
    fixture_expect_no_error(name, &error);
    assert_non_null(contact);
    return contact;
}

static void expect_refusal(const char *name, const char *text, size_t length, const char *words) {
    reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
    reply_error error;
    char *exact = fixture_copy(text, length);
    fixture_spoil_error(&error);
    const reply_result result = reply_decode_sequence_contact(exact, length, &contact, &error);
    if (result != REPLY_ERROR_INVALID_RESPONSE) {
        fail_msg("%s: result %s", name, reply_result_name(result));
    }
    assert_null(contact);
    fixture_expect_error(name, &error, REPLY_ERROR_INVALID_RESPONSE, words);
    contact = (reply_sequence_contact *)&contact;
    assert_int_equal(reply_decode_sequence_contact(exact, length, &contact, NULL),
                     REPLY_ERROR_INVALID_RESPONSE);
    assert_null(contact);
    free(exact);
}

static bool has_byte_order_mark(const struct fixture_case *fixture) {
    return fixture->length >= 3 && memcmp(fixture->bytes, "\xEF\xBB\xBF", 3) == 0;
}

static void check_valid(const struct fixture_case *fixture) {
    const size_t mark = has_byte_order_mark(fixture) ? 3 : 0;
    reply_sequence_contact *contact = decode(fixture->name, fixture->bytes, fixture->length);
    char *members = dump(contact);
    fixture_expect_text(fixture->name, fixture->expected, members);
    assert_memory_equal(contact->json, fixture->bytes + mark, fixture->length - mark);
    assert_int_equal(contact->json[contact->json_length], '\0');
    free(members);
    reply_sequence_contact_free(contact);
}

static void decodes_contacts(void **state) {
    (void)state;
    fixture_each("contact/valid", "", check_valid);
}

static void check_refused(const struct fixture_case *fixture) {
    expect_refusal(fixture->name, fixture->bytes, fixture->length, "not a contact");
    expect_refusal(fixture->name, fixture->bytes, fixture->length, fixture->expected);
}

static void refuses_what_is_no_contact(void **state) {
    (void)state;
    fixture_each("contact/refused", "", check_refused);
}

/* The fault is at the end, or, where a character was cut in two, at its beginning. */
static void check_each_cut(const struct fixture_case *fixture) {
    size_t end = fixture->length;
    while (fixture->bytes[end - 1] != '}') {
        end--;
    }
    for (size_t cut = 0; cut < end; cut++) {
        char words[64];
        size_t offset = cut;
        while (((unsigned char)fixture->bytes[offset] & 0xC0) == 0x80) {
            offset--;
        }
        snprintf(words, sizeof words, "not JSON\nat byte %zu %s", offset,
                 offset == cut ? "(the text ends too early)" : "(");
        expect_refusal(fixture->name, fixture->bytes, cut, words);
    }
}

static void refuses_each_cut(void **state) {
    (void)state;
    fixture_each("contact/valid", "", check_each_cut);
}

static void keeps_what_stands_around_the_object(void **state) {
    static const char beginning[] = " \r\n\t";
    char text[1024];
    size_t length = 0;
    (void)state;
    char *bytes = fixture_read("contact/valid/documentation.json", &length);
    memcpy(text, beginning, 4);
    memcpy(text + 4, bytes, length);
    memcpy(text + 4 + length, "\n \n", 3);
    reply_sequence_contact *contact = decode("whitespace", text, length + 7);
    assert_int_equal(contact->contact_id, 12345);
    /* The response as it was sent. */
    assert_int_equal(contact->json_length, length + 7);
    assert_memory_equal(contact->json, text, length + 7);
    assert_int_equal(contact->json[length + 7], '\0');
    reply_sequence_contact_free(contact);
    free(bytes);
}

/* ---- What each field takes ---- */

enum type { INT64, INT32, BOOLEAN, DOUBLE, STRING, STATUS, SUB_STATUS, DATETIME };

static const struct field {
    const char *name;
    enum type type;
    bool may_be_null;
    const char *value; /* in a contact that is fine */
} fields[] = {
    {"contactId", INT64, false, "12345"},
    {"sequenceId", INT64, false, "100"},
    {"email", STRING, true, "\"john.doe@company.com\""},
    {"firstName", STRING, true, "\"John\""},
    {"lastName", STRING, true, "\"Doe\""},
    {"company", STRING, true, "\"Tech Solutions Inc\""},
    {"title", STRING, true, "\"Senior Product Manager\""},
    {"status", STATUS, false, "\"Active\""},
    {"subStatus", SUB_STATUS, true, "\"None\""},
    {"currentStep", INT32, false, "2"},
    {"addingDate", DATETIME, false, "\"2024-03-08T10:00:00+00:00\""},
    {"movingDate", DATETIME, true, "\"2024-03-08T11:00:00+00:00\""},
    {"nextSendAfter", DATETIME, true, "\"2024-03-09T09:00:00+00:00\""},
    {"isOptedOut", BOOLEAN, false, "false"},
    {"emailAccountId", INT64, true, "101"},
    {"linkedInAccountId", INT64, true, "102"},
    {"icpScore", DOUBLE, true, "0.85"},
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

/* A contact in which the field index has this name and this value (NULL: it is left out), with more
 * text as its last member (NULL: none). The caller frees it. */
static char *make_contact(size_t index, const char *name, const char *value, const char *more) {
    char *text = NULL;
    size_t size = 0;
    const char *separator = "";
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputc('{', file);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (i != index || value != NULL) {
            fprintf(file, "%s\"%s\":%s", separator, i == index ? name : fields[i].name,
                    i == index ? value : fields[i].value);
            separator = ",";
        }
    }
    fprintf(file, "%s%s}", more != NULL ? separator : "", more != NULL ? more : "");
    fclose(file);
    return text;
}

static reply_sequence_contact *decode_with(size_t index, const char *value) {
    char name[128];
    char *text = make_contact(index, fields[index].name, value, NULL);
    snprintf(name, sizeof name, "%s: %.80s", fields[index].name, value != NULL ? value : "missing");
    reply_sequence_contact *contact = decode(name, text, strlen(text));
    free(text);
    return contact;
}

static void refuse_with(size_t index, const char *value, const char *fault) {
    char name[128];
    char words[128];
    char *text = make_contact(index, fields[index].name, value, NULL);
    snprintf(name, sizeof name, "%s: %.80s", fields[index].name, value != NULL ? value : "missing");
    snprintf(words, sizeof words, "field \"%s\" %s", fields[index].name, fault);
    expect_refusal(name, text, strlen(text), words);
    free(text);
}

/* Whether the members of the field are those of null, and no others differ from a contact where it
 * is given. */
static void expect_null_member(size_t index, const char *value) {
    reply_sequence_contact *contact = decode_with(index, value);
    const char *const texts[FIELD_COUNT] = {
        [2] = contact->email,
        [3] = contact->first_name,
        [4] = contact->last_name,
        [5] = contact->company,
        [6] = contact->title,
        [8] = contact->sub_status_text,
        [11] = contact->moving_date.text,
        [12] = contact->next_send_after.text,
    };
    const bool is_given[FIELD_COUNT] = {[14] = contact->has_email_account_id,
                                        [15] = contact->has_linkedin_account_id,
                                        [16] = contact->has_icp_score};
    const double score = 0.85; /* the constant itself may have more bits than a double */
    for (size_t i = 2; i < FIELD_COUNT; i++) {
        if (fields[i].may_be_null && i < 14) {
            assert_int_equal(texts[i] == NULL, i == index);
        } else if (fields[i].may_be_null) {
            assert_int_equal(is_given[i], i != index);
        }
    }
    assert_int_equal(contact->sub_status,
                     index == 8 ? REPLY_CONTACT_SUB_STATUS_NULL : REPLY_CONTACT_SUB_STATUS_NONE);
    assert_int_equal(contact->email_account_id, index == 14 ? 0 : 101);
    assert_int_equal(contact->linkedin_account_id, index == 15 ? 0 : 102);
    assert_true(contact->icp_score == (index == 16 ? 0 : score));
    assert_int_equal(contact->moving_date.has_time, index != 11);
    assert_int_equal(contact->next_send_after.has_time, index != 12);
    reply_sequence_contact_free(contact);
}

static void takes_missing_for_null(void **state) {
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].may_be_null) {
            expect_null_member(i, "null");
            expect_null_member(i, NULL);
        } else {
            refuse_with(i, "null", "is null");
            refuse_with(i, NULL, "is missing");
        }
    }
}

enum kind { A_BOOLEAN, AN_INTEGER, A_NUMBER, A_STRING, AN_ARRAY, AN_OBJECT };

static bool takes_kind(enum type type, enum kind kind) {
    switch (type) {
    case INT64:
    case INT32:
        return kind == AN_INTEGER;
    case BOOLEAN:
        return kind == A_BOOLEAN;
    case DOUBLE:
        return kind == AN_INTEGER || kind == A_NUMBER;
    default:
        return kind == A_STRING;
    }
}

static void takes_no_other_type(void **state) {
    static const struct {
        enum kind kind;
        const char *value;
    } values[] = {
        {A_BOOLEAN, "true"}, {A_BOOLEAN, "false"},     {AN_INTEGER, "0"},
        {AN_INTEGER, "1"},   {AN_INTEGER, "-1"},       {A_NUMBER, "1.0"},
        {A_NUMBER, "1e3"},   {A_NUMBER, "1E+0"},       {A_NUMBER, "0.5"},
        {A_NUMBER, "-0.0"},  {A_STRING, "\"\""},       {A_STRING, "\"1\""},
        {A_STRING, "\"a\""}, {A_STRING, "\"true\""},   {A_STRING, "\"null\""},
        {AN_ARRAY, "[]"},    {AN_ARRAY, "[1]"},        {AN_ARRAY, "[\"a\"]"},
        {AN_OBJECT, "{}"},   {AN_OBJECT, "{\"a\":1}"},
    };
    static const char *const faults[] = {
        [INT64] = "is not an integer",
        [INT32] = "is not an integer",
        [BOOLEAN] = "is neither true nor false",
        [DOUBLE] = "is not a number",
        [STRING] = "is not a string",
        [STATUS] = "is not a string",
        [SUB_STATUS] = "is not a string",
        [DATETIME] = "is not a string",
    };
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            if (takes_kind(fields[i].type, values[j].kind)) {
                reply_sequence_contact_free(decode_with(i, values[j].value));
            } else {
                refuse_with(i, values[j].value, faults[fields[i].type]);
            }
        }
    }
}

static void refuses_a_field_given_twice(void **state) {
    static const char *const seconds[] = {NULL, "null", "{}"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < 3; j++) {
            char more[128];
            char words[128];
            snprintf(words, sizeof words, "field \"%s\" is given twice", fields[i].name);
            snprintf(more, sizeof more, "\"%s\":%s", fields[i].name,
                     seconds[j] != NULL ? seconds[j] : fields[i].value);
            char *text = make_contact(i, fields[i].name, fields[i].value, more);
            expect_refusal(more, text, strlen(text), words);
            free(text);
            snprintf(more, sizeof more, "\"\\u%04x%s\":null", (unsigned)fields[i].name[0],
                     fields[i].name + 1);
            text = make_contact(i, fields[i].name, fields[i].may_be_null ? "null" : fields[i].value,
                                more);
            expect_refusal(more, text, strlen(text), words);
            free(text);
        }
    }
}

/* Under another name the field is missing, and what stands there is not looked at. */
static void expect_no_match(size_t index, const char *name) {
    char words[64];
    char more[256];
    snprintf(words, sizeof words, "\"%s\" is missing", fields[index].name);
    char *text = make_contact(index, name, "[]", NULL);
    if (fields[index].may_be_null) {
        reply_sequence_contact_free(decode(name, text, strlen(text)));
    } else {
        expect_refusal(name, text, strlen(text), words);
    }
    free(text);
    snprintf(more, sizeof more, "\"%s\":[]", name);
    text = make_contact(index, fields[index].name, fields[index].value, more);
    reply_sequence_contact_free(decode(name, text, strlen(text)));
    free(text);
}

static void matches_names_exactly(void **state) {
    static const char *const endings[] = {"\\u0000", "\\u0000x", " ",      "x",
                                          "\\u0020", "\\ud800",  "\\ufeff"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        char name[128];
        for (size_t j = 0; j < sizeof endings / sizeof *endings; j++) {
            snprintf(name, sizeof name, "%s%s", fields[i].name, endings[j]);
            expect_no_match(i, name);
            snprintf(name, sizeof name, "%s%s", endings[j], fields[i].name);
            expect_no_match(i, name);
        }
        for (size_t at = 0; at < strlen(fields[i].name); at++) {
            strcpy(name, fields[i].name);
            name[at] = (char)(name[at] ^ 0x20);
            expect_no_match(i, name);
            snprintf(name, sizeof name, "%.*s", (int)at, fields[i].name);
            if (strcmp(name, "email") != 0) { /* which is a field itself */
                expect_no_match(i, name);
            }
        }
    }
}

/* Any one character of the name, and all of them, written as escapes. */
static void matches_names_after_unescaping(void **state) {
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const size_t length = strlen(fields[i].name);
        for (size_t at = 0; at <= length; at++) {
            char name[128] = "";
            for (size_t j = 0; j < length; j++) {
                const bool is_escaped = at == length || at == j;
                sprintf(name + strlen(name), is_escaped ? "\\u%04X" : "%c",
                        (unsigned)fields[i].name[j]);
            }
            char *text = make_contact(i, name, "[]", NULL);
            char words[64];
            snprintf(words, sizeof words, "field \"%s\" is n", fields[i].name);
            expect_refusal(name, text, strlen(text),
                           words); /* of another type: the name was matched */
            free(text);
        }
    }
}

static void expect_integer(size_t index, const char *value, int64_t expected) {
    reply_sequence_contact *contact = decode_with(index, value);
    const int64_t integers[FIELD_COUNT] = {[0] = contact->contact_id,
                                           [1] = contact->sequence_id,
                                           [9] = contact->current_step,
                                           [14] = contact->email_account_id,
                                           [15] = contact->linkedin_account_id};
    if (integers[index] != expected) {
        fail_msg("%s: %s became %lld", fields[index].name, value, (long long)integers[index]);
    }
    reply_sequence_contact_free(contact);
}

static void reads_integers_exactly(void **state) {
    static const int64_t integers[] = {0,
                                       1,
                                       -1,
                                       9,
                                       10,
                                       INT32_MAX,
                                       INT32_MIN,
                                       (int64_t)INT32_MAX + 1,
                                       (int64_t)INT32_MIN - 1,
                                       UINT32_MAX,
                                       9007199254740991,
                                       9007199254740992,
                                       9007199254740993,
                                       -9007199254740993,
                                       999999999999999999,
                                       1000000000000000000,
                                       INT64_MAX - 1,
                                       INT64_MAX,
                                       INT64_MIN + 1,
                                       INT64_MIN};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < sizeof integers / sizeof *integers && fields[i].type <= INT32; j++) {
            char value[32];
            snprintf(value, sizeof value, "%lld", (long long)integers[j]);
            if (fields[i].type == INT32 && (integers[j] > INT32_MAX || integers[j] < INT32_MIN)) {
                refuse_with(i, value, "does not fit 32 bits");
            } else {
                expect_integer(i, value, integers[j]);
            }
        }
    }
}

static void refuses_integers_that_do_not_fit(void **state) {
    static const char *const values[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "9223372036854775810",
        "-9223372036854775810",
        "9999999999999999999",
        "10000000000000000000",
        "18446744073709551615",
        "18446744073709551616",
        "-18446744073709551616",
        "92233720368547758070",
        "100000000000000000000000000000000000000000000000000000000000000"};
    static const char long_value[] =
        "1000000000000000000000000000000000000000000000000000000000000000";
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].type <= INT32) {
            for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
                refuse_with(i, values[j], "does not fit");
            }
            assert_int_equal(strlen(long_value), 64);
            refuse_with(i, long_value, "has over 63 characters");
        }
    }
}

/* Each is no number of JSON's, whatever the field; for those that are, an integer is not written
 * so. */
static void refuses_other_forms_of_numbers(void **state) {
    static const char *const not_json[] = {"01",  "-01",      "+1",  "2.",   ".5",
                                           "-",   "1e",       "1e+", "0x1",  "1_000",
                                           "NaN", "Infinity", "--1", "1.e1", "00"};
    static const char *const not_plain[] = {"1.0", "1e3",   "1E3",   "1.5",      "-0.0",
                                            "0e0", "10e-1", "1e400", "12345.000"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < sizeof not_json / sizeof *not_json; j++) {
            char *text = make_contact(i, fields[i].name, not_json[j], NULL);
            expect_refusal(not_json[j], text, strlen(text), "is not JSON at byte");
            free(text);
        }
        for (size_t j = 0; j < sizeof not_plain / sizeof *not_plain && fields[i].type <= INT32;
             j++) {
            refuse_with(i, not_plain[j], "is not an integer written in plain digits");
        }
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].type <= INT32) {
            expect_integer(i, "-0", 0);
        }
    }
}

static void expect_score(const char *value, double expected) {
    reply_sequence_contact *contact = decode_with(16, value);
    if (!contact->has_icp_score || memcmp(&contact->icp_score, &expected, sizeof expected) != 0) {
        fail_msg("icpScore: %s became %a", value, contact->icp_score);
    }
    reply_sequence_contact_free(contact);
}

static void check_scores(void) {
    expect_score("0.85", 0x1.b333333333333p-1);
    expect_score("0.1", 0x1.999999999999ap-4);
    expect_score("0.5", 0x1p-1);
    expect_score("-1.5", -0x1.8p+0);
    expect_score("0", 0.0);
    expect_score("-0", -0.0);
    expect_score("0.30000000000000004", 0x1.3333333333334p-2);
    expect_score("1.7976931348623157e308", 0x1.fffffffffffffp+1023);
    expect_score("-1.7976931348623157e308", -0x1.fffffffffffffp+1023);
    expect_score("2.2250738585072014e-308", 0x1p-1022);
    expect_score("2.2250738585072011e-308", 0x0.fffffffffffffp-1022);
    expect_score("5e-324", 0x0.0000000000001p-1022);
    expect_score("2e-324", 0.0);
    expect_score("1e-999", 0.0);
    expect_score("-1e-999", -0.0);
    expect_score("9007199254740993", 0x1p+53);
    expect_score("1e22", 1e22);
    expect_score("1e23", 0x1.52d02c7e14af6p+76);
}

static void reads_scores_exactly(void **state) {
    static const char longest[] = "0.1000000000000000055511151231257827021181583404541015625000000";
    (void)state;
    check_scores();
    assert_int_equal(strlen(longest), 63);
    expect_score(longest, 0.1);
    refuse_with(16, "0.10000000000000000555111512312578270211815834045410156250000000",
                "has over 63 characters");
    refuse_with(16, "1e309", "is not a finite number");
    refuse_with(16, "1e999", "is not a finite number");
    refuse_with(16, "-1e999", "is not a finite number");
    refuse_with(16, "1.7976931348623159e308", "is not a finite number");
}

/* Of each string field: the member, and for an enum or a date its text. */
static const char *text_of(const reply_sequence_contact *contact, size_t index) {
    const char *const texts[FIELD_COUNT] = {
        [2] = contact->email,
        [3] = contact->first_name,
        [4] = contact->last_name,
        [5] = contact->company,
        [6] = contact->title,
        [7] = contact->status_text,
        [8] = contact->sub_status_text,
        [10] = contact->adding_date.text,
        [11] = contact->moving_date.text,
        [12] = contact->next_send_after.text,
    };
    return texts[index];
}

static void expect_unescaped(const char *value, const char *expected) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].type >= STRING) {
            reply_sequence_contact *contact = decode_with(i, value);
            fixture_expect_text(fields[i].name, expected, text_of(contact, i));
            reply_sequence_contact_free(contact);
        }
    }
}

static void unescapes_strings(void **state) {
    (void)state;
    expect_unescaped("\"\"", "");
    expect_unescaped("\"plain \\\\ text\"", "plain \\ text");
    expect_unescaped("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    expect_unescaped("\"\\u0041\\u00e9\\u20AC\\uffff\"", "A\u00e9\u20ac\uffff");
    expect_unescaped("\"\\u0001\\u001f\\u007f\\u0080\\u07ff\\u0800\\ud7ff\\ue000\"",
                     "\x01\x1f\x7f\xC2\x80\u07ff\u0800\ud7ff\ue000");
    expect_unescaped("\"\\ud83d\\ude00\\uD83D\\uDE00\"", "😀😀");
    expect_unescaped("\"\\ud800\\udc00x\\udbff\\udfff\"", "\U00010000x\U0010ffff");
    expect_unescaped("\"\\\\u0000\\\\ud800\"", "\\u0000\\ud800");
    expect_unescaped("\"é€😀\x7f\"", "é€😀\x7f");
}

static void refuses_strings_that_are_no_text(void **state) {
    static const char *const values[] = {
        "\"\\u0000\"",
        "\"a\\u0000\"",
        "\"\\u0000a\"",
        "\"\\ud800\"",
        "\"\\udbff\"",
        "\"\\udc00\"",
        "\"\\udfff\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d x\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ud83d\\ud83d\\ude00\"",
        "\"\\ud83d\\ude00\\ude00\"",
        "\"\\ud83d\\\\ude00\"",
    };
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values && fields[i].type >= STRING; j++) {
            refuse_with(i, values[j], "holds a NUL or half a surrogate pair");
        }
    }
}

static void check_statuses(void) {
    static const char *const names[] = {"Unknown",  "Active",   "Paused",
                                        "Finished", "Inactive", "OutOfOffice"};
    for (int status = 1; status < 6; status++) {
        for (int way = 0; way < 4; way++) {
            char value[32] = "\"";
            size_t at = 0;
            for (; names[status][at] != '\0'; at++) {
                const char letter = names[status][at];
                const bool is_upper = way == 1 || (way == 3 && at % 2 == 1);
                value[1 + at] =
                    way == 0 ? letter : (char)(is_upper ? letter & ~0x20 : letter | 0x20);
            }
            strcpy(value + 1 + at, "\"");
            reply_sequence_contact *contact = decode_with(7, value);
            assert_int_equal(contact->status, status);
            assert_int_equal(strncmp(contact->status_text, value + 1, at), 0);
            assert_int_equal(strlen(contact->status_text), at);
            reply_sequence_contact_free(contact);
        }
    }
}

static void reads_each_status(void **state) {
    static const char *const unknown[] = {
        "Unknown",       "unknown", "",     "Activ", "Activee",  " Active",  "Active ",
        "Out Of Office", "1",       "null", "None",  "İnactive", "ınactive", "Pauſed"};
    (void)state;
    check_statuses();
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char value[64];
        snprintf(value, sizeof value, "\"%s\"", unknown[i]);
        reply_sequence_contact *contact = decode_with(7, value);
        assert_int_equal(contact->status, REPLY_CONTACT_STATUS_UNKNOWN);
        assert_string_equal(contact->status_text, unknown[i]);
        reply_sequence_contact_free(contact);
    }
}

static void reads_each_sub_status(void **state) {
    static const struct {
        const char *text; /* NULL: null */
        reply_contact_sub_status sub_status;
    } values[] = {
        {NULL, REPLY_CONTACT_SUB_STATUS_NULL},
        {"None", REPLY_CONTACT_SUB_STATUS_NONE},
        {"none", REPLY_CONTACT_SUB_STATUS_NONE},
        {"NONE", REPLY_CONTACT_SUB_STATUS_NONE},
        {"AutoReplied", REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED},
        {"autoreplied", REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED},
        {"AUTOREPLIED", REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED},
        {"null", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"Null", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"Unknown", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"Auto Replied", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"None.", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
        {"Active", REPLY_CONTACT_SUB_STATUS_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char value[64] = "null";
        if (values[i].text != NULL) {
            snprintf(value, sizeof value, "\"%s\"", values[i].text);
        }
        reply_sequence_contact *contact = decode_with(8, value);
        assert_int_equal(contact->sub_status, values[i].sub_status);
        if (values[i].text == NULL) {
            assert_null(contact->sub_status_text);
        } else {
            assert_string_equal(contact->sub_status_text, values[i].text);
        }
        reply_sequence_contact_free(contact);
    }
}

static void names_each_status(void **state) {
    static const int none[] = {-1, 6, 7, 100, 256, INT32_MAX, INT32_MIN};
    (void)state;
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_UNKNOWN), "Unknown");
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_ACTIVE), "Active");
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_PAUSED), "Paused");
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_FINISHED), "Finished");
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_INACTIVE), "Inactive");
    assert_string_equal(reply_contact_status_name(REPLY_CONTACT_STATUS_OUT_OF_OFFICE),
                        "OutOfOffice");
    assert_string_equal(reply_contact_sub_status_name(REPLY_CONTACT_SUB_STATUS_UNKNOWN), "Unknown");
    assert_string_equal(reply_contact_sub_status_name(REPLY_CONTACT_SUB_STATUS_NULL), "null");
    assert_string_equal(reply_contact_sub_status_name(REPLY_CONTACT_SUB_STATUS_NONE), "None");
    assert_string_equal(reply_contact_sub_status_name(REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED),
                        "AutoReplied");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        reply_contact_status status;
        reply_contact_sub_status sub_status;
        memcpy(&status, &none[i], sizeof status);
        memcpy(&sub_status, &none[i], sizeof sub_status);
        assert_string_equal(reply_contact_status_name(status), "Unknown");
        assert_string_equal(reply_contact_sub_status_name(sub_status), "Unknown");
    }
    assert_string_equal(reply_contact_sub_status_name((reply_contact_sub_status)4), "Unknown");
}

/* ---- Unknown members and depth ---- */

static void ignores_a_number_of_any_length(void **state) {
    char more[4096] = "\"new\":";
    (void)state;
    memset(more + 6, '7', 4000);
    more[4006] = '\0';
    char *text = make_contact(0, "contactId", "12345", more);
    reply_sequence_contact *contact = decode("a long number", text, strlen(text));
    assert_int_equal(contact->contact_id, 12345);
    assert_string_equal(contact->json, text);
    reply_sequence_contact_free(contact);
    free(text);
}

/* The document is level 1. */
static void reads_512_levels_and_no_more(void **state) {
    (void)state;
    for (size_t inner = 510; inner <= 513; inner++) {
        char more[2048] = "\"new\":";
        char words[64];
        memset(more + 6, '[', inner);
        memset(more + 6 + inner, ']', inner);
        more[6 + 2 * inner] = '\0';
        char *text = make_contact(0, "contactId", "12345", more);
        if (inner <= 511) {
            reply_sequence_contact_free(decode("depth", text, strlen(text)));
        } else {
            snprintf(words, sizeof words, "not JSON at byte %zu (\n512",
                     (size_t)(strchr(text, '[') - text) + 511);
            expect_refusal("depth", text, strlen(text), words);
        }
        free(text);
    }
}

static void names_the_byte_of_each_control_character(void **state) {
    (void)state;
    for (int byte = 1; byte < 0x20; byte++) {
        const char value[] = {'"', 'a', (char)byte, '"', '\0'};
        char words[64];
        char *text = make_contact(2, "email", value, NULL);
        snprintf(words, sizeof words, "not JSON at byte %zu (a control character",
                 (size_t)(strchr(text, byte) - text));
        expect_refusal("a control character", text, strlen(text), words);
        free(text);
    }
}

/* ---- Arguments, memory, threads, fork and locale ---- */

static void refuses_null(void **state) {
    reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
    reply_error error;
    (void)state;
    fixture_spoil_error(&error);
    assert_int_equal(reply_decode_sequence_contact(NULL, 0, &contact, &error),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(contact);
    fixture_expect_error("json NULL", &error, REPLY_ERROR_INVALID_ARGUMENT, "json is NULL");
    contact = (reply_sequence_contact *)&contact;
    assert_int_equal(reply_decode_sequence_contact(NULL, 5, &contact, NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_null(contact);
    fixture_spoil_error(&error);
    assert_int_equal(reply_decode_sequence_contact("{}", 2, NULL, &error),
                     REPLY_ERROR_INVALID_ARGUMENT);
    fixture_expect_error("contact NULL", &error, REPLY_ERROR_INVALID_ARGUMENT, "contact is NULL");
    assert_int_equal(reply_decode_sequence_contact(NULL, 0, NULL, NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    reply_sequence_contact_free(NULL);
}

/* As a fetch calls it. */
static void hands_out_no_contact_without_the_public_function(void **state) {
    static const char *const texts[] = {"", "[]", "{}", "{\"contactId\":1}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
        reply_error error;
        error_begin(&error, NULL);
        assert_int_equal(decode_contact(texts[i], strlen(texts[i]), &contact, &error),
                         REPLY_ERROR_INVALID_RESPONSE);
        assert_null(contact);
    }
}

static void needs_no_error(void **state) {
    reply_sequence_contact *contact = NULL;
    size_t length = 0;
    char *bytes = fixture_read("contact/valid/documentation.json", &length);
    (void)state;
    assert_int_equal(reply_decode_sequence_contact(bytes, length, &contact, NULL), REPLY_OK);
    assert_int_equal(contact->contact_id, 12345);
    reply_sequence_contact_free(contact);
    free(bytes);
}

/* All that the contact points to lies in the block that it is itself. */
static void check_one_block(const struct fixture_case *fixture) {
    reply_sequence_contact *contact = decode(fixture->name, fixture->bytes, fixture->length);
    const uintptr_t begin = (uintptr_t)contact;
    const uintptr_t end = begin + malloc_usable_size(contact);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char *text = text_of(contact, i);
        if (text != NULL) {
            assert_in_range((uintptr_t)text, begin + sizeof *contact, end - 1);
            assert_in_range((uintptr_t)text + strlen(text), begin + sizeof *contact, end - 1);
        }
    }
    assert_in_range((uintptr_t)contact->json, begin + sizeof *contact, end - 1);
    assert_in_range((uintptr_t)contact->json + contact->json_length, begin + sizeof *contact,
                    end - 1);
    reply_sequence_contact_free(contact);
}

static void makes_one_block(void **state) {
    (void)state;
    fixture_each("contact/valid", "", check_one_block);
}

/* The largest object that a 32-bit system can have, nearly all of it one string: a contact with the
 * text and the string would be larger than a size_t can tell. The same few pages of memory stand in
 * it again and again. */
static void refuses_a_text_that_leaves_no_room(void **state) {
    enum { PIECE = 16 * 1024 * 1024 };
    static const char beginning[] = "{\"email\":\"";
    const size_t length = PTRDIFF_MAX;
    const size_t mapped = length + 1;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    (void)state;
    if (length > INT32_MAX) {
        skip();
    }
    char *piece = malloc(PIECE);
    const int file = memfd_create("piece", MFD_CLOEXEC);
    char *text = mmap(NULL, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_non_null(piece);
    assert_true(text != MAP_FAILED);
    memset(piece, 'a', PIECE);
    assert_int_equal(write(file, piece, PIECE), PIECE);
    for (size_t at = 0; at < mapped; at += PIECE) {
        assert_true(mmap(text + at, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file,
                         0) != MAP_FAILED);
    }
    memcpy(text, beginning, strlen(beginning));
    memcpy(text + length - 2, "\"}", 2);
    assert_int_equal(reply_decode_sequence_contact(text, length, &contact, &error),
                     REPLY_ERROR_NO_MEMORY);
    assert_null(contact);
    munmap(text, mapped);
    close(file);
    free(piece);
}

/* Strings with escapes, which take turns behind a lock. */
static const char escaped[] = "{\"contactId\":1,\"sequenceId\":2,\"email\":\"\\u0061@b\","
                              "\"firstName\":\"\\ud83d\\ude00\",\"\\u006castName\":\"a\\tb\","
                              "\"status\":\"Activ\\u0065\",\"currentStep\":3,\"addingDate\":"
                              "\"2024\\u002d03-08T10:00:00Z\",\"isOptedOut\":false}";

static bool decodes_escaped(void) {
    reply_sequence_contact *contact = NULL;
    if (reply_decode_sequence_contact(escaped, strlen(escaped), &contact, NULL) != REPLY_OK) {
        return false;
    }
    const bool is_right =
        strcmp(contact->email, "a@b") == 0 && strcmp(contact->first_name, "😀") == 0 &&
        strcmp(contact->last_name, "a\tb") == 0 && contact->status == REPLY_CONTACT_STATUS_ACTIVE &&
        contact->adding_date.unix_seconds == 1709892000;
    reply_sequence_contact_free(contact);
    return is_right;
}

/* In a child, which hangs where it waits for a lock that nobody will release. */
static int decode_in_child(void *unused) {
    (void)unused;
    return decodes_escaped() ? 0 : 1;
}

/* A fork while another thread is at the process's first parse. Did the library ask to be told of
 * forks only there, this fork would come while it asks. */
static pid_t child_of_first_parse = -1;
static bool is_first_parse = false;

static void *fork_once(void *unused) {
    (void)unused;
    child_of_first_parse = child_start(decode_in_child, NULL);
    return NULL;
}

int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

static void fork_in_another_thread(void) {
    pthread_t thread;
    is_first_parse = false;
    if (pthread_create(&thread, NULL, fork_once, NULL) == 0) {
        pthread_join(thread, NULL);
    }
}

/* A thread checker asks to be told of forks, too, before it can check anything: it must not check
 * this. */
#if defined(__clang__)
__attribute__((disable_sanitizer_instrumentation))
#endif
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    if (is_first_parse) {
        fork_in_another_thread();
    }
    return __real_pthread_atfork(prepare, parent, child);
}

/* Comes first of all tests, since it needs the first parse. */
static void decodes_in_a_child_forked_at_the_first_parse(void **state) {
    (void)state;
    is_first_parse = true;
    assert_true(decodes_escaped());
    is_first_parse = false;
    if (child_of_first_parse > 0) {
        assert_int_equal(child_wait(child_of_first_parse), 0);
    }
}

static atomic_bool is_over;

static void *decode_until_over(void *unused) {
    bool is_right = true;
    (void)unused;
    while (!atomic_load(&is_over) && is_right) {
        is_right = decodes_escaped();
    }
    return is_right ? &is_over : NULL;
}

static void decodes_in_a_child_forked_while_threads_parse(void **state) {
    pthread_t threads[3];
    void *is_right = NULL;
    (void)state;
    if (!child_works_beside_threads()) {
        skip();
    }
    atomic_store(&is_over, false);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_until_over, NULL), 0);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(child_run(decode_in_child, NULL), 0);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &is_right), 0);
        assert_non_null(is_right);
    }
}

/* cJSON writes a global at every parse, so no two of ours may be in it at once. */
static atomic_int parses_in_progress;
static atomic_int most_parses_in_progress;

cJSON *__real_cJSON_ParseWithLength(const char *text, size_t length);
cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length);

cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length) {
    const int in_progress = atomic_fetch_add(&parses_in_progress, 1) + 1;
    if (in_progress > atomic_load(&most_parses_in_progress)) {
        atomic_store(&most_parses_in_progress, in_progress);
    }
    sched_yield();
    cJSON *item = __real_cJSON_ParseWithLength(text, length);
    atomic_fetch_sub(&parses_in_progress, 1);
    return item;
}

static void *decode_often(void *unused) {
    bool is_right = true;
    (void)unused;
    for (int i = 0; i < 2000 && is_right; i++) {
        is_right = decodes_escaped();
    }
    return is_right ? &is_over : NULL;
}

static void decodes_in_many_threads(void **state) {
    pthread_t threads[8];
    void *is_right = NULL;
    (void)state;
    atomic_store(&most_parses_in_progress, 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_often, NULL), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], &is_right), 0);
        assert_non_null(is_right);
    }
    assert_int_equal(atomic_load(&most_parses_in_progress), 1);
}

static bool newlocale_fails = false;
locale_t __real_newlocale(int mask, const char *name, locale_t base);
locale_t __wrap_newlocale(int mask, const char *name, locale_t base);

locale_t __wrap_newlocale(int mask, const char *name, locale_t base) {
    return newlocale_fails ? (locale_t)0 : __real_newlocale(mask, name, base);
}

/* The locale in which numbers are read takes memory. */
static void tells_where_there_is_no_memory_for_a_locale(void **state) {
    static const char json[] = "{\"contactId\":1,\"sequenceId\":2,\"status\":\"Active\","
                               "\"currentStep\":3,\"addingDate\":\"\","
                               "\"isOptedOut\":false,\"icpScore\":0.5}";
    reply_sequence_contact *contact = NULL;
    reply_error error;
    (void)state;
    newlocale_fails = true;
    assert_int_equal(reply_decode_sequence_contact(json, strlen(json), &contact, &error),
                     REPLY_ERROR_NO_MEMORY);
    newlocale_fails = false;
    assert_null(contact);
    assert_int_equal(reply_decode_sequence_contact(json, strlen(json), &contact, &error), REPLY_OK);
    assert_true(contact->icp_score >= 0.5 && contact->icp_score <= 0.5);
    reply_sequence_contact_free(contact);
}

static void check_in_locale(const char *name, const char *decimal_point) {
    if (!fixture_begin_locale(name)) {
        skip();
    }
    assert_string_equal(localeconv()->decimal_point, decimal_point);
    fixture_each("contact/valid", "", check_valid);
    fixture_each("contact/refused", "", check_refused);
    check_scores();
    check_statuses();
    /* The host's locale is as it was. */
    assert_string_equal(localeconv()->decimal_point, decimal_point);
    assert_true(strncmp(setlocale(LC_ALL, NULL), name, strlen(name)) == 0);
    fixture_end_locale();
}

static void decodes_the_same_where_a_comma_parts_decimals(void **state) {
    (void)state;
    check_in_locale("de_DE", ",");
}

static void decodes_the_same_where_two_bytes_part_decimals(void **state) {
    (void)state;
    check_in_locale("ps_AF", "\xD9\xAB");
}

static void decodes_the_same_in_turkish(void **state) {
    (void)state;
    check_in_locale("tr_TR", ",");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_in_a_child_forked_at_the_first_parse),
        cmocka_unit_test(decodes_contacts),
        cmocka_unit_test(refuses_what_is_no_contact),
        cmocka_unit_test(refuses_each_cut),
        cmocka_unit_test(keeps_what_stands_around_the_object),
        cmocka_unit_test(takes_missing_for_null),
        cmocka_unit_test(takes_no_other_type),
        cmocka_unit_test(refuses_a_field_given_twice),
        cmocka_unit_test(matches_names_exactly),
        cmocka_unit_test(matches_names_after_unescaping),
        cmocka_unit_test(reads_integers_exactly),
        cmocka_unit_test(refuses_integers_that_do_not_fit),
        cmocka_unit_test(refuses_other_forms_of_numbers),
        cmocka_unit_test(reads_scores_exactly),
        cmocka_unit_test(unescapes_strings),
        cmocka_unit_test(refuses_strings_that_are_no_text),
        cmocka_unit_test(reads_each_status),
        cmocka_unit_test(reads_each_sub_status),
        cmocka_unit_test(names_each_status),
        cmocka_unit_test(ignores_a_number_of_any_length),
        cmocka_unit_test(reads_512_levels_and_no_more),
        cmocka_unit_test(names_the_byte_of_each_control_character),
        cmocka_unit_test(refuses_null),
        cmocka_unit_test(hands_out_no_contact_without_the_public_function),
        cmocka_unit_test(needs_no_error),
        cmocka_unit_test(makes_one_block),
        cmocka_unit_test(refuses_a_text_that_leaves_no_room),
        cmocka_unit_test(decodes_in_a_child_forked_while_threads_parse),
        cmocka_unit_test(decodes_in_many_threads),
        cmocka_unit_test(tells_where_there_is_no_memory_for_a_locale),
        cmocka_unit_test(decodes_the_same_where_a_comma_parts_decimals),
        cmocka_unit_test(decodes_the_same_where_two_bytes_part_decimals),
        cmocka_unit_test(decodes_the_same_in_turkish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
