/* baseline_decode.c - the baseline's decoder: cJSON parses the whole text, one pass over the
 * members fills the struct, and one block holds the result. */
#include "baseline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

/* ---- Dates ---- */

static bool read_digits(const char *text, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

/* "Z", "+02:00", or nothing. */
static bool read_offset(const char *text, int *seconds) {
    int hours = 0;
    int minutes = 0;
    *seconds = 0;
    if (text[0] == '\0' || strcmp(text, "Z") == 0) {
        return true;
    }
    if ((text[0] != '+' && text[0] != '-') || !read_digits(text + 1, 2, &hours) || text[3] != ':' ||
        !read_digits(text + 4, 2, &minutes)) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * 60 * (text[0] == '-' ? -1 : 1);
    return true;
}

/* "2024-03-08T10:00:00+00:00". A fraction of a second is skipped. */
static bool read_time(const char *text, int64_t *unix_seconds) {
    struct tm parts = {0};
    int offset = 0;
    if (!read_digits(text, 4, &parts.tm_year) || text[4] != '-' ||
        !read_digits(text + 5, 2, &parts.tm_mon) || text[7] != '-' ||
        !read_digits(text + 8, 2, &parts.tm_mday) || text[10] != 'T' ||
        !read_digits(text + 11, 2, &parts.tm_hour) || text[13] != ':' ||
        !read_digits(text + 14, 2, &parts.tm_min) || text[16] != ':' ||
        !read_digits(text + 17, 2, &parts.tm_sec)) {
        return false;
    }
    text += 19;
    if (*text == '.') {
        text += 1 + strspn(text + 1, "0123456789");
    }
    if (!read_offset(text, &offset)) {
        return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *unix_seconds = (int64_t)timegm(&parts) - offset;
    return true;
}

/* ---- Values ---- */

/* Returns NULL for null. Advances *next_free past the copy. */
static const char *copy_string(const cJSON *item, char **next_free) {
    if (!cJSON_IsString(item)) {
        return NULL;
    }
    const size_t size = strlen(item->valuestring) + 1;
    char *copy = memcpy(*next_free, item->valuestring, size);
    *next_free += size;
    return copy;
}

static void read_date(struct baseline_date *date, const cJSON *item, char **next_free) {
    date->text = copy_string(item, next_free);
    date->has_time = date->text != NULL && read_time(date->text, &date->unix_seconds);
}

static enum baseline_status status_of(const char *text) {
    static const char *const names[] = {"",         "Active",   "Paused",
                                        "Finished", "Inactive", "OutOfOffice"};
    for (int i = BASELINE_ACTIVE; text != NULL && i <= BASELINE_OUT_OF_OFFICE; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum baseline_status)i;
        }
    }
    return BASELINE_STATUS_UNKNOWN;
}

static enum baseline_sub_status sub_status_of(const char *text) {
    if (text != NULL && strcmp(text, "None") == 0) {
        return BASELINE_NONE;
    }
    return text != NULL && strcmp(text, "AutoReplied") == 0 ? BASELINE_AUTO_REPLIED
                                                            : BASELINE_SUB_STATUS_UNKNOWN;
}

static void read_optional_id(bool *has, int64_t *id, const cJSON *item) {
    *has = cJSON_IsNumber(item);
    *id = *has ? (int64_t)item->valuedouble : 0;
}

