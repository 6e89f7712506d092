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
    DECODE_COUNT = 20000
};

static const double far_round_trip_seconds = 0.020;

void set_server(struct setting *setting, enum server_port server_port, uint16_t port) {
    snprintf(setting->base_url, sizeof setting->base_url, "%s://127.0.0.1:%d/v4",
             server_port == PORT_HTTP ? "http" : "https", (int)port);
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

static void print_allocations(const struct program *program) {
    const double baseline = measure_allocations(program, BASELINE, ONE_BY_ONE);
    const double library = measure_allocations(program, LIBRARY, ONE_BY_ONE);
    table_print(&(struct line){"one by one, http: heap allocations per request", "", baseline,
                               library, exactly(library / baseline), LIBRARY_AT_MOST, 64});
}

static void print_memory_growth(const struct program *program) {
    const double baseline = measure_memory_growth(program, BASELINE);
    const double library = measure_memory_growth(program, LIBRARY);
    table_print(&(struct line){"many: memory growth from 2,000 to 40,000 contacts", "KiB", baseline,
                               library, exactly(0), LIBRARY_AT_MOST, 976});
}

static void print_size(void) {
    struct stat library;
    check(stat("./replyio.so", &library) == 0, "cannot find the stripped library");
    table_print(&(struct line){"shared library, stripped", "KiB", -1,
                               (double)library.st_size / 1024, exactly(0), LIBRARY_AT_MOST, 64});
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
                   (uint16_t)(program->port + servers[i].server_port));
        const struct rounds rounds = run_rounds(ONE_BY_ONE, setting, ONE_BY_ONE_COUNT, false);
        print_rate(servers[i].rate, &rounds, RATIO_AT_LEAST, 0.95);
        print_time(servers[i].cpu, rounds.cpu_seconds, 1.10);
    }
    print_instructions("one by one, http: instructions per request", program, ONE_BY_ONE, 1.00);
    print_allocations(program);
}

static void print_many(const struct program *program, struct setting *setting) {
    set_server(setting, PORT_HTTP2, (uint16_t)(program->port + PORT_HTTP2));
    const struct rounds rounds = run_rounds(MANY, setting, MANY_COUNT, true);
    print_rate("many: 4,000 contacts, HTTP/2, 32 in flight", &rounds, RATIO_AT_LEAST, 0.95);
}

/* Uses an open connection, because the ideal does not include a handshake. */
static void print_far(const struct program *program, struct setting *setting) {
    const double ideal = IN_FLIGHT / far_round_trip_seconds;
    double ratios[ROUND_COUNT];
    struct relay *relay = relay_start((uint16_t)(program->port + PORT_HTTP2),
                                      (int64_t)(far_round_trip_seconds / 2 * 1e9));
    set_server(setting, PORT_HTTP2, relay_port(relay));
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
    print_instructions("decode: instructions", program, DECODE, 0.75);
}

static void print_threads(const struct program *program, struct setting *setting) {
    set_server(setting, PORT_HTTP, (uint16_t)(program->port + PORT_HTTP));
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
    print_threads(program, setting);
    print_size();
}
