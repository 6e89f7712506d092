/* test_contact.c - JSON to a contact. */
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

#include "base/error.h"
#include "decode/contact.h"
#include "replyio.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/check_range.h"

/* ---- The endpoint's fields, and a contact that has them all ---- */

enum type { INT64, INT32, BOOLEAN, DOUBLE, STRING, STATUS, SUB_STATUS, DATETIME };

#define MEMBER(name) offsetof(reply_sequence_contact, name)

static const struct field {
    const char *name;
    enum type type;
    bool is_nullable;
    const char *value;
    size_t member;
    size_t companion; /* a number's has_ flag, or an enum's text; 0 if none */
} fields[] = {
    {"contactId", INT64, false, "12345", MEMBER(contact_id), 0},
    {"sequenceId", INT64, false, "100", MEMBER(sequence_id), 0},
    {"email", STRING, true, "\"john.doe@company.com\"", MEMBER(email), 0},
    {"firstName", STRING, true, "\"John\"", MEMBER(first_name), 0},
    {"lastName", STRING, true, "\"Doe\"", MEMBER(last_name), 0},
    {"company", STRING, true, "\"Tech Solutions Inc\"", MEMBER(company), 0},
    {"title", STRING, true, "\"Senior Product Manager\"", MEMBER(title), 0},
    {"status", STATUS, false, "\"Active\"", MEMBER(status), MEMBER(status_text)},
    {"subStatus", SUB_STATUS, true, "\"None\"", MEMBER(sub_status), MEMBER(sub_status_text)},
    {"currentStep", INT32, false, "2", MEMBER(current_step), 0},
    {"addingDate", DATETIME, false, "\"2024-03-08T10:00:00+00:00\"", MEMBER(adding_date), 0},
    {"movingDate", DATETIME, true, "\"2024-03-08T11:00:00+00:00\"", MEMBER(moving_date), 0},
    {"nextSendAfter", DATETIME, true, "\"2024-03-09T09:00:00+00:00\"", MEMBER(next_send_after), 0},
    {"isOptedOut", BOOLEAN, false, "false", MEMBER(is_opted_out), 0},
    {"emailAccountId", INT64, true, "101", MEMBER(email_account_id), MEMBER(has_email_account_id)},
    {"linkedInAccountId", INT64, true, "102", MEMBER(linkedin_account_id),
     MEMBER(has_linkedin_account_id)},
    {"icpScore", DOUBLE, true, "0.85", MEMBER(icp_score), MEMBER(has_icp_score)},
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static bool is_string(const struct field *field) {
    return field->type == STRING || field->type == STATUS || field->type == SUB_STATUS ||
           field->type == DATETIME;
}

static bool is_integer(const struct field *field) {
    return field->type == INT64 || field->type == INT32;
}

static const void *member_at(const reply_sequence_contact *contact, size_t offset) {
    return (const char *)contact + offset;
}

/* Returns the text of a string, an enum or a date; NULL for null and for other fields. */
static const char *text_of(const reply_sequence_contact *contact, const struct field *field) {
    switch (field->type) {
    case STRING:
        return *(const char *const *)member_at(contact, field->member);
    case STATUS:
    case SUB_STATUS:
        return *(const char *const *)member_at(contact, field->companion);
    case DATETIME:
        return ((const reply_datetime *)member_at(contact, field->member))->text;
    default:
        return NULL;
    }
}

static int64_t integer_of(const reply_sequence_contact *contact, const struct field *field) {
    return field->type == INT32 ? *(const int32_t *)member_at(contact, field->member)
                                : *(const int64_t *)member_at(contact, field->member);
}

/* A field with another value; NULL leaves the field out. */
struct change {
    const char *field;
    const char *value;
};

/* Returns the value after the changes, which end with a NULL field. */
static const char *changed_value(const struct field *field, const struct change *changes) {
    for (; changes->field != NULL; changes++) {
        if (strcmp(changes->field, field->name) == 0) {
            return changes->value;
        }
    }
    return field->value;
}

/* Writes a contact with changes, and with more members at its end unless more is NULL. The caller
 * frees it. */
static char *make_contact(const struct change *changes, const char *more) {
    char *text = NULL;
    size_t size = 0;
    const char *separator = "";
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputc('{', file);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char *value = changed_value(&fields[i], changes);
        if (value != NULL) {
            fprintf(file, "%s\"%s\":%s", separator, fields[i].name, value);
            separator = ",";
        }
    }
    fprintf(file, "%s%s}", more != NULL ? separator : "", more != NULL ? more : "");
    fclose(file);
    return text;
}

static char *make_with(const char *field, const char *value, const char *more) {
    const struct change changes[] = {{field, value}, {NULL, NULL}};
    return make_contact(changes, more);
}

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
    check_in_range(status, 0, REPLY_CONTACT_STATUS_OUT_OF_OFFICE);
    return words[status];
}

static const char *sub_status_word(reply_contact_sub_status sub_status) {
    static const char *const words[] = {
        [REPLY_CONTACT_SUB_STATUS_UNKNOWN] = "UNKNOWN",
        [REPLY_CONTACT_SUB_STATUS_NULL] = "NULL",
        [REPLY_CONTACT_SUB_STATUS_NONE] = "NONE",
        [REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED] = "AUTO_REPLIED",
    };
    check_in_range(sub_status, 0, REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED);
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
}

/* Writes a line per member, in any locale of the host. The caller frees the text. */
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

/* Returns the line of a member, or NULL. */
static const char *find_line(const char *lines, const char *member, size_t length) {
    while (*lines != '\0' && !(strncmp(lines, member, length) == 0 && lines[length] == '=')) {
        lines += strcspn(lines, "\n") + 1;
    }
    return *lines != '\0' ? lines : NULL;
}

/* Fails unless each line of actual is the one in expected, or else the one in base. */
static void expect_members(const char *name, const char *base, const char *expected,
                           const char *actual) {
    size_t found_length = 0;
    while (*actual != '\0') {
        const size_t length = strcspn(actual, "\n") + 1;
        const size_t member_length = strcspn(actual, "=");
        const char *line = find_line(expected, actual, member_length);
        if (line != NULL) {
            found_length += length;
        } else {
            line = find_line(base, actual, member_length);
        }
        if (line == NULL || strncmp(line, actual, length) != 0) {
            fail_msg("%s: got %.*s", name, (int)length, actual);
        }
        actual += length;
    }
    assert_int_equal(found_length, strlen(expected));
}

/* ---- Decoding ---- */

