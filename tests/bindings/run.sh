#!/bin/sh
# run.sh SOURCE_DIR BUILD_DIR - checks the bindings and the examples in other languages, with the
# shared library and the mock server of the build. Further files are created in BUILD_DIR/bindings.
set -u
source_dir=$(CDPATH='' cd -- "$1" && pwd) && build=$(CDPATH='' cd -- "$2" && pwd) || exit 1
examples=$source_dir/examples
tests=$source_dir/tests/bindings
. "$examples/mock_server.sh"
. "$source_dir/tests/support/check_output.sh"

# Prints the path of a file in the build directory.
find_built() { # NAME
    found=$(find "$build" -path "$build/bindings" -prune -o -name "$1" -print | head -n 1)
    [ -n "$found" ] || echo "$1 not found in $build" >&2
    printf '%s' "$found"
}
library=$(find_built libreplyio.so.0)
server=$(find_built mock_server)
[ -n "$library" ] && [ -n "$server" ] || exit 1
library_dir=$(dirname -- "$library")

scratch=$build/bindings
mkdir -p "$scratch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/pipe"
skipped=0
export LD_LIBRARY_PATH="$library_dir" REPLY_API_KEY=a-secret-key PYTHONDONTWRITEBYTECODE=1

# ---- Helpers ----

skip() { # NAME REASON
    skipped=$((skipped + 1))
    printf 'SKIPPED: %s: %s\n' "$1" "$2"
}

# Contacts are printed in the order of their arrival: they are sorted in $work/output.
run_command() {
    status=0
    "$@" >"$work/raw" 2>"$work/errors" </dev/null || status=$?
    sort "$work/raw" >"$work/output"
    check "API key hidden" key_is_hidden
}

errors_have() { grep -qF -- "$1" "$work/errors"; }
printed() { cat "$work/output" "$work/errors" | grep -q -- "$1"; }
output_has() { grep -q -- "$1" "$work/output"; }
output_is_printable() { ! LC_ALL=C tr -d '\n' <"$work/output" | LC_ALL=C grep -q '[[:cntrl:]]'; }
has_compiled() { [ "$status" -eq 0 ] && [ ! -s "$work/errors" ]; }

# Checks that the last command printed no contact, and an error that contains TEXT.
expect_failure() { # NAME STATUS TEXT
    check "$1: exit status $2" status_is "$2"
    check "$1: empty output" output_is ""
    check "$1: message" errors_have "$3"
}

example_line() { # CONTACT_ID
    printf '%s: John Doe <john.doe@company.com>, Active, step 2' "$1"
}
newline='
'
not_in_sequence="contact 404 in sequence 100: HTTP 404: the sequence or the contact does not \
exist, or the contact is not in this sequence (Not Found: The contact is not in this sequence.); \
check the ids (code sequenceContact.notInSequence, request 4bf92f)"

without_key() (
    unset REPLY_API_KEY
    "$@"
)

# Checks an example: all examples do the same. Each needs a new mock server, which limits the rate
# of its first request for contact 429.
check_example() { # NAME COMMAND...
    binding=$1
    shift
    start_mock_server "$server" || exit 1

    run_command "$@" --base-url "$base_url" 100 12345
    expect "the documentation's example" 0 "$(example_line 12345)$newline" ""

    run_command "$@" --base-url "$base_url" 9007199254740995 9007199254740993 9223372036854775807
    lines=$(example_line 9007199254740993)$newline$(example_line 9223372036854775807)$newline
    expect "ids above 2^53" 0 "$lines" ""

    run_command "$@" --base-url "$base_url" 100 666
    check "opted out: contact" output_has '^666: Zoë .* <zoe@company.com>, .*, step 0, '
    check "opted out: end" output_has ', LinkedIn account 9007199254740993, OPTED OUT$'
    check "control characters are replaced" output_is_printable

    run_command "$@" --base-url "$base_url" 100 668
    expect "without name and email" 0 "668: - - <->, Finished, step 1$newline" ""

    run_command "$@" --base-url "$base_url" 100 429 12345
    expect "rate limit" 0 "$(example_line 12345)$newline$(example_line 429)$newline" ""

    run_command "$@" --base-url "$base_url" 100 404 12345
    if [ "$binding" != "python, threads" ]; then
        expect "missing contact" 1 "$(example_line 12345)$newline" "$not_in_sequence$newline"
    else
        line="404: not in sequence 100 (code sequenceContact.notInSequence, request 4bf92f)"
        expect "missing contact" 1 "$(example_line 12345)$newline$line$newline" ""
    fi

    run_command "$@" --base-url "${base_url%/v4}" 100 12345
    check "request id without a code" printed " (request 7d1e08)$"

    # shellcheck disable=SC2016
    run_command sh -c 'exec 3<>"$0" 4>"$0" 3<&-; "$@" >&4' "$work/pipe" \
        "$@" --base-url "$base_url" 100 12345 12346
    expect "pipe whose reader has exited" 141 "" ""

    run_command "$@" --base-url http://example.com/v4 100 12345
    expect_failure "base URL without TLS" 2 "invalid base URL"

    # The last id is 12345 plus 2^64, which is 12345 if truncated to 64 bits.
    for id in abc 1_0 ' 10' '10 ' +10 １０ 1.0 1e1 0x10 0 '' 9223372036854775808 \
        18446744073709563961; do
        run_command "$@" --base-url "$base_url" 100 "$id"
        expect_failure "contact id '$id'" 2 "invalid id \"$id\": must be a whole number from 1"
        run_command "$@" --base-url "$base_url" "$id" 12345
        expect_failure "sequence id '$id'" 2 "invalid id \"$id\": must be a whole number from 1"
    done
    run_command "$@" --base-url "$base_url" 0100 0012345
    expect "ids with leading zeros" 0 "$(example_line 12345)$newline" ""
    run_command "$@" --base-url "$base_url" 100 "$(printf '1\033[31m')"
    expect_failure "control character in an id" 2 'invalid id "1?[31m"'

    run_command "$@" --base-url "$base_url" 100
    expect_failure "no contact id" 2 ""

    run_command without_key "$@" --base-url "$base_url" 100 12345
    expect_failure "no key" 2 "REPLY_API_KEY"
}

