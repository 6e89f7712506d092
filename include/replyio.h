/*
 * replyio.h - client for the Reply.io v4 sequence-contacts endpoint,
 *
 *     GET https://api.reply.io/v4/sequences/{id}/contacts/{contact_id}
 *
 * A client holds an API key and settings; a call with it fetches one contact or many, decoded into
 * a struct.
 *
 * Ownership. What a function hands out through an out-pointer, the caller owns and frees with the
 * function named there. What a function returns directly, and what a callback is handed as const,
 * is borrowed. Strings that a caller passes in are copied.
 *
 * Errors. Every function that can fail returns a reply_result and takes, last, a reply_error that
 * it fills; it may be NULL. On failure an out-pointer is set to NULL. Any of these functions
 * returns REPLY_ERROR_INVALID_ARGUMENT when a pointer is NULL that its comment does not allow to be
 * NULL. The library prints nothing and never ends the process.
 *
 * Threads. A client is configured by one thread before its first call. After that any number of
 * threads may call with it at once. Functions without a client may be called from any thread at any
 * time, with different objects.
 *
 * cJSON keeps a global that every parse writes. The library's own parses take turns; where the
 * host, or another library in the process, parses with cJSON in another thread at the same time,
 * that is a data race which only the host can prevent.
 *
 * Signals. The library sets no handler. With a libcurl older than 7.87 and OpenSSL, a TLS
 * connection that breaks while it is written to may raise SIGPIPE, which ends a process that does
 * not ignore it: the host then has to.
 *
 * Fork. A client belongs to the process that created it. In a child a call with it is refused, an
 * interrupt does nothing, and destroying it frees its memory but leaves the parent's connections
 * alone. A client that is created in the child works.
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

/* What became of a call. The values never change; new ones may be added at the end. */
typedef enum reply_result {
    REPLY_OK = 0,
    REPLY_ERROR_INVALID_ARGUMENT = 1, /* the caller's mistake; nothing was sent */
    REPLY_ERROR_NO_MEMORY =
        2, /* an allocation failed, here or in a library underneath, or file descriptors ran out */
    REPLY_ERROR_CANCELLED = 3, /* reply_client_interrupt was called, or a callback asked to stop */
    REPLY_ERROR_NETWORK =
        4, /* no name, no connection, connection lost, or an answer that is not HTTP */
    REPLY_ERROR_TLS = 5,     /* the TLS handshake, the server's certificate, or the CA file */
    REPLY_ERROR_TIMEOUT = 6, /* time ran out during an attempt, or for the rest of many contacts */
    REPLY_ERROR_RESPONSE_TOO_LARGE =
        7, /* a contact of over 1 MiB, or response headers of over 256 KiB */
    REPLY_ERROR_INVALID_RESPONSE = 8, /* HTTP 200, but not the contact that was asked for */
    REPLY_ERROR_BAD_REQUEST = 9,      /* HTTP 400 or 422 */
    REPLY_ERROR_UNAUTHORIZED = 10,    /* HTTP 401: the API key is not accepted */
    REPLY_ERROR_FORBIDDEN =
        11, /* HTTP 403: the key's plan, scope, team or user does not allow it */
    REPLY_ERROR_NOT_FOUND =
        12, /* HTTP 404: no such sequence, no such contact, or the contact is not in the sequence */
    REPLY_ERROR_RATE_LIMITED =
        13,                  /* HTTP 429, or held back until the time that an earlier 429 named */
    REPLY_ERROR_SERVER = 14, /* HTTP 5xx */
    REPLY_ERROR_HTTP =
        15 /* any other HTTP status: redirects, and 204 or 206, which cannot hold the contact */
} reply_result;

/*
 * What failed, why, and what to do. The caller's own (on the stack, say): nothing in it needs to be
 * freed. It is 1,024 bytes for ever, and it is filled without allocating. On success result is
 * REPLY_OK, attempts is set and the rest is empty (retry_after_ms -1). The strings are
 * NUL-terminated, valid UTF-8, cut to fit, free of control characters, and never hold the API key,
 * not even where a server repeats it.
 */
