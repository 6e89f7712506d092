/* figures.c - the measurements in the order of the table, each with its target. */
#include "figures.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "relay.h"
#include "table.h"

enum {
    ONE_BY_ONE_COUNT = 3000,
    MANY_COUNT = 4000,
    FAR_COUNT = 1000,
    THREADS_COUNT = 8000,
    DECODE_COUNT = 20000,
    PAGE_COUNT = 10000
};

static const double far_round_trip_seconds = 0.020;

void set_server(struct setting *setting, enum server_port server_port, uint16_t port,
                const char *path) {
    snprintf(setting->base_url, sizeof setting->base_url, "%s://127.0.0.1:%d%s",
             server_port == PORT_HTTP ? "http" : "https", (int)port, path);
}

/* ---- Lines measured in rounds ---- */

static void compute_ratios(const double above[ROUND_COUNT], const double below[ROUND_COUNT],
                           double ratios[ROUND_COUNT]) {
    for (int i = 0; i < ROUND_COUNT; i++) {
        ratios[i] = above[i] / below[i];
    }
}

/* Contacts per second. The ratio is the baseline's time to the library's. */
static void print_rate(const char *figure, const struct rounds *rounds,
                       enum target_kind target_kind, double target) {
    double ratios[ROUND_COUNT];
    compute_ratios(rounds->seconds[BASELINE], rounds->seconds[LIBRARY], ratios);
    table_print(&(struct line){figure, "/s", 1 / spread_of(rounds->seconds[BASELINE]).median,
                               1 / spread_of(rounds->seconds[LIBRARY]).median, spread_of(ratios),
                               target_kind, target});
}

/* Microseconds per contact. */
static void print_time(const char *figure, const double seconds[SIDE_COUNT][ROUND_COUNT],
                       double target) {
    double ratios[ROUND_COUNT];
    compute_ratios(seconds[LIBRARY], seconds[BASELINE], ratios);
    table_print(&(struct line){figure, "us", 1e6 * spread_of(seconds[BASELINE]).median,
                               1e6 * spread_of(seconds[LIBRARY]).median, spread_of(ratios),
                               RATIO_AT_MOST, target});
}

/* ---- Lines with one number per side ---- */

static struct spread exactly(double ratio) {
    return (struct spread){ratio, ratio, ratio};
}

static void print_instructions(const char *figure, const struct program *program,
                               enum work_kind kind, double target) {
    const double baseline = measure_instructions(program, BASELINE, kind);
    const double library = measure_instructions(program, LIBRARY, kind);
    table_print(&(struct line){figure, "", baseline, library, exactly(library / baseline),
                               RATIO_AT_MOST, target});
}

static void print_allocations(const char *figure, const struct program *program,
                              enum work_kind kind, double target) {
    const double baseline = measure_allocations(program, BASELINE, kind);
    const double library = measure_allocations(program, LIBRARY, kind);
    table_print(&(struct line){figure, "", baseline, library, exactly(library / baseline),
                               LIBRARY_AT_MOST, target});
}

static void print_memory_growth(const struct program *program) {
    const double baseline = measure_memory_growth(program, BASELINE, MANY, "/v4");
    const double library = measure_memory_growth(program, LIBRARY, MANY, "/v4");
    table_print(&(struct line){"many: memory growth from 2,000 to 40,000 contacts", "KiB", baseline,
                               library, exactly(0), LIBRARY_AT_MOST, 976});
}

static double file_size_kib(const char *path) {
    struct stat file;
    check(stat(path, &file) == 0, path);
    return (double)file.st_size / 1024;
}

static void print_size(void) {
    table_print(&(struct line){"shared library, stripped", "KiB", -1, file_size_kib("./replyio.so"),
                               exactly(0), LIBRARY_AT_MOST, 64});
}

/* ---- The figures ---- */

static void print_one_by_one(const struct program *program, struct setting *setting) {
    static const struct {
        enum server_port server_port;
        const char *rate, *cpu;
    } servers[] = {
        {PORT_HTTP, "one by one, http: requests", "one by one, http: CPU time per request"},
        {PORT_HTTPS, "one by one, https: requests", "one by one, https: CPU time per request"},
        {PORT_HTTP2, "one by one, HTTP/2: requests", "one by one, HTTP/2: CPU time per request"},
    };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        set_server(setting, servers[i].server_port,
                   (uint16_t)(program->port + servers[i].server_port), "/v4");
        const struct rounds rounds = run_rounds(ONE_BY_ONE, setting, ONE_BY_ONE_COUNT, false);
        print_rate(servers[i].rate, &rounds, RATIO_AT_LEAST, 0.95);
        print_time(servers[i].cpu, rounds.cpu_seconds, 1.10);
    }
    print_instructions("one by one, http: instructions per request", program, ONE_BY_ONE, 1.00);
    print_allocations("one by one, http: heap allocations per request", program, ONE_BY_ONE, 64);
}

static void print_many(const struct program *program, struct setting *setting) {
    set_server(setting, PORT_HTTP2, (uint16_t)(program->port + PORT_HTTP2), "/v4");
    const struct rounds rounds = run_rounds(MANY, setting, MANY_COUNT, true);
    print_rate("many: 4,000 contacts, HTTP/2, 32 in flight", &rounds, RATIO_AT_LEAST, 0.95);
}

