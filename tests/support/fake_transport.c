/* fake_transport.c - a transport without a network. All threads share one clock, one script and one
 * record, under one lock, which is not held while a test's own action runs. */
#include "support/fake_transport.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/client.h"
#include "base/error.h"

/* The clock's beginning: not 0, so that a time that is taken for a span shows. */
enum {
    CLOCK_BEGIN_MS = 5000000,
    MOST_SCRIPTS = 64,
    MOST_ACTIONS = 32,
    MOST_IDLE_TURNS = 10000,
    MOST_EVENTS = 2000000
};

struct fake_slot {
    bool is_in_flight;
    bool is_timeout;
    int64_t sequence_id, contact_id;
    int64_t ends_ms;
    int64_t order; /* of its start among all */
    struct fake_answer answer;
    struct transport_response
        response; /* its texts are copies on the heap, of exactly their length */
};

struct transport_session {
    const struct transport_settings *settings;
    struct transport_session *next; /* opened before it */
    int32_t number;
    bool is_closed, is_broken, is_waiting, is_woken;
    int64_t wakes_ms; /* waiting: when its time is over */
    struct fake_slot *slots;
};

struct script {
    int64_t contact_id;
    const struct fake_answer *answers;
    size_t count, used;
};

struct action {
    int64_t time_ms;
    void (*run)(void *data);
    void *data;
};

static struct {
    int64_t now_ms;
    int idle_turns; /* waits since the clock last moved */
    int threads, waiting;
    struct transport_session *sessions;
    int opened, open, left_to_parent, wakes, in_flight, most_in_flight;
    int64_t starts;
    int failing_opens, failing_prepares;
    struct script scripts[MOST_SCRIPTS];
    size_t script_count;
    void (*write_answer)(int64_t contact_id, int64_t time_ms, struct fake_answer *answer);
    struct action actions[MOST_ACTIONS];
    size_t action_count;
    const uint32_t *numbers;
    size_t number_count, numbers_used;
    uint32_t (*random)(void);
    struct fake_event *events;
    size_t event_count, event_capacity;
    char *log;
    size_t log_length;
    char violation[256]; /* the first one */
} fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* ---- The record ---- */

/* What breaks the transport's contract. A test that is in the middle of a call, perhaps in another
 * thread, cannot be left here. */
static void violate(const char *what, const struct transport_session *session, int32_t slot) {
    if (fake.violation[0] == '\0') {
        snprintf(fake.violation, sizeof fake.violation,
                 "%s: session %d, slot %d, at %" PRId64 " ms", what,
                 session != NULL ? session->number : -1, (int)slot, fake.now_ms - CLOCK_BEGIN_MS);
    }
}

/* What no test could go on from. */
static void give_up(const char *what) {
    fprintf(stderr, "fake transport, at %" PRId64 " ms: %s\n", fake.now_ms - CLOCK_BEGIN_MS, what);
    abort();
}

static struct fake_event *add_event(enum fake_kind kind) {
    if (fake.event_count == MOST_EVENTS) {
        give_up("never comes to an end");
    }
    if (fake.event_count == fake.event_capacity) {
        fake.event_capacity = fake.event_capacity * 2 + 64;
        fake.events = realloc(fake.events, fake.event_capacity * sizeof *fake.events);
        if (fake.events == NULL) {
            give_up("no memory for the record");
        }
    }
    struct fake_event *event = &fake.events[fake.event_count++];
    *event = (struct fake_event){.kind = kind, .time_ms = fake.now_ms - CLOCK_BEGIN_MS};
    return event;
}

static struct fake_event *add_slot_event(enum fake_kind kind,
                                         const struct transport_session *session, int32_t slot) {
    struct fake_event *event = add_event(kind);
    event->session = session->number;
    event->slot = slot;
    event->sequence_id = session->slots[slot].sequence_id;
    event->contact_id = session->slots[slot].contact_id;
    return event;
}

