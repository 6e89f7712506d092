#!/bin/sh
# test_example.sh GET_SEQUENCE_CONTACT STAND_IN_SERVER: what the example program prints, and its exit status, against the stand-in
# server. EMULATOR is the command by which programs of another architecture run.
set -u
program=$1
server=$2
. "$(dirname -- "$0")/../../examples/mock_server.sh"
. "$(dirname -- "$0")/../support/verdict.sh"

work=$(mktemp -d)
tls_server=
trap '[ -z "$tls_server" ] || kill "$tls_server"; rm -rf "$work"' EXIT
if [ -n "${EMULATOR-}" ]; then
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$EMULATOR" "$program" >"$work/program"
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$EMULATOR" "$server" >"$work/server"
    chmod +x "$work/program" "$work/server"
    program=$work/program
    server=$work/server
fi
export TZ=UTC REPLY_API_KEY=a-key-that-nobody-may-see TERM=xterm
unset NO_COLOR
start_mock_server "$server" || exit 1

# ---- Helpers ----

# Runs the program, or another command by run_command. How far off a time is changes by the minute: it is written as DISTANCE.
run_command() {
    status=0
    "$@" >"$work/raw" 2>"$work/errors" </dev/null || status=$?
    sed 's/, \(in [0-9].*[a-z]\|[0-9].* ago\)$/, DISTANCE/' "$work/raw" >"$work/output"
    verdict "no key in what is printed" no_key_is_printed
}
run() { run_command "$program" --base-url "$base_url" "$@"; }

has_one_line_of_error() { [ "$(wc -l <"$work/errors")" -eq 1 ]; }
errors_have() { grep -q "$1" "$work/errors"; }

# The last run failed with one line that matches: NAME STATUS PATTERN.
expect_failure() {
    verdict "$1: exit status $2" status_is "$2"
    verdict "$1: no output" output_is ""
    verdict "$1: one line" has_one_line_of_error
    verdict "$1: the line" errors_have "^get_sequence_contact: .*$3"
}

new_line='
'
example_json() { # CONTACT_ID
    printf '{"contactId": %s, "sequenceId": 100, "email": "john.doe@company.com", "firstName": "John", "lastName": "Doe",  ' "$1"
    printf '"company": "Tech Solutions Inc", "title": "Senior Product Manager",  "status": "Active", "subStatus": "None", '
    printf '"currentStep": 2,  "addingDate": "2024-03-08T10:00:00+00:00", "movingDate": null,  '
    printf '"nextSendAfter": "2024-03-09T09:00:00+00:00", "isOptedOut": false, "emailAccountId": 101,  '
    printf '"linkedInAccountId": null, "icpScore": 0.85}'
}
example_card="John Doe
  title      Senior Product Manager
  company    Tech Solutions Inc
  email      john.doe@company.com
  status     Active
  step       2
  next send  2024-03-09 09:00 UTC, DISTANCE
  added      2024-03-08 10:00 UTC
  moved      -
  senders    email account 101
  ICP score  0.85
  contact    12345 in sequence 100
"
not_in_sequence="get_sequence_contact: contact 404 in sequence 100: HTTP 404, the sequence or the contact does not exist, or the \
contact is not in this sequence (Not Found: The contact is not in this sequence.); check both ids
"

# ---- Cards ----

run 100 12345
expect "the documentation's example" 0 "$example_card" ""

run 100 12345 12345
expect "two cards" 0 "$example_card$new_line$example_card" ""

TZ=XYZ-5:30 run 100 12345
verdict "local time" grep -q '^  next send  2024-03-09 14:30 XYZ, DISTANCE$' "$work/output"

run 100 666
expect "a hostile contact" 0 'Zoë \u001b[31m\u202e 漢字\u000a\u009b
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
verdict "no name: the email" grep -q '^info@company.com$' "$work/output"
verdict "a sub-status" grep -q '^  status     OutOfOffice, AutoReplied$' "$work/output"

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

# ---- JSON ----

run --json 100 12345
expect "JSON" 0 "$(example_json 12345)$new_line" ""

run 100 9223372036854775807 --json
expect "JSON, an option after the ids, the largest id" 0 "$(example_json 9223372036854775807)$new_line" ""

run --json 100 666
verdict "hostile JSON: one line" [ "$(wc -l <"$work/output")" -eq 1 ]
verdict "hostile JSON: escapes stay as they are, and what had none is escaped" \
    grep -q '"firstName": "Zoë \\u001b\[31m\\u202e", "lastName": "漢字\\n\\u009b",  "company": "\\u2028\\u007f"' "$work/output"

# ---- Several contacts, and failures ----

run 100 404 12345
expect "one of two fails" 1 "$example_card" "$not_in_sequence"