/* Uses an open connection, because the ideal does not include a handshake. */
static void print_far(const struct program *program, struct setting *setting) {
    const double ideal = IN_FLIGHT / far_round_trip_seconds;
    double ratios[ROUND_COUNT];
    struct relay *relay = relay_start((uint16_t)(program->port + PORT_HTTP2),
                                      (int64_t)(far_round_trip_seconds / 2 * 1e9));
    set_server(setting, PORT_HTTP2, relay_port(relay), "/v4");
    const struct rounds rounds = run_rounds(MANY, setting, FAR_COUNT, false);
    relay_stop(relay);
    for (int i = 0; i < ROUND_COUNT; i++) {
        ratios[i] = 1 / rounds.seconds[LIBRARY][i] / ideal;
    }
    table_print(&(struct line){"many: 1,000 contacts, 20 ms away, against the ideal", "/s", ideal,
                               1 / spread_of(rounds.seconds[LIBRARY]).median, spread_of(ratios),
                               RATIO_AT_LEAST, 0.90});
    print_rate("many: 1,000 contacts, 20 ms away, against the baseline", &rounds, NO_TARGET, 0);
}

static void print_decode(const struct program *program, const struct setting *setting) {
    const struct rounds rounds = run_rounds(DECODE, setting, DECODE_COUNT, false);
    print_time("decode: time", rounds.seconds, 0.75);
    print_instructions("decode: instructions", program, DECODE, 0.40);
}

/* ---- The list ---- */

static void print_page_memory(const struct program *program) {
    const double baseline = measure_memory_growth(program, BASELINE, LIST, "/page");
    const double library = measure_memory_growth(program, LIBRARY, LIST, "/page");
    table_print(&(struct line){"page of 1,000: memory growth, at most 3 pages", "KiB", baseline,
                               library, exactly(library / baseline), LIBRARY_AT_MOST,
                               3 * file_size_kib("page.json")});
}

static void print_page(const struct program *program, struct setting *setting) {
    set_server(setting, PORT_HTTP, (uint16_t)(program->port + PORT_HTTP), "/page");
    const struct rounds rounds = run_rounds(LIST, setting, PAGE_COUNT, false);
    print_time("page of 1,000, http: time per contact", rounds.seconds, 0.50);
    print_time("page of 1,000, http: CPU time per contact", rounds.cpu_seconds, 0.50);
    print_instructions("page of 1,000, http: instructions per contact", program, LIST, 0.50);
    print_allocations("page of 1,000, http: heap allocations per contact", program, LIST, 1.5);
    print_page_memory(program);
}

/* Prints the seconds that the whole list takes, one by one with 32 in flight and page by page. */
static void print_list_time(const struct program *program, struct setting *setting) {
    double seconds[2];
    set_server(setting, PORT_HTTP2, (uint16_t)(program->port + PORT_HTTP2), "/v4");
    for (int i = 0; i < 2; i++) {
        seconds[i] = time_once(LIBRARY, i == 0 ? MANY : LIST, setting, MAX_CONTACTS);
    }
    table_print(&(struct line){"40,000 contacts, HTTP/2: many by id, and the list", "s", seconds[0],
                               seconds[1], exactly(seconds[1] / seconds[0]), NO_TARGET, 0});
}

static void print_list_requests(const struct program *program, struct setting *setting) {
    size_t counts[2] = {0, 0};
    set_server(setting, PORT_HTTP2, (uint16_t)(program->port + PORT_HTTP2), "/v4");
    for (int i = 0; i < 2; i++) {
        setting->attempt_count = &counts[i];
        time_once(LIBRARY, i == 0 ? MANY : LIST, setting, MAX_CONTACTS);
    }
    setting->attempt_count = NULL;
    table_print(&(struct line){"40,000 contacts, requests: many by id, and the list", "",
                               (double)counts[0], (double)counts[1], exactly(0), LIBRARY_AT_MOST,
                               45});
}

/* The list holds one page, and at most 32 bytes for each id. */
static void print_list_memory(const struct program *program) {
    const double baseline = measure_memory_growth(program, BASELINE, LIST, "/v4");
    const double library = measure_memory_growth(program, LIBRARY, LIST, "/v4");
    table_print(&(struct line){"40,000 contacts, HTTP/2: memory growth from 10 contacts", "KiB",
                               baseline, library, exactly(library / baseline), LIBRARY_AT_MOST,
                               3 * file_size_kib("page.json") + 32.0 * MAX_CONTACTS / 1024});
}

static double count_bytes(const struct program *program, struct setting *setting,
                          const char *path) {
    struct relay *relay = relay_start((uint16_t)(program->port + PORT_HTTP2), 0);
    set_server(setting, PORT_HTTP2, relay_port(relay), path);
    time_once(LIBRARY, LIST, setting, MAX_CONTACTS);
    return (double)relay_stop(relay) / 1024;
}

static void print_list_bytes(const struct program *program, struct setting *setting) {
    const double plain = count_bytes(program, setting, "/v4");
    const double compressed = count_bytes(program, setting, "/gzip");
    table_print(&(struct line){"40,000 contacts, HTTP/2, bytes: plain, and with gzip", "KiB", plain,
                               compressed, exactly(compressed / plain), NO_TARGET, 0});
}

static void print_threads(const struct program *program, struct setting *setting) {
    set_server(setting, PORT_HTTP, (uint16_t)(program->port + PORT_HTTP), "/v4");
    const struct rounds rounds = run_rounds(THREADS, setting, THREADS_COUNT, false);
    print_rate("8 threads, one client, http: requests", &rounds, RATIO_AT_LEAST, 0.95);
}

void print_figures(const struct program *program, struct setting *setting) {
    table_begin();
    print_one_by_one(program, setting);
    print_many(program, setting);
    print_far(program, setting);
    print_memory_growth(program);
    print_decode(program, setting);
    print_page(program, setting);
    print_list_time(program, setting);
    print_list_requests(program, setting);
    print_list_memory(program);
    print_list_bytes(program, setting);
    print_threads(program, setting);
    print_size();
}
