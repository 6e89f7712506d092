#!/bin/sh
# debian.sh SUITE [SOURCE] - builds and tests the source (default: this one) in a Debian of its own,
# with that system's compilers and libraries and with warnings as errors. SUITE is trixie or sid.
# Both commands of the README run: examples/run.sh and tests/run.sh.
#
# COMPILERS names the compilers: gcc (the default), clang or both. SCRIPTS names further scripts of
# the source, which run afterwards, such as tests/analysers/analyse.sh. That one needs a source with
# its git repository.
#
# The script must run as root. The system stays in BUILD_DIR for the next run; delete its directory
# to install the newest packages. A sid that cannot be installed is reported, and the script
# succeeds: sid is inconsistent at times.
set -eu
suite=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
source=$(CDPATH='' cd -- "${2:-$here}" && pwd)
builds=${BUILD_DIR:-$here/build}
compilers=${COMPILERS:-gcc}
. "$here/examples/install_packages.sh"
. "$here/tests/support/warnings.sh"
install_packages mmdebstrap util-linux
mkdir -p "$builds/debian-$suite"
directory=$(cd "$builds/debian-$suite" && pwd)

# inside ROOT COMMAND [ARGUMENT...]: runs the command in the system, with /proc and /dev. The mounts
# and the processes are in namespaces of their own, so that none is left, even after an interrupt.
inside() {
    # The inner shell expands the expressions.
    # shellcheck disable=SC2016
    unshare --mount --propagation private --pid --fork --kill-child sh -euc '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
            LC_ALL=C.UTF-8 chroot "$root" "$@"' inside "$@"
}

# The packages that tests/run.sh installs, and those without which it would skip tests.
packages() {
    sed -n -e ':join' -e '/\\$/{N;s/ *\\\n */ /;b join' -e '}' -e 's/^install_packages //p' \
        "$source/tests/run.sh"
    echo "$compilers" binutils bsdutils g++ groff luajit python3 python3-cffi
}

# This machine's settings for its mirror: a proxy, or a mirror whose lists are old.
mirror_settings() {
    for setting in Acquire::http::Proxy Acquire::Check-Date Acquire::Check-Valid-Until; do
        apt-config dump "$setting"
    done
}

install_base() {
    rm -rf "$directory/root"
    echo "Installing Debian $suite" >&2
    mirror_settings >"$directory/mirror"
    mmdebstrap --variant=minbase --include="$(packages | tr -s ' \n' ,)" \
        --aptopt="$directory/mirror" "$suite" "$directory/root" >"$directory/install.log" 2>&1 &&
        : >"$directory/installed"
}

copy_source() {
    # git refuses to read another user's repository.
    rm -rf "$directory/root/checkout" && mkdir "$directory/root/checkout" &&
        tar -C "$source" --exclude=./build -cf - . |
        tar -C "$directory/root/checkout" --no-same-owner -xf -
}

# The packages are separate words. The inner shell expands the expressions.
# shellcheck disable=SC2016,SC2046
install_system() {
    { [ -f "$directory/installed" ] || install_base; } && copy_source &&
        inside "$directory/root" sh -euc '
            . /checkout/examples/install_packages.sh
            install_packages "$@"' install $(packages) >>"$directory/install.log" 2>&1
}

if ! install_system; then
    tail -n 20 "$directory/install.log"
    echo "Debian $suite cannot be installed"
    [ "$suite" != trixie ]
    exit
fi

status=0
for compiler in $compilers; do
    # shellcheck disable=SC2016
    inside "$directory/root" sh -euc '
        suite=$1 compiler=$2 warnings=$3
        printf "\n== Debian %s, %s %s, libcurl %s, cJSON %s\n" "$suite" "$compiler" \
            "$($compiler -dumpfullversion -dumpversion)" \
            "$(pkg-config --modversion libcurl)" "$(pkg-config --modversion libcjson)"
        export CC=$compiler
        BUILD_DIR=/root/build/$compiler-example sh /checkout/examples/run.sh
        BUILD_DIR=/root/build/$compiler \
            sh /checkout/tests/run.sh -DCMAKE_C_FLAGS="$warnings"' \
        run "$suite" "$compiler" "$warnings" || status=1
done
for script in ${SCRIPTS:-}; do
    printf '\n== Debian %s, %s\n' "$suite" "$script"
    inside "$directory/root" env BUILD_DIR=/root/build sh "/checkout/$script" || status=1
done
exit $status
