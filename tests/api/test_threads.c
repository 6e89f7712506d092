/* test_threads.c - threads on one client, interrupts, fork and signals, with the real transport. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "support/child.h"
#include "support/libc_fault.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"
#include "support/check_range.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { THREADS = 8, CALLS = 3 };

static void start_thread(pthread_t *thread, void *(*function)(void *), void *context) {
    assert_int_equal(pthread_create(thread, NULL, function, context), 0);
}

/* ---- Threads on one client ---- */

struct fetcher {
    pthread_t thread;
    reply_client *client;
    const char *url; /* for clients of the thread's own */
    int64_t sequence_id;
    int count;
    int success_count;
};

/* Does not assert: only the test's own thread may. */
static void *fetch_contacts(void *context) {
    struct fetcher *fetcher = context;
    for (int64_t i = 1; i <= fetcher->count; i++) {
        reply_sequence_contact *contact = NULL;
        char email[64];
        snprintf(email, sizeof email, "%" PRId64 "@example.com", i * 1000 + fetcher->sequence_id);
        if (reply_get_sequence_contact(fetcher->client, fetcher->sequence_id,
                                       i * 1000 + fetcher->sequence_id, &contact,
                                       NULL) == REPLY_OK) {
            fetcher->success_count += contact->contact_id == i * 1000 + fetcher->sequence_id &&
                                      contact->sequence_id == fetcher->sequence_id &&
                                      strcmp(contact->email, email) == 0;
        }
        reply_sequence_contact_free(contact);
    }
    return NULL;
}

