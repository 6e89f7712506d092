#!/bin/sh
# sanitize.sh - builds the tests with clang and runs them under AddressSanitizer, LeakSanitizer and
# UndefinedBehaviorSanitizer, then under ThreadSanitizer. BUILD_DIR is the parent of both build
# directories.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
builds=${BUILD_DIR:-$root/build}

. "$root/examples/install_packages.sh"
. "$root/tests/support/warnings.sh"
install_packages clang
version=$(clang -dumpversion)
install_packages "libclang-rt-${version%%.*}-dev"

# sanitize NAME FLAGS: builds and runs the tests with the flags.
sanitize() {
    CC=clang BUILD_DIR="$builds/$1" sh "$root/tests/run.sh" -DCMAKE_C_FLAGS="$warnings $2"
}

sanitize address-sanitizer \
    "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
suppressions=$root/tests/sanitizers/thread_sanitizer.txt
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}suppressions=$suppressions"
sanitize thread-sanitizer "-fsanitize=thread"
