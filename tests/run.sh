#!/bin/sh
# run.sh - installs what the tests need, then builds and runs all tests. BUILD_DIR is the build
# directory. Arguments are passed to CMake.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/tests}

. "$root/examples/install_packages.sh"
install_packages cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev \
    libcmocka-dev nginx-light openssl ca-certificates locales

cmake -S "$root" -B "$build" "$@"
cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"
cd "$build"
# One more than there are processors, because many tests wait most of the time.
ctest --output-on-failure -j "$(($(getconf _NPROCESSORS_ONLN) + 1))"
