# cdef.py LIBRARY CDEF ABI_LIST: loads the installed declarations into Python's cffi, compares the
# layout with the list, and decodes a contact.
import re
import sys

import cffi

library, cdef, abi_list = sys.argv[1:]
ffi = cffi.FFI()
with open(cdef) as file:
    ffi.cdef(file.read())
reply = ffi.dlopen(library)

LINE = re.compile(r"(\w+)(?:\.(\w+))?(?: = (\d+))?(?: offset (\d+))?(?: size (\d+))?$")
with open(abi_list) as file:
    for line in file:
        name, member, *numbers = LINE.match(line).groups()
        value, offset, size = (number and int(number) for number in numbers)
        if value is not None:
            assert getattr(reply, name) == value, line
        elif member is None:
            assert ffi.sizeof(name) == size, line
        else:
            assert ffi.offsetof(name, member) == offset, line

text = b'{"contactId": 9007199254740993, "sequenceId": 100, "status": "Active", ' \
       b'"currentStep": 2, "addingDate": "2024-03-08T10:00:00+00:00", "isOptedOut": true}'
contact = ffi.new("reply_sequence_contact **")
error = ffi.new("reply_error *")
assert reply.reply_decode_sequence_contact(text, len(text), contact, error) == reply.REPLY_OK
print(ffi.string(reply.reply_version()).decode(), contact[0].contact_id,
      ffi.string(contact[0].status_text).decode(), contact[0].is_opted_out)
reply.reply_sequence_contact_free(contact[0])
