/* contact_server.h - a server that responds correctly to every request, in a process of its own.
 * Its memory and threads do not count in a test of the test's process. */
#ifndef REPLYIO_TESTS_CONTACT_SERVER_H
#define REPLYIO_TESTS_CONTACT_SERVER_H

#include <sys/types.h>

/* A secret that some responses contain, in JSON with an escape for each character. Each byte here
 * is one higher, so that a search of the process's memory does not find this copy. */
extern const char contact_server_shifted_secret[];

/* The contacts whose responses contain the secret. Their ids are 700, 701 ... */
enum { CONTACT_SERVER_FIRST_SECRET = 700, CONTACT_SERVER_SECRET_COUNT = 7 };

/* Starts the server on loopback and writes its base URL. Each response is the requested contact, in
 * JSON with escapes, except for contact 404, a problem document, contact 503, a 503 without a body,
 * and those with the secret, whose bodies are rejected. The server ends with contact_server_stop or
 * after two minutes. */
pid_t contact_server_start(char base_url[64]);
void contact_server_stop(pid_t server);

#endif
