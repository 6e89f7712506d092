/* nginx.h - an nginx on loopback that adds TLS and HTTP/2, and its access log. Every function
 * asserts, and belongs on the test's own thread. */
#ifndef REPLYIO_TESTS_NGINX_H
#define REPLYIO_TESTS_NGINX_H

#include "replyio.h"
#include "support/scripted_server.h"

/* nginx's ports, in the order of tls_fixture.sh. */
enum nginx_port {
    NGINX_HTTP2,        /* TLS 1.2 and 1.3 */
    NGINX_HTTP1,        /* without HTTP/2 */
    NGINX_WRONG_HOST,   /* the certificate is for another host */
    NGINX_EXPIRED,      /* the certificate was valid until yesterday */
    NGINX_UNTRUSTED,    /* the certificate is from an unknown authority */
    NGINX_TLS_1_1,      /* only TLS 1.1 */
    NGINX_TLS_1_2,      /* only TLS 1.2 */
    NGINX_SENDS_GOAWAY, /* after 5 requests */
    NGINX_CLOSES,       /* HTTP/1.1, after each response */
    NGINX_PORT_COUNT
};

/* Start and stop nginx: a group's setup and teardown. */
int nginx_start(void **state);
int nginx_stop(void **state);

int nginx_port(enum nginx_port port);

/* Returns the path of a file in nginx's directory, valid until the next call. */
const char *nginx_path(const char *name);

/* Creates a client as wire_create_client does. ca is a file in nginx's directory, or NULL for the
 * system's authorities. */
reply_client *nginx_create_client(enum nginx_port port, const char *ca);

/* Creates such a client of any port on loopback and a path, such as "/v4". */
reply_client *nginx_create_client_at(int port, const char *base_path, const char *ca);

/* Creates such a client that trusts nginx. */
reply_client *nginx_create_trusting_client(enum nginx_port port);

/* Creates such a client of a scripted server behind nginx, which adds TLS and HTTP/2. */
reply_client *nginx_create_client_of(struct server *server);

/* Waits until the access log has this many lines that contain part, and returns them. The caller
 * frees them. */
char *nginx_await_lines(const char *part, int count);

/* Returns how many connections the lines are of. */
int nginx_count_connections(const char *lines);

/* Runs a program, whose output is appended to a file. Returns its exit status, or -1 if a signal
 * ended it. */
int nginx_run_program(const char *const *arguments, const char *output);

#endif
