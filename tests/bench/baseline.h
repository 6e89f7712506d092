/* baseline.h - the baseline: code that a program would write by hand on libcurl and cJSON. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- A contact ---- */

enum baseline_status {
    BASELINE_STATUS_UNKNOWN,
    BASELINE_ACTIVE,
    BASELINE_PAUSED,
    BASELINE_FINISHED,
    BASELINE_INACTIVE,
    BASELINE_OUT_OF_OFFICE
};
enum baseline_sub_status { BASELINE_SUB_STATUS_UNKNOWN, BASELINE_NONE, BASELINE_AUTO_REPLIED };

struct baseline_date {
    const char *text; /* NULL for null */
    int64_t unix_seconds;
    bool has_time;
};

struct baseline_contact {
    int64_t contact_id, sequence_id;
    const char *email, *first_name, *last_name, *company, *title;
    enum baseline_status status;
    const char *status_text;
    enum baseline_sub_status sub_status;
    const char *sub_status_text;
    int32_t current_step;
    struct baseline_date adding_date, moving_date, next_send_after;
    bool is_opted_out;
    bool has_email_account_id, has_linkedin_account_id, has_icp_score;
    int64_t email_account_id, linkedin_account_id;
    double icp_score;
    const char *json;
};

/* Decodes a contact into one block, which the caller frees with free. Returns NULL if the text is
 * not a JSON object or if out of memory. */
struct baseline_contact *baseline_decode(const char *json, size_t length);

/* A page of the list. */
struct baseline_page {
    bool has_more;
    size_t count;
    struct baseline_contact *contacts[]; /* without their json */
};

/* Decodes a page, which the caller frees with free, like each of its contacts. Returns NULL if the
 * text is not a page or if out of memory. */
struct baseline_page *baseline_decode_page(const char *json, size_t length);

/* ---- One by one, on one handle ---- */

struct baseline_getter;

struct baseline_getter *baseline_open(const char *base_url, const char *ca_file);
struct baseline_contact *baseline_get(struct baseline_getter *getter, int64_t sequence_id,
                                      int64_t contact_id);
void baseline_close(struct baseline_getter *getter);

/* ---- The list and many at a time, on reused handles ---- */

enum { BASELINE_IN_FLIGHT = 32, BASELINE_PAGE_SIZE = 1000 };

/* Receives a contact, which the function frees with free, or NULL if the fetch failed. */
typedef void (*baseline_contact_fn)(size_t index, struct baseline_contact *contact,
                                    void *user_data);

/* Gets all contacts of a sequence, page by page, as if the list did not change. */
bool baseline_list(struct baseline_getter *getter, int64_t sequence_id,
                   baseline_contact_fn on_contact, void *user_data);

struct baseline_multi;

struct baseline_multi *baseline_multi_open(const char *base_url, const char *ca_file);
bool baseline_multi_get(struct baseline_multi *multi, int64_t sequence_id,
                        const int64_t *contact_ids, size_t count, baseline_contact_fn on_contact,
                        void *user_data);
void baseline_multi_close(struct baseline_multi *multi);

#endif
