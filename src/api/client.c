/* client.c - create, configure, destroy; the sessions, and so the idle connections, shared by
 * threads. */
#include "api/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "dispatch/request.h"
#include "base/secret.h"

static const char default_base_url[] = "https://api.reply.io/v4";

const char *reply_version(void) {
    return REPLYIO_VERSION;
}

/* ---- Create and destroy ---- */

static void free_client(reply_client *client) {
    for (size_t i = 0; i < client->transport_settings.header_count; i++) {
        secret_free_text(client->headers[i]);
    }
    secret_free_text(client->proxy); /* it may hold a password */
    free(client->ca_file);
    free(client->dispatch_settings.base_url.text);
    free(client);
}

static void set_defaults(reply_client *client, const struct transport *transport) {
    client->transport = transport;
    client->fork_count = process_fork_count();
    client->timeout_ms = -1;
    client->transport_settings = (struct transport_settings){.headers = client->headers,
                                                             .header_count = OWN_HEADER_COUNT,
                                                             .connect_timeout_ms = 10000,
                                                             .slot_count = 4};
    client->dispatch_settings = (struct dispatch_settings){
        .attempt_timeout_ms = 30000, .max_retries = 3, .max_concurrency = 4};
    client->shared.gate_ms = INT64_MIN;
}

static bool make_own_headers(reply_client *client, const char *api_key) {
    client->headers[HEADER_API_KEY] = request_make_header("X-API-Key", api_key);
    client->headers[HEADER_ACCEPT] = request_make_header("Accept", "application/json");
    client->headers[HEADER_USER_AGENT] =
        request_make_user_agent(NULL, client->transport->version());
    if (client->headers[HEADER_API_KEY] == NULL) {
        return false;
    }
    client->dispatch_settings.api_key = client->headers[HEADER_API_KEY] + strlen("X-API-Key: ");
    return client->headers[HEADER_ACCEPT] != NULL && client->headers[HEADER_USER_AGENT] != NULL;
}

static reply_result fill_client(reply_client *client, const char *api_key, reply_error *error) {
    if (!client->transport->prepare() || !make_own_headers(client, api_key)) {
        return error_set_no_memory(error);
    }
    return client->transport->check_base_url(default_base_url, &client->dispatch_settings.base_url,
                                             error);
}

reply_result client_create(const struct transport *transport, const char *api_key,
                           reply_client **client, reply_error *error) {
    if (client != NULL) {
        *client = NULL;
    }
    if (api_key == NULL || client == NULL) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "%s is NULL; pass the API key and a place for the client",
                         api_key == NULL ? "api_key" : "client");
    }
    if (!request_is_key(api_key)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "api_key is not 1 to %d visible ASCII characters; pass the key as Reply "
                         "shows it, without spaces or line feeds",
                         REQUEST_LONGEST_KEY);
    }
    reply_client *created = calloc(1, sizeof *created);
    if (created == NULL) {
        return error_set_no_memory(error);
    }
    set_defaults(created, transport);
    if (fill_client(created, api_key, error) != REPLY_OK ||
        pthread_mutex_init(&created->shared.lock, NULL) != 0) {
        free_client(created);
        return error_set_no_memory(error);
    }
    *client = created;
    return REPLY_OK;
}

reply_result reply_client_create(const char *api_key, reply_client **client, reply_error *error) {
    reply_error spare;
    return client_create(&transport_curl, api_key, client, error_begin(error, &spare));
}

/* In a child after fork the lock may be held by a thread of the parent for ever: it is left alone.
 */
void reply_client_destroy(reply_client *client) {
    if (client == NULL) {
        return;
    }
    const bool came_through_fork = client->fork_count != process_fork_count();
    while (client->sessions != NULL) {
        struct client_session *session = client->sessions;
        client->sessions = session->next;
        client->transport->close(session->session, came_through_fork);
        free(session);
    }
    if (!came_through_fork) {
        pthread_mutex_destroy(&client->shared.lock);
    }
    free_client(client);
}

/* ---- Settings ---- */

reply_result client_check_process(const reply_client *client, reply_error *error) {
    if (client->fork_count == process_fork_count()) {
        return REPLY_OK;
    }
    return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                     "the client came through fork, and its connections are the parent's; create a "
                     "client in the child");
}

