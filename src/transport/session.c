/* session.c - the multi handle: its transfers, waits and connections.
 * libcurl's multi interface is used because nothing else of libcurl can be woken by another thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "transport/compat.h"
#include "transport/transfer.h"
#include "transport/transport.h"
#include "transport/url.h"

struct transport_session {
    CURLM *multi;
    bool is_broken;    /* libcurl failed: no transfer waits for a connection, and no other call is
                          served */
    CURLMcode failure; /* of libcurl's loop itself, from which every transfer ends */
    struct transfer_group group;
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

static size_t sum_header_sizes(const struct transport_settings *settings) {
    size_t size = 0;
    for (size_t i = 0; i < settings->header_count; i++) {
        size += strlen(settings->headers[i]);
    }
    return size;
}

static void free_session(struct transport_session *session) {
    for (int32_t i = 0; i < session->slot_count; i++) {
        transfer_free_buffers(&session->transfers[i]);
    }
    connection_free_list(session->group.connections);
    free(session->group.headers);
    free(session);
}

static struct transport_session *open_session(const struct transport_settings *settings,
                                              int32_t slot_count) {
    struct transport_session *session =
        calloc(1, sizeof *session + (size_t)slot_count * sizeof session->transfers[0]);
    if (session == NULL) {
        return NULL;
    }
    session->slot_count = slot_count;
    session->group.settings = settings;
    session->group.headers = list_headers(settings);
    session->group.header_size = sum_header_sizes(settings);
    session->group.is_https = strncmp(settings->base_url.text, "https:", strlen("https:")) == 0;
    for (int32_t i = 0; i < slot_count; i++) {
        session->transfers[i].group = &session->group;
    }
    session->multi = session->group.headers != NULL ? curl_multi_init() : NULL;
    /* Without free file descriptors libcurl makes a handle that cannot be woken, so that no
     * interrupt would reach it. */
    if (session->multi == NULL || curl_multi_wakeup(session->multi) != CURLM_OK) {
        curl_multi_cleanup(session->multi);
        free_session(session);
        return NULL;
    }
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)slot_count);
    compat_configure_multi(session->multi);
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
    atomic_store(&session->group.is_woken, true);
    curl_multi_wakeup(session->multi);
}

/* ---- Connections ---- */

static bool has_user(struct transport_session *session, const struct connection *connection) {
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer->is_added && transfer_local_port(transfer) == connection->local_port) {
            return true;
        }
    }
    return false;
}

/* Shuts down each retired connection on which no transfer is in flight any more. */
static void shut_down_retired(struct transport_session *session) {
    for (struct connection *connection = session->group.connections; connection != NULL;
         connection = connection->next) {
        if (connection->state == CONNECTION_RETIRED && !has_user(session, connection)) {
            connection_shut_down(connection);
        }
    }
}

static void retire_connection(struct transport_session *session, struct transfer *transfer) {
    struct connection *connection =
        connection_find(session->group.connections, transfer_local_port(transfer));
    if (connection != NULL && connection->state == CONNECTION_GOOD) {
        connection->state = CONNECTION_RETIRED;
    }
}

static void retire(struct transport_session *session, int32_t slot) {
    retire_connection(session, &session->transfers[slot]);
    shut_down_retired(session);
}

/* Returns true if a new transfer could get onto a connection that is retired. */
static bool has_retired(const struct transport_session *session) {
    for (const struct connection *connection = session->group.connections; connection != NULL;
         connection = connection->next) {
        if (connection->state == CONNECTION_RETIRED && !connection->is_http1) {
            return true;
        }
    }
    return false;
}

/* ---- Starting and cancelling ---- */

/* Adds a transfer to the multi handle. It may wait for a connection that another transfer opens,
 * except over plain http, where no connection carries two, and after a failure. */
static void add(const struct transport_session *session, struct transfer *transfer) {
    const bool is_fresh = has_retired(session);
    CURLcode code = transfer_set_connection(
        transfer, session->group.is_https && !session->is_broken && !is_fresh, is_fresh);
    if (code == CURLE_OK) {
        const CURLMcode multi_code = curl_multi_add_handle(session->multi, transfer->easy);
        code = multi_code == CURLM_OK              ? CURLE_OK
               : multi_code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
                                                   : CURLE_FAILED_INIT;
    }
    transfer->start_failure = code;
    transfer->is_added = code == CURLE_OK;
}

