# mock_server.sh - start_mock_server PROGRAM, a function for scripts: starts the mock server, sets
# base_url to its base URL. The server's standard input is a pipe from the shell's descriptor 9, so
# it exits with the shell, however the shell ends.

start_mock_server() {
    pipes=$(mktemp -d)
    mkfifo "$pipes/input" "$pipes/output"
    "$1" <"$pipes/input" >"$pipes/output" &
    exec 9>"$pipes/input"
    base_url=
    read -r base_url <"$pipes/output" || echo "cannot start the mock server" >&2
    rm -r "$pipes"
    [ -n "$base_url" ]
}
