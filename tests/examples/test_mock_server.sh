#!/bin/sh
# test_mock_server.sh MOCK_SERVER - checks the mock server's response to requests that the example
# programs never send.
set -u
program=$1
server=$1
. "$(dirname -- "$0")/run_program.sh"

# Requests a page with bash, because sh cannot open a connection.
request_page() { # QUERY
    # The inner shell expands the expressions.
    # shellcheck disable=SC2016
    run_command bash -c 'exec 3<>"/dev/tcp/$0/$1" &&
        printf "GET /v4/sequences/100/contacts%s HTTP/1.1\r\nX-API-Key: key\r\n" "$2" >&3 &&
        printf "Connection: close\r\n\r\n" >&3 && cat <&3' "$host" "${port%/v4}" "$1"
}

has_status() { head -n 1 "$work/output" | grep -qx "HTTP/1.1 $1.*"; }
count_items() { grep -o '"contactId"' "$work/output" | wc -l; }
has_items() { [ "$(count_items)" -eq "$1" ]; }

if command -v bash >/dev/null; then
    IFS=: read -r host port <<END
${base_url#http://}
END
    request_page '?top=10&skip=3'
    check "skip 3: status" has_status 200
    check "skip 3: items" has_items 9
    for skip in 12 13 9223372036854775807 99999999999999999999; do
        request_page "?top=10&skip=$skip"
        check "skip $skip: status" has_status 200
        check "skip $skip: items" has_items 0
    done
    for query in 'top=10&skip=-1' 'top=10&skip=-9223372036854775808' 'top=10&skip=' 'skip=a' \
        'top=0' 'top=-1' 'top=' 'top=1001' 'skip' 'top=skip=3&top=10' 'top=5?skip=1'; do
        request_page "?$query"
        check "$query: status" has_status 404
    done
else
    echo "skipped: the mock server, without bash"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