typedef struct reply_error {
    reply_result result; /* what the function returned */
    int32_t http_status; /* the HTTP status of the response that it is about; 0: it is about none */
    int32_t curl_code;   /* the CURLcode with which libcurl failed; 0: libcurl did not fail */
    int32_t attempts;    /* transfers begun, even where no connection came about */
    int64_t
        retry_after_ms; /* how long the server asks to wait, in milliseconds; -1: it did not say */
    char problem_code[64]; /* the problem document's "code" or "errorCode" as text; empty: there was
                              none */
    char request_id[64];   /* the response's X-Request-Id header; empty: there was none */
    char message[512];     /* one line for a person: what failed, why, what to do */
    char reserved[360];    /* zero */
} reply_error;

/* The name of a result as it stands above, such as "REPLY_ERROR_NOT_FOUND", or "UNKNOWN" for a
 * number that is none. A constant string, never NULL. */
REPLY_API const char *reply_result_name(reply_result result);

/* The library's version, such as "0.1.0". A constant string, never NULL. */
REPLY_API const char *reply_version(void);

/* ---- A contact in a sequence ---- */

/* The contact's status in the sequence; beside each value the endpoint's name, which is matched
 * without regard to ASCII case. */
typedef enum reply_contact_status {
    REPLY_CONTACT_STATUS_UNKNOWN = 0,  /* one that this version has no name for: read status_text */
    REPLY_CONTACT_STATUS_ACTIVE = 1,   /* Active */
    REPLY_CONTACT_STATUS_PAUSED = 2,   /* Paused */
    REPLY_CONTACT_STATUS_FINISHED = 3, /* Finished */
    REPLY_CONTACT_STATUS_INACTIVE = 4, /* Inactive */
    REPLY_CONTACT_STATUS_OUT_OF_OFFICE = 5 /* OutOfOffice */
} reply_contact_status;

/* The contact's sub-status in the sequence; beside each value the endpoint's name, matched as
 * above. */
typedef enum reply_contact_sub_status {
    REPLY_CONTACT_SUB_STATUS_UNKNOWN =
        0, /* one that this version has no name for: read sub_status_text */
    REPLY_CONTACT_SUB_STATUS_NULL = 1,        /* null, or not sent */
    REPLY_CONTACT_SUB_STATUS_NONE = 2,        /* None: the service's own word */
    REPLY_CONTACT_SUB_STATUS_AUTO_REPLIED = 3 /* AutoReplied */
} reply_contact_sub_status;

/* The endpoint's name of a status, such as "OutOfOffice", or "Unknown". A constant string, never
 * NULL. */
REPLY_API const char *reply_contact_status_name(reply_contact_status status);

/* The endpoint's name of a sub-status, such as "AutoReplied", "null" for
 * REPLY_CONTACT_SUB_STATUS_NULL, or "Unknown". A constant string, never NULL. */
REPLY_API const char *reply_contact_sub_status_name(reply_contact_sub_status sub_status);

/* A date and time. A text that is none (the service's dates have drifted) is kept, with has_time
 * false. */
typedef struct reply_datetime {
    const char *text;     /* as sent; NULL for null */
    int64_t unix_seconds; /* seconds since 1970-01-01T00:00:00Z, negative before it; 0 unless
                             has_time */
    int32_t
        nanoseconds; /* 0 to 999,999,999, to be added to unix_seconds; finer digits are dropped */
    int32_t utc_offset_seconds; /* as written, east positive; 0 unless has_utc_offset */
    bool has_time;       /* the text is an RFC 3339 date and time, perhaps without its offset */
    bool has_utc_offset; /* false: the text names no offset, and was read as UTC */
} reply_datetime;

/*
 * A contact enrolled in a sequence. Only the library makes one; reply_sequence_contact_free frees
 * it with all that it points to. A later version may add members at the end, so neither copy it by
 * its size nor make an array of it. It is never changed once made: any number of threads may read
 * it. Strings are NUL-terminated UTF-8. Beside each member the endpoint's name of the field.
 */
