/* contact.c - JSON to a contact, by a table of the endpoint's fields. cJSON decodes only strings
 * that have escapes, because it stores numbers as doubles, cuts strings at \u0000, accepts invalid
 * JSON, and needs up to 40 times the text's memory. */
#include "decode/contact.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__) || defined(__FreeBSD__)
#include <xlocale.h> /* newlocale, strtod_l */
#endif

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "decode/body.h"
#include "decode/datetime.h"
#include "decode/json.h"
#include "decode/locked_cjson.h"
#include "decode/problem.h"

_Static_assert(sizeof(reply_contact_status) == 4, "bindings read enums as 4 bytes");
_Static_assert(sizeof(reply_contact_sub_status) == 4, "bindings read enums as 4 bytes");

/* ---- Names of enum values ---- */

static const char *const status_names[] = {"Unknown",  "Active",   "Paused",
                                           "Finished", "Inactive", "OutOfOffice"};
static const char *const sub_status_names[] = {"Unknown", "null", "None", "AutoReplied"};

enum { STATUS_COUNT = sizeof status_names / sizeof *status_names };
enum { SUB_STATUS_COUNT = sizeof sub_status_names / sizeof *sub_status_names };

const char *reply_contact_status_name(reply_contact_status status) {
    const size_t index = (size_t)status; /* a negative number becomes a huge one */
    return status_names[index < STATUS_COUNT ? index : 0];
}

const char *reply_contact_sub_status_name(reply_contact_sub_status sub_status) {
    const size_t index = (size_t)sub_status;
    return sub_status_names[index < SUB_STATUS_COUNT ? index : 0];
}

/* Returns the index of a name among names[first] to names[count - 1], or 0, which is UNKNOWN. */
static size_t find_name(const char *name, const char *const *names, size_t first, size_t count) {
    for (size_t i = first; i < count; i++) {
        if (strlen(name) == strlen(names[i]) &&
            text_equals_ignoring_case(name, names[i], strlen(name))) {
            return i;
        }
    }
    return 0;
}

/* ---- Reading a value into a contact ---- */

/* A contact under construction. */
struct output {
    reply_sequence_contact *contact;
    char *next_string; /* free space in the contact's block */
    reply_error *error;
};

struct field;

/* Reads a value other than null. Returns false with the output's error set if the value is not of
 * the field's type. */
typedef bool (*read_fn)(struct output *output, const struct field *field,
                        const struct json_value *value);

enum nullability { REQUIRED, NULLABLE };

struct field {
    const char *name;
    size_t name_length;
    read_fn read;
    enum nullability nullability;
    size_t member;    /* offset in reply_sequence_contact */
    size_t companion; /* offset of a number's has_ flag or an enum's text; 0 if none */
};

enum { MAX_NUMBER_LENGTH = 63 };
static const char too_long[] = "is longer than 63 characters";

static bool reject_field(reply_error *error, const struct field *field, const char *fault) {
    error_set(error, REPLY_ERROR_INVALID_RESPONSE,
              "invalid contact: field \"%s\" %s; check the base URL", field->name, fault);
    return false;
}

static void *member_at(const struct output *output, size_t offset) {
    return (char *)output->contact + offset;
}

static const char **text_at(const struct output *output, size_t offset) {
    return (const char **)member_at(output, offset);
}

static void set_companion_flag(const struct output *output, const struct field *field) {
    if (field->companion != 0) {
        *(bool *)member_at(output, field->companion) = true;
    }
}

/* Returns NULL, or what is wrong with the value. */
static const char *parse_integer(const struct json_value *value, int64_t *integer) {
    if (value->kind != JSON_NUMBER || !value->is_integer) {
        return "is not an integer in plain digits";
    }
    if (value->length > MAX_NUMBER_LENGTH) {
        return too_long;
    }
    const bool is_negative = value->text[0] == '-';
    *integer = 0;
    for (size_t i = is_negative ? 1 : 0; i < value->length; i++) {
        /* The sum is kept negative, because INT64_MIN has no positive counterpart. */
        const int digit = value->text[i] - '0';
        if (*integer < (INT64_MIN + digit) / 10) {
            return "does not fit in 64 bits";
        }
        *integer = *integer * 10 - digit;
    }
    if (!is_negative && *integer == INT64_MIN) {
        return "does not fit in 64 bits";
    }
    *integer = is_negative ? *integer : -*integer;
    return NULL;
}

