#!/bin/sh
# test_get_sequence_contact.sh GET_SEQUENCE_CONTACT MOCK_SERVER - checks the output and the exit
# status of the example program.
set -u
program=$1
server=$2
. "$(dirname -- "$0")/run_program.sh"
tls_server=
trap '[ -z "$tls_server" ] || kill "$tls_server"; rm -rf "$work"' EXIT

newline='
'
example_json() { # CONTACT_ID
    printf '{"contactId": %s, "sequenceId": 100, "email": "john.doe@company.com", ' "$1"
    printf '"firstName": "John", "lastName": "Doe",  "company": "Tech Solutions Inc", '
    printf '"title": "Senior Product Manager",  "status": "Active", "subStatus": "None", '
    printf '"currentStep": 2,  "addingDate": "2024-03-08T10:00:00+00:00", "movingDate": null,  '
    printf '"nextSendAfter": "2024-03-09T09:00:00+00:00", "isOptedOut": false, '
    printf '"emailAccountId": 101,  "linkedInAccountId": null, "icpScore": 0.85}'
}
example_card="John Doe
  title      Senior Product Manager
  company    Tech Solutions Inc
  email      john.doe@company.com
  status     Active
  step       2
  next send  2024-03-09 09:00 UTC, RELATIVE
  added      2024-03-08 10:00 UTC
  moved      -
  senders    email account 101
  ICP score  0.85
  contact    12345 in sequence 100
"
not_in_sequence="get_sequence_contact: contact 404 in sequence 100: HTTP 404: the sequence or the \
contact does not exist, or the contact is not in this sequence (Not Found: The contact is not in \
this sequence.); check the ids (code sequenceContact.notInSequence, request 4bf92f)
"

# ---- Cards ----

run 100 12345
expect "the documentation's example" 0 "$example_card" ""

run 100 12345 12345
expect "two cards" 0 "$example_card$newline$example_card" ""

TZ=XYZ-5:30 run 100 12345
check "local time" grep -q '^  next send  2024-03-09 14:30 XYZ, RELATIVE$' "$work/output"

run 100 666
expect "hostile contact" 0 'Zoë \u001b[31m\u202e 漢字\u000a\u009b
  OPTED OUT: do not write to this contact
  title      -
  company    \u2028\u007f
  email      zoe@company.com
  status     Snoozed\u0007, Bounced
  step       0
  next send  -
  added      2025-10-29 10:00 UTC (sent without an offset, read as UTC)
  moved      the day before
  senders    email account 7, LinkedIn account 9007199254740993
  ICP score  -
  contact    666 in sequence 100
' ""

run 100 667
check "email instead of a name" grep -q '^info@company.com$' "$work/output"
check "sub-status" grep -q '^  status     OutOfOffice, AutoReplied$' "$work/output"

run 100 668
expect "neither name nor email" 0 "Contact 668
  title      -
  company    -
  email      -
  status     Finished
  step       1
  next send  -
  added      2024-03-08 10:00 UTC
  moved      -
  senders    -
  ICP score  -
  contact    668 in sequence 100
" ""

run 100 669
check "first day" grep -q '^  added      0001-01-01 00:00 UTC (sent without' "$work/output"
check "last day" grep -qx '  moved      9999-12-31 23:59 UTC' "$work/output"
check "year 0" grep -qx '  next send  0000-12-31 19:00 UTC, RELATIVE' "$work/output"
TZ=XYZ-5:30 run 100 669
check "year 10000" grep -qx '  moved      10000-01-01 05:29 XYZ' "$work/output"

# ---- JSON ----

run --json 100 12345
expect "JSON" 0 "$(example_json 12345)$newline" ""

run 100 9223372036854775807 --json
expect "JSON, option after the ids, largest id" 0 "$(example_json 9223372036854775807)$newline" ""

run --json 100 666
check "hostile JSON: one line" [ "$(wc -l <"$work/output")" -eq 1 ]
check "hostile JSON: escapes are kept" \
    grep -q '"firstName": "Zoë \\u001b\[31m\\u202e", "lastName": "漢字\\n' "$work/output"
check "hostile JSON: raw control characters are escaped" \
    grep -q '\\u009b",  "company": "\\u2028\\u007f"' "$work/output"

# ---- Several contacts, and failures ----

