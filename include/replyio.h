/*
 * replyio.h - client library for the Reply.io v4 sequence-contacts endpoint:
 *
 *     GET https://api.reply.io/v4/sequences/{id}/contacts/{contact_id}
 *     GET https://api.reply.io/v4/sequences/{id}/contacts
 *
 * A client holds an API key, settings and connections. Calls with a client fetch one contact, many
 * by their ids, or all contacts of a sequence. Each contact is decoded into a struct.
 *
 * Ownership. The caller owns what a function returns through an out-pointer, and frees it with the
 * function that the comment names. What a function returns directly is borrowed. What a callback
 * receives as const is borrowed until the callback returns. The library copies the strings that the
 * caller passes.
 *
 * Errors. A function that can fail returns a reply_result and takes a reply_error as its last
 * argument. The error may be NULL. On failure an out-pointer is set to NULL. A NULL argument is
 * REPLY_ERROR_INVALID_ARGUMENT, unless the comment says that it may be NULL. The library prints
 * nothing and never ends the process.
 *
 * Threads. One thread configures a client before its first call. After that, any number of threads
 * may call with the client at the same time. Functions without a client may be called from any
 * thread at any time, if the threads use different objects.
 *
 * cJSON. Each cJSON parse writes a global of cJSON. The library serialises its own parses. A parse
 * by the host, or by another library in its process, must not run in one thread while the library
 * decodes in another, because that is a data race. The library cannot prevent it.
 *
 * Signals. The library installs no signal handler, and SIGPIPE never ends the host. Before libcurl
 * 7.87, which can raise it, the signal is blocked in the calling thread while libcurl runs, and the
 * thread's mask is restored.
 *
 * Fork. A client belongs to the process that created it. In a child process, a client inherited
 * through fork behaves as follows:
 *
 *   - a call or a setter returns REPLY_ERROR_INVALID_ARGUMENT
 *   - reply_client_interrupt has no effect
 *   - reply_client_destroy frees the memory and leaves the parent's connections open
 *
 * A client created in the child works. A callback may fork. If it returns into the library in the
 * child, nothing more is delivered or logged there, and the child's call returns
 * REPLY_ERROR_INVALID_ARGUMENT.
 */
#ifndef REPLYIO_H
#define REPLYIO_H

#ifndef __cplusplus
#include <stdbool.h>
#endif
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define REPLY_API __attribute__((visibility("default")))
#else
#define REPLY_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results and errors ---- */

/* Result of a call. The values never change. Later versions may add values at the end. */
typedef enum reply_result {
    REPLY_OK = 0,
    /* An argument or a setting is invalid. Nothing was sent. */
    REPLY_ERROR_INVALID_ARGUMENT = 1,
    /* Memory or file descriptors are exhausted, in the library or in one that it uses. */
    REPLY_ERROR_NO_MEMORY = 2,
    /* reply_client_interrupt was called, or the callback returned non-zero. */
    REPLY_ERROR_CANCELLED = 3,
    /* The lookup or the connection failed, the connection was lost, or the peer is not HTTP. */
    REPLY_ERROR_NETWORK = 4,
    /* The TLS handshake failed, or the server's certificate or the CA file is invalid. */
    REPLY_ERROR_TLS = 5,
    /* An attempt timed out, or the call's deadline left a request unsent. */
    REPLY_ERROR_TIMEOUT = 6,
    /* The contact is larger than 1 MiB or the page larger than 16 MiB, both decompressed, or the
     * headers are larger than 256 KiB. */
    REPLY_ERROR_RESPONSE_TOO_LARGE = 7,
    /* The response is an HTTP 200 without the requested contact or page. Do not act on it. */
    REPLY_ERROR_INVALID_RESPONSE = 8,
    /* HTTP 400 or 422. */
    REPLY_ERROR_BAD_REQUEST = 9,
    /* HTTP 401: the service rejects the API key. */
    REPLY_ERROR_UNAUTHORIZED = 10,
    /* HTTP 403: the key's plan, scope, team or user does not permit the request. */
    REPLY_ERROR_FORBIDDEN = 11,
    /* HTTP 404: the sequence or the contact does not exist, or the contact is not in it. */
    REPLY_ERROR_NOT_FOUND = 12,
    /* HTTP 429, or the request was held back until the time given by an earlier 429. */
    REPLY_ERROR_RATE_LIMITED = 13,
    /* HTTP 5xx. */
    REPLY_ERROR_SERVER = 14,
    /* Any other HTTP status: a redirect (never followed), or 204 or 206, for example. */
    REPLY_ERROR_HTTP = 15
} reply_result;

