/* session.c - the multi handle: its transfers, waits and connections.
 * libcurl's multi interface is used because nothing else of libcurl can be woken by another thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "transport/compat.h"
#include "transport/transfer.h"
#include "transport/transport.h"
#include "transport/url.h"

struct transport_session {
    CURLM *multi;
    bool is_broken; /* libcurl failed: no transfer waits for a connection, and no other call is
                       served */
    const struct transport_settings *settings;
    struct curl_slist *headers; /* over the settings' lines, not copies: they hold the key */
    int32_t slot_count;
    struct transfer transfers[];
};

/* ---- Opening and closing ---- */

/* Makes the list that libcurl takes headers as, over lines that stay in the settings. Returns NULL
 * if out of memory. */
static struct curl_slist *list_headers(const struct transport_settings *settings) {
    struct curl_slist *list = calloc(settings->header_count, sizeof *list);
    for (size_t i = 0; list != NULL && i < settings->header_count; i++) {
        list[i].data = settings->headers[i];
        list[i].next = i + 1 < settings->header_count ? &list[i + 1] : NULL;
    }
    return list;
}

static void free_session(struct transport_session *session) {
    for (int32_t i = 0; i < session->slot_count; i++) {
        transfer_free_buffers(&session->transfers[i]);
    }
    free(session->headers);
    free(session);
}

static struct transport_session *open_session(const struct transport_settings *settings,
                                              int32_t slot_count) {
    struct transport_session *session =
        calloc(1, sizeof *session + (size_t)slot_count * sizeof session->transfers[0]);
    if (session == NULL) {
        return NULL;
    }
    session->settings = settings;
    session->slot_count = slot_count;
    session->headers = list_headers(settings);
    session->multi = session->headers != NULL ? curl_multi_init() : NULL;
    /* Without free file descriptors libcurl makes a handle that cannot be woken, so that no
     * interrupt would reach it. */
    if (session->multi == NULL || curl_multi_wakeup(session->multi) != CURLM_OK) {
        curl_multi_cleanup(session->multi);
        free_session(session);
        return NULL;
    }
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)slot_count);
    return session;
}

static void close_session(struct transport_session *session, bool is_inherited) {
    if (!is_inherited) {
        for (int32_t i = 0; i < session->slot_count; i++) {
            curl_easy_cleanup(session->transfers[i].easy);
        }
        curl_multi_cleanup(session->multi);
    }
    free_session(session);
}

static bool is_reusable(const struct transport_session *session) {
    return !session->is_broken;
}

static void wake(struct transport_session *session) {
    curl_multi_wakeup(session->multi);
}

/* ---- Starting and cancelling ---- */

/* Adds a transfer to the multi handle. It may wait for a connection that another transfer opens,
 * except over plain http, where no connection carries two, and after a failure. */
static CURLcode add(const struct transport_session *session, struct transfer *transfer) {
    CURLcode code = transfer_set_can_wait(transfer, transfer->is_https && !session->is_broken);
    if (code == CURLE_OK) {
        const CURLMcode multi_code = curl_multi_add_handle(session->multi, transfer->easy);
        code = multi_code == CURLM_OK              ? CURLE_OK
               : multi_code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
                                                   : CURLE_FAILED_INIT;
    }
    return code;
}

static void start(struct transport_session *session, int32_t slot,
                  const struct transport_request *request) {
    const int64_t now = clock_now_ms();
    struct transfer *transfer = &session->transfers[slot];
    transfer_reset(transfer, request);
    timer_start(&transfer->timer, now, request->timeout_ms, request->deadline_ms);
    timer_pause(&transfer->timer, now);
    transfer->start_failure =
        transfer_configure(transfer, session->settings, session->headers, request->url);
    if (transfer->start_failure == CURLE_OK) {
        transfer->start_failure = add(session, transfer);
    }
    transfer->is_in_flight = true;
}

static void cancel(struct transport_session *session, int32_t slot) {
    struct transfer *transfer = &session->transfers[slot];
    if (transfer->start_failure == CURLE_OK) {
        curl_multi_remove_handle(session->multi, transfer->easy);
    }
    if (!compat_can_reuse_handle()) {
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
    transfer->is_in_flight = false;
}

/* If a connection fails, libcurl lets the transfers waiting for it try in turn, each with the full
 * connect timeout. Restarts them so that each opens its own. */
static void end_waiting(struct transport_session *session) {
    session->is_broken = true;
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer_is_waiting(transfer)) {
            curl_multi_remove_handle(session->multi, transfer->easy);
            transfer->start_failure = add(session, transfer);
        }
    }
}

/* ---- Ending ---- */

