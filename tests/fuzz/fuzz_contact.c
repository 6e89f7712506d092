/* fuzz_contact.c - checks of contacts for the fuzz targets. */
#include "fuzz_contact.h"

#include <string.h>

#include "fuzz.h"

static void check_text(const char *text) {
    if (text != NULL) {
        fuzz_check_utf8(text, strlen(text));
    }
}

void fuzz_check_contact(const reply_sequence_contact *contact) {
    const char *texts[] = {contact->email,
                           contact->first_name,
                           contact->last_name,
                           contact->company,
                           contact->title,
                           contact->status_text,
                           contact->sub_status_text,
                           contact->adding_date.text,
                           contact->moving_date.text,
                           contact->next_send_after.text};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_text(texts[i]);
    }
    fuzz_check_utf8(contact->json, contact->json_length);
    FUZZ_CHECK(contact->json[contact->json_length] == '\0' &&
               strlen(contact->json) == contact->json_length);
    FUZZ_CHECK(contact->icp_score - contact->icp_score == 0); /* finite */
}

static int is_same_text(const char *left, const char *right) {
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static int is_same_datetime(const reply_datetime *left, const reply_datetime *right) {
    return is_same_text(left->text, right->text) && left->unix_seconds == right->unix_seconds &&
           left->nanoseconds == right->nanoseconds &&
           left->utc_offset_seconds == right->utc_offset_seconds &&
           left->has_time == right->has_time && left->has_utc_offset == right->has_utc_offset;
}

int fuzz_is_same_contact(const reply_sequence_contact *left, const reply_sequence_contact *right) {
    return left->contact_id == right->contact_id && left->sequence_id == right->sequence_id &&
           is_same_text(left->email, right->email) &&
           is_same_text(left->first_name, right->first_name) &&
           is_same_text(left->last_name, right->last_name) &&
           is_same_text(left->company, right->company) && is_same_text(left->title, right->title) &&
           left->status == right->status && is_same_text(left->status_text, right->status_text) &&
           left->sub_status == right->sub_status &&
           is_same_text(left->sub_status_text, right->sub_status_text) &&
           left->current_step == right->current_step &&
           is_same_datetime(&left->adding_date, &right->adding_date) &&
           is_same_datetime(&left->moving_date, &right->moving_date) &&
           is_same_datetime(&left->next_send_after, &right->next_send_after) &&
           left->is_opted_out == right->is_opted_out &&
           left->has_email_account_id == right->has_email_account_id &&
           left->email_account_id == right->email_account_id &&
           left->has_linkedin_account_id == right->has_linkedin_account_id &&
           left->linkedin_account_id == right->linkedin_account_id &&
           left->has_icp_score == right->has_icp_score && left->icp_score == right->icp_score &&
           is_same_text(left->json, right->json);
}
