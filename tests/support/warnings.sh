# warnings.sh - for scripts to read in: $warnings, which are errors in this project's own builds, and never in a user's.
# shellcheck disable=SC2034
warnings="-Werror -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wwrite-strings -Wvla"
