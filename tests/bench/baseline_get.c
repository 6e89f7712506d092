/* baseline_get.c - the baseline's requests: one easy handle for one at a time, a multi handle with
 * 32 easy handles for many. */
#include "baseline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

/* ---- A handle and its response ---- */

struct body {
    char *bytes;
    size_t length, capacity;
};

struct transfer {
    CURL *easy;
    struct body body;
    size_t index; /* of the contact to fetch */
};

static size_t on_body(char *bytes, size_t size, size_t count, void *user_data) {
    struct body *body = user_data;
    const size_t length = size * count;
    if (body->length + length > body->capacity) {
        const size_t capacity = 2 * (body->length + length);
        char *larger = realloc(body->bytes, capacity);
        if (larger == NULL) {
            return 0;
        }
        body->bytes = larger;
        body->capacity = capacity;
    }
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    return length;
}

static struct curl_slist *make_headers(void) {
    struct curl_slist *headers =
        curl_slist_append(NULL, "X-API-Key: 0123456789abcdef0123456789abcdef");
    headers = curl_slist_append(headers, "Accept: application/json");
    return curl_slist_append(headers, "User-Agent: bench/1.0 libcurl/" LIBCURL_VERSION);
}

/* Sets the options that are the same for all requests. No proxy, because the library does not use
 * one for a loopback host. */
static bool open_transfer(struct transfer *transfer, struct curl_slist *headers,
                          const char *ca_file) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return false;
    }
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer->body);
    /* As the library does: many servers compress if they may. */
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    transfer->easy = easy;
    return true;
}

static void close_transfer(struct transfer *transfer) {
    curl_easy_cleanup(transfer->easy);
    free(transfer->body.bytes);
}

static void set_url(struct transfer *transfer, const char *base_url, int64_t sequence_id,
                    int64_t contact_id) {
    char url[256];
    snprintf(url, sizeof url, "%s/sequences/%" PRId64 "/contacts/%" PRId64, base_url, sequence_id,
             contact_id);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    transfer->body.length = 0;
}

static struct baseline_contact *decode_response(const struct transfer *transfer, CURLcode code) {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return code == CURLE_OK && status == 200
               ? baseline_decode(transfer->body.bytes, transfer->body.length)
               : NULL;
}

/* ---- One by one ---- */

struct baseline_getter {
    const char *base_url;
    struct curl_slist *headers;
    struct transfer transfer;
};

struct baseline_getter *baseline_open(const char *base_url, const char *ca_file) {
    struct baseline_getter *getter = calloc(1, sizeof *getter);
    if (getter != NULL) {
        getter->base_url = base_url;
        getter->headers = make_headers();
        if (!open_transfer(&getter->transfer, getter->headers, ca_file)) {
            baseline_close(getter);
            return NULL;
        }
    }
    return getter;
}

struct baseline_contact *baseline_get(struct baseline_getter *getter, int64_t sequence_id,
                                      int64_t contact_id) {
    set_url(&getter->transfer, getter->base_url, sequence_id, contact_id);
    return decode_response(&getter->transfer, curl_easy_perform(getter->transfer.easy));
}

void baseline_close(struct baseline_getter *getter) {
    close_transfer(&getter->transfer);
    curl_slist_free_all(getter->headers);
    free(getter);
}

/* ---- Many at a time ---- */

struct baseline_multi {
    CURLM *multi;
    const char *base_url;
    struct curl_slist *headers;
    struct transfer transfers[BASELINE_IN_FLIGHT];
};

struct baseline_multi *baseline_multi_open(const char *base_url, const char *ca_file) {
    struct baseline_multi *multi = calloc(1, sizeof *multi);
    if (multi == NULL) {
        return NULL;
    }
    bool is_open = true;
    multi->base_url = base_url;
    multi->headers = make_headers();
    multi->multi = curl_multi_init();
    for (size_t i = 0; i < BASELINE_IN_FLIGHT; i++) {
        is_open = is_open && open_transfer(&multi->transfers[i], multi->headers, ca_file);
    }
    if (!is_open || multi->multi == NULL) {
        baseline_multi_close(multi);
        return NULL;
    }
    return multi;
}

void baseline_multi_close(struct baseline_multi *multi) {
    for (size_t i = 0; i < BASELINE_IN_FLIGHT; i++) {
        close_transfer(&multi->transfers[i]);
    }
    curl_multi_cleanup(multi->multi);
    curl_slist_free_all(multi->headers);
    free(multi);
}

struct batch {
    struct baseline_multi *multi;
    int64_t sequence_id;
    const int64_t *contact_ids;
    size_t count, next;
    baseline_contact_fn on_contact;
    void *user_data;
};

static void start_next(struct batch *batch, struct transfer *transfer) {
    if (batch->next < batch->count) {
        transfer->index = batch->next++;
        set_url(transfer, batch->multi->base_url, batch->sequence_id,
                batch->contact_ids[transfer->index]);
        curl_multi_add_handle(batch->multi->multi, transfer->easy);
    }
}

/* Delivers all finished transfers and starts as many new ones. Returns their number. */
static size_t deliver_finished(struct batch *batch) {
    size_t finished = 0;
    int left = 0;
    for (const CURLMsg *message = NULL;
         (message = curl_multi_info_read(batch->multi->multi, &left)) != NULL; finished++) {
        char *private = NULL;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct transfer *transfer = (struct transfer *)(void *)private;
        curl_multi_remove_handle(batch->multi->multi, transfer->easy);
        batch->on_contact(transfer->index, decode_response(transfer, code), batch->user_data);
        start_next(batch, transfer);
    }
    return finished;
}

bool baseline_multi_get(struct baseline_multi *multi, int64_t sequence_id,
                        const int64_t *contact_ids, size_t count, baseline_contact_fn on_contact,
                        void *user_data) {
    struct batch batch = {multi, sequence_id, contact_ids, count, 0, on_contact, user_data};
    size_t finished = 0;
    int running = 0;
    for (size_t i = 0; i < BASELINE_IN_FLIGHT; i++) {
        start_next(&batch, &multi->transfers[i]);
    }
    while (finished < count) {
        if (curl_multi_perform(multi->multi, &running) != CURLM_OK) {
            return false;
        }
        const size_t now_finished = deliver_finished(&batch);
        finished += now_finished;
        /* Perform the new transfers before waiting. */
        if (now_finished == 0 && curl_multi_poll(multi->multi, NULL, 0, 1000, NULL) != CURLM_OK) {
            return false;
        }
    }
    return true;
}