/* What every setter checks first; missing is the name of an argument that is NULL, or NULL. */
static bool may_set(reply_client *client, const char *missing, reply_error *error) {
    if (client == NULL || missing != NULL) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT, "%s is NULL; pass the client and a value",
                  client == NULL ? "client" : missing);
        return false;
    }
    if (client_check_process(client, error) != REPLY_OK) {
        return false;
    }
    pthread_mutex_lock(&client->shared.lock);
    const bool is_in_use = client->is_in_use;
    pthread_mutex_unlock(&client->shared.lock);
    if (is_in_use) {
        error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                  "a call has been made with the client, which fixes its settings; create another "
                  "client");
    }
    return !is_in_use;
}

/* Puts a string that was made for the client in the place of its old one; NULL says that memory ran
 * out. */
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
    if (!may_set(client, url == NULL ? "url" : NULL, error) ||
        client->transport->check_base_url(url, &base_url, error) != REPLY_OK) {
        return error->result;
    }
    free(client->dispatch_settings.base_url.text);
    client->dispatch_settings.base_url = base_url;
    client->transport_settings.is_loopback = base_url.is_loopback;
    return REPLY_OK;
}

reply_result reply_client_set_user_agent(reply_client *client, const char *product,
                                         reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!may_set(client, product == NULL ? "product" : NULL, error)) {
        return error->result;
    }
    if (!request_is_product(product)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "product is not 1 to %d printable ASCII characters without a space at an "
                         "end; pass something like \"name/1.0\"",
                         REQUEST_LONGEST_PRODUCT);
    }
    return replace(&client->headers[HEADER_USER_AGENT],
                   request_make_user_agent(product, client->transport->version()), error);
}

/* The place of an added header: where one of that name is, or else after the last. */
static size_t find_header(const reply_client *client, const char *name) {
    size_t index = OWN_HEADER_COUNT;
    while (index < client->transport_settings.header_count &&
           !request_has_header_name(client->headers[index], name)) {
        index++;
    }
    return index;
}

reply_result reply_client_add_header(reply_client *client, const char *name, const char *value,
                                     reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!may_set(client, name == NULL ? "name" : value == NULL ? "value" : NULL, error)) {
        return error->result;
    }
    if (!request_is_header_name(name)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "the header's name is refused; pass a token such as X-TEAM-ID that is "
                         "none of the library's own headers");
    }
    if (!request_is_header_value(value)) {
        return error_set(
            error, REPLY_ERROR_INVALID_ARGUMENT,
            "the header's value is refused; pass at most %d bytes without control characters",
            REQUEST_LONGEST_HEADER_VALUE);
    }
    const size_t index = find_header(client, name);
    if (index == OWN_HEADER_COUNT + MOST_ADDED_HEADERS) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "%d headers are added already; pass fewer", MOST_ADDED_HEADERS);
    }
    if (replace(&client->headers[index], request_make_header(name, value), error) == REPLY_OK &&
        index == client->transport_settings.header_count) {
        client->transport_settings.header_count++;
    }
    return error->result;
}

reply_result reply_client_set_ca_file(reply_client *client, const char *path, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!may_set(client, path == NULL ? "path" : NULL, error)) {
        return error->result;
    }
    if (path[0] == '\0') {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "path is empty; pass the path of a file of CA certificates");
    }
    replace(&client->ca_file, strdup(path), error);
    client->transport_settings.ca_file = client->ca_file;
    return error->result;
}

reply_result reply_client_set_proxy(reply_client *client, const char *url, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (!may_set(client, url == NULL ? "url" : NULL, error) ||
        (url[0] != '\0' && client->transport->check_proxy(url, error) != REPLY_OK)) {
        return error->result;
    }
    replace(&client->proxy, strdup(url), error);
    client->transport_settings.proxy = client->proxy;
    return error->result;
}

/* A setting that is a number from lowest to highest. */
static reply_result check_number(reply_client *client, const char *name, int64_t value,
                                 int64_t lowest, int64_t highest, reply_error *error) {
    if (may_set(client, NULL, error) && (value < lowest || value > highest)) {
        return error_set(error, REPLY_ERROR_INVALID_ARGUMENT,
                         "%s %lld is out of range; pass %lld to %lld", name, (long long)value,
                         (long long)lowest, (long long)highest);
    }
    return error->result;
}

