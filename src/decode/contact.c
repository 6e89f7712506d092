/* contact.c - sound JSON to a contact, or to what a problem document says. json_guard says whether
 * the text is JSON and where each member stands; cJSON, which only this file uses, decodes the
 * strings that have escapes and the lists of problem documents. */
#include "decode/contact.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "decode/datetime.h"
#include "base/error.h"
#include "decode/json.h"
#include "base/process.h"
#include "base/text.h"

_Static_assert(sizeof(reply_contact_status) == 4, "bindings read enums as 4 bytes");
_Static_assert(sizeof(reply_contact_sub_status) == 4, "bindings read enums as 4 bytes");

/* ---- The endpoint's fields ---- */

struct decoding;
struct field;

/* Reads a value, which is not null, into its member. Returns false with the decoding's error set
 * where the value is not of the type. */
typedef bool (*read_fn)(struct decoding *decoding, const struct field *field,
                        const struct json_value *value);
static bool read_int64(struct decoding *decoding, const struct field *field,
                       const struct json_value *value);
static bool read_int32(struct decoding *decoding, const struct field *field,
                       const struct json_value *value);
static bool read_boolean(struct decoding *decoding, const struct field *field,
                         const struct json_value *value);
static bool read_double(struct decoding *decoding, const struct field *field,
                        const struct json_value *value);
static bool read_string(struct decoding *decoding, const struct field *field,
                        const struct json_value *value);
static bool read_datetime(struct decoding *decoding, const struct field *field,
                          const struct json_value *value);
static bool read_status(struct decoding *decoding, const struct field *field,
                        const struct json_value *value);
static bool read_sub_status(struct decoding *decoding, const struct field *field,
                            const struct json_value *value);

enum nullability { REQUIRED, NULLABLE };

#define MEMBER(name) offsetof(reply_sequence_contact, name)

static const struct field {
    const char *name;
    read_fn read;
    enum nullability nullability;
    size_t member;
    size_t companion; /* the flag that says whether a number is there, or the text of an enum; 0:
                         the member has none */
} fields[] = {
    {"contactId", read_int64, REQUIRED, MEMBER(contact_id), 0},
    {"sequenceId", read_int64, REQUIRED, MEMBER(sequence_id), 0},
    {"email", read_string, NULLABLE, MEMBER(email), 0},
    {"firstName", read_string, NULLABLE, MEMBER(first_name), 0},
    {"lastName", read_string, NULLABLE, MEMBER(last_name), 0},
    {"company", read_string, NULLABLE, MEMBER(company), 0},
    {"title", read_string, NULLABLE, MEMBER(title), 0},
    {"status", read_status, REQUIRED, MEMBER(status), MEMBER(status_text)},
    {"subStatus", read_sub_status, NULLABLE, MEMBER(sub_status), MEMBER(sub_status_text)},
    {"currentStep", read_int32, REQUIRED, MEMBER(current_step), 0},
    {"addingDate", read_datetime, REQUIRED, MEMBER(adding_date), 0},
    {"movingDate", read_datetime, NULLABLE, MEMBER(moving_date), 0},
    {"nextSendAfter", read_datetime, NULLABLE, MEMBER(next_send_after), 0},
    {"isOptedOut", read_boolean, REQUIRED, MEMBER(is_opted_out), 0},
    {"emailAccountId", read_int64, NULLABLE, MEMBER(email_account_id),
     MEMBER(has_email_account_id)},
    {"linkedInAccountId", read_int64, NULLABLE, MEMBER(linkedin_account_id),
     MEMBER(has_linkedin_account_id)},
    {"icpScore", read_double, NULLABLE, MEMBER(icp_score), MEMBER(has_icp_score)},
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields, LONGEST_FIELD_NAME = 17, LONGEST_NUMBER = 63 };

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

/* ---- cJSON, one parse at a time ---- */

/* Parses a value that json_guard found sound, which the caller deletes. Returns NULL where memory
 * ran out, or where a string escapes half a surrogate pair. cJSON writes a global at every parse.
 */
static cJSON *parse(const struct json_value *value) {
    if (!process_lock()) {
        return NULL;
    }
    cJSON *item = cJSON_ParseWithLength(value->text, value->length);
    process_unlock();
    return item;
}

/* ---- Text to members ---- */

struct decoding {
    reply_error *error;
    struct json_value values[FIELD_COUNT];
    bool is_given[FIELD_COUNT];
    size_t likely; /* the field that is likely to come next: a service keeps its order */
    const struct field *twice; /* a field that is given twice */
    reply_sequence_contact *contact;
    char *free_text; /* where in the contact's block the next string goes */
};

static bool refuse(struct decoding *decoding, const struct field *field, const char *fault) {
    error_set(decoding->error, REPLY_ERROR_INVALID_RESPONSE,
              "this is not a contact: field \"%s\" %s; check what sent it", field->name, fault);
    return false;
}

