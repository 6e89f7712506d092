/* csv.c - contacts as CSV (RFC 4180). */
#include "csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

static const char header[] =
    "contactId,sequenceId,email,firstName,lastName,company,title,status,subStatus,currentStep,"
    "addingDate,movingDate,nextSendAfter,isOptedOut,emailAccountId,linkedInAccountId,icpScore\r\n";

struct csv {
    FILE *stream;
    bool is_escaped;
};

static void write_part(const struct csv *csv, const char *part, size_t length) {
    if (csv->is_escaped) {
        terminal_write(csv->stream, part, length);
    } else {
        fwrite(part, 1, length, csv->stream);
    }
}

/* Writes a comma and a text. text may be NULL. */
static void write_text(const struct csv *csv, const char *text) {
    fputc(',', csv->stream);
    if (text == NULL || *text == '\0') {
        return;
    }
    const bool is_quoted = strpbrk(text, ",\"\r\n") != NULL;
    const bool is_formula = strchr("=+-@\t\r", *text) != NULL;
    fputs(is_quoted ? "\"" : "", csv->stream);
    fputs(is_formula ? "'" : "", csv->stream);
    while (*text != '\0') {
        const size_t length = strcspn(text, "\"");
        write_part(csv, text, length);
        text += length;
        if (*text == '"') {
            fputs("\"\"", csv->stream);
            text++;
        }
    }
    fputs(is_quoted ? "\"" : "", csv->stream);
}

/* Writes a comma and a number, or only the comma for null. */
static void write_number(const struct csv *csv, bool has_number, int64_t number) {
    fputc(',', csv->stream);
    if (has_number) {
        fprintf(csv->stream, "%" PRId64, number);
    }
}

/* 17 significant digits are exact, but 15 are shorter and usually sufficient. */
static void write_score(const struct csv *csv, bool has_score, double score) {
    char text[32];
    snprintf(text, sizeof text, "%.15g", score);
    const bool is_exact = strtod(text, NULL) >= score && strtod(text, NULL) <= score;
    fputc(',', csv->stream);
    if (has_score) {
        fprintf(csv->stream, is_exact ? "%.15g" : "%.17g", score);
    }
}

void csv_write_header(FILE *stream) {
    fputs(header, stream);
}

void csv_write_contact(FILE *stream, const reply_sequence_contact *contact, bool is_escaped) {
    const struct csv csv = {stream, is_escaped};
    fprintf(stream, "%" PRId64, contact->contact_id);
    write_number(&csv, true, contact->sequence_id);
    write_text(&csv, contact->email);
    write_text(&csv, contact->first_name);
    write_text(&csv, contact->last_name);
    write_text(&csv, contact->company);
    write_text(&csv, contact->title);
    write_text(&csv, contact->status_text);
    write_text(&csv, contact->sub_status_text);
    write_number(&csv, true, contact->current_step);
    write_text(&csv, contact->adding_date.text);
    write_text(&csv, contact->moving_date.text);
    write_text(&csv, contact->next_send_after.text);
    write_text(&csv, contact->is_opted_out ? "true" : "false");
    write_number(&csv, contact->has_email_account_id, contact->email_account_id);
    write_number(&csv, contact->has_linkedin_account_id, contact->linkedin_account_id);
    write_score(&csv, contact->has_icp_score, contact->icp_score);
    fputs("\r\n", stream);
}
