/* test_json.c - strict JSON scanner. All of JSON's syntax is tested here, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "decode/json.h"
#include "support/fixture.h"
#include "support/check_range.h"

/* ---- Cases ---- */

/* Expected: the kind and place of the document with its flags, then a line per member. */
struct valid_case {
    const char *name;
    const char *text;
    size_t length;
    const char *expected;
};

struct invalid_case {
    const char *name;
    const char *text;
    size_t length;
    size_t offset;
    const char *reason;
};

static const struct valid_case valid_cases[] = {
    {"array: empty", TEXT("[]"), "array at 0, 2 bytes\n"},
    {"array: mixed", TEXT("[null, true,false , 0, -1.5e+3, \"x\", {}, []]\n"),
     "array at 0, 44 bytes\n"},
    {"array: nested", TEXT("[[],[[]],{\"a\":[{}]}, [ ] ]"), "array at 0, 26 bytes\n"},
    {"array: whitespace", TEXT(" \t\r\n[ \t\r\n1 \t\r\n,\t\r\n 2\n]\r\n\t "),
     "array at 4, 18 bytes\n"},
    {"byte order mark", TEXT("\xEF\xBB\xBF{\"a\":1}"),
     "object at 3, 7 bytes\n"
     "\"a\": number integer 1\n"},
    {"byte order mark: then whitespace", TEXT("\xEF\xBB\xBF \n[1]"), "array at 5, 3 bytes\n"},
    {"literal: false", TEXT("\tfalse"), "false at 1, 5 bytes\n"},
    {"literal: null", TEXT("null"), "null at 0, 4 bytes\n"},
    {"literal: true", TEXT("true "), "true at 0, 4 bytes\n"},
    {"number: all", TEXT("-12.034E+567"), "number at 0, 12 bytes\n"},
    {"number: exponent", TEXT("1e5"), "number at 0, 3 bytes\n"},
    {"number: exponent minus", TEXT("-0e-00"), "number at 0, 6 bytes\n"},
    {"number: exponent plus", TEXT("1E+05"), "number at 0, 5 bytes\n"},
    {"number: fraction", TEXT("0.0"), "number at 0, 3 bytes\n"},
    {"number: fraction minus", TEXT("-1.50"), "number at 0, 5 bytes\n"},
    {"number: huge", TEXT("1e999999999"), "number at 0, 11 bytes\n"},
    {"number: long", TEXT(TIMES_240("9") TIMES_60("9") TIMES_60("9") TIMES_20("9") TIMES_20("9")),
     "number at 0, 400 bytes, integer\n"},
    {"number: minus", TEXT("-10"), "number at 0, 3 bytes, integer\n"},
    {"number: minus zero", TEXT("-0"), "number at 0, 2 bytes, integer\n"},
    {"number: one", TEXT("1"), "number at 0, 1 bytes, integer\n"},
    {"number: zero", TEXT("0"), "number at 0, 1 bytes, integer\n"},
    {"number: zero fraction exponent", TEXT("0.0e0"), "number at 0, 5 bytes\n"},
    {"object: brackets in strings", TEXT("{\"]}\":\"[{\",\"a\":[\"]\",\"}\"],\"b\":\"\\\"}\"}"),
     "object at 0, 35 bytes\n"
     "\"]}\": string \"[{\"\n"
     "\"a\": array [\"]\",\"}\"]\n"
     "\"b\": string escape \"\\\"}\"\n"},
    {"object: empty", TEXT("{}"), "object at 0, 2 bytes\n"},
    {"object: empty whitespace", TEXT("\n{ \r\n\t}"), "object at 1, 6 bytes\n"},
    {"object: escapes",
     TEXT("{\"\\u0061\":\"\\u0062\",\"plain\":\"\\\\\",\"nul\\u0000\":\"\\ud800\",\"\\udc00\":"
          "\"\\ud83d\\ude00\",\"a\":[\"\\u0000\"],\"o\":{\"\\ud800\":1}}"),
     "object at 0, 109 bytes, not-text\n"
     "\"\\u0061\" escape: string escape \"\\u0062\"\n"
     "\"plain\": string escape \"\\\\\"\n"
     "\"nul\\u0000\" escape not-text: string escape not-text \"\\ud800\"\n"
     "\"\\udc00\" escape not-text: string escape \"\\ud83d\\ude00\"\n"
     "\"a\": array not-text [\"\\u0000\"]\n"
     "\"o\": object not-text {\"\\ud800\":1}\n"},
    {"object: kinds",
     TEXT("{\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"r\":1.5,\"e\":1E2,\"s\":\"x\",\"a\":[1,{"
          "\"b\":2}],\"o\":{\"c\":[3]}}"),
     "object at 0, 91 bytes\n"
     "\"n\": null null\n"
     "\"t\": true true\n"
     "\"f\": false false\n"
     "\"i\": number integer -12\n"
     "\"r\": number 1.5\n"
     "\"e\": number 1E2\n"
     "\"s\": string \"x\"\n"
     "\"a\": array [1,{\"b\":2}]\n"
     "\"o\": object {\"c\":[3]}\n"},
    {"object: same name twice", TEXT("{\"a\":1,\"a\":1,\"\":{},\"\":[]}"),
     "object at 0, 25 bytes\n"
     "\"a\": number integer 1\n"
     "\"a\": number integer 1\n"
     "\"\": object {}\n"
     "\"\": array []\n"},
    {"object: UTF-8", TEXT("{\"ключ\":\"значение\",\"😀\":\"€\"}"),
     "object at 0, 44 bytes\n"
     "\"ключ\": string \"значение\"\n"
     "\"😀\": string \"€\"\n"},
    {"object: whitespace", TEXT("  { \"a\" : 1 ,\n\"b\"\t:\r[ 1 , 2 ] , \"c\":\"d\" } "),
     "object at 2, 39 bytes\n"
     "\"a\": number integer 1\n"
     "\"b\": array [ 1 , 2 ]\n"
     "\"c\": string \"d\"\n"},
    {"string: ascii", TEXT("\" !#$[]^_`{|}~\x7F\""), "string at 0, 16 bytes\n"},
    {"string: backslash then u0000", TEXT("\"\\\\u0000\""), "string at 0, 9 bytes, escape\n"},
    {"string: empty", TEXT("\"\""), "string at 0, 2 bytes\n"},
    {"string: high high low", TEXT("\"\\ud800\\ud800\\udc00\""),
     "string at 0, 20 bytes, escape, not-text\n"},
    {"string: high then escaped backslash", TEXT("\"\\ud800\\\\udc00\""),
     "string at 0, 15 bytes, escape, not-text\n"},
    {"string: high then letter", TEXT("\"\\ud800\\u0041\""),
     "string at 0, 14 bytes, escape, not-text\n"},
    {"string: line separators", TEXT("\"\xE2\x80\xA8\xE2\x80\xA9\xEF\xBB\xBF\""),
     "string at 0, 11 bytes\n"},
    {"string: lone high", TEXT("\"\\ud800\""), "string at 0, 8 bytes, escape, not-text\n"},
    {"string: lone high then escape", TEXT("\"\\ud800\\n\""),
     "string at 0, 10 bytes, escape, not-text\n"},
    {"string: lone high then text", TEXT("\"\\udbffabc\""),
     "string at 0, 11 bytes, escape, not-text\n"},
    {"string: lone low", TEXT("\"\\udc00\""), "string at 0, 8 bytes, escape, not-text\n"},
    {"string: not surrogates", TEXT("\"\\ud7ff\\ue000\""), "string at 0, 14 bytes, escape\n"},
    {"string: NUL", TEXT("\"a\\u0000b\""), "string at 0, 10 bytes, escape, not-text\n"},
    {"string: pair then low", TEXT("\"\\ud800\\udc00\\udc00\""),
     "string at 0, 20 bytes, escape, not-text\n"},
    {"string: reversed", TEXT("\"\\udc00\\ud800\""), "string at 0, 14 bytes, escape, not-text\n"},
    {"string: simple escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
     "string at 0, 18 bytes, escape\n"},
    {"string: surrogate pairs", TEXT("\"\\ud800\\udc00\\uDBFF\\uDFFF\\ud83d\\ude00\""),
     "string at 0, 38 bytes, escape\n"},
    {"string: unicode escapes", TEXT("\"\\u0001\\u00e9\\uABCD\\uabcd\\uFFFF\""),
     "string at 0, 32 bytes, escape\n"},
    {"string: UTF-8",
     TEXT("\"\xC2\x80\xDF\xBF\xE0\xA0\x80"
          "\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBD\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""),
     "string at 0, 29 bytes\n"},
};

static const struct invalid_case invalid_cases[] = {
    {"after: comma", TEXT("1,"), 1, "text after the document"},
    {"after: literal", TEXT("nulll"), 4, "text after the document"},
    {"after: number letter", TEXT("1a"), 1, "text after the document"},
    {"after: object", TEXT("{} x"), 3, "text after the document"},
    {"after: string", TEXT("\"a\"\""), 3, "text after the document"},
    {"after: two documents", TEXT("{\"a\":1}\n{\"a\":1}"), 8, "text after the document"},
    {"array: closed twice", TEXT("[]]"), 2, "text after the document"},
    {"array: closer alone", TEXT("]"), 0, "expected a value"},
    {"array: colon", TEXT("[1:2]"), 2, "expected a comma or ]"},
    {"array: comma alone", TEXT("[,]"), 1, "expected a value"},
    {"array: empty wrong closer", TEXT("[}"), 1, "expected a value"},
    {"array: leading comma", TEXT("[,1]"), 1, "expected a value"},
    {"array: nested wrong closer", TEXT("[[[])]]"), 4, "expected a comma or ]"},
    {"array: no comma", TEXT("[1 2]"), 3, "expected a comma or ]"},
    {"array: open", TEXT("["), 1, "unexpected end of text"},
    {"array: open comma", TEXT("[1,"), 3, "unexpected end of text"},
    {"array: open value", TEXT("[1"), 2, "unexpected end of text"},
    {"array: trailing comma", TEXT("[1,]"), 3, "expected a value"},
    {"array: two commas", TEXT("[1,,2]"), 3, "expected a value"},
    {"array: wrong closer", TEXT("[1}"), 2, "expected a comma or ]"},
    {"byte order mark: cut", TEXT("\xEF\xBB[]"), 0, "expected a value"},
    {"byte order mark: inside",
     TEXT("[\xEF\xBB\xBF"
          "1]"),
     1, "expected a value"},
    {"byte order mark: only", TEXT("\xEF\xBB\xBF"), 3, "unexpected end of text"},
    {"byte order mark: twice",
     TEXT("\xEF\xBB\xBF\xEF\xBB\xBF"
          "1"),
     3, "expected a value"},
    {"byte order mark: UTF-16",
     TEXT("\xFF\xFE"
          "1\0"),
     0, "expected a value"},
    {"empty", TEXT(""), 0, "unexpected end of text"},
    {"literal: capitals", TEXT("[TRUE]"), 1, "expected a value"},
    {"literal: cut", TEXT("nul"), 3, "unexpected end of text"},
    {"literal: cut inside", TEXT("[tru]"), 4, "invalid literal"},
    {"literal: infinity", TEXT("[Infinity]"), 1, "expected a value"},
    {"literal: joined", TEXT("[truefalse]"), 5, "expected a comma or ]"},
    {"literal: minus infinity", TEXT("[-Infinity]"), 2, "expected a digit"},
    {"literal: nan", TEXT("[NaN]"), 1, "expected a value"},
    {"literal: nan lower", TEXT("[nan]"), 2, "invalid literal"},
    {"literal: undefined", TEXT("undefined"), 0, "expected a value"},
    {"literal: wrong", TEXT("falsy"), 4, "invalid literal"},
    {"number: comma decimal", TEXT("1,5"), 1, "text after the document"},
    {"number: exponent alone", TEXT("e1"), 0, "expected a value"},
    {"number: exponent empty", TEXT("1e"), 2, "unexpected end of text"},
    {"number: exponent point", TEXT("1e1.5"), 3, "text after the document"},
    {"number: exponent sign", TEXT("[1e+]"), 4, "expected a digit"},
    {"number: exponent twice", TEXT("1e1e1"), 3, "text after the document"},
    {"number: exponent two signs", TEXT("1e++1"), 3, "expected a digit"},
    {"number: full width", TEXT("１"), 0, "expected a value"},
    {"number: hexadecimal", TEXT("0x1F"), 1, "text after the document"},
    {"number: leading zero", TEXT("01"), 1, "text after the document"},
    {"number: leading zero in array", TEXT("[01]"), 2, "expected a comma or ]"},
    {"number: minus alone", TEXT("-"), 1, "unexpected end of text"},
    {"number: minus leading zero", TEXT("-01"), 2, "text after the document"},
    {"number: minus point", TEXT("-.5"), 1, "expected a digit"},
    {"number: minus space", TEXT("[- 1]"), 2, "expected a digit"},
    {"number: minus twice", TEXT("--1"), 1, "expected a digit"},
    {"number: plus", TEXT("+1"), 0, "expected a value"},
    {"number: point exponent", TEXT("1.e1"), 2, "expected a digit"},
    {"number: point first", TEXT(".5"), 0, "expected a value"},
    {"number: point last", TEXT("2."), 2, "unexpected end of text"},
    {"number: point last in array", TEXT("[2.]"), 3, "expected a digit"},
    {"number: space inside", TEXT("[1 2]"), 3, "expected a comma or ]"},
    {"number: two points", TEXT("1.2.3"), 3, "text after the document"},
    {"number: two zeros", TEXT("00"), 1, "text after the document"},
    {"number: underscore", TEXT("1_000"), 1, "text after the document"},
    {"object: closed twice", TEXT("{\"a\":1}}"), 7, "text after the document"},
    {"object: closer alone", TEXT("}"), 0, "expected a value"},
    {"object: comment", TEXT("{/**/\"a\":1}"), 1, "expected a name"},
    {"object: comment at end", TEXT("{} // x"), 3, "text after the document"},
    {"object: empty wrong closer", TEXT("{]"), 1, "expected a name"},
    {"object: equals sign", TEXT("{\"a\"=1}"), 4, "expected a colon"},
    {"object: in array open", TEXT("[{"), 2, "unexpected end of text"},
    {"object: leading comma", TEXT("{,\"a\":1}"), 1, "expected a name"},
    {"object: name null", TEXT("{null:1}"), 1, "expected a name"},
    {"object: name number", TEXT("{1:1}"), 1, "expected a name"},
    {"object: name single quotes", TEXT("{'a':1}"), 1, "expected a name"},
    {"object: name unquoted", TEXT("{a:1}"), 1, "expected a name"},
    {"object: nested name open", TEXT("{\"a\":[{\"b"), 9, "unexpected end of text"},
    {"object: nested no colon", TEXT("{\"a\":[{\"b\",1}]}"), 10, "expected a colon"},
    {"object: nested trailing comma", TEXT("{\"a\":{\"b\":1,}}"), 12, "expected a name"},
    {"object: nested wrong closer", TEXT("{\"a\":{\"b\":1]}"), 11, "expected a comma or }"},
    {"object: no colon", TEXT("{\"a\" 1}"), 5, "expected a colon"},
    {"object: no comma", TEXT("{\"a\":1 \"b\":2}"), 7, "expected a comma or }"},
    {"object: no value", TEXT("{\"a\":}"), 5, "expected a value"},
    {"object: open", TEXT("{"), 1, "unexpected end of text"},
    {"object: open colon", TEXT("{\"a\":"), 5, "unexpected end of text"},
    {"object: open comma", TEXT("{\"a\":1,"), 7, "unexpected end of text"},
    {"object: open name", TEXT("{\"a\""), 4, "unexpected end of text"},
    {"object: open value", TEXT("{\"a\":1"), 6, "unexpected end of text"},
    {"object: semicolon", TEXT("{\"a\":1;\"b\":2}"), 6, "expected a comma or }"},
    {"object: trailing comma", TEXT("{\"a\":1,}"), 7, "expected a name"},
    {"object: two colons", TEXT("{\"a\"::1}"), 5, "expected a value"},
    {"object: two commas", TEXT("{\"a\":1,,\"b\":2}"), 7, "expected a name"},
    {"object: value only", TEXT("{\"a\"}"), 4, "expected a colon"},
    {"object: wrong closer", TEXT("{\"a\":1]"), 6, "expected a comma or }"},
    {"space: form feed", TEXT("\f1"), 0, "expected a value"},
    {"space: line separator",
     TEXT("[1,\xE2\x80\xA8"
          "2]"),
     3, "expected a value"},
    {"space: no break",
     TEXT("[\xC2\xA0"
          "1]"),
     1, "expected a value"},
    {"space: NUL", TEXT("1\0"), 1, "text after the document"},
    {"space: vertical tab", TEXT("[1\x0B]"), 2, "expected a comma or ]"},
    {"string: escape capital", TEXT("\"\\N\""), 2, "invalid escape"},
    {"string: escape capital u", TEXT("\"\\U0041\""), 2, "invalid escape"},
    {"string: escape newline", TEXT("\"\\\n\""), 2, "invalid escape"},
    {"string: escape non ascii", TEXT("\"\\é\""), 2, "invalid escape"},
    {"string: escape NUL", TEXT("\"\\\0\""), 2, "invalid escape"},
    {"string: escape single quote", TEXT("\"\\'\""), 2, "invalid escape"},
    {"string: escape x", TEXT("\"\\x41\""), 2, "invalid escape"},
    {"string: escape zero", TEXT("\"\\0\""), 2, "invalid escape"},
    {"string: in name tab", TEXT("{\"\t\":1}"), 2, "unescaped control character in a string"},
    {"string: newline", TEXT("\"a\n\""), 2, "unescaped control character in a string"},
    {"string: NUL", TEXT("\"\0\""), 1, "unescaped control character in a string"},
    {"string: open", TEXT("\"abc"), 4, "unexpected end of text"},
    {"string: open escape", TEXT("\"\\"), 2, "unexpected end of text"},
    {"string: open escaped quote", TEXT("\"\\\""), 3, "unexpected end of text"},
    {"string: open surrogate pair", TEXT("\"\\ud800\\u"), 9, "unexpected end of text"},
    {"string: open unicode", TEXT("\"\\u00"), 5, "unexpected end of text"},
    {"string: pair then bad escape", TEXT("\"\\ud800\\x\""), 8, "invalid escape"},
    {"string: second unicode short", TEXT("\"\\ud800\\udc\""), 11,
     "expected four hexadecimal digits after \\u"},
    {"string: single quotes", TEXT("'a'"), 0, "expected a value"},
    {"string: tab", TEXT("\"\t\""), 1, "unescaped control character in a string"},
    {"string: unicode braces", TEXT("\"\\u{41}\""), 3,
     "expected four hexadecimal digits after \\u"},
    {"string: unicode not hexadecimal", TEXT("\"\\u00g0\""), 5,
     "expected four hexadecimal digits after \\u"},
    {"string: unicode NUL",
     TEXT("\"\\u00\x00"
          "41\""),
     5, "expected four hexadecimal digits after \\u"},
    {"string: unicode prefix", TEXT("\"\\u0x41\""), 4,
     "expected four hexadecimal digits after \\u"},
    {"string: unicode short", TEXT("\"\\u00\""), 5, "expected four hexadecimal digits after \\u"},
    {"string: unicode sign", TEXT("\"\\u+041\""), 3, "expected four hexadecimal digits after \\u"},
    {"string: unicode space", TEXT("\"\\u 041\""), 3, "expected four hexadecimal digits after \\u"},
    {"string: unit separator", TEXT("\"\x1F\""), 1, "unescaped control character in a string"},
    {"UTF-8: beyond", TEXT("\"\xF4\x90\x80\x80\""), 1, "invalid UTF-8"},
    {"UTF-8: in name", TEXT("{\"\xFF\":1}"), 2, "invalid UTF-8"},
    {"UTF-8: in nested name", TEXT("{\"a\":{\"\xC3(\":1}}"), 7, "invalid UTF-8"},
    {"UTF-8: lead f5", TEXT("\"\xF5\x80\x80\x80\""), 1, "invalid UTF-8"},
    {"UTF-8: lead ff", TEXT("\"\xFF\""), 1, "invalid UTF-8"},
    {"UTF-8: lone continuation", TEXT("\"a\x80\""), 2, "invalid UTF-8"},
    {"UTF-8: outside string", TEXT("[é]"), 1, "expected a value"},
    {"UTF-8: overlong 2", TEXT("\"\xC0\x80\""), 1, "invalid UTF-8"},
    {"UTF-8: overlong 2 last", TEXT("\"\xC1\xBF\""), 1, "invalid UTF-8"},
    {"UTF-8: overlong 3", TEXT("\"\xE0\x9F\xBF\""), 1, "invalid UTF-8"},
    {"UTF-8: overlong 4", TEXT("\"\xF0\x8F\xBF\xBF\""), 1, "invalid UTF-8"},
    {"UTF-8: surrogate first", TEXT("\"\xED\xA0\x80\""), 1, "invalid UTF-8"},
    {"UTF-8: surrogate last", TEXT("\"\xED\xBF\xBF\""), 1, "invalid UTF-8"},
    {"UTF-8: truncated 2", TEXT("\"\xC3\""), 1, "invalid UTF-8"},
    {"UTF-8: truncated 3", TEXT("\"\xE2\x82\""), 1, "invalid UTF-8"},
    {"UTF-8: truncated 4", TEXT("\"\xF0\x9F\x98\""), 1, "invalid UTF-8"},
    {"UTF-8: truncated at end", TEXT("\"\xF0\x9F\x98"), 1, "invalid UTF-8"},
    {"whitespace only", TEXT("  \n"), 3, "unexpected end of text"},
    /* Faults in a contact. */
    {"bad escape", TEXT("{\"email\": \"a\\x41\"}"), 13, "invalid escape"},
    {"bad unicode escape", TEXT("{\"email\": \"\\u00g0\"}"), 15,
     "expected four hexadecimal digits after \\u"},
    {"byte order mark after whitespace", TEXT(" \xEF\xBB\xBF{\"a\":1}"), 1, "expected a value"},
    {"byte order mark at the end", TEXT("{\"a\":1}\xEF\xBB\xBF"), 7, "text after the document"},
    {"comment", TEXT("{\"email\": /* none */ null}"), 10, "expected a value"},
    {"half a byte order mark", TEXT("\xEF\xBB{\"a\":1}"), 0, "expected a value"},
    {"html",
     TEXT("<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head></html>\n"), 0,
     "expected a value"},
    {"latin 1", TEXT("{\"email\": \"Zo\xEB\"}"), 13, "invalid UTF-8"},
    {"literal capital", TEXT("{\"isOptedOut\": True}"), 15, "expected a value"},
    {"literal cut", TEXT("{\"isOptedOut\": fals}"), 19, "invalid literal"},
    {"name without quotes", TEXT("{contactId: 1}"), 1, "expected a name"},
    {"nul at the end", TEXT("{\"a\":1}\0"), 7, "text after the document"},
    {"number exponent without digits", TEXT("{\"icpScore\": 1e}"), 15, "expected a digit"},
    {"number hexadecimal", TEXT("{\"contactId\": 0x10}"), 15, "expected a comma or }"},
    {"number infinity", TEXT("{\"icpScore\": -Infinity}"), 14, "expected a digit"},
    {"number leading zero", TEXT("{\"contactId\": 01}"), 15, "expected a comma or }"},
    {"number minus alone", TEXT("{\"contactId\": -}"), 15, "expected a digit"},
    {"number nan", TEXT("{\"icpScore\": NaN}"), 13, "expected a value"},
    {"number negative leading zero", TEXT("{\"contactId\": -01}"), 16, "expected a comma or }"},
    {"number plus", TEXT("{\"contactId\": +1}"), 14, "expected a value"},
    {"number point first", TEXT("{\"icpScore\": .5}"), 13, "expected a value"},
    {"number point without digits", TEXT("{\"icpScore\": 2.}"), 15, "expected a digit"},
    {"only whitespace", TEXT(" \r\n\t"), 4, "unexpected end of text"},
    {"raw nul", TEXT("{\"email\": \"a\0b\"}"), 12, "unescaped control character in a string"},
    {"raw tab", TEXT("{\"email\": \"a\tb\"}"), 12, "unescaped control character in a string"},
    {"single quotes", TEXT("{\"email\": 'a'}"), 10, "expected a value"},
    {"text after the document", TEXT("{\"a\":1}x"), 7, "text after the document"},
    {"trailing comma", TEXT("{\"icpScore\": 0.85,\n}"), 19, "expected a name"},
    {"two byte order marks", TEXT("\xEF\xBB\xBF\xEF\xBB\xBF{\"a\":1}"), 3, "expected a value"},
    {"two documents", TEXT("{\"a\":1}{\"a\":1}"), 7, "text after the document"},
    {"unknown member not json", TEXT("{\"new\": [1, 02]}"), 13, "expected a comma or ]"},
    {"unknown member not utf8", TEXT("{\"\xFF\": 1}"), 2, "invalid UTF-8"},
    {"utf 16 byte order mark",
     TEXT("\xFF\xFE{\0\"\0a\0\"\0:\x00"
          "1\0}\0"),
     0, "expected a value"},
    {"utf 16",
     TEXT("{\0\"\0a\0\"\0:\x00"
          "1\0}\0"),
     1, "expected a name"},
    {"utf8 five bytes", TEXT("{\"email\": \"\xF8\x88\x80\x80\x80\"}"), 11, "invalid UTF-8"},
    {"utf8 lone continuation", TEXT("{\"email\": \"a\x80\"}"), 12, "invalid UTF-8"},
    {"utf8 overlong 3",
     TEXT("{\"email\": \"\xE0\x80\xAF"
          "b\"}"),
     11, "invalid UTF-8"},
    {"utf8 overlong",
     TEXT("{\"email\": \"a\xC0\xAF"
          "b\"}"),
     12, "invalid UTF-8"},
    {"utf8 surrogate pair", TEXT("{\"email\": \"\xED\xA0\xBD\xED\xB8\x80\"}"), 11, "invalid UTF-8"},
    {"utf8 surrogate", TEXT("{\"email\": \"\xED\xA0\xBD\"}"), 11, "invalid UTF-8"},
    {"utf8 too large", TEXT("{\"email\": \"\xF4\x90\x80\x80\"}"), 11, "invalid UTF-8"},
    {"utf8 truncated", TEXT("{\"email\": \"\xE2\x82\"}"), 11, "invalid UTF-8"},
    /* Invalid numbers as a member. */
    {"01", TEXT("{\"a\":01}"), 6, "expected a comma or }"},
    {"-01", TEXT("{\"a\":-01}"), 7, "expected a comma or }"},
    {"+1", TEXT("{\"a\":+1}"), 5, "expected a value"},
    {"2.", TEXT("{\"a\":2.}"), 7, "expected a digit"},
    {".5", TEXT("{\"a\":.5}"), 5, "expected a value"},
    {"-", TEXT("{\"a\":-}"), 6, "expected a digit"},
    {"1e", TEXT("{\"a\":1e}"), 7, "expected a digit"},
    {"1e+", TEXT("{\"a\":1e+}"), 8, "expected a digit"},
    {"0x1", TEXT("{\"a\":0x1}"), 6, "expected a comma or }"},
    {"1_000", TEXT("{\"a\":1_000}"), 6, "expected a comma or }"},
    {"NaN", TEXT("{\"a\":NaN}"), 5, "expected a value"},
    {"Infinity", TEXT("{\"a\":Infinity}"), 5, "expected a value"},
    {"--1", TEXT("{\"a\":--1}"), 6, "expected a digit"},
    {"1.e1", TEXT("{\"a\":1.e1}"), 7, "expected a digit"},
    {"00", TEXT("{\"a\":00}"), 6, "expected a comma or }"},
};

/* ---- Checks ---- */

static const char *kind_name(enum json_kind kind) {
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_FALSE] = "false",   [JSON_TRUE] = "true",
        [JSON_NUMBER] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
        [JSON_OBJECT] = "object",
    };
    return names[kind];
}

