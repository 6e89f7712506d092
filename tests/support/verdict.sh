# verdict.sh - for scripts to read in that run a program and judge what it prints. run_command of theirs sets $status and writes
# $work/raw, $work/output and $work/errors; $binding names what is tested, where that is more than one thing.
passed=0
failed=0

verdict() { # NAME CONDITION...
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

no_key_is_printed() { ! grep -q "$REPLY_API_KEY" "$work/raw" "$work/errors"; }
status_is() { [ "$status" -eq "$1" ]; }
output_is() { printf '%s' "$1" | cmp -s - "$work/output"; }
errors_are() { printf '%s' "$1" | cmp -s - "$work/errors"; }

# Whether all of the last run is as given: NAME STATUS OUTPUT ERRORS.
expect() {
    verdict "$1: exit status $2" status_is "$2"
    verdict "$1: output" output_is "$3"
    verdict "$1: errors" errors_are "$4"
}