static bool read_integer(const struct output *output, const struct field *field,
                         const struct json_value *value, int64_t *integer) {
    const char *fault = parse_integer(value, integer);
    return fault == NULL || reject_field(output->error, field, fault);
}

static bool read_int64(struct output *output, const struct field *field,
                       const struct json_value *value) {
    set_companion_flag(output, field);
    return read_integer(output, field, value, member_at(output, field->member));
}

static bool read_int32(struct output *output, const struct field *field,
                       const struct json_value *value) {
    int64_t integer = 0;
    if (!read_integer(output, field, value, &integer)) {
        return false;
    }
    if (integer < INT32_MIN || integer > INT32_MAX) {
        return reject_field(output->error, field, "does not fit in 32 bits");
    }
    *(int32_t *)member_at(output, field->member) = (int32_t)integer;
    return true;
}

static bool read_boolean(struct output *output, const struct field *field,
                         const struct json_value *value) {
    if (value->kind != JSON_TRUE && value->kind != JSON_FALSE) {
        return reject_field(output->error, field, "is not a boolean");
    }
    *(bool *)member_at(output, field->member) = value->kind == JSON_TRUE;
    return true;
}

/* cJSON cannot read the number: it uses the host's locale, and only the first byte of its decimal
 * point. */
static bool read_double(struct output *output, const struct field *field,
                        const struct json_value *value) {
    char text[MAX_NUMBER_LENGTH + 1] = "";
    if (value->kind != JSON_NUMBER) {
        return reject_field(output->error, field, "is not a number");
    }
    if (value->length > MAX_NUMBER_LENGTH) {
        return reject_field(output->error, field, too_long);
    }
    const locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0) {
        error_set_no_memory(output->error);
        return false;
    }
    memcpy(text, value->text, value->length);
    const double number = strtod_l(text, NULL, locale);
    freelocale(locale);
    if (!isfinite(number)) {
        return reject_field(output->error, field, "is not a finite number");
    }
    set_companion_flag(output, field);
    *(double *)member_at(output, field->member) = number;
    return true;
}

/* The target has room for the string, because unescaping never makes one longer. Returns false if
 * out of memory. */
static bool unescape(const struct json_value *string, char *target) {
    if (!string->has_escape) {
        memcpy(target, string->text + 1, string->length - 2);
        target[string->length - 2] = '\0';
        return true;
    }
    cJSON *item = locked_cjson_parse(string);
    if (item == NULL) {
        return false;
    }
    strcpy(target, item->valuestring);
    locked_cjson_free(item);
    return true;
}

/* Copies a string into the contact's block. */
static bool copy_string(struct output *output, const struct field *field,
                        const struct json_value *value, const char **text) {
    if (value->kind != JSON_STRING) {
        return reject_field(output->error, field, "is not a string");
    }
    if (!value->is_text) {
        return reject_field(output->error, field, "contains a NUL or a lone surrogate");
    }
    if (!unescape(value, output->next_string)) {
        error_set_no_memory(output->error);
        return false;
    }
    *text = output->next_string;
    output->next_string += strlen(output->next_string) + 1;
    return true;
}

static bool read_string(struct output *output, const struct field *field,
                        const struct json_value *value) {
    return copy_string(output, field, value, text_at(output, field->member));
}

static bool read_datetime(struct output *output, const struct field *field,
                          const struct json_value *value) {
    const char *text = NULL;
    if (!copy_string(output, field, value, &text)) {
        return false;
    }
    datetime_parse(text, member_at(output, field->member));
    return true;
}

static bool read_status(struct output *output, const struct field *field,
                        const struct json_value *value) {
    const char **text = text_at(output, field->companion);
    if (!copy_string(output, field, value, text)) {
        return false;
    }
    *(reply_contact_status *)member_at(output, field->member) = (reply_contact_status)find_name(
        *text, status_names, REPLY_CONTACT_STATUS_ACTIVE, STATUS_COUNT);
    return true;
}

static bool read_sub_status(struct output *output, const struct field *field,
                            const struct json_value *value) {
    const char **text = text_at(output, field->companion);
    if (!copy_string(output, field, value, text)) {
        return false;
    }
    *(reply_contact_sub_status *)member_at(output, field->member) =
        (reply_contact_sub_status)find_name(*text, sub_status_names, REPLY_CONTACT_SUB_STATUS_NONE,
                                            SUB_STATUS_COUNT);
    return true;
}

