#!/bin/sh
# check_symbols.sh LIBRARY LIST - compares the exported symbols of the shared library with the list.
set -eu
library=$1
list=$2
# musl's startup code and AddressSanitizer add symbols of their own.
nm --dynamic --defined-only "$library" | awk '{ print $3 }' |
    grep -v -E '^(_init|_fini|_*(odr_|start_|stop_)?asan_.*)$' | LC_ALL=C sort | diff "$list" -
echo "1 passed, 0 failed"
