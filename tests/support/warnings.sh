# warnings.sh - for scripts to include. $warnings are the warnings that are errors in the project's
# own builds, never in a user's.
# shellcheck disable=SC2034
warnings="-Werror -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
-Wmissing-prototypes -Wundef -Wwrite-strings -Wvla"