/* ---- The endpoint's fields ---- */

#define MEMBER(name) offsetof(reply_sequence_contact, name)
#define NAME(name)   name, sizeof(name) - 1

enum { CONTACT_ID, SEQUENCE_ID }; /* indexes of fields that a page needs */

static const struct field fields[] = {
    [CONTACT_ID] = {NAME("contactId"), read_int64, REQUIRED, MEMBER(contact_id), 0},
    [SEQUENCE_ID] = {NAME("sequenceId"), read_int64, REQUIRED, MEMBER(sequence_id), 0},
    {NAME("email"), read_string, NULLABLE, MEMBER(email), 0},
    {NAME("firstName"), read_string, NULLABLE, MEMBER(first_name), 0},
    {NAME("lastName"), read_string, NULLABLE, MEMBER(last_name), 0},
    {NAME("company"), read_string, NULLABLE, MEMBER(company), 0},
    {NAME("title"), read_string, NULLABLE, MEMBER(title), 0},
    {NAME("status"), read_status, REQUIRED, MEMBER(status), MEMBER(status_text)},
    {NAME("subStatus"), read_sub_status, NULLABLE, MEMBER(sub_status), MEMBER(sub_status_text)},
    {NAME("currentStep"), read_int32, REQUIRED, MEMBER(current_step), 0},
    {NAME("addingDate"), read_datetime, REQUIRED, MEMBER(adding_date), 0},
    {NAME("movingDate"), read_datetime, NULLABLE, MEMBER(moving_date), 0},
    {NAME("nextSendAfter"), read_datetime, NULLABLE, MEMBER(next_send_after), 0},
    {NAME("isOptedOut"), read_boolean, REQUIRED, MEMBER(is_opted_out), 0},
    {NAME("emailAccountId"), read_int64, NULLABLE, MEMBER(email_account_id),
     MEMBER(has_email_account_id)},
    {NAME("linkedInAccountId"), read_int64, NULLABLE, MEMBER(linkedin_account_id),
     MEMBER(has_linkedin_account_id)},
    {NAME("icpScore"), read_double, NULLABLE, MEMBER(icp_score), MEMBER(has_icp_score)},
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };
_Static_assert((int)FIELD_COUNT <= (int)CONTACT_MAX_FIELDS, "a contact has too many fields");

/* ---- Finding the fields in the text ---- */

/* Returns the index of a field, or FIELD_COUNT if none has this name. The search starts with the
 * likely field, because a service keeps its order. */
static inline size_t find_field(const struct contact_members *members, const char *name,
                                size_t length) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const size_t index = (members->likely + i) % FIELD_COUNT;
        if (fields[index].name_length == length && memcmp(fields[index].name, name, length) == 0) {
            return index;
        }
    }
    return FIELD_COUNT;
}

/* Returns the index of a field whose name has escapes, or FIELD_COUNT if none has this name. */
static size_t find_escaped_field(struct contact_members *members, const struct json_value *name) {
    if (!name->is_text) {
        return FIELD_COUNT;
    }
    cJSON *item = locked_cjson_parse(name);
    if (item == NULL) {
        members->is_out_of_memory = true;
        return FIELD_COUNT;
    }
    const size_t index = find_field(members, item->valuestring, strlen(item->valuestring));
    locked_cjson_free(item);
    return index;
}

void contact_keep_member(const struct json_value *name, const struct json_value *value,
                         void *context) {
    struct contact_members *members = context;
    const size_t index = name->has_escape ? find_escaped_field(members, name)
                                          : find_field(members, name->text + 1, name->length - 2);
    if (index == FIELD_COUNT) {
        return;
    }
    if (members->values[index].kind != JSON_MISSING) {
        members->duplicates |= (uint32_t)1 << index;
    }
    members->values[index] = *value;
    members->likely = (unsigned char)((index + 1) % FIELD_COUNT);
}

/* ---- A contact ---- */

/* One block contains the contact, the text and the strings. */
struct block {
    size_t size;
    reply_sequence_contact contact;
};

static struct block *block_of(reply_sequence_contact *contact) {
    return (struct block *)((char *)contact - offsetof(struct block, contact));
}

