// Prints contacts of a Reply.io sequence, one per line.
//
//     c++ -std=c++11 get_sequence_contacts.cpp -lreplyio
//     REPLY_API_KEY=KEY ./a.out 100 12345
//
// Exit status: 0 if all contacts were printed, 1 after an error, 2 for invalid usage.

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "replyio.hpp"

namespace {

// Replaces control characters: the text of a contact is untrusted. In UTF-8 those above ASCII are
// C2 80 to C2 9F.
std::string printable(const char *text) {
    std::string line = text == nullptr ? "-" : text;
    for (std::size_t i = 0; i < line.size(); i++) {
        const auto byte = static_cast<unsigned char>(line[i]);
        const bool is_high = byte == 0xC2 && static_cast<unsigned char>(line[i + 1]) < 0xA0;
        if (byte < 0x20 || byte == 0x7F || is_high) {
            line.replace(i, is_high ? 2 : 1, "?");
        }
    }
    return line;
}

std::int64_t parse_id(const std::string &text) {
    try {
        const std::int64_t id = std::stoll(text);
        if (id > 0 && text.find_first_not_of("0123456789") == std::string::npos) {
            return id;
        }
    } catch (const std::logic_error &) { // not a number, or out of range
    }
    throw std::invalid_argument("invalid id \"" + printable(text.c_str()) +
                                "\": must be a whole number from 1 to 9223372036854775807");
}

void print(const reply_sequence_contact &contact) {
    std::cout << contact.contact_id << ": " << printable(contact.first_name) << ' '
              << printable(contact.last_name) << " <" << printable(contact.email) << ">, "
              << printable(contact.status_text) << ", step " << contact.current_step;
    if (contact.has_linkedin_account_id) {
        std::cout << ", LinkedIn account " << contact.linkedin_account_id;
    }
    std::cout << (contact.is_opted_out ? ", OPTED OUT" : "") << std::endl;
}

// Returns what Reply.io's support needs to find the request, or "" if nothing is known.
std::string format_reference(const reply_error &error) {
    const std::string code = error.problem_code;
    const std::string request = error.request_id;
    if (code.empty() && request.empty()) {
        return "";
    }
    return " (" + (code.empty() ? "" : "code " + code) +
           (code.empty() || request.empty() ? "" : ", ") +
           (request.empty() ? "" : "request " + request) + ")";
}

int print_contacts(const replyio::Client &client, std::int64_t sequence_id,
                   const std::vector<std::int64_t> &contact_ids) {
    int status = EXIT_SUCCESS;
    for (const std::int64_t contact_id : contact_ids) {
        try {
            // The contact is freed at the end of the statement.
            print(*replyio::get_sequence_contact(client, sequence_id, contact_id));
        } catch (const replyio::Error &error) {
            std::cerr << error.what() << format_reference(error.details) << '\n';
            status = EXIT_FAILURE;
        }
    }
    return status;
}

} // namespace

int main(int argument_count, char **arguments) {
    std::vector<std::string> words(arguments + 1, arguments + argument_count);
    std::string base_url = "https://api.reply.io/v4";
    if (words.size() >= 2 && words[0] == "--base-url") {
        base_url = words[1];
        words.erase(words.begin(), words.begin() + 2);
    }
    const char *api_key = std::getenv("REPLY_API_KEY");
    if (words.size() < 2 || api_key == nullptr) {
        std::cerr << "Usage: REPLY_API_KEY=KEY get_sequence_contacts [--base-url URL] SEQUENCE_ID "
                     "CONTACT_ID...\n";
        return 2;
    }
    replyio::Client client;
    std::vector<std::int64_t> ids;
    try {
        for (const auto &word : words) {
            ids.push_back(parse_id(word));
        }
        client = replyio::create_client(api_key);
        replyio::call(reply_client_set_base_url, client.get(), base_url.c_str());
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 2;
    }
    return print_contacts(client, ids.front(),
                          std::vector<std::int64_t>(ids.begin() + 1, ids.end()));
}
