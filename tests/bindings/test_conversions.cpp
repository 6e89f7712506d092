// test_conversions.cpp - calls whose arguments would be truncated: with REJECTED defined, none of
// them may compile.

#include "replyio.hpp"

int main() {
    const replyio::Client client = replyio::create_client("key");
    const std::size_t size = 3;
#ifdef REJECTED
    replyio::call(REJECTED);
#endif
    replyio::call(reply_client_set_timeout_ms, client.get(), 5000);
    replyio::call(reply_client_set_timeout_ms, client.get(), std::int64_t(5000));
    replyio::call(reply_client_set_max_retries, client.get(), static_cast<std::int32_t>(size));
    replyio::call(reply_client_set_base_url, client.get(), "https://api.reply.io/v4");
    replyio::call(reply_client_set_log, client.get(), nullptr, nullptr);
    replyio::call(
        reply_client_set_log, client.get(), [](const char *, void *) {}, nullptr);
}
