#!/usr/bin/python3
"""docs/configuration.md is what `plexus help configuration` prints: the reference of the schema by which configuration
files are checked. `--fix` writes it; `--self-test` proves that a difference is caught."""
import os
import sys

from common import BUILD, SOURCE, expect, finish, read, run, skip

PLEXUS = os.path.join(BUILD, "clients", "cli", "plexus")
PAGE = "docs/configuration.md"


def check(page, printed):
    """Problems of the page."""
    here, there = (page or "").splitlines(), printed.splitlines()
    for i in range(max(len(here), len(there))):
        a, b = (lines[i] if i < len(lines) else "nothing" for lines in (here, there))
        if a != b:
            return ["%s:%d: the page has '%s', the program '%s': tests/lint/configuration.py --fix" % (
                PAGE, i + 1, a[:80], b[:80])]
    return []


def self_test():
    expect("configuration", [
        ("the same", check("a\nb\n", "a\nb\n"), 0),
        ("another line", check("a\nc\n", "a\nb\n"), 1),
        ("a line too few", check("a\n", "a\nb\n"), 1),
        ("no page", check(None, "a\n"), 1),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    if not os.access(PLEXUS, os.X_OK):
        skip("the program is not part of this build")
    printed = run(PLEXUS, "help", "configuration")
    if "--fix" in sys.argv:
        with open(os.path.join(SOURCE, PAGE), "w", encoding="utf-8") as page:
            page.write(printed)
    finish("configuration", len(printed.splitlines()), check(read(PAGE), printed))


main()
