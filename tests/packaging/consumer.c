/* consumer.c - a program that uses the installed library. It is valid C and C++. */
#include <inttypes.h>
#include <replyio.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    static const char json[] =
        "{\"contactId\": 12345, \"sequenceId\": 100, \"status\": \"Active\", \"currentStep\": 2, "
        "\"addingDate\": \"2024-03-08T10:00:00+00:00\", \"isOptedOut\": false}";
    reply_sequence_contact *contact = NULL;
    reply_error error;
    if (reply_decode_sequence_contact(json, strlen(json), &contact, &error) != REPLY_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%s: contact %" PRId64 " is %s\n", reply_version(), contact->contact_id,
           contact->status_text);
    reply_sequence_contact_free(contact);
    return 0;
}
