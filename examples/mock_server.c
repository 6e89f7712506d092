/* mock_server.c - mock server on loopback: returns made-up contacts and lists, and errors for some
 * ids. It prints its base URL and exits at the end of standard input. */
#include <arpa/inet.h>
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
#include <time.h>
#include <unistd.h>

#include "mock_contacts.h"

enum {
    MAX_LIFETIME_SECONDS = 600,
    MAX_CONNECTIONS = 128,
    MAX_HEADERS_SIZE = 16384,
    DEFAULT_PAGE_SIZE = 25,
    MAX_PAGE_SIZE = 1000,
    NOT_FOUND_CONTACT = 404,
    RATE_LIMITED_CONTACT = 429 /* for the first request only */
};

/* ---- Responses ---- */

#define PROBLEM "\r\nContent-Type: application/problem+json"

/* headers begins with the status and has no newline at its end. */
static void write_response(FILE *response, const char *headers, const char *body) {
    fprintf(response, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", headers, strlen(body), body);
}

/* Opens a stream whose text the caller frees after closing the stream. */
static FILE *open_text(char **text, size_t *length) {
    FILE *stream = open_memstream(text, length);
    if (stream == NULL) {
        perror("mock_server");
        exit(EXIT_FAILURE);
    }
    return stream;
}

static void write_ok(FILE *response, const char *body) {
    write_response(response, "200 OK\r\nContent-Type: application/json", body);
}

static void write_contact(FILE *response, int64_t sequence_id, int64_t contact_id) {
    char *text = NULL;
    size_t length = 0;
    FILE *body = open_text(&text, &length);
    mock_contacts_write_one(body, sequence_id, contact_id);
    fclose(body);
    write_ok(response, text);
    free(text);
}

static void write_page(FILE *response, int64_t sequence_id, uint64_t top, uint64_t skip) {
    char *text = NULL;
    size_t length = 0;
    FILE *body = open_text(&text, &length);
    mock_contacts_write_page(body, sequence_id, top, skip);
    fclose(body);
    write_ok(response, text);
    free(text);
}

static void write_rate_limited(FILE *response) {
    write_response(response, "429 Too Many Requests\r\nRetry-After: 1" PROBLEM,
                   "{\"title\": \"Too Many Requests\", \"status\": 429, \"code\": \"RATE_LIMIT\"}");
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

static bool skip_number(const char **text, uint64_t *number) {
    char *end = NULL;
    const bool is_number = **text >= '0' && **text <= '9';
    *number = strtoull(*text, &end, 10);
    *text = end;
    return is_number;
}

static bool skip_id(const char **text, int64_t *id) {
    uint64_t number = 0;
    const bool is_id = skip_number(text, &number) && number >= 1 && number <= INT64_MAX;
    *id = (int64_t)number;
    return is_id;
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

/* Reads "?top=N&skip=N". Returns false if the query is invalid. */
static bool skip_query(const char **text, uint64_t *top, uint64_t *skip) {
    bool is_valid = true;
    *top = DEFAULT_PAGE_SIZE;
    *skip = 0;
    for (const char *separator = "?"; is_valid && skip_prefix(text, separator); separator = "&") {
        if (skip_prefix(text, "top=")) {
            is_valid = skip_number(text, top);
        } else {
            is_valid = skip_prefix(text, "skip=") && skip_number(text, skip);
        }
    }
    return is_valid && *top >= 1 && *top <= MAX_PAGE_SIZE;
}

static void respond_with_contact(FILE *response, int64_t sequence_id, int64_t contact_id) {
    static atomic_flag has_limited = ATOMIC_FLAG_INIT;
    if (contact_id == NOT_FOUND_CONTACT) {
        write_response(response, "404 Not Found\r\nX-Request-Id: 4bf92f" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404,"
                       " \"detail\": \"The contact is not in this sequence.\","
                       " \"code\": \"sequenceContact.notInSequence\"}");
    } else if (contact_id == RATE_LIMITED_CONTACT && !atomic_flag_test_and_set(&has_limited)) {
        write_rate_limited(response);
    } else {
        write_contact(response, sequence_id, contact_id);
    }
}

/* Pages of the long sequence take time, so that the progress can be seen. */
static void respond_with_page(FILE *response, int64_t sequence_id, uint64_t top, uint64_t skip) {
    static const struct timespec page_time = {.tv_nsec = 300000000};
    static atomic_flag has_limited = ATOMIC_FLAG_INIT;
    if (sequence_id == LONG_SEQUENCE) {
        nanosleep(&page_time, NULL);
    }
    if (sequence_id == NOT_FOUND_SEQUENCE) {
        write_response(response, "404 Not Found\r\nX-Request-Id: 51c7aa" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404, "
                       "\"code\": \"sequence.notFound\"}");
    } else if (sequence_id == FORBIDDEN_SEQUENCE && skip > 0) {
        write_response(response, "403 Forbidden\r\nX-Request-Id: 9e02bd" PROBLEM,
                       "{\"title\": \"Forbidden\", \"status\": 403, "
                       "\"code\": \"TEAM_NOT_ACCESSIBLE\"}");
    } else if (sequence_id == RATE_LIMITED_SEQUENCE && !atomic_flag_test_and_set(&has_limited)) {
        write_rate_limited(response);
    } else {
        write_page(response, sequence_id, top, skip);
    }
}

static void respond(const char *headers, FILE *response) {
    static const char end[] = " HTTP/1.1\r\n";
    const char *rest = headers;
    int64_t sequence_id = 0;
    int64_t contact_id = 0;
    uint64_t top = 0;
    uint64_t skip = 0;
    const bool is_list = skip_prefix(&rest, "GET /v4/sequences/") && skip_id(&rest, &sequence_id) &&
                         skip_prefix(&rest, "/contacts");
    const bool is_contact = is_list && skip_prefix(&rest, "/");
    if (!has_api_key(headers)) {
        write_response(response, "401 Unauthorized\r\nWWW-Authenticate: ApiKey", "");
    } else if (is_contact && skip_id(&rest, &contact_id) && skip_prefix(&rest, end)) {
        respond_with_contact(response, sequence_id, contact_id);
    } else if (!is_contact && is_list && skip_query(&rest, &top, &skip) &&
               skip_prefix(&rest, end)) {
        respond_with_page(response, sequence_id, top, skip);
    } else {
        write_response(response, "404 Not Found\r\nX-Request-Id: 7d1e08" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404}");
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
    size_t length = 0;
    bool is_open = true;
    while (is_open) {
        char *text = NULL;
        size_t text_length = 0;
        char *end = receive_headers(connection, buffer, &length);
        if (end == NULL) {
            return;
        }
        const char next = *end;
        *end = '\0';
        FILE *response = open_text(&text, &text_length);
        respond(buffer, response);
        fclose(response);
        /* Any other method may have a body, which the server would misread as the next request. */
        is_open = send_all(connection, text) && strncmp(buffer, "GET ", 4) == 0 &&
                  strncasecmp(find_header(buffer, "Connection:"), "close", 5) != 0;
        free(text);
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