typedef struct reply_sequence_contact {
    int64_t contact_id;                  /* contactId */
    int64_t sequence_id;                 /* sequenceId */
    const char *email;                   /* email; NULL for null */
    const char *first_name;              /* firstName; NULL for null */
    const char *last_name;               /* lastName; NULL for null */
    const char *company;                 /* company; NULL for null */
    const char *title;                   /* title: the job title; NULL for null */
    reply_contact_status status;         /* status */
    const char *status_text;             /* status as sent; never NULL */
    reply_contact_sub_status sub_status; /* subStatus */
    const char *sub_status_text;         /* subStatus as sent; NULL for null */
    int32_t current_step;       /* currentStep: number of the step that the contact is on */
    reply_datetime adding_date; /* addingDate: when the contact was added to the sequence; its text
                                   is never NULL */
    reply_datetime moving_date; /* movingDate: when the contact was moved between sequences */
    reply_datetime
        next_send_after; /* nextSendAfter: earliest time at which the next message can be sent */
    bool is_opted_out;   /* isOptedOut: the contact has opted out and must not be written to */
    bool has_email_account_id;    /* false for null */
    int64_t email_account_id;     /* emailAccountId: the sending email account; 0 for null */
    bool has_linkedin_account_id; /* false for null */
    int64_t linkedin_account_id;  /* linkedInAccountId: the sending LinkedIn account; 0 for null */
    bool has_icp_score;           /* false for null */
    double icp_score; /* icpScore: Ideal Customer Profile score, always finite; 0 for null */
    const char *json; /* the response as sent (less a byte-order mark), with the fields that have no
                         member here */
    size_t json_length; /* length of json in bytes, without its NUL */
} reply_sequence_contact;

/*
 * Decodes the text of a contact, length bytes that need no NUL at their end, into *contact, which
 * the caller frees with reply_sequence_contact_free. Needs no client and no network.
 *
 * The text must be RFC 8259 JSON in UTF-8, an object, at most 512 levels deep. A byte-order mark
 * before it is skipped. Fields that this version does not know are ignored (and stay in json); a
 * field that may be null may be missing. Refused are: a field that is missing, null or of another
 * type where the endpoint does not allow it; one that is given twice; an integer that is not plain
 * digits or does not fit its member; a number that is not finite or has over 63 characters; a
 * string with a NUL or half a surrogate pair.
 *
 * Returns REPLY_ERROR_INVALID_ARGUMENT (json or contact is NULL), REPLY_ERROR_NO_MEMORY, or
 * REPLY_ERROR_INVALID_RESPONSE, whose message names the field at fault or the byte at which the
 * text stops being JSON.
 */
REPLY_API reply_result reply_decode_sequence_contact(const char *json, size_t length,
                                                     reply_sequence_contact **contact,
                                                     reply_error *error);

/* Frees a contact and all that it points to. NULL is fine. */
REPLY_API void reply_sequence_contact_free(reply_sequence_contact *contact);

/* ---- Client ---- */

/* An API key, settings, and the connections that are kept open between calls: those of as many
 * calls as were ever in progress at the same time. */
typedef struct reply_client reply_client;

/*
 * Creates a client for an API key of 1 to 4,096 visible ASCII characters (no spaces) into *client,
 * which the caller frees with reply_client_destroy. Nothing is sent. The first client of a process
 * initialises libcurl; where another part of the process uses a libcurl older than 7.84, no thread
 * of it may be running in libcurl's global initialisation meanwhile.
 *
 * Returns REPLY_ERROR_INVALID_ARGUMENT (the key is not as above, or client is NULL) or
 * REPLY_ERROR_NO_MEMORY.
 */
REPLY_API reply_result reply_client_create(const char *api_key, reply_client **client,
                                           reply_error *error);

/* Closes a client's connections and frees it, overwriting the API key. NULL is fine. No call with
 * the client may be running, in any thread or in a callback. */
REPLY_API void reply_client_destroy(reply_client *client);

/*
 * Settings. Each may be given any number of times before the client's first call, by one thread at
 * a time; the last one counts. Each returns REPLY_ERROR_INVALID_ARGUMENT where the value is not as
 * described, where a call has been made with the client (one that was refused for its arguments
 * does not count) or where the client came through fork; or REPLY_ERROR_NO_MEMORY. What is refused
 * changes nothing.
 */

/* Where the API is, such as a test server: an https URL, or an http URL whose host is a loopback
 * address (127.0.0.0/8, ::1) or localhost; without user, password, query and fragment. It may have
 * a path, and a slash at its end. Default "https://api.reply.io/v4". */
REPLY_API reply_result reply_client_set_base_url(reply_client *client, const char *url,
                                                 reply_error *error);

