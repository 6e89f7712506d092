/* test_proxy.c - proxies, set or from the environment: which one is used, what a failure says of
 * it, and whether the attempt is retried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/check_error.h"
#include "support/scripted_server.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define BASE_URL "https://api.example.invalid/v4"

static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",   "no_proxy",    "NO_PROXY"};

static void clear_environment(void) {
    for (size_t i = 0; i < COUNT(variables); i++) {
        unsetenv(variables[i]);
    }
}

static int tear_down(void **state) {
    clear_environment();
    return wire_tear_down(state);
}

static reply_client *create_client(const char *proxy, int32_t retries) {
    reply_client *client = wire_create_client(BASE_URL);
    assert_int_equal(reply_client_set_max_retries(client, retries, NULL), REPLY_OK);
    if (proxy != NULL) {
        assert_int_equal(reply_client_set_proxy(client, proxy, NULL), REPLY_OK);
    }
    return client;
}

static struct server *start_rejecting_proxy(void) {
    return server_start(
        SCRIPT(EXPECT, SEND("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")));
}

/* Writes a proxy URL with a user and a password that no message may contain. */
static const char *url_with_login(const char *scheme, int port) {
    static char url[128];
    snprintf(url, sizeof url, "%s://us3r:pa%%35%%35@127.0.0.1:%d", scheme, port);
    return url;
}

/* ---- Which proxy ---- */

/* Would catch a direct connection, which a firewall or an audit forbids. */
static void test_set_proxy_overrides_no_proxy(void **state) {
    static const char *const values[] = {"*", "example.invalid", ".invalid", "api.example.invalid",
                                         "other.example,api.example.invalid:443"};
    static const char *const names[] = {"no_proxy", "NO_PROXY"};
    (void)state;
    for (size_t i = 0; i < COUNT(values) * COUNT(names); i++) {
        const char *value = values[i / COUNT(names)];
        struct server *proxy = start_rejecting_proxy();
        setenv(names[i % COUNT(names)], value, 1);
        wire_fetch_one(create_client(server_url(proxy), 0), NULL);
        if (server_request_count(proxy) != 1) {
            fail_msg("NO_PROXY=%s: %d requests", value, server_request_count(proxy));
        }
        tear_down(NULL);
    }
}

static void test_no_proxy_overrides_environment(void **state) {
    struct server *proxy = start_rejecting_proxy();
    (void)state;
    setenv("HTTPS_PROXY", server_url(proxy), 1);
    wire_fetch_one(create_client(NULL, 0), NULL);
    assert_int_equal(server_request_count(proxy), 1);
    setenv("NO_PROXY", "*", 1);
    wire_fetch_one(create_client(NULL, 0), NULL);
    assert_int_equal(server_request_count(proxy), 1);
}

/* Would catch a key that a proxy sees: a request over plain http is not tunnelled. */
static void test_loopback_host_has_no_proxy(void **state) {
    struct server *proxy = start_rejecting_proxy();
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    setenv("ALL_PROXY", server_url(proxy), 1);
    assert_int_equal(reply_client_set_proxy(client, server_url(proxy), NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), NULL), REPLY_OK);
    assert_int_equal(server_connection_count(proxy), 0);
}

/* ---- What a message says ---- */

/* The user and the password, raw and decoded, and what libcurl takes for a host or a port. */
static void expect_without_login(const char *name, const char *text) {
    static const char *const parts[] = {"us3r", "pa55", "pa%35", "pa5", "4711", "s3cret"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strstr(text, parts[i]) != NULL) {
            fail_msg("%s: \"%s\" is in \"%s\"", name, parts[i], text);
        }
    }
}

/* Fetches with a client, which must fail, and checks the message and the log. */
static void expect_failure_without_login(const char *name, reply_client *client) {
    reply_error error;
    const reply_result result = wire_fetch_one(client, &error);
    char *log = wire_copy_log();
    expect_without_login(name, error.message);
    expect_without_login(name, log);
    free(log);
    if (result != REPLY_ERROR_NETWORK && result != REPLY_ERROR_TLS) {
        fail_msg("%s: %s: %s", name, reply_result_name(result), error.message);
    }
}

/* Takes the URL from the environment, or sets it, which may be rejected. */
static void check_unusable_proxy(const char *url) {
    reply_error error;
    for (size_t i = 0; i < 4; i++) {
        setenv(variables[i], url, 1);
        expect_failure_without_login(url, create_client(NULL, 0));
        tear_down(NULL);
    }
    reply_client *client = create_client(NULL, 0);
    if (reply_client_set_proxy(client, url, &error) == REPLY_OK) {
        expect_failure_without_login(url, client);
    } else {
        assert_int_equal(error.result, REPLY_ERROR_INVALID_ARGUMENT);
        expect_words(&error, "invalid proxy URL");
        expect_without_login(url, error.message);
    }
    tear_down(NULL);
}

static void test_malformed_proxy_hides_login(void **state) {
    static const char *const urls[] = {
        "http://us3r:pa55#s3cret@127.0.0.1:3128",
        "http://us3r:4711#s3cret@127.0.0.1:3128",
        "http://us3r:pa55 s3cret@127.0.0.1:3128",
        "http://us3r:pa55@127.0.0.1:65536",
        "http://us3r:pa55@127.0.0.1:s3cret",
        "ftp://us3r:pa55@127.0.0.1:3128",
        "http://us3r:4711/s3cret@127.0.0.1:3128",
        "http://us3r:4711?s3cret@127.0.0.1:3128",
        "us3r:4711/s3cret@127.0.0.1",
        "http:///us3r:pa55@127.0.0.1",
        "http://us3r:pa55@",
        "us3r:pa55@[::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        check_unusable_proxy(urls[i]);
    }
}