/* The scanner's result as lines of text. */
struct report {
    char text[4096];
    size_t length;
};

static void append(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct report *report, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int added = vsnprintf(report->text + report->length, sizeof report->text - report->length,
                                format, arguments);
    va_end(arguments);
    assert_true(added >= 0 && report->length + (size_t)added < sizeof report->text);
    report->length += (size_t)added;
}

static void append_flags(struct report *report, const struct json_value *value,
                         const char *separator) {
    const bool is_not_text = !value->is_text;
    append(report, "%s%s%s%s%s%s", value->is_integer ? separator : "",
           value->is_integer ? "integer" : "", value->has_escape ? separator : "",
           value->has_escape ? "escape" : "", is_not_text ? separator : "",
           is_not_text ? "not-text" : "");
}

static void append_member(const struct json_value *name, const struct json_value *value,
                          void *context) {
    struct report *report = context;
    assert_int_equal(name->kind, JSON_STRING);
    append(report, "%.*s", (int)name->length, name->text);
    append_flags(report, name, " ");
    append(report, ": %s", kind_name(value->kind));
    append_flags(report, value, " ");
    append(report, " %.*s\n", (int)value->length, value->text);
}

static void check_valid(const struct valid_case *test) {
    struct report members = {.length = 0};
    struct report report = {.length = 0};
    struct json_document document;
    struct json_document alone;
    struct json_fault fault;
    char *exact = fixture_copy(test->text, test->length);
    if (!json_scan(exact, test->length, append_member, &members, &document, &fault)) {
        fail_msg("%s: rejected at byte %zu: %s", test->name, fault.offset, fault.reason);
    }
    append(&report, "%s at %zu, %zu bytes", kind_name(document.value.kind),
           (size_t)(document.value.text - exact), document.value.length);
    append_flags(&report, &document.value, ", ");
    append(&report, "\n%s", members.text);
    fixture_expect_text(test->name, test->expected, report.text);
    assert_true(json_scan(exact, test->length, NULL, NULL, &alone, &fault));
    assert_int_equal(alone.value.length, document.value.length);
    assert_ptr_equal(exact + json_find_start(exact, test->length), document.value.text);
    free(exact);
}

