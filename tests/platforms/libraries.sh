#!/bin/sh
# libraries.sh PREFIX... - builds and runs the tests against other versions of libcurl or cJSON, and
# prints a table. Each PREFIX is a directory in which one of them is installed, or both; the
# system's version replaces what is missing. BUILD_DIR is the parent of the build directories.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
builds=${BUILD_DIR:-$root/build}
processors=$(getconf _NPROCESSORS_ONLN)
. "$root/examples/install_packages.sh"
. "$root/tests/support/warnings.sh"
install_packages cmake gcc libc6-dev make pkg-config libcurl4-openssl-dev libcjson-dev \
    libcmocka-dev nginx-light openssl ca-certificates locales

# These tests do not depend on the libraries, or use the system's.
excluded='^(check_includes|header|packaging|readme)$'

build_tests() {
    cmake -S "$root" -B "$build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$warnings" \
        -DREPLYIO_BUILD_EXAMPLES=OFF &&
        cmake --build "$build" -j "$processors"
}

# Prints a row from the output of ctest, and returns whether all tests have passed.
print_row() {
    awk -v versions="$libcurl	$cjson" '
        match($0, /[0-9]+ tests failed out of [0-9]+/) {
            split(substr($0, RSTART, RLENGTH), words, " ")
            failed = words[1]
            total = words[6]
        }
        is_listed && $2 == "-" { names = names " " $3 }
        /^The following tests FAILED/ { is_listed = 1 }
        END {
            printf "%s\t%d\t%d\t%s\n", versions, total, total - failed, total ? names : " no tests"
            exit total == 0 || failed > 0
        }' "$build/ctest.log"
}

test_prefix() {
    prefix=$(cd "$1" && pwd)
    build=$builds/libraries/$(basename "$prefix")
    mkdir -p "$build"
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    export CPATH="$prefix/include" # the CMake package of cJSON has no include directory
    export LD_LIBRARY_PATH="$prefix/lib"
    libcurl=$(pkg-config --modversion libcurl)
    cjson=$(pkg-config --modversion libcjson)
    if ! build_tests >"$build/build.log" 2>&1; then
        printf '%s\t%s\t0\t0\t does not compile: %s\n' "$libcurl" "$cjson" "$build/build.log"
        return 1
    fi
    (cd "$build" && ctest --output-on-failure -j "$processors" --exclude-regex "$excluded") \
        >"$build/ctest.log" 2>&1 || :
    print_row
}

[ $# -gt 0 ] || { echo "usage: libraries.sh PREFIX..." >&2 && exit 2; }
status=0
printf 'libcurl\tcJSON\trun\tpassed\tfailed\n'
for directory in "$@"; do
    # The subshell keeps the environment of one prefix from the next.
    (test_prefix "$directory") || status=1
done
exit $status
