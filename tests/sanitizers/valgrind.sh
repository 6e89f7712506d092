#!/bin/sh
# valgrind.sh - runs the tests under valgrind, which finds leaks, double frees and reads of
# uninitialised memory. BUILD_DIR is the build directory.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/valgrind}

. "$root/examples/install_packages.sh"
install_packages valgrind cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev \
    libcmocka-dev nginx-light openssl ca-certificates locales

# valgrind would replace the failing allocation functions of test_allocations. The other tests do
# not run a program of this build.
excluded='^(test_allocations|check_includes|header|exported_symbols|abi|packaging|readme)$'

# CMake prefixes each program with what it calls an emulator. "Possibly lost" is not an error: it
# includes the blocks of detached threads.
emulator="valgrind;--quiet;--error-exitcode=99;--leak-check=full"
emulator="$emulator;--show-leak-kinds=definite,indirect;--errors-for-leak-kinds=definite,indirect"
cmake -S "$root" -B "$build" -DCMAKE_CROSSCOMPILING_EMULATOR="$emulator"
processors=$(getconf _NPROCESSORS_ONLN)
cmake --build "$build" -j "$processors"
cd "$build"
# Everything is several times slower.
export REPLY_TEST_SLOWNESS=8
ctest --output-on-failure -j "$processors" --exclude-regex "$excluded"

# After a host has destroyed its clients, only libcurl's globals may be reachable of all blocks that
# the library has allocated.
valgrind --num-callers=50 --leak-check=full --show-leak-kinds=all \
    --log-file="$build/reachable.log" "$build/tests/test_process_state" \
    >"$build/process_state.log" 2>&1
sources=$(cd "$root/src" && echo */*.c | sed 's,[a-z]*/,,g; s/ /|/g; s/\./\\\\./g')
sed 's/^==[0-9]*== *//' "$build/reachable.log" | awk -v sources="\\\\(($sources):" '
    BEGIN { RS = "" }
    /blocks? (is|are) still reachable/ { count++ }
    $0 ~ sources && !/curl_global_init/ { print; failed = 1 }
    END {
        print count + 0 " records of reachable blocks checked"
        exit failed || count == 0
    }'