static void check_all_valid(void) {
    for (size_t i = 0; i < sizeof valid_cases / sizeof *valid_cases; i++) {
        check_valid(&valid_cases[i]);
    }
}

static void test_valid_json_is_accepted(void **state) {
    (void)state;
    check_all_valid();
}

static void check_fault(const char *name, const char *text, size_t length, size_t offset,
                        const char *reason) {
    struct report members = {.length = 0};
    struct json_document document;
    struct json_fault fault = {0};
    char *exact = fixture_copy(text, length);
    if (json_scan(exact, length, append_member, &members, &document, &fault)) {
        fail_msg("%s: accepted", name);
    }
    free(exact);
    if (fault.offset != offset) {
        fail_msg("%s: rejected at byte %zu, not %zu: %s", name, fault.offset, offset, fault.reason);
    }
    fixture_expect_text(name, reason, fault.reason);
}

static void check_all_invalid(void) {
    for (size_t i = 0; i < sizeof invalid_cases / sizeof *invalid_cases; i++) {
        const struct invalid_case *test = &invalid_cases[i];
        check_fault(test->name, test->text, test->length, test->offset, test->reason);
    }
}

static void test_invalid_json_is_rejected(void **state) {
    (void)state;
    check_all_invalid();
}

/* The fault is at the end of the text, or at the start of a character that was cut. */
static void check_each_cut(const struct valid_case *test) {
    size_t end = test->length;
    while (end > 0 && strchr(" \t\r\n", test->text[end - 1]) != NULL) {
        end--;
    }
    if (end == 0 || strchr("]}\"", test->text[end - 1]) == NULL) {
        return; /* a part of a number can be a number */
    }
    for (size_t cut = 0; cut < end; cut++) {
        size_t offset = cut;
        while (((unsigned char)test->text[offset] & 0xC0) == 0x80) {
            offset--;
        }
        const bool is_byte_order_mark = (unsigned char)test->text[offset] == 0xEF && offset == 0;
        check_fault(test->name, test->text, cut, offset,
                    offset == cut        ? "unexpected end of text"
                    : is_byte_order_mark ? "expected a value"
                                         : "invalid UTF-8");
    }
}