static bool allocate_contact(struct output *output, const char *json, size_t length,
                             const struct contact_members *members) {
    size_t size = sizeof(struct block) + length + 1;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size += members->values[i].length; /* the NUL replaces the quotes */
    }
    /* The values are parts of the text, so the sum cannot wrap if the text fits twice. With 32
     * bits, 2 GiB do not fit. */
    struct block *block = length <= (SIZE_MAX - sizeof *block - 1) / 2 ? malloc(size) : NULL;
    if (block == NULL) {
        error_set_no_memory(output->error);
        return false;
    }
    reply_sequence_contact *contact = &block->contact;
    char *text = (char *)(block + 1);
    memset(block, 0, sizeof *block);
    block->size = size;
    memcpy(text, json, length);
    text[length] = '\0';
    contact->json = text;
    contact->json_length = length;
    contact->sub_status = REPLY_CONTACT_SUB_STATUS_NULL;
    output->contact = contact;
    output->next_string = text + length + 1;
    return true;
}

static bool read_fields(struct output *output, const struct contact_members *members) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct json_value *value = &members->values[i];
        const bool is_null = value->kind == JSON_MISSING || value->kind == JSON_NULL;
        if (is_null && fields[i].nullability == REQUIRED) {
            return reject_field(output->error, &fields[i],
                                value->kind == JSON_NULL ? "is null" : "is missing");
        }
        if (!is_null && !fields[i].read(output, &fields[i], value)) {
            return false;
        }
    }
    return true;
}

reply_result contact_read(const struct contact_members *members, const char *json, size_t length,
                          reply_sequence_contact **contact, reply_error *error) {
    struct output output = {.error = error};
    *contact = NULL;
    if (members->is_out_of_memory) {
        return error_set_no_memory(error);
    }
    for (size_t i = 0; i < FIELD_COUNT && members->duplicates != 0; i++) {
        if ((members->duplicates >> i & 1) != 0) {
            reject_field(error, &fields[i], "is a duplicate");
            return error->result;
        }
    }
    if (!allocate_contact(&output, json, length, members)) {
        return error->result;
    }
    if (!read_fields(&output, members)) {
        contact_discard(output.contact);
        return error->result;
    }
    *contact = output.contact;
    return REPLY_OK;
}

static bool read_id(const struct contact_members *members, size_t index, int64_t *id) {
    return (members->duplicates >> index & 1) == 0 &&
           parse_integer(&members->values[index], id) == NULL;
}

bool contact_read_contact_id(const struct contact_members *members, int64_t *contact_id) {
    return read_id(members, CONTACT_ID, contact_id);
}

bool contact_read_sequence_id(const struct contact_members *members, int64_t *sequence_id) {
    return read_id(members, SEQUENCE_ID, sequence_id);
}

reply_result contact_decode(const char *json, size_t length, reply_sequence_contact **contact,
                            reply_error *error) {
    struct contact_members members;
    struct json_document document;
    struct json_fault fault;
    memset(&members, 0, sizeof members);
    *contact = NULL;
    if (!json_scan(json, length, contact_keep_member, &members, &document, &fault)) {
        return error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                         "invalid contact: not JSON at byte %zu (%s); check the base URL",
                         fault.offset, fault.reason);
    }
    if (document.value.kind != JSON_OBJECT) {
        return error_set(error, REPLY_ERROR_INVALID_RESPONSE,
                         "invalid contact: not an object; check the base URL");
    }
    return contact_read(&members, document.text, document.length, contact, error);
}

reply_result contact_decode_response(const char *body, size_t length, const char *content_type,
                                     const char *key, reply_sequence_contact **contact,
                                     reply_error *error) {
    *contact = NULL;
    if (!body_is_object(body, length)) {
        return body_reject(body, length, content_type, key, "a contact", error);
    }
    if (contact_decode(body, length, contact, error) == REPLY_ERROR_INVALID_RESPONSE) {
        problem_keep_code(body, length, key, error);
    }
    return error->result;
}

reply_result reply_decode_sequence_contact(const char *json, size_t length,
                                           reply_sequence_contact **contact, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (contact != NULL) {
        *contact = NULL;
    }
    if (json == NULL || contact == NULL) {
        return error_set_null_argument(error, json == NULL ? "json" : "contact");
    }
    return contact_decode(json, length, contact, error);
}

void reply_sequence_contact_free(reply_sequence_contact *contact) {
    if (contact != NULL) {
        free(block_of(contact));
    }
}

void contact_discard(reply_sequence_contact *contact) {
    if (contact != NULL) {
        struct block *block = block_of(contact);
        secret_free(block, block->size);
    }
}
