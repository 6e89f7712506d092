#!/bin/sh
# test_readme.sh SOURCE: each block of code in the README, taken from the README itself, does what a reader expects of it. A block of a
# kind that is not known here fails, so that none goes untested; a block without a kind is not code.
set -eu
source=$(CDPATH='' cd -- "$1" && pwd)
cc="${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH REPLY_API_KEY
passed=0
failed=0

# The blocks become the files 01.c, 02.sh and so on. They are run in a copy of the source, and installed below DESTDIR.
mkdir "$work/blocks" "$work/done" "$work/source"
awk -v folder="$work/blocks" '
    /^```/ && inside { inside = 0; close(file); next }
    /^```/           { inside = 1; file = sprintf("%s/%02d.%s", folder, ++count, substr($0, 4)); next }
    inside           { print >file }
    END              { exit inside }' "$source/README.md"
for part in CMakeLists.txt LICENSE README.md examples include src tests; do
    cp -R "$source/$part" "$work/source/"
done
cd "$work/source"
export DESTDIR="$work/root"
prefix=$DESTDIR/usr/local
libraries=

# ---- Each kind of block ----

is_whole_program() { grep -q '^int main(' "$1"; }
first_program() {
    for block in "$work"/blocks/*.c; do
        ! is_whole_program "$block" || { echo "$block"; return; }
    done
}

# A program asks for its key, and says so.
runs_without_a_key() { ! LD_LIBRARY_PATH="$libraries" "$1" >"$work/output" 2>&1 && cat "$work/output" && grep -q 'API key' "$work/output"; }

# Flags of pkg-config are separate words.
# shellcheck disable=SC2046,SC2086
compile() { $cc "$1" $(pkg-config --cflags --libs replyio) -o "$work/a.out"; }

# What is not a whole program is the callback, which the README's own call, in the text below it, uses.
wrap() {
    grep '^#include' "$(first_program)"
    cat "$1"
    echo 'int main(void) {
        reply_client *client = NULL;
        reply_error error;
        const int64_t sequence_id = 100, contact_ids[] = {12345, 12346};
        const size_t count = sizeof contact_ids / sizeof contact_ids[0];'
    # shellcheck disable=SC2016
    sed -n 's/^`\(reply_get_sequence_contacts([^`]*)\)`.*/        return \1 == REPLY_ERROR_INVALID_ARGUMENT ? 0 : 1;/p' README.md
    echo '}'
}

c_block() {
    if is_whole_program "$1"; then
        compile "$1" && runs_without_a_key "$work/a.out"
    else
        wrap "$1" >"$work/wrapped.c" && compile "$work/wrapped.c" && LD_LIBRARY_PATH="$libraries" "$work/a.out"
    fi
}

cmake_block() {
    rm -rf "$work/project"
    mkdir "$work/project"
    cp "$(first_program)" "$work/project/program.c"
    {
        printf 'cmake_minimum_required(VERSION 3.18)\nproject(program LANGUAGES C)\nadd_executable(program program.c)\n'
        cat "$1"
    } >"$work/project/CMakeLists.txt"
    cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/project/build" &&
        runs_without_a_key "$work/project/build/program"
}

# A script of the repository only has to be there: it is run by itself, and may install packages.
sh_block() {
    script=$(sed -n 's/^sh \([^ ]*\.sh\)$/\1/p' "$1")
    if [ -n "$script" ]; then
        [ -f "$script" ]
    else
        cp "$(first_program)" program.c || return 1
        sh -eu "$1" || return 1
        # A library that was installed by the block is found by the next ones.
        for folder in "$prefix"/lib*; do
            libraries=$folder
            export PKG_CONFIG_PATH="$folder/pkgconfig"
        done
    fi
}

# ---- All of them: commands first, since they install what the rest needs ----

for block in "$work"/blocks/*.sh "$work"/blocks/*.c "$work"/blocks/*.cmake "$work"/blocks/*.?*; do
    case $block in
    *.sh) run=sh_block ;;
    *.c) run=c_block ;;
    *.cmake) run=cmake_block ;;
    *) run=false ;;
    esac
    if [ ! -e "$block" ] || [ -e "$work/done/${block##*/}" ]; then
        continue
    fi
    if $run "$block" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: ${block##*/}"
        cat "$block" "$work/log"
    fi
    : >"$work/done/${block##*/}"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