static void test_cut_json_is_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid_cases / sizeof *valid_cases; i++) {
        check_each_cut(&valid_cases[i]);
    }
}

static void check_in_locale(const char *name) {
    if (!fixture_begin_locale(name)) {
        skip();
    }
    check_all_valid();
    check_all_invalid();
    fixture_end_locale();
}

/* Catches functions of the C library that depend on the locale. */
static void test_comma_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("de_DE");
}

static void test_multibyte_point_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("ps_AF");
}

static void test_turkish_locale_has_no_effect(void **state) {
    (void)state;
    check_in_locale("tr_TR");
}

/* ---- Bytes ---- */

static bool is_json(const char *bytes, size_t length, size_t *offset) {
    struct json_document document;
    struct json_fault fault = {.offset = 0};
    char *exact = fixture_copy(bytes, length);
    const bool is_valid = json_scan(exact, length, NULL, NULL, &document, &fault);
    free(exact);
    *offset = fault.offset;
    return is_valid;
}

static void test_each_byte_has_its_meaning(void **state) {
    size_t offset = 0;
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char alone[] = {(char)byte};
        const char in_string[] = {'"', (char)byte, '"'};
        const char escaped[] = {'"', '\\', (char)byte, '"'};
        const char around[] = {'[', (char)byte, ']'};
        const char after[] = {'1', (char)byte};
        const bool is_space = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        const bool is_digit = byte >= '0' && byte <= '9';
        const bool is_escape = byte != 0 && strchr("\"\\/bfnrt", byte) != NULL;
        assert_int_equal(is_json(alone, 1, &offset), is_digit);
        assert_int_equal(is_json(in_string, 3, &offset),
                         byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\');
        assert_int_equal(is_json(escaped, 4, &offset), is_escape);
        assert_int_equal(is_json(around, 3, &offset), is_space || is_digit);
        assert_int_equal(is_json(after, 2, &offset), is_space || is_digit);
    }
}

