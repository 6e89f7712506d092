/* baseline.h - what a program would write by hand on libcurl and cJSON, to measure the library
 * against. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- A contact ---- */

enum floor_status {
    FLOOR_STATUS_UNKNOWN,
    FLOOR_ACTIVE,
    FLOOR_PAUSED,
    FLOOR_FINISHED,
    FLOOR_INACTIVE,
    FLOOR_OUT_OF_OFFICE
};
enum floor_sub_status { FLOOR_SUB_STATUS_UNKNOWN, FLOOR_NONE, FLOOR_AUTO_REPLIED };

struct floor_date {
    const char *text; /* NULL for null */
    int64_t unix_seconds;
    bool has_time;
};

struct floor_contact {
    int64_t contact_id, sequence_id;
    const char *email, *first_name, *last_name, *company, *title;
    enum floor_status status;
    const char *status_text;
    enum floor_sub_status sub_status;
    const char *sub_status_text;
    int32_t current_step;
    struct floor_date adding_date, moving_date, next_send_after;
    bool is_opted_out;
    bool has_email_account_id, has_linkedin_account_id, has_icp_score;
    int64_t email_account_id, linkedin_account_id;
    double icp_score;
    const char *json;
};

/* Decodes a contact into one block, to be freed with free. NULL where the text is none. */
struct floor_contact *floor_decode(const char *json, size_t length);

/* ---- One by one, over one handle ---- */

struct floor_getter;

struct floor_getter *floor_open(const char *base_url, const char *ca_file);
struct floor_contact *floor_get(struct floor_getter *getter, int64_t sequence_id,
                                int64_t contact_id);
void floor_close(struct floor_getter *getter);

/* ---- Many at a time, over handles that are used again ---- */

enum { FLOOR_IN_FLIGHT = 32 };

/* Receives a contact, to be freed with free, or NULL where it could not be had. */
typedef void (*floor_contact_fn)(size_t index, struct floor_contact *contact, void *user_data);

struct floor_multi;

struct floor_multi *floor_multi_open(const char *base_url, const char *ca_file);
bool floor_multi_get(struct floor_multi *multi, int64_t sequence_id, const int64_t *contact_ids,
                     size_t count, floor_contact_fn on_contact, void *user_data);
void floor_multi_close(struct floor_multi *multi);

#endif