/* Decodes a copy of exactly the text's size. The copy is freed, because the contact must not borrow
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

/* Fails unless the text is rejected with a message that contains each line of words. */
static void expect_rejection(const char *name, const char *text, size_t length, const char *words) {
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

/* Decodes a contact with another value for a field. */
static reply_sequence_contact *decode_with(const struct field *field, const char *value) {
    char name[128];
    char *text = make_with(field->name, value, NULL);
    snprintf(name, sizeof name, "%s: %.80s", field->name, value != NULL ? value : "missing");
    reply_sequence_contact *contact = decode(name, text, strlen(text));
    free(text);
    return contact;
}

static void expect_field_rejection(const struct field *field, const char *value,
                                   const char *fault) {
    char name[128];
    char words[128];
    char *text = make_with(field->name, value, NULL);
    snprintf(name, sizeof name, "%s: %.80s", field->name, value != NULL ? value : "missing");
    snprintf(words, sizeof words, "field \"%s\" %s", field->name, fault);
    expect_rejection(name, text, strlen(text), words);
    free(text);
}

static const struct field *find_field(const char *name) {
    const struct field *field = fields;
    while (strcmp(field->name, name) != 0) {
        field++;
    }
    return field;
}

/* ---- Valid contacts ---- */

/* Contacts in fixtures/contact. Expected: the members that differ from the documentation's. */
static const struct file_case {
    const char *name;
    const char *expected;
} file_cases[] = {
    {"documentation", ""},
    {"all-nullable-missing", "email=null\n"
                             "first_name=null\n"
                             "last_name=null\n"
                             "company=null\n"
                             "title=null\n"
                             "sub_status=NULL\n"
                             "sub_status_text=null\n"
                             "next_send_after.text=null\n"
                             "next_send_after.unix_seconds=0\n"
                             "next_send_after.has_time=false\n"
                             "next_send_after.has_utc_offset=false\n"
                             "has_email_account_id=false\n"
                             "email_account_id=0\n"
                             "has_icp_score=false\n"
                             "icp_score=0\n"},
    {"all-nullable-null", "email=null\n"
                          "first_name=null\n"
                          "last_name=null\n"
                          "company=null\n"
                          "title=null\n"
                          "sub_status=NULL\n"
                          "sub_status_text=null\n"
                          "next_send_after.text=null\n"
                          "next_send_after.unix_seconds=0\n"
                          "next_send_after.has_time=false\n"
                          "next_send_after.has_utc_offset=false\n"
                          "has_email_account_id=false\n"
                          "email_account_id=0\n"
                          "has_icp_score=false\n"
                          "icp_score=0\n"},
    {"all-present", "status=OUT_OF_OFFICE\n"
                    "status_text=\"OutOfOffice\"\n"
                    "sub_status=AUTO_REPLIED\n"
                    "sub_status_text=\"AutoReplied\"\n"
                    "moving_date.text=\"2024-02-29T23:59:59+00:00\"\n"
                    "moving_date.unix_seconds=1709251199\n"
                    "moving_date.has_time=true\n"
                    "moving_date.has_utc_offset=true\n"
                    "is_opted_out=true\n"
                    "has_linkedin_account_id=true\n"
                    "linkedin_account_id=202\n"},
    {"byte-order-mark", ""},
    {"minified", ""},
    {"names-escaped", "is_opted_out=true\n"
                      "has_linkedin_account_id=true\n"
                      "linkedin_account_id=77\n"},
    {"names-nearly-the-same", ""},
    {"names-with-a-nul", ""},
    {"order-reversed", ""},
    {"strings-escaped",
     "email=\"\\\"\\\\/\\x08\\x0C\\x0A\\x0D\\x09\"\n"
     "first_name=\"Aé€😀😀\"\n"
     "last_name=\"𐀀\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80\\x7F\\x01\\x1F\"\n"
     "company=\"\"\n"
     "title=\"a\\\\u0000\\\\\\\"b\"\n"},
    {"strings-utf8",
     "email=\"用户@例子.公司\"\n"
     "first_name=\"Zoë 😀\"\n"
     "last_name=\"Ωμέγα \xE2\x80\xA8\xE2\x80\xAE\xCC\x81\"\n"
     "company=\"\\x7F\xC2\x80߿ࠀ\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF𐀀\xF4\x8F\xBF\xBF\"\n"
     "title=\"\xEF\xBB\xBFHead of R&D\"\n"},
    {"unknown-members", ""},
    {"whitespace-everywhere", ""},
};

/* Contacts made from changes. Expected: the members that differ from the contact without changes.
 */
static const struct change_case {
    const char *name;
    struct change changes[6];
    const char *expected;
} change_cases[] = {
    {"dates as neighbours send them",
     {{"addingDate", "\"2025-10-29T10:00:00.00\""},
      {"movingDate", "\"2025-10-29T10:00:00.1234567Z\""},
      {"nextSendAfter", "\"2025-10-29t10:00:00-05:30\""}},
     "adding_date.text=\"2025-10-29T10:00:00.00\"\n"
     "adding_date.unix_seconds=1761732000\n"
     "adding_date.has_utc_offset=false\n"
     "moving_date.text=\"2025-10-29T10:00:00.1234567Z\"\n"
     "moving_date.unix_seconds=1761732000\n"
     "moving_date.nanoseconds=123456700\n"
     "next_send_after.text=\"2025-10-29t10:00:00-05:30\"\n"
     "next_send_after.unix_seconds=1761751800\n"
     "next_send_after.utc_offset_seconds=-19800\n"},
    {"invalid dates",
     {{"addingDate", "\"\""},
      {"movingDate", "\"yesterday\""},
      {"nextSendAfter", "\"2023-02-29T10:00:00Z\""}},
     "adding_date.text=\"\"\n"
     "adding_date.unix_seconds=0\n"
     "adding_date.has_time=false\n"
     "adding_date.has_utc_offset=false\n"
     "moving_date.text=\"yesterday\"\n"
     "moving_date.unix_seconds=0\n"
     "moving_date.has_time=false\n"
     "moving_date.has_utc_offset=false\n"
     "next_send_after.text=\"2023-02-29T10:00:00Z\"\n"
     "next_send_after.unix_seconds=0\n"
     "next_send_after.has_time=false\n"
     "next_send_after.has_utc_offset=false\n"},
    {"enums drifted case",
     {{"status", "\"outOFoffice\""}, {"subStatus", "\"autoreplied\""}},
     "status=OUT_OF_OFFICE\n"
     "status_text=\"outOFoffice\"\n"
     "sub_status=AUTO_REPLIED\n"
     "sub_status_text=\"autoreplied\"\n"},
    {"enums empty",
     {{"status", "\"\""}, {"subStatus", "\"\""}},
     "status=UNKNOWN\n"
     "status_text=\"\"\n"
     "sub_status=UNKNOWN\n"
     "sub_status_text=\"\"\n"},
    {"enums named unknown and null",
     {{"status", "\"Unknown\""}, {"subStatus", "\"null\""}},
     "status=UNKNOWN\n"
     "status_text=\"Unknown\"\n"
     "sub_status=UNKNOWN\n"
     "sub_status_text=\"null\"\n"},
    {"enums nearly the same",
     {{"status", "\"Active \""}, {"subStatus", "\"Noné\""}},
     "status=UNKNOWN\n"
     "status_text=\"Active \"\n"
     "sub_status=UNKNOWN\n"
     "sub_status_text=\"Noné\"\n"},
    {"enums unknown",
     {{"status", "\"Bounced\""}, {"subStatus", "\"Snoozed\""}},
     "status=UNKNOWN\n"
     "status_text=\"Bounced\"\n"
     "sub_status=UNKNOWN\n"
     "sub_status_text=\"Snoozed\"\n"},
    {"integers extreme",
     {{"contactId", "9223372036854775807"},
      {"sequenceId", "-9223372036854775808"},
      {"currentStep", "2147483647"},
      {"emailAccountId", "9007199254740993"},
      {"linkedInAccountId", "-9007199254740993"}},
     "contact_id=9223372036854775807\n"
     "sequence_id=-9223372036854775808\n"
     "current_step=2147483647\n"
     "email_account_id=9007199254740993\n"
     "linkedin_account_id=-9007199254740993\n"},
    {"integers next to extreme",
     {{"contactId", "9223372036854775806"},
      {"sequenceId", "-9223372036854775807"},
      {"currentStep", "10"},
      {"emailAccountId", "922337203685477580"},
      {"linkedInAccountId", "9223372036854775799"}},
     "contact_id=9223372036854775806\n"
     "sequence_id=-9223372036854775807\n"
     "current_step=10\n"
     "email_account_id=922337203685477580\n"
     "linkedin_account_id=9223372036854775799\n"},
    {"integers small",
     {{"contactId", "-0"},
      {"sequenceId", "0"},
      {"currentStep", "-2147483648"},
      {"emailAccountId", "0"},
      {"linkedInAccountId", "-1"}},
     "contact_id=0\n"
     "sequence_id=0\n"
     "current_step=-2147483648\n"
     "email_account_id=0\n"
     "linkedin_account_id=-1\n"},
    {"score 63 characters",
     {{"icpScore", "0.1234567890123456789012345678901234567890123456789012345678901"}},
     "icp_score=0.12345678901234568\n"},
    {"score exponent", {{"icpScore", "12.5E+1"}}, "icp_score=125\n"},
    {"score integer", {{"icpScore", "-9007199254740993"}}, "icp_score=-9007199254740992\n"},
    {"score largest",
     {{"icpScore", "1.7976931348623157e308"}},
     "icp_score=1.7976931348623157e+308\n"},
    {"score negative zero", {{"icpScore", "-0.0"}}, "icp_score=-0\n"},
    {"score smallest", {{"icpScore", "5e-324"}}, "icp_score=4.9406564584124654e-324\n"},
    {"score tenth", {{"icpScore", "0.1"}}, "icp_score=0.10000000000000001\n"},
    {"score underflow", {{"icpScore", "1e-999"}}, "icp_score=0\n"},
};

struct valid_contact {
    const char *name;
    const char *text;
    size_t length;
    const char *base; /* lines of the members that are not in expected */
    const char *expected;
};

typedef void (*valid_contact_fn)(const struct valid_contact *contact);

static void read_file_case(const char *name, struct valid_contact *contact) {
    char path[128];
    snprintf(path, sizeof path, "contact/%s.json", name);
    contact->name = name;
    contact->text = fixture_read(path, &contact->length);
}

/* Calls use for each valid contact of the two tables. */
static void for_each_valid(valid_contact_fn use) {
    static const struct change no_change = {NULL, NULL};
    struct valid_contact contact;
    read_file_case("documentation", &contact);
    reply_sequence_contact *decoded = decode("documentation", contact.text, contact.length);
    char *base = dump(decoded);
    reply_sequence_contact_free(decoded);
    free((char *)contact.text);
    for (size_t i = 0; i < sizeof file_cases / sizeof *file_cases; i++) {
        read_file_case(file_cases[i].name, &contact);
        contact.base = base;
        contact.expected = file_cases[i].expected;
        use(&contact);
        free((char *)contact.text);
    }
    free(base);
    char *text = make_contact(&no_change, NULL);
    decoded = decode("no change", text, strlen(text));
    base = dump(decoded);
    reply_sequence_contact_free(decoded);
    free(text);
    for (size_t i = 0; i < sizeof change_cases / sizeof *change_cases; i++) {
        text = make_contact(change_cases[i].changes, NULL);
        contact = (struct valid_contact){change_cases[i].name, text, strlen(text), base,
                                         change_cases[i].expected};
        use(&contact);
        free(text);
    }
    free(base);
}

static void test_documentation_contact_is_decoded(void **state) {
    struct valid_contact documentation;
    (void)state;
    read_file_case("documentation", &documentation);
    reply_sequence_contact *contact =
        decode(documentation.name, documentation.text, documentation.length);
    char *members = dump(contact);
    fixture_expect_text(documentation.name,
                        "contact_id=12345\n"
                        "sequence_id=100\n"
                        "email=\"john.doe@company.com\"\n"
                        "first_name=\"John\"\n"
                        "last_name=\"Doe\"\n"
                        "company=\"Tech Solutions Inc\"\n"
                        "title=\"Senior Product Manager\"\n"
                        "status=ACTIVE\n"
                        "status_text=\"Active\"\n"
                        "sub_status=NONE\n"
                        "sub_status_text=\"None\"\n"
                        "current_step=2\n"
                        "adding_date.text=\"2024-03-08T10:00:00+00:00\"\n"
                        "adding_date.unix_seconds=1709892000\n"
                        "adding_date.nanoseconds=0\n"
                        "adding_date.utc_offset_seconds=0\n"
                        "adding_date.has_time=true\n"
                        "adding_date.has_utc_offset=true\n"
                        "moving_date.text=null\n"
                        "moving_date.unix_seconds=0\n"
                        "moving_date.nanoseconds=0\n"
                        "moving_date.utc_offset_seconds=0\n"
                        "moving_date.has_time=false\n"
                        "moving_date.has_utc_offset=false\n"
                        "next_send_after.text=\"2024-03-09T09:00:00+00:00\"\n"
                        "next_send_after.unix_seconds=1709974800\n"
                        "next_send_after.nanoseconds=0\n"
                        "next_send_after.utc_offset_seconds=0\n"
                        "next_send_after.has_time=true\n"
                        "next_send_after.has_utc_offset=true\n"
                        "is_opted_out=false\n"
                        "has_email_account_id=true\n"
                        "email_account_id=101\n"
                        "has_linkedin_account_id=false\n"
                        "linkedin_account_id=0\n"
                        "has_icp_score=true\n"
                        "icp_score=0.84999999999999998\n",
                        members);
    free(members);
    reply_sequence_contact_free(contact);
    free((char *)documentation.text);
}

static void check_valid(const struct valid_contact *valid) {
    const bool has_mark = memcmp(valid->text, "\xEF\xBB\xBF", 3) == 0;
    const size_t mark = has_mark ? 3 : 0;
    reply_sequence_contact *contact = decode(valid->name, valid->text, valid->length);
    char *members = dump(contact);
    expect_members(valid->name, valid->base, valid->expected, members);
    assert_int_equal(contact->json_length, valid->length - mark);
    assert_memory_equal(contact->json, valid->text + mark, valid->length - mark);
    assert_int_equal(contact->json[contact->json_length], '\0');
    free(members);
    reply_sequence_contact_free(contact);
}

static void test_valid_contact_is_decoded(void **state) {
    (void)state;
    for_each_valid(check_valid);
}

/* The fault is at the end of the text, or at the start of a character that was cut. */
static void check_each_cut(const struct valid_contact *valid) {
    size_t end = valid->length;
    while (valid->text[end - 1] != '}') {
        end--;
    }
    for (size_t cut = 0; cut < end; cut++) {
        char words[64];
        size_t offset = cut;
        while (((unsigned char)valid->text[offset] & 0xC0) == 0x80) {
            offset--;
        }
        snprintf(words, sizeof words, "not JSON\nat byte %zu %s", offset,
                 offset == cut ? "(unexpected end of text)" : "(");
        expect_rejection(valid->name, valid->text, cut, words);
    }
}

static void test_cut_contact_is_rejected(void **state) {
    (void)state;
    for_each_valid(check_each_cut);
}

static void test_surrounding_white_space_is_kept(void **state) {
    static const char start[] = " \r\n\t";
    char text[1024];
    size_t length = 0;
    (void)state;
    char *bytes = fixture_read("contact/documentation.json", &length);
    memcpy(text, start, 4);
    memcpy(text + 4, bytes, length);
    memcpy(text + 4 + length, "\n \n", 3);
    reply_sequence_contact *contact = decode("white space", text, length + 7);
    assert_int_equal(contact->contact_id, 12345);
    assert_int_equal(contact->json_length, length + 7);
    assert_memory_equal(contact->json, text, length + 7);
    assert_int_equal(contact->json[length + 7], '\0');
    reply_sequence_contact_free(contact);
    free(bytes);
}

/* ---- Invalid contacts ---- */

static const struct invalid_case {
    const char *name;
    struct change change; /* {NULL, NULL}: none */
    const char *more;     /* members added at the end, or NULL */
    const char *words;
} invalid_cases[] = {
    {"adding date null", {"addingDate", "null"}, NULL, "field \"addingDate\" is null"},
    {"adding date number",
     {"addingDate", "1709892000"},
     NULL,
     "field \"addingDate\" is not a string"},
    {"contact id 63 digits",
     {"contactId", TIMES_60("1") "111"},
     NULL,
     "field \"contactId\" does not fit in 64 bits"},
    {"contact id 64 digits",
     {"contactId", TIMES_60("1") "1111"},
     NULL,
     "field \"contactId\" is longer than 63 characters"},
    {"contact id exponent",
     {"contactId", "1e3"},
     NULL,
     "field \"contactId\" is not an integer in plain digits"},
    {"contact id float",
     {"contactId", "12345.0"},
     NULL,
     "field \"contactId\" is not an integer in plain digits"},
    {"contact id missing", {"contactId", NULL}, NULL, "field \"contactId\" is missing"},
    {"contact id null", {"contactId", "null"}, NULL, "field \"contactId\" is null"},
    {"contact id one too large",
     {"contactId", "9223372036854775808"},
     NULL,
     "field \"contactId\" does not fit in 64 bits"},
    {"contact id one too small",
     {"contactId", "-9223372036854775809"},
     NULL,
     "field \"contactId\" does not fit in 64 bits"},
    {"contact id string",
     {"contactId", "\"12345\""},
     NULL,
     "field \"contactId\" is not an integer in plain digits"},
    {"contact id duplicate",
     {NULL, NULL},
     "\"contactId\": 12345",
     "field \"contactId\" is a duplicate"},
    {"current step float",
     {"currentStep", "2.0"},
     NULL,
     "field \"currentStep\" is not an integer in plain digits"},
    {"current step one too large",
     {"currentStep", "2147483648"},
     NULL,
     "field \"currentStep\" does not fit in 32 bits"},
    {"current step one too small",
     {"currentStep", "-2147483649"},
     NULL,
     "field \"currentStep\" does not fit in 32 bits"},
    {"current step past int64",
     {"currentStep", "9223372036854775808"},
     NULL,
     "field \"currentStep\" does not fit in 64 bits"},
    {"email account id float",
     {"emailAccountId", "101.5"},
     NULL,
     "field \"emailAccountId\" is not an integer in plain digits"},
    {"email high surrogate then escape",
     {"email", "\"\\ud83d\\u0041\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email high surrogate then letters",
     {"email", "\"\\ud83dude00\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email high surrogate then tab",
     {"email", "\"\\ud83d\\t\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email lone high surrogate",
     {"email", "\"\\ud83d\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email lone low surrogate",
     {"email", "\"\\ude00\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email NUL",
     {"email", "\"a\\u0000b\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email object", {"email", "{\"contactId\": 12345}"}, NULL, "field \"email\" is not a string"},
    {"email surrogates reversed",
     {"email", "\"\\ude00\\ud83d\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"email duplicate null first",
     {"email", "null"},
     "\"email\": \"john.doe@company.com\"",
     "field \"email\" is a duplicate"},
    {"email duplicate null last",
     {NULL, NULL},
     "\"email\": null",
     "field \"email\" is a duplicate"},
    {"email two high surrogates then low",
     {"email", "\"\\ud83d\\ud83d\\ude00\""},
     NULL,
     "field \"email\" contains a NUL or a lone surrogate"},
    {"is opted out duplicate by escape",
     {NULL, NULL},
     "\"\\u0069sOptedOut\": true",
     "field \"isOptedOut\" is a duplicate"},
    {"linked in account id too large",
     {"linkedInAccountId", "100000000000000000000"},
     NULL,
     "field \"linkedInAccountId\" does not fit in 64 bits"},
    {"moving date NUL",
     {"movingDate", "\"2024-03-08T10:00:00Z\\u0000\""},
     NULL,
     "field \"movingDate\" contains a NUL or a lone surrogate"},
    {"moving date duplicate null",
     {NULL, NULL},
     "\"movingDate\": null",
     "field \"movingDate\" is a duplicate"},
    {"opted out null", {"isOptedOut", "null"}, NULL, "field \"isOptedOut\" is null"},
    {"opted out number", {"isOptedOut", "0"}, NULL, "field \"isOptedOut\" is not a boolean"},
    {"opted out string",
     {"isOptedOut", "\"false\""},
     NULL,
     "field \"isOptedOut\" is not a boolean"},
    {"score 64 characters",
     {"icpScore", "0.12345678901234567890123456789012345678901234567890123456789010"},
     NULL,
     "field \"icpScore\" is longer than 63 characters"},
    {"score infinite", {"icpScore", "1e999"}, NULL, "field \"icpScore\" is not a finite number"},
    {"score just infinite",
     {"icpScore", "1.7976931348623159e308"},
     NULL,
     "field \"icpScore\" is not a finite number"},
    {"score negative infinite",
     {"icpScore", "-1e999"},
     NULL,
     "field \"icpScore\" is not a finite number"},
    {"score string", {"icpScore", "\"0.85\""}, NULL, "field \"icpScore\" is not a number"},
    {"score three times",
     {NULL, NULL},
     "\"icpScore\": 1, \"icpScore\": 2",
     "field \"icpScore\" is a duplicate"},
    {"sequence id as unsigned",
     {"sequenceId", "18446744073709551617"},
     NULL,
     "field \"sequenceId\" does not fit in 64 bits"},
    {"status missing", {"status", NULL}, NULL, "field \"status\" is missing"},
    {"status NUL",
     {"status", "\"Active\\u0000\""},
     NULL,
     "field \"status\" contains a NUL or a lone surrogate"},
    {"status null", {"status", "null"}, NULL, "field \"status\" is null"},
    {"status number", {"status", "1"}, NULL, "field \"status\" is not a string"},
    {"sub status lone surrogate",
     {"subStatus", "\"None\\udfff\""},
     NULL,
     "field \"subStatus\" contains a NUL or a lone surrogate"},
    {"title duplicate neighbours",
     {"title", NULL},
     "\"title\": 1, \"title\": 1",
     "field \"title\" is a duplicate"},
};

static void check_all_invalid(void) {
    for (size_t i = 0; i < sizeof invalid_cases / sizeof *invalid_cases; i++) {
        const struct invalid_case *test = &invalid_cases[i];
        char *text = make_with(test->change.field, test->change.value, test->more);
        expect_rejection(test->name, text, strlen(text), test->words);
        expect_rejection(test->name, text, strlen(text), "invalid contact: \n; check the base URL");
        free(text);
    }
}

static void test_invalid_field_is_rejected(void **state) {
    (void)state;
    check_all_invalid();
}

static const struct other_text {
    const char *name;
    const char *text;
    const char *words;
} other_texts[] = {
    {"empty object", "{}", "field \"contactId\" is missing"},
    {"top level array", "[{\"contactId\": 12345}]", "not an object"},
    {"top level null", "null", "not an object"},
    {"top level number", "12345", "not an object"},
    {"top level string", "\"contactId\"", "not an object"},
    {"top level true", "true\n", "not an object"},
};

static void check_all_other_texts(void) {
    for (size_t i = 0; i < sizeof other_texts / sizeof *other_texts; i++) {
        expect_rejection(other_texts[i].name, other_texts[i].text, strlen(other_texts[i].text),
                         other_texts[i].words);
        expect_rejection(other_texts[i].name, other_texts[i].text, strlen(other_texts[i].text),
                         "invalid contact: \n; check the base URL");
    }
}

static void test_other_json_is_rejected(void **state) {
    (void)state;
    check_all_other_texts();
}

/* All faults of JSON's syntax are in test_json.c. */
static void test_invalid_json_is_located(void **state) {
    static const char json[] = "{\"contactId\": +1}";
    reply_sequence_contact *contact = NULL;
    reply_error error;
    (void)state;
    assert_int_equal(reply_decode_sequence_contact(json, strlen(json), &contact, &error),
                     REPLY_ERROR_INVALID_RESPONSE);
    assert_string_equal(
        error.message,
        "invalid contact: not JSON at byte 14 (expected a value); check the base URL");
}

/* ---- Fetched bodies ---- */

static void test_body_without_object_is_described(void **state) {
    static const struct {
        const char *name;
        const char *body;
        size_t length;
        const char *content_type;
        const char *words;
    } cases[] = {
        {"no body", NULL, 0, "application/json",
         "(Content-Type application/json, 0 bytes, starts with nothing)"},
        {"empty body", TEXT(""), "a/b", "(Content-Type a/b, 0 bytes, starts with nothing)"},
        {"white space", TEXT(" \t\r\n"), "a/b", "4 bytes, starts with nothing)"},
        {"byte-order mark", TEXT("\xEF\xBB\xBF "), "a/b", "4 bytes, starts with nothing)"},
        {"no content type", TEXT("W@Z"), NULL, "(Content-Type none, 3 bytes, starts with text)"},
        {"key", TEXT("W k3y Z"), "c k3y", "(Content-Type c …, 7 bytes, starts with text)"},
        {"long content type", TEXT("W@Z"), TIMES_60("t") "uvwxy",
         "(Content-Type " TIMES_60("t") "uvw, 3 bytes"},
        {"control character in content type", TEXT("W@Z"), "a\x1Bz", "Content-Type a\uFFFDz, "},
        {"array", TEXT(" [{\"email\": \"W@Z\"}]"), "a/b", "19 bytes, starts with an array)"},
        {"string", TEXT("\"W@Z\""), "a/b", "starts with a string)"},
        {"null", TEXT("null"), "a/b", "starts with null)"},
        {"number", TEXT("12345"), "a/b", "starts with text)"},
        {"JSONP", TEXT("W({\"email\": \"W@Z\"})"), "a/b", "starts with text)"},
        {"prefix", TEXT(")]}',\n{\"email\": \"W@Z\"}"), "a/b", "starts with a )]}' prefix)"},
        {"half of a prefix", TEXT(")]}"), "a/b", "starts with text)"},
        {"HTML", TEXT("<HTML>W@Z"), "text/html", "starts with HTML)"},
        {"HTML after white space", TEXT("\r\n<!DocType HTML>W@Z"), "a/b", "starts with HTML)"},
        {"XML", TEXT("\xEF\xBB\xBF<?xml?>W@Z"), "a/b", "starts with XML)"},
        {"markup", TEXT("<W>W@Z</W>"), "a/b", "starts with markup)"},
        {"NUL", TEXT("\0W@Z"), "a/b", "4 bytes, starts with binary data)"},
        {"UTF-16", TEXT("\xFF\xFEW\0@\0Z\0"), "a/b", "starts with binary data)"},
        {"gzip", TEXT("\x1F\x8BW@Z"), "a/b", "starts with binary data)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
        reply_error error;
        error_begin(&error, NULL);
        assert_int_equal(contact_decode_response(cases[i].body, cases[i].length,
                                                 cases[i].content_type, "k3y", &contact, &error),
                         REPLY_ERROR_INVALID_RESPONSE);
        assert_null(contact);
        fixture_expect_error(cases[i].name, &error, REPLY_ERROR_INVALID_RESPONSE, cases[i].words);
        fixture_expect_words(cases[i].name,
                             "invalid response: HTTP 200 without a contact (\n; check the base URL",
                             error.message);
        if (strpbrk(error.message, "WZ@") != NULL) {
            fail_msg("%s: the body is quoted in \"%s\"", cases[i].name, error.message);
        }
    }
}

/* Catches a message that quotes an object, which may have a person's data. */
static void test_body_with_object_is_not_quoted(void **state) {
    static const char *const bodies[] = {"{\"email\": \"a@b\"", "\xEF\xBB\xBF{\"email\": \"a@b\"}x",
                                         " \n{\"email\": \"a@b\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
        reply_error error;
        error_begin(&error, NULL);
        assert_int_equal(
            contact_decode_response(bodies[i], strlen(bodies[i]), NULL, NULL, &contact, &error),
            REPLY_ERROR_INVALID_RESPONSE);
        assert_null(contact);
        assert_int_equal(strncmp(error.message, "invalid contact: ", 17), 0);
        assert_null(strstr(error.message, "a@b"));
    }
}

static void test_body_with_contact_is_decoded(void **state) {
    reply_sequence_contact *contact = NULL;
    reply_error error;
    (void)state;
    char *text = make_with(NULL, NULL, NULL);
    error_begin(&error, NULL);
    assert_int_equal(
        contact_decode_response(text, strlen(text), "text/html", "k3y", &contact, &error),
        REPLY_OK);
    assert_int_equal(contact->contact_id, 12345);
    assert_string_equal(contact->json, text);
    reply_sequence_contact_free(contact);
    free(text);
}

/* ---- Values of each field ---- */

static void expect_null(const reply_sequence_contact *contact, const struct field *field) {
    static const reply_datetime no_date = {.text = NULL};
    const reply_datetime *date = member_at(contact, field->member);
    assert_null(text_of(contact, field));
    switch (field->type) {
    case INT64:
        assert_false(*(const bool *)member_at(contact, field->companion));
        assert_int_equal(integer_of(contact, field), 0);
        break;
    case DOUBLE:
        assert_false(*(const bool *)member_at(contact, field->companion));
        assert_true(*(const double *)member_at(contact, field->member) == 0);
        break;
    case SUB_STATUS:
        assert_int_equal(contact->sub_status, REPLY_CONTACT_SUB_STATUS_NULL);
        break;
    case DATETIME:
        assert_int_equal(date->unix_seconds, no_date.unix_seconds);
        assert_int_equal(date->nanoseconds, no_date.nanoseconds);
        assert_int_equal(date->utc_offset_seconds, no_date.utc_offset_seconds);
        assert_false(date->has_time);
        assert_false(date->has_utc_offset);
        break;
    default:
        assert_int_equal(field->type, STRING);
    }
}

/* Neither contact has null. */
static void expect_same(const reply_sequence_contact *left, const reply_sequence_contact *right,
                        const struct field *field) {
    const void *left_member = member_at(left, field->member);
    const void *right_member = member_at(right, field->member);
    if (is_string(field)) {
        assert_string_equal(text_of(left, field), text_of(right, field));
    }
    if ((is_integer(field) || field->type == DOUBLE) && field->companion != 0) {
        assert_true(*(const bool *)member_at(left, field->companion));
        assert_true(*(const bool *)member_at(right, field->companion));
    }
    switch (field->type) {
    case INT64:
        assert_memory_equal(left_member, right_member, sizeof(int64_t));
        break;
    case INT32:
    case STATUS:
    case SUB_STATUS:
        assert_memory_equal(left_member, right_member, sizeof(int32_t));
        break;
    case BOOLEAN:
        assert_memory_equal(left_member, right_member, sizeof(bool));
        break;
    case DOUBLE:
        assert_memory_equal(left_member, right_member, sizeof(double));
        break;
    case DATETIME:
        assert_true(((const reply_datetime *)left_member)->has_time);
        assert_true(((const reply_datetime *)right_member)->has_time);
        break;
    default:
        break;
    }
}

/* Catches a null that affects another field. */
static void check_null(const struct field *field, const char *value) {
    reply_sequence_contact *contact = decode_with(field, value);
    reply_sequence_contact *complete = decode_with(field, field->value);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (&fields[i] == field) {
            expect_null(contact, field);
        } else {
            expect_same(contact, complete, &fields[i]);
        }
    }
    reply_sequence_contact_free(contact);
    reply_sequence_contact_free(complete);
}

static void test_missing_field_is_null(void **state) {
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].is_nullable) {
            check_null(&fields[i], "null");
            check_null(&fields[i], NULL);
        } else {
            expect_field_rejection(&fields[i], "null", "is null");
            expect_field_rejection(&fields[i], NULL, "is missing");
        }
    }
}

enum kind { A_BOOLEAN, AN_INTEGER, A_NUMBER, A_STRING, AN_ARRAY, AN_OBJECT };

static bool accepts_kind(enum type type, enum kind kind) {
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

static void test_other_type_is_rejected(void **state) {
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
        [INT64] = "is not an integer",    [INT32] = "is not an integer",
        [BOOLEAN] = "is not a boolean",   [DOUBLE] = "is not a number",
        [STRING] = "is not a string",     [STATUS] = "is not a string",
        [SUB_STATUS] = "is not a string", [DATETIME] = "is not a string",
    };
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            if (accepts_kind(fields[i].type, values[j].kind)) {
                reply_sequence_contact_free(decode_with(&fields[i], values[j].value));
            } else {
                expect_field_rejection(&fields[i], values[j].value, faults[fields[i].type]);
            }
        }
    }
}

static void expect_duplicate(const struct field *field, const char *value, const char *more) {
    char words[128];
    char *text = make_with(field->name, value, more);
    snprintf(words, sizeof words, "field \"%s\" is a duplicate", field->name);
    expect_rejection(more, text, strlen(text), words);
    free(text);
}

static void test_duplicate_field_is_rejected(void **state) {
    static const char *const seconds[] = {NULL, "null", "{}"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct field *field = &fields[i];
        for (size_t j = 0; j < 3; j++) {
            char more[128];
            snprintf(more, sizeof more, "\"%s\":%s", field->name,
                     seconds[j] != NULL ? seconds[j] : field->value);
            expect_duplicate(field, field->value, more);
            snprintf(more, sizeof more, "\"\\u%04x%s\":null", (unsigned)field->name[0],
                     field->name + 1);
            expect_duplicate(field, field->is_nullable ? "null" : field->value, more);
        }
    }
}

/* Under another name the field is missing, and its value is ignored. */
static void expect_no_match(const struct field *field, const char *name) {
    char words[64];
    char more[256];
    snprintf(more, sizeof more, "\"%s\":[]", name);
    snprintf(words, sizeof words, "\"%s\" is missing", field->name);
    char *text = make_with(field->name, NULL, more);
    if (field->is_nullable) {
        reply_sequence_contact_free(decode(name, text, strlen(text)));
    } else {
        expect_rejection(name, text, strlen(text), words);
    }
    free(text);
    text = make_with(field->name, field->value, more);
    reply_sequence_contact_free(decode(name, text, strlen(text)));
    free(text);
}

static void test_name_matches_exactly(void **state) {
    static const char *const endings[] = {"\\u0000", "\\u0000x", " ",      "x",
                                          "\\u0020", "\\ud800",  "\\ufeff"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        char name[128];
        for (size_t j = 0; j < sizeof endings / sizeof *endings; j++) {
            snprintf(name, sizeof name, "%s%s", fields[i].name, endings[j]);
            expect_no_match(&fields[i], name);
            snprintf(name, sizeof name, "%s%s", endings[j], fields[i].name);
            expect_no_match(&fields[i], name);
        }
        for (size_t at = 0; at < strlen(fields[i].name); at++) {
            strcpy(name, fields[i].name);
            name[at] = (char)(name[at] ^ 0x20);
            expect_no_match(&fields[i], name);
            snprintf(name, sizeof name, "%.*s", (int)at, fields[i].name);
            if (strcmp(name, "email") != 0) { /* a field too */
                expect_no_match(&fields[i], name);
            }
        }
    }
}

/* Each character of the name by itself, and all of them together, are escapes. A value of another
 * type is rejected only if the name matches. */
static void test_escaped_name_matches(void **state) {
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const size_t length = strlen(fields[i].name);
        for (size_t at = 0; at <= length; at++) {
            char more[160] = "\"";
            char words[64];
            for (size_t j = 0; j < length; j++) {
                const bool is_escaped = at == length || at == j;
                sprintf(more + strlen(more), is_escaped ? "\\u%04X" : "%c",
                        (unsigned)fields[i].name[j]);
            }
            strcat(more, "\":[]");
            char *text = make_with(fields[i].name, NULL, more);
            snprintf(words, sizeof words, "field \"%s\" is not", fields[i].name);
            expect_rejection(more, text, strlen(text), words);
            free(text);
        }
    }
}

static void expect_integer(const struct field *field, const char *value, int64_t expected) {
    reply_sequence_contact *contact = decode_with(field, value);
    if (integer_of(contact, field) != expected) {
        fail_msg("%s: %s became %lld", field->name, value, (long long)integer_of(contact, field));
    }
    reply_sequence_contact_free(contact);
}

static void test_integer_is_exact(void **state) {
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
        for (size_t j = 0; j < sizeof integers / sizeof *integers && is_integer(&fields[i]); j++) {
            char value[32];
            snprintf(value, sizeof value, "%lld", (long long)integers[j]);
            if (fields[i].type == INT32 && (integers[j] > INT32_MAX || integers[j] < INT32_MIN)) {
                expect_field_rejection(&fields[i], value, "does not fit in 32 bits");
            } else {
                expect_integer(&fields[i], value, integers[j]);
            }
        }
    }
}

static void test_large_integer_is_rejected(void **state) {
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
        if (is_integer(&fields[i])) {
            for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
                expect_field_rejection(&fields[i], values[j], "does not fit");
            }
            assert_int_equal(strlen(long_value), 64);
            expect_field_rejection(&fields[i], long_value, "is longer than 63 characters");
        }
    }
}