run 100 404 12345
expect "one of two fails" 1 "$example_card" "$not_in_sequence"

run --json --verbose 100 429
path=/v4/sequences/100/contacts/429
check "rate limit: exit status 0" status_is 0
check "rate limit: contact" output_is "$(example_json 429)$newline"
check "--verbose: first attempt" errors_have "^attempt 1 GET $path: 429 in [0-9]* ms\$"
check "--verbose: wait" errors_have '^wait 1000 ms: rate limit$'
check "--verbose: second attempt" errors_have "^attempt 2 GET $path: 200 in [0-9]* ms\$"

run_command "$program" --base-url http://127.0.0.1:1/v4 --timeout 1 100 1
check "no server: exit status 1" status_is 1
check "no server: message" errors_have '^get_sequence_contact: contact 1 in sequence 100: '
check "no server: neither code nor request" errors_lack '(code\|(request'

run_command "$program" --base-url "${base_url%/v4}" 100 1
expect_failure "wrong path" 1 'HTTP 404.* (request 7d1e08)$'

# ---- Ids from standard input ----

run_input() { # INPUT ARGUMENT...
    printf '%b' "$1" >"$work/input"
    shift
    # shellcheck disable=SC2016
    run_command sh -c '"$@" <"$0"' "$work/input" "$program" --base-url "$base_url" "$@"
}

run_input '12345\n\n  \n 12345\r\n12345' --json 100 -
three=$(example_json 12345)$newline$(example_json 12345)$newline$(example_json 12345)$newline
expect "ids from standard input" 0 "$three" ""
run_input '\0357\0273\0277\n\0357\0273\0277' 100 -
expect_failure "byte-order mark on a later line" 2 'line 2: invalid id "\\ufeff"'
run_input '\0357\0273\027712345\n12345\n' --json 100 -
expect "byte-order mark" 0 "$(example_json 12345)$newline$(example_json 12345)$newline" ""
run_input '\0357\0273\0277' 100 -
expect_failure "only a byte-order mark" 2 'no contact id on standard input'
run_input '1\n\nabc\n' 100 -
expect_failure "invalid line" 2 'line 3: invalid id "abc"'
run_input '1\n-5\n' 100 -
expect_failure "negative line" 2 'line 2: invalid id "-5"'
run_input '1 2\n' 100 -
expect_failure "two ids on a line" 2 'line 1: invalid id "1 2"'
run_input '12\00003\n' 100 -
expect_failure "NUL on a line" 2 'line 1: NUL after "12"; write ids as plain text'
run_input '1\n\0000\n' 100 -
expect_failure "NUL at the beginning of a line" 2 'line 2: NUL after ""'
run_input '\n' 100 -
expect_failure "no id" 2 'no contact id on standard input'
run_input '1\n' 100 1 -
expect_failure "- after an id" 2 'invalid id "-"'
run_command sh -c '"$@" </' sh "$program" --base-url "$base_url" 100 -
expect_failure "unreadable standard input" 1 'cannot read standard input: '

# ---- Wrong usage ----

for id in abc 12a 1.0 +1 0 -1 -5 '' ' 1' 1_0 0x1 1e3 １ 9223372036854775808 \
    99999999999999999999; do
    run 100 "$id"
    expect_failure "contact id '$id'" 2 "invalid id \"$id\": must be a whole number from 1"
    run "$id" 12345
    expect_failure "sequence id '$id'" 2 "invalid id \"$id\": must be a whole number from 1"
done
run 100 12345 -- -5
expect_failure "id after --" 2 'invalid id "-5"'
run 100 "$(printf '1\n\033[31m\233')"
expect_failure "control characters in an id" 2 'invalid id "1\\u000a\\u001b\[31m\\x9b"'
run
expect_failure "no ids" 2 'missing ids'
run 100
expect_failure "no contact id" 2 'missing contact id'
check_common_options 100 12345
run --timeout 2147483 100 12345
expect "largest timeout" 0 "$example_card" ""

# ---- Help and write errors ----

check_help json
check_write_errors --help --version "100 12345" "--json 100 12345 12345 12345"

# ---- TLS, with openssl as the server: each file is a response ----

