#!/usr/bin/env python3
"""mutate.py [--count N] [--jobs N] [--seed N] [FILE...]: tests the tests. It makes N small changes (200 by default) to the library's
sources, or to those that are named, one at a time in a copy, and counts those that the tests notice. A change that does not compile does
not count. Of those that go unnoticed it prints the line, and the reason that survivors.txt gives for it. It takes up to an hour, and
is run by hand. The tests must have been built and have passed before (sh tests/run.sh)."""

import argparse
import concurrent.futures
import pathlib
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Quick ones first: most changes are noticed there.
TESTS = [
    "test_text", "test_json", "test_retry", "test_error", "test_problem", "test_client", "test_dispatch",
    "test_dispatch_many", "test_datetime", "test_contact", "test_request", "test_dispatch_random", "fuzz_decode", "fuzz_problem",
    "fuzz_datetime", "fuzz_settings", "fuzz_response", "test_atfork_failure", "test_libcurl_versions", "test_libcurl_failures", "test_process_state",
    "test_allocations", "test_tls", "test_threads", "test_host_code", "test_wire", "test_session", "test_transfer", "test_url",
]

SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", " + ": " - ", " - ": " + ",
    " * ": " + ", "+=": "-=", "-=": "+=", "++": "--", "--": "++", "true": "false", "false": "true",
}
TOKEN = re.compile(r"(?<![<>-])(?:<=|>=|<|>)(?![<>])|==|!=|&&|\|\|| \+ | - | \* |\+=|-=|\+\+|--|\btrue\b|\bfalse\b")
NUMBER = re.compile(r"(?<![\w.])(0x[0-9A-Fa-f]+|\d+)(?=[UL]*\b)")
CONDITION = re.compile(r"\b(if|while) \((.+)\) \{$")
STATEMENT = re.compile(r"\s+(?!return\b|const\b|static\b|case\b|default\b|struct\b|enum\b)[\w*(].*;$")
DECLARATION = re.compile(r"\s+\w+ \**\w+(\[\w+\])?( = .*)?;$")


def mask(text):
    """The text with comments, strings and preprocessor lines blanked, at the same length."""
    pattern = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^#.*?(?<!\\)$', re.S | re.M)
    return pattern.sub(lambda match: re.sub(r"[^\n]", "\0", match.group()), text)


def mutants_of(path):
    """Every change that can be made to a file, as (path, line number, old line, new line)."""
    lines = path.read_text().split("\n")
    for number, (line, code) in enumerate(zip(lines, mask("\n".join(lines)).split("\n"))):
        for match in TOKEN.finditer(code):
            yield path, number, line, line[: match.start()] + SWAPS[match.group()] + line[match.end() :]
        for match in NUMBER.finditer(code):
            yield path, number, line, line[: match.start()] + str(int(match.group(1), 0) + 1) + line[match.end() :]
        condition = CONDITION.search(code)
        if condition:
            start, end = condition.span(2)
            yield path, number, line, line[:start] + "!(" + line[start:end] + ")" + line[end:]
        if STATEMENT.fullmatch(code) and not DECLARATION.fullmatch(code):
            yield path, number, line, "    ;"


def copy_sources(folder):
    folder.mkdir()
    for name in ("CMakeLists.txt", "LICENSE", "README.md", "examples", "include", "src", "tests"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("build"))
        else:
            shutil.copy(source, folder / name)


class Copy:
    """A copy of the sources with a build of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.limits = {}
        copy_sources(folder)
        subprocess.run(["cmake", "-S", folder, "-B", folder / "build", "-DREPLYIO_BUILD_EXAMPLES=OFF", "-DCMAKE_BUILD_TYPE=Debug"],
                       check=True, stdout=subprocess.DEVNULL)

    def build(self, target):
        built = subprocess.run(["cmake", "--build", self.folder / "build", "--target", target], capture_output=True)
        return built.returncode == 0

    def passes(self, test):
        command = [self.folder / "build" / "tests" / test]
        if test.startswith("fuzz_"):
            command.append(self.folder / "tests" / "fixtures" / "fuzz" / test.removeprefix("fuzz_"))
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.limits.get(test)).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def measure(self):
        """How long each test may take; all must pass as long as nothing is changed."""
        for test in TESTS:
            began = time.monotonic()
            if not self.build(test) or not self.passes(test):
                sys.exit(f"{test} fails without any change")
            self.limits[test] = 15 + 4 * (time.monotonic() - began)

    def try_mutant(self, mutant):
        """The test that notices the change; "" where none does, None where it does not compile."""
        path, number, _, new = mutant
        target = self.folder / path.relative_to(ROOT)
        text = path.read_text()
        lines = text.split("\n")
        lines[number] = new
        target.write_text("\n".join(lines))
        try:
            if not self.build("replyio_internal"):
                return None
            for test in TESTS:
                if not self.build(test) or not self.passes(test):
                    return test
            return ""
        finally:
            target.write_text(text)


def reasons():
    """What explains an unnoticed change, by file, old line and new line."""
    known = {}
    for line in (ROOT / "tests" / "mutants" / "survivors.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            path, old, new, reason = line.split(" | ")
            known[path, old, new] = reason
    return known


def key_of(mutant):
    path, _, old, new = mutant
    return path.relative_to(ROOT).as_posix(), old.strip(), new.strip()


def describe(mutant, killer, reason):
    path, number, old, new = mutant
    change = f"{path.name}:{number + 1}: {old.strip()}  =>  {new.strip()}"
    return f"{killer}: {change}" if killer else f"UNNOTICED: {change}  ({reason or 'NOT EXPLAINED'})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("files", nargs="*", type=pathlib.Path)
    options = arguments.parse_args()
    files = [path.resolve() for path in options.files] or sorted((ROOT / "src").glob("*/*.c"))
    mutants = [mutant for path in files for mutant in mutants_of(path)]
    random.Random(options.seed).shuffle(mutants)
    print(f"{len(mutants)} changes are possible", flush=True)

    known = reasons()
    noticed = unnoticed = explained = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        copies = queue.SimpleQueue()
        for job in range(options.jobs):
            copies.put(Copy(pathlib.Path(work) / str(job)))
        first = copies.get()
        first.measure()
        copies.put(first)

        def run(mutant):
            copy = copies.get()
            copy.limits = first.limits
            try:
                return copy.try_mutant(mutant)
            finally:
                copies.put(copy)

        at = 0
        while at < len(mutants) and noticed + unnoticed < options.count:
            batch = mutants[at : at + options.count - noticed - unnoticed]
            at += len(batch)
            for mutant, killer in zip(batch, pool.map(run, batch)):
                if killer is None:
                    continue
                reason = known.get(key_of(mutant))
                noticed += killer != ""
                unnoticed += killer == ""
                explained += killer == "" and reason is not None
                print(describe(mutant, killer, reason), flush=True)
    print(f"{noticed} of {noticed + unnoticed} changes are noticed; of the others {explained} are explained")
    sys.exit(0 if noticed >= 0.9 * (noticed + unnoticed) and explained == unnoticed else 1)


if __name__ == "__main__":
    main()
