/* fuzz_settings.c - any text as a setting. A rejection must have a valid error, and an accepted
 * header must be one line. The first byte selects the setter, and a newline separates a header's
 * name from its value. */
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "fuzz.h"

static reply_result set(reply_client *client, unsigned choice, char *text, reply_error *error) {
    char *value = strchr(text, '\n');
    switch (choice) {
    case 0:
        return reply_client_set_base_url(client, text, error);
    case 1:
        if (value != NULL) {
            *value = '\0';
        }
        return reply_client_add_header(client, text, value != NULL ? value + 1 : "", error);
    case 2:
        return reply_client_set_user_agent(client, text, error);
    default:
        return reply_client_set_proxy(client, text, error);
    }
}

static void check_client(const reply_client *client) {
    const struct transport_base_url *base_url = &client->settings.transport.base_url;
    for (size_t i = 0; i < client->settings.transport.header_count; i++) {
        for (const char *at = client->headers[i]; *at != '\0'; at++) {
            FUZZ_CHECK((unsigned char)*at >= 0x20 && *at != 0x7F);
        }
    }
    FUZZ_CHECK(base_url->path_offset <= strlen(base_url->text) &&
               base_url->text[strlen(base_url->text) - 1] != '/');
    FUZZ_CHECK(strpbrk(base_url->text, "?#") == NULL);
    FUZZ_CHECK(strncmp(base_url->text, "https://", 8) == 0 ||
               (strncmp(base_url->text, "http://", 7) == 0 && base_url->is_loopback));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    reply_client *client = NULL;
    reply_error error;
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    FUZZ_CHECK(reply_client_create("k3y-Secret", &client, &error) == REPLY_OK);
    if (set(client, data[0] % 4, text, &error) != REPLY_OK) {
        FUZZ_CHECK(error.result == REPLY_ERROR_INVALID_ARGUMENT);
        fuzz_check_message(error.message);
    }
    check_client(client);
    reply_client_destroy(client);
    free(text);
    return 0;
}
