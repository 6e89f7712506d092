/* session.c - a session of the real transport, used without the loop of dispatch. */
#include "support/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/timing.h"

struct transport_session *session_open(struct transport_settings settings, int32_t slot_count) {
    static char header[] = "Accept: application/json";
    static char *headers[] = {header};
    static struct transport_settings kept;
    kept = settings;
    kept.headers = headers;
    kept.header_count = 1;
    kept.connect_timeout_ms = timing_scale_ms(TIMING_MAX_WAIT_MS);
    struct transport_session *session = transport_libcurl.open(&kept, slot_count);
    assert_non_null(session);
    return session;
}

struct transport_request session_make_request(const char *url) {
    return (struct transport_request){.url = url,
                                      .max_body_size = 1000,
                                      .timeout_ms = timing_scale_ms(TIMING_MAX_WAIT_MS),
                                      .deadline_ms = INT64_MAX};
}

void session_await(struct transport_session *session, int32_t slot,
                   struct transport_response *response) {
    const int64_t deadline = timing_now_ms() + timing_scale_ms(TIMING_MAX_WAIT_MS);
    int32_t finished = transport_libcurl.collect(session, response);
    while (finished < 0 && timing_now_ms() < deadline) {
        transport_libcurl.wait(session, 100);
        finished = transport_libcurl.collect(session, response);
    }
    assert_int_equal(finished, slot);
}