/* Returns false if libcurl does not give the handle back. */
static bool remove_from_multi(struct transport_session *session, struct transfer *transfer) {
    const bool is_removed =
        !transfer->is_added || curl_multi_remove_handle(session->multi, transfer->easy) == CURLM_OK;
    transfer->is_added = !is_removed;
    return is_removed;
}

/* All timers are paused between waits. */
static void start_connect_timer(struct transfer *transfer, int64_t now) {
    transfer_start_connecting(transfer, now);
    timer_pause(&transfer->connect_timer, now);
}

static void start(struct transport_session *session, int32_t slot,
                  const struct transport_request *request) {
    const int64_t now = clock_now_ms();
    struct transfer *transfer = &session->transfers[slot];
    transfer_reset(transfer, request);
    timer_start(&transfer->timer, now, request->timeout_ms, request->deadline_ms);
    timer_pause(&transfer->timer, now);
    start_connect_timer(transfer, now);
    transfer->start_failure = transfer_configure(transfer, request->url);
    if (transfer->start_failure == CURLE_OK) {
        add(session, transfer);
    }
    transfer->is_in_flight = true;
}

static void cancel(struct transport_session *session, int32_t slot) {
    struct transfer *transfer = &session->transfers[slot];
    session->group.hold_count -= transfer->holds_others ? 1 : 0;
    transfer->holds_others = false;
    if (!remove_from_multi(session, transfer) ||
        !compat_can_reuse_handle(transfer->http_status != 0)) {
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
        transfer->is_added = false;
    }
    transfer->is_in_flight = false;
    shut_down_retired(session);
}

/* Takes a transfer from libcurl for a new start. */
static bool take_back(struct transport_session *session, struct transfer *transfer) {
    if (!remove_from_multi(session, transfer)) {
        transfer->start_failure = CURLE_FAILED_INIT;
    }
    return transfer->start_failure == CURLE_OK;
}

static bool recall(struct transport_session *session, int32_t slot) {
    struct transfer *transfer = &session->transfers[slot];
    if (transfer_is_sent(transfer) || transfer->was_sent) {
        transfer->is_recalled = true;
        return false;
    }
    cancel(session, slot);
    return true;
}

/* If a connection fails, libcurl lets the transfers waiting for it try in turn, each with the full
 * connect timeout. Restarts them so that each opens its own. */
static void end_waiting(struct transport_session *session) {
    const int64_t now = clock_now_ms();
    session->is_broken = true;
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer_is_waiting(transfer) && take_back(session, transfer)) {
            start_connect_timer(transfer, now);
            add(session, transfer);
        }
    }
}

/* ---- Ending ---- */

/* Frees the slot of a transfer that has ended with a code, and describes its outcome. */
static int32_t finish(struct transport_session *session, int32_t slot, CURLcode code,
                      bool is_connection_bad, struct transport_response *response) {
    transfer_note_connection(&session->transfers[slot]);
    transfer_describe(&session->transfers[slot], code, response);
    cancel(session, slot);
    if (is_connection_bad) {
        end_waiting(session);
    }
    return slot;
}

/* CURLE_WRITE_ERROR comes from the transfer's own limits, not from the connection. */
static int32_t finish_with(struct transport_session *session, int32_t slot, CURLcode code,
                           struct transport_response *response) {
    return finish(session, slot, code, code != CURLE_OK && code != CURLE_WRITE_ERROR, response);
}

/* Ends a transfer whose time is over. If nothing has arrived in the session since it started, or if
 * only the deadline has ended it, no later request can trust its connection. */
static int32_t finish_overdue(struct transport_session *session, int32_t slot, int64_t now,
                              struct transport_response *response) {
    struct transfer *transfer = &session->transfers[slot];
    if (transfer->arrival_count == session->group.arrival_count ||
        transfer->timer.deadline_ms <= now) {
        retire_connection(session, transfer);
    }
    return finish(session, slot, CURLE_OPERATION_TIMEDOUT, !transfer_is_sent(transfer), response);
}

/* Ends a transfer after libcurl's loop itself has failed. */
static int32_t give_up(struct transport_session *session, int32_t slot,
                       struct transport_response *response) {
    const reply_result result =
        session->failure == CURLM_OUT_OF_MEMORY ? REPLY_ERROR_NO_MEMORY : REPLY_ERROR_NETWORK;
    transfer_describe_failure(
        response, result, CURLE_OK,
        result == REPLY_ERROR_NO_MEMORY ? "memory" : curl_multi_strerror(session->failure));
    response->is_transient = result == REPLY_ERROR_NETWORK;
    cancel(session, slot);
    return slot;
}

