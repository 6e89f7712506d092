/* test_list_random.c - random schedules of a list that changes while it is read, each reproduced by
 * its seed. A model that knows the true list checks what is delivered. With a seed as its argument,
 * the program runs and shows that schedule only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_list.h"
#include "support/fake_transport.h"
#include "replyio.h"

enum { SCHEDULE_COUNT = 10000, MAX_START = 120, MAX_IDS = 4000 };

/* ---- The schedule of a seed ---- */

static uint64_t seed, random_state;

/* Returns a random number below the limit. */
static size_t draw(size_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)((random_state >> 11) % limit);
}

static bool draw_chance(size_t percent) {
    return draw(100) < percent;
}

struct schedule {
    size_t start_count;
    int32_t page_size;
    size_t change_percent;    /* of the pages that changes precede */
    size_t last_changed_page; /* after it the list is at rest, so that the call ends */
    size_t max_burst;         /* contacts that leave or come at once */
    bool is_shrinking;        /* none come */
};

static struct schedule schedule;

static void make_schedule(void) {
    static const int32_t page_sizes[] = {10, 10, 10, 11, 19, 20, 30, 50};
    static const size_t max_page_counts[] = {2, 3, 5, 9};
    static const size_t bursts[] = {1, 1, 2, 5, 15, 60};
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    draw(2);
    draw(2);
    schedule = (struct schedule){.start_count = draw(MAX_START),
                                 .page_size = page_sizes[draw(8)],
                                 .change_percent = draw(101),
                                 .last_changed_page = draw(25),
                                 .max_burst = bursts[draw(6)],
                                 .is_shrinking = draw_chance(30)};
    fake_list_begin(schedule.start_count);
    fake_list.max_page_count = draw_chance(15) ? max_page_counts[draw(4)] : 0;
    fake_list.ignores_skip = draw_chance(2);
    fake_list.broken_id = draw_chance(20) ? (int64_t)draw(MAX_START) : 0;
}

/* ---- The model ---- */

static struct {
    struct list_call call;
    bool has_left[MAX_IDS]; /* of a contact that was once in the list */
    int64_t next_id;
    size_t known_count; /* deliveries when a page was last read */
    size_t idle_pages;  /* since the last new delivery, and their items */
    size_t idle_items;
    bool is_shown;
    char violation[640];
} model;

static void show(const char *text, size_t position, size_t count) {
    if (model.is_shown) {
        print_message("%s %zu at %zu\n", text, count, position);
    }
}

static void remove_contacts(void) {
    const size_t position = draw(fake_list.count + 1);
    size_t count = 1 + draw(schedule.max_burst);
    count = count < fake_list.count - position ? count : fake_list.count - position;
    for (size_t i = 0; i < count; i++) {
        model.has_left[fake_list.ids[position + i]] = true;
    }
    show("remove", position, count);
    fake_list_remove(position, count);
}

/* Adds contacts, mostly in front, where the service adds them. */
static void add_contacts(void) {
    const size_t count = 1 + draw(schedule.max_burst);
    const size_t position = draw_chance(70) ? 0 : draw(fake_list.count + 1);
    if (model.next_id + (int64_t)count < MAX_IDS) {
        show("add", position, count);
        fake_list_insert(position, model.next_id, count);
        model.next_id += (int64_t)count;
    }
}

/* Adds a contact in front that has left the list. */
static void return_contact(void) {
    const int64_t id = 1 + (int64_t)draw((size_t)model.next_id);
    for (size_t i = 0; i < fake_list.count; i++) {
        if (fake_list.ids[i] == id) {
            return;
        }
    }
    if (id < model.next_id) {
        show("return", 0, (size_t)id);
        fake_list_insert(0, id, 1);
    }
}

static void change_list(size_t nth) {
    if (nth == 0 || nth > schedule.last_changed_page || !draw_chance(schedule.change_percent)) {
        return;
    }
    for (size_t i = draw(3) + 1; i > 0; i--) {
        if (schedule.is_shrinking || draw_chance(50)) {
            remove_contacts();
        } else if (draw_chance(90)) {
            add_contacts();
        } else {
            return_contact();
        }
    }
}