static void *member_at(const struct decoding *decoding, size_t offset) {
    return (char *)decoding->contact + offset;
}

static void set_companion_flag(const struct decoding *decoding, const struct field *field) {
    if (field->companion != 0) {
        *(bool *)member_at(decoding, field->companion) = true;
    }
}

static bool read_integer(struct decoding *decoding, const struct field *field,
                         const struct json_value *value, int64_t *integer) {
    if (value->kind != JSON_NUMBER || !value->is_integer) {
        return refuse(decoding, field, "is not an integer written in plain digits");
    }
    if (value->length > LONGEST_NUMBER) {
        return refuse(decoding, field, "has over 63 characters");
    }
    const bool is_negative = value->text[0] == '-';
    *integer = 0;
    for (size_t i = is_negative ? 1 : 0; i < value->length; i++) {
        /* Negative numbers reach one further than positive ones, so all are gathered below zero. */
        const int digit = value->text[i] - '0';
        if (*integer < (INT64_MIN + digit) / 10) {
            return refuse(decoding, field, "does not fit 64 bits");
        }
        *integer = *integer * 10 - digit;
    }
    if (!is_negative && *integer == INT64_MIN) {
        return refuse(decoding, field, "does not fit 64 bits");
    }
    *integer = is_negative ? *integer : -*integer;
    return true;
}

static bool read_int64(struct decoding *decoding, const struct field *field,
                       const struct json_value *value) {
    set_companion_flag(decoding, field);
    return read_integer(decoding, field, value, member_at(decoding, field->member));
}

static bool read_int32(struct decoding *decoding, const struct field *field,
                       const struct json_value *value) {
    int64_t integer = 0;
    if (!read_integer(decoding, field, value, &integer)) {
        return false;
    }
    if (integer < INT32_MIN || integer > INT32_MAX) {
        return refuse(decoding, field, "does not fit 32 bits");
    }
    *(int32_t *)member_at(decoding, field->member) = (int32_t)integer;
    return true;
}

static bool read_boolean(struct decoding *decoding, const struct field *field,
                         const struct json_value *value) {
    if (value->kind != JSON_TRUE && value->kind != JSON_FALSE) {
        return refuse(decoding, field, "is neither true nor false");
    }
    *(bool *)member_at(decoding, field->member) = value->kind == JSON_TRUE;
    return true;
}

/* Not left to cJSON, which reads numbers by the host's locale and puts only the first byte of its
 * decimal point into them. */
static bool read_double(struct decoding *decoding, const struct field *field,
                        const struct json_value *value) {
    char text[LONGEST_NUMBER + 1] = "";
    if (value->kind != JSON_NUMBER) {
        return refuse(decoding, field, "is not a number");
    }
    if (value->length > LONGEST_NUMBER) {
        return refuse(decoding, field, "has over 63 characters");
    }
    const locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0) {
        error_set_no_memory(decoding->error);
        return false;
    }
    memcpy(text, value->text, value->length);
    const double number = strtod_l(text, NULL, locale);
    freelocale(locale);
    if (!isfinite(number)) {
        return refuse(decoding, field, "is not a finite number");
    }
    set_companion_flag(decoding, field);
    *(double *)member_at(decoding, field->member) = number;
    return true;
}

/* Copies a string into target, unescaped, which never makes it longer. Returns false where memory
 * ran out. */
static bool unescape(const struct json_value *string, char *target) {
    if (!string->has_escape) {
        memcpy(target, string->text + 1, string->length - 2);
        target[string->length - 2] = '\0';
        return true;
    }
    cJSON *item = parse(string);
    if (item == NULL) {
        return false;
    }
    strcpy(target, item->valuestring);
    cJSON_Delete(item);
    return true;
}

/* Puts a string into the contact's block. */
static bool place_string(struct decoding *decoding, const struct field *field,
                         const struct json_value *value, const char **text) {
    if (value->kind != JSON_STRING) {
        return refuse(decoding, field, "is not a string");
    }
    if (value->is_not_text) {
        return refuse(decoding, field, "holds a NUL or half a surrogate pair");
    }
    if (!unescape(value, decoding->free_text)) {
        error_set_no_memory(decoding->error);
        return false;
    }
    *text = decoding->free_text;
    decoding->free_text += strlen(decoding->free_text) + 1;
    return true;
}

static bool read_string(struct decoding *decoding, const struct field *field,
                        const struct json_value *value) {
    return place_string(decoding, field, value, member_at(decoding, field->member));
}

static bool read_datetime(struct decoding *decoding, const struct field *field,
                          const struct json_value *value) {
    const char *text = NULL;
    if (!place_string(decoding, field, value, &text)) {
        return false;
    }
    datetime_read(text, member_at(decoding, field->member));
    return true;
}

