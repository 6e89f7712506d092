#!/bin/sh
# check_symbols.sh LIBRARY LIST - compares the exported symbols of the shared library with the list.
set -eu
library=$1
list=$2
nm --dynamic --defined-only "$library" | awk '{ print $3 }' | LC_ALL=C sort | diff "$list" -
echo "1 passed, 0 failed"