/* Joins the threads and checks that each has fetched count contacts. */
static void expect_fetched(const struct fetcher fetchers[THREADS], int count) {
    for (int i = 0; i < THREADS; i++) {
        pthread_join(fetchers[i].thread, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(fetchers[i].success_count, count);
    }
}

static void test_threads_get_their_own_contacts(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    struct fetcher fetchers[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        fetchers[i] = (struct fetcher){.client = client, .sequence_id = i + 1, .count = 100};
        start_thread(&fetchers[i].thread, fetch_contacts, &fetchers[i]);
    }
    expect_fetched(fetchers, 100);
    assert_int_equal(server_request_count(server), THREADS * 100);
    check_in_range(server_connection_count(server), 1, THREADS);
}

static void *create_fetch_and_destroy(void *context) {
    struct fetcher *fetcher = context;
    for (int i = 0; i < fetcher->count; i++) {
        reply_client *client = NULL;
        reply_sequence_contact *contact = NULL;
        if (reply_client_create(WIRE_KEY, &client, NULL) == REPLY_OK &&
            reply_client_set_base_url(client, fetcher->url, NULL) == REPLY_OK) {
            fetcher->success_count +=
                reply_get_sequence_contact(client, 1, i + 1, &contact, NULL) == REPLY_OK;
        }
        reply_sequence_contact_free(contact);
        reply_client_destroy(client);
    }
    return NULL;
}

static void test_threads_create_clients_concurrently(void **state) {
    struct server *server = server_start(RESPONSES);
    struct fetcher fetchers[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        fetchers[i] = (struct fetcher){.url = server_url(server), .count = 20};
        start_thread(&fetchers[i].thread, create_fetch_and_destroy, &fetchers[i]);
    }
    expect_fetched(fetchers, 20);
    assert_int_equal(server_connection_count(server), THREADS * 20);
}

/* Would catch a thread that sends before the Retry-After of another thread's 429 has passed. */
static void test_rate_limit_holds_every_thread(void **state) {
    static const struct server_step first[] = {
        EXPECT, SEND("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), EXPECT,
        RESPOND, REPEAT};
    struct server *server = server_start_two_scripts(first, RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    struct fetcher fetchers[THREADS];
    (void)state;
    reply_client_set_max_retries(client, 1, NULL);
    for (int i = 0; i < THREADS; i++) {
        fetchers[i] = (struct fetcher){.client = client, .sequence_id = i + 1, .count = 1};
        start_thread(&fetchers[i].thread, fetch_contacts, &fetchers[i]);
        wire_await_log("wait ", 1);
    }
    expect_fetched(fetchers, 1);
    assert_int_equal(server_request_count(server), THREADS + 1);
    for (int i = 1; i <= THREADS; i++) {
        check_in_range(server_request(server, i).at_ms - server_request(server, 0).at_ms, 1000,
                       1000 + timing_scale_ms(500));
    }
}

/* ---- Interrupts ---- */

struct call {
    pthread_t thread;
    reply_client *client;
    reply_result result;
    reply_error error;
    int64_t ended_ms;
};

static void *run_call(void *context) {
    struct call *call = context;
    reply_sequence_contact *contact = NULL;
    call->result = reply_get_sequence_contact(call->client, 100, 12345, &contact, &call->error);
    call->ended_ms = timing_now_ms();
    reply_sequence_contact_free(contact);
    return NULL;
}

/* What the calls are doing when they are interrupted. */
struct stage {
    const char *name;
    reply_client *(*create_client)(const struct stage *stage);
    void (*await)(void);
    int32_t retries;
    struct server_step steps[5];
};

/* Of the stage that is being tested. */
static struct server *stage_server;
static int full_port;

static reply_client *create_http_client(const struct stage *stage) {
    stage_server = server_start(stage->steps);
    return wire_create_client(server_url(stage_server));
}

/* The CA file is small, because libcurl cannot be interrupted during the 20 ms in which it reads
 * the system's. */
static reply_client *create_https_client(const struct stage *stage) {
    stage_server = server_start(stage->steps);
    reply_client *client = wire_create_client(server_https_url(stage_server));
    assert_int_equal(reply_client_set_ca_file(client, FIXTURES "/wire/ca.pem", NULL), REPLY_OK);
    return client;
}

static reply_client *create_connecting_client(const struct stage *stage) {
    char url[64];
    (void)stage;
    full_port = server_open_full_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v4", full_port);
    return wire_create_client(url);
}

static reply_client *create_lookup_client(const struct stage *stage) {
    (void)stage;
    return wire_create_client("https://" LIBC_FAULT_DEAD_HOST "/v4");
}

static void await_connections(void) {
    server_await_connections(stage_server, CALLS);
}

static void await_requests(void) {
    server_await_requests(stage_server, CALLS);
}

static void await_marks(void) {
    server_await_marks(stage_server, CALLS);
}

static void await_waits(void) {
    wire_await_log("wait ", CALLS);
}

static void await_connecting(void) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    while (server_count_connecting(full_port) < CALLS) {
        assert_true(timing_now_ms() < deadline);
        timing_sleep_ms(1);
    }
}

static void await_lookups(void) {
    libc_fault_await_lookups(CALLS);
}

#define SPACES_50 "                                                  "

/* clang-format off */
static const struct stage stages[] = {
    {"interrupt of connect", create_connecting_client, await_connecting, 0,
     {CLOSE}},
    {"interrupt of lookup", create_lookup_client, await_lookups, 0,
     {CLOSE}},
    {"interrupt of TLS handshake", create_https_client, await_marks, 0,
     {EXPECT_BYTES, MARK, AWAIT_CLOSE}},
    {"interrupt of unread request", create_http_client, await_connections, 0,
     {AWAIT_RELEASE}},
    {"interrupt before response", create_http_client, await_requests, 0,
     {EXPECT, AWAIT_CLOSE}},
    {"interrupt of silent body", create_http_client, await_marks, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{"), MARK, AWAIT_CLOSE}},
    {"interrupt of slow body", create_http_client, await_marks, 0,
     {EXPECT, SEND("HTTP/1.1 200 OK\r\n\r\n{"), MARK, SEND_SLOWLY(SPACES_50, 100), AWAIT_CLOSE}},
    {"interrupt of retry wait", create_http_client, await_waits, 1,
     {EXPECT, SEND("HTTP/1.1 503 No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"), REPEAT}},
    {"interrupt of rate-limit wait", create_http_client, await_waits, 1,
     {EXPECT, SEND("HTTP/1.1 429 No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"), REPEAT}},
};
/* clang-format on */

/* Starts calls, awaits the stage and interrupts them. Returns how long the last one took to end. */
static int64_t interrupt_calls(const struct stage *stage) {
    reply_client *client = stage->create_client(stage);
    struct call calls[CALLS];
    int64_t longest_ms = 0;
    reply_client_set_max_retries(client, stage->retries, NULL);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){.client = client};
        start_thread(&calls[i].thread, run_call, &calls[i]);
    }
    stage->await();
    const int64_t started_ms = timing_now_ms();
    reply_client_interrupt(client);
    for (int i = 0; i < CALLS; i++) {
        pthread_join(calls[i].thread, NULL);
    }
    for (int i = 0; i < CALLS; i++) {
        const int64_t elapsed_ms = calls[i].ended_ms - started_ms;
        assert_int_equal(calls[i].result, REPLY_ERROR_CANCELLED);
        assert_int_equal(calls[i].error.result, REPLY_ERROR_CANCELLED);
        longest_ms = elapsed_ms > longest_ms ? elapsed_ms : longest_ms;
    }
    return longest_ms;
}

/* Runs up to five times, because a loaded machine can delay any run. A run that takes a second is
 * not repeated: that is the library's fault. */
static void test_interrupt_ends_call(void **state) {
    const struct stage *stage = *state;
    const int64_t delay_ms = stage->await == await_lookups ? libc_fault_lookup_delay_ms() : 0;
    const int64_t allowed_ms = delay_ms + timing_scale_ms(50);
    int64_t elapsed_ms = allowed_ms + 1;
    for (int run = 0;
         run < 5 && elapsed_ms > allowed_ms && elapsed_ms < delay_ms + timing_scale_ms(1000);
         run++) {
        elapsed_ms = interrupt_calls(stage);
        wire_tear_down(NULL);
    }
    check_in_range(elapsed_ms, 0, allowed_ms);
}

struct many_call {
    pthread_t thread;
    reply_client *client;
    struct wire_summary summary;
};

static void *run_many_call(void *context) {
    struct many_call *call = context;
    call->summary = wire_fetch_many(call->client, 100, 50);
    return NULL;
}

/* The first connection responds twice, the others never. Would catch a contact that is delivered
 * twice or not at all. */
static void test_interrupt_cancels_undelivered_contacts(void **state) {
    struct server *server = server_start_two_scripts(
        SCRIPT(EXPECT, RESPOND, EXPECT, RESPOND, MARK, EXPECT, AWAIT_CLOSE),
        SCRIPT(EXPECT, MARK, AWAIT_CLOSE));
    struct many_call call = {.client = wire_create_client(server_url(server))};
    (void)state;
    start_thread(&call.thread, run_many_call, &call);
    server_await_requests(server, 6);
    reply_client_interrupt(call.client);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.summary.result, REPLY_ERROR_CANCELLED);
    assert_int_equal(call.summary.error.attempts, 0);
    assert_int_equal(call.summary.contact_count, 2);
    assert_int_equal(call.summary.error_counts[REPLY_ERROR_CANCELLED], 48);
    assert_true(call.summary.is_each_delivered_once);
}

static void test_interrupt_spares_later_call(void **state) {
    reply_client *client = wire_create_client_of(RESPONSES);
    (void)state;
    reply_client_interrupt(NULL);
    reply_client_interrupt(client);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    reply_client_interrupt(client);
    reply_client_interrupt(client);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
}

/* Would catch the interrupted attempt's response being read by the next call. */
static void test_call_after_interrupt_succeeds(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, AWAIT_CLOSE), RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    struct call call = {.client = client};
    (void)state;
    start_thread(&call.thread, run_call, &call);
    server_await_requests(server, 1);
    reply_client_interrupt(client);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.result, REPLY_ERROR_CANCELLED);
    server_release(server);
    assert_int_equal(wire_fetch_ids(client, 3, 4, NULL), REPLY_OK);
    assert_int_equal(wire_count_log("attempt 1 GET " WIRE_PATH ": REPLY_ERROR_CANCELLED in "), 1);
}

