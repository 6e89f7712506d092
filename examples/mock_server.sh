# mock_server.sh - for scripts to read in: start_mock_server PROGRAM starts the stand-in server and puts its base URL into base_url. The
# server ends with the shell, however that ends, since its standard input is a pipe from the shell's descriptor 9.

start_mock_server() {
    pipes=$(mktemp -d)
    mkfifo "$pipes/input" "$pipes/output"
    "$1" <"$pipes/input" >"$pipes/output" &
    exec 9>"$pipes/input"
    base_url=
    read -r base_url <"$pipes/output" || echo "The stand-in server did not start." >&2
    rm -r "$pipes"
    [ -n "$base_url" ]
}
