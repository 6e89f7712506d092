#!/usr/bin/env python3
"""mutate.py: tests the tests. Makes small changes to the library's sources, one at a time in a
copy, and counts those that the tests notice. Changes that do not compile do not count. Fails if
less than 90 % are noticed, or if survivors.txt has no reason for one that is not.

A run with 200 changes takes about an hour, so it is started by hand. Each line of its output names
the test that noticed the change. On a loaded machine a test about time can fail without noticing
anything, so look whether the test has to do with the change."""

import argparse
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SURVIVORS = ROOT / "tests" / "mutants" / "survivors.txt"
MIN_NOTICED = 0.9

# ---- Tokens of a source ----

TOKEN = re.compile(r"""
    (?P<skipped>/\*.*?\*/ | //[^\n]* | ^[ \t]*\#(?:\\\n|[^\n])* | \s+)
  | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+')
  | (?P<integer>(?:0[xX][0-9A-Fa-f]+ | \d+)[uUlL]*(?![\w.]))
  | (?P<real>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<word>\w+)
  | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|[-+*/%&|^<>=!]=|&&|\|\||.)
""", re.X | re.S | re.M)
SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "+", "+=": "-=", "-=": "+=", "++": "--", "--": "++",
    "true": "false", "false": "true",
}
OPENING = "([{"
CLOSING = ")]}"
# The tokens that end an expression. Assignments and return are part of it.
STATEMENT_BOUNDARIES = {";", "{", "}"}
BOUNDARIES = STATEMENT_BOUNDARIES | {",", "&&", "||", "?", ":"}
NOT_REMOVABLE = {
    "return", "const", "static", "case", "default", "struct", "enum", "if", "else", "for", "while",
    "do", "switch",
}
# Declarations, without which nothing compiles, and marks of unused parameters.
NOT_CODE = re.compile(r"\w+ \**\w+(\[\w+\])?( = .*)?;|\(void\)\w+;", re.S)

Token = collections.namedtuple("Token", "kind text start end")


def tokenise(text):
    """The tokens without whitespace, comments and preprocessor directives."""
    matches = TOKEN.finditer(text)
    return [Token(m.lastgroup, m.group(), m.start(), m.end()) for m in matches
            if m.lastgroup != "skipped"]


def find_brackets(tokens):
    """The index of the matching bracket for the index of each bracket."""
    pairs = {}
    opened = []
    for index, token in enumerate(tokens):
        if token.kind == "operator" and token.text in OPENING:
            opened.append(index)
        elif token.kind == "operator" and token.text in CLOSING:
            pairs[index] = opened.pop()
            pairs[pairs[index]] = index
    return pairs


# ---- Changes ----

# start and end are the offsets of the text that is replaced by new. key is the change's line in
# survivors.txt without the reason: function or table, expression and changed expression. Neither a
# move nor other formatting changes the key.
Mutant = collections.namedtuple("Mutant", "path line start end new key")


