#!/bin/sh
# other_architectures.sh [ARCHITECTURE...]: builds the tests for Debian's architectures of these names, with warnings as errors, and
# runs them. Without names: i386, where pointers and long have 32 bits, int64_t needs no more alignment than these, and doubles are
# reckoned with more bits than they keep; and s390x, where the highest byte comes first and char has no sign. BUILD_DIR names the
# folder that gets a build folder for each; its path has no space, since the emulator there becomes a part of commands.
#
# The host gets compilers, an emulator and what the tests run. What an architecture's programs are built from and run with is
# unpacked into the build folder.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
builds=${BUILD_DIR:-$root/build}
[ $# -gt 0 ] || set -- i386 s390x
. "$root/examples/install_packages.sh"
. "$root/tests/support/warnings.sh"

# These tests would say nothing of the architecture: header compiles by the host's compilers, packaging and readme build and install
# the library for the host.
excluded='^(header|packaging|readme)$'

# apt-get with a state of its own, which knows the packages of the architecture alone and takes none for installed.
target_apt_get() {
    apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
        -o Dir::Cache="$state" -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" "$@"
}

# Unpacks the libraries, and all that they need, into $sysroot. A mirror that is just changing may lack a list of packages for a
# while: after a second try the other lists have to do, with a version that may be older.
unpack_libraries() {
    rm -rf "$state" "$sysroot.part"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$sysroot.part"
    : >"$state/status"
    target_apt_get update || { sleep 5 && target_apt_get update; } || true
    target_apt_get install -y --download-only --no-install-recommends libc6-dev libcurl4-openssl-dev libcjson-dev libcmocka-dev
    for package in "$state"/archives/*.deb; do
        dpkg -x "$package" "$sysroot.part"
    done
    mv "$sysroot.part" "$sysroot"
    rm -rf "$state"
}

# write_command FILE LINE: makes the file a command that does what the line says.
write_command() {
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

# An x86_64 processor runs the programs of i386 itself, where its kernel lets it.
runs_natively() {
    [ "$architecture" = i386 ] && [ "$(uname -m)" = x86_64 ] && "$sysroot/lib/ld-linux.so.2" --version >/dev/null 2>&1
}

test_architecture() {
    mkdir -p "$builds/$architecture"
    build=$(cd "$builds/$architecture" && pwd)
    sysroot=$build/sysroot
    state=$build/apt
    install_packages cmake make pkg-config nginx-light openssl ca-certificates binutils "gcc-$compiler" qemu-user
    if [ ! -d "$sysroot" ]; then
        echo "Unpacking the libraries of $architecture" >&2
        unpack_libraries
    fi

    write_command "$build/compiler" "exec $compiler-gcc --sysroot='$sysroot' \"\$@\""
    if runs_natively; then
        write_command "$build/emulator" "exec '$sysroot/lib/ld-linux.so.2' \\
    --library-path '$sysroot/lib/$libraries:$sysroot/usr/lib/$libraries' \"\$@\""
    else
        # The system's certificates are one here: to read all of the host's takes longer than the tests give a connection.
        mkdir -p "$sysroot/etc/ssl/certs"
        cp "$root/tests/fixtures/wire/ca.pem" "$sysroot/etc/ssl/certs/ca-certificates.crt"
        write_command "$build/emulator" "exec qemu-$architecture -L '$sysroot' \"\$@\""
        export REPLY_TEST_SLOWNESS="${REPLY_TEST_SLOWNESS:-3}"
    fi

    export PKG_CONFIG_SYSROOT_DIR="$sysroot" PKG_CONFIG_LIBDIR="$sysroot/usr/lib/$libraries/pkgconfig:$sysroot/usr/share/pkgconfig"
    # cJSON's CMake package stands in no other folder than /usr; pkg-config finds cJSON.
    cmake -S "$root" -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${compiler%%-*}" \
        -DCMAKE_C_COMPILER="$build/compiler" -DCMAKE_C_FLAGS="$warnings" -DCMAKE_CROSSCOMPILING_EMULATOR="$build/emulator" \
        -DCMAKE_FIND_ROOT_PATH="$sysroot" -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
        -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY -DCMAKE_DISABLE_FIND_PACKAGE_cJSON=ON
    cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)"
    cd "$build"
    ctest --output-on-failure -j "$(getconf _NPROCESSORS_ONLN)" --exclude-regex "$excluded"
}

for architecture in "$@"; do
    case $architecture in
    i386) compiler=i686-linux-gnu libraries=i386-linux-gnu ;;
    s390x) compiler=s390x-linux-gnu libraries=s390x-linux-gnu ;;
    *)
        echo "$architecture: neither i386 nor s390x" >&2
        exit 2
        ;;
    esac
    # In a shell of its own, which keeps its folder and environment to itself.
    (test_architecture)
done
