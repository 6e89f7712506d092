/* locked_cjson.h - cJSON, one parse at a time. */
#ifndef REPLYIO_LOCKED_CJSON_H
#define REPLYIO_LOCKED_CJSON_H

#include <cjson/cJSON.h>

#include "decode/json.h"

/* Parses a value that json_scan has accepted and that is text, because cJSON stops at a NUL and at
 * a lone surrogate. The caller frees the item with locked_cjson_free. Returns NULL if out of
 * memory.
 */
cJSON *locked_cjson_parse(const struct json_value *value);

/* Frees an item, which may be NULL, with its strings overwritten: a server may repeat the key. */
void locked_cjson_free(cJSON *item);

#endif
