/* locked_cjson.c - cJSON, one parse at a time. */
#include "decode/locked_cjson.h"

#include <stddef.h>
#include <string.h>

#include "base/process.h"
#include "base/secret.h"

cJSON *locked_cjson_parse(const struct json_value *value) {
    /* cJSON writes a global during every parse: two threads in it would race. */
    if (!process_lock()) {
        return NULL;
    }
    cJSON *item = cJSON_ParseWithLength(value->text, value->length);
    process_unlock();
    return item;
}

static void overwrite(char *text) {
    if (text != NULL) {
        secret_overwrite(text, strlen(text));
    }
}

void locked_cjson_free(cJSON *item) {
    /* Moves all items into one list, so that no recursion is needed. */
    for (cJSON *at = item; at != NULL; at = at->next) {
        overwrite(at->string);
        overwrite(at->valuestring);
        if (at->child != NULL) {
            cJSON *last = at->child;
            while (last->next != NULL) {
                last = last->next;
            }
            last->next = at->next;
            at->next = at->child;
            at->child = NULL;
        }
    }
    cJSON_Delete(item);
}