/* Frees the slot of a transfer that libcurl has ended with a code, and describes its outcome. */
static int32_t finish(struct transport_session *session, int32_t slot, CURLcode code,
                      struct transport_response *response) {
    transfer_describe(&session->transfers[slot], code, response);
    cancel(session, slot);
    /* CURLE_WRITE_ERROR comes from the transfer's own limits, not from the connection. */
    if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
        end_waiting(session);
    }
    return slot;
}

/* Ends a transfer that libcurl has finished, or that could not start. Returns its slot, or -1 if
 * there is none. */
static int32_t end_finished(struct transport_session *session,
                            struct transport_response *response) {
    int messages_left = 0;
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct transfer *transfer = &session->transfers[i];
        if (transfer->is_in_flight && transfer->start_failure != CURLE_OK) {
            return finish(session, i, transfer->start_failure, response);
        }
    }
    const CURLMsg *message = curl_multi_info_read(session->multi, &messages_left);
    for (int32_t i = 0; message != NULL && i < session->slot_count; i++) {
        if (message->easy_handle == session->transfers[i].easy) {
            return finish(session, i, message->data.result, response);
        }
    }
    return -1;
}

/* Ends one transfer after libcurl's loop itself has failed, so that each ends in turn. Returns its
 * slot. If no transfer is left, sleeps briefly to avoid a busy loop, and returns -1. */
static int32_t give_up(struct transport_session *session, CURLMcode code,
                       struct transport_response *response) {
    session->is_broken = true;
    for (int32_t i = 0; i < session->slot_count; i++) {
        if (session->transfers[i].is_in_flight) {
            transfer_describe_failure(
                response, code == CURLM_OUT_OF_MEMORY ? REPLY_ERROR_NO_MEMORY : REPLY_ERROR_NETWORK,
                CURLE_OK, curl_multi_strerror(code));
            cancel(session, i);
            return i;
        }
    }
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return -1;
}

/* Ends a transfer whose time is over. If there is none, returns -1 and shortens *timeout_ms to the
 * end of the next one. libcurl's own timeout is not used: it discards what has arrived in the
 * meantime, and does not run while a transfer waits for another's connection. */
static int32_t end_overdue(struct transport_session *session, int64_t *timeout_ms,
                           struct transport_response *response) {
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        const struct transfer *transfer = &session->transfers[i];
        if (!transfer->is_in_flight) {
            continue;
        }
        const int64_t left_ms = timer_left_ms(&transfer->timer, now);
        if (left_ms <= 0) {
            return finish(session, i, CURLE_OPERATION_TIMEDOUT, response);
        }
        if (*timeout_ms < 0 || left_ms < *timeout_ms) {
            *timeout_ms = left_ms;
        }
    }
    return -1;
}

/* ---- Waiting ---- */

/* Lets libcurl do what it can without waiting, and ends a transfer that is over. Returns its slot,
 * or -1 if there is none, with *timeout_ms shortened to the end of the next one. */
static int32_t step(struct transport_session *session, int64_t *timeout_ms,
                    struct transport_response *response) {
    int running = 0;
    int32_t slot = end_finished(session, response);
    if (slot >= 0) {
        return slot;
    }
    errno = 0;
    const CURLMcode code = curl_multi_perform(session->multi, &running);
    if (code != CURLM_OK) {
        return give_up(session, code, response);
    }
    slot = end_finished(session, response);
    return slot >= 0 ? slot : end_overdue(session, timeout_ms, response);
}

/* Applies timer_pause or timer_resume to all transfers: the time between two waits is the host's.
 */
static void switch_timers(struct transport_session *session,
                          void (*change)(struct timer *timer, int64_t now_ms)) {
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        if (session->transfers[i].is_in_flight) {
            change(&session->transfers[i].timer, now);
        }
    }
}

static int32_t wait_for_one(struct transport_session *session, int64_t timeout_ms,
                            struct transport_response *response) {
    switch_timers(session, timer_resume);
    int32_t slot = step(session, &timeout_ms, response);
    if (slot < 0) {
        const int limit = timeout_ms < 0 || timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
        const CURLMcode code = curl_multi_poll(session->multi, NULL, 0, limit, NULL);
        slot = code == CURLM_OK ? -1 : give_up(session, code, response);
    }
    switch_timers(session, timer_pause);
    return slot;
}

const struct transport transport_libcurl = {
    .prepare = compat_prepare,
    .version = compat_version,
    .parse_base_url = url_parse_base_url,
    .check_proxy = url_check_proxy,
    .open = open_session,
    .start = start,
    .wait = wait_for_one,
    .cancel = cancel,
    .wake = wake,
    .is_reusable = is_reusable,
    .close = close_session,
};
