/* test_connection.c - the list of a session's sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/connection.h"

static struct connection *open_connection(struct connection **list, int family) {
    struct curl_sockaddr address;
    memset(&address, 0, sizeof address);
    address.family = family;
    address.socktype = SOCK_STREAM;
    assert_true(connection_open(list, &address) != CURL_SOCKET_BAD);
    return *list;
}

static long bind_to_loopback(const struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(connection->socket, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(connection->socket, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void test_connection_is_found_by_port(void **state) {
    struct connection *list = NULL;
    (void)state;
    const struct connection *first = open_connection(&list, AF_INET);
    const struct connection *second = open_connection(&list, AF_INET);
    const long first_port = bind_to_loopback(first);
    const long second_port = bind_to_loopback(second);
    assert_ptr_equal(connection_find(list, first_port), first);
    assert_ptr_equal(connection_find(list, second_port), second);
    assert_null(connection_find(list, 0));
    assert_null(connection_find(list, -1));
    connection_close(&list, second->socket);
    assert_null(connection_find(list, second_port));
    assert_ptr_equal(list, first);
    connection_close(&list, first->socket);
    assert_null(list);
}

static void test_socket_is_close_on_exec(void **state) {
    struct connection *list = NULL;
    (void)state;
    const struct connection *connection = open_connection(&list, AF_INET);
    assert_int_equal(fcntl(connection->socket, F_GETFD), FD_CLOEXEC);
    connection_close(&list, connection->socket);
}

/* A socket without a local address, because it is not open any more, has no port. */
static void test_closed_socket_is_not_found(void **state) {
    struct connection connection = {.socket = -1};
    (void)state;
    assert_null(connection_find(&connection, 80));
    assert_int_equal(connection.local_port, 0);
}

/* Catches the end of a connection that is taken for silence because of an earlier errno. */
static void test_open_silent_connection_is_quiet(void **state) {
    int pair[2];
    char byte = 'x';
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const struct connection connection = {.socket = pair[0]};
    assert_true(connection_is_quiet(&connection));
    assert_int_equal(send(pair[1], &byte, 1, 0), 1);
    assert_false(connection_is_quiet(&connection));
    assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
    assert_true(connection_is_quiet(&connection));
    close(pair[1]);
    errno = EAGAIN;
    assert_false(connection_is_quiet(&connection));
    close(pair[0]);
    errno = EAGAIN;
    assert_false(connection_is_quiet(&connection));
}

static void test_invalid_family_is_rejected(void **state) {
    struct connection *list = NULL;
    struct curl_sockaddr address;
    (void)state;
    memset(&address, 0, sizeof address);
    address.family = -1;
    address.socktype = SOCK_STREAM;
    assert_true(connection_open(&list, &address) == CURL_SOCKET_BAD);
    assert_null(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_is_found_by_port),
        cmocka_unit_test(test_socket_is_close_on_exec),
        cmocka_unit_test(test_closed_socket_is_not_found),
        cmocka_unit_test(test_open_silent_connection_is_quiet),
        cmocka_unit_test(test_invalid_family_is_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
