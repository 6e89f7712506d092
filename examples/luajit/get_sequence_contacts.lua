-- Prints contacts of a Reply.io sequence, one per line, in order of their arrival.
--
--     REPLY_API_KEY=KEY luajit get_sequence_contacts.lua 100 12345
--
-- Needs libreplyio.so.0, installed or in a directory in LD_LIBRARY_PATH. If it is not installed,
-- REPLYIO_CDEF must be the path of replyio.cdef.h.
--
-- Exit status: 0 if all contacts were printed, 1 after an error, 2 for invalid usage.

package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local ffi = require("ffi")
local replyio = require("replyio")

ffi.cdef("long long strtoll(const char *text, char **end, int base);")

local function fail(status, message)
    io.stderr:write(message, "\n")
    os.exit(status)
end

-- tostring(100LL) is "100LL".
local function format_id(id)
    return (tostring(id):gsub("LL$", ""))
end

-- Replaces control characters: the text of a contact is untrusted. The second pattern matches those
-- above ASCII, in UTF-8.
local function printable(text)
    return ((replyio.text(text) or "-"):gsub("%c", "?"):gsub("\194[\128-\159]", "?"))
end

-- tonumber would round an id above 2^53. strtoll accepts other texts, too, and clamps an id that is
-- out of range, so the result is compared with the digits.
local function parse_id(text)
    local id = ffi.C.strtoll(text, nil, 10)
    if id < 1 or format_id(id) ~= text:match("^0*(.*)$") then
        local message = 'invalid id "%s": must be a whole number from 1 to 9223372036854775807'
        fail(2, message:format(printable(text)))
    end
    return id
end

local function describe(contact)
    local parts = {
        ("%s %s <%s>"):format(
            printable(contact.first_name),
            printable(contact.last_name),
            printable(contact.email)
        ),
        printable(contact.status_text),
        ("step %d"):format(contact.current_step),
    }
    if contact.has_linkedin_account_id then
        table.insert(parts, "LinkedIn account " .. format_id(contact.linkedin_account_id))
    end
    if contact.is_opted_out then
        table.insert(parts, "OPTED OUT")
    end
    return format_id(contact.contact_id) .. ": " .. table.concat(parts, ", ")
end

-- Returns what Reply.io's support needs to find the request, or "" if nothing is known.
local function format_reference(failure)
    local parts = {}
    if failure.problem_code ~= "" then
        table.insert(parts, "code " .. failure.problem_code)
    end
    if failure.request_id ~= "" then
        table.insert(parts, "request " .. failure.request_id)
    end
    return #parts > 0 and " (" .. table.concat(parts, ", ") .. ")" or ""
end

local arguments = { unpack(arg) }
local base_url = "https://api.reply.io/v4"
if arguments[1] == "--base-url" and arguments[2] then
    base_url = arguments[2]
    arguments = { unpack(arguments, 3) }
end
if #arguments < 2 then
    fail(2, "Usage: get_sequence_contacts.lua [--base-url URL] SEQUENCE_ID CONTACT_ID...")
end
local api_key = os.getenv("REPLY_API_KEY")
if not api_key or api_key == "" then
    fail(2, "REPLY_API_KEY is not set; set it to the API key")
end
local sequence_id = parse_id(table.remove(arguments, 1))
local contact_ids = {}
for index, argument in ipairs(arguments) do
    contact_ids[index] = parse_id(argument)
end

local client, failure = replyio.new_client(api_key, { base_url = base_url })
if not client then
    fail(2, failure.message)
end
local status = 0
client:get_sequence_contacts(sequence_id, contact_ids, function(_, contact, contact_failure)
    if contact then
        print(describe(contact))
    else
        io.stderr:write(contact_failure.message, format_reference(contact_failure), "\n")
        status = 1 -- also if the whole call fails, because its error is then delivered here
    end
end)
client:close()
os.exit(status)