static void test_interrupt_spares_other_client(void **state) {
    struct server *server = server_start(SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, AWAIT_CLOSE));
    reply_client *other = wire_create_client(server_url(server));
    struct call call = {.client = wire_create_client(server_url(server))};
    (void)state;
    start_thread(&call.thread, run_call, &call);
    server_await_requests(server, 1);
    reply_client_interrupt(other);
    server_release(server);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.result, REPLY_OK);
}

struct looper {
    pthread_t thread;
    reply_client *client;
    atomic_bool *is_stopping;
    atomic_int *success_count; /* of all loopers */
    int cancelled_count, other_count;
};

static void *fetch_until_stopped(void *context) {
    struct looper *looper = context;
    for (int64_t i = 1; !atomic_load(looper->is_stopping); i++) {
        reply_sequence_contact *contact = NULL;
        const reply_result result =
            reply_get_sequence_contact(looper->client, 1, i, &contact, NULL);
        if (result == REPLY_OK && contact->contact_id == i) {
            atomic_fetch_add(looper->success_count, 1);
        }
        looper->cancelled_count += result == REPLY_ERROR_CANCELLED;
        looper->other_count += result != REPLY_OK && result != REPLY_ERROR_CANCELLED;
        reply_sequence_contact_free(contact);
    }
    return NULL;
}

