#!/bin/sh
# run.sh - installs what the benchmark needs, builds it, starts nginx on loopback and prints the
# table. BUILD_DIR is the build directory.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
build=${BUILD_DIR:-$root/build/bench}

. "$root/examples/install_packages.sh"
install_packages cmake gcc make pkg-config libcurl4-openssl-dev libcjson-dev nginx-light openssl \
    valgrind ca-certificates
PATH=$PATH:/usr/sbin:/sbin # nginx is in a directory that only root's PATH has

directory=$(mktemp -d)
stop() {
    if [ -f "$directory/nginx.pid" ]; then
        kill "$(cat "$directory/nginx.pid")" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

# Runs a command and shows its output only if it fails.
quietly() {
    "$@" >"$directory/output" 2>&1 || {
        cat "$directory/output" >&2
        exit 1
    }
}

# Makes a CA and the server's certificate. ca.pem also has the system's CAs, so that as much is read
# as with the real service.
make_certificates() {
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=bench authority" -keyout authority.key -out authority.pem
    quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=bench server" -keyout server.key -out server.csr
    echo "subjectAltName=IP:127.0.0.1" >server.ext
    quietly openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key \
        -CAcreateserial -days 2 -extfile server.ext -out server.pem
    cat "$(curl-config --ca)" authority.pem >ca.pem
}

# Starts nginx on the first free ports: nginx fails if one is in use. The ids in the contact become
# nginx's captures from the URL.
# shellcheck disable=SC2016
start_nginx() {
    contact=$(sed -e 's/"contactId": [0-9]*/"contactId": $2/' \
        -e 's/"sequenceId": [0-9]*/"sequenceId": $1/' contact.json | tr -d '\n')
    attempt=0
    while [ $attempt -lt 20 ]; do
        port=$((20000 + ($$ * 3 + attempt * 1009) % 12000))
        sed -e "s/@HTTP@/$port/" -e "s/@HTTPS@/$((port + 1))/" -e "s/@HTTP2@/$((port + 2))/" \
            -e "s|@CONTACT@|$contact|" "$here/nginx.conf.in" >nginx.conf
        if nginx -p "$directory/" -e error.log -c nginx.conf 2>/dev/null; then
            # The ports are bound, but the file with the process id may not exist yet.
            while [ ! -s nginx.pid ]; do
                sleep 0.1
            done
            return 0
        fi
        attempt=$((attempt + 1))
    done
    cat error.log >&2
    return 1
}

quietly cmake -S "$here" -B "$build"
quietly cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"
cd "$directory"
cp "$here/contact.json" "$build/count_allocations.so" .
strip -o replyio.so "$build/libreplyio.so"
make_certificates
start_nginx
"$build/bench" table "$port"
