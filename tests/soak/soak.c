/* soak.c - calls over HTTP/1.1 and HTTP/2 for a while, with random faults, slow callbacks,
 * interrupts and connections that fall silent. Each contact must be delivered once and be the
 * requested one, and nothing may be sent after a limit. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replyio.h"
#include "soak/fault_server.h"
#include "support/nginx.h"
#include "support/scripted_server.h"
#include "support/timing.h"
#include "support/wire.h"

enum { WORKERS = 6, MAX_IDS = 60, CALLS_PER_CLIENT = 25 };

struct worker {
    pthread_t thread, interrupter;
    int64_t sequence_id;
    unsigned seed, interrupter_seed;
    char url[96];
    char ca_path[128];    /* "": plain HTTP/1.1 */
    pthread_mutex_t lock; /* guards the client pointer */
    reply_client *client;
    int64_t ids[MAX_IDS];
    int delivered[MAX_IDS]; /* in the call in progress */
    int call_count, interrupt_count, contact_count;
    int counts[WIRE_RESULT_COUNT]; /* of deliveries */
};

static atomic_bool is_over;
static int64_t duration_ms = 60000;

static _Noreturn void report(const struct worker *worker, const char *what, int64_t id) {
    fprintf(stderr, "sequence %" PRId64 ", contact %" PRId64 ": %s\n", worker->sequence_id, id,
            what);
    abort();
}

static void note_limit(const char *line, void *context) {
    const struct worker *worker = context;
    if (strstr(line, ": 429 in ") != NULL) {
        fault_server_note_limit(worker->sequence_id);
    }
}

static void check_contact(const struct worker *worker, const reply_sequence_contact *contact,
                          int64_t id) {
    char email[64];
    snprintf(email, sizeof email, "%" PRId64 "@%" PRId64 ".example", id, worker->sequence_id);
    if (contact->contact_id != id || contact->sequence_id != worker->sequence_id ||
        strcmp(contact->email, email) != 0) {
        report(worker, "another contact was delivered", id);
    }
}

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *context) {
    struct worker *worker = context;
    const int64_t id = worker->ids[index];
    worker->delivered[index]++;
    worker->counts[result]++;
    if (error->result != result || (result == REPLY_OK) != (contact != NULL)) {
        report(worker, "the delivery contradicts itself", id);
    }
    if (contact != NULL) {
        check_contact(worker, contact, id);
    } else if (result == REPLY_ERROR_NOT_FOUND && id % FAULT_MISSING_MODULUS != 0) {
        report(worker, error->message, id);
    }
    reply_sequence_contact_free(contact);
    if (rand_r(&worker->seed) % 8 == 0) {
        timing_sleep_ms(rand_r(&worker->seed) % 30);
    }
    return 0;
}

static void replace_client(struct worker *worker) {
    reply_client *client = NULL;
    if (reply_client_create(WIRE_KEY, &client, NULL) != REPLY_OK ||
        reply_client_set_base_url(client, worker->url, NULL) != REPLY_OK ||
        (worker->ca_path[0] != '\0' &&
         reply_client_set_ca_file(client, worker->ca_path, NULL) != REPLY_OK) ||
        reply_client_set_attempt_timeout_ms(client, timing_scale_ms(500), NULL) != REPLY_OK ||
        reply_client_set_connect_timeout_ms(client, timing_scale_ms(300), NULL) != REPLY_OK ||
        reply_client_set_max_retries(client, 5, NULL) != REPLY_OK ||
        reply_client_set_max_concurrency(client, 1 + rand_r(&worker->seed) % 12, NULL) !=
            REPLY_OK ||
        reply_client_set_log(client, note_limit, worker, NULL) != REPLY_OK) {
        abort();
    }
    pthread_mutex_lock(&worker->lock);
    reply_client *old = worker->client;
    worker->client = client;
    pthread_mutex_unlock(&worker->lock);
    fault_server_forget_limit(worker->sequence_id);
    reply_client_destroy(old);
}