run --json --verbose 100 429
verdict "a rate limit: exit status 0" status_is 0
verdict "a rate limit: the contact" output_is "$(example_json 429)$new_line"
verdict "verbose: an attempt" errors_have '^attempt 1 GET /v4/sequences/100/contacts/429: 429 in [0-9]* ms$'
verdict "verbose: the wait" errors_have '^wait 1000 ms: rate limit$'
verdict "verbose: another attempt" errors_have '^attempt 2 GET /v4/sequences/100/contacts/429: 200 in [0-9]* ms$'

run_command "$program" --base-url http://127.0.0.1:1/v4 --timeout 1 100 1
verdict "no server: exit status 1" status_is 1
verdict "no server: the line" errors_have '^get_sequence_contact: contact 1 in sequence 100: '

run_command "$program" --base-url "${base_url%/v4}" 100 1
expect_failure "a wrong path" 1 'HTTP 404'

# ---- Ids from standard input ----

run_input() { # INPUT ARGUMENT...
    printf '%b' "$1" >"$work/input"
    shift
    # shellcheck disable=SC2016
    run_command sh -c '"$@" <"$0"' "$work/input" "$program" --base-url "$base_url" "$@"
}

run_input '12345\n\n  \n 12345\r\n12345' --json 100 -
three=$(example_json 12345)$new_line$(example_json 12345)$new_line$(example_json 12345)$new_line
expect "ids from standard input" 0 "$three" ""
run_input '1\n\nabc\n' 100 -
expect_failure "a bad line" 2 'line 3: "abc" is not an id'
run_input '1\n-5\n' 100 -
expect_failure "a negative line" 2 'line 2: "-5" is not an id'
run_input '1 2\n' 100 -
expect_failure "two ids in a line" 2 'line 1: "1 2" is not an id'
run_input '12\00003\n' 100 -
expect_failure "a NUL in a line" 2 'line 1: "12" is not an id'
run_input '\n' 100 -
expect_failure "no id at all" 2 'standard input holds no contact id'
run_input '1\n' 100 1 -
expect_failure "ids here and there" 2 '"-" is not an id'
run_command sh -c '"$@" </' sh "$program" --base-url "$base_url" 100 -
expect_failure "standard input that cannot be read" 1 'standard input cannot be read: '

# ---- Wrong usage ----

for id in abc 12a 1.0 +1 0 -1 -5 '' ' 1' 9223372036854775808 99999999999999999999; do
    run 100 "$id"
    expect_failure "contact id '$id'" 2 "\"$id\" is not an id: ids are positive"
    run "$id" 12345
    expect_failure "sequence id '$id'" 2 "\"$id\" is not an id: ids are positive"
done
run 100 12345 -- -5
expect_failure "an id after --" 2 '"-5" is not an id'
run 100 "$(printf '1\n\033[31m\233')"
expect_failure "an id that a terminal would obey" 2 '"1\\u000a\\u001b\[31m\\x9b" is not an id'
run
expect_failure "no ids" 2 'the ids are missing'
run 100
expect_failure "no contact id" 2 'a contact id is missing'
run --frobnicate 100 1
expect_failure "an unknown option" 2 '--frobnicate is not an option'
run -j 100 1
expect_failure "an unknown short option" 2 '-j is not an option'
run --json=1 100 1
expect_failure "a value for an option that takes none" 2 '--json=1 is not an option'
run 100 1 --timeout
expect_failure "an option without its value" 2 '--timeout needs a value'
for seconds in 0 -1 abc 1.5 2147484; do
    run --timeout "$seconds" 100 1
    expect_failure "--timeout $seconds" 2 "--timeout \"$seconds\" is not a whole number of seconds"
done
run --timeout 2147483 100 12345
expect "the longest time" 0 "$example_card" ""
run_command "$program" --base-url http://company.com/v4 100 1
expect_failure "a base URL that is refused" 2 'URL'
run --ca-file '' 100 1
expect_failure "a CA file without a name" 2 'CA'
run_command env -u REPLY_API_KEY "$program" --base-url "$base_url" 100 1
expect_failure "no key" 2 'REPLY_API_KEY is not set'
run_command env REPLY_API_KEY= "$program" --base-url "$base_url" 100 1
expect_failure "an empty key" 2 'REPLY_API_KEY is not set'
run_command env REPLY_API_KEY='not a key' "$program" --base-url "$base_url" 100 1
expect_failure "a key that is none" 2 'key'

# ---- Help, version, and output that cannot be written ----

run_command "$program" --version
verdict "--version: exit status 0" status_is 0
verdict "--version: the line" grep -qx 'get_sequence_contact [0-9]*\.[0-9]*\.[0-9]*' "$work/output"
verdict "--version: no errors" errors_are ""
run_command env -u REPLY_API_KEY "$program" --help
verdict "--help: exit status 0" status_is 0
verdict "--help: usage" grep -q '^Usage: get_sequence_contact ' "$work/output"
verdict "--help: no errors" errors_are ""
for option in json base-url ca-file timeout verbose help version; do
    verdict "--help: --$option" grep -q -e "^  --$option " "$work/output"
