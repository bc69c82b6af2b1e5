#!/usr/bin/python3
"""What a text of the tree points to is there: the links of every Markdown file with their anchors, and the paths that
Markdown files, headers and sources name (`services/h1/h1.c`, docs/decisions/0003). `--self-test` proves that it catches."""
import os
import re
import sys

from common import expect, finish, read, tree_files

FOLDERS = "kernel|proto|services|transports|clients|tests|docs"
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w./<-])((?:%s)/[\w./-]*[\w/])(?![\w*<{\[@-]|\.\[)" % FOLDERS)
NAMES_PATHS = (".md", ".h", ".c")


def anchors_of(text):
    """The anchors of a Markdown file, made of its headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def check_links(path, text, exists, text_of):
    """Links of a Markdown file that lead nowhere."""
    for match in LINK.finditer(re.sub(r"```.*?```", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.DOTALL)):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", match.group(1)):
            continue
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not exists(file):
            yield "no such file: " + match.group(1)
        elif anchor and anchor not in anchors_of(text_of(file) or ""):
            yield "no such heading: " + match.group(1)


def check_paths(text, exists):
    """Paths of the tree that are named and not there; those that say they are planned are left alone."""
    for line in text.splitlines():
        for match in PATH.finditer(line):
            path = match.group(1).rstrip("/.")
            beginning = re.search(r"/\d{4}$", path)  # decisions are called by their numbers
            if "planned" not in line and "x_" not in path and "/x" not in path and not exists(path, bool(beginning)):
                yield "no such path: " + path


def self_test():
    files = {"docs/a.md": "# One thing\n", "kernel/b.c": "", "docs/decisions/0003-x.md": ""}

    def exists(path, beginning=False):
        return any(f == path or f.startswith(path + "/") or beginning and f.startswith(path + "-") for f in files)

    def links(text):
        return list(check_links("docs/c.md", text, exists, files.get))

    def paths(text):
        return list(check_paths(text, exists))
    expect("links", [
        ("a link", links("[a](a.md) and [b](../kernel/b.c#)"), 0),
        ("a link to nothing", links("[a](none.md)"), 1),
        ("an anchor", links("[a](a.md#one-thing)"), 0),
        ("an anchor to nothing", links("[a](a.md#two-things)"), 1),
        ("another site", links("[a](https://example.org/none)"), 0),
        ("code", links("```\nx[1](2)\n```\n"), 0),
        ("a path", paths("see kernel/b.c, kernel/ and docs/decisions/0003."), 0),
        ("a path that is not there", paths("see kernel/c.c"), 1),
        ("part of another", paths("/srv/kernel/c.c include/kernel/c.c"), 0),
        ("planned", paths("kernel/c.c is planned"), 0),
        ("a pattern", paths("kernel/*.c kernel/<x>.c kernel/x_test.c kernel/frame.[ch]"), 0),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    paths = tree_files()
    known = set(paths) | {"."}
    for path in paths:
        while os.path.dirname(path):
            path = os.path.dirname(path)
            known.add(path)

    def exists(path, beginning=False):
        return path.rstrip("/") in known or beginning and any(p.startswith(path + "-") for p in paths)

    problems, checked = [], 0
    for path in paths:
        text = read(path)
        if text is None or not path.endswith(NAMES_PATHS) or path.startswith("tests/lint/links"):
            continue
        checked += 1
        found = list(check_links(path, text, exists, read)) if path.endswith(".md") else []
        problems += ["%s: %s" % (path, what) for what in found + list(check_paths(text, exists))]
    finish("links", checked, problems)


main()