check_interrupt() { # MESSAGE COMMAND...
    message=$1
    shift
    run_command python3 "$tests/interrupt.py" "$@"
    expect_failure "Ctrl-C" 1 "$message"
}

# ---- Python ----

if command -v python3 >/dev/null 2>&1; then
    check_example "python" python3 "$examples/python/get_sequence_contacts.py"
    run_command python3 "$examples/python/get_sequence_contacts.py" --verbose \
        --base-url "$base_url" 100 12345
    check "--verbose: contact" output_is "$(example_line 12345)$newline"
    check "--verbose: attempt" errors_have "attempt 1 GET /v4/sequences/100/contacts/12345: 200 in "
    check_interrupt "interrupted" python3 "$examples/python/get_sequence_contacts.py"
    check_example "python, threads" python3 "$examples/python/share_client.py"
    check_interrupt "interrupted" python3 "$examples/python/share_client.py"

    binding=python
    start_mock_server "$server" || exit 1 # a new server limits the rate again
    PYTHONPATH=$examples/python run_command python3 "$tests/test_python.py" "$base_url"
    expect "test_python.py" 0 "" ""
else
    skip "python" "python3 not found"
fi

# ---- LuaJIT ----

if command -v luajit >/dev/null 2>&1; then
    REPLYIO_CDEF=$(find_built replyio.cdef.h)
    export REPLYIO_CDEF
    check_example "luajit" luajit "$examples/luajit/get_sequence_contacts.lua"

    LUA_PATH="$examples/luajit/?.lua" run_command luajit "$tests/test_luajit.lua" "$base_url"
    expect "test_luajit.lua" 0 "" ""
else
    skip "luajit" "luajit not found"
fi

# ---- Node.js ----

if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    binding=node
    mkdir -p "$scratch/node"
    cp "$examples/node/package.json" "$examples/node"/*.js "$tests"/*.js "$scratch/node/"
    run_command npm install --prefix "$scratch/node" --no-package-lock --no-audit --no-fund \
        --no-update-notifier
    check "npm install" status_is 0
    check_example "node" node "$scratch/node/get_sequence_contacts.js"
    if command -v python3 >/dev/null 2>&1; then
        check_interrupt "interrupted by reply_client_interrupt" \
            node "$scratch/node/get_sequence_contacts.js"
        check_interrupt "closed" node "$scratch/node/test_node_interrupt.js"
    else
        skip "node: Ctrl-C" "python3 not found"
    fi

    run_command node "$scratch/node/test_node.js" "$base_url"
    expect "test_node.js" 0 "" ""
else
    skip "node" "node or npm not found"
fi

# ---- C++ ----

if command -v c++ >/dev/null 2>&1; then
    binding=c++
    for standard in c++11 c++20; do
        run_command c++ "-std=$standard" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
            "-I$source_dir/include" "$examples/cpp/get_sequence_contacts.cpp" \
            -o "$scratch/get_sequence_contacts" "$library"
        check "compiles as $standard" has_compiled
    done
    check_example "c++" "$scratch/get_sequence_contacts"

    for standard in c++11 c++20; do
        run_command c++ "-std=$standard" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
            "-I$source_dir/include" "-I$examples/cpp" "$tests/test_list.cpp" \
            -o "$scratch/test_list" "$library"
        check "test_list.cpp compiles as $standard" has_compiled
    done
    run_command "$scratch/test_list" "$base_url"
    expect "test_list.cpp" 0 "" ""

    compile_conversions() {
        run_command c++ -std=c++11 "-I$source_dir/include" "-I$examples/cpp" "$@" \
            "$tests/test_conversions.cpp" -o "$scratch/test_conversions" "$library"
    }
    compile_conversions
    check "exact arguments compile" has_compiled
    run_command "$scratch/test_conversions"
    expect "exact arguments" 0 "" ""
    for arguments in "timeout_ms, client.get(), 0.5" "timeout_ms, client.get(), size" \
        "timeout_ms, client.get(), true" "max_retries, client.get(), 1L << 32" \
        "max_retries, client.get(), 3U" "max_concurrency, client.get(), 4.0f"; do
        compile_conversions "-DREJECTED=reply_client_set_$arguments"
        check "truncated argument does not compile: $arguments" errors_have "pass an integer type"
    done
else
    skip "c++" "c++ not found"
fi

if [ "$skipped" -eq 0 ]; then
    echo "$passed passed, $failed failed"
else
    echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" -eq 0 ]