if command -v openssl >/dev/null 2>&1; then
    mkdir -p "$work/v4/sequences/100/contacts"
    json=$(example_json 12345)
    printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
        "${#json}" "$json" >"$work/v4/sequences/100/contacts/12345"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
    : >"$work/tls_log"
    (
        cd "$work" && exec openssl s_server -accept 127.0.0.1:0 -HTTP -cert certificate.pem \
            -key key.pem >tls_log 2>&1 </dev/null 9>&-
    ) &
    tls_server=$!
    port=
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$(sed -n 's/^ACCEPT .*://p' "$work/tls_log")
        [ -z "$port" ] || break
        sleep 0.5
    done
    tls_url=https://127.0.0.1:$port/v4
    run_command "$program" --json --base-url "$tls_url" --ca-file "$work/certificate.pem" 100 12345
    expect "CA file" 0 "$json$newline" ""
    run_command "$program" --base-url "$tls_url" 100 12345
    expect_failure "untrusted certificate" 1 'TLS connection failed'
    run_command "$program" --base-url "$tls_url" --ca-file "$work/nowhere" 100 12345
    expect_failure "missing CA file" 1 'nowhere'
else
    echo "skipped: --ca-file, without openssl"
fi

# ---- On a terminal ----

if command -v script >/dev/null 2>&1; then
    run_on_terminal TERM=xterm -- 100 666
    check "colour: name" shows "${escape}[1mZoë"
    check "colour: opted out" \
        shows "  ${escape}[1;37;41mOPTED OUT: do not write to this contact${escape}[0m"
    check "colour: none from the contact" shows '\u001b[31m\u202e 漢字\u000a\u009b'
    check "one contact: progress is hidden" hides "in all"
    run_on_terminal NO_COLOR=1 -- 100 666
    check "NO_COLOR: name" shows "Zoë"
    check "NO_COLOR: colour is absent" hides "${escape}[1"
    run_on_terminal NO_COLOR= -- 100 666
    check "empty NO_COLOR: colour" shows "${escape}[1mZoë"
    run_on_terminal TERM=dumb -- 100 666 666
    check "dumb terminal: name" shows "Zoë"
    check "dumb terminal: escapes are absent" hides "$escape"

    run_on_terminal NO_COLOR=1 -- --json 100 404 12345 404
    check "progress: exit status 1" status_is 1
    check "progress: first line" shows "0 done, 0 failed, 3 in all$erase"
    check "progress: last line" shows "1 failed, 3 in all$erase"
    check "progress: erased before an error" shows "${erase}get_sequence_contact: contact 404 "
    check "progress: erased before a contact" shows "${erase}{\"contactId\": 12345"
    check "progress: erased at the end" ends_with_erase

    # A line that wraps cannot be erased, and Ctrl-C is shown as ^C after the line.
    before="stty cols 24"
    run_on_terminal NO_COLOR=1 -- --json 100 404 12345 404
    check "24 columns: cut line" shows "0 done, 0 failed, 3 i$erase"
    check "24 columns: long line is absent" hides "3 in"
    check "24 columns: erased at the end" ends_with_erase
    for columns in 1 2 3; do
        before="stty cols $columns"
        run_on_terminal NO_COLOR=1 -- --json 100 404 12345 404
        check "$columns columns: progress is hidden" starts_with_erase
    done
    before=

    start_mock_server "$server" # a new server limits the rate again
    run_on_terminal NO_COLOR=1 -- --json 100 429
    check "rate limit: wait" \
        shows "0 done, 0 failed, 1 in all, waiting 1 s for the rate limit$erase"
    check "rate limit: erased before a contact" shows "${erase}{\"contactId\": 429"

    check_signals --json 100 429
else
    echo "skipped: colour and progress, without script"
fi

start_mock_server "$server"
run --timeout 1 100 429
expect_failure "--timeout: shorter than the rate limit" 1 'HTTP 429.* (code RATE_LIMIT)$'
start_mock_server "$server"
# So many that the rate limit comes before the last, on a loaded machine, too. The numbers are
# separate words.
# shellcheck disable=SC2046
run --json --timeout 1 100 429 $(seq 1000 3000)
check "contacts after a rate limit: exit status 1" status_is 1
check "contacts after a rate limit: message" \
    errors_have ': [0-9]* more contacts not fetched: .*HTTP 429.* (code RATE_LIMIT)$'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
