#!/bin/sh
# run.sh [SECONDS] - builds the fuzz targets with clang, AddressSanitizer and
# UndefinedBehaviorSanitizer, runs each for SECONDS (default: 8) from its seeds, and prints the
# number of executions. BUILD_DIR is the build directory, where findings are kept.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/fuzz}
seconds=${1:-8}

. "$root/examples/install_packages.sh"
install_packages clang cmake make pkg-config libcurl4-openssl-dev libcjson-dev libcmocka-dev
version=$(clang -dumpversion)
install_packages "libclang-rt-${version%%.*}-dev"

CC=clang cmake -S "$root" -B "$build" -DREPLYIO_FUZZ=ON -DREPLYIO_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
    >/dev/null
for target in decode problem datetime settings response; do
    cmake --build "$build" --target "fuzz_$target" >/dev/null
    mkdir -p "$build/$target"
    if ! "$build/tests/fuzz_$target" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$build/$target-" "$build/$target" "$root/tests/fixtures/fuzz/$target" \
        >"$build/$target.log" 2>&1; then
        cat "$build/$target.log"
        exit 1
    fi
    sed -n "s/^stat::number_of_executed_units: */$target: /p" "$build/$target.log"
done
