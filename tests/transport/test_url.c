/* test_url.c - base URLs and proxy URLs: which are accepted, and how requests use them. */
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/scripted_server.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Which base URLs are accepted ---- */

static const char *const valid_urls[] = {
    "https://api.reply.io/v4",
    "https://api.reply.io",
    "https://api.reply.io/",
    "HTTPS://API.REPLY.IO/v4/",
    "https://api.reply.io:8443/a/b/c",
    "https://192.0.2.1/v4",
    "https://[2001:db8::1]/v4",
    "https://127.0.0.1:65535",
    "https://localhost/v4",
    "http://127.0.0.1",
    "http://127.0.0.1:8080/v4/",
    "HTTP://127.0.0.1/",
    "http://127.255.255.254",
    "http://127.1",
    "http://0x7f000001/",
    "http://2130706433",
    "http://0177.0.0.1/",
    "http://localhost",
    "http://localhost:1/",
    "http://LOCALHOST:1",
    "http://LocalHost/v4",
    "http://[::1]",
    "http://[::1]:8080/v4",
    "http://[0:0:0:0:0:0:0:1]/",
};

static const char *const invalid_urls[] = {
    /* missing scheme, host or slash */
    "",
    " ",
    "api.reply.io",
    "api.reply.io/v4",
    "//api.reply.io/v4",
    "/v4",
    "https",
    "https:",
    "https:/",
    "https://",
    "https://:443",
    "https:api.reply.io",
    "https:/api.reply.io",
    "https:///v4",
    "https:///api.reply.io/v4",
    "https:////api.reply.io",
    "http:/127.0.0.1",
    "http:///127.0.0.1",
    "http:127.0.0.1",
    "://127.0.0.1",
    ":///127.0.0.1",
    /* another scheme */
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "ws://127.0.0.1/",
    "httpss://api.reply.io",
    "javascript://127.0.0.1/",
    /* plain http to another host */
    "http://api.reply.io/v4",
    "HTTP://api.reply.io/v4",
    "http://10.0.0.1",
    "http://128.0.0.1",
    "http://126.255.255.255",
    "http://0.0.0.0",
    "http://0/",
    "http://0x80000001",
    "http://127.0.0.1.evil.com",
    "http://127.0.0.1.evil.com:80/",
    "http://127.evil.com",
    "http://127.0.0.1x",
    "http://localhost.evil.com",
    "http://localhost.",
    "http://evil.localhost",
    "http://xlocalhost",
    "http://localhos",
    "http://[::]",
    "http://[::2]",
    "http://[1::1]",
    "http://[2001:db8::1]",
    "http://[::ffff:127.0.0.1]",
    "http://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1/",
    "http://\xE2\x93\x9Bocalhost/",
    /* user or password, even empty */
    "https://user@api.reply.io",
    "https://user:password@api.reply.io/v4",
    "https://:password@api.reply.io",
    "https://@api.reply.io",
    "https://:@api.reply.io",
    "https://api.reply.io@evil.com/v4",
    "http://127.0.0.1@evil.com/",
    "http://127.0.0.1:80@evil.com/",
    "http://user@127.0.0.1/",
    "http://evil.com@127.0.0.1/",
    /* query or fragment, even empty */
    "https://api.reply.io/v4?",
    "https://api.reply.io/v4?x=1",
    "https://api.reply.io?",
    "https://api.reply.io?x",
    "https://api.reply.io/v4#",
    "https://api.reply.io/v4#x",
    "https://api.reply.io#",
    "https://api.reply.io/?#",
    "http://evil.com#@127.0.0.1/",
    "http://evil.com?@127.0.0.1/",
    "http://127.0.0.1#.evil.com",
    /* space, control character or backslash */
    " https://api.reply.io",
    "https://api.reply.io ",
    "https://api.reply.io/v4 ",
    "https://api.reply.io/v 4",
    "https://api reply.io/v4",
    "https ://api.reply.io/v4",
    "https://api.reply.io/v4\r\nX-Evil: 1",
    "https://api.reply.io/v4\n",
    "\nhttps://api.reply.io/v4",
    "https://api.reply.io\r/",
    "https://api.reply.io/\t",
    "https://api.reply.io/\x01",
    "https://api.reply.io/\x7F",
    "https:\\\\api.reply.io",
    "https://api.reply.io\\@evil.com",
    "https://api.reply.io\\v4",
    "https://api.reply.io/a\\b",
    "http://evil.com\\@127.0.0.1",
    "http://127.0.0.1\\.evil.com",
    /* invalid port or bracket */
    "https://api.reply.io:65536",
    "https://api.reply.io:99999999999999999999",
    "https://api.reply.io:-1",
    "https://api.reply.io:abc",
    "https://api.reply.io:44 3",
    "https://api.reply.io:443:443",
    "http://127.0.0.1:80x/",
    "http://[::1",
    "http://::1/",
    "http://[::1]evil.com",
    "http://[::1].evil.com",
    "http://[127.0.0.1]/",
    "http://[]/",
    "http://[::1%25lo]evil/",
};

