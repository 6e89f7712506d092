# install_packages.sh - install_packages PACKAGE..., a function for scripts: installs the Debian
# packages that are missing. If it cannot, it prints their names and returns successfully: they may
# be installed under other names.

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "cannot install packages without apt-get; install these or their equivalents: $*" >&2
        return 0
    fi
    missing=
    for package in "$@"; do
        dpkg-query --show --showformat '${Status}\n' "$package" 2>/dev/null |
            grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        return 0
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        if ! command -v sudo >/dev/null 2>&1; then
            echo "cannot install packages without sudo; run as root: apt-get install$missing" >&2
            return 0
        fi
    fi
    echo "Installing$missing" >&2
    # The names are separate words. The output of apt-get is shown only if it fails.
    # shellcheck disable=SC2086
    if ! output=$({
        $as_root apt-get update -qq &&
            $as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends $missing
    } 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}