/* Returns true if a request must not be sent again, which libcurl was about to do. */
static bool is_lost(const struct transfer *transfer) {
    return transfer->hold == TRANSFER_IS_HELD && transfer->was_sent;
}

/* Returns true if libcurl has ended a transfer that goes on: one that must not be sent now, must
 * not be sent on the connection that libcurl chose, or is connecting and has time left, because
 * libcurl counts the host's time. */
static bool goes_on(struct transfer *transfer, CURLcode code) {
    const bool is_put_aside = code == CURLE_ABORTED_BY_CALLBACK &&
                              transfer->hold != TRANSFER_GOES_ON && !is_lost(transfer);
    const bool is_connecting = code == CURLE_OPERATION_TIMEDOUT && !transfer_is_sent(transfer);
    return is_put_aside || (is_connecting && transfer_left_ms(transfer, clock_now_ms()) > 0);
}

static void restart(struct transport_session *session, struct transfer *transfer) {
    if (take_back(session, transfer) && transfer->hold != TRANSFER_IS_HELD) {
        add(session, transfer);
    }
}

static struct transfer *find_transfer(struct transport_session *session, const CURL *easy) {
    struct transfer *transfer = session->transfers;
    while (transfer->easy != easy) {
        transfer++;
    }
    return transfer;
}

/* Ends a transfer that libcurl has ended with a code. Only one that was overdue or must not be sent
 * again has been aborted. */
static int32_t finish_ended(struct transport_session *session, int32_t slot, CURLcode code,
                            struct transport_response *response) {
    struct transfer *transfer = &session->transfers[slot];
    if (code != CURLE_ABORTED_BY_CALLBACK) {
        return finish_with(session, slot, code, response);
    }
    if (is_lost(transfer)) {
        transfer->error_text[0] = '\0'; /* "Callback aborted" */
        return finish_with(session, slot, CURLE_GOT_NOTHING, response);
    }
    return finish_overdue(session, slot, clock_now_ms(), response);
}

/* Ends the next transfer that libcurl has finished. Returns its slot, or -1 if there is none. */
static int32_t end_finished(struct transport_session *session,
                            struct transport_response *response) {
    int messages_left = 0;
    const CURLMsg *message = curl_multi_info_read(session->multi, &messages_left);
    while (message != NULL) {
        struct transfer *transfer = find_transfer(session, message->easy_handle);
        const int32_t slot = (int32_t)(transfer - session->transfers);
        if (!goes_on(transfer, message->data.result)) {
            return finish_ended(session, slot, message->data.result, response);
        }
        restart(session, transfer);
        message = curl_multi_info_read(session->multi, &messages_left);
    }
    return -1;
}

static int32_t collect(struct transport_session *session, struct transport_response *response) {
    const int32_t slot = session->failure == CURLM_OK ? end_finished(session, response) : -1;
    if (slot >= 0) {
        return slot;
    }
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (!transfer->is_in_flight) {
            continue;
        }
        if (session->failure != CURLM_OK) {
            return give_up(session, i, response);
        }
        if (transfer->start_failure != CURLE_OK) {
            return finish_with(session, i, transfer->start_failure, response);
        }
        if (transfer_left_ms(transfer, now) <= 0) {
            return finish_overdue(session, i, now, response);
        }
    }
    return -1;
}

/* ---- Waiting ---- */

/* The time between two waits is the host's, and a transfer that is held back has no time of its
 * own.
 */
static void resume_timers(struct transport_session *session) {
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer->is_in_flight && transfer->hold != TRANSFER_IS_HELD) {
            const bool is_extended = now > transfer->timer.paused_ms;
            timer_resume(&transfer->timer, now);
            timer_resume(&transfer->connect_timer, now);
            if (is_extended && transfer->is_added && !transfer_is_sent(transfer)) {
                transfer_extend_connect(transfer);
            }
        }
    }
}

static void pause_timers(struct transport_session *session) {
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer->is_in_flight && transfer->timer.paused_ms < 0) {
            timer_pause(&transfer->timer, now);
            timer_pause(&transfer->connect_timer, now);
        }
    }
}

/* Gives libcurl the transfers that were put aside, if nothing stops their sending any more. */
static void release_held(struct transport_session *session) {
    for (int32_t i = 0; i < session->slot_count && session->group.hold_count == 0; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer->is_in_flight && transfer->hold == TRANSFER_IS_HELD) {
            add(session, transfer);
        }
    }
}