/* The calling program's name for the User-Agent header, such as "acme-sync/2.1", put before the
 * library's own. 1 to 256 printable ASCII characters, the first and last of which are no spaces.
 * Default: none. */
REPLY_API reply_result reply_client_set_user_agent(reply_client *client, const char *product,
                                                   reply_error *error);

/* Adds a header to each request, such as X-TEAM-ID, X-USER-ID or X-User-Email for the key of a team
 * or an organisation. The name is an HTTP token of at most 256 characters, and not X-API-Key, Host,
 * Accept, User-Agent, Content-Length, Transfer-Encoding or Connection; the value has no control
 * characters and at most 8,192 bytes, may be empty, and loses spaces at its ends. A name that was
 * given before, in whatever case, replaces that header. At most 64 headers. */
REPLY_API reply_result reply_client_add_header(reply_client *client, const char *name,
                                               const char *value, reply_error *error);

/* A file of CA certificates in PEM format to trust instead of the system's. It is read when a
 * connection is made: a file that cannot be read makes the call fail with REPLY_ERROR_TLS. Default:
 * the system's certificates. There is no way not to verify. */
REPLY_API reply_result reply_client_set_ca_file(reply_client *client, const char *path,
                                                reply_error *error);

/* A proxy: an http, https, socks4, socks4a, socks5 or socks5h URL, http where it names no scheme;
 * or "" for none. Connections to the API go through it by CONNECT, so that it does not see the key.
 * To a loopback host no proxy is ever used. Default: what the environment says (HTTPS_PROXY,
 * ALL_PROXY, NO_PROXY). */
REPLY_API reply_result reply_client_set_proxy(reply_client *client, const char *url,
                                              reply_error *error);

/* Longest time for a connection to come about, TLS included. 1 to INT32_MAX milliseconds. Default
 * 10,000. */
REPLY_API reply_result reply_client_set_connect_timeout_ms(reply_client *client, int64_t ms,
                                                           reply_error *error);

/* Longest time for one attempt, from the look-up of the name to the last byte. 1 to INT32_MAX
 * milliseconds. Default 30,000. */
REPLY_API reply_result reply_client_set_attempt_timeout_ms(reply_client *client, int64_t ms,
                                                           reply_error *error);

/* Longest time for a whole call, with all its attempts and waits. 0 (none) to INT32_MAX
 * milliseconds. Default 120,000 for one contact and none for many. */
REPLY_API reply_result reply_client_set_timeout_ms(reply_client *client, int64_t ms,
                                                   reply_error *error);

/* How often a request is made again after a failure that may pass. 0 to 10. Default 3. With 0 a
 * request that meets a rate limit is not made again either; later ones wait for its end all the
 * same. */
REPLY_API reply_result reply_client_set_max_retries(reply_client *client, int32_t retries,
                                                    reply_error *error);

/* How many requests of one call for many contacts may be under way at once. 1 to 100. Default 4:
 * the service asks for a small concurrency. */
REPLY_API reply_result reply_client_set_max_concurrency(reply_client *client, int32_t requests,
                                                        reply_error *error);

/*
 * Receives one line an event, without a line feed, valid until it returns:
 *
 *     attempt 1 GET /v4/sequences/100/contacts/12345: 503 in 87 ms
 *     wait 412 ms: HTTP 503, retry 1 of 3
 *
 * The words "attempt" and "wait <ms> ms" are fixed: programs may read them. After the attempt's
 * colon stands the HTTP status, or the name of the result where there is none; a wait for a rate
 * limit reads "wait 41000 ms: rate limit". No line holds the API key, or anything of a contact but
 * its ids. It is called on the thread of the call, perhaps on several threads at once; it must not
 * throw, longjmp or destroy the client.
 */
typedef void (*reply_log_fn)(const char *line, void *user_data);

/* A function to call for each event, and what to hand to it. log NULL: none, the default. user_data
 * may be NULL. */
REPLY_API reply_result reply_client_set_log(reply_client *client, reply_log_fn log, void *user_data,
                                            reply_error *error);

/*
 * Ends the calls that are in progress with this client, in all threads, with REPLY_ERROR_CANCELLED,
 * within 50 ms, whether they look up a name, connect, transfer or wait. It has no effect on calls
 * that begin afterwards. May be called from any thread, also from a callback, but not from a signal
 * handler, and not while the client is destroyed. NULL is fine. (Where libcurl is older than 7.87,
 * or was built without an asynchronous resolver, a name look-up holds the end of the call.) */