/*
 * Error of a call: what failed, why, and what to do. The caller owns it, for example on the stack.
 * Nothing in it needs to be freed. The library fills it without allocating. Its size will always be
 * 1,024 bytes.
 *
 * On success result is REPLY_OK, attempts is set, retry_after_ms is -1 and the rest is zero.
 *
 * The strings are NUL-terminated, valid UTF-8, without control characters, and truncated to fit.
 * They never contain the API key, even if the server sends it back.
 */
typedef struct reply_error {
    reply_result result;    /* the function's return value */
    int32_t http_status;    /* HTTP status of the response; 0 if there was no response */
    int32_t curl_code;      /* CURLcode of libcurl's failure; 0 if libcurl did not fail */
    int32_t attempts;       /* attempts made, including those that failed to connect */
    int64_t retry_after_ms; /* wait that the server requests, in milliseconds; -1 if none */
    char problem_code[64];  /* "code" or "errorCode" of the problem document; empty if none */
    char request_id[64];    /* X-Request-Id header of the response; empty if none */
    char message[512];      /* human-readable line: what failed, why, what to do */
    char reserved[360];     /* zero */
} reply_error;

/* Returns the name of a result, such as "REPLY_ERROR_NOT_FOUND", or "UNKNOWN" for any other value.
 * The string is constant and never NULL. */
REPLY_API const char *reply_result_name(reply_result result);

/* Returns the library's version, such as "0.1.0". The string is constant and never NULL. */
REPLY_API const char *reply_version(void);

/* ---- A contact in a sequence ---- */

/* Status of a contact in a sequence. Each value's comment is the endpoint's name, matched without
 * regard to ASCII case. */
typedef enum reply_contact_status {
    REPLY_CONTACT_STATUS_UNKNOWN = 0,      /* not known to this version; see status_text */
    REPLY_CONTACT_STATUS_ACTIVE = 1,       /* Active */
    REPLY_CONTACT_STATUS_PAUSED = 2,       /* Paused */
    REPLY_CONTACT_STATUS_FINISHED = 3,     /* Finished */
    REPLY_CONTACT_STATUS_INACTIVE = 4,     /* Inactive */
    REPLY_CONTACT_STATUS_OUT_OF_OFFICE = 5 /* OutOfOffice */
} reply_contact_status;

/* Sub-status of a contact in a sequence. Each value's comment is the endpoint's name, matched
 * without regard to ASCII case. */
typedef enum reply_contact_sub_status {
    REPLY_CONTACT_SUB_STATUS_UNKNOWN = 0,     /* not known to this version; see sub_status_text */
    REPLY_CONTACT_SUB_STATUS_NULL = 1,        /* null, or the field is missing */
    REPLY_CONTACT_SUB_STATUS_NONE = 2,        /* None, a value of the endpoint */
    REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED = 3 /* AutoReplied */
} reply_contact_sub_status;

/* Returns the endpoint's name of a status, such as "OutOfOffice", or "Unknown" for any other value.
 * The string is constant and never NULL. */
REPLY_API const char *reply_contact_status_name(reply_contact_status status);

/* Returns the endpoint's name of a sub-status, such as "AutoReplied", "null" for
 * REPLY_CONTACT_SUB_STATUS_NULL, or "Unknown" for any other value. The string is constant and never
 * NULL. */
REPLY_API const char *reply_contact_sub_status_name(reply_contact_sub_status sub_status);

/* Date and time of an event. If the text is not a valid date (the service's format varies), it is
 * kept and has_time is false. */
