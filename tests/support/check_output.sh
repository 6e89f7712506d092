# check_output.sh - functions for scripts that run a program and check what it prints.
#
# The script that sources this file defines run_command, which sets $status and writes $work/raw,
# $work/output and $work/errors. $binding, if set, precedes the name of a failed check.
passed=0
failed=0

# Runs a condition, counts its result and reports a failure.
check() { # NAME CONDITION...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s%s (exit status %s)\n' "${binding:+$binding: }" "$name" "$status"
        sed 's/^/  output: /' "$work/output"
        sed 's/^/  error:  /' "$work/errors"
    fi
}

key_is_hidden() { ! grep -q "$REPLY_API_KEY" "$work/raw" "$work/errors"; }
status_is() { [ "$status" -eq "$1" ]; }
output_is() { printf '%s' "$1" | cmp -s - "$work/output"; }
errors_are() { printf '%s' "$1" | cmp -s - "$work/errors"; }

# Checks the exit status and the whole output of the last command.
expect() { # NAME STATUS OUTPUT ERRORS
    check "$1: exit status $2" status_is "$2"
    check "$1: output" output_is "$3"
    check "$1: errors" errors_are "$4"
}
