#!/bin/sh
# test_readme.sh SOURCE - checks that each block of the README works as it says. A block of an
# unknown kind fails, so that each block is tested.
set -eu
source=$(CDPATH='' cd -- "$1" && pwd)
cc="${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror"
work=$(mktemp -d)
# Copies of a read-only source are read-only, and cannot be deleted until they are writable.
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH REPLY_API_KEY
passed=0
failed=0

# The blocks become the files 01.c, 02.sh and so on. They run in a copy of the source.
mkdir "$work/blocks" "$work/done" "$work/source"
awk -v directory="$work/blocks" '
    /^```/ && inside { inside = 0; close(file); next }
    /^```/ {
        inside = 1
        kind = length($0) > 3 ? substr($0, 4) : "unknown"
        file = sprintf("%s/%02d.%s", directory, ++count, kind)
        next
    }
    inside { print >file }
    END { exit inside }' "$source/README.md"
for part in CMakeLists.txt LICENSE README.md examples include src tests; do
    cp -R "$source/$part" "$work/source/"
done
chmod -R u+w "$work/source"
cd "$work/source"
export DESTDIR="$work/root"
prefix=$DESTDIR/usr/local
libraries=

# ---- One function per kind of block ----

is_whole_program() { grep -q '^int main(' "$1"; }
first_program() {
    for block in "$work"/blocks/*.c; do
        ! is_whole_program "$block" || { echo "$block"; return; }
    done
}

# Without a key, the program fails with a message that asks for it.
asks_for_key() {
    ! LD_LIBRARY_PATH="$libraries" "$1" >"$work/output" 2>&1 &&
        cat "$work/output" && grep -q 'API key' "$work/output"
}

# The flags of pkg-config are separate words.
# shellcheck disable=SC2046,SC2086
compile() { $cc "$1" $(pkg-config --cflags --libs replyio) -o "$work/a.out"; }

# Prints the call in the README's text that has the callback of the block as an argument.
find_call() {
    callback=$(sed -n 's/^static int \([a-z_]*\)(.*/\1/p' "$1")
    # shellcheck disable=SC2016
    sed -n 's/^`\(reply_[a-z_]*([^`]*, '"$callback"',[^`]*)\)`.*/\1;/p' README.md
}

# Prints a program around a callback.
wrap_callback() {
    grep '^#include' "$(first_program)"
    cat "$1"
    echo 'int main(void) {
        reply_client *client = NULL;
        reply_error error;
        const int64_t sequence_id = 100, contact_ids[] = {12345, 12346};
        const size_t count = sizeof contact_ids / sizeof contact_ids[0];
        (void)count;'
    echo 'return REPLY_ERROR_INVALID_ARGUMENT !='
    find_call "$1"
    echo '}'
}

c_block() {
    if is_whole_program "$1"; then
        compile "$1" && asks_for_key "$work/a.out"
    else
        wrap_callback "$1" >"$work/wrapped.c" && compile "$work/wrapped.c" &&
            LD_LIBRARY_PATH="$libraries" "$work/a.out"
    fi
}

cmake_block() {
    rm -rf "$work/project"
    mkdir "$work/project"
    cp "$(first_program)" "$work/project/program.c"
    {
        echo 'cmake_minimum_required(VERSION 3.18)'
        echo 'project(program LANGUAGES C)'
        echo 'add_executable(program program.c)'
        cat "$1"
    } >"$work/project/CMakeLists.txt"
    cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$work/project/build" && asks_for_key "$work/project/build/program"
}

# A script of the repository only has to exist, because the text block or another test runs it.
sh_block() {
    script=$(sed -n 's/^sh \([^ ]*\.sh\)$/\1/p' "$1")
    if [ -n "$script" ]; then
        [ -f "$script" ]
    else
        cp "$(first_program)" program.c || return 1
        sh -eu "$1" || return 1
        # The next blocks find a library that the block has installed.
        for directory in "$prefix"/lib*; do
            libraries=$directory
            export PKG_CONFIG_PATH="$directory/pkgconfig"
        done
    fi
}

# Replaces what depends on the day of the run.
mask_age() { sed 's/, [0-9 dhmins]* ago$/, ... ago/' "$1"; }

# Compares a block with the output of examples/run.sh, against its mock server. A test installs no
# packages.
is_example_output() {
    echo 'install_packages() { :; }' >examples/install_packages.sh
    TZ=UTC NO_COLOR=1 BUILD_DIR="$work/example" sh examples/run.sh >"$work/card" </dev/null &&
        mask_age "$work/card" >"$work/actual" && mask_age "$1" | diff - "$work/actual"
}

# Compares a block with the packages that examples/run.sh installs.
is_package_list() {
    sed -n -e ':join' -e '/\\$/{N;s/ *\\\n */ /;b join' -e '}' -e 's/^install_packages //p' \
        examples/run.sh | diff - "$1"
}

text_block() {
    if grep -q libcurl "$1"; then
        is_package_list "$1"
    else
        is_example_output "$1"
    fi
}

# ---- All blocks: commands first, because they install what the others need ----

for block in "$work"/blocks/*.sh "$work"/blocks/*; do
    case $block in
    *.sh) run=sh_block ;;
    *.c) run=c_block ;;
    *.cmake) run=cmake_block ;;
    *.text) run=text_block ;;
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