typedef struct reply_datetime {
    const char *text;           /* text as sent; NULL for null or a missing field */
    int64_t unix_seconds;       /* seconds since 1970-01-01T00:00:00Z; 0 unless has_time */
    int32_t nanoseconds;        /* fraction, 0 to 999,999,999, added to unix_seconds; truncated */
    int32_t utc_offset_seconds; /* offset as sent, east positive; 0 unless has_utc_offset */
    bool has_time;              /* true if text is an RFC 3339 date and time, offset optional */
    bool has_utc_offset;        /* false if text has no offset and was read as UTC */
} reply_datetime;

/*
 * Contact enrolled in a sequence. Only the library allocates it. The caller frees it, with its
 * strings, with reply_sequence_contact_free. A contact does not depend on its client and may
 * outlive it.
 *
 * Later versions may add members at the end, so the caller must not copy a contact by its size or
 * make an array of contacts. A contact never changes, so any number of threads may read it.
 *
 * Strings are NUL-terminated UTF-8. Each member's comment begins with the endpoint's field. A
 * nullable field that is missing counts as null. Unknown fields are only in json.
 */
typedef struct reply_sequence_contact {
    int64_t contact_id;                  /* contactId */
    int64_t sequence_id;                 /* sequenceId */
    const char *email;                   /* email; NULL for null */
    const char *first_name;              /* firstName; NULL for null */
    const char *last_name;               /* lastName; NULL for null */
    const char *company;                 /* company; NULL for null */
    const char *title;                   /* title: job title; NULL for null */
    reply_contact_status status;         /* status */
    const char *status_text;             /* status: text as sent; never NULL */
    reply_contact_sub_status sub_status; /* subStatus */
    const char *sub_status_text;         /* subStatus: text as sent; NULL for null */
    int32_t current_step;                /* currentStep: number of the contact's current step */
    reply_datetime adding_date;          /* addingDate: time of enrolment; its text is never NULL */
    reply_datetime moving_date;          /* movingDate: time of the move between sequences */
    reply_datetime next_send_after;      /* nextSendAfter: earliest time of the next message */
    bool is_opted_out;                   /* isOptedOut: true if opted out; do not message */
    bool has_email_account_id;           /* emailAccountId: false for null */
    int64_t email_account_id;            /* emailAccountId: sending email account; 0 for null */
    bool has_linkedin_account_id;        /* linkedInAccountId: false for null */
    int64_t linkedin_account_id;         /* linkedInAccountId: LinkedIn account; 0 for null */
    bool has_icp_score;                  /* icpScore: false for null */
    double icp_score;                    /* icpScore: score, always finite; 0 for null */
    const char *json;                    /* JSON as sent, without a byte-order mark */
    size_t json_length;                  /* length of json in bytes, without its NUL */
} reply_sequence_contact;

/*
 * Decodes the JSON of a contact into *contact, which the caller frees with
 * reply_sequence_contact_free. json has length bytes and needs no terminating NUL. Needs no client
 * and no network. May be called from any thread.
 *
 * The JSON must conform to RFC 8259, be UTF-8 and be an object, at most 512 levels deep. A
 * byte-order mark before it is skipped. Unknown fields are ignored and remain in contact->json. A
 * missing nullable field counts as null. Rejects
 *
 *   - a field that is missing, null or of the wrong type, if the endpoint does not allow that
 *   - a duplicate field
 *   - an integer that is not plain digits, or out of range for its member
 *   - a number that is not finite or is longer than 63 characters
 *   - a string with a NUL or a lone surrogate
 *
 * Errors:
 *   REPLY_ERROR_INVALID_ARGUMENT  json or contact is NULL
 *   REPLY_ERROR_NO_MEMORY         out of memory
 *   REPLY_ERROR_INVALID_RESPONSE  the JSON is not a contact; the message names the invalid field,
 *                                 or the byte at which the JSON is invalid
 */
REPLY_API reply_result reply_decode_sequence_contact(const char *json, size_t length,
                                                     reply_sequence_contact **contact,
                                                     reply_error *error);

