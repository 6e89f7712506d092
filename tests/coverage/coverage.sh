#!/bin/sh
# coverage.sh - measures the lines and branches of src/ that the tests reach. Fails below 100 % of
# lines or 95 % of branches, and lists the branches that are not reached. BUILD_DIR is the build
# directory.
#
# The branches that remain, of some 1,400:
#
#   - A function that reports an error and always returns false, in "... || report_error(...)": one
#     way out of the condition does not exist.
#   - decode/: cJSON_ArrayForEach checks for a NULL list. A text of 2 GiB, which 32 bits cannot hold
#     twice, is tested by other_architectures.sh.
#   - transport/: checks of what libcurl never returns, such as an invalid IPv6 address, a header
#     line without a newline, or a message about an unknown handle. CURLE_TOO_LARGE, which only
#     libcurl 8.6.0 and newer return. The first SET of a function, before which nothing can fail.
#     Out of memory, without ENOMEM, after the headers of a 200.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/coverage}

. "$root/examples/install_packages.sh"
install_packages gcc gcovr

# The counts of an earlier run would be added.
rm -rf "$build"
CC=gcc BUILD_DIR=$build sh "$root/tests/run.sh" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic -DREPLYIO_COVERAGE"
cd "$build"
report() {
    gcovr --root "$root" --filter "$root/src/" --exclude-unreachable-branches "$@" .
}
report --branches
report --print-summary --fail-under-line 100 --fail-under-branch 95