static void test_integer_needs_plain_digits(void **state) {
    static const char *const values[] = {"1.0", "1e3",   "1E3",   "1.5",      "-0.0",
                                         "0e0", "10e-1", "1e400", "12345.000"};
    (void)state;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (is_integer(&fields[i])) {
            for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
                expect_field_rejection(&fields[i], values[j], "is not an integer in plain digits");
            }
            expect_integer(&fields[i], "-0", 0);
        }
    }
}

static void expect_score(const char *value, double expected) {
    reply_sequence_contact *contact = decode_with(find_field("icpScore"), value);
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

static void test_score_is_exact(void **state) {
    static const char longest[] = "0.1000000000000000055511151231257827021181583404541015625000000";
    const struct field *score = find_field("icpScore");
    (void)state;
    check_scores();
    assert_int_equal(strlen(longest), 63);
    expect_score(longest, 0.1);
    expect_field_rejection(score,
                           "0.10000000000000000555111512312578270211815834045410156250000000",
                           "is longer than 63 characters");
    expect_field_rejection(score, "1e309", "is not a finite number");
    expect_field_rejection(score, "1e999", "is not a finite number");
    expect_field_rejection(score, "-1e999", "is not a finite number");
    expect_field_rejection(score, "1.7976931348623159e308", "is not a finite number");
}

static void expect_unescaped(const char *value, const char *expected) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (is_string(&fields[i])) {
            reply_sequence_contact *contact = decode_with(&fields[i], value);
            fixture_expect_text(fields[i].name, expected, text_of(contact, &fields[i]));
            reply_sequence_contact_free(contact);
        }
    }
}

