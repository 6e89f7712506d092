#!/bin/sh
# test_list_sequence_contacts.sh LIST_SEQUENCE_CONTACTS MOCK_SERVER - checks the output and the exit
# status of the second example program.
set -u
program=$1
server=$2
. "$(dirname -- "$0")/run_program.sh"

# ---- Tables ----

sample_table="   id  name               email                 status       step  next send
12345  John Doe           john.doe@company.com  Active          2  2024-03-09 09:00
12401  Ann Example        ann@example.com       Active          1  2024-03-09 10:30
12402  Bob Sample         bob@example.com       Paused          3  -
12403  Carol Placeholder  carol@example.com     Finished        5  -
12404  Dave Madeup        dave@example.com      OPTED OUT       2  -
12405  Eve Nobody         eve@example.com       OutOfOffice     2  2024-03-18 08:00
12406  太郎 見本          taro@example.com      Active          4  2024-03-10 15:15
12407  Zoë Musterfrau     zoe@example.com       Active          1  2024-03-09 11:00
12408  -                  info@example.com      Snoozed         2  next week
12409  Frank              -                     OPTED OUT       1  2024-03-10 09:00
12410  Grace Testcase     grace@example.com     Finished        6  -
12411  -                  -                     Paused          1  -
"
newline='
'
sample_summary="12 contacts, 2 opted out, 0 could not be read
"

run 100
expect "a dozen contacts" 0 "$sample_table" "$sample_summary"
run --page-size 10 100
expect "two pages" 0 "$sample_table" "$sample_summary"
LC_ALL=C run 100
expect "C locale" 0 "$sample_table" "$sample_summary"

TZ=XYZ-5:30 run 100
check "local time" grep -q '^12345 .*  2024-03-09 14:30$' "$work/output"

run 666
expect "hostile contacts" 1 \
    ' id  name                                   email             status       step  next send
