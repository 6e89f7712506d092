-- libreplyio for LuaJIT, by the declarations that are installed with it: contacts of a Reply.io sequence.
--
--     local client = assert(replyio.new_client(api_key))
--     local contact, failure = client:get_sequence_contact(100, 12345)
--     print(contact and ffi.string(contact.email) or failure.message)
--
-- Who frees what: a contact that is returned is freed by the collector, one that is handed to a callback right after it, whatever
-- happens in it; an error lies in memory of Lua's; the client is destroyed by close, or by the collector. Ids are 64-bit numbers of
-- the ffi's (100LL): Lua's own are exact only up to 2^53.

local ffi = require("ffi")

-- $REPLYIO_CDEF names the declarations where they are not installed under a usual prefix.
local function read_declarations()
    for _, path in ipairs({
        os.getenv("REPLYIO_CDEF") or "/usr/local/share/replyio/replyio.cdef.h",
        "/usr/share/replyio/replyio.cdef.h",
    }) do
        local file = io.open(path)
        if file then
            local declarations = file:read("*a")
            file:close()
            return declarations
        end
    end
    error("replyio.cdef.h is not found: put its path into REPLYIO_CDEF")
end

ffi.cdef(read_declarations())
local library = ffi.load("libreplyio.so.0")

local replyio = {}

-- A number that is not whole, or that does not fit, would be cut on its way: another contact would be meant then. Lua's 2^53 may be
-- a greater one, rounded.
local function exact(id)
    local number = ffi.new("int64_t", id)
    if tonumber(number) ~= tonumber(id) or type(id) == "number" and math.abs(id) >= 2 ^ 53 then
        error("an id is not exact", 3)
    end
    return number
end

-- A C string would end at a NUL within the text.
local function without_nul(value)
    assert(type(value) ~= "string" or not value:find("\0", 1, true), "a text holds a NUL")
    return value
end

-- A contact's text as a Lua string, or nil.
function replyio.text(text)
    if text ~= nil then -- NULL equals nil, though it counts as true
        return ffi.string(text)
    end
end

-- What failed, why, and what to do, in Lua's own memory. Its result is the header's name, such as "REPLY_ERROR_NOT_FOUND".
local function copy_error(source)
    return {
        result = ffi.string(library.reply_result_name(source.result)),
        message = ffi.string(source.message),
        http_status = source.http_status,
        attempts = source.attempts,
        retry_after_ms = source.retry_after_ms >= 0 and tonumber(source.retry_after_ms) or nil,
        problem_code = ffi.string(source.problem_code),
        request_id = ffi.string(source.request_id),
    }
end

local Client = {}
Client.__index = Client

-- Returns whether the library takes all settings and headers.
local function set_up(handle, settings, failure)
    for name, value in pairs(settings) do
        if name ~= "headers" then
            if library["reply_client_set_" .. name](handle, without_nul(value), failure) ~= library.REPLY_OK then
                return false
            end
        end
    end
    for name, value in pairs(settings.headers or {}) do
        if library.reply_client_add_header(handle, without_nul(name), without_nul(value), failure) ~= library.REPLY_OK then
            return false
        end
    end
    return true
end

-- Returns a client, or nil and the error. The settings are the header's, by their names, and headers to add to each request:
-- { base_url = "https://...", headers = { ["X-TEAM-ID"] = "7" } }.
function replyio.new_client(api_key, settings)
    local failure = ffi.new("reply_error")
    local handle = ffi.new("reply_client *[1]")
    if library.reply_client_create(without_nul(api_key), handle, failure) ~= library.REPLY_OK then
        return nil, copy_error(failure)
    end
    local client = setmetatable({ handle = ffi.gc(handle[0], library.reply_client_destroy) }, Client)
    if not set_up(client.handle, settings or {}, failure) then
        client:close()
        return nil, copy_error(failure)
    end
    return client
end

function Client:close()
    assert(not self.is_calling, "the client has a call in progress") -- whose callback this is
    if self.handle then
        library.reply_client_destroy(ffi.gc(self.handle, nil))
        self.handle = nil -- later calls are refused by the library
    end
end

-- Returns a reply_sequence_contact, or nil and the error.
function Client:get_sequence_contact(sequence_id, contact_id)
    local c_sequence_id, c_contact_id = exact(sequence_id), exact(contact_id)
    local failure = ffi.new("reply_error")
    local contact = ffi.new("reply_sequence_contact *[1]")
    if library.reply_get_sequence_contact(self.handle, c_sequence_id, c_contact_id, contact, failure) ~= library.REPLY_OK then
        return nil, copy_error(failure)
    end
    return ffi.gc(contact[0], library.reply_sequence_contact_free)
end

-- Fetches several contacts at a time, and calls on_contact(contact_id, contact, failure) for each as it is done: with a
-- reply_sequence_contact, which is valid until on_contact returns, or with nil and the error. An error that on_contact raises ends
-- the call and is raised by it. Returns true, or nil and the error.
function Client:get_sequence_contacts(sequence_id, contact_ids, on_contact)
    local raised
    local c_sequence_id = exact(sequence_id)
    local ids = ffi.new("int64_t[?]", #contact_ids)
    for index, contact_id in ipairs(contact_ids) do
        ids[index - 1] = exact(contact_id)
    end
    local deliver = ffi.cast("reply_contact_fn", function(index, _, contact, failure)
        local is_done, message
        if contact ~= nil then
            is_done, message = pcall(on_contact, ids[index], contact, nil)
            library.reply_sequence_contact_free(contact)
        else
            is_done, message = pcall(on_contact, ids[index], nil, copy_error(failure))
        end
        if is_done then
            return 0
        end
        raised = { message = message } -- no error may pass through C
        return 1
    end)
    local failure = ffi.new("reply_error")
    local was_calling = self.is_calling -- on_contact may itself make a call
    self.is_calling = true
    local result = library.reply_get_sequence_contacts(self.handle, c_sequence_id, ids, #contact_ids, deliver, nil, failure)
    self.is_calling = was_calling
    deliver:free()
    if raised then
        error(raised.message, 0)
    end
    if result ~= library.REPLY_OK then
        return nil, copy_error(failure)
    end
    return true
end
jit.off(Client.get_sequence_contacts) -- compiled code cannot be called back

return replyio