/* Frees a contact and its strings. contact may be NULL. May be called from any thread. */
REPLY_API void reply_sequence_contact_free(reply_sequence_contact *contact);

/* ---- Client ---- */

/*
 * Client: an API key, settings, and idle connections for the next calls. Each call in progress has
 * its own connections. HTTP/2 is used if the server offers it. Sockets are close-on-exec.
 *
 * An idle connection is reused, with these exceptions:
 *
 *   - an attempt on it timed out, and the call received nothing during the attempt
 *   - an interrupt or a deadline aborted an attempt on it
 *   - it carried another contact than the requested one, or a page of another sequence
 *   - it is an HTTP/1.1 connection with unread bytes
 */
typedef struct reply_client reply_client;

/*
 * Creates a client in *client, which the caller frees with reply_client_destroy. api_key is 1 to
 * 4,096 visible ASCII characters, without spaces. Sends nothing. May be called from any thread.
 *
 * The first client of a process initialises libcurl. Before libcurl 7.84, no other thread may run
 * curl_global_init at that time.
 *
 * Errors:
 *   REPLY_ERROR_INVALID_ARGUMENT  api_key is invalid, or an argument is NULL
 *   REPLY_ERROR_NO_MEMORY         out of memory
 */
REPLY_API reply_result reply_client_create(const char *api_key, reply_client **client,
                                           reply_error *error);

/*
 * Closes a client's connections, overwrites the API key and frees the client. client may be NULL.
 * May be called from any thread. No call with the client may be in progress, so a callback must not
 * destroy its client. Before libcurl 7.87, or without an asynchronous resolver, waits for a lookup
 * in progress.
 */
REPLY_API void reply_client_destroy(reply_client *client);

/*
 * Settings.
 *
 * One thread at a time may set them, any number of times, until the client's first call. The last
 * value is used. An invalid value is rejected, and the setting does not change. Time spent in the
 * host's callbacks counts only for the timeout of the whole call. Before libcurl 7.87, or without
 * an asynchronous resolver, a lookup in progress delays the end of every timeout.
 *
 * Errors of every setter:
 *   REPLY_ERROR_INVALID_ARGUMENT  an argument is invalid or NULL, the client was inherited through
 *                                 fork, or a call was made with it (a call rejected for its
 *                                 arguments does not count)
 *   REPLY_ERROR_NO_MEMORY         out of memory
 */

/* Sets the API's base URL, for example of a test server. An https URL, or an http URL with a
 * loopback host (127.0.0.0/8, ::1 or localhost), of at most 2,048 bytes. It may have a path and a
 * trailing slash, but not a user, password, query or fragment. Default: "https://api.reply.io/v4".
 */
REPLY_API reply_result reply_client_set_base_url(reply_client *client, const char *url,
                                                 reply_error *error);

/* Sets the calling program's product for the User-Agent header, such as "acme-sync/2.1", placed
 * before the library's own. 1 to 256 printable ASCII characters; must not begin or end with a
 * space. Default: none. */
REPLY_API reply_result reply_client_set_user_agent(reply_client *client, const char *product,
                                                   reply_error *error);

/*
 * Adds a header to every request, such as X-TEAM-ID, X-USER-ID or X-User-Email for the key of a
 * team or an organisation. A header of the same name, without regard to case, is replaced. At most
 * 64 headers. Default: none.
 *
 * name is an HTTP token of 1 to 256 characters. It must not be X-API-Key, Host, Accept, User-Agent,
 * Accept-Encoding, Content-Length, Transfer-Encoding or Connection.
 *
 * value has at most 8,192 bytes and no control characters. It may be empty. Leading and trailing
 * spaces are removed.
 */
REPLY_API reply_result reply_client_add_header(reply_client *client, const char *name,
                                               const char *value, reply_error *error);

/* Sets a file of CA certificates, in PEM format, to trust instead of the system's. The file is read
 * when a connection is opened. If it cannot be read, the call returns REPLY_ERROR_TLS. TLS 1.2 or
 * newer is required, and verification cannot be turned off. path must not be empty. Default: the
 * system's certificates. */
