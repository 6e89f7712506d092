#!/bin/sh
# valgrind.sh: runs the tests under valgrind, which finds what is lost, freed twice, or read before it is written. BUILD_DIR names the build
# folder. test_allocations is left out: valgrind puts its own allocation functions in the place of those that fail.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/valgrind}

. "$root/examples/install_packages.sh"
install_packages valgrind cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev libcmocka-dev nginx-light openssl

cmake -S "$root" -B "$build" -DREPLYIO_BUILD_EXAMPLES=OFF
cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"

# Everything takes some times longer.
export REPLY_TEST_SLOWNESS=5
checker="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect"
passed=0
failed=0
for program in "$build"/tests/test_* "$build"/tests/fuzz_*; do
    name=${program##*/}
    case $name in
    test_allocations) continue ;;
    fuzz_*) seeds=$root/tests/fixtures/fuzz/${name#fuzz_} ;;
    *) seeds= ;;
    esac
    # The checker's options are separate words, and no seeds are no word.
    # shellcheck disable=SC2086
    if $checker "$program" $seeds >"$build/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "passed: $name"
    else
        failed=$((failed + 1))
        cat "$build/$name.log"
        echo "FAILED: $name"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