static void call(struct worker *worker) {
    const size_t count = 1 + (size_t)rand_r(&worker->seed) % MAX_IDS;
    const int64_t first = 1 + rand_r(&worker->seed) % 1000;
    for (size_t i = 0; i < count; i++) {
        worker->ids[i] = first + (int64_t)i;
        worker->delivered[i] = 0;
    }
    const reply_result result = reply_get_sequence_contacts(
        worker->client, worker->sequence_id, worker->ids, count, on_contact, worker, NULL);
    if (result != REPLY_OK && result != REPLY_ERROR_CANCELLED) {
        report(worker, reply_result_name(result), first);
    }
    for (size_t i = 0; i < count; i++) {
        if (worker->delivered[i] != 1) {
            report(worker, "not delivered once", worker->ids[i]);
        }
    }
    worker->call_count++;
    worker->contact_count += (int)count;
}

static void *work(void *context) {
    struct worker *worker = context;
    while (!is_over) {
        if (worker->call_count % CALLS_PER_CLIENT == 0) {
            replace_client(worker);
        }
        call(worker);
    }
    return NULL;
}

static void *interrupt(void *context) {
    struct worker *worker = context;
    while (!is_over) {
        timing_sleep_ms(rand_r(&worker->interrupter_seed) % 2000);
        pthread_mutex_lock(&worker->lock);
        reply_client_interrupt(worker->client);
        worker->interrupt_count++;
        pthread_mutex_unlock(&worker->lock);
    }
    return NULL;
}

static void start_worker(struct worker *worker, int number, int port, int relay_port) {
    *worker = (struct worker){.sequence_id = number + 1,
                              .seed = (unsigned)number + 1,
                              .interrupter_seed = (unsigned)number + 100};
    if (number % 2 == 0) {
        snprintf(worker->url, sizeof worker->url, "http://127.0.0.1:%d/v4", port);
    } else {
        snprintf(worker->url, sizeof worker->url, "https://127.0.0.1:%d/to/%d/v4", relay_port,
                 port);
        snprintf(worker->ca_path, sizeof worker->ca_path, "%s", nginx_path("known.pem"));
    }
    pthread_mutex_init(&worker->lock, NULL);
    replace_client(worker);
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
    assert_int_equal(pthread_create(&worker->interrupter, NULL, interrupt, worker), 0);
}

static void end_worker(struct worker *worker) {
    pthread_join(worker->thread, NULL);
    pthread_join(worker->interrupter, NULL);
    reply_client_destroy(worker->client);
    pthread_mutex_destroy(&worker->lock);
    print_message("%s: %d calls, %d interrupts, %d contacts:",
                  worker->ca_path[0] != '\0' ? "HTTP/2" : "HTTP/1.1", worker->call_count,
                  worker->interrupt_count, worker->contact_count);
    for (int i = 0; i < WIRE_RESULT_COUNT; i++) {
        if (worker->counts[i] > 0) {
            print_message(" %d %s", worker->counts[i], reply_result_name((reply_result)i));
        }
    }
    print_message("\n");
    /* Interrupts are the only fault that retries do not make up for. */
    assert_true(worker->counts[REPLY_OK] > worker->contact_count / 2);
}

static void test_soak(void **state) {
    static struct worker workers[WORKERS];
    const int port = fault_server_start();
    struct server *relay = server_start(SCRIPT(TUNNEL(nginx_port(NGINX_HTTP2))));
    const int64_t ends_ms = timing_now_ms() + duration_ms;
    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        start_worker(&workers[i], i, port, server_port(relay));
    }
    while (timing_now_ms() < ends_ms) {
        timing_sleep_ms(3000);
        server_silence(relay);
    }
    is_over = true;
    for (int i = 0; i < WORKERS; i++) {
        end_worker(&workers[i]);
    }
    assert_int_equal(fault_server_violation_count(), 0);
}

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {WIRE_TEST(test_soak)};
    if (argc == 2) {
        duration_ms = strtoll(argv[1], NULL, 10) * 1000;
    }
    return cmocka_run_group_tests(tests, nginx_start, nginx_stop);
}
