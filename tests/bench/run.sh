#!/bin/sh
# Installs what the benchmark needs, builds it, starts nginx on loopback and prints the table. BUILD_DIR names the build folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
build=${BUILD_DIR:-$root/build/bench}

. "$root/examples/install_packages.sh"
install_packages cmake gcc make pkg-config libcurl4-openssl-dev libcjson-dev nginx-light openssl valgrind ca-certificates
PATH=$PATH:/usr/sbin:/sbin # nginx lies where only root looks for programs

folder=$(mktemp -d)
stop() {
    if [ -f "$folder/nginx.pid" ]; then
        kill "$(cat "$folder/nginx.pid")" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

# Does something whose output matters only where it fails.
quietly() {
    "$@" >"$folder/output" 2>&1 || {
        cat "$folder/output" >&2
        exit 1
    }
}

# An authority that is trusted beside the system's, so that as much is read as for the service itself; and the server's certificate.
make_certificates() {
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=bench authority" \
        -keyout authority.key -out authority.pem
    quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=bench server" \
        -keyout server.key -out server.csr
    echo "subjectAltName=IP:127.0.0.1" >server.ext
    quietly openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile server.ext \
        -out server.pem
    cat "$(curl-config --ca)" authority.pem >ca.pem
}

# nginx says itself whether a port is free. What it captures from the URL stands for the ids.
# shellcheck disable=SC2016
start_nginx() {
    contact=$(sed -e 's/"contactId": [0-9]*/"contactId": $2/' -e 's/"sequenceId": [0-9]*/"sequenceId": $1/' contact.json | tr -d '\n')
    attempt=0
    while [ $attempt -lt 20 ]; do
        port=$((20000 + ($$ * 3 + attempt * 1009) % 12000))
        sed -e "s/@HTTP@/$port/" -e "s/@HTTPS@/$((port + 1))/" -e "s/@HTTP2@/$((port + 2))/" -e "s|@CONTACT@|$contact|" \
            "$here/nginx.conf.in" >nginx.conf
        if nginx -p "$folder/" -e error.log -c nginx.conf 2>/dev/null; then
            # It has bound its ports already, and is about to tell its process id.
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
cd "$folder"
cp "$here/contact.json" "$build/count_allocations.so" .
strip -o replyio.so "$build/libreplyio.so"
make_certificates
start_nginx
"$build/bench" table "$port"
