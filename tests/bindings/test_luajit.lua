-- test_luajit.lua BASE_URL - checks the LuaJIT binding with the mock server.

local ffi = require("ffi")
local replyio = require("replyio")
local settings = { base_url = arg[1], timeout_ms = 60000, max_concurrency = 2 }
local client = assert(replyio.new_client("key", settings))
local contact = assert(client:get_sequence_contact(100, 9007199254740993LL))
assert(contact.contact_id == 9007199254740993LL)
assert(contact.has_icp_score and contact.icp_score == 0.85)
assert(contact.adding_date.has_time and contact.adding_date.unix_seconds == 1709892000)
assert(replyio.text(contact.moving_date.text) == nil)
assert(#replyio.text(contact.json) == contact.json_length)
local missing, failure = client:get_sequence_contact(100, 404)
assert(missing == nil and failure.result == "REPLY_ERROR_NOT_FOUND" and failure.http_status == 404)
local function raise_mine()
    error("mine", 0)
end
local has_returned, message = pcall(client.get_sequence_contacts, client, 100, { 1, 2 }, raise_mine)
assert(not has_returned and message == "mine")

-- A leak would exhaust the limited number of callbacks.
for _ = 1, 2000 do
    assert(client:get_sequence_contacts(100, {}, print))
end
assert(select(2, replyio.new_client("")).result == "REPLY_ERROR_INVALID_ARGUMENT")

-- Values that a conversion to C would truncate are rejected.
local function is_rejected(message, call, ...)
    local has_returned, failure = pcall(call, ...)
    return not has_returned and tostring(failure):find(message, 1, true)
end
for _, id in ipairs({ 1.5, 2 ^ 53, 2 ^ 64 + 2 ^ 20, 0 / 0, 18446744073709551615ULL, "1", true }) do
    local get_one, get_many = client.get_sequence_contact, client.get_sequence_contacts
    assert(is_rejected("invalid contact_id: must be an exact", get_one, client, 100, id), id)
    assert(is_rejected("invalid sequence_id: must be an exact", get_one, client, id, 1), id)
    assert(is_rejected("invalid contact_id", get_many, client, 100, { 1, id }, print), id)
    assert(is_rejected("invalid sequence_id", get_many, client, id, { 1 }, print), id)
end
local int32_settings = { "max_retries", "max_concurrency", "page_size" }
local int64_settings = { "timeout_ms", "connect_timeout_ms", "attempt_timeout_ms" }
local function is_setting_rejected(name, value)
    return is_rejected("invalid " .. name, replyio.new_client, "key", { [name] = value })
end
for _, names in ipairs({ int32_settings, int64_settings }) do
    for _, name in ipairs(names) do
        for _, value in ipairs({ 0.5, 1.5, -0.5, 0 / 0, 1 / 0, 2 ^ 53, 2 ^ 63, 2 ^ 64 }) do
            assert(is_setting_rejected(name, value), name .. "=" .. value)
        end
        for _, value in ipairs({ "3", "", true, false, {} }) do
            assert(is_setting_rejected(name, value), name .. "=" .. tostring(value))
        end
        assert(is_setting_rejected(name, 18446744073709551615ULL), name)
        assert(replyio.new_client("key", { [name] = 10 })):close()
        assert(replyio.new_client("key", { [name] = 10LL })):close()
    end
end
for _, name in ipairs(int32_settings) do
    for _, value in ipairs({ 2 ^ 31, 2 ^ 32 + 1, -2 ^ 31 - 1 }) do
        assert(is_setting_rejected(name, value), name .. "=" .. value)
    end
    assert(is_setting_rejected(name, 4294967297LL), name)
end
local rejected_values =
    { timeout_ms = 2 ^ 31, max_retries = 11, max_concurrency = 0, page_size = 9 }
for name, value in pairs(rejected_values) do
    local _, out_of_range = replyio.new_client("key", { [name] = value })
    assert(out_of_range.result == "REPLY_ERROR_INVALID_ARGUMENT", name)
end
for _, value in ipairs({ 3, true, false, {} }) do
    assert(is_setting_rejected("base_url", value), tostring(value))
end
assert(is_rejected("unknown setting: log", replyio.new_client, "key", { log = print }))
assert(client:get_sequence_contact(100, 2 ^ 53 - 1).contact_id == 9007199254740991LL)
for _, key in ipairs({ "key\0junk", 3, true }) do
    assert(is_rejected("invalid api_key", replyio.new_client, key), tostring(key))
end
for name, invalid in pairs({
    base_url = { base_url = arg[1] .. "\0junk" },
    ["header name"] = { headers = { ["X-TEAM-ID\0"] = "7" } },
    ["header value"] = { headers = { ["X-TEAM-ID"] = "7\0" } },
}) do
    assert(is_rejected("invalid " .. name, replyio.new_client, "key", invalid), name)
end

local headers = { ["X-TEAM-ID"] = "7", ["X-USER-ID"] = "8" }
assert(replyio.new_client("key", { headers = headers })):close()
local _, host_failure = replyio.new_client("key", { headers = { Host = "7" } })
assert(host_failure.result == "REPLY_ERROR_INVALID_ARGUMENT")

-- A client with a call in progress is not destroyed, even after its callback has made a call.
local rejection_count = 0
assert(client:get_sequence_contacts(100, { 1, 2 }, function()
    assert(client:get_sequence_contacts(100, { 3 }, function() end))
    if is_rejected("cannot close the client: a call is in progress", client.close, client) then
        rejection_count = rejection_count + 1
    end
end))
assert(rejection_count == 2, rejection_count)

-- Lists: each contact once and in order, the client in the loop, break, and errors.
local lister = assert(replyio.new_client("key", { base_url = arg[1], page_size = 100 }))
local count, opted_out_count = 0, 0
for index, listed, unreadable in assert(lister:list_sequence_contacts(201)) do
    count = count + 1
    assert(index == count and listed.contact_id == 20000 + index and unreadable == nil)
    opted_out_count = opted_out_count + (listed.is_opted_out and 1 or 0)
end
assert(count == 2500 and opted_out_count == 50, count)
local kept
for _, listed in assert(lister:list_sequence_contacts(201)) do
    assert(lister:get_sequence_contact(100, 12345))
    kept = listed
    break
end
collectgarbage()
assert(kept.contact_id == 20001 and ffi.string(kept.email) == "contact0001@example.com")
assert(assert(lister:list_sequence_contacts(300))() == nil)
local messages, ids = {}, {}
for _, listed, unreadable in assert(lister:list_sequence_contacts(666)) do
    table.insert(listed and ids or messages, listed and tonumber(listed.contact_id)
        or unreadable.message)
end
assert(table.concat(ids, " ") == "666 667 668 669 670", table.concat(ids, " "))
assert(#messages == 2 and messages[1]:find("contact 671", 1, true), messages[1])
local none, list_failure = lister:list_sequence_contacts(403)
assert(none == nil and list_failure.result == "REPLY_ERROR_FORBIDDEN")
assert(list_failure.problem_code == "TEAM_NOT_ACCESSIBLE" and list_failure.request_id == "9e02bd")
for _, id in ipairs({ 1.5, 2 ^ 53, "1", true }) do
    assert(is_rejected("invalid sequence_id", lister.list_sequence_contacts, lister, id), id)
end
lister:close()

client:close()
client:close()
assert(select(2, client:get_sequence_contact(100, 1)).result == "REPLY_ERROR_INVALID_ARGUMENT")
