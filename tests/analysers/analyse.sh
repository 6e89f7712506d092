#!/bin/sh
# analyse.sh: checks the format of all C files, and has clang-tidy, gcc's analyser and cppcheck read the library and the example program.
set -eu
cd "$(dirname -- "$0")/../.."

. examples/install_packages.sh
. tests/support/warnings.sh
install_packages git gcc libc6-dev clang clang-format clang-tidy cppcheck libcurl4-openssl-dev libcjson-dev

files=$(git ls-files '*.c' '*.h')
# The files, definitions and warnings are separate words.
# shellcheck disable=SC2086
clang-format --dry-run --Werror $files

defines="-D_GNU_SOURCE -DREPLYIO_VERSION=\"0\" -Iinclude -Isrc"
# shellcheck disable=SC2086
for file in src/*/*.c examples/*.c; do
    clang-tidy --quiet "$file" -- -std=c11 $defines
    gcc -fanalyzer -O1 -std=c11 $warnings $defines -c "$file" -o /dev/null
done
# shellcheck disable=SC2086
cppcheck --quiet --error-exitcode=1 --enable=warning,style,performance,portability --suppress=missingIncludeSystem $defines \
    src examples/*.c
