/* fuzz_response.c - any bytes as a whole response, through the real transport. The call must end in
 * time, with the requested contact or with a valid error. A thread on loopback sends the bytes on
 * each connection and closes it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "replyio.h"

static struct {
    int listener; /* 0: not started */
    char url[64];
    pthread_mutex_t lock; /* guards the response */
    const uint8_t *response;
    size_t size;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void respond(int connection) {
    char request[4096];
    size_t length = 0;
    while (length < sizeof request - 1) {
        const ssize_t received = recv(connection, request + length, sizeof request - 1 - length, 0);
        if (received <= 0) {
            return;
        }
        length += (size_t)received;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL) {
            break;
        }
    }
    pthread_mutex_lock(&server.lock);
    for (size_t sent = 0; sent < server.size;) {
        const ssize_t written =
            send(connection, server.response + sent, server.size - sent, MSG_NOSIGNAL);
        if (written <= 0) {
            break;
        }
        sent += (size_t)written;
    }
    pthread_mutex_unlock(&server.lock);
}

static void *serve(void *unused) {
    (void)unused;
    for (;;) {
        const int connection = accept(server.listener, NULL, NULL);
        if (connection >= 0) {
            respond(connection);
            shutdown(connection, SHUT_WR);
            close(connection);
        }
    }
    return NULL;
}

static void start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    FUZZ_CHECK(server.listener >= 0 &&
               bind(server.listener, (struct sockaddr *)&address, sizeof address) == 0);
    FUZZ_CHECK(listen(server.listener, 16) == 0 &&
               getsockname(server.listener, (struct sockaddr *)&address, &length) == 0);
    FUZZ_CHECK(pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0);
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/v4", ntohs(address.sin_port));
}

static reply_client *create_client(void) {
    reply_client *client = NULL;
    FUZZ_CHECK(reply_client_create("k3y-Secret", &client, NULL) == REPLY_OK);
    FUZZ_CHECK(reply_client_set_base_url(client, server.url, NULL) == REPLY_OK);
    FUZZ_CHECK(reply_client_set_max_retries(client, 0, NULL) == REPLY_OK);
    FUZZ_CHECK(reply_client_set_timeout_ms(client, 0, NULL) == REPLY_OK);
    FUZZ_CHECK(reply_client_set_attempt_timeout_ms(client, 5000, NULL) == REPLY_OK);
    return client;
}

/* Sets the response to the next requests. Waits until the previous response has been sent: the
 * caller may then free its bytes. */
static void set_response(const uint8_t *bytes, size_t size) {
    pthread_mutex_lock(&server.lock);
    server.response = bytes;
    server.size = size;
    pthread_mutex_unlock(&server.lock);
}

static void check_error(reply_result result, const reply_error *error) {
    fuzz_check_message(error->message);
    FUZZ_CHECK(error->attempts == 1 && result == error->result &&
               result != REPLY_ERROR_INVALID_ARGUMENT);
    FUZZ_CHECK(strstr(error->message, "k3y-Secret") == NULL &&
               strstr(error->request_id, "k3y-Secret") == NULL);
    FUZZ_CHECK(result != REPLY_ERROR_NO_MEMORY && result != REPLY_ERROR_CANCELLED &&
               result != REPLY_ERROR_TLS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static reply_client *client = NULL;
    reply_sequence_contact *contact = NULL;
    reply_error error;
    if (server.listener == 0) {
        start_server();
    }
    if (client == NULL) {
        client = create_client();
    }
    set_response(data, size);
    const reply_result result = reply_get_sequence_contact(client, 100, 12345, &contact, &error);
    if (result == REPLY_OK) {
        FUZZ_CHECK(contact->contact_id == 12345 && contact->sequence_id == 100 &&
                   error.attempts == 1);
        fuzz_check_utf8(contact->json, contact->json_length);
    } else {
        FUZZ_CHECK(contact == NULL);
        check_error(result, &error);
    }
    reply_sequence_contact_free(contact);
    if (result == REPLY_ERROR_RATE_LIMITED) {
        reply_client_destroy(client); /* its gate is closed, possibly for a day */
        client = NULL;
    }
    set_response(NULL, 0);
    return 0;
}