/* Interrupts at any point of a call. Would catch a call that neither succeeds nor is cancelled. */
static void test_interrupted_call_succeeds_or_is_cancelled(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    struct looper loopers[THREADS];
    atomic_bool is_stopping = false;
    atomic_int success_count = 0;
    int cancelled_count = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        loopers[i] = (struct looper){
            .client = client, .is_stopping = &is_stopping, .success_count = &success_count};
        start_thread(&loopers[i].thread, fetch_until_stopped, &loopers[i]);
    }
    /* The pauses of up to 2 ms let some calls succeed, unless the machine is loaded. */
    const int64_t deadline = timing_now_ms() + timing_scale_ms(1000);
    for (int64_t i = 0; timing_now_ms() < deadline; i++) {
        const int64_t pause_us = timing_scale_ms((i % 20) * 100);
        reply_client_interrupt(client);
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_us * 1000}, NULL);
    }
    const int64_t end = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    while (atomic_load(&success_count) == 0 && timing_now_ms() < end) {
        timing_sleep_ms(1);
    }
    atomic_store(&is_stopping, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(loopers[i].thread, NULL);
        assert_int_equal(loopers[i].other_count, 0);
        cancelled_count += loopers[i].cancelled_count;
    }
    assert_true(atomic_load(&success_count) > 0);
    assert_true(cancelled_count > 0);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
}

/* ---- Fork ---- */

struct inherited {
    reply_client *client;
    const char *url;
};

/* Runs act in a child. act does not assert, and returns 0 on success. */
static void run_in_child(int (*act)(void *inherited), reply_client *client, const char *url) {
    struct inherited inherited = {client, url};
    assert_int_equal(child_run(act, &inherited), 0);
}

