#!/bin/sh
# run.sh SOURCE - installs the library from the directory SOURCE, shared and static, and uses it in
# every way that the README describes. Each way compiles a program as C99 and C++11, and without a
# build system also as C11, C17 and C++20, with warnings as errors, runs it and compares its output.
# The installed files are compared with lists in tests/fixtures.
set -eu
source=$(CDPATH='' cd -- "$1" && pwd)
here=$source/tests/packaging
fixtures=$source/tests/fixtures
cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset DESTDIR CMAKE_PREFIX_PATH CMAKE_BUILD_TYPE PKG_CONFIG_PATH LD_LIBRARY_PATH
passed=0
failed=0

# ---- Helpers ----

# check NAME COMMAND...: runs a command that must succeed. Shows its output only if it fails.
check() {
    checked=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $checked"
        cat "$work/log"
    fi
}
not() { ! "$@"; }

# prints TEXT COMMAND...: succeeds if the command prints exactly the text.
prints() {
    text=$1
    shift
    output=$("$@")
    echo "expected \"$text\", printed \"$output\""
    [ "$output" = "$text" ]
}
consumer_output="0.1.0: contact 12345 is Active"
programs="get_sequence_contact list_sequence_contacts"

build() { # DIRECTORY CMAKE_ARGUMENT...
    directory=$1
    shift
    cmake -B "$directory" "$@" && cmake --build "$directory" -j "$(getconf _NPROCESSORS_ONLN)"
}

# Without optimisation, which takes as long as the rest of the test.
build_library() { # DIRECTORY CMAKE_ARGUMENT...
    directory=$1
    shift
    build "$directory" -S "$source" -DCMAKE_C_FLAGS_RELWITHDEBINFO=-O0 \
        -DREPLYIO_BUILD_TESTS=OFF "$@"
}

languages="c99 c11 c17 c++11 c++20"
echo 'int main() {}' >"$work/probe.cpp"
if ! $cxx "$work/probe.cpp" -o "$work/probe" 2>/dev/null; then
    echo "skipped: C++, without a compiler for it"
    languages="c99 c11 c17"
fi

cp "$here/consumer.c" "$work/consumer.cpp"

# compile PROGRAM LANGUAGE FLAG...: compiles the consumer without a build system.
compile() {
    program=$1
    language=$2
    shift 2
    compiler=$cc
    consumer=$here/consumer.c
    case $language in c++*) compiler=$cxx consumer=$work/consumer.cpp ;; esac
    $compiler -std="$language" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror \
        "$consumer" -o "$program" "$@"
}

use_by_compiler() { # NAME FLAG...
    name=$1
    shift
    for language in $languages; do
        check "$name, $language: compile" compile "$work/program" "$language" "$@"
        check "$name, $language: run" prints "$consumer_output" \
            env LD_LIBRARY_PATH="$library_path" "$work/program"
    done
}

use_by_cmake() { # NAME DIRECTORY CMAKE_ARGUMENT...
    name=$1
    directory=$2
    shift 2
    check "$name: build" build "$directory" -S "$here" "$@"
    check "$name, C: run" prints "$consumer_output" "$directory/consumer_c99"
    case $languages in
    *c++*) check "$name, C++: run" prints "$consumer_output" "$directory/consumer_cxx11" ;;
    esac
}

# installed_files_are LIST: succeeds if the installed files are those of the list.
installed_files_are() {
    (cd "$prefix" && find . -type f -o -type l) | sed 's,^\./,,' | LC_ALL=C sort | diff "$1" -
}

# No installed text file may contain a path of the build, because the tree can be moved.
is_relocatable() { not grep -rIlF -e "$source" -e "$work" "$prefix"; }

# ---- Installed trees: shared and static, both moved after the installation ----