int64_t fake_now(void) {
    pthread_mutex_lock(&lock);
    const int64_t now = fake.now_ms - CLOCK_BEGIN_MS;
    pthread_mutex_unlock(&lock);
    return now;
}

const struct fake_event *fake_events(size_t *count) {
    *count = fake.event_count;
    return fake.events;
}

size_t fake_count(enum fake_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < fake.event_count; i++) {
        count += fake.events[i].kind == kind;
    }
    return count;
}

struct fake_event fake_nth(enum fake_kind kind, size_t nth) {
    for (size_t i = 0; i < fake.event_count; i++) {
        if (fake.events[i].kind == kind && nth-- == 0) {
            return fake.events[i];
        }
    }
    fail_msg("only %zu events of kind %d were recorded", fake_count(kind), (int)kind);
    return (struct fake_event){0};
}

int64_t fake_start_ms(size_t nth) {
    return fake_nth(FAKE_START, nth).time_ms;
}

void fake_note(int64_t number) {
    pthread_mutex_lock(&lock);
    add_event(FAKE_NOTE)->contact_id = number;
    pthread_mutex_unlock(&lock);
}

void fake_forget_events(void) {
    fake.event_count = 0;
}

int fake_sessions_opened(void) {
    return fake.opened;
}

int fake_sessions_open(void) {
    return fake.open;
}

int fake_sessions_left_to_parent(void) {
    return fake.left_to_parent;
}

int fake_wakes(void) {
    return fake.wakes;
}

const struct transport_settings *fake_settings(void) {
    return fake.sessions != NULL ? fake.sessions->settings : NULL;
}

int fake_most_in_flight(void) {
    return fake.most_in_flight;
}

void fake_log(const char *line, void *user_data) {
    const size_t length = strlen(line);
    (void)user_data;
    pthread_mutex_lock(&lock);
    fake.log = realloc(fake.log, fake.log_length + length + 2);
    if (fake.log == NULL) {
        give_up("no memory for the log");
    }
    memcpy(fake.log + fake.log_length, line, length);
    memcpy(fake.log + fake.log_length + length, "\n", 2);
    fake.log_length += length + 1;
    pthread_mutex_unlock(&lock);
}

const char *fake_log_text(void) {
    return fake.log != NULL ? fake.log : "";
}

/* ---- The script ---- */

void fake_script(int64_t contact_id, const struct fake_answer *answers, size_t count) {
    if (fake.script_count == MOST_SCRIPTS) {
        give_up("too many scripts");
    }
    fake.scripts[fake.script_count++] =
        (struct script){.contact_id = contact_id, .answers = answers, .count = count};
}

void fake_script_all(void (*write_answer)(int64_t contact_id, int64_t time_ms,
                                          struct fake_answer *answer)) {
    fake.write_answer = write_answer;
}

void fake_script_random(const uint32_t *numbers, size_t count) {
    fake.numbers = numbers;
    fake.number_count = count;
    fake.numbers_used = 0;
}

void fake_script_all_random(uint32_t (*random)(void)) {
    fake.random = random;
}

void fake_at(int64_t time_ms, void (*action)(void *data), void *data) {
    if (fake.action_count == MOST_ACTIONS) {
        give_up("too many actions");
    }
    fake.actions[fake.action_count++] = (struct action){CLOCK_BEGIN_MS + time_ms, action, data};
}

static void interrupt(void *client) {
    reply_client_interrupt(client);
}

void fake_interrupt_at(int64_t time_ms, reply_client *client) {
    fake_at(time_ms, interrupt, client);
}

void fake_pass(int64_t ms) {
    pthread_mutex_lock(&lock);
    fake.now_ms += ms;
    fake.idle_turns = 0;
    pthread_mutex_unlock(&lock);
}

void fake_fail_opens(int count) {
    fake.failing_opens = count;
}

void fake_fail_prepares(int count) {
    fake.failing_prepares = count;
}