static int use_inherited_client(void *context) {
    const struct inherited *inherited = context;
    reply_client *client = inherited->client;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    if (reply_get_sequence_contact(client, 1, 2, &contact, &error) !=
            REPLY_ERROR_INVALID_ARGUMENT ||
        contact != NULL || error.result != REPLY_ERROR_INVALID_ARGUMENT || error.attempts != 0 ||
        strstr(error.message, "fork") == NULL) {
        return 1;
    }
    if (wire_fetch_many(client, 1, 1).result != REPLY_ERROR_INVALID_ARGUMENT) {
        return 2;
    }
    if (reply_client_set_max_retries(client, 1, &error) != REPLY_ERROR_INVALID_ARGUMENT ||
        strstr(error.message, "fork") == NULL ||
        reply_client_set_base_url(client, inherited->url, NULL) != REPLY_ERROR_INVALID_ARGUMENT ||
        reply_client_add_header(client, "X-TEAM-ID", "1", NULL) != REPLY_ERROR_INVALID_ARGUMENT ||
        reply_client_set_log(client, NULL, NULL, NULL) != REPLY_ERROR_INVALID_ARGUMENT) {
        return 3;
    }
    reply_client_interrupt(client);
    return 0;
}

static int use_and_destroy_inherited_client(void *context) {
    const struct inherited *inherited = context;
    const int failed = use_inherited_client(context);
    reply_client_destroy(inherited->client);
    return failed;
}

static int use_new_client(void *context) {
    const struct inherited *inherited = context;
    reply_client *own = NULL;
    reply_sequence_contact *contact = NULL;
    reply_client_destroy(inherited->client);
    if (reply_client_create(WIRE_KEY, &own, NULL) != REPLY_OK ||
        reply_client_set_base_url(own, inherited->url, NULL) != REPLY_OK) {
        return 1;
    }
    if (reply_get_sequence_contact(own, 5, 6, &contact, NULL) != REPLY_OK ||
        contact->contact_id != 6) {
        return 2;
    }
    reply_sequence_contact_free(contact);
    reply_client_destroy(own);
    return 0;
}

static void test_inherited_client_is_rejected(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    run_in_child(use_inherited_client, client, server_url(server)); /* before its first call */
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    run_in_child(use_inherited_client, client, server_url(server)); /* with an idle connection */
    assert_int_equal(server_request_count(server), 1);
}

static void test_child_keeps_parent_connection_open(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    run_in_child(use_and_destroy_inherited_client, client, server_url(server));
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    run_in_child(use_new_client, client, server_url(server));
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(server_request_count(server), 4);
    assert_int_equal(server_connection_count(server),
                     2); /* of the parent, and of the child's new client */
}

/* Would catch a child that ends the parent's call in progress by destroying the client. */
static void test_child_spares_call_in_progress(void **state) {
    struct server *server =
        server_start_two_scripts(SCRIPT(EXPECT, AWAIT_RELEASE, RESPOND, AWAIT_CLOSE), RESPONSES);
    struct call call = {.client = wire_create_client(server_url(server))};
    (void)state;
    start_thread(&call.thread, run_call, &call);
    server_await_requests(server, 1);
    run_in_child(use_and_destroy_inherited_client, call.client, server_url(server));
    run_in_child(use_new_client, call.client, server_url(server));
    server_release(server);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.result, REPLY_OK);
    assert_int_equal(call.error.attempts, 1);
}

/* Forks while other threads may hold the library's locks. Would catch a child that waits for one of
 * them. */
static void test_new_client_works_after_fork(void **state) {
    if (!child_works_beside_threads()) {
        skip();
    }
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    struct looper loopers[2];
    atomic_int success_count = 0;
    atomic_bool is_stopping = false;
    (void)state;
    for (int i = 0; i < 2; i++) {
        loopers[i] = (struct looper){
            .client = client, .is_stopping = &is_stopping, .success_count = &success_count};
        start_thread(&loopers[i].thread, fetch_until_stopped, &loopers[i]);
    }
    for (int i = 0; i < 20; i++) {
        run_in_child(use_new_client, client, server_url(server));
    }
    atomic_store(&is_stopping, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(loopers[i].thread, NULL);
        assert_int_equal(loopers[i].other_count + loopers[i].cancelled_count, 0);
    }
}

static void *interrupt_until_stopped(void *context) {
    struct looper *looper = context;
    while (!atomic_load(looper->is_stopping)) {
        reply_client_interrupt(looper->client);
    }
    return NULL;
}

