/* scenarios.c - the scenarios and their server. */
#include "failures/scenarios.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/contact_server.h"

static char base_url[64];

static reply_result run_create(reply_client *unused, reply_error *error) {
    reply_client *client = (reply_client *)&base_url;
    (void)unused;
    const reply_result result = reply_client_create("k3y-Secret", &client, error);
    assert_true((result == REPLY_OK) == (client != NULL));
    reply_client_destroy(client);
    return result;
}

static reply_result run_base_url(reply_client *client, reply_error *error) {
    return reply_client_set_base_url(client, "https://example.com:8443/api/v4/", error);
}

static reply_result run_http_base_url(reply_client *client, reply_error *error) {
    return reply_client_set_base_url(client, "http://example.com/v4", error);
}

static reply_result run_user_agent(reply_client *client, reply_error *error) {
    return reply_client_set_user_agent(client, "acme-sync/2.1", error);
}

static reply_result run_header(reply_client *client, reply_error *error) {
    return reply_client_add_header(client, "X-TEAM-ID", "42", error);
}

static reply_result run_ca_file(reply_client *client, reply_error *error) {
    return reply_client_set_ca_file(client, "/nonexistent/ca.pem", error);
}

static reply_result run_proxy(reply_client *client, reply_error *error) {
    return reply_client_set_proxy(client, "http://user:password@127.0.0.1:3128", error);
}

bool (*scenario_is_expected_error)(const reply_error *error);

static void check_contact(const reply_sequence_contact *contact, int64_t contact_id) {
    assert_int_equal(contact->contact_id, contact_id);
    assert_int_equal(contact->sequence_id, 100);
    assert_string_equal(contact->email, "a@b.example");
    assert_string_equal(contact->first_name, "Zo\xC3\xAB");
    assert_null(contact->last_name);
    assert_int_equal(contact->status, REPLY_CONTACT_STATUS_ACTIVE);
    assert_true(contact->is_opted_out);
    assert_true(contact->has_icp_score && contact->icp_score > 0.84 && contact->icp_score < 0.86);
    assert_int_equal(contact->adding_date.unix_seconds, 1709892000);
}

static reply_result run_decode(reply_client *unused, reply_error *error) {
    static const char json[] =
        "{\"contactId\":7,\"sequenceId\":100,\"email\":\"a\\u0040b.example\","
        "\"\\u0066irstName\":\"Zo\\u00eb\",\"status\":\"Active\",\"currentStep\":2,"
        "\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":true,\"icpScore\":0.85}";
    reply_sequence_contact *contact = (reply_sequence_contact *)&base_url;
    (void)unused;
    const reply_result result = reply_decode_sequence_contact(json, strlen(json), &contact, error);
    if (result == REPLY_OK) {
        check_contact(contact, 7);
    } else {
        assert_null(contact);
    }
    reply_sequence_contact_free(contact);
    return result;
}

static reply_result fetch(reply_client *client, int64_t contact_id, reply_error *error) {
    reply_sequence_contact *contact = (reply_sequence_contact *)&base_url;
    const reply_result result =
        reply_get_sequence_contact(client, 100, contact_id, &contact, error);
    if (result == REPLY_OK) {
        check_contact(contact, contact_id);
    } else {
        assert_null(contact);
    }
    reply_sequence_contact_free(contact);
    return result;
}

static reply_result run_fetch(reply_client *client, reply_error *error) {
    return fetch(client, 12345, error);
}

static reply_result run_second_fetch(reply_client *client, reply_error *error) {
    const reply_result first = fetch(client, 1, error);
    return first == REPLY_OK ? fetch(client, 12345, error) : first;
}

static reply_result run_not_found(reply_client *client, reply_error *error) {
    return fetch(client, 404, error);
}

/* The proxy rejects CONNECT, but libcurl sets up the proxy and TLS first. */
static reply_result run_proxied_fetch(reply_client *client, reply_error *error) {
    if (reply_client_set_base_url(client, "https://api.example.invalid/v4", error) != REPLY_OK ||
        reply_client_set_proxy(client, base_url, error) != REPLY_OK ||
        reply_client_set_ca_file(client, "/nonexistent/ca.pem", error) != REPLY_OK) {
        return error->result;
    }
    return fetch(client, 12345, error);
}

