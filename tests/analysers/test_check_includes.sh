#!/bin/sh
# test_check_includes.sh - tests that check_includes.sh accepts a tree that follows the rules, and
# that it finds each violation in a tree that has only that one.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# write FILE: writes standard input to a file of the tree.
write() {
    mkdir -p "$work/tree/$(dirname -- "$1")"
    cat >"$work/tree/$1"
}

# A tree that follows the rules, with text that only looks like a violation.
write_valid_tree() {
    rm -rf "$work/tree"
    write include/replyio.h <<'END'
#ifndef REPLYIO_H
#define REPLYIO_H
#ifdef __cplusplus
#endif
#endif
END
    write src/base/error.h <<'END'
#ifndef REPLYIO_ERROR_H
#define REPLYIO_ERROR_H
#include <stdint.h>
#include "replyio.h"
#endif
END
    write src/decode/json.h <<'END'
#include "base/error.h"
END
    write src/decode/json.c <<'END'
/* json.c - "// /* in a comment
#include "api/client.h"
 */
#include "decode/json.h"
#include <cjson/cJSON.h>
static const char text[] = "/* not a comment: \" REPLYIO_DEBUG LIBCURL_VERSION_NUM";
static const unsigned max_code_point = 0x10FFFF; // LIBCURL_VERSION_NUM
END
    write src/transport/transport.h <<'END'
#include "base/error.h"
END
    write src/transport/compat.c <<'END'
#include <curl/curl.h>
#include "transport/transport.h"
#if LIBCURL_VERSION_NUM >= 0x080600
#endif
END
    write src/dispatch/dispatch.c <<'END'
#include "decode/json.h"
#include "transport/transport.h"
#define LOCAL 1
#if LOCAL && SIZE_MAX > 0xFFFFFFFF && \
    defined(_GNU_SOURCE)
#endif
END
    write src/api/client.c <<'END'
#include "dispatch/dispatch.h"
#include "base/error.h"
static const char *const version = REPLYIO_VERSION;
END
}

check() { # NAME CONDITION...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        sed 's/^/  output: /' "$work/output"
    fi
}

check_tree() { sh "$here/check_includes.sh" "$work/tree" >"$work/output"; }
is_accepted() { check_tree && [ ! -s "$work/output" ]; }

# is_only_violation TEXT: the check fails and prints one line, which contains the text.
is_only_violation() {
    ! check_tree &&
        [ "$(wc -l <"$work/output")" -eq 1 ] && grep -qF -e "$1" "$work/output"
}

# violation FILE LINE MESSAGE: adds the line to a file of the valid tree, as its last.
violation() {
    write_valid_tree
    [ -e "$work/tree/$1" ] || : | write "$1"
    printf '%s\n' "$2" >>"$work/tree/$1"
    number=$(wc -l <"$work/tree/$1")
    check "$1: $2" is_only_violation "$1:$number: $3"
}

write_valid_tree
check "a valid tree" is_accepted

violation src/base/error.h '#include "decode/json.h"' 'base/ must not include "decode/json.h"'
violation src/base/error.c '#include "api/client.h"' 'base/ must not include "api/client.h"'
violation src/decode/json.c '#include "transport/transport.h"' 'decode/ must not include'
violation src/transport/compat.c '#  include "decode/json.h"' 'transport/ must not include'
violation src/transport/compat.c '#include <dispatch/retry.h>' 'transport/ must not include'
violation src/decode/json.c '#include "dispatch/retry.h"' 'decode/ must not include'
violation src/dispatch/dispatch.c '#include "api/client.h"' 'dispatch/ must not include'

violation src/base/error.c '#include "error.h"' 'includes "error.h", which is not written from src/'
violation src/api/client.c '#include "../base/error.h"' 'includes "../base/error.h", which is not'
violation src/api/client.c '#include HEADER' 'includes HEADER, which is not a file name'
violation src/client.c '#include "base/error.h"' 'not in src/api'
violation src/wire/client.c '#include "base/error.h"' 'not in src/api'

violation src/dispatch/dispatch.c '#include <curl/curl.h>' 'includes libcurl outside transport/'
violation src/api/client.c '#include "curl/curl.h"' 'includes libcurl outside transport/'
violation src/transport/compat.c '#include <cjson/cJSON.h>' 'includes cJSON outside decode/'
violation src/api/client.c '#include <cJSON.h>' 'includes cJSON outside decode/'

version='tests a libcurl version outside transport/compat.c'
violation src/transport/session.c '#if LIBCURL_VERSION_NUM >= LATEST_MAX' "$version"
violation src/transport/session.c '#if CURL_AT_LEAST_VERSION(8, 6, 0)' "$version"
violation src/transport/session.c 'if (info->version_num < first) {' "$version"
violation src/transport/session.c 'if (number > 0x080100) {' "$version"

violation src/api/client.c '#ifdef REPLYIO_DEBUG' 'needs the macro REPLYIO_DEBUG from the build'
violation src/api/client.c '#if defined(HAVE_GETENTROPY)' 'needs the macro HAVE_GETENTROPY'
violation src/api/client.c '#if LOCAL' 'needs the macro LOCAL from the build'
violation src/api/client.c 'size_t size = REPLYIO_SIZE;' 'needs the macro REPLYIO_SIZE'

write_valid_tree
cp "$work/tree/src/base/error.h" "$work/tree/src/decode/error.h"
check "two headers with the same name" is_only_violation \
    "src/decode/error.h:1: src/base/error.h has the same name"
write_valid_tree
cp "$work/tree/include/replyio.h" "$work/tree/src/api/replyio.h"
check "the public header's name" is_only_violation \
    "src/api/replyio.h:1: include/replyio.h has the same name"
rm -rf "$work/tree/src" "$work/tree/include"
mkdir "$work/tree/src" "$work/tree/include"
check "an empty tree" is_only_violation "src: no files"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
