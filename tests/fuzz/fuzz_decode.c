/* fuzz_decode.c - any bytes as a contact. A decoded contact must have valid strings only, and its
 * json must decode to the same contact. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_contact.h"
#include "replyio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    reply_sequence_contact *contact = NULL;
    reply_sequence_contact *again = NULL;
    reply_error error;
    /* A copy of the exact size, so that AddressSanitizer reports a read past the end. */
    char *text = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    const reply_result result = reply_decode_sequence_contact(text, size, &contact, &error);
    free(text);
    if (result == REPLY_OK) {
        fuzz_check_contact(contact);
        FUZZ_CHECK(reply_decode_sequence_contact(contact->json, contact->json_length, &again,
                                                 &error) == REPLY_OK);
        FUZZ_CHECK(fuzz_is_same_contact(contact, again));
        reply_sequence_contact_free(again);
    } else {
        FUZZ_CHECK(result == REPLY_ERROR_INVALID_RESPONSE && contact == NULL);
        fuzz_check_message(error.message);
    }
    reply_sequence_contact_free(contact);
    return 0;
}
