/* nginx.c - an nginx on loopback that adds TLS and HTTP/2, and its access log. */
#include "support/nginx.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/timing.h"
#include "support/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct {
    char directory[64];
    pid_t process; /* 0 if not running */
    int ports[NGINX_PORT_COUNT];
} nginx = {.directory = "/tmp/replyio-tls-XXXXXX"};

/* ---- Start and stop ---- */

/* Appends the program's output to a file. The program is killed when this one ends. */
static pid_t start_program(const char *const *arguments, const char *output) {
    fflush(NULL);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        char path[512];
        const char *searched = getenv("PATH");
        snprintf(path, sizeof path, "%s:/usr/sbin:/sbin:/usr/local/sbin",
                 searched != NULL ? searched : "/usr/bin:/bin");
        setenv("PATH", path, 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen(output, "a", stdout) == NULL || freopen(output, "a", stderr) == NULL ||
            freopen("/dev/null", "r", stdin) == NULL) {
            _exit(126);
        }
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return process;
}

int nginx_run_program(const char *const *arguments, const char *output) {
    int status = 0;
    const pid_t process = start_program(arguments, output);
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Picks free ports. All are held until the last one is found, so that they differ. */
static void pick_ports(void) {
    int sockets[NGINX_PORT_COUNT];
    for (int i = 0; i < NGINX_PORT_COUNT; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(sockets[i] >= 0);
        assert_int_equal(bind(sockets[i], (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(sockets[i], (struct sockaddr *)&address, &length), 0);
        nginx.ports[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < NGINX_PORT_COUNT; i++) {
        close(sockets[i]);
    }
}

static bool is_listening(int port) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_connected =
        probe >= 0 && connect(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return is_connected;
}

static void write_path(char path[128], const char *file) {
    snprintf(path, 128, "%s/%s", nginx.directory, file);
}

/* Returns the text of a file in nginx's directory, "" if there is none. The caller frees it. */
static char *read_file(const char *file) {
    enum { MAX_SIZE = 1024 * 1024 };
    char path[128];
    char *text = calloc(1, MAX_SIZE);
    assert_non_null(text);
    write_path(path, file);
    FILE *stream = fopen(path, "r");
    if (stream != NULL) {
        const size_t length = fread(text, 1, MAX_SIZE - 1, stream);
        text[length] = '\0';
        fclose(stream);
    }
    return text;
}

static int report_failure(const char *problem) {
    char *output = read_file("output");
    char *errors = read_file("error.log");
    print_error("%s (this test needs nginx with HTTP/2, and openssl: sh tests/run.sh installs "
                "both)\n%s%s\n",
                problem, output, errors);
    free(output);
    free(errors);
    return 1;
}

/* Makes the certificates, too. */
static int write_configuration(void) {
    char output[128];
    char ports[NGINX_PORT_COUNT][8];
    const char *arguments[3 + NGINX_PORT_COUNT + 1] = {
        "sh", FIXTURES "/../transport/tls_fixture.sh", nginx.directory};
    for (int i = 0; i < NGINX_PORT_COUNT; i++) {
        snprintf(ports[i], sizeof ports[i], "%d", nginx.ports[i] % 100000);
        arguments[3 + i] = ports[i];
    }
    write_path(output, "output");
    return nginx_run_program(arguments, output);
}

static bool is_nginx_running(void) {
    int status = 0;
    if (waitpid(nginx.process, &status, WNOHANG) == 0) {
        return true;
    }
    nginx.process = 0;
    return false;
}

/* Starts nginx and waits until it listens. Returns false if it has ended. */
static bool run_nginx(void) {
    char output[128];
    char configuration[128];
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    write_path(output, "output");
    write_path(configuration, "nginx.conf");
    nginx.process = start_program((const char *const[]){"nginx", "-e", output, "-p",
                                                        nginx.directory, "-c", configuration, NULL},
                                  output);
    for (int i = 0; i < NGINX_PORT_COUNT && timing_now_ms() < deadline;) {
        if (!is_nginx_running()) {
            return false;
        }
        if (is_listening(nginx.ports[i])) {
            i++;
        } else {
            timing_sleep_ms(5);
        }
    }
    return true;
}

int nginx_stop(void **state) {
    (void)state;
    if (nginx.process > 0) {
        kill(nginx.process, SIGKILL);
        waitpid(nginx.process, NULL, 0);
        nginx.process = 0;
    }
    return nginx_run_program((const char *const[]){"rm", "-rf", "--", nginx.directory, NULL},
                             "/dev/null");
}

/* Picks ports up to three times, because another program may take one before nginx does. */
int nginx_start(void **state) {
    bool is_running = false;
    int result = 0;
    assert_non_null(mkdtemp(nginx.directory));
    for (int run = 0; run < 3 && !is_running && result == 0; run++) {
        pick_ports();
        result = write_configuration();
        is_running = result == 0 && run_nginx();
    }
    if (!is_running) {
        result =
            report_failure(result != 0 ? "cannot make the certificates" : "nginx does not start");
        nginx_stop(state);
    }
    return result;
}

/* ---- The access log ---- */

/* Removes the lines of text that do not contain part. Returns how many are left. */
static int filter_lines(char *text, const char *part) {
    char *end = text;
    int count = 0;
    for (char *line = text; strchr(line, '\n') != NULL;) {
        const size_t length = strcspn(line, "\n") + 1;
        if (memmem(line, length, part, strlen(part)) != NULL) {
            memmove(end, line, length);
            end += length;
            count++;
        }
        line += length;
    }
    *end = '\0';
    return count;
}

/* Polls, because nginx writes a line only after it has sent the response. */
char *nginx_await_lines(const char *part, int count) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    for (;;) {
        char *lines = read_file("access.log");
        const int found = filter_lines(lines, part);
        if (found >= count) {
            assert_int_equal(found, count);
            return lines;
        }
        free(lines);
        if (timing_now_ms() > deadline) {
            fail_msg("expected %d lines with \"%s\" in the access log, got %d", count, part, found);
        }
        timing_sleep_ms(2);
    }
}

int nginx_count_connections(const char *lines) {
    long seen[512];
    int count = 0;
    for (const char *at = strstr(lines, "connection="); at != NULL;
         at = strstr(at + 1, "connection=")) {
        const long number = strtol(at + strlen("connection="), NULL, 10);
        int i = 0;
        while (i < count && seen[i] != number) {
            i++;
        }
        if (i == count && count < (int)COUNT(seen)) {
            seen[count++] = number;
        }
    }
    return count;
}

/* ---- Clients ---- */

int nginx_port(enum nginx_port port) {
    return nginx.ports[port];
}

const char *nginx_path(const char *name) {
    static char path[128];
    write_path(path, name);
    return path;
}

reply_client *nginx_create_client_at(int port, const char *base_path, const char *ca) {
    char url[96];
    snprintf(url, sizeof url, "https://127.0.0.1:%d%s", port, base_path);
    reply_client *client = wire_create_client(url);
    if (ca != NULL) {
        assert_int_equal(reply_client_set_ca_file(client, nginx_path(ca), NULL), REPLY_OK);
    }
    return client;
}

reply_client *nginx_create_client(enum nginx_port port, const char *ca) {
    return nginx_create_client_at(nginx.ports[port], "/v4", ca);
}

reply_client *nginx_create_trusting_client(enum nginx_port port) {
    return nginx_create_client(port, "known.pem");
}

reply_client *nginx_create_client_of(struct server *server) {
    char path[32];
    snprintf(path, sizeof path, "/to/%d/v4", server_port(server));
    return nginx_create_client_at(nginx.ports[NGINX_HTTP2], path, "known.pem");
}