static void test_valid_base_urls_are_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(valid_urls); i++) {
        reply_client *client = wire_create_client("https://api.example.invalid");
        reply_error error;
        if (reply_client_set_base_url(client, valid_urls[i], &error) != REPLY_OK) {
            fail_msg("\"%s\" is rejected: %s", valid_urls[i], error.message);
        }
        wire_tear_down(NULL);
    }
}

static void test_invalid_base_url_changes_nothing(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    (void)state;
    for (size_t i = 0; i < COUNT(invalid_urls); i++) {
        reply_error error;
        if (reply_client_set_base_url(client, invalid_urls[i], &error) !=
            REPLY_ERROR_INVALID_ARGUMENT) {
            fail_msg("\"%s\" is not rejected: %s", invalid_urls[i],
                     reply_result_name(error.result));
        }
        assert_int_equal(error.result, REPLY_ERROR_INVALID_ARGUMENT);
        assert_int_equal(error.attempts, 0);
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(reply_client_set_base_url(client, NULL, NULL), REPLY_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    assert_int_equal(server_request_count(server), 1);
}

/* Returns a valid URL of length bytes. */
static const char *write_url(const char *prefix, size_t length) {
    static char url[2050];
    assert_true(length < sizeof url);
    memset(url, 'a', length);
    memcpy(url, prefix, strlen(prefix));
    url[length] = '\0';
    return url;
}

/* Would catch a limit on the given text only: libcurl's normal form of a URL may be longer. */
static void test_too_long_base_url_is_rejected(void **state) {
    struct server *server = server_start(RESPONSES);
    reply_client *client = wire_create_client(server_url(server));
    char prefix[64];
    (void)state;
    snprintf(prefix, sizeof prefix, "%s/", server_url(server));
    const struct {
        const char *prefix;
        size_t length;
        reply_result result;
    } cases[] = {
        {"https://1/", 2042, REPLY_OK},
        {prefix, 2048, REPLY_OK},
        {prefix, 2049, REPLY_ERROR_INVALID_ARGUMENT},
        {"https://1/", 2043, REPLY_ERROR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *url = write_url(cases[i].prefix, cases[i].length);
        assert_int_equal(reply_client_set_base_url(client, url, NULL), cases[i].result);
    }
    assert_int_equal(wire_fetch_one(client, NULL), REPLY_OK);
    const char *path = write_url(prefix, 2048) + strlen("http://127.0.0.1:");
    path += strcspn(path, "/");
    const char *request_path = server_request(server, 0).text + strlen("GET ");
    assert_int_equal(strncmp(request_path, path, strlen(path)), 0);
    assert_int_equal(
        strncmp(request_path + strlen(path), "/sequences/100/contacts/12345 HTTP/1.1\r\n", 40), 0);
}

/* ---- How requests use the base URL ---- */

static void test_path_is_appended_to_base_url(void **state) {
    static const struct {
        const char *base_path, *path;
    } cases[] = {
        {"", ""},
        {"/", ""},
        {"/v4", "/v4"},
        {"/v4/", "/v4"},
        {"/a/b-c/v4", "/a/b-c/v4"},
        {"/a%20b/", "/a%20b"},
    };
    struct server *server = server_start(RESPONSES);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[128];
        char request_line[128];
        snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server_port(server), cases[i].base_path);
        snprintf(request_line, sizeof request_line,
                 "GET %s/sequences/9007199254740993/contacts/9223372036854775807 HTTP/1.1\r\n",
                 cases[i].path);
        assert_int_equal(wire_fetch_ids(wire_create_client(url), 9007199254740993, INT64_MAX, NULL),
                         REPLY_OK);
        assert_int_equal(
            strncmp(server_request(server, (int)i).text, request_line, strlen(request_line)), 0);
    }
}

static void test_loopback_spellings_are_reached(void **state) {
    static const char *const hosts[] = {"localhost",  "LOCALHOST",  "127.1",
                                        "0x7f000001", "2130706433", "127.0.0.1"};
    struct server *server = server_start(RESPONSES);
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:%d/v4", hosts[i], server_port(server));
        assert_int_equal(wire_fetch_one(wire_create_client(url), NULL), REPLY_OK);
    }
    assert_int_equal(server_request_count(server), COUNT(hosts));
}

