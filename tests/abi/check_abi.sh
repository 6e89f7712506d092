#!/bin/sh
# check_abi.sh CDEF INCLUDE LIST - compares the values of the public enums and the offsets and sizes
# of the public structs' members with the list, so that the ABI cannot change by accident. The names
# come from CDEF, the header's declarations, so that none is left out. LIST is for an LP64 system
# with 64-bit alignment of int64_t and double; on others the structs with pointers are not compared.
# EMULATOR is the command that runs programs of another architecture.
set -eu
cdef=$1
include=$2
list=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the declarations with each member on its own line, however the header is formatted.
split_declarations() {
    tr -s ' \n' '  ' <"$cdef" |
        awk '{ gsub(/[{,;]|\*\//, "&\n"); gsub(/\}/, "\n&\n"); print }' | sed 's/^ *//; s/ *$//'
}

{
    printf '#include <replyio.h>\n#include <stdio.h>\nint main(void) {\n'
    split_declarations | awk '
        /^typedef (enum|struct) .*\{/ {
            kind = $2
            type = $3
            printf "    printf(\"%s size %%zu\\n\", sizeof(%s));\n", type, type
            next
        }
        /^\}/ { kind = "" }
        kind == "enum" && /REPLY_/ { printf "    printf(\"%s = %%d\\n\", %s);\n", $1, $1 }
        kind == "struct" && /;$/ {
            name = $NF
            gsub(/[*;]|\[.*/, "", name)
            printf "    printf(\"%s.%s offset %%zu size %%zu\\n\",\n", type, name
            printf "           offsetof(%s, %s), sizeof(((%s *)0)->%s));\n", type, name, type, name
        }'
    printf '    return 0;\n}\n'
} >"$work/layout.c"

compared=.
lp64='sizeof(long) == 8 && sizeof(void *) == 8 && _Alignof(double) == 8'
if ! echo "_Static_assert($lp64, \"\");" |
    ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
    compared='^reply_error|^reply_result|^REPLY|_status size'
fi
${CC:-cc} -std=c11 -Wall -Wextra -Werror -I "$include" "$work/layout.c" -o "$work/layout"
${EMULATOR-} "$work/layout" >"$work/layout.txt"
grep -E "$compared" "$list" >"$work/expected"
grep -E "$compared" "$work/layout.txt" | diff "$work/expected" -
echo "1 passed, 0 failed"
