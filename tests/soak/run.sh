#!/bin/sh
# run.sh [SECONDS]: calls the library for that long (default: 60) under AddressSanitizer, over
# HTTP/1.1 and HTTP/2, with random faults. Each contact must be delivered once and be the requested
# one, and nothing may be sent after a limit. BUILD_DIR is the build directory, and further
# arguments are passed to CMake.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/soak}
seconds=${1:-60}
[ $# -eq 0 ] || shift

cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Debug -DREPLYIO_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all" "$@" >/dev/null
cmake --build "$build" --target soak -j "$(getconf _NPROCESSORS_ONLN)"
"$build/tests/soak" "$seconds"