class Source:
    """A source file and the changes that can be made to it."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.tokens = tokenise(self.text)
        self.pairs = find_brackets(self.tokens)
        self.key_counts = collections.Counter()
        self.name_blocks()
        self.find_blocks()

    def name_blocks(self):
        """Finds the name of the function, table or type that each token is part of."""
        self.names = [""] * len(self.tokens)
        index = start = 0
        while index < len(self.tokens):
            text = self.tokens[index].text
            end = self.pairs[index] if text == "{" else index
            if text == "{" or text == ";":
                names = self.names[start:index]
                name = self.declared_name(start, index) or (names[0] if names else "")
                self.names[start : end + 1] = [name] * (end + 1 - start)
                # A declaration continues after an initialiser, up to the semicolon.
                start = start if text == "{" and self.tokens[index - 1].text == "=" else end + 1
            index = end + 1

    def find_blocks(self):
        """Finds the tokens whose innermost bracket is a brace."""
        self.is_in_block = []
        opened = []
        for token in self.tokens:
            if token.kind == "operator" and token.text in CLOSING:
                opened.pop()
            self.is_in_block.append(bool(opened) and opened[-1] == "{")
            if token.kind == "operator" and token.text in OPENING:
                opened.append(token.text)

    def declared_name(self, start, end):
        """The name that the tokens from start to end declare."""
        for index in range(start, end):
            token = self.tokens[index]
            following = self.tokens[index + 1].text if index + 1 < end else ""
            if token.kind == "word" and following in ("(", "=", "["):
                if token.text not in ("__attribute__", "_Static_assert"):
                    return token.text
        words = [token.text for token in self.tokens[start:end] if token.kind == "word"]
        return words[-1] if words else ""

    def normalise(self, first, last, replaced=None, new=""):
        """The tokens from first to last, as if on one line with single spaces."""
        parts = []
        for index in range(first, last + 1):
            token = self.tokens[index]
            if index > first and self.tokens[index - 1].end < token.start:
                after = self.tokens[index - 1].text
                if after not in OPENING and token.text not in CLOSING:
                    parts.append(" ")
            parts.append(new if index == replaced else token.text)
        return "".join(parts)

    def expression_around(self, index):
        """The first and last token of the expression around a token. If the token is the whole
        expression, the arguments or the statement around it, and the brackets if need be."""
        first, last = self.widen(index, index, BOUNDARIES)
        if first == last:
            first, last = self.widen(index, index, STATEMENT_BOUNDARIES)
            if self.pairs.get(first - 1) == last + 1 and (
                    first == last or self.tokens[first - 1].text != "{"):
                first, last = first - 1, last + 1
                first -= self.tokens[first - 1].kind == "word"
        return first, last

    def widen(self, first, last, boundaries):
        """Widens a range of tokens up to boundaries or the enclosing brackets."""
        while first > 0 and not self.is_boundary(first - 1, boundaries, OPENING):
            first = self.pairs.get(first - 1, first - 1)
        while (last + 1 < len(self.tokens)
               and not self.is_boundary(last + 1, boundaries, CLOSING)):
            last = self.pairs.get(last + 1, last + 1)
        return first, last

    def is_boundary(self, index, boundaries, brackets):
        token = self.tokens[index]
        return token.kind == "operator" and (token.text in boundaries or token.text in brackets)

    def mutant(self, first, last, new, expression, new_expression):
        """A change of the tokens from first to last. The keys of equal changes are numbered."""
        key = f"{self.names[first]} | {expression} => {new_expression}"
        self.key_counts[key] += 1
        if self.key_counts[key] > 1:
            key = f"{key} #{self.key_counts[key]}"
        start = self.tokens[first].start
        line = self.text.count("\n", 0, start) + 1
        return Mutant(self.path, line, start, self.tokens[last].end, new, key)

    def token_mutant(self, index, new):
        first, last = self.expression_around(index)
        return self.mutant(index, index, new, self.normalise(first, last),
                           self.normalise(first, last, index, new))

    def mutants(self):
        """Every change that can be made to the file."""
        for index, token in enumerate(self.tokens):
            if token.kind == "integer":
                number = re.match(r"0[xX][0-9A-Fa-f]+|\d+", token.text).group()
                yield self.token_mutant(index, str(int(number, 0) + 1) + token.text[len(number) :])
            elif token.kind in ("word", "operator") and self.is_swappable(index):
                yield self.token_mutant(index, SWAPS[token.text])
            if token.kind == "word" and token.text in ("if", "while"):
                yield from self.negated_conditions(index + 1)
            if self.is_statement_start(index):
                yield from self.removed_statements(index)

    def is_swappable(self, index):
        """Only binary + - and * have whitespace on both sides."""
        token = self.tokens[index]
        if token.text in ("+", "-", "*"):
            return self.text[token.start - 1].isspace() and self.text[token.end].isspace()
        return token.text in SWAPS

    def negated_conditions(self, index):
        end = self.pairs.get(index)
        if end is not None and end + 1 < len(self.tokens) and self.tokens[end + 1].text == "{":
            condition = self.text[self.tokens[index + 1].start : self.tokens[end - 1].end]
            expression = self.normalise(index + 1, end - 1)
            yield self.mutant(index + 1, end - 1, f"!({condition})", expression, f"!({expression})")

    def is_statement_start(self, index):
        token = self.tokens[index]
        before = [token.text for token in self.tokens[max(index - 3, 0) : index]]
        return (self.is_in_block[index] and token.text not in NOT_REMOVABLE
                and (token.kind == "word" or token.text in ("(", "*", "++", "--"))
                and (before[-1] in (";", "{", "}")
                     or before[-1] == ":" and (before[0] == "case" or before[1] == "default")))

    def removed_statements(self, first):
        last = first
        while self.tokens[last].text not in (";", ",", "{", "}", ")", "]"):
            last = self.pairs.get(last, last) + 1
        expression = self.normalise(first, last)
        if self.tokens[last].text == ";" and not NOT_CODE.fullmatch(expression):
            yield self.mutant(first, last, ";", expression, ";")


# ---- Copies in which the changes are tested ----


# A test program and its command, in which @ is the directory of the copy.
Test = collections.namedtuple("Test", "name command")


def distance(test, path):
    """0 if the test is named for the source, 1 if it is in the same directory, otherwise 2."""
    if test.name == f"test_{path.stem}":
        return 0
    return 1 if (ROOT / "tests" / path.parent.name / f"{test.name}.c").exists() else 2


class Copy:
    """A copy of the sources with its own build."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        for name in ("CMakeLists.txt", "LICENSE", "README.md", "examples", "include", "src",
                     "tests"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("build"))
            else:
                shutil.copy(source, directory / name)
        subprocess.run(["cmake", "-S", directory, "-B", directory / "build",
                        "-DREPLYIO_BUILD_EXAMPLES=OFF", "-DCMAKE_BUILD_TYPE=Debug"],
                       check=True, stdout=subprocess.DEVNULL)

    def build(self, target):
        command = ["cmake", "--build", self.directory / "build", "--target", target]
        return subprocess.run(command, capture_output=True).returncode == 0

    def tests(self):
        """The tests that are programs of this build."""
        listed = subprocess.run(["ctest", "--show-only=json-v1"], cwd=self.directory / "build",
                                check=True, capture_output=True).stdout
        programs = str(self.directory / "build" / "tests")
        return [Test(test["name"], tuple(part.replace(str(self.directory), "@")
                                         for part in test["command"]))
                for test in json.loads(listed)["tests"]
                if test.get("command", [""])[0].startswith(programs)]

    def run_test(self, test, timeout=None):
        """What fails: the test, its first failed function and whether it hangs. "" if it passes."""
        command = [part.replace("@", str(self.directory)) for part in test.command]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                failure = test.name if process.wait(timeout) != 0 else ""
            except subprocess.TimeoutExpired:
                failure = f"{test.name} hangs"
            # A test that fails or hangs can leave servers and children behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            output.seek(0)
            failed = re.search(rb"\[  FAILED  \] (test_\w+)", output.read())
        return f"{failure} in {failed[1].decode()}" if failure and failed else failure

    def measure_tests(self):
        """The tests with their timeouts in seconds, the quickest first."""
        if not self.build("all"):
            sys.exit(f"{self.directory} does not build without a change")
        seconds = {}
        for test in self.tests():
            start = time.monotonic()
            failure = self.run_test(test)
            if failure:
                sys.exit(f"{failure} without a change")
            seconds[test] = time.monotonic() - start
        return [(test, 5 + 3 * seconds[test]) for test in sorted(seconds, key=seconds.get)]

    def try_mutant(self, mutant, tests):
        """How a test notices the change, "" if none does, None if it does not compile. The test
        named for the file comes first, then those of the same directory, then the others."""
        target = self.directory / mutant.path.relative_to(ROOT)
        text = mutant.path.read_text()
        target.write_text(text[: mutant.start] + mutant.new + text[mutant.end :])
        try:
            if not self.build("replyio_internal"):
                return None
            for test, timeout in sorted(tests, key=lambda entry: distance(entry[0], mutant.path)):
                failure = self.run_test(test, timeout) if self.build(test.name) else test.name
                if failure:
                    return failure
            return ""
        finally:
            target.write_text(text)


