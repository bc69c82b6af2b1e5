#!/usr/bin/python3
"""No path of somebody's machine and no host name of a package registry in what is checked in.
`--self-test` proves that each is caught."""
import re
import sys

from common import expect, finish, read, tree_files

# Written so that this file does not contain what it looks for.
FORBIDDEN = [
    (re.compile(r"(?<![\w.$})])/(" + "|".join(["wo" "rk", "ro" "ot", "hom" "e", "Use" "rs"]) + r")/\w"),
     "path of a machine"),
    (re.compile(r"/\." "lib" r"rary\b"), "path of a machine"),
    (re.compile(r"\b(" + "|".join([
        r"(deb|security|snapshot|ftp)\.deb" r"ian\.org", r"archive\.ubu" r"ntu\.com",
        r"registry\.[a-z]+\.[a-z]+", r"py" r"pi\.org", r"files\.pythonhos" r"ted\.org",
        r"crat" r"es\.io", r"proxy\.gol" r"ang\.org", r"wrap" r"db\.mesonbuild\.com"]) + r")\b"),
     "host of a registry"),
]


def check(path, text):
    """Problems of one file."""
    for i, line in enumerate(text.splitlines()):
        for pattern, what in FORBIDDEN:
            if pattern.search(line):
                yield "%s:%d: %s: %s" % (path, i + 1, what, line.strip()[:100])


def self_test():
    expect("words", [
        ("a home", list(check("a", "see /hom" "e/ann/x")), 1),
        ("the administrator's home", list(check("a", "'/ro" "ot/x'")), 1),
        ("a work folder", list(check("a", "cd /wo" "rk/main")), 1),
        ("a mirror", list(check("a", "http://deb.deb" "ian.org/x")), 1),
        ("a registry", list(check("a", "https://registry.npm" "js.org")), 1),
        ("another", list(check("a", "py" "pi.org")), 1),
        ("part of a longer path", list(check("a", "$top/wo" "rk/x and a/ro" "ot/y")), 0),
        ("a word", list(check("a", "the root/ of the home page")), 0),
        ("a page", list(check("a", "https://www.rfc-editor.org/rfc/rfc9112")), 0),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    problems, checked = [], 0
    for path in tree_files():
        text = read(path)
        if text is not None:
            checked += 1
            problems += check(path, text)
    finish("words", checked, problems)


main()