/* The answer to the next attempt of a contact. */
static struct fake_answer take_answer(int64_t contact_id) {
    struct fake_answer answer = {.takes_ms = 100};
    for (size_t i = 0; i < fake.script_count; i++) {
        struct script *script = &fake.scripts[i];
        if (script->contact_id == contact_id) {
            const size_t index = script->used < script->count ? script->used : script->count - 1;
            script->used++;
            return script->answers[index];
        }
    }
    if (fake.write_answer != NULL) {
        fake.write_answer(contact_id, fake.now_ms - CLOCK_BEGIN_MS, &answer);
    }
    return answer;
}

/* ---- The clock ---- */

static int64_t earlier(int64_t one, int64_t other) {
    return one < other ? one : other;
}

/* When something happens next that a session waits for. */
static int64_t next_of_session(const struct transport_session *session) {
    int64_t next = session->wakes_ms;
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        if (session->slots[i].is_in_flight) {
            next = earlier(next, session->slots[i].ends_ms);
        }
    }
    return next;
}

/* Moves the clock to what happens next, and lets all threads look. All of them wait. */
static void advance(void) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < fake.action_count; i++) {
        next = earlier(next, fake.actions[i].time_ms);
    }
    for (struct transport_session *session = fake.sessions; session != NULL;
         session = session->next) {
        if (session->is_waiting) {
            next = earlier(next, next_of_session(session));
            session->is_waiting = false;
        }
    }
    if (next == INT64_MAX) {
        give_up("all wait for ever");
    }
    if (next > fake.now_ms) {
        fake.now_ms = next;
        fake.idle_turns = 0;
    }
    fake.waiting = 0;
    pthread_cond_broadcast(&changed);
}

struct thread {
    pthread_t thread;
    void (*run)(void *context);
    void *context;
};

static void *run_thread(void *argument) {
    const struct thread *thread = argument;
    thread->run(thread->context);
    pthread_mutex_lock(&lock);
    fake.threads--;
    if (fake.threads > 0 && fake.waiting == fake.threads) {
        advance();
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void fake_run_in_threads(void (*run)(void *context), void *contexts, size_t size, int count) {
    struct thread threads[8];
    fake.threads = count;
    for (int i = 0; i < count; i++) {
        threads[i] = (struct thread){.run = run, .context = (char *)contexts + (size_t)i * size};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    fake.threads = 1;
}

/* Runs what is to happen by now, the earliest first. The lock is held, but not meanwhile. */
static void run_actions(void) {
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < fake.action_count; i++) {
            first = fake.actions[i].time_ms < fake.actions[first].time_ms ? i : first;
        }
        if (fake.action_count == 0 || fake.actions[first].time_ms > fake.now_ms) {
            return;
        }
        const struct action action = fake.actions[first];
        fake.actions[first] = fake.actions[--fake.action_count];
        pthread_mutex_unlock(&lock);
        action.run(action.data);
        pthread_mutex_lock(&lock);
    }
}

/* Waits until the clock has moved, or the session is woken. */
static void wait_for_change(struct transport_session *session) {
    session->is_waiting = true;
    fake.waiting++;
    if (fake.waiting == fake.threads) {
        advance();
    }
    while (session->is_waiting) {
        pthread_cond_wait(&changed, &lock);
    }
}

/* ---- Sessions ---- */

static void check_use(const struct transport_session *session, int32_t slot, const char *what) {
    if (session->is_closed || slot < 0 || slot >= session->settings->slot_count) {
        violate(what, session, slot);
        give_up(fake.violation);
    }
}

static char *copy_bytes(const char *bytes, size_t length) {
    char *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL) {
        give_up("no memory for an answer");
    }
    memcpy(copy, bytes, length);
    return copy;
}

static char *copy_text(const char *text) {
    return text != NULL ? copy_bytes(text, strlen(text) + 1) : NULL;
}

