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
for _, id in ipairs({ 1.5, 2 ^ 53, 2 ^ 64 + 2 ^ 20, 0 / 0, 18446744073709551615ULL }) do
    local get_one, get_many = client.get_sequence_contact, client.get_sequence_contacts
    assert(is_rejected("invalid id: must be an exact", get_one, client, 100, id), id)
    assert(is_rejected("invalid id: must be an exact", get_one, client, id, 1), id)
    assert(is_rejected("invalid id: must be an exact", get_many, client, 100, { 1, id }, print), id)
    assert(is_rejected("invalid id: must be an exact", get_many, client, id, { 1 }, print), id)
end
assert(client:get_sequence_contact(100, 2 ^ 53 - 1).contact_id == 9007199254740991LL)
assert(is_rejected("text contains a NUL", replyio.new_client, "key\0junk"))
for _, invalid in ipairs({
    { base_url = arg[1] .. "\0junk" },
    { headers = { ["X-TEAM-ID\0"] = "7" } },
    { headers = { ["X-TEAM-ID"] = "7\0" } },
}) do
    assert(is_rejected("text contains a NUL", replyio.new_client, "key", invalid))
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
client:close()
client:close()
assert(select(2, client:get_sequence_contact(100, 1)).result == "REPLY_ERROR_INVALID_ARGUMENT")
