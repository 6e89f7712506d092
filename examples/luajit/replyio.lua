-- libreplyio for LuaJIT: contacts of a Reply.io sequence, with the installed declarations.
--
--     local client = assert(replyio.new_client(api_key))
--     local contact, failure = client:get_sequence_contact(100, 12345)
--     print(contact and ffi.string(contact.email) or failure.message)
--
-- Ownership: the garbage collector frees a contact that is returned. A contact that is delivered to
-- a callback is freed when the callback returns, also after an error. Errors are Lua tables. close,
-- or the garbage collector, destroys the client.
--
-- Ids are 64-bit integers (100LL), because a Lua number is exact only up to 2^53.

local ffi = require("ffi")

-- REPLYIO_CDEF is the path of the declarations. Default: where they are usually installed.
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
    error("replyio.cdef.h not found; set REPLYIO_CDEF to its path")
end

ffi.cdef(read_declarations())
local library = ffi.load("libreplyio.so.0")

local replyio = {}

-- Converts an integer to a C integer. The ffi alone would truncate it silently. The number 2^53 is
-- rejected because it may be the rounded value of 2^53 + 1.
local function exact(name, c_type, value)
    local is_number = type(value) == "number"
    local number = (is_number or type(value) == "cdata") and tonumber(value)
    local is_rounded = is_number and math.abs(value) >= 2 ^ 53
    if not number or is_rounded or tonumber(ffi.new(c_type, value)) ~= number then
        local bits = 8 * ffi.sizeof(c_type)
        error(("invalid %s: must be an exact %d-bit integer"):format(name, bits), 3)
    end
    return ffi.new(c_type, value)
end

-- Returns a string that can be converted to a C string, which a NUL would end.
local function checked_text(name, value)
    if type(value) ~= "string" or value:find("\0", 1, true) then
        error(("invalid %s: must be a string without a NUL"):format(name), 3)
    end
    return value
end

-- Returns a text of a contact as a Lua string, or nil if it is NULL.
function replyio.text(text)
    if text ~= nil then -- NULL equals nil, but is true as a condition
        return ffi.string(text)
    end
end

