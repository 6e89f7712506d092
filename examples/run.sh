#!/bin/sh
# run.sh [SEQUENCE_ID [CONTACT_ID]] - builds the example programs. With a sequence id, lists the
# sequence; with a contact id too, prints that contact; without ids, does both.
#
# The packages that the build needs are installed first. The contacts come from Reply.io if
# REPLY_API_KEY is set, otherwise from a mock server: sequence 100 has a dozen contacts and sequence
# 200 has 2,500. BUILD_DIR is the build directory.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/example}

if [ $# -eq 0 ] && [ -n "${REPLY_API_KEY:-}" ]; then
    echo "missing ids; run: sh examples/run.sh SEQUENCE_ID [CONTACT_ID] (ids are optional without" \
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

program=get_sequence_contact
[ $# -ne 1 ] || program=list_sequence_contacts
if [ -n "${REPLY_API_KEY:-}" ]; then
    exec "$build/examples/$program" "$@"
fi
. "$root/examples/mock_server.sh"
start_mock_server "$build/examples/mock_server"
echo "REPLY_API_KEY is not set: using a mock server at $base_url" >&2
export REPLY_API_KEY=mock-key
if [ $# -gt 0 ]; then
    "$build/examples/$program" --base-url "$base_url" "$@"
else
    "$build/examples/get_sequence_contact" --base-url "$base_url" 100 12345
    echo
    "$build/examples/list_sequence_contacts" --base-url "$base_url" 100
fi
