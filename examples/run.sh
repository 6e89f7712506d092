#!/bin/sh
# run.sh [SEQUENCE_ID CONTACT_ID] - builds the example program and prints a contact with it.
#
# The packages that the build needs are installed first. The contact comes from Reply.io if
# REPLY_API_KEY is set, otherwise from a mock server. BUILD_DIR is the build directory.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/example}

if [ $# -eq 1 ] || { [ $# -eq 0 ] && [ -n "${REPLY_API_KEY:-}" ]; }; then
    echo "missing ids; run: sh examples/run.sh SEQUENCE_ID CONTACT_ID (both are optional without" \
        "REPLY_API_KEY)" >&2
    exit 2
fi

. "$root/examples/install_packages.sh"
install_packages cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev \
    ca-certificates

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
echo "REPLY_API_KEY is not set: using a mock server at $base_url" >&2
[ $# -gt 0 ] || set -- 100 12345
REPLY_API_KEY=mock-key "$build/examples/get_sequence_contact" --base-url "$base_url" "$@"