/* Returns the time until a transfer is over or overdue, at most timeout_ms (-1: no limit): 0 if one
 * is over already. libcurl's own timeout is not used: it discards what has arrived in the meantime,
 * and does not run while a transfer waits for another's connection. */
static int64_t time_to_poll(struct transport_session *session, int64_t timeout_ms) {
    const int64_t now = clock_now_ms();
    for (int32_t i = 0; i < session->slot_count; i++) {
        struct transfer *transfer = &session->transfers[i];
        if (transfer->is_in_flight) {
            const int64_t left_ms =
                transfer->start_failure == CURLE_OK ? transfer_left_ms(transfer, now) : 0;
            timeout_ms = timeout_ms < 0 || left_ms < timeout_ms ? left_ms : timeout_ms;
        }
    }
    return timeout_ms;
}

/* Notes a failure of libcurl's loop. A short sleep avoids a busy loop if no transfer is left. */
static void note_failure(struct transport_session *session, CURLMcode code) {
    session->failure = code;
    session->is_broken = true;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* libcurl can forget that it has read from an HTTP/2 connection for another transfer, until it is
 * called again. */
enum { MAX_POLL_MS = 500 };

static CURLMcode poll_sockets(const struct transport_session *session, int64_t timeout_ms,
                              bool is_in_flight) {
    const int64_t limit_ms = is_in_flight ? MAX_POLL_MS : INT_MAX;
    return curl_multi_poll(
        session->multi, NULL, 0,
        timeout_ms < 0 || timeout_ms > limit_ms ? (int)limit_ms : (int)timeout_ms, NULL);
}

static void wait_for_transfer(struct transport_session *session, int64_t timeout_ms) {
    int running_count = 0;
    int in_flight_count = 0;
    release_held(session);
    resume_timers(session);
    errno = 0;
    session->failure = CURLM_OK;
    CURLMcode code = curl_multi_perform(session->multi, &running_count);
    for (int32_t i = 0; i < session->slot_count; i++) {
        in_flight_count += session->transfers[i].is_added ? 1 : 0;
    }
    if (code == CURLM_OK && running_count == in_flight_count) {
        timeout_ms = time_to_poll(session, timeout_ms);
        if (timeout_ms != 0) {
            code = poll_sockets(session, timeout_ms, in_flight_count > 0);
        }
    }
    if (code != CURLM_OK) {
        note_failure(session, code);
    }
    atomic_store(&session->group.is_woken, false);
    pause_timers(session);
}

/* ---- The table: what may write to a connection, without SIGPIPE ---- */

static void wait_quietly(struct transport_session *session, int64_t timeout_ms) {
    struct compat_signals signals;
    compat_block_sigpipe(&signals);
    wait_for_transfer(session, timeout_ms);
    compat_restore_sigpipe(&signals);
}

static int32_t collect_quietly(struct transport_session *session,
                               struct transport_response *response) {
    struct compat_signals signals;
    compat_block_sigpipe(&signals);
    const int32_t slot = collect(session, response);
    compat_restore_sigpipe(&signals);
    return slot;
}

static bool recall_quietly(struct transport_session *session, int32_t slot) {
    struct compat_signals signals;
    compat_block_sigpipe(&signals);
    const bool is_recalled = recall(session, slot);
    compat_restore_sigpipe(&signals);
    return is_recalled;
}

static void cancel_quietly(struct transport_session *session, int32_t slot) {
    struct compat_signals signals;
    compat_block_sigpipe(&signals);
    cancel(session, slot);
    compat_restore_sigpipe(&signals);
}

static void close_quietly(struct transport_session *session, bool is_inherited) {
    struct compat_signals signals;
    compat_block_sigpipe(&signals);
    close_session(session, is_inherited);
    compat_restore_sigpipe(&signals);
}

const struct transport transport_libcurl = {
    .prepare = compat_prepare,
    .version = compat_version,
    .parse_base_url = url_parse_base_url,
    .check_proxy = url_check_proxy,
    .open = open_session,
    .start = start,
    .wait = wait_quietly,
    .collect = collect_quietly,
    .recall = recall_quietly,
    .cancel = cancel_quietly,
    .retire = retire,
    .wake = wake,
    .is_reusable = is_reusable,
    .close = close_quietly,
};