static void test_string_is_unescaped(void **state) {
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

static void test_string_must_be_text(void **state) {
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
        for (size_t j = 0; j < sizeof values / sizeof *values && is_string(&fields[i]); j++) {
            expect_field_rejection(&fields[i], values[j], "contains a NUL or a lone surrogate");
        }
    }
}

static void check_statuses(void) {
    static const char *const names[] = {"Unknown",  "Active",   "Paused",
                                        "Finished", "Inactive", "OutOfOffice"};
    for (int status = 1; status < 6; status++) {
        for (int spelling = 0; spelling < 4; spelling++) {
            char value[32] = "\"";
            size_t at = 0;
            for (; names[status][at] != '\0'; at++) {
                const char letter = names[status][at];
                const bool is_upper = spelling == 1 || (spelling == 3 && at % 2 == 1);
                value[1 + at] =
                    spelling == 0 ? letter : (char)(is_upper ? letter & ~0x20 : letter | 0x20);
            }
            strcpy(value + 1 + at, "\"");
            reply_sequence_contact *contact = decode_with(find_field("status"), value);
            assert_int_equal(contact->status, status);
            assert_int_equal(strncmp(contact->status_text, value + 1, at), 0);
            assert_int_equal(strlen(contact->status_text), at);
            reply_sequence_contact_free(contact);
        }
    }
}