local function copy_error(source)
    return {
        -- The name in the header, such as "REPLY_ERROR_NOT_FOUND".
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

local function is_ok(result)
    return result == library.REPLY_OK
end

local setting_types = {
    base_url = "const char *",
    user_agent = "const char *",
    ca_file = "const char *",
    proxy = "const char *",
    connect_timeout_ms = "int64_t",
    attempt_timeout_ms = "int64_t",
    timeout_ms = "int64_t",
    max_retries = "int32_t",
    max_concurrency = "int32_t",
    page_size = "int32_t",
}

local function set(handle, name, value, failure)
    local c_type = setting_types[name]
    if not c_type then
        error("unknown setting: " .. tostring(name))
    end
    local argument
    if c_type == "const char *" then
        argument = checked_text(name, value)
    else
        argument = exact(name, c_type, value)
    end
    return library["reply_client_set_" .. name](handle, argument, failure)
end

-- Returns true if the library accepts all settings and headers.
local function configure(handle, settings, failure)
    for name, value in pairs(settings) do
        if name ~= "headers" and not is_ok(set(handle, name, value, failure)) then
            return false
        end
    end
    for name, value in pairs(settings.headers or {}) do
        name, value = checked_text("header name", name), checked_text("header value", value)
        if not is_ok(library.reply_client_add_header(handle, name, value, failure)) then
            return false
        end
    end
    return true
end

-- Returns a client, or nil and the error. The settings have the header's names:
-- { base_url = "https://...", timeout_ms = 5000, headers = { ["X-TEAM-ID"] = "7" } }.
function replyio.new_client(api_key, settings)
    local failure = ffi.new("reply_error")
    local handle = ffi.new("reply_client *[1]")
    local key = checked_text("api_key", api_key)
    if not is_ok(library.reply_client_create(key, handle, failure)) then
        return nil, copy_error(failure)
    end
    local owned_handle = ffi.gc(handle[0], library.reply_client_destroy)
    local client = setmetatable({ handle = owned_handle }, Client)
    if not configure(client.handle, settings or {}, failure) then
        client:close()
        return nil, copy_error(failure)
    end
    return client
end

function Client:close()
    -- close may be called in a callback of the call in progress.
    assert(not self.is_calling, "cannot close the client: a call is in progress")
    if self.handle then
        library.reply_client_destroy(ffi.gc(self.handle, nil))
        self.handle = nil -- the library rejects NULL in later calls
    end
end

-- Returns a reply_sequence_contact, or nil and the error.
function Client:get_sequence_contact(sequence_id, contact_id)
    local c_sequence_id = exact("sequence_id", "int64_t", sequence_id)
    local c_contact_id = exact("contact_id", "int64_t", contact_id)
    local failure = ffi.new("reply_error")
    local contact = ffi.new("reply_sequence_contact *[1]")
    local result = library.reply_get_sequence_contact(
        self.handle, c_sequence_id, c_contact_id, contact, failure
    )
    if not is_ok(result) then
        return nil, copy_error(failure)
    end
    return ffi.gc(contact[0], library.reply_sequence_contact_free)
end

-- Makes a call that delivers to on_contact(index, contact, failure). The garbage collector
-- frees a contact that on_contact has not freed. call(deliver, failure) calls the library. If
-- on_contact raises an error, the call stops and raises the same error. Returns true, or nil and
-- the error of the call.
local function run_with_callback(client, on_contact, call)
    local raised
    local deliver = ffi.cast("reply_contact_fn", function(index, _, contact, failure)
        local has_returned, message
        if contact ~= nil then
            contact = ffi.gc(contact, library.reply_sequence_contact_free)
            has_returned, message = pcall(on_contact, index, contact, nil)
        else
            has_returned, message = pcall(on_contact, index, nil, copy_error(failure))
        end
        if has_returned then
            return 0
        end
        raised = { message = message } -- an error cannot pass through C
        return 1
    end)
    local failure = ffi.new("reply_error")
    local was_calling = client.is_calling -- true if this call is made by a callback
    client.is_calling = true
    local result = call(deliver, failure)
    client.is_calling = was_calling
    deliver:free()
    if raised then
        error(raised.message, 0)
    end
    if not is_ok(result) then
        return nil, copy_error(failure)
    end
    return true
end

-- Fetches several contacts at once, and delivers each to on_contact(contact_id, contact, failure)
-- in order of completion: a reply_sequence_contact, valid until on_contact returns, or nil and the
-- error. If on_contact raises an error, the call stops and raises the same error. Returns true, or
-- nil and the error of the call.
function Client:get_sequence_contacts(sequence_id, contact_ids, on_contact)
    local c_sequence_id = exact("sequence_id", "int64_t", sequence_id)
    local ids = ffi.new("int64_t[?]", #contact_ids)
    for index, contact_id in ipairs(contact_ids) do
        ids[index - 1] = exact("contact_id", "int64_t", contact_id)
    end
    local function deliver_and_free(index, contact, failure)
        local has_returned, message = pcall(on_contact, ids[index], contact, failure)
        if contact then
            library.reply_sequence_contact_free(ffi.gc(contact, nil))
        end
        if not has_returned then
            error(message, 0)
        end
    end
    return run_with_callback(self, deliver_and_free, function(deliver, failure)
        return library.reply_get_sequence_contacts(
            self.handle, c_sequence_id, ids, #contact_ids, deliver, nil, failure
        )
    end)
end

-- Returns an iterator of all contacts of a sequence, in the service's order, or nil and the error:
--
--     for index, contact, failure in assert(client:list_sequence_contacts(100)) do
--
-- index counts from 1. contact is a reply_sequence_contact, which the garbage collector frees, or
-- nil if failure is the error of a contact that cannot be read. The whole list is read first,
-- because a Lua coroutine cannot yield in a callback of C. After break nothing needs to be closed.
function Client:list_sequence_contacts(sequence_id)
    local c_sequence_id = exact("sequence_id", "int64_t", sequence_id)
    local items = {}
    local function keep(_, contact, failure)
        table.insert(items, { contact = contact, failure = failure })
    end
    local is_complete, call_failure = run_with_callback(self, keep, function(deliver, failure)
        return library.reply_list_sequence_contacts(
            self.handle, c_sequence_id, deliver, nil, failure
        )
    end)
    if not is_complete then
        return nil, call_failure
    end
    local index = 0
    return function()
        local item = items[index + 1]
        if item then
            index = index + 1
            items[index] = nil -- so that the contact can be freed when the loop has used it
            return index, item.contact, item.failure
        end
    end
end

-- C cannot call back into compiled code. true: also their inner functions, which make the calls.
jit.off(run_with_callback, true)
jit.off(Client.get_sequence_contacts, true)
jit.off(Client.list_sequence_contacts, true)

return replyio
