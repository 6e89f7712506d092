/* bench.c - the program: prints the table, or does one kind of work under a counting tool. run.sh
 * runs it in a directory with ca.pem, contact.json, page.json, count_allocations.so and the
 * stripped replyio.so.
 *
 *     bench table <first port>
 *     bench cost <first port> <side> <work> <count>
 *     bench memory <first port> <side> <work> <path>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "check.h"
#include "cost.h"
#include "figures.h"

static char *read_json(size_t *length) {
    static char json[4096];
    FILE *file = fopen("contact.json", "rb");
    check(file != NULL, "cannot read contact.json");
    *length = fread(json, 1, sizeof json - 1, file);
    fclose(file);
    return json;
}

static void fill_setting(struct setting *setting, int64_t contact_ids[MAX_CONTACTS]) {
    for (int64_t i = 0; i < MAX_CONTACTS; i++) {
        contact_ids[i] = i + 1;
    }
    *setting = (struct setting){.ca_file = "ca.pem", .contact_ids = contact_ids};
    setting->json = read_json(&setting->json_length);
}

/* Returns the argument at the index, a number from 0 to limit - 1. */
static int parse_argument(int count, char **arguments, int index, int limit) {
    char *end = "";
    const long number = index < count ? strtol(arguments[index], &end, 10) : -1;
    check(number >= 0 && number < limit && *end == '\0', "invalid arguments; use run.sh");
    return (int)number;
}

static void run_cost(uint16_t port, struct setting *setting, int count, char **arguments) {
    const enum work_kind kind =
        (enum work_kind)parse_argument(count, arguments, 4, WORK_KIND_COUNT);
    set_server(setting, PORT_HTTP, (uint16_t)(port + PORT_HTTP), kind == LIST ? "/page" : "/v4");
    cost_run((enum side)parse_argument(count, arguments, 3, SIDE_COUNT), kind, setting,
             (size_t)parse_argument(count, arguments, 5, MAX_CONTACTS + 1));
}

static void run_memory(uint16_t port, struct setting *setting, int count, char **arguments) {
    const enum side side = (enum side)parse_argument(count, arguments, 3, SIDE_COUNT);
    const enum work_kind kind =
        (enum work_kind)parse_argument(count, arguments, 4, WORK_KIND_COUNT);
    check(count == 6, "invalid arguments; use run.sh");
    struct setting little = *setting;
    set_server(&little, PORT_HTTP2, (uint16_t)(port + PORT_HTTP2), kind == LIST ? "/small" : "/v4");
    set_server(setting, PORT_HTTP2, (uint16_t)(port + PORT_HTTP2), arguments[5]);
    cost_print_memory_growth(side, kind, &little, setting);
}

int main(int count, char **arguments) {
    static int64_t contact_ids[MAX_CONTACTS];
    struct setting setting;
    const uint16_t port = (uint16_t)parse_argument(count, arguments, 2, UINT16_MAX);
    const struct program program = {arguments[0], port};
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "cannot initialise libcurl");
    fill_setting(&setting, contact_ids);
    if (strcmp(arguments[1], "table") == 0) {
        print_figures(&program, &setting);
    } else if (strcmp(arguments[1], "cost") == 0) {
        run_cost(port, &setting, count, arguments);
    } else {
        run_memory(port, &setting, count, arguments);
    }
    return EXIT_SUCCESS;
}