static void test_each_status_is_decoded(void **state) {
    static const char *const unknown[] = {
        "Unknown",       "unknown", "",     "Activ", "Activee",  " Active",  "Active ",
        "Out Of Office", "1",       "null", "None",  "İnactive", "ınactive", "Pauſed"};
    (void)state;
    check_statuses();
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char value[64];
        snprintf(value, sizeof value, "\"%s\"", unknown[i]);
        reply_sequence_contact *contact = decode_with(find_field("status"), value);
        assert_int_equal(contact->status, REPLY_CONTACT_STATUS_UNKNOWN);
        assert_string_equal(contact->status_text, unknown[i]);
        reply_sequence_contact_free(contact);
    }
}

static void test_each_sub_status_is_decoded(void **state) {
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
        reply_sequence_contact *contact = decode_with(find_field("subStatus"), value);
        assert_int_equal(contact->sub_status, values[i].sub_status);
        if (values[i].text == NULL) {
            assert_null(contact->sub_status_text);
        } else {
            assert_string_equal(contact->sub_status_text, values[i].text);
        }
        reply_sequence_contact_free(contact);
    }
}

static void test_each_status_has_name(void **state) {
    static const int invalid[] = {-1, 6, 7, 100, 256, INT32_MAX, INT32_MIN};
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
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        reply_contact_status status;
        reply_contact_sub_status sub_status;
        memcpy(&status, &invalid[i], sizeof status);
        memcpy(&sub_status, &invalid[i], sizeof sub_status);
        assert_string_equal(reply_contact_status_name(status), "Unknown");
        assert_string_equal(reply_contact_sub_status_name(sub_status), "Unknown");
    }
    assert_string_equal(reply_contact_sub_status_name((reply_contact_sub_status)4), "Unknown");
}