/* The index of text among names, from first to before count; 0, which is UNKNOWN, where it is none
 * of them. */
static size_t find_name(const char *text, const char *const *names, size_t first, size_t count) {
    for (size_t i = first; i < count; i++) {
        if (strlen(text) == strlen(names[i]) &&
            text_equals_ignoring_case(text, names[i], strlen(text))) {
            return i;
        }
    }
    return 0;
}

static bool read_status(struct decoding *decoding, const struct field *field,
                        const struct json_value *value) {
    const char **text = member_at(decoding, field->companion);
    if (!place_string(decoding, field, value, text)) {
        return false;
    }
    *(reply_contact_status *)member_at(decoding, field->member) = (reply_contact_status)find_name(
        *text, status_names, REPLY_CONTACT_STATUS_ACTIVE, STATUS_COUNT);
    return true;
}

static bool read_sub_status(struct decoding *decoding, const struct field *field,
                            const struct json_value *value) {
    const char **text = member_at(decoding, field->companion);
    if (!place_string(decoding, field, value, text)) {
        return false;
    }
    *(reply_contact_sub_status *)member_at(decoding, field->member) =
        (reply_contact_sub_status)find_name(*text, sub_status_names, REPLY_CONTACT_SUB_STATUS_NONE,
                                            SUB_STATUS_COUNT);
    return true;
}

/* ---- A contact ---- */

/* The field of a name, or FIELD_COUNT. The search begins where the last one ended. */
static size_t find_field(const struct decoding *decoding, const char *name, size_t length) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const size_t index = (decoding->likely + i) % FIELD_COUNT;
        if (strlen(fields[index].name) == length && memcmp(fields[index].name, name, length) == 0) {
            return index;
        }
    }
    return FIELD_COUNT;
}

static void take_member(const struct json_value *name, const struct json_value *value,
                        void *context) {
    struct decoding *decoding = context;
    char unescaped[6 * LONGEST_FIELD_NAME +
                   3]; /* as \u and four digits for each character, in quotes */
    const char *text = name->text + 1;
    size_t length = name->length - 2;
    if (name->has_escape) {
        if (name->is_not_text || name->length >= sizeof unescaped) {
            return;
        }
        if (!unescape(name, unescaped)) {
            error_set_no_memory(decoding->error);
            return;
        }
        text = unescaped;
        length = strlen(unescaped);
    }
    const size_t index = find_field(decoding, text, length);
    if (index == FIELD_COUNT) {
        return;
    }
    if (decoding->is_given[index]) {
        decoding->twice = &fields[index];
    }
    decoding->is_given[index] = true;
    decoding->values[index] = *value;
    decoding->likely = index + 1;
}

/* Finds the members in the text and checks that it is JSON, an object, with no field given twice.
 */
static bool find_members(struct decoding *decoding, const char *json, size_t length,
                         struct json_value *document) {
    struct json_fault fault;
    if (!json_guard(json, length, take_member, decoding, document, &fault)) {
        error_set(
            decoding->error, REPLY_ERROR_INVALID_RESPONSE,
            "this is not a contact: the text is not JSON at byte %zu (%s); check what sent it",
            fault.offset, fault.reason);
        return false;
    }
    if (document->kind != JSON_OBJECT) {
        error_set(decoding->error, REPLY_ERROR_INVALID_RESPONSE,
                  "this is not a contact: the text is JSON, but not an object; check what sent it");
        return false;
    }
    return decoding->error->result == REPLY_OK &&
           (decoding->twice == NULL || refuse(decoding, decoding->twice, "is given twice"));
}

/* One block holds the contact, its strings and the text. */
static bool allocate_contact(struct decoding *decoding, const char *json, size_t length) {
    size_t size = sizeof(reply_sequence_contact) + length + 1;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size += decoding->values[i].length; /* the quotes leave room for the NUL */
    }
    /* The values are parts of the text: where twice the text fits, the sum has not wrapped. With 32
     * bits 2 GiB do not. */
    reply_sequence_contact *contact =
        length <= (SIZE_MAX - sizeof *contact - 1) / 2 ? calloc(1, size) : NULL;
    if (contact == NULL) {
        error_set_no_memory(decoding->error);
        return false;
    }
    char *text = (char *)(contact + 1);
    memcpy(text, json, length);
    contact->json = text;
    contact->json_length = length;
    contact->sub_status = REPLY_CONTACT_SUB_STATUS_NULL;
    decoding->contact = contact;
    decoding->free_text = text + length + 1;
    return true;
}

static bool read_fields(struct decoding *decoding) {
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct json_value *value = &decoding->values[i];
        const bool is_null = !decoding->is_given[i] || value->kind == JSON_NULL;
        if (is_null && fields[i].nullability == REQUIRED) {
            return refuse(decoding, &fields[i], decoding->is_given[i] ? "is null" : "is missing");
        }
        if (!is_null && !fields[i].read(decoding, &fields[i], value)) {
            return false;
        }
    }
    return true;
}

