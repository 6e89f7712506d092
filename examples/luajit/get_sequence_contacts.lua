-- Prints contacts of a Reply.io sequence, a line each, as they come. REPLY_API_KEY holds the API key.
-- Exit status: 0 all contacts printed, 1 something failed, 2 wrong usage.
--
--     REPLY_API_KEY=KEY luajit get_sequence_contacts.lua 100 12345
--
-- with libreplyio.so.0 installed, or with its folder in LD_LIBRARY_PATH and the path of replyio.cdef.h in REPLYIO_CDEF.

package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local ffi = require("ffi")
local replyio = require("replyio")

ffi.cdef("long long strtoll(const char *text, char **end, int base);")

local function fail(status, message)
    io.stderr:write(message, "\n")
    os.exit(status)
end

-- An id's digits, without the LL at their end.
local function digits(id)
    return (tostring(id):gsub("LL$", ""))
end

-- Lua's own numbers would round an id above 2^53. Of one that does not fit, strtoll makes another number.
local function parse_id(text)
    local id = ffi.C.strtoll(text, nil, 10)
    if id < 1 or digits(id) ~= text then
        fail(2, ('"%s" is not an id'):format(text))
    end
    return id
end

-- A contact's text is a stranger's: a terminal must not obey it. The second pattern is for the control characters above ASCII.
local function printable(text)
    return ((replyio.text(text) or "-"):gsub("%c", "?"):gsub("\194[\128-\159]", "?"))
end

local function describe(contact)
    local parts = {
        ("%s %s <%s>"):format(printable(contact.first_name), printable(contact.last_name), printable(contact.email)),
        printable(contact.status_text),
        ("step %d"):format(contact.current_step),
    }
    if contact.has_linkedin_account_id then
        table.insert(parts, "LinkedIn account " .. digits(contact.linkedin_account_id))
    end
    if contact.is_opted_out then
        table.insert(parts, "OPTED OUT")
    end
    return digits(contact.contact_id) .. ": " .. table.concat(parts, ", ")
end

local words = { unpack(arg) }
local base_url = "https://api.reply.io/v4"
if words[1] == "--base-url" and words[2] then
    base_url = words[2]
    words = { unpack(words, 3) }
end
if #words < 2 then
    fail(2, "Usage: get_sequence_contacts.lua [--base-url URL] SEQUENCE_ID CONTACT_ID...")
end
local api_key = os.getenv("REPLY_API_KEY")
if not api_key or api_key == "" then
    fail(2, "the environment variable REPLY_API_KEY is not set: put the API key there")
end
local sequence_id = parse_id(table.remove(words, 1))
local contact_ids = {}
for index, word in ipairs(words) do
    contact_ids[index] = parse_id(word)
end

local client, refusal = replyio.new_client(api_key, { base_url = base_url })
if not client then
    fail(2, refusal.message)
end
local status = 0
client:get_sequence_contacts(sequence_id, contact_ids, function(_, contact, failure)
    if contact then
        print(describe(contact))
    else
        io.stderr:write(failure.message, "\n")
        status = 1 -- also where the whole call fails: a contact is then delivered with its error
    end
end)
client:close()
os.exit(status)