/* ---- Unknown members and depth ---- */

static void test_unknown_number_may_be_long(void **state) {
    char more[4096] = "\"new\":";
    (void)state;
    memset(more + 6, '7', 4000);
    more[4006] = '\0';
    char *text = make_with(NULL, NULL, more);
    reply_sequence_contact *contact = decode("long number", text, strlen(text));
    assert_int_equal(contact->contact_id, 12345);
    assert_string_equal(contact->json, text);
    reply_sequence_contact_free(contact);
    free(text);
}

/* The text is level 1. */
static void test_contact_may_have_512_levels(void **state) {
    (void)state;
    for (size_t inner = 510; inner <= 513; inner++) {
        char more[2048] = "\"new\":";
        char words[64];
        memset(more + 6, '[', inner);
        memset(more + 6 + inner, ']', inner);
        more[6 + 2 * inner] = '\0';
        char *text = make_with(NULL, NULL, more);
        if (inner <= 511) {
            reply_sequence_contact_free(decode("depth", text, strlen(text)));
        } else {
            snprintf(words, sizeof words, "not JSON at byte %zu (\n512",
                     (size_t)(strchr(text, '[') - text) + 511);
            expect_rejection("depth", text, strlen(text), words);
        }
        free(text);
    }
}

/* ---- Arguments, memory, threads, fork and locale ---- */

