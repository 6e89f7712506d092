/* mock_server.c - mock server on loopback: returns the documentation's example for most contact
 * ids, and difficult contacts and errors for some. It prints its base URL and exits at the end of
 * standard input. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_LIFETIME_SECONDS = 600,
    MAX_CONNECTIONS = 128,
    MAX_HEADERS_SIZE = 16384,
    MAX_BODY_SIZE = 1024,
    MAX_RESPONSE_SIZE = 2048,
    NOT_FOUND_CONTACT = 404,
    RATE_LIMITED_CONTACT = 429 /* for the first request only */
};

/* ---- Contacts, without the beginning that contains their ids ---- */

static const char example_contact[] =
    "\"email\": \"john.doe@company.com\", \"firstName\": \"John\", \"lastName\": \"Doe\",\n"
    " \"company\": \"Tech Solutions Inc\", \"title\": \"Senior Product Manager\",\n"
    " \"status\": \"Active\", \"subStatus\": \"None\", \"currentStep\": 2,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"movingDate\": null,\n"
    " \"nextSendAfter\": \"2024-03-09T09:00:00+00:00\", \"isOptedOut\": false,"
    " \"emailAccountId\": 101,\n"
    " \"linkedInAccountId\": null, \"icpScore\": 0.85}";

/* Opted out, with control characters, raw and as JSON escapes, and with unknown values. */
static const char hostile_contact[] =
    "\"email\": \"zoe@company.com\", \"firstName\": \"Zo\u00EB \\u001b[31m\\u202e\","
    " \"lastName\": \"\u6F22\u5B57\\n\\u009b\",\n"
    " \"company\": \"\u2028\x7F\", \"title\": null, \"status\": \"Snoozed\\u0007\","
    " \"subStatus\": \"Bounced\", \"currentStep\": 0,\n"
    " \"addingDate\": \"2025-10-29T10:00:00.00\", \"movingDate\": \"the day before\","
    " \"nextSendAfter\": null,\n"
    " \"isOptedOut\": true, \"emailAccountId\": 7, \"linkedInAccountId\": 9007199254740993,"
    " \"icpScore\": null}";

static const char nameless_contact[] =
    "\"email\": \"info@company.com\", \"status\": \"outofoffice\", \"subStatus\": \"AutoReplied\","
    " \"currentStep\": 1,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

static const char bare_contact[] =
    "\"status\": \"Finished\", \"currentStep\": 1,"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

/* The first and the last day that a date can have, and a day that is year 0 in UTC. */
static const char extreme_dates_contact[] =
    "\"status\": \"Active\", \"currentStep\": 1, \"addingDate\": \"0001-01-01T00:00:00\","
    " \"movingDate\": \"9999-12-31T23:59:59+00:00\","
    " \"nextSendAfter\": \"0001-01-01T00:00:00+05:00\", \"isOptedOut\": false}";

/* The last row is for every other id. */
static const struct {
    int64_t contact_id;
    const char *rest;
} contacts[] = {{666, hostile_contact},
                {667, nameless_contact},
                {668, bare_contact},
                {669, extreme_dates_contact},
                {0, example_contact}};

/* ---- Responses ---- */

#define PROBLEM "\r\nContent-Type: application/problem+json"

/* headers begins with the status and has no newline at its end. */
static void write_response(char *response, const char *headers, const char *body) {
    snprintf(response, MAX_RESPONSE_SIZE, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", headers,
             strlen(body), body);
}

static void write_contact(char *response, int64_t sequence_id, int64_t contact_id) {
    char body[MAX_BODY_SIZE];
    size_t row = 0;
    while (contacts[row].contact_id != contact_id && contacts[row].contact_id != 0) {
        row++;
    }
    snprintf(body, sizeof body, "{\"contactId\": %" PRId64 ", \"sequenceId\": %" PRId64 ", %s",
             contact_id, sequence_id, contacts[row].rest);
    write_response(response, "200 OK\r\nContent-Type: application/json", body);
}

/* ---- Requests ---- */

static bool skip_prefix(const char **text, const char *prefix) {
    const size_t length = strlen(prefix);
    if (strncmp(*text, prefix, length) != 0) {
        return false;
    }
    *text += length;
    return true;
}

static bool skip_id(const char **text, int64_t *id) {
    char *end = NULL;
    *id = strtoll(*text, &end, 10);
    const bool is_valid = **text >= '0' && **text <= '9' && *id > 0;
    *text = end;
    return is_valid;
}

/* Returns the rest of the request from the header's value on, or "" if the header is missing. name
 * includes the colon. */
