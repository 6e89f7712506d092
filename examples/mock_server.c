/* mock_server.c - stands in for the service on this machine: answers each contact that is asked for
 * with the documentation's example, and some with what a program must be able to bear. Prints its
 * base URL, and ends with its standard input. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
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
    LIFETIME_SECONDS = 600,
    MOST_CONNECTIONS = 128,
    LARGEST_HEAD = 16384,
    LARGEST_BODY = 1024,
    LARGEST_RESPONSE = 2048,
    FOREIGN_CONTACT = 404, /* is in no sequence */
    LIMITED_CONTACT = 429  /* meets the rate limit when it is first asked for */
};

/* ---- The contacts, after their ids ---- */

static const char example_contact[] =
    "\"email\": \"john.doe@company.com\", \"firstName\": \"John\", \"lastName\": \"Doe\",\n"
    " \"company\": \"Tech Solutions Inc\", \"title\": \"Senior Product Manager\",\n"
    " \"status\": \"Active\", \"subStatus\": \"None\", \"currentStep\": 2,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"movingDate\": null,\n"
    " \"nextSendAfter\": \"2024-03-09T09:00:00+00:00\", \"isOptedOut\": false, \"emailAccountId\": "
    "101,\n"
    " \"linkedInAccountId\": null, \"icpScore\": 0.85}";

/* Opted out, with text that a terminal would obey, as escapes and as it is, and with values that
 * nobody expects. */
static const char hostile_contact[] =
    "\"email\": \"zoe@company.com\", \"firstName\": \"Zo\u00EB \\u001b[31m\\u202e\", \"lastName\": "
    "\"\u6F22\u5B57\\n\\u009b\",\n"
    " \"company\": \"\u2028\x7F\", \"title\": null, \"status\": \"Snoozed\\u0007\", \"subStatus\": "
    "\"Bounced\", \"currentStep\": "
    "0,\n"
    " \"addingDate\": \"2025-10-29T10:00:00.00\", \"movingDate\": \"the day before\", "
    "\"nextSendAfter\": null,\n"
    " \"isOptedOut\": true, \"emailAccountId\": 7, \"linkedInAccountId\": 9007199254740993, "
    "\"icpScore\": null}";

static const char nameless_contact[] =
    "\"email\": \"info@company.com\", \"status\": \"outofoffice\", \"subStatus\": \"AutoReplied\", "
    "\"currentStep\": 1,\n"
    " \"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

static const char bare_contact[] = "\"status\": \"Finished\", \"currentStep\": 1, \"addingDate\": "
                                   "\"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";

/* What stands for every other id comes last. */
static const struct {
    int64_t contact_id;
    const char *rest;
} contacts[] = {
    {666, hostile_contact}, {667, nameless_contact}, {668, bare_contact}, {0, example_contact}};

/* ---- Responses ---- */

#define PROBLEM "\r\nContent-Type: application/problem+json"

/* A whole response: its status and its own headers, each on a line, and its body. */
static void write_response(char *response, const char *head, const char *body) {
    snprintf(response, LARGEST_RESPONSE, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head,
             strlen(body), body);
}

static void write_contact(char *response, int64_t sequence_id, int64_t contact_id) {
    char body[LARGEST_BODY];
    size_t row = 0;
    while (contacts[row].contact_id != contact_id && contacts[row].contact_id != 0) {
        row++;
    }
    snprintf(body, sizeof body, "{\"contactId\": %" PRId64 ", \"sequenceId\": %" PRId64 ", %s",
             contact_id, sequence_id, contacts[row].rest);
    write_response(response, "200 OK\r\nContent-Type: application/json", body);
}

/* ---- Requests ---- */

/* Goes over the word in the text, if it stands there. */
static bool skip(const char **text, const char *word) {
    const size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0) {
        return false;
    }
    *text += length;
    return true;
}

static bool skip_id(const char **text, int64_t *id) {
    char *end = NULL;
    *id = strtoll(*text, &end, 10);
    const bool is_id = **text >= '0' && **text <= '9' && *id > 0;
    *text = end;
    return is_id;
}

