#!/bin/sh
# check_abi.sh CDEF INCLUDE LIST: the values of the public enums, and the offset and size of each member of the public structs, are those
# of the list, so that the ABI never changes by accident. The names come from CDEF, the header's declarations, so that none is left out.
# LIST holds what an LP64 system with 64-bit alignment of int64_t and double has; elsewhere the structs with pointers are not compared.
# EMULATOR is the command by which programs of another architecture run.
set -eu
cdef=$1
include=$2
list=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    printf '#include <replyio.h>\n#include <stdio.h>\nint main(void) {\n'
    awk '
        /^typedef enum .*\{/   { printf "    printf(\"%%s size %%zu\\n\", \"%s\", sizeof(%s));\n", $3, $3; kind = "enum"; next }
        /^typedef struct .*\{/ { printf "    printf(\"%%s size %%zu\\n\", \"%s\", sizeof(%s));\n", $3, $3; kind = "struct"; of = $3; next }
        /^\}/                  { kind = "" }
        kind == "enum" && /REPLY_/ { printf "    printf(\"%%s = %%d\\n\", \"%s\", %s);\n", $1, $1 }
        kind == "struct" {
            name = $NF
            gsub(/[*;]|\[.*/, "", name)
            printf "    printf(\"%%s.%%s offset %%zu size %%zu\\n\", \"%s\", \"%s\", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n", \
                of, name, of, name, of, name
        }' "$cdef"
    printf '    return 0;\n}\n'
} >"$work/layout.c"

compared=.
if ! echo '_Static_assert(sizeof(long) == 8 && sizeof(void *) == 8 && _Alignof(double) == 8, "");' |
    ${CC:-cc} -x c -fsyntax-only - 2>/dev/null; then
    compared='^reply_error|^reply_result|^REPLY|_status size'
fi
${CC:-cc} -std=c11 -Wall -Wextra -Werror -I "$include" "$work/layout.c" -o "$work/layout"
${EMULATOR-} "$work/layout" >"$work/layout.txt"
grep -E "$compared" "$list" >"$work/expected"
grep -E "$compared" "$work/layout.txt" | diff "$work/expected" -
echo "1 passed, 0 failed"
