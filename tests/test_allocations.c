/* test_allocations.c - every allocation fails in turn, the library's, cJSON's and libcurl's, through the public calls: the result
 * is NO_MEMORY or success, nothing is lost, and the client works again afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "failing_malloc.h"
#include "replyio.h"
#include "responder.h"

static char base_url[64];

/* What is made to fail: a call, with a client that was made for it if it needs one. Its result and its error are checked. */
struct scenario {
    const char *name;
    bool needs_client;
    reply_result (*run)(reply_client *client, reply_error *error);
    reply_result expected; /* where no allocation fails */
};

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

/* libcurl says of an allocation that fails while it takes in the server's address, that the host could not be resolved. */
static bool is_misnamed_by_libcurl(const reply_error *error) {
    return error->result == REPLY_ERROR_NETWORK && error->curl_code == CURLE_COULDNT_RESOLVE_HOST;
}

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
        "{\"contactId\":7,\"sequenceId\":100,\"email\":\"a\\u0040b.example\",\"\\u0066irstName\":\"Zo\\u00eb\",\"status\":"
        "\"Active\","
        "\"currentStep\":2,\"addingDate\":\"2024-03-08T10:00:00+00:00\",\"isOptedOut\":true,\"icpScore\":0.85}";
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
    const reply_result result = reply_get_sequence_contact(client, 100, contact_id, &contact, error);
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

enum { MANY = 12 };

struct deliveries {
    int times[MANY];
    int no_memory;
};

static int on_contact(size_t index, reply_result result, reply_sequence_contact *contact, const reply_error *error,
                      void *user_data) {
    struct deliveries *deliveries = user_data;
    deliveries->times[index]++;
    assert_int_equal(error->result, result);
    if (result == REPLY_OK) {
        check_contact(contact, (int64_t)index + 1);
    } else {
        assert_true(result == REPLY_ERROR_NO_MEMORY || is_misnamed_by_libcurl(error));
        assert_null(contact);
        deliveries->no_memory++;
    }
    reply_sequence_contact_free(contact);
    return 0;
}

static reply_result run_many(reply_client *client, reply_error *error) {
    int64_t ids[MANY];
    struct deliveries deliveries = {0};
    for (int i = 0; i < MANY; i++) {
        ids[i] = i + 1;
    }
    const reply_result result = reply_get_sequence_contacts(client, 100, ids, MANY, on_contact, &deliveries, error);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(deliveries.times[i], 1);
    }
    /* Where only some could not be had, the call itself has gone well. */
    assert_true(result == REPLY_OK || deliveries.no_memory > 0);
    return result;
}

static const struct scenario scenarios[] = {
    {"create", false, run_create, REPLY_OK},
    {"set_base_url", true, run_base_url, REPLY_OK},
    {"set_user_agent", true, run_user_agent, REPLY_OK},
    {"add_header", true, run_header, REPLY_OK},
    {"set_ca_file", true, run_ca_file, REPLY_OK},
    {"set_proxy", true, run_proxy, REPLY_OK},
    {"decode", false, run_decode, REPLY_OK},
    {"fetch", true, run_fetch, REPLY_OK},
    {"second fetch", true, run_second_fetch, REPLY_OK},
    {"fetch of a contact that is not there", true, run_not_found, REPLY_ERROR_NOT_FOUND},
    {"many", true, run_many, REPLY_OK},
};

static reply_client *create_client(void) {
    reply_client *client = NULL;
    assert_int_equal(reply_client_create("k3y-Secret", &client, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_base_url(client, base_url, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_retries(client, 0, NULL), REPLY_OK);
    assert_int_equal(reply_client_set_max_concurrency(client, 3, NULL), REPLY_OK);
    return client;
}

/* Runs a scenario with its nth allocation failing. Returns how many allocations there were. */
static long run_failing(const struct scenario *scenario, long nth, bool is_for_ever) {
    reply_client *client = scenario->needs_client ? create_client() : NULL;
    reply_error error;
    failing_malloc_arm(nth, is_for_ever);
    const reply_result result = scenario->run(client, &error);
    const long count = failing_malloc_disarm();
    if (result != scenario->expected && result != REPLY_ERROR_NO_MEMORY && !is_misnamed_by_libcurl(&error)) {
        fail_msg("%s, allocation %ld: %s: %s", scenario->name, nth, reply_result_name(result), error.message);
    }
    assert_int_equal(error.result, result);
    /* What failed for lack of memory works when there is some. */
    assert_int_equal(scenario->run(client, &error) == scenario->expected ||
                         (scenario->needs_client && error.result == REPLY_ERROR_INVALID_ARGUMENT),
                     1);
    reply_client_destroy(client);
    return count;
}

static void test_each_allocation_fails(void **state) {
    const bool is_for_ever = *(bool *)*state;
    long total = 0;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *scenario = &scenarios[i];
        /* Once without a failure: what libraries keep for ever is kept now. */
        long count = run_failing(scenario, 0, false);
        for (long nth = 1; nth <= count; nth++) {
            long live = failing_malloc_live();
            const long now = run_failing(scenario, nth, is_for_ever);
            count = now > count ? now : count;
            if (failing_malloc_live() != live) {
                /* A library may keep something for ever the first time that it comes this way; not the second time. */
                live = failing_malloc_live();
                run_failing(scenario, nth, is_for_ever);
            }
            if (failing_malloc_live() != live) {
                fail_msg("%s, allocation %ld: %ld blocks are lost", scenario->name, nth, failing_malloc_live() - live);
            }
        }
        print_message("%s: %ld allocations failed in turn\n", scenario->name, count);
        total += count;
    }
    print_message("in all: %ld\n", total);
    assert_true(total > 300);
}

int main(void) {
    bool once = false;
    bool for_ever = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_each_allocation_fails, &once),
        cmocka_unit_test_prestate(test_each_allocation_fails, &for_ever),
    };
    const pid_t responder = responder_start(base_url);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    responder_stop(responder);
    return failed;
}