static void test_raw_control_character_is_rejected(void **state) {
    (void)state;
    for (int byte = 0; byte < 0x20; byte++) {
        const char text[] = {'{', '"', 'a', '"', ':', '"', 'b', (char)byte, '"', '}'};
        check_fault("control character", text, sizeof text, 7,
                    "unescaped control character in a string");
    }
}

static void test_each_unicode_escape_is_scanned(void **state) {
    struct json_document document;
    struct json_fault fault;
    char text[16];
    (void)state;
    for (unsigned unit = 0; unit <= 0xFFFF; unit++) {
        const int length =
            snprintf(text, sizeof text, unit % 2 == 0 ? "\"\\u%04x\"" : "\"\\u%04X\"", unit);
        assert_true(json_scan(text, (size_t)length, NULL, NULL, &document, &fault));
        assert_true(document.value.has_escape);
        assert_int_equal(document.value.is_text, unit > 0 && (unit < 0xD800 || unit > 0xDFFF));
    }
    for (int byte = 0; byte < 256; byte++) {
        const bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                              (byte >= 'A' && byte <= 'F');
        for (int place = 0; place < 4; place++) {
            char escape[] = "\"\\u1111\"";
            escape[3 + place] = (char)byte;
            assert_int_equal(json_scan(escape, 8, NULL, NULL, &document, &fault), is_digit);
            if (!is_digit) {
                assert_int_equal(fault.offset, 3 + place);
            }
        }
    }
}

