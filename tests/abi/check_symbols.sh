#!/bin/sh
# check_symbols.sh LIBRARY LIST: the symbols that the shared library exports are those of the list, no more and no fewer.
set -eu
library=$1
list=$2
nm --dynamic --defined-only "$library" | awk '{ print $3 }' | LC_ALL=C sort | diff "$list" -
echo "1 passed, 0 failed"
