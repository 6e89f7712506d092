/* locked_cjson.c - cJSON, one parse at a time. */
#include "decode/locked_cjson.h"

#include <stddef.h>

#include "base/process.h"

cJSON *locked_cjson_parse(const struct json_value *value) {
    /* cJSON writes a global during every parse: two threads in it would race. */
    if (!process_lock()) {
        return NULL;
    }
    cJSON *item = cJSON_ParseWithLength(value->text, value->length);
    process_unlock();
    return item;
}