REPLY_API void reply_client_interrupt(reply_client *client);

/* ---- Calls ---- */

/*
 * Fetches the contact contact_id in the sequence sequence_id, both 1 or more, into *contact, which
 * the caller frees with reply_sequence_contact_free. Blocks until it is done; any number of threads
 * may call it with one client at once.
 *
 * An attempt that ends in REPLY_ERROR_NETWORK or REPLY_ERROR_TIMEOUT, or with HTTP 408, 500, 502,
 * 503 or 504, is made again up to the client's number of retries, after a random wait of up to 0.5
 * s, 1 s, 2 s, 4 s, 8 s, 8 s ..., or the wait that the response's Retry-After asks for. After an
 * HTTP 429 with a Retry-After no call with this client sends anything until that time; then the
 * request is made again, which does not count as a retry. After a 429 without one it is made again
 * like after a 503. A wait that would not end before the whole call's time limit is not begun: the
 * error comes back at once.
 *
 * Returns any of the reply_result values: REPLY_ERROR_INVALID_ARGUMENT where client or contact is
 * NULL, an id is below 1 or the client came through fork; the others as described there.
 * RATE_LIMITED with attempts 0 says that an earlier 429 still holds this client back for
 * retry_after_ms.
 */
REPLY_API reply_result reply_get_sequence_contact(reply_client *client, int64_t sequence_id,
                                                  int64_t contact_id,
                                                  reply_sequence_contact **contact,
                                                  reply_error *error);

/*
 * Receives one of many contacts: contact_ids[index], with result REPLY_OK and its contact, which is
 * the callback's to free with reply_sequence_contact_free; or with its error's result and contact
 * NULL. error is never NULL and is valid until the callback returns; its message names the contact.
 * Returns 0 to go on; anything else stops the call. It may call the library, also with the same
 * client; it must not throw, longjmp or destroy the client.
 */
typedef int (*reply_contact_fn)(size_t index, reply_result result, reply_sequence_contact *contact,
                                const reply_error *error, void *user_data);

/*
 * Fetches the contacts contact_ids[0] to contact_ids[count - 1] in the sequence sequence_id,
 * several at a time, and hands each to on_contact once, on the calling thread, in the order in
 * which they are done. Each is fetched as reply_get_sequence_contact does it; a contact that cannot
 * be had (an id below 1 is INVALID_ARGUMENT) is delivered with its error and does not stop the
 * others. Memory does not grow with count. contact_ids may be NULL where count is 0; user_data may
 * be NULL. Blocks until all are delivered; any number of threads may call it with one client at
 * once.
 *
 * The whole call has no time limit unless reply_client_set_timeout_ms gives it one: a Retry-After
 * can then hold it for a day, and one after another for longer.
 *
 * Returns REPLY_OK when each contact was delivered, whatever its own result; error->attempts is 0.
 * Otherwise: REPLY_ERROR_INVALID_ARGUMENT  client or on_contact is NULL, contact_ids is NULL though
 * count is not 0, sequence_id is below 1, or the client came through fork: nothing is delivered
 *   REPLY_ERROR_CANCELLED         on_contact returned non-zero, and is not called again; or the
 * call was interrupted REPLY_ERROR_UNAUTHORIZED      the key is not accepted: what was under way is
 * finished, no more is sent REPLY_ERROR_RATE_LIMITED      a rate limit lasts beyond the call's time
 * limit: what was under way is finished, no more is sent REPLY_ERROR_TIMEOUT           the call's
 * time limit was reached REPLY_ERROR_NO_MEMORY         there was no memory to begin with After any
 * of these but a callback's stop and an INVALID_ARGUMENT, each contact that is still to come is
 * delivered with that error, and not sent any more: its http_status and the like are of the
 * response that ended the call, its attempts its own.
 */
REPLY_API reply_result reply_get_sequence_contacts(reply_client *client, int64_t sequence_id,
                                                   const int64_t *contact_ids, size_t count,
                                                   reply_contact_fn on_contact, void *user_data,
                                                   reply_error *error);

#ifdef __cplusplus
}
#endif

#endif