for kind in shared static; do
    shared=OFF
    [ $kind = static ] || shared=ON
    check "$kind: build" build_library "$work/$kind" -DBUILD_SHARED_LIBS=$shared \
        -DCMAKE_INSTALL_PREFIX="$work/first" -DCMAKE_INSTALL_LIBDIR=lib
    check "$kind: install" cmake --install "$work/$kind"
    prefix=$work/moved/$kind
    mkdir -p "$work/moved"
    mv "$work/first" "$prefix"
    library_path=
    [ $kind = static ] || library_path=$prefix/lib

    check "$kind: the installed files" installed_files_are "$fixtures/installed_$kind.txt"
    check "$kind: no path of the build" is_relocatable
    check "$kind: the licence" cmp "$source/LICENSE" "$prefix/share/doc/replyio/LICENSE"
    for program in $programs; do
        check "$kind: $program" prints "$program 0.1.0" "$prefix/bin/$program" --version
    done

    use_by_cmake "$kind, find_package" "$work/find_package_$kind" -DHOW=find_package \
        -DCMAKE_PREFIX_PATH="$prefix"

    links_curl() { pc --libs | grep curl; }
    pc() { PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config "$@" replyio; }
    check "$kind, pkg-config: version" prints 0.1.0 pc --modversion
    if [ $kind = shared ]; then
        check "shared, pkg-config: requires" prints "" pc --print-requires
        check "shared, pkg-config: requires privately" prints "libcurl
libcjson" pc --print-requires-private
        check "shared, pkg-config: no other library" not links_curl
    else
        check "static, pkg-config: requires" prints "libcurl
libcjson" pc --print-requires
    fi
    # The flags are separate words.
    # shellcheck disable=SC2046
    use_by_compiler "$kind, pkg-config" $(pc --cflags --libs)
done

# ---- The shared library without a build system ----

prefix=$work/moved/shared
library_path=$prefix/lib
use_by_compiler "plain -lreplyio" -I"$prefix/include" -L"$library_path" -lreplyio
needs() { readelf -d "$1" | grep "$2"; }
check "the library's name" needs "$library_path/libreplyio.so" 'SONAME.*\[libreplyio\.so\.0\]'
check "a program needs libreplyio.so.0" needs "$work/program" 'NEEDED.*\[libreplyio\.so\.0\]'
check "a program does not need libcurl" not needs "$work/program" 'NEEDED.*curl'

# ---- In another project ----

has_one_test() { (cd "$1" && ctest -N) | grep '^Total Tests: 1$'; }
# installs_only DIRECTORY FILE: succeeds if the file is all that the build installs.
installs_only() {
    cmake --install "$1" --prefix "$1/installed" &&
        prints "$1/installed/$2" find "$1/installed" -type f
}
for how in add_subdirectory FetchContent; do
    use_by_cmake "$how" "$work/$how" -DHOW=$how -DSOURCE="$source" -DCMAKE_BUILD_TYPE=Debug \
        -DBUILD_TESTING=ON
    check "$how: static by default" [ -n "$(find "$work/$how" -name libreplyio.a)" ]
    check "$how: none of the library's tests" has_one_test "$work/$how"
    check "$how: none of the library is installed" installs_only "$work/$how" bin/consumer_c99
done
use_by_cmake "FetchContent, shared" "$work/FetchContent_shared" -DHOW=FetchContent \
    -DSOURCE="$source" -DBUILD_SHARED_LIBS=ON
check "FetchContent, shared: shared" needs "$work/FetchContent_shared/consumer_c99" \
    'NEEDED.*\[libreplyio\.so\.0\]'

# ---- Absolute installation directories, which some systems use ----

check "absolute directories: build" build_library "$work/absolute" -DREPLYIO_BUILD_EXAMPLES=OFF \
    -DCMAKE_INSTALL_PREFIX="$work/one" -DCMAKE_INSTALL_LIBDIR="$work/two/lib" \
    -DCMAKE_INSTALL_INCLUDEDIR="$work/three/include"
check "absolute directories: install" cmake --install "$work/absolute"
library_path=$work/two/lib
# shellcheck disable=SC2046
use_by_compiler "absolute directories" \
    $(PKG_CONFIG_PATH="$library_path/pkgconfig" pkg-config --cflags --libs replyio)

# ---- Missing dependencies: named in the error, fatal only if required ----