static const char *find_header(const char *headers, const char *name) {
    const char *line = headers;
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0) {
            line += strlen(name);
            return line + strspn(line, " \t");
        }
    }
    return "";
}

static bool has_api_key(const char *headers) {
    const char *key = find_header(headers, "X-API-Key:");
    return *key != '\0' && *key != '\r';
}

static void respond(const char *headers, char *response) {
    static atomic_flag has_limited = ATOMIC_FLAG_INIT;
    int64_t sequence_id = 0;
    int64_t contact_id = 0;
    if (!has_api_key(headers)) {
        write_response(response, "401 Unauthorized\r\nWWW-Authenticate: ApiKey", "");
    } else if (!skip_prefix(&headers, "GET /v4/sequences/") || !skip_id(&headers, &sequence_id) ||
               !skip_prefix(&headers, "/contacts/") || !skip_id(&headers, &contact_id) ||
               !skip_prefix(&headers, " HTTP/1.1\r\n")) {
        write_response(response, "404 Not Found\r\nX-Request-Id: 7d1e08" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404}");
    } else if (contact_id == NOT_FOUND_CONTACT) {
        write_response(response, "404 Not Found\r\nX-Request-Id: 4bf92f" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404,"
                       " \"detail\": \"The contact is not in this sequence.\","
                       " \"code\": \"sequenceContact.notInSequence\"}");
    } else if (contact_id == RATE_LIMITED_CONTACT && !atomic_flag_test_and_set(&has_limited)) {
        write_response(response, "429 Too Many Requests\r\nRetry-After: 1" PROBLEM,
                       "{\"title\": \"Too Many Requests\", \"status\": 429,"
                       " \"code\": \"RATE_LIMIT\"}");
    } else {
        write_contact(response, sequence_id, contact_id);
    }
}

/* ---- Connections ---- */

static bool send_all(int connection, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t sent = send(connection, text, left, 0);
        if (sent < 0) {
            return false;
        }
        text += sent;
        left -= (size_t)sent;
    }
    return true;
}

/* Reads until the buffer contains the headers of a request. Returns their end, or NULL at the end
 * of the connection. */
static char *receive_headers(int connection, char *buffer, size_t *length) {
    char *end = NULL;
    while ((end = strstr(buffer, "\r\n\r\n")) == NULL) {
        const ssize_t received = recv(connection, buffer + *length, MAX_HEADERS_SIZE - *length, 0);
        if (received <= 0) {
            return NULL;
        }
        *length += (size_t)received;
        buffer[*length] = '\0';
    }
    return end + 4;
}

static void serve(int connection) {
    char buffer[MAX_HEADERS_SIZE + 1] = "";
    char response[MAX_RESPONSE_SIZE];
    size_t length = 0;
    bool is_open = true;
    while (is_open) {
        char *end = receive_headers(connection, buffer, &length);
        if (end == NULL) {
            return;
        }
        const char next = *end;
        *end = '\0';
        respond(buffer, response);
        /* Any other method may have a body, which the server would misread as the next request. */
        is_open = send_all(connection, response) && strncmp(buffer, "GET ", 4) == 0 &&
                  strncasecmp(find_header(buffer, "Connection:"), "close", 5) != 0;
        *end = next;
        length -= (size_t)(end - buffer);
        memmove(buffer, end, length + 1);
    }
}

static void *serve_connections(void *listener) {
    for (;;) {
        const int connection = accept(*(const int *)listener, NULL, NULL);
        if (connection >= 0) {
            serve(connection);
            close(connection);
        }
    }
    return NULL;
}

/* Listens on a free port. Returns -1 on failure. */
static int listen_on_loopback(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (listener < 0) {
        return -1;
    }
    if (bind(listener, (struct sockaddr *)address, size) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &size) != 0) {
        close(listener);
        return -1;
    }
    return listener;
}

int main(void) {
    static int listener; /* static: the threads use it after main returns */
    struct sockaddr_in address;
    char ignored[64];
    signal(SIGPIPE, SIG_IGN); /* macOS has no MSG_NOSIGNAL */
    listener = listen_on_loopback(&address);
    if (listener < 0) {
        perror("mock_server");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_connections, &listener) != 0) {
            fputs("mock_server: cannot create a thread\n", stderr);
            return EXIT_FAILURE;
        }
    }
    alarm(MAX_LIFETIME_SECONDS); /* SIGALRM ends the process */
    printf("http://127.0.0.1:%d/v4\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
    }
    return EXIT_SUCCESS;
}
