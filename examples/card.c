/* card.c - a contact, formatted for a terminal. Each line begins with its label: values after it
 * may be of any display width without moving a column. */
#include "card.h"

#include <inttypes.h>
#include <string.h>

#include "contact_text.h"
#include "style.h"
#include "terminal.h"

struct card {
    FILE *stream;
    time_t now;
    bool use_colour;
};

static void set_style(const struct card *card, const char *style) {
    if (card->use_colour) {
        fputs(style, card->stream);
    }
}

static void write_text(const struct card *card, const char *text) {
    terminal_write(card->stream, text, strlen(text));
}

static void begin_row(const struct card *card, const char *label) {
    set_style(card, STYLE_DIM);
    fprintf(card->stream, "  %-9s", label);
    set_style(card, STYLE_PLAIN);
    fputs("  ", card->stream);
}

static void end_row(const struct card *card) {
    fputc('\n', card->stream);
}

static void write_text_row(const struct card *card, const char *label, const char *text) {
    begin_row(card, label);
    write_text(card, contact_text_has(text) ? text : "-");
    end_row(card);
}

static void write_heading(const struct card *card, const reply_sequence_contact *contact) {
    const bool has_first = contact_text_has(contact->first_name);
    const bool has_last = contact_text_has(contact->last_name);
    set_style(card, STYLE_BOLD);
    if (has_first || has_last) {
        write_text(card, has_first ? contact->first_name : "");
        fputs(has_first && has_last ? " " : "", card->stream);
        write_text(card, has_last ? contact->last_name : "");
    } else if (contact_text_has(contact->email)) {
        write_text(card, contact->email);
    } else {
        fprintf(card->stream, "Contact %" PRId64, contact->contact_id);
    }
    set_style(card, STYLE_PLAIN);
    end_row(card);
}

static void write_opted_out(const struct card *card) {
    fputs("  ", card->stream);
    set_style(card, STYLE_WARNING);
    fputs("OPTED OUT: do not write to this contact", card->stream);
    set_style(card, STYLE_PLAIN);
    end_row(card);
}

static void write_status_row(const struct card *card, const reply_sequence_contact *contact) {
    begin_row(card, "status");
    write_text(card, contact_text_status(contact));
    if (contact->sub_status == REPLY_CONTACT_SUB_STATUS_UNKNOWN) {
        fputs(", ", card->stream);
        write_text(card, contact->sub_status_text);
    } else if (contact->sub_status == REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED) {
        fprintf(card->stream, ", %s", reply_contact_sub_status_name(contact->sub_status));
    }
    end_row(card);
}

/* Writes ", in 2 d 3 h" or ", 5 min ago": days and hours are followed by the next smaller unit. */
static void write_relative_time(const struct card *card, int64_t seconds) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    const int64_t duration = seconds < 0 ? -seconds : seconds;
    size_t unit = 0;
    while (unit < 3 && duration < units[unit].seconds) {
        unit++;
    }
    fprintf(card->stream, ", %s%" PRId64 " %s", seconds > 0 ? "in " : "",
            duration / units[unit].seconds, units[unit].name);
    const int64_t rest = unit < 2 ? duration % units[unit].seconds / units[unit + 1].seconds : 0;
    if (rest > 0) {
        fprintf(card->stream, " %" PRId64 " %s", rest, units[unit + 1].name);
    }
    fputs(seconds > 0 ? "" : " ago", card->stream);
}

static void write_date_row(const struct card *card, const char *label, const reply_datetime *date,
                           bool is_relative) {
    char text[64];
    if (!contact_text_local_time(date, true, text, sizeof text)) {
        write_text_row(card, label, date->text);
        return;
    }
    begin_row(card, label);
    fputs(text, card->stream);
    if (is_relative) {
        write_relative_time(card, date->unix_seconds - (int64_t)card->now);
    }
    if (!date->has_utc_offset) {
        fputs(" (sent without an offset, read as UTC)", card->stream);
    }
    end_row(card);
}

static void write_senders_row(const struct card *card, const reply_sequence_contact *contact) {
    begin_row(card, "senders");
    if (contact->has_email_account_id) {
        fprintf(card->stream, "email account %" PRId64, contact->email_account_id);
    }
    if (contact->has_linkedin_account_id) {
        fprintf(card->stream, "%sLinkedIn account %" PRId64,
                contact->has_email_account_id ? ", " : "", contact->linkedin_account_id);
    }
    fputs(contact->has_email_account_id || contact->has_linkedin_account_id ? "" : "-",
          card->stream);
    end_row(card);
}

void card_write(FILE *stream, const reply_sequence_contact *contact, time_t now, bool use_colour) {
    const struct card card = {stream, now, use_colour};
    char text[64];
    write_heading(&card, contact);
    if (contact->is_opted_out) {
        write_opted_out(&card);
    }
    write_text_row(&card, "title", contact->title);
    write_text_row(&card, "company", contact->company);
    write_text_row(&card, "email", contact->email);
    write_status_row(&card, contact);
    snprintf(text, sizeof text, "%" PRId32, contact->current_step);
    write_text_row(&card, "step", text);
    write_date_row(&card, "next send", &contact->next_send_after, true);
    write_date_row(&card, "added", &contact->adding_date, false);
    write_date_row(&card, "moved", &contact->moving_date, false);
    write_senders_row(&card, contact);
    snprintf(text, sizeof text, "%g", contact->icp_score);
    write_text_row(&card, "ICP score", contact->has_icp_score ? text : "");
    snprintf(text, sizeof text, "%" PRId64 " in sequence %" PRId64, contact->contact_id,
             contact->sequence_id);
    write_text_row(&card, "contact", text);
}
