// libreplyio for C++11 and later: owning pointers and exceptions over the C header.
#ifndef REPLYIO_HPP
#define REPLYIO_HPP

#include <replyio.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

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

// Delivers all contacts of a sequence to on_contact(Contact contact, const reply_error &error), in
// the service's order. contact is empty if error is that of a contact that cannot be read.
// on_contact returns true to continue, or false to end the call. An exception of on_contact ends
// the call and is thrown again.
template <typename Function>
void list_sequence_contacts(const Client &client, std::int64_t sequence_id, Function on_contact) {
    struct Delivery {
        Function &on_contact;
        bool has_stopped;
        std::exception_ptr exception;
    } delivery = {on_contact, false, nullptr};
    const reply_contact_fn deliver = [](std::size_t, reply_result, reply_sequence_contact *contact,
                                        const reply_error *error, void *user_data) -> int {
        auto &current = *static_cast<Delivery *>(user_data);
        Contact owned(contact);
        try {
            current.has_stopped = !current.on_contact(std::move(owned), *error);
        } catch (...) { // an exception cannot pass through C
            current.exception = std::current_exception();
            current.has_stopped = true;
        }
        return current.has_stopped ? 1 : 0;
    };
    reply_error error;
    const reply_result result =
        reply_list_sequence_contacts(client.get(), sequence_id, deliver, &delivery, &error);
    if (delivery.exception != nullptr) {
        std::rethrow_exception(delivery.exception);
    }
    if (result != REPLY_OK && !delivery.has_stopped) {
        throw Error(error);
    }
}

} // namespace replyio

#endif
