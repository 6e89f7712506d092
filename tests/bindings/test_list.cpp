// test_list.cpp BASE_URL - checks the list of the C++ binding with the mock server.

#undef NDEBUG
#include <cassert>
#include <string>
#include <vector>

#include "replyio.hpp"

namespace {

std::vector<std::int64_t> list_ids(const replyio::Client &client, std::int64_t sequence_id,
                                   std::vector<std::string> &messages) {
    std::vector<std::int64_t> ids;
    replyio::list_sequence_contacts(client, sequence_id,
                                    [&](replyio::Contact contact, const reply_error &error) {
                                        if (contact != nullptr) {
                                            ids.push_back(contact->contact_id);
                                        } else {
                                            messages.emplace_back(error.message);
                                        }
                                        return true;
                                    });
    return ids;
}

} // namespace

int main(int, char **arguments) {
    const replyio::Client client = replyio::create_client("key");
    replyio::call(reply_client_set_base_url, client.get(), arguments[1]);
    replyio::call(reply_client_set_page_size, client.get(), 100);

    // Each contact once and in order.
    std::vector<std::string> messages;
    std::vector<std::int64_t> ids = list_ids(client, 201, messages);
    assert(ids.size() == 2500 && messages.empty());
    for (std::size_t i = 0; i < ids.size(); i++) {
        assert(ids[i] == 20001 + static_cast<std::int64_t>(i));
    }
    assert(list_ids(client, 300, messages).empty() && messages.empty());

    // A contact that cannot be read does not end the list.
    ids = list_ids(client, 666, messages);
    assert((ids == std::vector<std::int64_t>{666, 667, 668, 669, 670}));
    assert(messages.size() == 2 && messages[0].find("contact 671") == 0);

    // The error that ends the list comes after what was delivered.
    std::size_t count = 0;
    try {
        replyio::list_sequence_contacts(client, 403, [&](replyio::Contact, const reply_error &) {
            count++;
            return true;
        });
        assert(false);
    } catch (const replyio::Error &error) {
        assert(error.details.result == REPLY_ERROR_FORBIDDEN);
        assert(std::string(error.details.request_id) == "9e02bd");
    }
    assert(count == 100);

    // false ends the call, and so does an exception, which is thrown again. The callback may use
    // the client.
    replyio::Contact kept;
    replyio::list_sequence_contacts(
        client, 201, [&](replyio::Contact contact, const reply_error &) {
            assert(replyio::get_sequence_contact(client, 100, 12345)->contact_id == 12345);
            kept = std::move(contact);
            return false;
        });
    assert(kept->contact_id == 20001);
    count = 0;
    try {
        replyio::list_sequence_contacts(client, 201,
                                        [&](replyio::Contact, const reply_error &) -> bool {
                                            count++;
                                            throw std::runtime_error("mine");
                                        });
        assert(false);
    } catch (const std::runtime_error &error) {
        assert(std::string(error.what()) == "mine");
    }
    assert(count == 1);
}