static void test_surrogate_pair_needs_both_halves(void **state) {
    static const unsigned units[] = {0x0041, 0xD7FF, 0xD800, 0xDABC, 0xDBFF,
                                     0xDC00, 0xDEAD, 0xDFFF, 0xE000};
    enum { COUNT = sizeof units / sizeof *units };
    (void)state;
    for (size_t i = 0; i < COUNT * COUNT * COUNT; i++) {
        const unsigned three[] = {units[i % COUNT], units[i / COUNT % COUNT],
                                  units[i / COUNT / COUNT]};
        struct json_document document;
        struct json_fault fault;
        char text[32];
        bool is_text = true;
        for (size_t at = 0; at < 3; at++) {
            if (at < 2 && three[at] >= 0xD800 && three[at] <= 0xDBFF && three[at + 1] >= 0xDC00 &&
                three[at + 1] <= 0xDFFF) {
                at++;
            } else {
                is_text = is_text && !(three[at] >= 0xD800 && three[at] <= 0xDFFF);
            }
        }
        const int length =
            snprintf(text, sizeof text, "\"\\u%04x\\u%04x\\u%04x\"", three[0], three[1], three[2]);
        assert_true(json_scan(text, (size_t)length, NULL, NULL, &document, &fault));
        assert_int_equal(document.value.is_text, is_text);
    }
}

