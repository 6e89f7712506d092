/* client.c - create, configure and destroy a client; its idle sessions. */
#include "api/client.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "dispatch/request.h"

const char *reply_version(void) {
    return REPLYIO_VERSION;
}

/* ---- Settings that are numbers ---- */

#define MEMBER(name) offsetof(reply_client, name)

/* One row per setting: an int64_t of the client. */
static const struct number {
    const char *name;
    size_t member;
    int64_t initial, min, max;
} numbers[] = {
    {"connect_timeout_ms", MEMBER(settings.transport.connect_timeout_ms), 10000, 1, INT32_MAX},
    {"attempt_timeout_ms", MEMBER(settings.attempt_timeout_ms), 30000, 1, INT32_MAX},
    {"timeout_ms", MEMBER(timeout_ms), -1, 0, INT32_MAX},
    {"max_retries", MEMBER(settings.max_retries), 3, 0, 10},
    {"max_concurrency", MEMBER(settings.max_concurrency), 4, 1, 100},
};

static int64_t *member_at(reply_client *client, size_t offset) {
    return (int64_t *)((char *)client + offset);
}

/* ---- Create and destroy ---- */

static void free_client(reply_client *client) {
    for (size_t i = 0; i < client->settings.transport.header_count; i++) {
        secret_free_text(client->headers[i]);
    }
    secret_free_text(client->proxy); /* it may contain a password */
    free(client->ca_file);
    free(client->base_url);
    free(client);
}

static void set_defaults(reply_client *client, const struct transport *transport) {
    static const char base_url[] = "https://api.reply.io/v4";
    client->transport = transport;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        *member_at(client, numbers[i].member) = numbers[i].initial;
    }
    client->settings.transport.base_url = (struct transport_base_url){
        .text = base_url, .path_offset = strlen("https://api.reply.io")};
    client->settings.transport.headers = client->headers;
    client->settings.transport.header_count = OWN_HEADER_COUNT;
}

static bool make_own_headers(reply_client *client, const char *api_key) {
    client->headers[HEADER_API_KEY] = request_make_header("X-API-Key", api_key);
    client->headers[HEADER_ACCEPT] = request_make_header("Accept", "application/json");
    client->headers[HEADER_USER_AGENT] =
        request_make_user_agent(NULL, client->transport->version());
    if (client->headers[HEADER_API_KEY] == NULL) {
        return false;
    }
    client->settings.api_key = client->headers[HEADER_API_KEY] + strlen("X-API-Key: ");
    return client->headers[HEADER_ACCEPT] != NULL && client->headers[HEADER_USER_AGENT] != NULL;
}

static bool make_locks(reply_client *client) {
    if (!gate_init(&client->gate)) {
        return false;
    }
    if (pthread_mutex_init(&client->lock, NULL) != 0) {
        gate_destroy(&client->gate);
        return false;
    }
    return true;
}

reply_result client_create(const struct transport *transport, const char *api_key,
                           reply_client **client, reply_error *error) {
    if (client != NULL) {
        *client = NULL;
    }
    if (client == NULL) {
        return error_set_null_argument(error, "client");
    }
    if (api_key == NULL) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid argument: api_key is NULL; pass the API key from Settings > API "
                         "Key in Reply");
    }
    if (!request_is_key(api_key)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid api_key: not 1 to %d visible ASCII characters; use the key as "
                         "Reply shows it, without spaces or newlines",
                         REQUEST_MAX_KEY);
    }
    reply_client *created = calloc(1, sizeof *created);
    if (created == NULL) {
        return error_set_no_memory(error);
    }
    set_defaults(created, transport);
    if (transport->prepare(error) == REPLY_OK &&
        (!make_own_headers(created, api_key) || !make_locks(created))) {
        error_set_no_memory(error);
    }
    if (error->result != REPLY_OK) {
        free_client(created);
        return error->result;
    }
    *client = created;
    return REPLY_OK;
}

reply_result reply_client_create(const char *api_key, reply_client **client, reply_error *error) {
    reply_error spare;
    return client_create(&transport_libcurl, api_key, client, error_begin(error, &spare));
}

void reply_client_destroy(reply_client *client) {
    if (client == NULL) {
        return;
    }
    const bool is_inherited = gate_is_inherited(&client->gate);
    while (client->idle != NULL) {
        struct dispatch_session *session = client->idle;
        client->idle = session->next;
        dispatch_close(session, is_inherited);
    }
    if (!is_inherited) {
        pthread_mutex_destroy(&client->lock);
    }
    gate_destroy(&client->gate);
    free_client(client);
}

void reply_client_interrupt(reply_client *client) {
    if (client != NULL) {
        gate_interrupt(&client->gate);
    }
}

/* ---- Setters ---- */

/* Checks common to all setters. missing is the name of an argument that is NULL, or NULL. */
static bool can_set(reply_client *client, const char *missing, reply_error *error) {
    if (client == NULL || missing != NULL) {
        error_set_null_argument(error, client == NULL ? "client" : missing);
        return false;
    }
    if (gate_check_process(&client->gate, error) != REPLY_OK) {
        return false;
    }
    pthread_mutex_lock(&client->lock);
    const bool is_in_use = client->is_in_use;
    pthread_mutex_unlock(&client->lock);
    if (is_in_use) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "invalid client: a call was made, which fixes its settings; create another "
                  "client");
    }
    return !is_in_use;
}

/* Replaces a text of the client by one that was made for it, or is NULL if out of memory. */
static reply_result replace(char **member, char *made, reply_error *error) {
    if (made == NULL) {
        return error_set_no_memory(error);
    }
    secret_free_text(*member);
    *member = made;
    return REPLY_OK;
}

