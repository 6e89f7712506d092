#!/bin/sh
# coverage.sh: runs the tests and counts which lines and branches of src/ they reach. Fails below 100 % of lines or 95 % of branches, and
# lists the lines that have a branch which is not reached. BUILD_DIR names the build folder.
#
# What is left, of some 1,400 branches:
#   decode.c         refuse() is never true, so that one way out of "... || refuse(...)" is none; cJSON_ArrayForEach asks for a NULL that
#                    its list never is; a text of 2 GiB, which only 32 bits cannot hold twice, and other_architectures.sh tests
#   json_guard.c     fail() is never true, in the same way
#   transport_curl.c guards against what libcurl does not hand over: an IPv6 address that is none or is too long, a header line without
#                    its line feed or of no length, a message about a handle that is none of the session's; the first SET of a function,
#                    which nothing can have failed before; out of memory, without ENOMEM, after the headers of a 200
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/coverage}

. "$root/examples/install_packages.sh"
install_packages gcc gcovr

# Counts of an earlier build or run would be added.
rm -rf "$build"
CC=gcc BUILD_DIR=$build sh "$root/tests/run.sh" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_C_FLAGS="--coverage -fprofile-update=atomic -DREPLYIO_COVERAGE"
cd "$build"
report() {
    gcovr --root "$root" --filter "$root/src/" --exclude-unreachable-branches "$@" .
}
report --branches
report --print-summary --fail-under-line 100 --fail-under-branch 95