static bool is_object(const char *text, size_t length) {
    const size_t start = json_find_start(text, length);
    assert_true(start <= length);
    return start < length && text[start] == '{';
}

static void test_byte_order_mark_is_skipped(void **state) {
    static const struct {
        const char *name;
        const char *text;
        size_t length;
        size_t mark_length;
        bool is_object;
    } cases[] = {
        {"empty", TEXT(""), 0, false},
        {"one byte of a mark", TEXT("\xEF"), 0, false},
        {"two bytes of a mark", TEXT("\xEF\xBB"), 0, false},
        {"mark only", TEXT("\xEF\xBB\xBF"), 3, false},
        {"mark and one byte of another", TEXT("\xEF\xBB\xBF\xEF"), 3, false},
        {"mark and two bytes of another", TEXT("\xEF\xBB\xBF\xEF\xBB"), 3, false},
        {"two marks", TEXT("\xEF\xBB\xBF\xEF\xBB\xBF"), 3, false},
        {"object after two marks", TEXT("\xEF\xBB\xBF\xEF\xBB\xBF{}"), 3, false},
        {"object after a mark", TEXT("\xEF\xBB\xBF{}"), 3, true},
        {"other last byte", TEXT("\xEF\xBB\xBE{}"), 0, false},
        {"mark of UTF-16", TEXT("\xFE\xFF{}"), 0, false},
        {"space before the mark", TEXT(" \xEF\xBB\xBF"), 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_document document;
        struct json_fault fault;
        char *exact = fixture_copy(cases[i].text, cases[i].length);
        json_scan(exact, cases[i].length, NULL, NULL, &document, &fault);
        if ((size_t)(document.text - exact) != cases[i].mark_length ||
            document.length != cases[i].length - cases[i].mark_length ||
            is_object(exact, cases[i].length) != cases[i].is_object) {
            fail_msg("%s", cases[i].name);
        }
        free(exact);
    }
}

/* A fetched body that is not valid JSON, but is an object, must never be quoted. */
static void test_invalid_object_is_an_object(void **state) {
    static const struct {
        const char *name;
        const char *text;
        size_t length;
        bool is_object;
    } cases[] = {
        {"cut object", TEXT("{"), true},
        {"white space before an object", TEXT(" \n\r\t{x"), true},
        {"white space after a mark", TEXT("\xEF\xBB\xBF\n{x"), true},
        {"other white space", TEXT("\f{}"), false},
        {"NUL before an object", TEXT("\0{}"), false},
        {"array of an object", TEXT("[{}]"), false},
        {"white space only", TEXT(" \n"), false},
        {"HTML", TEXT("<html>{}</html>"), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *exact = fixture_copy(cases[i].text, cases[i].length);
        if (is_object(exact, cases[i].length) != cases[i].is_object) {
            fail_msg("%s", cases[i].name);
        }
        free(exact);
    }
}

/* ---- Depth ---- */

/* Writes opener and closer depth times each. The innermost member, if any, is 1. Returns the
 * length. */
static size_t nest(char *text, const char *opener, const char *closer, size_t depth) {
    size_t length = 0;
    for (size_t i = 0; i < depth; i++) {
        length += (size_t)sprintf(text + length, "%s", opener);
    }
    if (strchr(opener, ':') != NULL) {
        text[length++] = '1';
    }
    for (size_t i = 0; i < depth; i++) {
        length += (size_t)sprintf(text + length, "%s", closer);
    }
    return length;
}

static void check_depth(const char *beginning, const char *opener, const char *closer,
                        const char *end, size_t levels) {
    char text[16384];
    size_t offset = 0;
    for (size_t depth = levels; depth < levels + 2; depth++) {
        size_t length = (size_t)sprintf(text, "%s", beginning);
        length += nest(text + length, opener, closer, depth);
        length += (size_t)sprintf(text + length, "%s", end);
        assert_int_equal(is_json(text, length, &offset), depth == levels);
        if (depth > levels) {
            const size_t bracket =
                strlen(beginning) + strlen(opener) * (depth - 1) + strcspn(opener, "[{");
            check_fault("depth", text, length, bracket, "nested more than 512 levels deep");
        }
    }
}

static void test_nesting_is_limited_to_512(void **state) {
    (void)state;
    check_depth("", "[", "]", "", 512);
    check_depth("", "{\"a\":", "}", "", 512);
    check_depth("", "[0,{\"a\":", "}]", "", 256);
    check_depth("{\"a\":", "[", "]", "}", 511);
    check_depth("{\"a\":", "{\"b\":", "}", "}", 511);
    check_depth("{\"a\":{\"b\":[],\"c\":[[[[]]]]},\"d\":[", "[", "]", ",0]}", 510);
    check_depth("[[],", "[", "]", ",{}]", 511);
}

static void test_depth_counts_open_containers_only(void **state) {
    char text[16384] = "[";
    size_t length = 1;
    size_t offset = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        length += (size_t)sprintf(text + length, "[{}],");
    }
    length += (size_t)sprintf(text + length, "0]");
    assert_true(is_json(text, length, &offset));
}

/* ---- Comparison with cJSON, which accepts all valid JSON and more ---- */

/* The same sequence in each run. */
static uint32_t next_random(void) {
    static uint64_t state = 20240308;
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33);
}

struct draft {
    char text[2048];
    size_t length;
};

