/* mock_contacts.c - made-up contacts and lists of the mock server, as JSON. */
#include "mock_contacts.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

enum { LONG_COUNT = 2500, FIRST_LONG_ID = 20001 };

/* A contact: its id, and its JSON without the beginning, which contains the ids. */
struct mock_contact {
    int64_t id;
    const char *rest;
};

/* ---- The dozen contacts of a sequence ---- */

/* The arguments are JSON. */
#define CONTACT(email, first, last, company, title, status, sub_status, step, next_send,           \
                opted_out)                                                                         \
    "\"email\": " email ", \"firstName\": " first ",\n\t\"lastName\": " last                       \
    ", \"company\": " company ", \"title\": " title ",\n\t\"status\": " status                     \
    ", \"subStatus\": " sub_status ", \"currentStep\": " step                                      \
    ",\n\t\"addingDate\": \"2024-03-08T10:00:00+00:00\", "                                         \
    "\"movingDate\": null, \"nextSendAfter\": " next_send ",\n\t\"isOptedOut\": " opted_out        \
    ", \"emailAccountId\": 101, \"linkedInAccountId\": null, \"icpScore\": 0.5}"

static const char example_contact[] =
    "\"email\": \"john.doe@company.com\", \"firstName\": \"John\", \"lastName\": \"Doe\",\n"
    " \"company\": \"Tech Solutions Inc\", \"title\": \"Senior Product Manager\",\n"
    " \"status\": \"Active\", \"subStatus\": \"None\", \"currentStep\": 2,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"movingDate\": null,\n"
    " \"nextSendAfter\": \"2024-03-09T09:00:00+00:00\", \"isOptedOut\": false,"
    " \"emailAccountId\": 101,\n"
    " \"linkedInAccountId\": null, \"icpScore\": 0.85}";

static const struct mock_contact sample_contacts[] = {
    {12345, example_contact},
    {12401, CONTACT("\"ann@example.com\"", "\"Ann\"", "\"Example\"", "\"Example Ltd\"", "null",
                    "\"Active\"", "\"None\"", "1", "\"2024-03-09T10:30:00+00:00\"", "false")},
    {12402, CONTACT("\"bob@example.com\"", "\"Bob\"", "\"Sample\"", "\"Sample & Sons\"",
                    "\"Buyer\"", "\"Paused\"", "\"None\"", "3", "null", "false")},
    {12403, CONTACT("\"carol@example.com\"", "\"Carol\"", "\"Placeholder\"", "null", "null",
                    "\"Finished\"", "\"AutoReplied\"", "5", "null", "false")},
    {12404, CONTACT("\"dave@example.com\"", "\"Dave\"", "\"Madeup\"", "\"Madeup, Inc.\"",
                    "\"Owner\"", "\"Inactive\"", "null", "2", "null", "true")},
    {12405,
     CONTACT("\"eve@example.com\"", "\"Eve\"", "\"Nobody\"", "null", "\"CEO\"", "\"OutOfOffice\"",
             "\"AutoReplied\"", "2", "\"2024-03-18T08:00:00+00:00\"", "false")},
    {12406, CONTACT("\"taro@example.com\"", "\"\u592A\u90CE\"", "\"\u898B\u672C\"",
                    "\"\u898B\u672C\u682A\u5F0F\u4F1A\u793E\"", "null", "\"Active\"", "\"None\"",
                    "4", "\"2024-03-11T00:15:00+09:00\"", "false")},
    {12407, CONTACT("\"zoe@example.com\"", "\"Zo\u00EB\"", "\"Musterfrau\"", "null", "null",
                    "\"active\"", "null", "1", "\"2024-03-09T11:00:00.00\"", "false")},
    {12408, CONTACT("\"info@example.com\"", "null", "null", "\"Example Ltd\"", "null",
                    "\"Snoozed\"", "\"Later\"", "2", "\"next week\"", "false")},
    {12409, CONTACT("null", "\"Frank\"", "null", "null", "null", "\"Active\"", "\"None\"", "1",
                    "\"2024-03-10T09:00:00+00:00\"", "true")},
    {12410, CONTACT("\"grace@example.com\"", "\"Grace\"", "\"Testcase\"", "null", "null",
                    "\"Finished\"", "\"None\"", "6", "null", "false")},
    {12411,
     CONTACT("null", "null", "null", "null", "null", "\"Paused\"", "null", "1", "null", "false")},
};

/* ---- Difficult contacts ---- */

/* Opted out, with control characters, raw and as JSON escapes, and with unknown values. */
static const char unsafe_contact[] =
    "\"email\": \"zoe@company.com\", \"firstName\": \"Zo\u00EB \\u001b[31m\\u202e\","
    " \"lastName\": \"\u6F22\u5B57\\n\\u009b\",\n"
    " \"company\": \"\u2028\x7F\", \"title\": null, \"status\": \"Snoozed\\u0007\","
    " \"subStatus\": \"Bounced\", \"currentStep\": 0,\n"
    " \"addingDate\": \"2025-10-29T10:00:00.00\", \"movingDate\": \"the day before\","
    " \"nextSendAfter\": null,\n"
    " \"isOptedOut\": true, \"emailAccountId\": 7, \"linkedInAccountId\": 9007199254740993,"
    " \"icpScore\": null}";