REPLY_API reply_result reply_client_set_ca_file(reply_client *client, const char *path,
                                                reply_error *error);

/*
 * Sets the proxy: an http, https, socks4, socks4a, socks5 or socks5h URL, or "" for none. A URL
 * without a scheme is http. The library opens a tunnel (CONNECT) through an HTTP proxy, so that the
 * proxy does not see the key. This setting takes precedence over NO_PROXY in the environment. A
 * proxy is never used for a loopback host. Default: the environment's (HTTPS_PROXY, ALL_PROXY,
 * NO_PROXY).
 */
REPLY_API reply_result reply_client_set_proxy(reply_client *client, const char *url,
                                              reply_error *error);

/* Sets the connect timeout, including the lookup and the TLS handshake. 1 to INT32_MAX
 * milliseconds. Default: 10,000. */
REPLY_API reply_result reply_client_set_connect_timeout_ms(reply_client *client, int64_t ms,
                                                           reply_error *error);

/* Sets the timeout of an attempt, from the lookup to the last byte. 1 to INT32_MAX milliseconds.
 * Default: 30,000. */
REPLY_API reply_result reply_client_set_attempt_timeout_ms(reply_client *client, int64_t ms,
                                                           reply_error *error);

/* Sets the timeout of a whole call, including its attempts, waits and callbacks. 0 (none) to
 * INT32_MAX milliseconds. Default: 120,000 for one contact, none for many and for a list. */
REPLY_API reply_result reply_client_set_timeout_ms(reply_client *client, int64_t ms,
                                                   reply_error *error);

/* Sets the maximum number of retries of a request after a transient failure. If it is 0, a request
 * that hits a rate limit is not sent again either, but later requests still wait for the end of the
 * rate limit. 0 to 10. Default: 3. */
REPLY_API reply_result reply_client_set_max_retries(reply_client *client, int32_t retries,
                                                    reply_error *error);

/* Sets the maximum number of concurrent requests of one call for many contacts. 1 to 100.
 * Default: 4, because the service asks for low concurrency. */
REPLY_API reply_result reply_client_set_max_concurrency(reply_client *client, int32_t requests,
                                                        reply_error *error);

/* Sets the number of contacts that a list requests per page. 10 to 1,000, the service's maximum. A
 * page counts as one request, whatever its size. Default: 1,000. */
REPLY_API reply_result reply_client_set_page_size(reply_client *client, int32_t contacts,
                                                  reply_error *error);

/*
 * Receives one line per event, without a newline. The line is valid until the function returns.
 *
 *     attempt 1 GET /v4/sequences/100/contacts/12345: 503 in 87 ms
 *     attempt 1 GET /v4/sequences/100/contacts?top=1000&skip=900: 200 in 412 ms
 *     wait 412 ms: HTTP 503, retry 1 of 3
 *     wait 41000 ms: rate limit
 *
 * After "attempt", the line has the HTTP status, or the name of the result if there is no status.
 * The words "attempt" and "wait <ms> ms" are fixed, and programs may parse them. A line never
 * contains the API key, or data of a contact other than the ids.
 *
 * Called on the thread of the call, possibly on several threads at the same time. user_data is the
 * pointer passed to reply_client_set_log. The function must not throw, longjmp or destroy the
 * client.
 */
typedef void (*reply_log_fn)(const char *line, void *user_data);

/* Sets the function that receives the log, and the pointer passed to it. log may be NULL, for none.
 * user_data may be NULL and is borrowed. Default: none. */
REPLY_API reply_result reply_client_set_log(reply_client *client, reply_log_fn log, void *user_data,
                                            reply_error *error);

/*
 * Interrupts the calls in progress with this client. Each ends with REPLY_ERROR_CANCELLED within 50
 * ms, during a lookup, a connect, a transfer or a wait. Later calls are not affected. client may be
 * NULL.
 *
 * May be called from any thread and from a callback, but not from a signal handler, and not while
 * the client is destroyed. Before libcurl 7.87, or without an asynchronous resolver, a lookup in
 * progress delays the end of its call.
 */