static void test_null_argument_is_rejected(void **state) {
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

static void test_rejected_text_gives_no_contact(void **state) {
    static const char *const texts[] = {"", "[]", "{}", "{\"contactId\":1}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        reply_sequence_contact *contact = (reply_sequence_contact *)&contact;
        reply_error error;
        error_begin(&error, NULL);
        assert_int_equal(contact_decode(texts[i], strlen(texts[i]), &contact, &error),
                         REPLY_ERROR_INVALID_RESPONSE);
        assert_null(contact);
    }
}

static void test_error_may_be_null(void **state) {
    reply_sequence_contact *contact = NULL;
    size_t length = 0;
    char *bytes = fixture_read("contact/documentation.json", &length);
    (void)state;
    assert_int_equal(reply_decode_sequence_contact(bytes, length, &contact, NULL), REPLY_OK);
    assert_int_equal(contact->contact_id, 12345);
    reply_sequence_contact_free(contact);
    free(bytes);
}

/* The contact follows the block's size. */
struct block {
    size_t size;
    reply_sequence_contact contact;
};

/* Catches a contact that points outside its own block. */
static void check_one_block(const struct valid_contact *valid) {
    reply_sequence_contact *contact = decode(valid->name, valid->text, valid->length);
    const uintptr_t begin = (uintptr_t)contact;
    char *block = (char *)contact - offsetof(struct block, contact);
    const uintptr_t end = (uintptr_t)block + malloc_usable_size(block);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char *text = text_of(contact, &fields[i]);
        if (text != NULL) {
            check_in_range((uintptr_t)text, begin + sizeof *contact, end - 1);
            check_in_range((uintptr_t)text + strlen(text), begin + sizeof *contact, end - 1);
        }
    }
    check_in_range((uintptr_t)contact->json, begin + sizeof *contact, end - 1);
    check_in_range((uintptr_t)contact->json + contact->json_length, begin + sizeof *contact,
                   end - 1);
    reply_sequence_contact_free(contact);
}

static void test_contact_is_one_block(void **state) {
    (void)state;
    for_each_valid(check_one_block);
}

/* Catches a size that wraps. The text is the largest object of a 32-bit system, and nearly all of
 * it is one string: the size of the contact, the text and the string exceeds size_t. The text is
 * mapped from the same few pages many times. */
static void test_size_does_not_wrap(void **state) {
    enum { PIECE = 16 * 1024 * 1024 };
    static const char start[] = "{\"email\":\"";
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
    memcpy(text, start, strlen(start));
    memcpy(text + length - 2, "\"}", 2);
    assert_int_equal(reply_decode_sequence_contact(text, length, &contact, &error),
                     REPLY_ERROR_NO_MEMORY);
    assert_null(contact);
    munmap(text, mapped);
    close(file);
    free(piece);
}

