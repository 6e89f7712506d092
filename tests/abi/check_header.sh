#!/bin/sh
# check_header.sh INCLUDE - compiles the public header alone, in each language that it promises to
# support, with each installed compiler. INCLUDE is the header's directory.
set -eu
include=$1
passed=0
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    for language in c:c99 c:c11 c:c17 c++:c++11 c++:c++20; do
        # The compiler's C++ front end may not be installed.
        if [ "${language%%:*}" = c++ ] &&
            ! echo | "$compiler" -x c++ -fsyntax-only - 2>/dev/null; then
            echo "skipped: $compiler has no C++"
            continue
        fi
        warnings="-pedantic-errors -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror"
        [ "${language%%:*}" = c++ ] || warnings="$warnings -Wstrict-prototypes -Wc++-compat"
        # The warnings are separate words.
        # shellcheck disable=SC2086
        echo '#include <replyio.h>' | "$compiler" -x "${language%%:*}" -std="${language#*:}" \
            $warnings -I "$include" -fsyntax-only -
        passed=$((passed + 1))
    done
done
echo "$passed passed, 0 failed"
[ "$passed" -gt 0 ]
