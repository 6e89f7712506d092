#!/bin/sh
# check_includes.sh [ROOT] - checks the rules for the files in ROOT/src and prints each violation
# with its file and line. ROOT is the project's directory by default. The rules:
#
#   - Includes are written from src/ and go downwards: api, dispatch, transport and decode, base.
#     transport and decode do not include each other.
#   - Only transport/ includes libcurl, and only decode/ includes cJSON.
#   - Only transport/compat.c and compat.h test a libcurl version.
#   - Headers in src and include have different names.
#   - A source needs no macro from the build except _GNU_SOURCE and REPLYIO_VERSION.
set -eu
cd "${1:-$(dirname -- "$0")/../..}"

# The paths have no spaces or newlines: they are separate words.
# shellcheck disable=SC2046
LC_ALL=C awk '
BEGIN {
    level["base"] = 1
    level["decode"] = level["transport"] = 2
    level["dispatch"] = 3
    level["api"] = 4
    digit = "[0-9A-Fa-f]"
    version_number = "0[xX]0[7-9]" digit digit digit digit "([^0-9A-Fa-f]|$)"
}

function report(message) {
    print path[n] ":" line[n] ": " message
    failed = 1
}

# Removes comments, which may continue on the next line (is_comment), and, into code, strings.
function strip(text,    result, c, quote) {
    result = code = quote = ""
    while (text != "") {
        c = substr(text, 1, 1)
        if (is_comment) {
            is_comment = substr(text, 1, 2) != "*/"
            text = substr(text, is_comment ? 2 : 3)
            continue
        }
        if (quote == "" && substr(text, 1, 2) == "/*") {
            is_comment = 1
            text = substr(text, 3)
            result = result " "
            code = code " "
            continue
        }
        if (quote == "" && substr(text, 1, 2) == "//") {
            break
        }
        if (quote != "" && c == "\\") {
            result = result substr(text, 1, 2)
            text = substr(text, 3)
            continue
        }
        if (quote == "" && (c == "\"" || c == "\047")) {
            quote = c
        } else if (c == quote) {
            quote = ""
        } else if (quote == "") {
            code = code c
        }
        result = result c
        text = substr(text, 2)
    }
    return result
}

FNR == 1 {
    is_comment = 0
    name = FILENAME
    sub(/.*\//, "", name)
    if (name ~ /\.h$/) {
        if (name in header) {
            print FILENAME ":1: " header[name] " has the same name"
            failed = 1
        } else {
            header[name] = FILENAME
        }
    }
}

{
    count++
    path[count] = FILENAME
    line[count] = FNR
    text_of[count] = strip($0)
    code_of[count] = code
    if (code ~ /^[ \t]*#[ \t]*define[ \t]/) {
        macro = code
        sub(/^[ \t]*#[ \t]*define[ \t]+/, "", macro)
        sub(/[^A-Za-z0-9_].*/, "", macro)
        if (FILENAME ~ /\.h$/) {
            is_defined[macro] = 1
        } else {
            is_defined[FILENAME, macro] = 1
        }
    }
}

function check_include(directory, included,    target) {
    is_quoted = included ~ /^"/
    if (included !~ /^[<"]/) {
        report("includes " included ", which is not a file name")
        return
    }
    gsub(/[<>"]/, "", included)
    sub(/[ \t]*$/, "", included)
    target = included
    sub(/\/.*/, "", target)
    if (target == "curl" || included == "curl.h") {
        if (directory != "transport") {
            report("includes libcurl outside transport/")
        }
    } else if (tolower(target) == "cjson" || included == "cJSON.h") {
        if (directory != "decode") {
            report("includes cJSON outside decode/")
        }
    } else if (target in level && target != included) {
        if (target != directory && level[target] >= level[directory]) {
            report(directory "/ must not include \"" included "\"")
        }
    } else if (is_quoted && included != "replyio.h") {
        report("includes \"" included "\", which is not written from src/")
    }
}

# Macros of the compiler and of libcurl do not come from the build, nor do limits such as INT64_MAX.
function check_macros(code, is_conditional,    word) {
    while (match(code, /[A-Za-z0-9_]+/)) {
        word = substr(code, RSTART, RLENGTH)
        code = substr(code, RSTART + RLENGTH)
        if (word in is_defined || (path[n], word) in is_defined || word ~ /^[0-9]/ ||
            word == "_GNU_SOURCE" || word == "REPLYIO_VERSION") {
            continue
        }
        if (word ~ /^REPLYIO_/ ||
            (is_conditional && word != "defined" && word !~ /^(__|CURL|LIBCURL)|_(MAX|MIN)$/)) {
            report("needs the macro " word " from the build")
        }
    }
}

END {
    for (n = 1; n <= count; n++) {
        if (path[n] !~ /^src\//) {
            continue
        }
        directory = path[n]
        sub(/^src\//, "", directory)
        sub(/\/?[^\/]*$/, "", directory)
        if (!(directory in level)) {
            if (line[n] == 1) {
                report("not in src/api, dispatch, transport, decode or base")
            }
            continue
        }
        text = text_of[n]
        code = code_of[n]
        if (sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)) {
            check_include(directory, text)
            continue
        }
        if (path[n] !~ /^src\/transport\/compat\.[ch]$/ &&
            (code ~ /LIBCURL_VERSION_|version_num|CURL_AT_LEAST_VERSION/ ||
             code ~ version_number)) {
            report("tests a libcurl version outside transport/compat.c")
        }
        if (!is_continued) {
            is_conditional = code ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)([^a-z]|$)/
        }
        sub(/^[ \t]*#[ \t]*[a-z]+/, "", code)
        check_macros(code, is_conditional)
        is_continued = code ~ /\\$/
    }
    if (count == 0) {
        print "src: no files"
        failed = 1
    }
    exit failed
}' $(find src include -name '*.[ch]' | LC_ALL=C sort) </dev/null