static void follow_page(size_t nth, int64_t skip) {
    if (model.call.count > model.known_count) {
        model.idle_pages = 0;
        model.idle_items = 0;
    }
    model.known_count = model.call.count;
    change_list(nth);
    const size_t begin = fake_list.ignores_skip ? 0 : (size_t)skip;
    const size_t left = begin < fake_list.count ? fake_list.count - begin : 0;
    const size_t size = (size_t)schedule.page_size;
    model.idle_pages++;
    model.idle_items += left < size ? left : size;
    show("page", (size_t)skip, left < size ? left : size);
}

static void record_violation(const char *what, int64_t id) {
    if (model.violation[0] == '\0') {
        snprintf(model.violation, sizeof model.violation, "%s: contact %" PRId64, what, id);
    }
}

/* Those that stayed are delivered once, and in the service's order. The first contacts of the list
 * have their position as id. */
static void check_deliveries(void) {
    static size_t counts[MAX_IDS];
    const struct list_call *call = &model.call;
    int64_t last_stayed = 0;
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < call->count; i++) {
        const int64_t id = call->ids[i];
        if (id < 1 || id >= model.next_id || counts[id]++ > 0) {
            record_violation("delivered twice or never in the list", id);
            return;
        }
        if (id <= (int64_t)schedule.start_count && !model.has_left[id]) {
            if (id < last_stayed) {
                record_violation("delivered out of order", id);
            }
            last_stayed = id;
        }
    }
    for (int64_t id = 1; id <= (int64_t)schedule.start_count && call->result == REPLY_OK; id++) {
        if (!model.has_left[id] && counts[id] == 0) {
            record_violation("missed", id);
        }
    }
}

/* The only error is that of a list that brings no new contact any more. */
static void check_result(void) {
    const struct list_call *call = &model.call;
    const bool is_stuck = model.idle_pages >= 20 && model.idle_items > 3 * call->count;
    if (call->has_invalid_delivery) {
        record_violation("invalid delivery", 0);
    }
    if (call->result != REPLY_OK && (!is_stuck || call->result != REPLY_ERROR_INVALID_RESPONSE ||
                                     strstr(call->error.message, "bring no new contact") == NULL)) {
        record_violation(call->error.message, 0);
    }
}

/* ---- Schedules ---- */

/* How often what is tested has occurred. */
static size_t step_back_count, stuck_count, error_count, page_count;

static void count_events(void) {
    size_t count = 0;
    int64_t last_skip = 0;
    const struct fake_event *events = fake_get_events(&count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == FAKE_START) {
            const int64_t skip = -1 - events[i].contact_id;
            step_back_count += skip < last_skip;
            last_skip = skip;
            page_count++;
        }
    }
    stuck_count += model.call.result != REPLY_OK;
    error_count += model.call.error_count;
}

static bool run_schedule(bool is_shown) {
    void *client = NULL;
    fake_setup(&client);
    memset(&model, 0, sizeof model);
    make_schedule();
    model.is_shown = is_shown;
    model.next_id = (int64_t)schedule.start_count + 1;
    model.call.client = client;
    fake_list.on_page = follow_page;
    assert_int_equal(reply_client_set_page_size(client, schedule.page_size, NULL), REPLY_OK);
    list_contacts(&model.call);
    check_deliveries();
    check_result();
    count_events();
    if (fake_teardown(&client) != 0) {
        record_violation("the transport's contract is broken", 0);
    }
    if (model.violation[0] != '\0') {
        print_error("seed %" PRIu64 ": %s\n", seed, model.violation);
    }
    return model.violation[0] == '\0';
}

static void test_each_stayed_contact_is_delivered_once(void **state) {
    int failures = 0;
    (void)state;
    for (seed = 1; seed <= SCHEDULE_COUNT && failures < 10; seed++) {
        failures += !run_schedule(false);
    }
    assert_int_equal(failures, 0);
    print_message("%zu pages, %zu steps back, %zu stuck lists, %zu broken items\n", page_count,
                  step_back_count, stuck_count, error_count);
    assert_true(step_back_count >= SCHEDULE_COUNT / 10);
    assert_true(stuck_count >= SCHEDULE_COUNT / 200 && stuck_count <= SCHEDULE_COUNT / 20);
    assert_true(error_count >= SCHEDULE_COUNT / 50);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_stayed_contact_is_delivered_once)};
    if (count > 1) {
        seed = strtoull(arguments[1], NULL, 10);
        return run_schedule(true) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
