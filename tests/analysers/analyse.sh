#!/bin/sh
# analyse.sh - checks the includes, the format of all C files, the library and the example program
# with clang-tidy, gcc's analyser and cppcheck, and all shell scripts with shellcheck.
set -eu
cd "$(dirname -- "$0")/../.."

. examples/install_packages.sh
. tests/support/warnings.sh
install_packages git gcc libc6-dev clang clang-format clang-tidy cppcheck shellcheck \
    libcurl4-openssl-dev libcjson-dev

sh tests/analysers/check_includes.sh

# The files and warnings are separate words.
# shellcheck disable=SC2046
clang-format --dry-run --Werror $(git ls-files '*.c' '*.h')

set -- -D_GNU_SOURCE '-DREPLYIO_VERSION="0"' -Iinclude -Isrc
# gcc 12 loses a pointer that is stored in an array of structs and reports it as leaked. clang-tidy
# and the sanitizers find leaks, too.
for file in src/*/*.c examples/*.c; do
    clang-tidy --quiet "$file" -- -std=c11 "$@"
    # shellcheck disable=SC2086
    gcc -fanalyzer -Wno-analyzer-malloc-leak -O1 -std=c11 $warnings "$@" -c "$file" -o /dev/null
done
# What cppcheck reports without reason:
#   constParameterCallback       libcurl fixes the types of its callbacks
#   knownConditionTrueFalse      a function that reports an error always returns false
#   normalCheckLevelMaxBranches  is not about the code
cppcheck --quiet --error-exitcode=1 --enable=warning,style,performance,portability \
    --suppress=missingIncludeSystem --suppress=constParameterCallback \
    --suppress=knownConditionTrueFalse --suppress=normalCheckLevelMaxBranches "$@" src examples/*.c

# SC2154 asks for the assignment of each variable, which may be in a script that includes the file.
# shellcheck disable=SC2046
shellcheck --shell=sh --external-sources --source-path=SCRIPTDIR:examples:. --exclude=SC2154 \
    $(git ls-files '*.sh')
shellcheck --external-sources --source-path=. .ci/run