done

for arguments in --help --version "100 12345" "--json 100 12345 12345 12345"; do
    # The arguments are separate words.
    # shellcheck disable=SC2086
    run_command sh -c '"$@" >&-' sh "$program" --base-url "$base_url" $arguments
    expect_failure "closed output: $arguments" 1 'standard output cannot be written: Bad file descriptor'
    if [ -c /dev/full ]; then
        # shellcheck disable=SC2086
        run_command sh -c '"$@" >/dev/full' sh "$program" --base-url "$base_url" $arguments
        expect_failure "full disk: $arguments" 1 'standard output cannot be written: No space left on device'
    fi
done

# ---- TLS, by a server of openssl that hands out the responses in files ----

if command -v openssl >/dev/null 2>&1; then
    mkdir -p "$work/v4/sequences/100/contacts"
    json=$(example_json 12345)
    printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#json}" "$json" \
        >"$work/v4/sequences/100/contacts/12345"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
    (cd "$work" && exec openssl s_server -accept 127.0.0.1:0 -HTTP -cert certificate.pem -key key.pem >tls_log 2>&1 </dev/null 9>&-) &
    tls_server=$!
    port=
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$(sed -n 's/^ACCEPT .*://p' "$work/tls_log")
        [ -z "$port" ] || break
        sleep 0.5
    done
    run_command "$program" --json --base-url "https://127.0.0.1:$port/v4" --ca-file "$work/certificate.pem" 100 12345
    expect "a CA file" 0 "$json$new_line" ""
    run_command "$program" --base-url "https://127.0.0.1:$port/v4" 100 12345
    expect_failure "a certificate that nobody vouches for" 1 'no trusted connection'
    run_command "$program" --base-url "https://127.0.0.1:$port/v4" --ca-file "$work/nowhere" 100 12345
    expect_failure "a CA file that is not there" 1 'nowhere'
else
    echo "skipped: --ca-file, without openssl"
fi

# ---- At a terminal ----

escape=$(printf '\033')
erase="$(printf '\r\033')[K"

# run_at_terminal ENVIRONMENT... -- ARGUMENT...: both streams come as output, since the terminal has one.
run_at_terminal() {
    quoted="env"
    for argument in "$@"; do
        if [ "$argument" = -- ]; then
            quoted="$quoted '$program' --base-url '$base_url'"
        else
            quoted="$quoted '$argument'"
        fi
    done
    run_command script -qec "$quoted" /dev/null
}
shows() { grep -qF -e "$1" "$work/output"; }
shows_not() { ! shows "$1"; }

if command -v script >/dev/null 2>&1; then
    run_at_terminal TERM=xterm -- 100 666
    verdict "colour: name" shows "${escape}[1mZoë"
    verdict "colour: opted out" shows "  ${escape}[1;37;41mOPTED OUT: do not write to this contact${escape}[0m"
    verdict "colour: nothing of the contact's own" shows '\u001b[31m\u202e 漢字\u000a\u009b'
    verdict "one contact: no progress" shows_not "in all"
    run_at_terminal NO_COLOR=1 -- 100 666
    verdict "NO_COLOR: name" shows "Zoë"
    verdict "NO_COLOR: no colour" shows_not "${escape}[1"
    run_at_terminal NO_COLOR= -- 100 666
    verdict "empty NO_COLOR: colour" shows "${escape}[1mZoë"
    run_at_terminal TERM=dumb -- 100 666 666
    verdict "dumb terminal: name" shows "Zoë"
    verdict "dumb terminal: no escapes" shows_not "$escape"

    run_at_terminal NO_COLOR=1 -- --json 100 404 12345 404
    verdict "progress: exit status 1" status_is 1
    verdict "progress: beginning" shows "0 done, 0 failed, 3 in all$erase"
    verdict "progress: end" shows "1 failed, 3 in all$erase"
    verdict "progress: erased before an error" shows "${erase}get_sequence_contact: contact 404 "
    verdict "progress: erased before a contact" shows "${erase}{\"contactId\": 12345"
    verdict "progress: gone at the end" [ "$(tail -c 3 "$work/output")" = "${escape}[K" ]

    start_mock_server "$server" # whose contact 429 has met no rate limit yet
    run_at_terminal NO_COLOR=1 -- --json 100 429
    verdict "rate limit: the wait is shown" shows "0 done, 0 failed, 1 in all, waiting 1 s for the rate limit$erase"
    verdict "rate limit: the contact" shows "${erase}{\"contactId\": 429"
else
    echo "skipped: colour and progress, without script"
fi

start_mock_server "$server"
run --timeout 1 100 429
expect_failure "--timeout: a wait that does not fit" 1 'HTTP 429'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
