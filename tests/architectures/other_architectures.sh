#!/bin/sh
# other_architectures.sh [ARCHITECTURE...] - builds the tests for Debian architectures, with
# warnings as errors, and runs them. Default: i386 and s390x. BUILD_DIR is the parent of the build
# directories; its path must not have spaces, because it becomes part of commands.
#
#   i386   pointers and long have 32 bits, int64_t is aligned to 4 bytes, and doubles are computed
#          with extra precision
#   s390x  big-endian, and char is unsigned
#
# The script installs compilers, an emulator and the programs that the tests run on the host. The
# architecture's libraries are only unpacked into the build directory.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
builds=${BUILD_DIR:-$root/build}
[ $# -gt 0 ] || set -- i386 s390x
. "$root/examples/install_packages.sh"
. "$root/tests/support/warnings.sh"

# These tests do not depend on the architecture: they use the host's compilers.
excluded='^(check_includes|header|packaging|readme)$'

# Runs apt-get with a separate state that has only the architecture and no installed packages.
target_apt_get() {
    apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
        -o APT::Sandbox::User=root -o Dir::Cache="$state" -o Dir::State="$state" \
        -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" "$@"
}

# Unpacks the libraries and their dependencies into $sysroot. A mirror that is being updated can
# lack a package list for a while. If the second update fails too, the other lists must suffice.
unpack_libraries() {
    rm -rf "$state" "$sysroot.part"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$sysroot.part"
    : >"$state/status"
    target_apt_get update || { sleep 5 && target_apt_get update; } || true
    # libc-bin has the locale C.UTF-8, whose format depends on the byte order.
    target_apt_get install -y --download-only --no-install-recommends libc6-dev libc-bin \
        libcurl4-openssl-dev libcjson-dev libcmocka-dev
    for package in "$state"/archives/*.deb; do
        dpkg -x "$package" "$sysroot.part"
    done
    mv "$sysroot.part" "$sysroot"
    rm -rf "$state"
}

# write_command FILE LINE: makes the file a command that runs the line.
write_command() {
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

# An x86_64 processor can run i386 programs, if the kernel permits it.
runs_natively() {
    [ "$architecture" = i386 ] && [ "$(uname -m)" = x86_64 ] &&
        "$sysroot/lib/ld-linux.so.2" --version >/dev/null 2>&1
}

test_architecture() {
    mkdir -p "$builds/$architecture"
    build=$(cd "$builds/$architecture" && pwd)
    sysroot=$build/sysroot
    state=$build/apt
    install_packages cmake make pkg-config nginx-light openssl ca-certificates binutils \
        "gcc-$compiler" qemu-user
    if [ ! -d "$sysroot" ]; then
        echo "Unpacking the libraries of $architecture" >&2
        unpack_libraries
    fi

    write_command "$build/compiler" "exec $compiler-gcc --sysroot='$sysroot' \"\$@\""
    if runs_natively; then
        write_command "$build/emulator" "exec '$sysroot/lib/ld-linux.so.2' \\
    --library-path '$sysroot/lib/$libraries:$sysroot/usr/lib/$libraries' \"\$@\""
    else
        # One CA replaces the host's: reading all would exceed the tests' connect timeouts.
        mkdir -p "$sysroot/etc/ssl/certs"
        cp "$root/tests/fixtures/wire/ca.pem" "$sysroot/etc/ssl/certs/ca-certificates.crt"
        write_command "$build/emulator" "exec qemu-$architecture -L '$sysroot' \"\$@\""
        export REPLY_TEST_SLOWNESS="${REPLY_TEST_SLOWNESS:-3}"
    fi

    export PKG_CONFIG_SYSROOT_DIR="$sysroot"
    export PKG_CONFIG_LIBDIR="$sysroot/usr/lib/$libraries/pkgconfig:$sysroot/usr/share/pkgconfig"
    # cJSON's CMake package works only in /usr, so find cJSON with pkg-config.
    cmake -S "$root" -B "$build" -DCMAKE_SYSTEM_NAME=Linux \
        -DCMAKE_SYSTEM_PROCESSOR="${compiler%%-*}" \
        -DCMAKE_C_COMPILER="$build/compiler" -DCMAKE_C_FLAGS="$warnings" \
        -DCMAKE_CROSSCOMPILING_EMULATOR="$build/emulator" -DCMAKE_FIND_ROOT_PATH="$sysroot" \
        -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
        -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY \
        -DCMAKE_DISABLE_FIND_PACKAGE_cJSON=ON
    cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"
    cd "$build"
    ctest --output-on-failure -j "$(getconf _NPROCESSORS_ONLN)" --exclude-regex "$excluded"
}

for architecture in "$@"; do
    case $architecture in
    i386) compiler=i686-linux-gnu libraries=i386-linux-gnu ;;
    s390x) compiler=s390x-linux-gnu libraries=s390x-linux-gnu ;;
    *)
        echo "$architecture: unknown architecture; use i386 or s390x" >&2
        exit 2
        ;;
    esac
    # The subshell keeps the directory and the environment of one architecture from the next.
    (test_architecture)
done