/* Strings with escapes, which cJSON parses under a lock. */
static const char escaped[] = "{\"contactId\":1,\"sequenceId\":2,\"email\":\"\\u0061@b\","
                              "\"firstName\":\"\\ud83d\\ude00\",\"\\u006castName\":\"a\\tb\","
                              "\"status\":\"Activ\\u0065\",\"currentStep\":3,\"addingDate\":"
                              "\"2024\\u002d03-08T10:00:00Z\",\"isOptedOut\":false}";

static bool decodes_escaped(void) {
    reply_sequence_contact *contact = NULL;
    if (reply_decode_sequence_contact(escaped, strlen(escaped), &contact, NULL) != REPLY_OK) {
        return false;
    }
    const bool is_correct =
        strcmp(contact->email, "a@b") == 0 && strcmp(contact->first_name, "😀") == 0 &&
        strcmp(contact->last_name, "a\tb") == 0 && contact->status == REPLY_CONTACT_STATUS_ACTIVE &&
        contact->adding_date.unix_seconds == 1709892000;
    reply_sequence_contact_free(contact);
    return is_correct;
}

/* Hangs in a child if the lock was taken during the fork. */
static int decode_in_child(void *unused) {
    (void)unused;
    return decodes_escaped() ? 0 : 1;
}

/* Forks during the process's first parse. If the library called pthread_atfork only then, the fork
 * would come during that call. */
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

/* ThreadSanitizer calls pthread_atfork before it is ready to check anything, so it must not check
 * this function. */
#if defined(__clang__)
__attribute__((disable_sanitizer_instrumentation))
#endif
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    if (is_first_parse) {
        fork_in_another_thread();
    }
    return __real_pthread_atfork(prepare, parent, child);
}

/* Must be the first test, because it needs the first parse. */
static void test_child_forked_at_first_parse_decodes(void **state) {
    (void)state;
    is_first_parse = true;
    assert_true(decodes_escaped());
    is_first_parse = false;
    if (child_of_first_parse > 0) {
        assert_int_equal(child_wait(child_of_first_parse), 0);
    }
}

static atomic_bool is_done;

static void *decode_until_done(void *unused) {
    bool is_correct = true;
    (void)unused;
    while (!atomic_load(&is_done) && is_correct) {
        is_correct = decodes_escaped();
    }
    return is_correct ? &is_done : NULL;
}

static void test_child_forked_during_parses_decodes(void **state) {
    pthread_t threads[3];
    void *is_correct = NULL;
    (void)state;
    if (!child_works_beside_threads()) {
        skip();
    }
    atomic_store(&is_done, false);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_until_done, NULL), 0);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(child_run(decode_in_child, NULL), 0);
    }
    atomic_store(&is_done, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &is_correct), 0);
        assert_non_null(is_correct);
    }
}

/* cJSON writes a global during every parse, so only one parse may run at a time. */
static atomic_int parse_count;
static atomic_int max_parse_count;

cJSON *__real_cJSON_ParseWithLength(const char *text, size_t length);
cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length);

cJSON *__wrap_cJSON_ParseWithLength(const char *text, size_t length) {
    const int count = atomic_fetch_add(&parse_count, 1) + 1;
    if (count > atomic_load(&max_parse_count)) {
        atomic_store(&max_parse_count, count);
    }
    sched_yield();
    cJSON *item = __real_cJSON_ParseWithLength(text, length);
    atomic_fetch_sub(&parse_count, 1);
    return item;
}

static void *decode_often(void *unused) {
    bool is_correct = true;
    (void)unused;
    for (int i = 0; i < 100 && is_correct; i++) {
        is_correct = decodes_escaped();
    }
    return is_correct ? &is_done : NULL;
}

static void test_threads_parse_one_at_a_time(void **state) {
    pthread_t threads[8];
    void *is_correct = NULL;
    (void)state;
    atomic_store(&max_parse_count, 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_often, NULL), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], &is_correct), 0);
        assert_non_null(is_correct);
    }
    assert_int_equal(atomic_load(&max_parse_count), 1);
}

static bool newlocale_fails = false;
locale_t __real_newlocale(int mask, const char *name, locale_t base);
locale_t __wrap_newlocale(int mask, const char *name, locale_t base);

locale_t __wrap_newlocale(int mask, const char *name, locale_t base) {
    return newlocale_fails ? (locale_t)0 : __real_newlocale(mask, name, base);
}

/* Reading a number needs memory for a locale. */
static void test_locale_out_of_memory_is_reported(void **state) {
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
    for_each_valid(check_valid);
    check_all_invalid();
    check_all_other_texts();
    check_scores();
    check_statuses();
    /* The host's locale is unchanged. */
    assert_string_equal(localeconv()->decimal_point, decimal_point);
    assert_true(strncmp(setlocale(LC_ALL, NULL), name, strlen(name)) == 0);
    fixture_end_locale();
}

static void test_comma_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("de_DE", ",");
}

static void test_multibyte_point_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("ps_AF", "\xD9\xAB");
}

static void test_turkish_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("tr_TR", ",");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_forked_at_first_parse_decodes),
        cmocka_unit_test(test_documentation_contact_is_decoded),
        cmocka_unit_test(test_valid_contact_is_decoded),
        cmocka_unit_test(test_cut_contact_is_rejected),
        cmocka_unit_test(test_surrounding_white_space_is_kept),
        cmocka_unit_test(test_invalid_field_is_rejected),
        cmocka_unit_test(test_other_json_is_rejected),
        cmocka_unit_test(test_invalid_json_is_located),
        cmocka_unit_test(test_body_without_object_is_described),
        cmocka_unit_test(test_body_with_object_is_not_quoted),
        cmocka_unit_test(test_body_with_contact_is_decoded),
        cmocka_unit_test(test_missing_field_is_null),
        cmocka_unit_test(test_other_type_is_rejected),
        cmocka_unit_test(test_duplicate_field_is_rejected),
        cmocka_unit_test(test_name_matches_exactly),
        cmocka_unit_test(test_escaped_name_matches),
        cmocka_unit_test(test_integer_is_exact),
        cmocka_unit_test(test_large_integer_is_rejected),
        cmocka_unit_test(test_integer_needs_plain_digits),
        cmocka_unit_test(test_score_is_exact),
        cmocka_unit_test(test_string_is_unescaped),
        cmocka_unit_test(test_string_must_be_text),
        cmocka_unit_test(test_each_status_is_decoded),
        cmocka_unit_test(test_each_sub_status_is_decoded),
        cmocka_unit_test(test_each_status_has_name),
        cmocka_unit_test(test_unknown_number_may_be_long),
        cmocka_unit_test(test_contact_may_have_512_levels),
        cmocka_unit_test(test_null_argument_is_rejected),
        cmocka_unit_test(test_rejected_text_gives_no_contact),
        cmocka_unit_test(test_error_may_be_null),
        cmocka_unit_test(test_contact_is_one_block),
        cmocka_unit_test(test_size_does_not_wrap),
        cmocka_unit_test(test_child_forked_during_parses_decodes),
        cmocka_unit_test(test_threads_parse_one_at_a_time),
        cmocka_unit_test(test_locale_out_of_memory_is_reported),
        cmocka_unit_test(test_comma_locale_has_no_effect),
        cmocka_unit_test(test_multibyte_point_locale_has_no_effect),
        cmocka_unit_test(test_turkish_locale_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