static void free_response(struct transport_response *response) {
    free((void *)response->failure_text);
    free((void *)response->body);
    free((void *)response->content_type);
    free((void *)response->retry_after);
    free((void *)response->date);
    free((void *)response->request_id);
    memset(response, 0, sizeof *response);
}

static struct transport_session *open_session(const struct transport_settings *settings) {
    struct transport_session *session = NULL;
    pthread_mutex_lock(&lock);
    if (fake.failing_opens > 0) {
        fake.failing_opens--;
    } else {
        session = calloc(1, sizeof *session);
        if (session == NULL || (session->slots = calloc((size_t)settings->slot_count,
                                                        sizeof *session->slots)) == NULL) {
            give_up("no memory for a session");
        }
        session->settings = settings;
        session->number = fake.opened++;
        session->next = fake.sessions;
        fake.sessions = session;
        fake.open++;
    }
    pthread_mutex_unlock(&lock);
    return session;
}

static void close_session(struct transport_session *session, bool came_through_fork) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "close of a closed session");
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        if (session->slots[i].is_in_flight) {
            violate("close with an attempt in flight", session, i);
        }
        free_response(&session->slots[i].response);
    }
    session->is_closed = true;
    fake.open--;
    fake.left_to_parent += came_through_fork;
    pthread_mutex_unlock(&lock);
}

static void read_ids(const char *url, struct fake_slot *slot) {
    const char *ids = strstr(url, "/sequences/");
    if (ids == NULL ||
        sscanf(ids, "/sequences/%" SCNd64 "/contacts/%" SCNd64, &slot->sequence_id,
               &slot->contact_id) != 2 ||
        strncmp(url, "https://", 8) != 0) {
        give_up("a URL that is not a contact's");
    }
}

static void start(struct transport_session *session, int32_t number, const char *url,
                  int64_t timeout_ms, int64_t deadline_ms) {
    (void)deadline_ms; /* dispatch gives no attempt more time than that, and the fake clock stands
                          still between waits */
    pthread_mutex_lock(&lock);
    check_use(session, number, "start");
    struct fake_slot *slot = &session->slots[number];
    if (slot->is_in_flight || session->is_waiting || timeout_ms < 1) {
        violate(timeout_ms < 1 ? "start without time" : "start in a slot that is not free", session,
                number);
    }
    free_response(&slot->response);
    read_ids(url, slot);
    slot->answer = take_answer(slot->contact_id);
    slot->is_timeout = slot->answer.takes_ms > timeout_ms;
    slot->ends_ms = fake.now_ms + (slot->is_timeout ? timeout_ms : slot->answer.takes_ms);
    slot->order = fake.starts++;
    slot->is_in_flight = true;
    fake.in_flight++;
    fake.most_in_flight =
        fake.in_flight > fake.most_in_flight ? fake.in_flight : fake.most_in_flight;
    add_slot_event(FAKE_START, session, number)->timeout_ms = timeout_ms;
    pthread_mutex_unlock(&lock);
}

static void cancel(struct transport_session *session, int32_t number) {
    pthread_mutex_lock(&lock);
    check_use(session, number, "cancel");
    if (!session->slots[number].is_in_flight) {
        violate("cancel of a slot that is free", session, number);
    }
    session->slots[number].is_in_flight = false;
    fake.in_flight--;
    add_slot_event(FAKE_CANCEL, session, number);
    pthread_mutex_unlock(&lock);
}

/* The contact that was asked for, with things that only it may show. */
static char *make_contact(const struct fake_slot *slot) {
    char body[512];
    snprintf(body, sizeof body,
             "{\"contactId\":%" PRId64 ",\"sequenceId\":%" PRId64 ",\"email\":\"person%" PRId64
             "@private.example\",\"firstName\":\"Private\",\"status\":\"Active\",\"currentStep\":2,"
             "\"addingDate\":"
             "\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":true}",
             slot->contact_id, slot->sequence_id, slot->contact_id);
    return copy_text(body);
}