enum { CONTACT_COUNT = 12 };

struct deliveries {
    int counts[CONTACT_COUNT]; /* by index */
    int error_count;
};

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                      const reply_error *error, void *user_data) {
    struct deliveries *deliveries = user_data;
    deliveries->counts[index]++;
    assert_int_equal(error->result, result);
    if (result == REPLY_OK) {
        check_contact(contact, (int64_t)index + 1);
    } else {
        if (result != REPLY_ERROR_NO_MEMORY && !scenario_is_expected_error(error)) {
            fail_msg("%s, code %d, %d attempts: %s", reply_result_name(result),
                     (int)error->curl_code, (int)error->attempts, error->message);
        }
        assert_null(contact);
        deliveries->error_count++;
    }
    reply_sequence_contact_free(contact);
    return 0;
}

static reply_result run_many(reply_client *client, reply_error *error) {
    int64_t ids[CONTACT_COUNT];
    struct deliveries deliveries = {0};
    for (int i = 0; i < CONTACT_COUNT; i++) {
        ids[i] = i + 1;
    }
    const reply_result result = reply_get_sequence_contacts(client, 100, ids, CONTACT_COUNT,
                                                            on_contact, &deliveries, error);
    for (int i = 0; i < CONTACT_COUNT; i++) {
        assert_int_equal(deliveries.counts[i], 1);
    }
    /* The call itself can succeed although some contacts failed. */
    assert_true(result == REPLY_OK || deliveries.error_count > 0);
    return result;
}

enum { LIST_COUNT = 6 }; /* the server's, in two pages */

/* Fails the test if the contacts are not delivered in order. */
static int on_listed_contact(size_t index, reply_result result, reply_sequence_contact *contact,
                             const reply_error *error, void *user_data) {
    size_t *count = user_data;
    assert_int_equal(index, (*count)++);
    assert_int_equal(error->result, result);
    if (result == REPLY_OK) {
        check_contact(contact, (int64_t)index + 1);
    } else {
        assert_int_equal(result, REPLY_ERROR_NO_MEMORY);
        assert_null(contact);
    }
    reply_sequence_contact_free(contact);
    return 0;
}

static reply_result run_list(reply_client *client, reply_error *error) {
    size_t count = 0;
    const reply_result result =
        reply_list_sequence_contacts(client, 100, on_listed_contact, &count, error);
    assert_true(count <= LIST_COUNT);
    assert_true(result != REPLY_OK || count == LIST_COUNT);
    return result;
}

const struct scenario scenarios[] = {
    {"create", false, run_create, REPLY_OK},
    {"set_base_url", true, run_base_url, REPLY_OK},
    {"set_base_url to plain http", true, run_http_base_url, REPLY_ERROR_INVALID_ARGUMENT},
    {"set_user_agent", true, run_user_agent, REPLY_OK},
    {"add_header", true, run_header, REPLY_OK},
    {"set_ca_file", true, run_ca_file, REPLY_OK},
    {"set_proxy", true, run_proxy, REPLY_OK},
    {"decode", false, run_decode, REPLY_OK},
    {"fetch", true, run_fetch, REPLY_OK},
    {"second fetch", true, run_second_fetch, REPLY_OK},
    {"fetch of a missing contact", true, run_not_found, REPLY_ERROR_NOT_FOUND},
    {"fetch through a rejecting proxy", true, run_proxied_fetch, REPLY_ERROR_NETWORK},
    {"many", true, run_many, REPLY_OK},
    {"list", true, run_list, REPLY_OK},
};

const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

reply_client *scenario_create_client(void) {
    reply_client *client = NULL;
    assert_int_equal(reply_client_create("k3y-Secret", &client, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 0, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(client, 3, NULL), REPLY_OK);
    return client;
}

int scenarios_run_group(int (*run_group)(void)) {
    const pid_t server = contact_server_start(base_url);
    const int failed = run_group();
    contact_server_stop(server);
    return failed;
}