reply_result decode_contact(const char *json, size_t length, reply_sequence_contact **contact,
                            reply_error *error) {
    struct decoding decoding = {.error = error};
    struct json_value document;
    *contact = NULL;
    if (!find_members(&decoding, json, length, &document)) {
        return error->result;
    }
    const size_t mark = json_mark_length(json, length);
    if (!allocate_contact(&decoding, json + mark, length - mark)) {
        return error->result;
    }
    if (!read_fields(&decoding)) {
        reply_sequence_contact_free(decoding.contact);
        return error->result;
    }
    *contact = decoding.contact;
    return REPLY_OK;
}

reply_result reply_decode_sequence_contact(const char *json, size_t length,
                                           reply_sequence_contact **contact, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (contact != NULL) {
        *contact = NULL;
    }
    if (json == NULL || contact == NULL) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "%s is NULL; pass the text and a place for the contact",
                         json == NULL ? "json" : "contact");
    }
    return decode_contact(json, length, contact, error);
}

void reply_sequence_contact_free(reply_sequence_contact *contact) {
    free(contact);
}

/* ---- A problem document ---- */

struct problem_members {
    struct json_value code, error_code, title, detail, errors;
};

static void take_problem_member(const struct json_value *name, const struct json_value *value,
                                void *context) {
    struct problem_members *members = context;
    const struct {
        const char *name;
        struct json_value *value;
    } known[] = {{"\"code\"", &members->code},
                 {"\"errorCode\"", &members->error_code},
                 {"\"title\"", &members->title},
                 {"\"detail\"", &members->detail},
                 {"\"errors\"", &members->errors}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == name->length &&
            memcmp(known[i].name, name->text, name->length) == 0) {
            *known[i].value = *value;
        }
    }
}

/* Adds a text to the detail, after separator where something stands there already. Both separators
 * have a space, which no key has, so no key can come about across one; where it has no room,
 * nothing is added. */
static void add_detail(struct decode_problem *problem, const char *separator, const char *text,
                       const char *key) {
    size_t used = strlen(problem->detail);
    if (used > 0) {
        if (used + strlen(separator) >= sizeof problem->detail) {
            return;
        }
        strcpy(problem->detail + used, separator);
        used += strlen(separator);
    }
    error_quote(problem->detail + used, sizeof problem->detail - used, text, strlen(text), key);
}

static void add_string(struct decode_problem *problem, const struct json_value *value,
                       const char *key) {
    if (value->kind == JSON_STRING && !value->is_not_text) {
        cJSON *item = parse(value);
        if (item != NULL) {
            add_detail(problem, ": ", item->valuestring, key);
            cJSON_Delete(item);
        }
    }
}

/* Each error at fault has a JSON Pointer and a text, whose names the service's pages do not agree
 * on: all its strings are told. */
static void add_errors(struct decode_problem *problem, const struct json_value *value,
                       const char *key) {
    cJSON *errors = value->kind == JSON_ARRAY ? parse(value) : NULL;
    const cJSON *entry = NULL;
    const cJSON *part = NULL;
    cJSON_ArrayForEach(entry, errors) {
        const char *separator = ", ";
        cJSON_ArrayForEach(part, entry) {
            if (cJSON_IsString(part)) {
                add_detail(problem, separator, part->valuestring, key);
                separator = " ";
            }
        }
    }
    cJSON_Delete(errors);
}

static void read_code(struct decode_problem *problem, const struct json_value *value,
                      const char *key) {
    if (value->kind == JSON_NUMBER) {
        error_quote(problem->code, sizeof problem->code, value->text, value->length, key);
    } else if (value->kind == JSON_STRING && !value->is_not_text) {
        cJSON *item = parse(value);
        if (item != NULL) {
            error_quote(problem->code, sizeof problem->code, item->valuestring,
                        strlen(item->valuestring), key);
            cJSON_Delete(item);
        }
    }
}

void decode_problem(const char *body, size_t length, const char *key,
                    struct decode_problem *problem) {
    struct problem_members members;
    struct json_value document;
    struct json_fault fault;
    memset(&members, 0, sizeof members); /* kind JSON_NULL: not there */
    memset(problem, 0, sizeof *problem);
    if (length == 0 ||
        !json_guard(body, length, take_problem_member, &members, &document, &fault)) {
        return;
    }
    read_code(problem,
              members.code.kind == JSON_STRING || members.code.kind == JSON_NUMBER
                  ? &members.code
                  : &members.error_code,
              key);
    add_string(problem, &members.title, key);
    add_string(problem, &members.detail, key);
    add_errors(problem, &members.errors, key);
}