static void fill_response(struct fake_slot *slot) {
    const struct fake_answer *answer = &slot->answer;
    struct transport_response *response = &slot->response;
    if (slot->is_timeout) {
        *response = (struct transport_response){.failure = REPLY_ERROR_TIMEOUT,
                                                .failure_text = copy_text("Operation timed out"),
                                                .curl_code = 28};
        return;
    }
    *response = (struct transport_response){
        .failure = answer->failure,
        .failure_text = copy_text(answer->failure_text != NULL ? answer->failure_text : ""),
        .curl_code = answer->curl_code,
        .http_status = answer->failure != REPLY_OK ? 0
                       : answer->http_status == 0  ? 200
                                                   : answer->http_status,
        .content_type = copy_text(answer->content_type),
        .retry_after = copy_text(answer->retry_after),
        .date = copy_text(answer->date),
        .request_id = copy_text(answer->request_id),
    };
    char *contact =
        response->http_status == 200 && answer->body == NULL ? make_contact(slot) : NULL;
    const char *body = contact != NULL ? contact : answer->body;
    if (body != NULL && body[0] != '\0') {
        response->body_length = strlen(body);
        response->body = copy_bytes(body, response->body_length);
    }
    free(contact);
}

/* The slot whose attempt is over by now, the earliest one first; -1 where none is. */
static int32_t find_ended(const struct transport_session *session) {
    int32_t found = -1;
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        const struct fake_slot *slot = &session->slots[i];
        const struct fake_slot *best = &session->slots[found < 0 ? i : found];
        if (slot->is_in_flight && slot->ends_ms <= fake.now_ms &&
            (found < 0 || slot->ends_ms < best->ends_ms ||
             (slot->ends_ms == best->ends_ms && slot->order < best->order))) {
            found = i;
        }
    }
    return found;
}

static void end_attempt(struct transport_session *session, int32_t number,
                        struct transport_response *response) {
    struct fake_slot *slot = &session->slots[number];
    fill_response(slot);
    session->is_broken = session->is_broken || slot->response.failure == REPLY_ERROR_NO_MEMORY;
    slot->is_in_flight = false;
    fake.in_flight--;
    struct fake_event *event = add_slot_event(FAKE_END, session, number);
    event->is_timeout = slot->is_timeout;
    event->answer = slot->answer;
    *response = slot->response;
}

static void begin_wait(struct transport_session *session, int64_t timeout_ms) {
    check_use(session, 0, "wait");
    if (session->is_waiting || timeout_ms < -1) {
        violate(session->is_waiting ? "wait in two threads" : "wait for less than nothing", session,
                0);
    }
    if (++fake.idle_turns > MOST_IDLE_TURNS) {
        give_up("waits again and again without waiting");
    }
    session->wakes_ms = timeout_ms < 0 ? INT64_MAX : fake.now_ms + timeout_ms;
    struct fake_event *event = add_event(FAKE_WAIT);
    event->session = session->number;
    event->timeout_ms = timeout_ms;
}

static int32_t wait_for_one(struct transport_session *session, int64_t timeout_ms,
                            struct transport_response *response) {
    int32_t ended = -1;
    pthread_mutex_lock(&lock);
    begin_wait(session, timeout_ms);
    for (;;) {
        run_actions();
        ended = find_ended(session);
        if (ended >= 0 || session->is_woken || fake.now_ms >= session->wakes_ms) {
            break;
        }
        wait_for_change(session);
    }
    if (ended >= 0) {
        end_attempt(session, ended, response);
    } else {
        session->is_woken = false;
    }
    pthread_mutex_unlock(&lock);
    return ended;
}

static void wake(struct transport_session *session) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "wake");
    session->is_woken = true;
    fake.wakes++;
    if (session->is_waiting) {
        session->is_waiting = false;
        fake.waiting--;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
}