static void test_ipv6_loopback_is_reached(void **state) {
    struct server *server = server_start_ipv6(RESPONSES);
    (void)state;
    if (server == NULL) {
        print_message("skipped: this machine has no ::1\n");
        skip();
    }
    assert_int_equal(wire_fetch_one(wire_create_client(server_url(server)), NULL), REPLY_OK);
    assert_int_equal(server_request_count(server), 1);
}

/* ---- Proxy URLs ---- */

static void test_valid_proxies_are_accepted(void **state) {
    static const char *const proxies[] = {
        "",
        "http://127.0.0.1:3128",
        "https://proxy.example",
        "socks4://127.0.0.1",
        "socks4a://127.0.0.1",
        "socks5://127.0.0.1",
        "socks5h://user:password@127.0.0.1:1080",
        "SOCKS5://127.0.0.1",
        "proxy.example:3128",
        "127.0.0.1",
    };
    reply_client *client = wire_create_client("https://api.example.invalid");
    (void)state;
    for (size_t i = 0; i < COUNT(proxies); i++) {
        reply_error error;
        if (reply_client_set_proxy(client, proxies[i], &error) != REPLY_OK) {
            fail_msg("\"%s\" is rejected: %s", proxies[i], error.message);
        }
    }
}

static void test_invalid_proxies_are_rejected(void **state) {
    static const char *const proxies[] = {
        "ftp://127.0.0.1",    "file:///etc/passwd",     "socks://127.0.0.1",
        "socks6://127.0.0.1", "httpx://127.0.0.1",      "http://",
        "http://a b",         "http://127.0.0.1:65536", "\r\n",
    };
    reply_client *client = wire_create_client("https://api.example.invalid");
    (void)state;
    for (size_t i = 0; i < COUNT(proxies); i++) {
        reply_error error;
        if (reply_client_set_proxy(client, proxies[i], &error) != REPLY_ERROR_INVALID_ARGUMENT ||
            strstr(error.message, "proxy") == NULL) {
            fail_msg("\"%s\" gives %s: %s", proxies[i], reply_result_name(error.result),
                     error.message);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WIRE_TEST(test_valid_base_urls_are_accepted),
        WIRE_TEST(test_invalid_base_url_changes_nothing),
        WIRE_TEST(test_too_long_base_url_is_rejected),
        WIRE_TEST(test_path_is_appended_to_base_url),
        WIRE_TEST(test_loopback_spellings_are_reached),
        WIRE_TEST(test_ipv6_loopback_is_reached),
        WIRE_TEST(test_valid_proxies_are_accepted),
        WIRE_TEST(test_invalid_proxies_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