# ---- The run ----


def read_reasons():
    """The reasons of survivors.txt by key."""
    lines = SURVIVORS.read_text().splitlines()
    return dict(line.rsplit(" | ", 1) for line in lines if line and not line.startswith("#"))


def describe(mutant, failure, reasons):
    change = f"{mutant.path.parent.name}/{mutant.path.name}:{mutant.line}: {mutant.key}"
    if failure:
        return f"{failure}: {change}"
    return f"NOT NOTICED: {change} | {reasons.get(mutant.key, 'NOT EXPLAINED')}"


def selection_order(mutant, seed):
    """Differs at random, but stays the same if something else in the sources changes."""
    return hashlib.sha256(f"{seed} {mutant.path.name} {mutant.key}".encode()).digest()


def find_sources(paths):
    for path in paths or [ROOT / "src"]:
        path = path.resolve()
        yield from sorted(path.rglob("*.c")) if path.is_dir() else [path]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="number of changes (default: 200)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="number of copies (default: one per processor)")
    parser.add_argument("--seed", type=int, default=1, help="of the selection (default: 1)")
    parser.add_argument("--list", action="store_true",
                        help="print all possible changes and the reasons that match none")
    parser.add_argument("paths", nargs="*", type=pathlib.Path,
                        help="source files or directories (default: src)")
    return parser.parse_args()