REPLY_API void reply_client_interrupt(reply_client *client);

/* ---- Calls ---- */

/*
 * Fetches contact contact_id of sequence sequence_id into *contact, which the caller frees with
 * reply_sequence_contact_free. Both ids are at least 1. Blocks until the call ends. Any number of
 * threads may call it with one client at the same time.
 *
 * Compression. The library requests gzip if libcurl was built with zlib.
 *
 * Retries. The request is retried, up to the maximum number of retries, after REPLY_ERROR_NETWORK,
 * REPLY_ERROR_TIMEOUT, a failed TLS handshake, and HTTP 408, 500, 502, 503 and 504. A rejected
 * certificate, an invalid CA file, and a proxy that rejects the tunnel with a 4xx status are not
 * retried. The wait before a retry is random, up to 0.5, 1, 2, 4, 8, 8 ... seconds, or the
 * response's Retry-After. Before libcurl 7.77, an HTTP/2 response without a Content-Length that is
 * cut off looks complete. It is REPLY_ERROR_INVALID_RESPONSE, and is not retried. Before libcurl
 * 8.1, concurrent HTTP/2 responses with more than 32 kB of headers can fail, and are retried.
 *
 * Rate limit. After an HTTP 429 with a Retry-After, no call with this client sends anything until
 * that time. Calls in other threads stop sending within 50 ms. Then the request is sent again,
 * without using up a retry, unless the maximum number of retries is 0. A Retry-After is a number of
 * seconds or an HTTP date, and counts as at most a day. A 429 without a valid Retry-After is
 * retried like a 503.
 *
 * Timeout. If a wait would exceed the call's timeout, the call returns the last error immediately.
 *
 * Returns any reply_result. In particular:
 *   REPLY_ERROR_INVALID_ARGUMENT  client or contact is NULL, an id is less than 1, or the client
 *                                 was inherited through fork
 *   REPLY_ERROR_INVALID_RESPONSE  HTTP 200 without a valid contact, or with another contact; the
 *                                 message names the ids of both
 *   REPLY_ERROR_RATE_LIMITED      the rate limit ends after the call's deadline, in
 *                                 error->retry_after_ms; error->attempts is 0 if an earlier 429
 *                                 held the request back
 */
REPLY_API reply_result reply_get_sequence_contact(reply_client *client, int64_t sequence_id,
                                                  int64_t contact_id,
                                                  reply_sequence_contact **contact,
                                                  reply_error *error);

/*
 * Receives one of many contacts, or one contact of a list. Of many, it is contact_ids[index]. In a
 * list, index is the number of contacts that were delivered before it. On success result is
 * REPLY_OK, and the callback owns contact and frees it with reply_sequence_contact_free. On failure
 * contact is NULL and result is error->result.
 *
 * error is never NULL and is valid until the callback returns. Its message names the contact.
 * user_data is the pointer passed to the call.
 *
 * Returns 0 to continue; any other value stops the call. The callback may call the library, also
 * with the same client. It must not throw, longjmp or destroy the client.
 */
typedef int (*reply_contact_fn)(size_t index, reply_result result, reply_sequence_contact *contact,
                                const reply_error *error, void *user_data);

