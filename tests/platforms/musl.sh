#!/bin/sh
# musl.sh - builds the examples and the tests with musl instead of glibc, and runs them. Warnings are
# errors in the tests. BUILD_DIR is the build directory.
#
# Debian has musl, but no libraries for it. So the script builds them from Debian's source packages,
# once: they stay in BUILD_DIR.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
mkdir -p "${BUILD_DIR:-$root/build/musl}"
build=$(cd "${BUILD_DIR:-$root/build/musl}" && pwd)
prefix=$build/prefix
sources=$build/sources
state=$build/apt
processors=$(getconf _NPROCESSORS_ONLN)
. "$root/examples/install_packages.sh"
. "$root/tests/support/warnings.sh"
install_packages cmake gcc make pkg-config nginx-light openssl ca-certificates musl-tools \
    linux-libc-dev dpkg-dev perl

# Tests of what musl does not have, or of the host's glibc:
#
#   header, packaging, readme   use the host's compiler and libraries
#   check_includes              does not run code
excluded='^(check_includes|header|packaging|readme)$'

# Runs apt-get with a state of its own, because a system need not know its source packages.
source_apt_get() {
    apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$state/sources.list" \
        -o Dir::Etc::SourceParts=- -o Dir::Cache="$state" -o Dir::State::Lists="$state/lists" "$@"
}

# Unpacks the source packages of the system's release to $sources/PACKAGE-VERSION. Security updates
# do not matter here, and a mirror can lack their sources.
unpack_sources() {
    rm -rf "$state" "$sources"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$sources"
    # The expressions are apt's.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(LABEL) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' |
        sed -n 's,^Debian ,deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ,p' \
            >"$state/sources.list"
    source_apt_get update
    (cd "$sources" && source_apt_get source zlib nghttp2 openssl curl cjson cmocka)
    rm -rf "$state"
}

# build_with_cmake PACKAGE [ARGUMENT...]
build_with_cmake() {
    package=$1
    shift
    cmake -S "$sources/$package"-* -B "$build/$package" -DCMAKE_C_COMPILER=musl-gcc \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_INSTALL_PREFIX="$prefix" \
        -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_FIND_ROOT_PATH="$prefix" -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
        -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY "$@"
    cmake --build "$build/$package" -j "$processors"
    cmake --install "$build/$package"
}

build_zlib() {
    (
        cd "$sources"/zlib-*
        CC=musl-gcc ./configure --prefix="$prefix"
        make -s -j "$processors" install
    )
}

# Without what libcurl does not need for TLS, because OpenSSL takes longer than the rest.
build_openssl() {
    (
        cd "$sources"/openssl-*
        CC=musl-gcc ./Configure --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
            "linux-$(uname -m)" no-shared no-tests no-engine no-legacy no-dso no-asm no-aria \
            no-bf no-blake2 no-camellia no-cast no-cmp no-cms no-comp no-ct no-des no-dsa no-dtls \
            no-ec2m no-gost no-idea no-md4 no-mdc2 no-ocb no-psk no-rc2 no-rc4 no-rmd160 \
            no-scrypt no-seed no-siphash no-siv no-sm2 no-sm3 no-sm4 no-srp no-srtp no-ssl3 no-ts \
            no-whirlpool -fPIC
        make -s -j "$processors" build_libs
        make -s install_dev
    )
}

build_libraries() {
    rm -rf "$prefix"
    mkdir -p "$prefix/include"
    # musl has no kernel headers; they do not depend on the C library.
    for directory in linux asm-generic; do
        ln -s "/usr/include/$directory" "$prefix/include/$directory"
    done
    ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$prefix/include/asm"
    unpack_sources
    export CFLAGS="-I$prefix/include"
    build_zlib
    build_openssl
    build_with_cmake nghttp2 -DENABLE_LIB_ONLY=ON
    build_with_cmake curl -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DENABLE_MANUAL=OFF \
        -DHTTP_ONLY=ON -DCURL_DISABLE_NTLM=ON -DUSE_NGHTTP2=ON -DCURL_USE_OPENSSL=ON \
        -DCURL_USE_LIBSSH2=OFF -DUSE_LIBIDN2=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF \
        -DENABLE_THREADED_RESOLVER=ON -DCURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
    build_with_cmake cjson -DENABLE_CJSON_TEST=OFF
    build_with_cmake cmocka -DWITH_EXAMPLES=OFF
    unset CFLAGS
    rm -rf "$sources"
}

if [ ! -f "$prefix/complete" ]; then
    echo "Building the libraries" >&2
    trap 'tail -n 50 "$build/libraries.log"' EXIT
    build_libraries >"$build/libraries.log" 2>&1
    trap - EXIT
    : >"$prefix/complete"
fi
export PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig:$prefix/share/pkgconfig"
env -u REPLY_API_KEY CC=musl-gcc CMAKE_PREFIX_PATH="$prefix" BUILD_DIR="$build/example" \
    sh "$root/examples/run.sh"
cmake -S "$root" -B "$build/tests" -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_C_FLAGS="$warnings" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_ROOT_PATH="$prefix" \
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY
cmake --build "$build/tests" -j "$processors"
cd "$build/tests"
ctest --output-on-failure -j "$((processors + 1))" --exclude-regex "$excluded"
