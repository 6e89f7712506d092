/* session.h - a session of the real transport, used without the loop of dispatch. */
#ifndef REPLYIO_TESTS_SESSION_H
#define REPLYIO_TESTS_SESSION_H

#include "transport/transport.h"

/* Opens a session with these settings and one header. The settings' connect timeout is long. Only
 * one session at a time may be open. */
struct transport_session *session_open(struct transport_settings settings, int32_t slot_count);

/* Describes a request to a URL, with a long timeout. */
struct transport_request session_make_request(const char *url);

/* Waits until a slot has a response. No other may have one before. */
void session_await(struct transport_session *session, int32_t slot,
                   struct transport_response *response);

#endif