static void test_unreachable_proxy_hides_login(void **state) {
    static const char *const schemes[] = {"http",   "https",   "socks4",
                                          "socks5", "socks4a", "socks5h"};
    (void)state;
    for (size_t i = 0; i < COUNT(schemes); i++) {
        check_unusable_proxy(url_with_login(schemes[i], server_find_closed_port()));
    }
}

/* The proxy repeats the login in whatever way a proxy's response can. */
static void test_failing_proxy_hides_login(void **state) {
    static const char login_required[] =
        "HTTP/1.1 407 us3r pa55\r\nProxy-Authenticate: Basic realm=\"us3r\"\r\n"
        "X-Request-Id: us3r\r\nContent-Type: pa55\r\nContent-Length: 4\r\n\r\npa55";
    static const char *const responses[] = {
        login_required,
        "HTTP/1.1 502 pa55\r\nX-Request-Id: us3r\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 us3r\r\nLocation: http://us3r:pa55@127.0.0.1\r\nContent-Length: 0\r\n\r\n",
        "us3r pa55\r\n\r\n",
        "HTTP/1.1 us3r pa55\r\n\r\n",
        "",
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(responses); i++) {
        struct server *proxy = server_start(SCRIPT(EXPECT, SEND_TEXT(responses[i / 2])));
        const char *url = url_with_login("http", server_port(proxy));
        if (i % 2 == 0) {
            setenv("HTTPS_PROXY", url, 1);
        }
        reply_client *client = create_client(i % 2 == 0 ? NULL : url, 0);
        expect_failure_without_login(responses[i / 2], client);
        assert_int_equal(server_request_count(proxy), 1);
        assert_non_null(
            strstr(server_request(proxy, 0).text, "Proxy-Authorization: Basic dXMzcjpwYTU1"));
        tear_down(NULL);
    }
}

/* ---- Retries ---- */

/* Each retry would send a wrong password again, and the proxy could lock the account. */
static void test_rejecting_proxy_is_final(void **state) {
    static const struct {
        int status;
        int32_t attempts; /* with one retry */
    } cases[] = {{400, 1}, {401, 1}, {403, 1}, {404, 1}, {407, 1}, {408, 1}, {429, 1},
                 {451, 1}, {499, 1}, {500, 2}, {502, 2}, {503, 2}, {504, 2}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[128];
        char words[32];
        reply_error error;
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                 "Content-Length: 0\r\n\r\n",
                 cases[i].status);
        snprintf(words, sizeof words, "HTTP %d", cases[i].status);
        struct server *proxy = server_start(SCRIPT(EXPECT, SEND_TEXT(text)));
        const char *url = url_with_login("http", server_port(proxy));
        assert_int_equal(wire_fetch_one(create_client(url, 1), &error), REPLY_ERROR_NETWORK);
        if (error.attempts != cases[i].attempts || error.http_status != 0 ||
            server_request_count(proxy) != cases[i].attempts) {
            fail_msg("status %d: %d attempts, %d requests: %s", cases[i].status, error.attempts,
                     server_request_count(proxy), error.message);
        }
        expect_words(&error, words);
        expect_words(&error, "proxy");
        tear_down(NULL);
    }
}

/* Like an HTTP proxy's 407. */
static void test_socks_login_is_sent_once(void **state) {
    struct server *proxy = server_start(
        SCRIPT(EXPECT_BYTES, SEND("\x05\x02"), EXPECT_BYTES, SEND("\x01\x01"), AWAIT_CLOSE));
    reply_error error;
    (void)state;
    const char *url = url_with_login("socks5h", server_port(proxy));
    assert_int_equal(wire_fetch_one(create_client(url, 1), &error), REPLY_ERROR_NETWORK);
    expect_without_login("socks5h", error.message);
    assert_int_equal(error.attempts, 1);
    assert_int_equal(server_connection_count(proxy), 1);
}

/* Would catch a proxy's failure that counts as a rejection. */
static void test_failing_socks_proxy_is_retried(void **state) {
    struct server *proxy =
        server_start(SCRIPT(EXPECT_BYTES, SEND("\x05\x00"), EXPECT_BYTES,
                            SEND("\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"), AWAIT_CLOSE));
    reply_error error;
    (void)state;
    const char *url = url_with_login("socks5h", server_port(proxy));
    assert_int_equal(wire_fetch_one(create_client(url, 1), &error), REPLY_ERROR_NETWORK);
    expect_without_login("socks5h", error.message);
    assert_int_equal(error.attempts, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_set_proxy_overrides_no_proxy, tear_down),
        cmocka_unit_test_teardown(test_no_proxy_overrides_environment, tear_down),
        cmocka_unit_test_teardown(test_loopback_host_has_no_proxy, tear_down),
        cmocka_unit_test_teardown(test_malformed_proxy_hides_login, tear_down),
        cmocka_unit_test_teardown(test_unreachable_proxy_hides_login, tear_down),
        cmocka_unit_test_teardown(test_failing_proxy_hides_login, tear_down),
        cmocka_unit_test_teardown(test_rejecting_proxy_is_final, tear_down),
        cmocka_unit_test_teardown(test_socks_login_is_sent_once, tear_down),
        cmocka_unit_test_teardown(test_failing_socks_proxy_is_retried, tear_down),
    };
    clear_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
