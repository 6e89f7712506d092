-- cdef.lua LIBRARY CDEF ABI_LIST: loads the installed declarations into LuaJIT, compares the layout
-- with the list, and decodes a contact.
local ffi = require("ffi")
local library, cdef, abi_list = ...
ffi.cdef(assert(io.open(cdef)):read("*a"))
local reply = ffi.load(library)

for line in io.lines(abi_list) do
    local name, value = line:match("^(%S+) = (%d+)$")
    local struct, member, offset = line:match("^(%w+_[%w_]*)%.(%S+) offset (%d+)")
    if name then
        assert(tonumber(reply[name]) == tonumber(value), line)
    elseif struct then
        assert(ffi.offsetof(struct, member) == tonumber(offset), line)
    else
        local type, size = line:match("^(%S+) size (%d+)$")
        assert(ffi.sizeof(type) == tonumber(size), line)
    end
end

local text = [[{"contactId": 9007199254740993, "sequenceId": 100, "status": "Active",
    "currentStep": 2, "addingDate": "2024-03-08T10:00:00+00:00", "isOptedOut": true}]]
local contact = ffi.new("reply_sequence_contact *[1]")
local failure = ffi.new("reply_error")
assert(reply.reply_decode_sequence_contact(text, #text, contact, failure) == reply.REPLY_OK)
local contact_id = tostring(contact[0].contact_id):gsub("LL", "")
print(("%s %s %s %s"):format(ffi.string(reply.reply_version()), contact_id,
                             ffi.string(contact[0].status_text), contact[0].is_opted_out))
reply.reply_sequence_contact_free(contact[0])
