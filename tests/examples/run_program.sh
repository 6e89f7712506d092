# run_program.sh - functions for the tests of the example programs: run a program against the mock
# server, also on a terminal, and check what all programs do.
#
# The script that sources this file sets $program and $server before. EMULATOR, if set, is the
# command that runs programs of another architecture.
here=$(dirname -- "$0")
. "$here/../../examples/mock_server.sh"
. "$here/../support/check_output.sh"

program_name=$(basename "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${EMULATOR-}" ]; then
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$EMULATOR" "$program" >"$work/program"
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$EMULATOR" "$server" >"$work/server"
    chmod +x "$work/program" "$work/server"
    program=$work/program
    server=$work/server
fi
export TZ=UTC REPLY_API_KEY=a-secret-key TERM=xterm
unset NO_COLOR
start_mock_server "$server" || exit 1

# ---- Run ----

# Relative times depend on the clock: "in 2 d" and "2 d ago" become RELATIVE in $work/output.
run_command() {
    status=0
    "$@" >"$work/raw" 2>"$work/errors" </dev/null || status=$?
    sed 's/, \(in [0-9].*[a-z]\|[0-9].* ago\)$/, RELATIVE/' "$work/raw" >"$work/output"
    check "API key hidden" key_is_hidden
}
run() { run_command "$program" --base-url "$base_url" "$@"; }

errors_are_one_line() { [ "$(wc -l <"$work/errors")" -eq 1 ]; }
errors_have() { grep -q "$1" "$work/errors"; }
errors_lack() { ! errors_have "$1"; }

# Checks that the last command printed only one line, an error that matches PATTERN.
expect_failure() { # NAME STATUS PATTERN
    check "$1: exit status $2" status_is "$2"
    check "$1: empty output" output_is ""
    check "$1: one line" errors_are_one_line
    check "$1: message" errors_have "^$program_name: .*$3"
}

# ---- On a terminal ----

escape=$(printf '\033')
erase="$(printf '\r\033')[K"
before= # a shell command to run first
pid_file=$work/pid # of the program

# Runs the program on a terminal, which merges both streams into the output. The words before --
# are the arguments of env.
run_on_terminal() { # WORD... -- ARGUMENT...
    quoted="${before:+$before && }echo \$\$ >'$pid_file' && exec env"
    for argument in "$@"; do
        if [ "$argument" = -- ]; then
            quoted="$quoted '$program' --base-url '$base_url'"
        else
            quoted="$quoted '$argument'"
        fi
    done
    run_command "${terminal:-script}" -qec "$quoted" /dev/null
}

# Returns when the program waits for a rate limit, or after 10 s.
await_rate_limit() {
    for _ in $(seq 100); do
        ! grep -q waiting "$work/raw" || break
        sleep 0.1
    done
}

# Presses Ctrl-C on the terminal.
script_with_interrupt() {
    (
        await_rate_limit
        printf '\003'
        sleep 1
    ) | script "$@"
}

script_with_termination() {
    (
        await_rate_limit
        kill -TERM "$(cat "$pid_file")"
    ) &
    script "$@"
}

starts_with_erase() { [ "$(head -c 4 "$work/output")" = "$erase" ]; }
ends_with_erase() { [ "$(tail -c 3 "$work/output")" = "${escape}[K" ]; }
shows() { grep -qF -e "$1" "$work/output"; }
hides() { ! shows "$1"; }

# Checks that a signal erases the progress. The arguments make the program wait for a rate limit.
check_signals() { # ARGUMENT...
    # A background job of a shell ignores SIGINT, and so would the program.
    default_signal=
    ! env --default-signal=INT true 2>/dev/null || default_signal=--default-signal=INT
    start_mock_server "$server" # a new server limits the rate again
    terminal=script_with_interrupt
    # The option is absent or one word.
    # shellcheck disable=SC2086
    run_on_terminal $default_signal NO_COLOR=1 -- "$@"
    check "Ctrl-C: exit status 130" status_is 130
    check "Ctrl-C: progress was shown" shows "waiting 1 s"
    check "Ctrl-C: progress is erased" ends_with_erase
    start_mock_server "$server"
    terminal=script_with_termination
    run_on_terminal NO_COLOR=1 -- "$@"
    terminal=
    check "SIGTERM: exit status 143" status_is 143
    check "SIGTERM: progress is erased" ends_with_erase
}

# ---- What all programs do ----

# Checks the options that all programs have, with valid operands.
check_common_options() { # OPERAND...
    run --frobnicate "$@"
    expect_failure "unknown option" 2 'invalid option --frobnicate'
    run -j "$@"
    expect_failure "unknown short option" 2 'invalid option -j'
    run --json=1 "$@"
    expect_failure "value for an option without one" 2 'invalid option --json=1'
    run "$@" --timeout
    expect_failure "option without its value" 2 'missing value for --timeout'
    for seconds in 0 -1 abc 1.5 2147484; do
        run --timeout "$seconds" "$@"
        expect_failure "--timeout $seconds" 2 \
            "invalid --timeout \"$seconds\": must be a whole number of seconds from 1 to 2147483\$"
    done
    run_command "$program" --base-url http://company.com/v4 "$@"
    expect_failure "invalid base URL" 2 'URL'
    run --ca-file '' "$@"
    expect_failure "empty name of a CA file" 2 'CA'
    run_command env -u REPLY_API_KEY "$program" --base-url "$base_url" "$@"
    expect_failure "no key" 2 'REPLY_API_KEY is not set'
    run_command env REPLY_API_KEY= "$program" --base-url "$base_url" "$@"
    expect_failure "empty key" 2 'REPLY_API_KEY is not set'
    run_command env REPLY_API_KEY='not a key' "$program" --base-url "$base_url" "$@"
    expect_failure "invalid key" 2 'key'
    run_command "$program" --version
    check "--version: exit status 0" status_is 0
    check "--version: output" grep -qx "$program_name [0-9]*\.[0-9]*\.[0-9]*" "$work/output"
    check "--version: no errors" errors_are ""
}

# Checks --help, which must have a line for each option.
check_help() { # OPTION...
    run_command env -u REPLY_API_KEY "$program" --help
    check "--help: exit status 0" status_is 0
    check "--help: usage" grep -q "^Usage: $program_name " "$work/output"
    check "--help: no errors" errors_are ""
    for option in "$@" base-url ca-file timeout verbose help version; do
        check "--help: --$option" grep -q -e "^  --$option " "$work/output"
    done
}

# Checks output that cannot be written, for each string of arguments.
check_write_errors() { # ARGUMENTS...
    cannot_write='cannot write to standard output'
    mkfifo "$work/pipe"
    # Descriptor 3 is the only reader: without it, opening the pipe for writing would block.
    # shellcheck disable=SC2016
    with_closed_pipe='exec 3<>"$0" 4>"$0" 3<&-; "$@"'
    for arguments in "$@"; do
        # The arguments are separate words.
        # shellcheck disable=SC2086
        set -- "$program" --base-url "$base_url" $arguments
        run_command sh -c '"$@" >&-' sh "$@"
        expect_failure "closed output: $arguments" 1 "$cannot_write: Bad file descriptor"
        if [ -c /dev/full ]; then
            run_command sh -c '"$@" >/dev/full' sh "$@"
            expect_failure "full disk: $arguments" 1 "$cannot_write: No space left on device"
        fi
        run_command sh -c "$with_closed_pipe >&4" "$work/pipe" "$@"
        expect "pipe whose reader has exited: $arguments" 141 "" ""
    done
}
