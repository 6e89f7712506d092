# install_packages.sh - for scripts to read in: install_packages PACKAGE... installs the Debian packages that are missing. Where
# that cannot be done it says which are needed and goes on, since they may be there under other names.

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Without apt-get nothing is installed. These Debian packages, or what they hold, are needed: $*" >&2
        return 0
    fi
    missing=
    for package in "$@"; do
        dpkg-query --show --showformat '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        return 0
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Only root can install packages. These are missing:$missing" >&2
            return 0
        fi
    fi
    echo "Installing$missing" >&2
    # The names are separate words. What apt-get prints is shown only if it fails.
    # shellcheck disable=SC2086
    if ! output=$({ $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}