def print_list(mutants, reasons):
    for mutant in mutants:
        print(mutant.key)
    for key in sorted(reasons.keys() - {mutant.key for mutant in mutants}):
        print(f"NO SUCH CHANGE: {key}")


def try_mutants(mutants, options, reasons):
    """Tries changes until as many as asked for have compiled. Returns how many were noticed, were
    not, and of the latter were explained."""
    noticed = missed = explained = 0
    with (tempfile.TemporaryDirectory() as work,
          concurrent.futures.ThreadPoolExecutor(options.jobs) as pool):
        directories = [pathlib.Path(work) / str(job) for job in range(options.jobs)]
        copies = queue.SimpleQueue()
        made = list(pool.map(Copy, directories))
        tests = made[0].measure_tests()
        for copy in made:
            copies.put(copy)

        def run(mutant):
            copy = copies.get()
            try:
                return copy.try_mutant(mutant, tests)
            finally:
                copies.put(copy)

        remaining = iter(mutants)
        while noticed + missed < options.count:
            batch = [mutant for mutant, _ in
                     zip(remaining, range(options.count - noticed - missed))]
            if not batch:
                break
            for mutant, failure in zip(batch, pool.map(run, batch)):
                if failure is None:
                    continue
                noticed += failure != ""
                missed += failure == ""
                explained += failure == "" and mutant.key in reasons
                print(describe(mutant, failure, reasons), flush=True)
    return noticed, missed, explained


def main():
    options = parse_arguments()
    reasons = read_reasons()
    mutants = [mutant for path in find_sources(options.paths) for mutant in Source(path).mutants()]
    if options.list:
        print_list(mutants, reasons)
        return
    mutants.sort(key=lambda mutant: selection_order(mutant, options.seed))
    print(f"{len(mutants)} changes are possible", flush=True)
    noticed, missed, explained = try_mutants(mutants, options, reasons)
    total = noticed + missed
    print(f"== {noticed} of {total} changes noticed ({100 * noticed / max(total, 1):.0f} %), "
          f"{missed} not noticed, {explained} of them explained")
    sys.exit(0 if total > 0 and noticed >= MIN_NOTICED * total and explained == missed else 1)


if __name__ == "__main__":
    main()
