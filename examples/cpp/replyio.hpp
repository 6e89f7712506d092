// libreplyio for C++11 and later: owning pointers and exceptions over the C header.
#ifndef REPLYIO_HPP
#define REPLYIO_HPP

#include <replyio.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>

namespace replyio {

struct Free {
    void operator()(reply_sequence_contact *contact) const noexcept {
        reply_sequence_contact_free(contact);
    }
    void operator()(reply_client *client) const noexcept {
        reply_client_destroy(client);
    }
};
using Contact = std::unique_ptr<reply_sequence_contact, Free>;
using Client = std::unique_ptr<reply_client, Free>;

struct Error : std::runtime_error {
    explicit Error(const reply_error &error) : std::runtime_error(error.message), details(error) {
    }
    reply_error details;
};

// Converts an argument, unless a C call could truncate it silently, such as 0.5 to 0.
template <typename Parameter, typename Argument> Parameter exact(Argument argument) {
    using Limits = std::numeric_limits<Argument>;
    static_assert(!Limits::is_specialized ||
                      (Limits::is_integer && !std::is_same<Argument, bool>::value &&
                       Limits::digits <= std::numeric_limits<Parameter>::digits),
                  "pass an integer type whose values all fit the parameter");
    return argument;
}

template <typename... Parameters, typename... Arguments>
reply_result call_exact(reply_result (*function)(Parameters...), Arguments... arguments) {
    return function(exact<Parameters>(arguments)...);
}

// Calls a function of the header and throws an Error if it fails. The last argument is omitted:
//
//     call(reply_client_set_timeout_ms, client.get(), 5000);
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
    reply_error error;
    if (call_exact(function, arguments..., &error) != REPLY_OK) {
        throw Error(error);
    }
}

inline Client create_client(const char *api_key) {
    reply_client *client = nullptr;
    call(reply_client_create, api_key, &client);
    return Client(client);
}

inline Contact get_sequence_contact(const Client &client, std::int64_t sequence_id,
                                    std::int64_t contact_id) {
    reply_sequence_contact *contact = nullptr;
    call(reply_get_sequence_contact, client.get(), sequence_id, contact_id, &contact);
    return Contact(contact);
}

} // namespace replyio

#endif