/*
 * Fetches contacts contact_ids[0] to contact_ids[count - 1] of sequence sequence_id, several at a
 * time. Delivers each once, on the calling thread, in the order of completion. contact_ids may be
 * NULL if count is 0. user_data may be NULL. Blocks until the call ends. Memory does not grow with
 * count. One connection is used if the server speaks HTTP/2. Any number of threads may call it with
 * one client at the same time.
 *
 * Each contact is fetched like reply_get_sequence_contact does. A failed contact is delivered with
 * its error and does not stop the others. An id less than 1 is delivered as
 * REPLY_ERROR_INVALID_ARGUMENT.
 *
 * The call has no timeout by default. Without one, a Retry-After can delay the call for a day, and
 * further ones for longer. Set one with reply_client_set_timeout_ms.
 *
 * Returns REPLY_OK if every contact was delivered, even if some failed. error->attempts is always
 * 0. Errors that end the call:
 *   REPLY_ERROR_INVALID_ARGUMENT  client or on_contact is NULL, contact_ids is NULL but count is
 *                                 not 0, sequence_id is less than 1, or the client was inherited
 *                                 through fork; nothing is delivered
 *   REPLY_ERROR_CANCELLED         on_contact returned non-zero, or the call was interrupted
 *   REPLY_ERROR_UNAUTHORIZED      the service rejects the API key
 *   REPLY_ERROR_RATE_LIMITED      the rate limit ends after the call's deadline
 *   REPLY_ERROR_TIMEOUT           the call's deadline was reached
 *   REPLY_ERROR_NO_MEMORY         out of memory when the call started
 *
 * After REPLY_ERROR_UNAUTHORIZED and REPLY_ERROR_RATE_LIMITED, attempts in flight finish and are
 * delivered, but are not retried. An interrupt and the deadline abort them.
 *
 * The remaining contacts are then delivered with the error that ended the call, without being sent.
 * Each has the members of that error, such as http_status, and its own attempts. The call returns
 * that error even if it occurred on the last contact. If on_contact returned non-zero, it is not
 * called again, and undelivered contacts are freed.
 */
REPLY_API reply_result reply_get_sequence_contacts(reply_client *client, int64_t sequence_id,
                                                   const int64_t *contact_ids, size_t count,
                                                   reply_contact_fn on_contact, void *user_data,
                                                   reply_error *error);

/*
 * Lists the contacts of sequence sequence_id: requests page after page, and delivers each contact
 * once, on the calling thread, in the service's order. user_data may be NULL. Blocks until the call
 * ends. Any number of threads may call it with one client at the same time.
 *
 * A contact that cannot be decoded, or that is of another sequence, is delivered with
 * REPLY_ERROR_INVALID_RESPONSE and does not end the call. A contact's json is its own item of the
 * page. Memory holds one page, and at most 32 bytes for each contact that was delivered.
 *
 * Others may add and remove contacts during the call. A contact that is in the list from the
 * beginning to the end of the call is delivered exactly once, if the service keeps its order.
 * Contacts that are added or removed during the call may be missing. The pages overlap by a tenth,
 * so that the call notices removals and steps back.
 *
 * Each page is fetched like reply_get_sequence_contact fetches a contact, with the same retries and
 * rate limit.
 *
 * The call has no timeout by default. A Retry-After can then delay it for a day, and a list that
 * changes faster than it is read may not end. Set one with reply_client_set_timeout_ms. The
 * deadline is checked before a page is requested, not between deliveries.
 *
 * Returns REPLY_OK if every contact was delivered, even if some could not be decoded.
 * error->attempts is then 0. Any other result ends the call. Contacts that were delivered remain
 * valid, and error->attempts is that of the failed page.
 *
 * Returns any reply_result. In particular:
 *   REPLY_ERROR_INVALID_ARGUMENT    client or on_contact is NULL, sequence_id is less than 1, or
 *                                   the client was inherited through fork; nothing is delivered
 *   REPLY_ERROR_CANCELLED           on_contact returned non-zero, or the call was interrupted, even
 *                                   between two deliveries; the rest of the page is not delivered
 *   REPLY_ERROR_RESPONSE_TOO_LARGE  a page is larger than 16 MiB
 *   REPLY_ERROR_INVALID_RESPONSE    HTTP 200 without a valid page, an item whose contactId cannot
 *                                   be read, or pages that bring no new contact
 *   REPLY_ERROR_RATE_LIMITED        the rate limit ends after the call's deadline
 *   REPLY_ERROR_TIMEOUT             the call's deadline was reached
 */
REPLY_API reply_result reply_list_sequence_contacts(reply_client *client, int64_t sequence_id,
                                                    reply_contact_fn on_contact, void *user_data,
                                                    reply_error *error);

#ifdef __cplusplus
}
#endif

#endif
