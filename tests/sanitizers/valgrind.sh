#!/bin/sh
# valgrind.sh: runs the tests under valgrind, which finds what is lost, freed twice, or read before it is written. BUILD_DIR names the build
# folder.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/valgrind}

. "$root/examples/install_packages.sh"
install_packages valgrind cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev libcmocka-dev nginx-light openssl \
    ca-certificates locales

# In test_allocations valgrind puts its own allocation functions in the place of those that fail; the others run no program that is
# built here.
excluded='^(test_allocations|header|exported_symbols|abi|packaging|readme)$'

# CMake puts what it calls an emulator before each program. Detached threads count as lost, possibly.
cmake -S "$root" -B "$build" -DCMAKE_CROSSCOMPILING_EMULATOR="valgrind;--quiet;--error-exitcode=99;--leak-check=full;\
--show-leak-kinds=definite,indirect;--errors-for-leak-kinds=definite,indirect"
processors=$(getconf _NPROCESSORS_ONLN)
cmake --build "$build" -j "$processors"
cd "$build"
# Everything takes some times longer.
export REPLY_TEST_SLOWNESS=8
ctest --output-on-failure -j "$processors" --exclude-regex "$excluded"

# What is still reachable at the exit of a host that has used the library and destroyed its clients: nothing that the library asked for but
# libcurl's own globals.
valgrind --num-callers=50 --leak-check=full --show-leak-kinds=all --log-file="$build/reachable.log" "$build/tests/test_process_state" >"$build/manners.log" 2>&1
sed 's/^==[0-9]*== *//' "$build/reachable.log" | awk -v files="$(cd "$root/src" && echo */*.c | sed 's/ /|/g; s/\./\\./g')" '
    BEGIN { RS = "" }
    /blocks? (is|are) still reachable/ { reachable++ }
    $0 ~ files && !/prepare \(session\.c/ { print; failed = 1 }
    END { print reachable + 0 " records of reachable blocks were looked at"; exit failed || reachable == 0 }'