reply_result reply_client_set_connect_timeout_ms(reply_client *client, int64_t ms,
                                                 reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (check_number(client, "connect_timeout_ms", ms, 1, INT32_MAX, error) == REPLY_OK) {
        client->transport_settings.connect_timeout_ms = ms;
    }
    return error->result;
}

reply_result reply_client_set_attempt_timeout_ms(reply_client *client, int64_t ms,
                                                 reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (check_number(client, "attempt_timeout_ms", ms, 1, INT32_MAX, error) == REPLY_OK) {
        client->dispatch_settings.attempt_timeout_ms = ms;
    }
    return error->result;
}

reply_result reply_client_set_timeout_ms(reply_client *client, int64_t ms, reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (check_number(client, "timeout_ms", ms, 0, INT32_MAX, error) == REPLY_OK) {
        client->timeout_ms = ms;
    }
    return error->result;
}

reply_result reply_client_set_max_retries(reply_client *client, int32_t retries,
                                          reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (check_number(client, "max_retries", retries, 0, 10, error) == REPLY_OK) {
        client->dispatch_settings.max_retries = retries;
    }
    return error->result;
}

reply_result reply_client_set_max_concurrency(reply_client *client, int32_t requests,
                                              reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (check_number(client, "max_concurrency", requests, 1, DISPATCH_MOST_REQUESTS, error) ==
        REPLY_OK) {
        client->transport_settings.slot_count = requests;
        client->dispatch_settings.max_concurrency = requests;
    }
    return error->result;
}

reply_result reply_client_set_log(reply_client *client, reply_log_fn log, void *user_data,
                                  reply_error *error) {
    reply_error spare;
    error = error_begin(error, &spare);
    if (may_set(client, NULL, error)) {
        client->dispatch_settings.log = log;
        client->dispatch_settings.log_user_data = user_data;
    }
    return error->result;
}

/* ---- Calls ---- */

/* Takes a session that no call uses. The lock is held. */
static struct client_session *take_idle_session(reply_client *client) {
    for (struct client_session *session = client->sessions; session != NULL;
         session = session->next) {
        if (!session->is_busy) {
            session->is_busy = true;
            return session;
        }
    }
    return NULL;
}

/* Opens one more session, for the call that asks; NULL where memory ran out. */
static struct client_session *add_session(reply_client *client) {
    struct client_session *added = calloc(1, sizeof *added);
    if (added != NULL) {
        added->session = client->transport->open(&client->transport_settings);
    }
    if (added == NULL || added->session == NULL) {
        free(added);
        return NULL;
    }
    added->is_busy = true;
    pthread_mutex_lock(&client->shared.lock);
    added->next = client->sessions;
    client->sessions = added;
    pthread_mutex_unlock(&client->shared.lock);
    return added;
}

struct client_session *client_begin_call(reply_client *client, uint64_t *interrupts) {
    pthread_mutex_lock(&client->shared.lock);
    client->is_in_use = true;
    *interrupts = client->shared.interrupts;
    struct client_session *session = take_idle_session(client);
    pthread_mutex_unlock(&client->shared.lock);
    return session != NULL ? session : add_session(client);
}

/* Takes a session out of the list. The lock is held. */
static void unlink_session(reply_client *client, const struct client_session *session) {
    struct client_session **link = &client->sessions;
    while (*link != session) {
        link = &(*link)->next;
    }
    *link = session->next;
}

void client_end_call(reply_client *client, struct client_session *session) {
    if (session == NULL) {
        return;
    }
    const bool is_kept = client->transport->may_serve_again(session->session);
    pthread_mutex_lock(&client->shared.lock);
    session->is_busy = false;
    if (!is_kept) {
        unlink_session(client, session);
    }
    pthread_mutex_unlock(&client->shared.lock);
    if (!is_kept) {
        client->transport->close(session->session, false);
        free(session);
    }
}

void reply_client_interrupt(reply_client *client) {
    if (client == NULL || client->fork_count != process_fork_count()) {
        return;
    }
    pthread_mutex_lock(&client->shared.lock);
    client->shared.interrupts++;
    for (struct client_session *session = client->sessions; session != NULL;
         session = session->next) {
        if (session->is_busy) {
            client->transport->wake(session->session);
        }
    }
    pthread_mutex_unlock(&client->shared.lock);
}
