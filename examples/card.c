/* card.c - a contact, formatted for a terminal. Each line begins with its label: values after it
 * may be of any display width without moving a column. */
#include "card.h"

#include <inttypes.h>
#include <string.h>

#include "terminal.h"

#define BOLD    "\033[1m"
#define DIM     "\033[2m"
#define WARNING "\033[1;37;41m"
#define PLAIN   "\033[0m"

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

static bool has_text(const char *text) {
    return text != NULL && *text != '\0';
}

static void begin_row(const struct card *card, const char *label) {
    set_style(card, DIM);
    fprintf(card->stream, "  %-9s", label);
    set_style(card, PLAIN);
    fputs("  ", card->stream);
}

static void end_row(const struct card *card) {
    fputc('\n', card->stream);
}

static void write_text_row(const struct card *card, const char *label, const char *text) {
    begin_row(card, label);
    write_text(card, has_text(text) ? text : "-");
    end_row(card);
}

static void write_heading(const struct card *card, const reply_sequence_contact *contact) {
    const bool has_first = has_text(contact->first_name);
    const bool has_last = has_text(contact->last_name);
    set_style(card, BOLD);
    if (has_first || has_last) {
        write_text(card, has_first ? contact->first_name : "");
        fputs(has_first && has_last ? " " : "", card->stream);
        write_text(card, has_last ? contact->last_name : "");
    } else if (has_text(contact->email)) {
        write_text(card, contact->email);
    } else {
        fprintf(card->stream, "Contact %" PRId64, contact->contact_id);
    }
    set_style(card, PLAIN);
    end_row(card);
}

static void write_opted_out(const struct card *card) {
    fputs("  ", card->stream);
    set_style(card, WARNING);
    fputs("OPTED OUT: do not write to this contact", card->stream);
    set_style(card, PLAIN);
    end_row(card);
}

static void write_status_row(const struct card *card, const reply_sequence_contact *contact) {
    begin_row(card, "status");
    if (contact->status == REPLY_CONTACT_STATUS_UNKNOWN) {
        write_text(card, contact->status_text);
    } else {
        fputs(reply_contact_status_name(contact->status), card->stream);
    }
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

/* strftime's %Y has no leading zeros in glibc: year 1 would be "1". */
static bool format_time(char *text, size_t size, const struct tm *time) {
    const int length = snprintf(text, size, "%04ld", (long)time->tm_year + 1900);
    return strftime(text + length, size - (size_t)length, "-%m-%d %H:%M %Z", time) > 0;
}

static void write_date_row(const struct card *card, const char *label, const reply_datetime *date,
                           bool is_relative) {
    const time_t when = (time_t)date->unix_seconds;
    struct tm local;
    char text[64];
    if (!date->has_time || (int64_t)when != date->unix_seconds ||
        localtime_r(&when, &local) == NULL || !format_time(text, sizeof text, &local)) {
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
