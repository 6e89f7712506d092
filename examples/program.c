/* program.c - the course of both programs. */
#include "program.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "progress.h"
#include "report.h"
#include "terminal.h"

/* ---- Log ---- */

/* Returns the duration in a log line "wait 1000 ms: rate limit", or 0 for any other line. */
static int64_t parse_rate_limit_wait(const char *line) {
    static const char prefix[] = "wait ";
    if (strncmp(line, prefix, strlen(prefix)) != 0) {
        return 0;
    }
    char *rest = NULL;
    const int64_t wait_ms = strtoll(line + strlen(prefix), &rest, 10);
    return strcmp(rest, " ms: rate limit") == 0 ? wait_ms : 0;
}

static void on_log(const char *line, void *user_data) {
    const struct options *options = user_data;
    const int64_t wait_ms = parse_rate_limit_wait(line);
    if (wait_ms > 0) {
        progress_note_wait(wait_ms);
    }
    progress_erase();
    if (options->is_verbose) {
        terminal_write(stderr, line, strlen(line));
        fputc('\n', stderr);
    }
    progress_redraw();
}

/* ---- Client ---- */

static reply_result configure(reply_client *client, struct options *options, reply_error *error) {
    reply_result result = reply_client_set_user_agent(client, program_name, error);
    if (result == REPLY_OK && options->base_url != NULL) {
        result = reply_client_set_base_url(client, options->base_url, error);
    }
    if (result == REPLY_OK && options->ca_file != NULL) {
        result = reply_client_set_ca_file(client, options->ca_file, error);
    }
    if (result == REPLY_OK && options->timeout_seconds > 0) {
        result = reply_client_set_timeout_ms(client, 1000 * options->timeout_seconds, error);
    }
    if (result == REPLY_OK) {
        result = reply_client_set_log(client, on_log, options, error);
    }
    return result;
}

static int run_with_client(const struct program *program) {
    const char *api_key = getenv("REPLY_API_KEY");
    reply_client *client = NULL;
    reply_error error;
    int status = EXIT_SUCCESS;
    if (api_key == NULL || *api_key == '\0') {
        return report(EXIT_WRONG_USAGE, "REPLY_API_KEY is not set; set it to the API key");
    }
    if (reply_client_create(api_key, &client, &error) != REPLY_OK) {
        return report_error(&error);
    }
    if (configure(client, program->options, &error) == REPLY_OK) {
        progress_enable();
        status = program->run(program->context, client);
    } else {
        status = report_error(&error);
    }
    reply_client_destroy(client);
    return status;
}

/* ---- Process ---- */

/* If a standard stream is closed, a connection could get its descriptor, and output would be sent
 * to the server. Opens /dev/null instead, read-only so that writing fails. */
static void open_standard_streams(void) {
    int descriptor = 0;
    do {
        descriptor = open("/dev/null", O_RDONLY);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) {
        close(descriptor);
    }
}

/* wcwidth depends on the locale. Contacts are UTF-8, whatever the user's locale is. */
static void set_locale(void) {
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        setlocale(LC_CTYPE, "");
    }
}

static int run_task(const struct program *program, int operand_count, char *const *operands) {
    if (program->options->is_help) {
        fputs(program->help, stdout);
        return output_flush();
    }
    if (program->options->is_version) {
        printf("%s %s\n", program_name, reply_version());
        return output_flush();
    }
    const int status = program->read_operands(program->context, operand_count, operands);
    return status == EXIT_SUCCESS ? run_with_client(program) : status;
}

int program_run(const struct program *program, int argument_count, char **arguments) {
    int operand_count = 0;
    open_standard_streams();
    set_locale();
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* each line is one write */
    signal(SIGPIPE, SIG_IGN);              /* a closed connection is an error like any other */
    int status = options_read(argument_count, arguments, program->options, program->rows,
                              program->row_count, &operand_count);
    if (status == EXIT_SUCCESS) {
        status = run_task(program, operand_count, arguments);
    }
    return output_close(status);
}