/* The value of a header, whose name is given with its colon, in the head of a request; "" where
 * there is none. */
static const char *find_header(const char *head, const char *name) {
    const char *line = head;
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0) {
            line += strlen(name);
            return line + strspn(line, " \t");
        }
    }
    return "";
}

static bool has_key(const char *head) {
    const char *key = find_header(head, "X-API-Key:");
    return *key != '\0' && *key != '\r';
}

static void answer(const char *head, char *response) {
    static atomic_flag has_limited = ATOMIC_FLAG_INIT;
    int64_t sequence_id = 0;
    int64_t contact_id = 0;
    if (!has_key(head)) {
        write_response(response, "401 Unauthorized\r\nWWW-Authenticate: ApiKey", "");
    } else if (!skip(&head, "GET /v4/sequences/") || !skip_id(&head, &sequence_id) ||
               !skip(&head, "/contacts/") || !skip_id(&head, &contact_id) ||
               !skip(&head, " HTTP/1.1\r\n")) {
        write_response(response, "404 Not Found" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404}");
    } else if (contact_id == FOREIGN_CONTACT) {
        write_response(response, "404 Not Found" PROBLEM,
                       "{\"title\": \"Not Found\", \"status\": 404, \"detail\": \"The contact is "
                       "not in this sequence.\", "
                       "\"code\": \"sequenceContact.notInSequence\"}");
    } else if (contact_id == LIMITED_CONTACT && !atomic_flag_test_and_set(&has_limited)) {
        write_response(response, "429 Too Many Requests\r\nRetry-After: 1" PROBLEM,
                       "{\"title\": \"Too Many Requests\", \"status\": 429}");
    } else {
        write_contact(response, sequence_id, contact_id);
    }
}

/* ---- Connections ---- */

static bool send_all(int connection, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t sent = send(connection, text, left, MSG_NOSIGNAL);
        if (sent < 0) {
            return false;
        }
        text += sent;
        left -= (size_t)sent;
    }
    return true;
}

/* Reads until the buffer, with its length, holds a request's head. Returns where that ends, or NULL
 * at the connection's end. */
static char *receive_head(int connection, char *buffer, size_t *length) {
    char *end = NULL;
    while ((end = strstr(buffer, "\r\n\r\n")) == NULL) {
        const ssize_t received = recv(connection, buffer + *length, LARGEST_HEAD - *length, 0);
        if (received <= 0) {
            return NULL;
        }
        *length += (size_t)received;
        buffer[*length] = '\0';
    }
    return end + 4;
}

static void serve(int connection) {
    char buffer[LARGEST_HEAD + 1] = "";
    char response[LARGEST_RESPONSE];
    size_t length = 0;
    bool goes_on = true;
    while (goes_on) {
        char *end = receive_head(connection, buffer, &length);
        if (end == NULL) {
            return;
        }
        const char next = *end;
        *end = '\0';
        answer(buffer, response);
        /* Another method's request may have a body, which is not read: what follows it would be
         * taken for the next request. */
        goes_on = send_all(connection, response) && strncmp(buffer, "GET ", 4) == 0 &&
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

/* Listens on loopback, on a port that the system picks. Returns -1 where that fails. */
static int listen_on_loopback(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (listener < 0 || bind(listener, (struct sockaddr *)address, size) != 0 ||
        listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &size) != 0) {
        return -1;
    }
    return listener;
}

int main(void) {
    static int listener; /* outlives main, as the threads do */
    struct sockaddr_in address;
    char ignored[64];
    listener = listen_on_loopback(&address);
    if (listener < 0) {
        perror("mock_server");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < MOST_CONNECTIONS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_connections, &listener) != 0) {
            fputs("mock_server: a thread cannot be started\n", stderr);
            return EXIT_FAILURE;
        }
    }
    alarm(LIFETIME_SECONDS); /* nobody catches its signal, which ends the process */
    printf("http://127.0.0.1:%d/v4\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
    }
    return EXIT_SUCCESS;
}
