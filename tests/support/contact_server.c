/* contact_server.c - a server that responds correctly to every request. The pages of its list have
 * at most 4 contacts. */
#include "support/contact_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/timing.h"

static void write_contact(char *body, size_t size, const char *sequence_id,
                          const char *contact_id) {
    snprintf(body, size,
             "{\"contactId\":%s,\"sequenceId\":%s,\"email\":\"a\\u0040b.example\","
             "\"firstName\":\"Zo\\u00eb\",\"status\":\"Active\",\"currentStep\":2,"
             "\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":true,"
             "\"icpScore\":0.85}",
             contact_id, sequence_id);
}

const char contact_server_shifted_secret[] = "lfz1e68b5c29f1b8d1Tfdsfu`PgUijt`Uftu";

/* More bytes than an error's message quotes. */
enum { MAX_QUOTED = 600 };

/* The %s is the secret, after text that fills the error's message. */
static const struct {
    const char *status;
    const char *format;
} secret_bodies[CONTACT_SERVER_SECRET_COUNT] = {
    /* an invalid contact: a field of the wrong type, after the one with the secret */
    {"200 OK", "{\"contactId\":700,\"sequenceId\":100,\"email\":\"%s\",\"status\":5}"},
    /* another contact */
    {"200 OK", "{\"contactId\":1,\"sequenceId\":100,\"email\":\"%s\",\"status\":\"Active\","
               "\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00Z\",\"isOptedOut\":true}"},
    {"200 OK", "{\"%s\":1}"},
    {"200 OK", "{\"code\":\"%s\"}"},
    {"404 Not Found", "{\"title\":\"%s\",\"detail\":\"x%s\",\"code\":\"y%s\"}"},
    {"404 Not Found", "{\"errors\":[{\"%s\":\"x%s\"},\"y%s\"]}"},
    /* cJSON fails at a lone surrogate, and stops at a NUL */
    {"404 Not Found", "{\"errors\":[{\"a\":\"x%s\"},{\"b\":\"\\u0000%s\",\"c\":\"\\ud800\"}]}"},
};

/* Writes a body with the secret. Returns its status. */
static const char *write_secret(char *body, size_t size, int index) {
    char escaped[MAX_QUOTED + 512];
    size_t length = MAX_QUOTED;
    memset(escaped, '.', MAX_QUOTED);
    for (const char *at = contact_server_shifted_secret; *at != '\0'; at++) {
        length += (size_t)snprintf(escaped + length, sizeof escaped - length, "\\u%04x", *at - 1);
    }
    snprintf(body, size, secret_bodies[index].format, escaped, escaped, escaped);
    return secret_bodies[index].status;
}

/* Without a query the page has all contacts: libcurl (7.88, for one) sends none if it runs out
 * of memory for it. */
static void write_page(char *body, size_t size, const char *sequence_id, const char *query) {
    int skip = 0;
    const int count = sscanf(query, "?top=%*d&skip=%d", &skip) == 1 ? 4 : 6;
    size_t length = (size_t)snprintf(body, size, "{\"items\":[");
    for (int id = skip + 1; id <= 6 && id <= skip + count; id++) {
        char contact_id[16];
        snprintf(contact_id, sizeof contact_id, "%d", id);
        write_contact(body + length, size - length, sequence_id, contact_id);
        length += strlen(body + length);
        body[length++] = ',';
    }
    snprintf(body + length - 1, size - length, "],\"hasMore\":%s}",
             skip + count < 6 ? "true" : "false");
}

/* Returns 0 if the connection must be closed. */
static int respond(int connection, const char *request) {
    char sequence_id[32] = "0";
    char contact_id[32] = "0";
    char body[4096] = "";
    char response[5000];
    const char *status = "200 OK";
    int query = 0; /* where the query of a list would start */
    if (strncmp(request, "GET ", 4) != 0) {
        return 0; /* such as CONNECT */
    }
    sscanf(request, "GET /v4/sequences/%31[0-9]/contacts/%31[0-9]", sequence_id, contact_id);
    const long secret = strtol(contact_id, NULL, 10) - CONTACT_SERVER_FIRST_SECRET;
    sscanf(request, "GET /v4/sequences/%*[0-9]/contacts%n", &query);
    if (request[query] == '?' || request[query] == ' ') {
        write_page(body, sizeof body, sequence_id, request + query);
    } else if (secret >= 0 && secret < CONTACT_SERVER_SECRET_COUNT) {
        status = write_secret(body, sizeof body, (int)secret);
    } else if (strcmp(contact_id, "404") == 0) {
        status = "404 Not Found";
        snprintf(body, sizeof body,
                 "{\"title\":\"Not \\u0066ound\",\"code\":\"sequenceContact.notInSequence\","
                 "\"errors\":[{\"a\":\"b\"}]}");
    } else if (strcmp(contact_id, "503") == 0) {
        status = "503 Service Unavailable";
    } else {
        write_contact(body, sizeof body, sequence_id, contact_id);
    }
    const int length =
        snprintf(response, sizeof response,
                 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 status, strlen(body), body);
    return send(connection, response, (size_t)length, MSG_NOSIGNAL) == length;
}

static void serve(int connection) {
    char request[8192];
    size_t length = 0;
    const int on = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (;;) {
        const ssize_t received = recv(connection, request + length, sizeof request - 1 - length, 0);
        if (received <= 0) {
            return;
        }
        length += (size_t)received;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL) {
            length = 0;
            if (!respond(connection, request)) {
                return;
            }
        }
    }
}

/* Ends by itself, but not before the longest test. */
static _Noreturn void run(int listener) {
    const unsigned lifetime_seconds = (unsigned)(timing_scale_ms(300 * 1000) / 1000);
    alarm(lifetime_seconds);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        const int connection = accept(listener, NULL, NULL);
        if (connection >= 0 && fork() == 0) {
            alarm(lifetime_seconds);
            serve(connection);
            _exit(0);
        }
        close(connection);
    }
}

pid_t contact_server_start(char base_url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("contact server");
        exit(EXIT_FAILURE);
    }
    snprintf(base_url, 64, "http://127.0.0.1:%d/v4", ntohs(address.sin_port));
    const pid_t server = fork();
    if (server == 0) {
        run(listener);
    }
    close(listener);
    return server;
}

void contact_server_stop(pid_t server) {
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}