names_missing() { # DEPENDENCY CMAKE_ARGUMENT...
    dependency=$1
    shift
    rm -rf "$work/missing"
    not cmake -B "$work/missing" "$@" >"$work/missing.log" 2>&1 &&
        grep "$dependency" "$work/missing.log" && not grep 'not found' "$work/missing.log"
}
no_curl=-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON
no_cjson="-DCMAKE_DISABLE_FIND_PACKAGE_cJSON=ON -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON"
for how in "$source" "$here"; do
    set -- -S "$how" -DHOW=find_package -DCMAKE_PREFIX_PATH="$work/moved/static" \
        -DREPLYIO_BUILD_TESTS=OFF
    check "without libcurl: $how" names_missing CURL "$@" $no_curl
    # The arguments are separate words.
    # shellcheck disable=SC2086
    check "without cJSON: $how" names_missing PkgConfig "$@" $no_cjson
done
check "without cJSON's CMake package" build_library "$work/without_package" \
    -DREPLYIO_BUILD_EXAMPLES=OFF -DCMAKE_DISABLE_FIND_PACKAGE_cJSON=ON

# ---- A libcurl that is too old: rejected by CMake and by the compiler ----

# The headers of the installed libcurl, with the number of an old version.
mkdir -p "$work/old/curl"
curl_header=$(echo '#include <curl/curl.h>' | $cc -E - |
    sed -n 's,.* "\(.*/curl/curl\.h\)".*,\1,p' | head -n 1)
cp "${curl_header%/*}"/*.h "$work/old/curl"
sed -e 's/^\(#define LIBCURL_VERSION_NUM\) .*/\1 0x074b00/' \
    -e 's/^\(#define LIBCURL_VERSION\) .*/\1 "7.75.0"/' \
    "${curl_header%/*}/curlver.h" >"$work/old/curl/curlver.h"
names_old() { # TEXT COMMAND...
    text=$1
    shift
    not "$@" >"$work/old.log" 2>&1 && grep "$text" "$work/old.log"
}
check "libcurl 7.75: CMake" names_old '"7\.75\.0", but required is' cmake -S "$source" \
    -B "$work/old/build" -DCURL_NO_CURL_CMAKE=ON -DCURL_INCLUDE_DIR="$work/old"
# The compiler can be several words.
# shellcheck disable=SC2086
check "libcurl 7.75: the compiler" names_old 'error.*libcurl 7\.76\.0 or newer' $cc -std=c11 \
    -D_GNU_SOURCE -fsyntax-only -I"$work/old" -I"$source/include" -I"$source/src" \
    "$source/src/transport/compat.c"

# ---- The declarations for bindings ----

prefix=$work/moved/shared
set -- "$prefix/lib/libreplyio.so" "$prefix/share/replyio/replyio.cdef.h" "$fixtures/abi.txt"
if python3 -c 'import cffi' 2>/dev/null; then
    check "the declarations in Python" prints "0.1.0 9007199254740993 Active True" \
        python3 "$here/cdef.py" "$@"
else
    echo "skipped: the declarations in Python, without cffi"
fi
if command -v luajit >/dev/null 2>&1; then
    check "the declarations in LuaJIT" prints "0.1.0 9007199254740993 Active true" \
        luajit "$here/cdef.lua" "$@"
else
    echo "skipped: the declarations in LuaJIT, without luajit"
fi

# ---- The manual pages ----

names_each() { # PAGE NAME...
    page=$1
    shift
    for name in "$@"; do
        grep -q -e " $name\>" "$page" || { echo "$name is missing"; return 1; }
    done
}
# shellcheck disable=SC2046
check "each function in replyio(3)" names_each "$prefix/share/man/man3/replyio.3" \
    $(cat "$fixtures/exported_symbols.txt")
for program in $programs; do
    # shellcheck disable=SC2046
    check "each option in $program(1)" names_each "$prefix/share/man/man1/$program.1" \
        $("$prefix/bin/$program" --help | sed -n 's/^  -\(-[a-z-]*\).*/\1/p')
done
formatter_warns() { groff -mandoc -Tutf8 -ww -z "$1" 2>&1; }
if command -v groff >/dev/null 2>&1; then
    for page in "$prefix"/share/man/man*/*; do
        check "${page##*/}: no warnings" prints "" formatter_warns "$page"
    done
else
    echo "skipped: the warnings of the manual pages, without groff"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
