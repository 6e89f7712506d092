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
chmod 711 "$directory" # nginx reads the pages as another user if root starts it
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

# write_page <file> <skip> <count> <has more> writes a page of the list: the example contact, with
# ids that count from 1, and other names and dates for each contact, because equal ones would
# compress far too well.
write_page() {
    awk -v skip="$2" -v count="$3" -v has_more="$4" '
        function word(length_of_word,  text) {
            for (text = ""; length(text) < length_of_word;) {
                text = text substr("abcdefghijklmnopqrstuvwxyz", 1 + int(26 * rand()), 1)
            }
            return text
        }
        function replace(old, new) {
            sub(old, new, item)
        }
        { contact = contact $0 }
        END {
            srand(skip)
            printf "{\"items\":["
            for (i = 1; i <= count; i++) {
                item = contact
                first = word(4)
                last = word(6)
                company = word(8)
                replace("\"contactId\": [0-9]*", "\"contactId\": " (skip + i))
                replace("john.doe@company", first "." last "@" company)
                replace("John", first)
                replace("Doe", last)
                replace("Tech", company)
                replace("10:00:00", int(10 + 10 * rand()) ":" int(10 + 50 * rand()) ":00")
                replace("09:00:00", int(10 + 10 * rand()) ":" int(10 + 50 * rand()) ":00")
                replace(" 0[.]85", " 0." int(10 + 90 * rand()))
                printf "%s%s", (i > 1 ? "," : ""), item
            }
            printf "],\"hasMore\":%s}", has_more
        }' contact.json >"$1"
}

# The library asks for a page every 900 contacts, the baseline every 1,000.
make_pages() {
    mkdir pages
    for step in 900 1000; do
        skip=0
        while [ $skip -lt 40000 ]; do
            left=$((40000 - skip))
            has_more=true
            if [ $left -le 1000 ]; then
                has_more=false
            fi
            write_page pages/$skip.json $skip $((left < 1000 ? left : 1000)) $has_more
            skip=$((skip + step))
        done
    done
    write_page page.json 0 1000 false
    write_page small.json 0 10 false
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
make_pages
start_nginx
"$build/bench" table "$port"