666  Zoë \u001b[31m\u202e 漢字\u000a\u009b  zoe@company.com   OPTED OUT       0  -
667  -                                      info@company.com  OutOfOffice     1  -
668  -                                      -                 Finished        1  -
669  -                                      -                 Active          1  0000-12-31 19:00
670  =1+1 +2                                @SUM(1)           -Paused        -1  ="now"
' "$program_name: contact 671 in sequence 666: invalid contact: field \"email\" is not a string; check the \
base URL
$program_name: contact 9007199254740993 in sequence 666: invalid contact: field \"sequenceId\" is 1; check \
the base URL
7 contacts, 1 opted out, 2 could not be read
"

run 300
expect "empty sequence" 0 "" "0 contacts, 0 opted out, 0 could not be read$newline"

run 201
check "several pages: exit status 0" status_is 0
check "several pages: lines" [ "$(wc -l <"$work/output")" -eq 2501 ]
check "several pages: each contact once" \
    [ "$(cut -c 1-5 "$work/output" | sed 1d | uniq | wc -l)" -eq 2500 ]
check "several pages: summary" errors_are "2500 contacts, 50 opted out, 0 could not be read$newline"

# ---- JSON ----

run --json 100
check "JSON: exit status 0" status_is 0
check "JSON: one contact per line" [ "$(wc -l <"$work/output")" -eq 12 ]
check "JSON: newlines and tabs between tokens are spaces" grep -qxF '{"contactId": 12402, '\
'"sequenceId": 100, "email": "bob@example.com", "firstName": "Bob",  "lastName": "Sample", '\
'"company": "Sample & Sons", "title": "Buyer",  "status": "Paused", "subStatus": "None", '\
'"currentStep": 3,  "addingDate": "2024-03-08T10:00:00+00:00", "movingDate": null, '\
'"nextSendAfter": null,  "isOptedOut": false, "emailAccountId": 101, "linkedInAccountId": null, '\
'"icpScore": 0.5}' "$work/output"
check "JSON: summary" errors_are "$sample_summary"

run --json 666
check "hostile JSON: exit status 1" status_is 1
check "hostile JSON: only valid contacts" [ "$(wc -l <"$work/output")" -eq 5 ]
check "hostile JSON: escapes are kept" \
    grep -q '"firstName": "Zoë \\u001b\[31m\\u202e", "lastName": "漢字\\n' "$work/output"
check "hostile JSON: raw control characters are escaped" \
    grep -q '\\u009b",  "company": "\\u2028\\u007f"' "$work/output"

# ---- CSV ----

csv_header="contactId,sequenceId,email,firstName,lastName,company,title,status,subStatus,\
currentStep,addingDate,movingDate,nextSendAfter,isOptedOut,emailAccountId,linkedInAccountId,\
icpScore"
csv() { printf '%b' "$1" | sed 's/$/\r/'; }

run --csv 300
expect "empty CSV" 0 "$(csv "$csv_header\n")$newline" "0 contacts, 0 opted out, 0 could not be \
read$newline"

run --csv --status active 100
expect "CSV" 0 "$(csv "$csv_header
12345,100,john.doe@company.com,John,Doe,Tech Solutions Inc,Senior Product Manager,Active,None,2,\
2024-03-08T10:00:00+00:00,,2024-03-09T09:00:00+00:00,false,101,,0.85
12401,100,ann@example.com,Ann,Example,Example Ltd,,Active,None,1,2024-03-08T10:00:00+00:00,,\
2024-03-09T10:30:00+00:00,false,101,,0.5
12406,100,taro@example.com,太郎,見本,見本株式会社,,Active,None,4,2024-03-08T10:00:00+00:00,,\
2024-03-11T00:15:00+09:00,false,101,,0.5
12407,100,zoe@example.com,Zoë,Musterfrau,,,active,,1,2024-03-08T10:00:00+00:00,,\
2024-03-09T11:00:00.00,false,101,,0.5
12409,100,,Frank,,,,Active,None,1,2024-03-08T10:00:00+00:00,,2024-03-10T09:00:00+00:00,true,101,,\
0.5
")$newline" "5 of $sample_summary"

run --csv 100
check "CSV: comma is quoted" grep -q '^12404,.*,"Madeup, Inc.",Owner,Inactive,,2,' "$work/output"

# The text is as sent: a file is not a terminal.
run --csv 666
cp "$work/output" "$work/hostile.csv"
check "hostile CSV: exit status 1" status_is 1
check "hostile CSV: control characters are kept" \
    grep -qF "666,666,zoe@company.com,Zoë ${escape}[31m" "$work/output"
check "hostile CSV: numbers and other texts" grep -qF \
    ',0,2025-10-29T10:00:00.00,the day before,,true,7,9007199254740993,' "$work/output"
carriage_return=$(printf '\r')
tab=$(printf '\t')
check "hostile CSV: formulas and quotes" grep -qxF "670,666,'@SUM(1),'=1+1,'+2,\"Smith, \
\"\"Sons\"\"$carriage_return" "$work/output"
check "hostile CSV: tab, minus, carriage return" grep -qxF "Ltd\",\"'${tab}Tab, ${escape}[31m\",\
'-Paused,\"'${carriage_return}None\",-1,2024-03-08T10:00:00+00:00,,\"'=\"\"now\"\"\",false,101,,\
0.5$carriage_return" "$work/output"

# Another reader of CSV sees the same fields.
if command -v python3 >/dev/null 2>&1; then
    fields=$(python3 -c '
import csv, sys
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.reader(file, strict=True))
print({len(row) for row in rows}, len(rows), rows[5][5:7])' "$work/hostile.csv")
    check "hostile CSV: read by Python" \
        [ "$fields" = "{17} 6 ['Smith, \"Sons\"\\r\\nLtd', \"'\\tTab, \\x1b[31m\"]" ]
else
    echo "skipped: CSV read by Python, without python3"
fi

# ---- Filters ----

ids() { sed 1d "$work/output" | cut -d ' ' -f 1 | tr '\n' ' '; }
check_filter() { # IDS SUMMARY ARGUMENT...
    ids=$1
    summary=$2
    shift 2
    run "$@" 100
    check "$*: exit status 0" status_is 0
    check "$*: contacts" [ "$(ids)" = "$ids" ]
    check "$*: summary" errors_are "$summary of $sample_summary"
}
check_filter "12404 12409 " 2 --opted-out
check_filter "12402 12411 " 2 --status PAUSED
check_filter "12345 12401 12406 12407 12409 " 5 --status aCTIVE
check_filter "12408 " 1 --status snoozed
check_filter "12409 " 1 --opted-out --status Active
check_filter "" 0 --status Activ
check_filter "" 0 --status Actives
check_filter "" 0 --status ''

# ---- Failures ----

run 404
expect_failure "missing sequence" 1 'HTTP 404.* (code sequence.notFound, request 51c7aa)$'

run --page-size 10 403
check "failed page: exit status 1" status_is 1
check "failed page: contacts before it" [ "$(wc -l <"$work/output")" -eq 11 ]
check "failed page: message" errors_have \
    "^$program_name: contacts of sequence 403 from 9: HTTP 403.* (code TEAM_NOT_ACCESSIBLE, request 9e02bd)\$"
check "failed page: summary" errors_have \
    '^10 contacts, 0 opted out, 0 could not be read; the list is incomplete$'

run --csv --verbose 429
path='/v4/sequences/429/contacts?top=1000&skip=0'
check "rate limit: exit status 0" status_is 0
check "--verbose: first attempt" errors_have "^attempt 1 GET $path: 429 in [0-9]* ms\$"
check "--verbose: wait" errors_have '^wait 1000 ms: rate limit$'
check "--verbose: second attempt" errors_have "^attempt 2 GET $path: 200 in [0-9]* ms\$"

run_command "$program" --base-url http://127.0.0.1:1/v4 --timeout 1 100
expect_failure "no server" 1 'contacts of sequence 100 from 0: '
check "no server: neither code nor request" errors_lack '(code\|(request'

run_command "$program" --base-url "${base_url%/v4}" 100
expect_failure "wrong path" 1 'HTTP 404.* (request 7d1e08)$'

# ---- Wrong usage ----

for id in abc 12a +1 0 -1 '' ' 1' 1e3 １ 9223372036854775808; do
    run "$id"
    expect_failure "sequence id '$id'" 2 "invalid id \"$id\": must be a whole number from 1"
done
run "$(printf '1\n\033[31m\233')"
expect_failure "control characters in an id" 2 'invalid id "1\\u000a\\u001b\[31m\\x9b"'
run
expect_failure "no id" 2 'missing sequence id'
run 100 12345
expect_failure "two ids" 2 'more than one sequence id'
run --json --csv 100
expect_failure "two formats" 2 'exclude each other'
run 100 --status
expect_failure "--status without its value" 2 'missing value for --status'
for count in 0 9 1001 -10 abc 10.0 ''; do
    run --page-size "$count" 100
    expect_failure "--page-size '$count'" 2 \
        "invalid --page-size \"$count\": must be a whole number of contacts from 10 to 1000\$"
done
run --page-size 1000 100 --csv
check "largest page, option after the id" status_is 0
check_common_options 100
run --timeout 2147483 100
expect "largest timeout" 0 "$sample_table" "$sample_summary"

# ---- Help and write errors ----

check_help json csv opted-out status page-size
check_write_errors --help --version 100 "--json 201" "--csv 201"

# ---- On a terminal ----

# Prints what remains of the last output on a terminal: lines without what was erased.
final_lines() { sed "s/$carriage_return\$//; s/.*$escape\[K//" "$work/output"; }

# Checks the first lines of the table on a terminal with a number of columns.
check_width() { # COLUMNS LINES ARGUMENT...
    columns=$1
    lines=$2
    shift 2
    before="stty cols $columns"
    run_on_terminal NO_COLOR=1 -- "$@"
    before=
    count=$(($(printf '%s\n' "$lines" | wc -l)))
    check "$columns columns: $*" [ "$(final_lines | head -n "$count")" = "$lines" ]
}

if command -v script >/dev/null 2>&1; then
    check_width 83 "$(printf '%s' "$sample_table" | head -n 9)" 100
    check_width 75 \
        '   id  name            email            status       step  next send
12345  John Doe        john.doe@compa…  Active          2  2024-03-09 09:00
12401  Ann Example     ann@example.com  Active          1  2024-03-09 10:30
12402  Bob Sample      bob@example.com  Paused          3  -
12403  Carol Placeho…  carol@example.…  Finished        5  -' 100
    check_width 41 '   id  name        email       status
12345  John Doe    john.doe@…  Active
12401  Ann Examp…  ann@examp…  Active
12402  Bob Sample  bob@examp…  Paused
12403  Carol Pla…  carol@exa…  Finished
12404  Dave Made…  dave@exam…  OPTED OUT
12405  Eve Nobody  eve@examp…  OutOfOffi…
12406  太郎 見本   taro@exam…  Active' 100
    check_width 38 '   id  name       email      status
12345  John Doe   john.doe…  Active
12401  Ann Exam…  ann@exam…  Active
12402  Bob Samp…  bob@exam…  Paused' 100
    check_width 30 '   id  email       status' 100
    check_width 1 '   id  status
12345  Active
12401  Active
12402  Paused
12403  Finished
12404  OPTED OUT
12405  OutOfOff…
12406  Active' 100

    # An escape is not cut, and a wide character is two columns.
    before="stty cols 60"
    run_on_terminal NO_COLOR=1 -- 666
    check "60 columns: escape" shows "666  Zoë …      zoe@comp…  OPTED OUT     0  -"
    before="stty cols 37"
    run_on_terminal NO_COLOR=1 -- --status Active 100
    check "37 columns: wide characters" shows "12406  太郎 見…  taro@exa…  Active"
    before=

    run_on_terminal TERM=xterm -- 100
    check "colour: titles" shows "${erase}   ${escape}[2mid${escape}[0m  ${escape}[2mname"
    check "colour: opted out" shows "  ${escape}[1;37;41mOPTED OUT${escape}[0m       2  -"
    run_on_terminal TERM=xterm -- 666
    check "colour: none from a contact" shows 'Zoë \u001b[31m…'
    run_on_terminal NO_COLOR=1 -- 100
    check "NO_COLOR: opted out" shows "  OPTED OUT       2  -"
    check "NO_COLOR: colour is absent" hides "${escape}[1"
    run_on_terminal TERM=dumb -- 100
    check "dumb terminal: opted out" shows "  OPTED OUT       2  -"
    check "dumb terminal: escapes are absent" hides "$escape"
    run_on_terminal TERM=dumb -- --csv 666
    check "CSV on a terminal: control characters are escaped" \
        shows '666,666,zoe@company.com,Zoë \u001b[31m\u202e,"漢字\u000a\u009b",\u2028\u007f,,'

    run_on_terminal NO_COLOR=1 -- --page-size 1000 200
    check "progress: first line" shows "0 contacts$erase"
    check "progress: after the first page" shows "${erase}1000 contacts$erase"
    check "progress: erased before the table" shows "${erase}   id  name"
    run_on_terminal NO_COLOR=1 -- --json 100
    check "progress: erased before a contact" shows "${erase}{\"contactId\": 12345"
    check "progress: redrawn after a contact" shows "1 contact${erase}{\"contactId\": 12401"
    run_on_terminal NO_COLOR=1 -- 404
    check "progress: erased before an error" shows "${erase}$program_name: contacts of sequence 404"
    before="stty cols 10"
    run_on_terminal NO_COLOR=1 -- 100
    check "10 columns: cut progress" shows "${erase}12 cont$erase"
    before="stty cols 3"
    run_on_terminal NO_COLOR=1 -- 100
    check "3 columns: progress is hidden" hides " contacts$erase"
    before=

    start_mock_server "$server" # a new server limits the rate again
    run_on_terminal NO_COLOR=1 -- 429
    check "rate limit: wait" shows "0 contacts, waiting 1 s for the rate limit$erase"
    check_signals 429
else
    echo "skipped: colour and progress, without script"
fi

start_mock_server "$server"
run --timeout 1 429
expect_failure "--timeout: shorter than the rate limit" 1 'HTTP 429.* (code RATE_LIMIT)$'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
