#!/bin/sh
# run.sh [SEQUENCE_ID CONTACT_ID]: installs what the build needs, builds the library and the example program, and prints the contact,
# from the real service if REPLY_API_KEY is set, else from a stand-in server on this machine. BUILD_DIR names the build folder.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/example}

if [ $# -eq 1 ] || { [ $# -eq 0 ] && [ -n "${REPLY_API_KEY:-}" ]; }; then
    echo "Both ids are needed: sh examples/run.sh SEQUENCE_ID CONTACT_ID (without REPLY_API_KEY, neither)" >&2
    exit 2
fi

. "$root/examples/install_packages.sh"
install_packages cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev ca-certificates

mkdir -p "$build"
if ! {
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DREPLYIO_BUILD_TESTS=OFF &&
        cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"
} >"$build/log" 2>&1; then
    cat "$build/log" >&2
    exit 1
fi

if [ -n "${REPLY_API_KEY:-}" ]; then
    exec "$build/examples/get_sequence_contact" "$@"
fi
. "$root/examples/mock_server.sh"
start_mock_server "$build/examples/mock_server"
echo "REPLY_API_KEY is not set: a stand-in server on this machine answers at $base_url, with the documentation's example." >&2
[ $# -gt 0 ] || set -- 100 12345
REPLY_API_KEY=stand-in "$build/examples/get_sequence_contact" --base-url "$base_url" "$@"