/* As in the real one, memory that ran out may have left something half done. */
static bool may_serve_again(const struct transport_session *session) {
    pthread_mutex_lock(&lock);
    check_use(session, 0, "may_serve_again");
    for (int32_t i = 0; i < session->settings->slot_count; i++) {
        if (session->slots[i].is_in_flight) {
            violate("the end of a call with an attempt in flight", session, i);
        }
    }
    const bool is_broken = session->is_broken;
    pthread_mutex_unlock(&lock);
    return !is_broken;
}

/* ---- The rest of the table ---- */

static int64_t now_ms(void) {
    return fake_now() + CLOCK_BEGIN_MS;
}

static int64_t unix_seconds(void) {
    return FAKE_UNIX_SECONDS + fake_now() / 1000;
}

static uint32_t random_number(void) {
    uint32_t number = 0;
    if (fake.random != NULL) {
        return fake.random();
    }
    pthread_mutex_lock(&lock);
    if (fake.number_count > 0) {
        const size_t last = fake.number_count - 1;
        number = fake.numbers[fake.numbers_used < last ? fake.numbers_used++ : last];
    }
    pthread_mutex_unlock(&lock);
    return number;
}

static bool prepare(void) {
    if (fake.failing_prepares > 0) {
        fake.failing_prepares--;
        return false;
    }
    return true;
}

static const char *version(void) {
    return "7.fake";
}

/* Takes https alone. A host named "loop" is this machine. */
static reply_result check_base_url(const char *text, struct transport_base_url *base_url,
                                   reply_error *error) {
    if (strncmp(text, "https://", 8) != 0) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "the base URL is refused by the fake transport");
    }
    size_t length = strlen(text);
    base_url->path_offset = 8 + strcspn(text + 8, "/");
    while (length > base_url->path_offset && text[length - 1] == '/') {
        length--;
    }
    base_url->is_loopback = strncmp(text + 8, "loop", 4) == 0;
    base_url->text = copy_text(text);
    base_url->text[length] = '\0';
    return REPLY_OK;
}

static reply_result check_proxy(const char *text, reply_error *error) {
    return strncmp(text, "http", 4) == 0 ? REPLY_OK
                                         : error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                                                     "the proxy is refused by the fake transport");
}

const struct transport fake_transport = {
    .now_ms = now_ms,
    .unix_seconds = unix_seconds,
    .random = random_number,
    .prepare = prepare,
    .version = version,
    .check_base_url = check_base_url,
    .check_proxy = check_proxy,
    .open = open_session,
    .start = start,
    .wait = wait_for_one,
    .cancel = cancel,
    .wake = wake,
    .may_serve_again = may_serve_again,
    .close = close_session,
};

/* ---- Setup and teardown ---- */

void fake_begin(void) {
    memset(&fake, 0, sizeof fake);
    fake.now_ms = CLOCK_BEGIN_MS;
    fake.threads = 1;
}

int fake_end(void) {
    if (fake.violation[0] == '\0' && fake.open > 0) {
        violate("a session was never closed", fake.sessions, 0);
    }
    while (fake.sessions != NULL) {
        struct transport_session *session = fake.sessions;
        fake.sessions = session->next;
        free(session->slots);
        free(session);
    }
    free(fake.events);
    free(fake.log);
    fake.events = NULL;
    fake.log = NULL;
    if (fake.violation[0] != '\0') {
        fprintf(stderr, "the transport's contract is broken: %s\n", fake.violation);
        return -1;
    }
    return 0;
}

reply_client *fake_create_client(void) {
    reply_client *client = NULL;
    reply_error error;
    assert_int_equal(client_create(&fake_transport, FAKE_KEY, &client, error_begin(&error, NULL)),
                     REPLY_OK);
    assert_int_equal(reply_client_set_log(client, fake_log, NULL, NULL), REPLY_OK);
    return client;
}

int fake_setup(void **state) {
    fake_begin();
    *state = fake_create_client();
    return 0;
}

int fake_teardown(void **state) {
    reply_client_destroy(*state);
    return fake_end();
}