static void read_member(struct baseline_contact *contact, const cJSON *item, char **next_free) {
    const char *name = item->string;
    if (strcmp(name, "contactId") == 0) {
        contact->contact_id = (int64_t)item->valuedouble;
    } else if (strcmp(name, "sequenceId") == 0) {
        contact->sequence_id = (int64_t)item->valuedouble;
    } else if (strcmp(name, "email") == 0) {
        contact->email = copy_string(item, next_free);
    } else if (strcmp(name, "firstName") == 0) {
        contact->first_name = copy_string(item, next_free);
    } else if (strcmp(name, "lastName") == 0) {
        contact->last_name = copy_string(item, next_free);
    } else if (strcmp(name, "company") == 0) {
        contact->company = copy_string(item, next_free);
    } else if (strcmp(name, "title") == 0) {
        contact->title = copy_string(item, next_free);
    } else if (strcmp(name, "status") == 0) {
        contact->status_text = copy_string(item, next_free);
        contact->status = status_of(contact->status_text);
    } else if (strcmp(name, "subStatus") == 0) {
        contact->sub_status_text = copy_string(item, next_free);
        contact->sub_status = sub_status_of(contact->sub_status_text);
    } else if (strcmp(name, "currentStep") == 0) {
        contact->current_step = item->valueint;
    } else if (strcmp(name, "addingDate") == 0) {
        read_date(&contact->adding_date, item, next_free);
    } else if (strcmp(name, "movingDate") == 0) {
        read_date(&contact->moving_date, item, next_free);
    } else if (strcmp(name, "nextSendAfter") == 0) {
        read_date(&contact->next_send_after, item, next_free);
    } else if (strcmp(name, "isOptedOut") == 0) {
        contact->is_opted_out = cJSON_IsTrue(item);
    } else if (strcmp(name, "emailAccountId") == 0) {
        read_optional_id(&contact->has_email_account_id, &contact->email_account_id, item);
    } else if (strcmp(name, "linkedInAccountId") == 0) {
        read_optional_id(&contact->has_linkedin_account_id, &contact->linkedin_account_id, item);
    } else if (strcmp(name, "icpScore") == 0) {
        contact->has_icp_score = cJSON_IsNumber(item);
        contact->icp_score = contact->has_icp_score ? item->valuedouble : 0;
    }
}

static void read_members(struct baseline_contact *contact, const cJSON *object, char *next_free) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object) {
        read_member(contact, item, &next_free);
    }
}

/* Decoding never makes a string longer: twice the length of the text holds it and all strings. */
struct baseline_contact *baseline_decode(const char *json, size_t length) {
    cJSON *document = cJSON_ParseWithLength(json, length);
    struct baseline_contact *contact =
        cJSON_IsObject(document) ? malloc(sizeof *contact + 2 * length + 2) : NULL;
    if (contact != NULL) {
        char *text = (char *)(contact + 1);
        memset(contact, 0, sizeof *contact);
        memcpy(text, json, length);
        text[length] = '\0';
        contact->json = text;
        read_members(contact, document, text + length + 1);
    }
    cJSON_Delete(document);
    return contact;
}

/* ---- A page ---- */

static struct baseline_contact *read_contact(const cJSON *object) {
    const cJSON *item = NULL;
    size_t size = sizeof(struct baseline_contact);
    cJSON_ArrayForEach(item, object) {
        size += cJSON_IsString(item) ? strlen(item->valuestring) + 1 : 0;
    }
    struct baseline_contact *contact = malloc(size);
    if (contact != NULL) {
        memset(contact, 0, sizeof *contact);
        read_members(contact, object, (char *)(contact + 1));
    }
    return contact;
}

struct baseline_page *baseline_decode_page(const char *json, size_t length) {
    cJSON *document = cJSON_ParseWithLength(json, length);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(document, "items");
    const cJSON *has_more = cJSON_GetObjectItemCaseSensitive(document, "hasMore");
    const size_t count = (size_t)cJSON_GetArraySize(items);
    struct baseline_page *page =
        cJSON_IsArray(items) && cJSON_IsBool(has_more)
            ? malloc(sizeof *page + count * sizeof(struct baseline_contact *))
            : NULL;
    if (page != NULL) {
        const cJSON *item = NULL;
        page->has_more = cJSON_IsTrue(has_more);
        page->count = 0;
        cJSON_ArrayForEach(item, items) {
            page->contacts[page->count++] = read_contact(item);
        }
    }
    cJSON_Delete(document);
    return page;
}