static const char nameless_contact[] =
    "\"email\": \"info@company.com\", \"status\": \"outofoffice\", \"subStatus\": \"AutoReplied\","
    " \"currentStep\": 1,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

static const char bare_contact[] =
    "\"status\": \"Finished\", \"currentStep\": 1,"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

/* The first and the last day that a date can have, and a day that is year 0 in UTC. */
static const char extreme_dates_contact[] =
    "\"status\": \"Active\", \"currentStep\": 1, \"addingDate\": \"0001-01-01T00:00:00\","
    " \"movingDate\": \"9999-12-31T23:59:59+00:00\","
    " \"nextSendAfter\": \"0001-01-01T00:00:00+05:00\", \"isOptedOut\": false}";

/* Texts that a spreadsheet would run, or that need quotes in CSV. */
static const char formula_contact[] = CONTACT(
    "\"@SUM(1)\"", "\"=1+1\"", "\"+2\"", "\"Smith, \\\"Sons\\\"\\r\\nLtd\"",
    "\"\\tTab, \\u001b[31m\"", "\"-Paused\"", "\"\\rNone\"", "-1", "\"=\\\"now\\\"\"", "false");

static const char invalid_contact[] =
    CONTACT("7", "null", "null", "null", "null", "\"Active\"", "null", "1", "null", "false");

static const struct mock_contact hostile_contacts[] = {
    {666, unsafe_contact},
    {667, nameless_contact},
    {668, bare_contact},
    {669, extreme_dates_contact},
    {670, formula_contact},
    {671, invalid_contact},
    {9007199254740993, example_contact},
};

/* ---- One contact ---- */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *find_rest(const struct mock_contact *contacts, size_t count,
                             int64_t contact_id) {
    for (size_t i = 0; i < count; i++) {
        if (contacts[i].id == contact_id) {
            return contacts[i].rest;
        }
    }
    return NULL;
}

static void write_contact(FILE *body, int64_t sequence_id, int64_t contact_id, const char *rest) {
    fprintf(body, "{\"contactId\": %" PRId64 ", \"sequenceId\": %" PRId64 ", %s", contact_id,
            sequence_id, rest);
}

void mock_contacts_write_one(FILE *body, int64_t sequence_id, int64_t contact_id) {
    const char *rest = find_rest(hostile_contacts, COUNT(hostile_contacts), contact_id);
    if (rest == NULL) {
        rest = find_rest(sample_contacts, COUNT(sample_contacts), contact_id);
    }
    write_contact(body, sequence_id, contact_id, rest != NULL ? rest : example_contact);
}

/* ---- Lists ---- */

static uint64_t count_contacts(int64_t sequence_id) {
    switch (sequence_id) {
    case SAMPLE_SEQUENCE:
    case RATE_LIMITED_SEQUENCE:
        return COUNT(sample_contacts);
    case LONG_SEQUENCE:
    case FAST_LONG_SEQUENCE:
    case FORBIDDEN_SEQUENCE:
        return LONG_COUNT;
    case HOSTILE_SEQUENCE:
        return COUNT(hostile_contacts);
    default:
        return 0;
    }
}

/* One in fifty has opted out. */
static void write_long_item(FILE *body, int64_t sequence_id, uint64_t index) {
    static const char *const names[] = {"Ann", "Bob", "Carol", "Dave", "Eve", "Frank", "Grace"};
    static const char *const statuses[] = {"Active", "Active", "Active", "Finished", "Paused"};
    char rest[512];
    const char *name = names[index % COUNT(names)];
    snprintf(rest, sizeof rest,
             CONTACT("\"contact%04" PRIu64 "@example.com\"", "\"%s\"", "\"Example-%04" PRIu64 "\"",
                     "null", "null", "\"%s\"", "\"None\"", "%" PRIu64,
                     "\"2024-03-09T09:00:00+00:00\"", "%s"),
             index + 1, name, index + 1, statuses[index % COUNT(statuses)], index % 7 + 1,
             index % 50 == 49 ? "true" : "false");
    write_contact(body, sequence_id, FIRST_LONG_ID + (int64_t)index, rest);
}

/* The last hostile contact is of another sequence. */
static void write_item(FILE *body, int64_t sequence_id, uint64_t index) {
    if (sequence_id == HOSTILE_SEQUENCE) {
        const struct mock_contact *contact = &hostile_contacts[index];
        const int64_t shown_id = index + 1 < count_contacts(sequence_id) ? sequence_id : 1;
        write_contact(body, shown_id, contact->id, contact->rest);
    } else if (count_contacts(sequence_id) == LONG_COUNT) {
        write_long_item(body, sequence_id, index);
    } else {
        const struct mock_contact *contact = &sample_contacts[index];
        write_contact(body, sequence_id, contact->id, contact->rest);
    }
}

void mock_contacts_write_page(FILE *body, int64_t sequence_id, uint64_t top, uint64_t skip) {
    const uint64_t count = count_contacts(sequence_id);
    const uint64_t start = skip < count ? skip : count;
    const bool has_more = count - start > top;
    const uint64_t end = has_more ? start + top : count;
    fputs("{\"items\": [", body);
    for (uint64_t i = start; i < end; i++) {
        fputs(i > start ? ",\n" : "", body);
        write_item(body, sequence_id, i);
    }
    fprintf(body, "], \"hasMore\": %s}", has_more ? "true" : "false");
}