reply_result reply_client_set_base_url(reply_client *client, const char *url, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    struct transport_base_url base_url = {0};
    char *text = NULL;
    if (can_set(client, url == NULL ? "url" : NULL, error) &&
        client->transport->parse_base_url(url, &base_url, &text, error) == REPLY_OK) {
        free(client->base_url);
        client->base_url = text;
        client->settings.transport.base_url = base_url;
    }
    return error->result;
}

reply_result reply_client_set_user_agent(reply_client *client, const char *product,
                                         reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!can_set(client, product == NULL ? "product" : NULL, error)) {
        return error->result;
    }
    if (!request_is_product(product)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid product: not 1 to %d printable ASCII characters without a space "
                         "at an end; use something like \"name/1.0\"",
                         REQUEST_MAX_PRODUCT);
    }
    return replace(&client->headers[HEADER_USER_AGENT],
                   request_make_user_agent(product, client->transport->version()), error);
}

/* Returns the index of the added header of that name, or else the one after the last header. */
static size_t find_header(const reply_client *client, const char *name) {
    size_t index = OWN_HEADER_COUNT;
    while (index < client->settings.transport.header_count &&
           !request_has_header_name(client->headers[index], name)) {
        index++;
    }
    return index;
}

reply_result reply_client_add_header(reply_client *client, const char *name, const char *value,
                                     reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!can_set(client, name == NULL ? "name" : value == NULL ? "value" : NULL, error)) {
        return error->result;
    }
    if (!request_is_header_name(name)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid header name; use a token such as X-TEAM-ID of at most %d "
                         "characters that is not one of the library's own headers",
                         REQUEST_MAX_HEADER_NAME);
    }
    if (!request_is_header_value(value)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid header value; use at most %d bytes without control characters",
                         REQUEST_MAX_HEADER_VALUE);
    }
    const size_t index = find_header(client, name);
    if (index == OWN_HEADER_COUNT + MAX_ADDED_HEADERS) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "too many headers: %d have been added; add fewer", MAX_ADDED_HEADERS);
    }
    if (replace(&client->headers[index], request_make_header(name, value), error) == REPLY_OK &&
        index == client->settings.transport.header_count) {
        client->settings.transport.header_count++;
    }
    return error->result;
}

reply_result reply_client_set_ca_file(reply_client *client, const char *path, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!can_set(client, path == NULL ? "path" : NULL, error)) {
        return error->result;
    }
    if (path[0] == '\0') {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid path: empty; use the path of a file of CA certificates");
    }
    replace(&client->ca_file, strdup(path), error);
    client->settings.transport.ca_file = client->ca_file;
    return error->result;
}

reply_result reply_client_set_proxy(reply_client *client, const char *url, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!can_set(client, url == NULL ? "url" : NULL, error) ||
        (url[0] != '\0' && client->transport->check_proxy(url, error) != REPLY_OK)) {
        return error->result;
    }
    replace(&client->proxy, strdup(url), error);
    client->settings.transport.proxy = client->proxy;
    return error->result;
}

static reply_result set_number(reply_client *client, size_t member, int64_t value,
                               reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    const struct number *number = numbers;
    while (number->member != member) {
        number++;
    }
    if (!can_set(client, NULL, error)) {
        return error->result;
    }
    if (value < number->min || value > number->max) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "invalid %s %" PRId64 ": out of range; use %" PRId64 " to %" PRId64,
                         number->name, value, number->min, number->max);
    }
    *member_at(client, member) = value;
    return REPLY_OK;
}

reply_result reply_client_set_connect_timeout_ms(reply_client *client, int64_t ms,
                                                 reply_error *error) {
    return set_number(client, MEMBER(settings.transport.connect_timeout_ms), ms, error);
}

reply_result reply_client_set_attempt_timeout_ms(reply_client *client, int64_t ms,
                                                 reply_error *error) {
    return set_number(client, MEMBER(settings.attempt_timeout_ms), ms, error);
}

reply_result reply_client_set_timeout_ms(reply_client *client, int64_t ms, reply_error *error) {
    return set_number(client, MEMBER(timeout_ms), ms, error);
}

reply_result reply_client_set_max_retries(reply_client *client, int32_t retries,
                                          reply_error *error) {
    return set_number(client, MEMBER(settings.max_retries), retries, error);
}

reply_result reply_client_set_max_concurrency(reply_client *client, int32_t requests,
                                              reply_error *error) {
    return set_number(client, MEMBER(settings.max_concurrency), requests, error);
}

reply_result reply_client_set_log(reply_client *client, reply_log_fn log, void *user_data,
                                  reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (can_set(client, NULL, error)) {
        client->settings.log = log;
        client->settings.log_user_data = user_data;
    }
    return error->result;
}

/* ---- Sessions ---- */

struct dispatch_session *client_borrow_session(reply_client *client) {
    pthread_mutex_lock(&client->lock);
    client->is_in_use = true;
    struct dispatch_session *session = client->idle;
    if (session != NULL) {
        client->idle = session->next;
    }
    pthread_mutex_unlock(&client->lock);
    return session != NULL ? session : dispatch_open(client->transport, &client->settings);
}

void client_return_session(reply_client *client, struct dispatch_session *session) {
    if (!dispatch_is_reusable(session)) {
        dispatch_close(session, false);
        return;
    }
    pthread_mutex_lock(&client->lock);
    session->next = client->idle;
    client->idle = session;
    pthread_mutex_unlock(&client->lock);
}
