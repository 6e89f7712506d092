/* contact_server.h - a well-behaved server in a process of its own, so that nothing of it counts in
 * a test of this process's memory. */
#ifndef REPLYIO_RESPONDER_H
#define REPLYIO_RESPONDER_H

#include <sys/types.h>

/* Starts it on loopback and writes its base URL. It answers any contact's request with that
 * contact, whose text has escapes; except contact 404, with a problem document, and contact 503,
 * with a bare 503. It ends with responder_stop, or after two minutes. */
pid_t responder_start(char base_url[64]);
void responder_stop(pid_t responder);

#endif