/* The client's lock is nearly always held by a thread that the child does not have. Would catch a
 * child that waits for it. */
static void test_child_ignores_inherited_lock(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    atomic_bool is_stopping = false;
    struct looper looper = {.client = client, .is_stopping = &is_stopping};
    (void)state;
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    start_thread(&looper.thread, interrupt_until_stopped, &looper);
    for (int i = 0; i < 20; i++) {
        run_in_child(use_and_destroy_inherited_client, client, server_url(server));
    }
    atomic_store(&is_stopping, true);
    pthread_join(looper.thread, NULL);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
}

/* ---- Signals ---- */

static volatile sig_atomic_t alarm_count;
static volatile sig_atomic_t sigpipe_count;

static void count_signal(int signal) {
    if (signal == SIGALRM) {
        alarm_count++;
    } else {
        sigpipe_count++;
    }
}

/* Sends SIGALRM every interval_us, or no longer if it is 0. */
static void set_alarms(suseconds_t interval_us) {
    const struct sigaction action = {
        .sa_handler = count_signal}; /* without SA_RESTART, so that each wait ends */
    const struct itimerval timer = {{0, interval_us}, {0, interval_us}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static int stop_alarms_and_tear_down(void **state) {
    set_alarms(0);
    signal(SIGALRM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    return wire_tear_down(state);
}

static void test_wait_continues_after_signals(void **state) {
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
               EXPECT, RESPOND, AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_url(server));
    reply_error error;
    (void)state;
    reply_client_set_max_retries(client, 1, NULL);
    set_alarms(2000);
    const reply_result result = wire_fetch_one(client, &error);
    set_alarms(0);
    assert_int_equal(result, REPLY_OK);
    assert_int_equal(error.attempts, 2);
    check_in_range(server_request(server, 1).at_ms - server_request(server, 0).at_ms, 1000,
                   1000 + timing_scale_ms(300));
    assert_true(alarm_count > 50);
}

static void test_transfer_continues_after_signals(void **state) {
    struct server *server = server_start(
        SCRIPT(EXPECT, SEND_SLOWLY("HTTP/1.1 200 OK\r\n", 20), SEND("\r\n"), SEND_CONTACT(300)));
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    set_alarms(2000);
    const reply_result slow = wire_fetch_one(client, NULL);
    struct server *fast = server_start(RESPONSES);
    reply_client *other = wire_create_client(server_url(fast));
    int success_count = 0;
    for (int i = 1; i <= 50; i++) {
        success_count += wire_fetch_ids(other, 1, i, NULL) == REPLY_OK;
    }
    set_alarms(0);
    assert_int_equal(slow, REPLY_OK);
    assert_int_equal(success_count, 50);
}

static void test_signals_keep_timeout_exact(void **state) {
    struct server *server = server_start(SCRIPT(EXPECT, AWAIT_CLOSE));
    reply_client *client = wire_create_client(server_url(server));
    reply_error error;
    (void)state;
    reply_client_set_attempt_timeout_ms(client, 300, NULL);
    set_alarms(2000);
    const int64_t started_ms = timing_now_ms();
    const reply_result result = wire_fetch_one(client, &error);
    const int64_t elapsed_ms = timing_now_ms() - started_ms;
    set_alarms(0);
    assert_int_equal(result, REPLY_ERROR_TIMEOUT);
    check_in_range(elapsed_ms, 295, 300 + timing_scale_ms(200));
}

/* Adds as many headers as a client may have, each of the maximum size. */
static void add_largest_headers(reply_client *client) {
    static char value[8193];
    memset(value, 'v', sizeof value - 1);
    for (int header = 0; header < 64; header++) {
        char name[16];
        snprintf(name, sizeof name, "X-Header-%d", header);
        assert_int_equal(reply_client_add_header(client, name, value, NULL), REPLY_OK);
    }
}

/* The request is larger than the socket's buffers, and the server closes while it is being sent. */
static void test_sigpipe_is_not_raised(void **state) {
    const struct sigaction action = {.sa_handler = count_signal};
    (void)state;
    sigaction(SIGPIPE, &action, NULL);
    sigpipe_count = 0;
    for (int i = 0; i < 10; i++) {
        struct server *server =
            server_start(i % 2 == 0 ? SCRIPT(EXPECT_BYTES, RESET) : SCRIPT(EXPECT_BYTES, CLOSE));
        reply_client *client = wire_create_client(server_url(server));
        add_largest_headers(client);
        assert_int_equal(wire_fetch_one(client, NULL), REPLY_ERROR_NETWORK);
        wire_tear_down(NULL);
    }
    assert_int_equal(sigpipe_count, 0);
}

static void test_largest_request_is_sent(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    add_largest_headers(client);
    assert_int_equal(reply_client_add_header(client, "X-One-More", "", NULL),
                     REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_true(strlen(server_request(server, 0).text) > 64 * 8192);
}

static void test_signal_handling_is_unchanged(void **state) {
    struct sigaction before[32] = {0};
    sigset_t mask_before, mask_after;
    (void)state;
    for (int number = 1; number < 32; number++) {
        sigaction(number, NULL, &before[number]);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    reply_client *client = wire_create_client_of(RESPONSES);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    wire_destroy_client(client);
    client = wire_create_client("https://nonexistent.invalid/v4");
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_ERROR_NETWORK);
    for (int number = 1; number < 32; number++) {
        struct sigaction after = {0};
        sigaction(number, NULL, &after);
        assert_true(after.sa_handler == before[number].sa_handler);
        assert_int_equal(after.sa_flags, before[number].sa_flags);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int number = 1; number < 32; number++) {
        assert_int_equal(sigismember(&mask_after, number), sigismember(&mask_before, number));
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        WIRE_TEST(test_signal_handling_is_unchanged), /* first, before other tests change it */
        WIRE_TEST(test_threads_get_their_own_contacts),
        WIRE_TEST(test_threads_create_clients_concurrently),
        WIRE_TEST(test_rate_limit_holds_every_thread),
        WIRE_TEST(test_interrupt_cancels_undelivered_contacts),
        WIRE_TEST(test_interrupt_spares_later_call),
        WIRE_TEST(test_call_after_interrupt_succeeds),
        WIRE_TEST(test_interrupt_spares_other_client),
        WIRE_TEST(test_interrupted_call_succeeds_or_is_cancelled),
        WIRE_TEST(test_inherited_client_is_rejected),
        WIRE_TEST(test_child_keeps_parent_connection_open),
        WIRE_TEST(test_child_spares_call_in_progress),
        WIRE_TEST(test_new_client_works_after_fork),
        WIRE_TEST(test_child_ignores_inherited_lock),
        cmocka_unit_test_teardown(test_wait_continues_after_signals, stop_alarms_and_tear_down),
        cmocka_unit_test_teardown(test_transfer_continues_after_signals, stop_alarms_and_tear_down),
        cmocka_unit_test_teardown(test_signals_keep_timeout_exact, stop_alarms_and_tear_down),
        cmocka_unit_test_teardown(test_sigpipe_is_not_raised, stop_alarms_and_tear_down),
        WIRE_TEST(test_largest_request_is_sent),
    };
    static struct CMUnitTest all[COUNT(tests) + COUNT(stages)];
    memcpy(all, tests, sizeof tests);
    for (size_t i = 0; i < COUNT(stages); i++) {
        all[COUNT(tests) + i] = (struct CMUnitTest){.name = stages[i].name,
                                                    .test_func = test_interrupt_ends_call,
                                                    .teardown_func = wire_tear_down,
                                                    .initial_state = (void *)(uintptr_t)&stages[i]};
    }
    return cmocka_run_group_tests_name("threads", all, NULL, NULL);
}