static void write_text(struct draft *draft, const char *text) {
    if (draft->length + strlen(text) < sizeof draft->text) {
        strcpy(draft->text + draft->length, text);
        draft->length += strlen(text);
    }
}

static void write_one_of(struct draft *draft, const char *const *texts, size_t count) {
    write_text(draft, texts[next_random() % count]);
}

static void write_value(struct draft *draft, int depth) {
    static const char *const spaces[] = {"", "", " ", "\n", "\t \r"};
    static const char *const scalars[] = {
        "null",       "true",        "false",        "0",
        "-0",         "17",          "-1.25e+2",     "1E3",
        "0.5",        "123456",      "\"\"",         "\"a\"",
        "\"é\"",      "\"\\n\\\"\"", "\"\\u00e9x\"", "\"\\uD83D\\uDE00\"",
        "\"[{\\\\\"", "\"😀\"",
    };
    static const char *const names[] = {"\"a\"", "\"\"", "\"b\\u0063\"", "\"ключ\"", "\"a b\""};
    const uint32_t choice = depth > 3 ? 2 : next_random() % 4;
    const uint32_t count = next_random() % 4;
    if (choice > 1) {
        write_one_of(draft, scalars, sizeof scalars / sizeof *scalars);
        return;
    }
    write_text(draft, choice == 0 ? "[" : "{");
    write_one_of(draft, spaces, 5);
    for (uint32_t i = 0; i < count; i++) {
        write_text(draft, i > 0 ? "," : "");
        write_one_of(draft, spaces, 5);
        if (choice == 1) {
            write_one_of(draft, names, sizeof names / sizeof *names);
            write_text(draft, ":");
        }
        write_value(draft, depth + 1);
        write_one_of(draft, spaces, 5);
    }
    write_text(draft, choice == 0 ? "]" : "}");
}

/* Position among cJSON's members. */
struct walk {
    const cJSON *next;
};

static bool is_of_kind(const cJSON *item, enum json_kind kind) {
    const int types[] = {
        [JSON_NULL] = cJSON_NULL,     [JSON_FALSE] = cJSON_False,   [JSON_TRUE] = cJSON_True,
        [JSON_NUMBER] = cJSON_Number, [JSON_STRING] = cJSON_String, [JSON_ARRAY] = cJSON_Array,
        [JSON_OBJECT] = cJSON_Object};
    return (item->type & 0xFF) == types[kind];
}

static void compare_member(const struct json_value *name, const struct json_value *value,
                           void *context) {
    struct walk *walk = context;
    assert_non_null(walk->next);
    assert_true(is_of_kind(walk->next, value->kind));
    if (!name->has_escape) {
        assert_int_equal(strlen(walk->next->string), name->length - 2);
        assert_memory_equal(walk->next->string, name->text + 1, name->length - 2);
    }
    if (value->kind == JSON_STRING && !value->has_escape) {
        assert_int_equal(strlen(walk->next->valuestring), value->length - 2);
        assert_memory_equal(walk->next->valuestring, value->text + 1, value->length - 2);
    }
    if (value->kind == JSON_NUMBER) {
        assert_true(walk->next->valuedouble == strtod(value->text, NULL));
    }
    walk->next = walk->next->next;
}

/* Returns true if the scanner accepts the text. cJSON must then accept it too, with the same
 * members. */
static bool compare_with_cjson(const struct draft *draft) {
    struct json_document document;
    struct json_fault fault;
    if (!json_scan(draft->text, draft->length, NULL, NULL, &document, &fault)) {
        assert_true(fault.offset <= draft->length);
        return false;
    }
    cJSON *item = cJSON_ParseWithLength(draft->text, draft->length);
    if (item == NULL) {
        fail_msg("cJSON rejects %s", draft->text);
    }
    struct walk walk = {.next = item->child};
    assert_true(is_of_kind(item, document.value.kind));
    if (document.value.kind == JSON_OBJECT) {
        assert_true(
            json_scan(draft->text, draft->length, compare_member, &walk, &document, &fault));
        assert_null(walk.next);
    }
    cJSON_Delete(item);
    return true;
}

/* Generates valid texts, then changes one byte of each. A text with \u is not changed, because a
 * change could escape a NUL or a lone surrogate, which cJSON treats differently. */
static void test_scanner_agrees_with_cjson(void **state) {
    static const char changes[] = "[]{}:,\"\\ntf -+.eE\n/";
    int valid_change_count = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct draft draft = {.length = 0};
        write_value(&draft, 0);
        if (draft.length > sizeof draft.text - 64) {
            continue;
        }
        if (!compare_with_cjson(&draft)) {
            fail_msg("rejected: %s", draft.text);
        }
        for (int j = 0; j < 10; j++) {
            struct draft changed = draft;
            const size_t at = next_random() % draft.length;
            if (memchr(draft.text, '\\', draft.length) != NULL &&
                strstr(draft.text, "\\u") != NULL) {
                break;
            }
            changed.text[at] = changes[next_random() % (sizeof changes - 1)];
            valid_change_count += compare_with_cjson(&changed) ? 1 : 0;
        }
    }
    check_in_range(valid_change_count, 100, 49000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_json_is_accepted),
        cmocka_unit_test(test_invalid_json_is_rejected),
        cmocka_unit_test(test_cut_json_is_rejected),
        cmocka_unit_test(test_comma_locale_has_no_effect),
        cmocka_unit_test(test_multibyte_point_locale_has_no_effect),
        cmocka_unit_test(test_turkish_locale_has_no_effect),
        cmocka_unit_test(test_each_byte_has_its_meaning),
        cmocka_unit_test(test_raw_control_character_is_rejected),
        cmocka_unit_test(test_each_unicode_escape_is_scanned),
        cmocka_unit_test(test_surrogate_pair_needs_both_halves),
        cmocka_unit_test(test_byte_order_mark_is_skipped),
        cmocka_unit_test(test_invalid_object_is_an_object),
        cmocka_unit_test(test_nesting_is_limited_to_512),
        cmocka_unit_test(test_depth_counts_open_containers_only),
        cmocka_unit_test(test_scanner_agrees_with_cjson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
