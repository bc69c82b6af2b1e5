#!/usr/bin/python3
"""docs/GLOSSARY.md: in alphabetical order, each word once and in use somewhere else in the tree, and every contract
(proto/*.proto) and mailbox (a struct px_service's name) explained. `--self-test` proves that it catches."""
import re
import sys

from common import expect, finish, read, tree_files

GLOSSARY = "docs/GLOSSARY.md"
USERS = (".c", ".h", ".md", ".proto")


def entries_of(text):
    """Words explained, in order; one entry may explain several."""
    return [[word.strip() for word in m.group(1).split(",")] for m in re.finditer(r"^\*\*(.+?)\*\*", text, re.M)]


def named_by(files):
    """Names of contracts and mailboxes: {name: where}."""
    named = {}
    for path, text in files.items():
        if path.endswith(".proto") and re.search(r"^service ", text, re.M):
            named.update({p: path for p in re.findall(r"^package (\w+);", text, re.M)})
        for body in re.findall(r"const struct px_service \w+ = \{(.*?)\};", text, re.DOTALL):
            named.update({n: path for n in re.findall(r'\.name = "(\w+)"', body)})
    return named


def check(glossary, files):
    """Problems; `files` are {path: text} of the rest of the tree."""
    entries = entries_of(glossary)
    words = [word for entry in entries for word in entry]
    firsts = [entry[0].lower() for entry in entries]
    rest = "\n".join(files.values())
    problems = ["not in order: " + b for a, b in zip(firsts, firsts[1:]) if a >= b]
    problems += ["nobody says: " + word for word in words
                 if not re.search(r"\b%s" % re.escape(word).replace(r"\ ", r"[ _\n]"), rest, re.I)]
    problems += ["%s: not explained: %s" % (path, name) for name, path in sorted(named_by(files).items())
                 if name not in words]
    return len(words), ["%s: %s" % (GLOSSARY, p) for p in problems]


def self_test():
    files = {"x.proto": "package net;\nservice Net {}\n", "a.c": 'const struct px_service s = {\n.name = "h1",\n};',
             "b.c": "/* a trace ring */"}
    good = "**h1** x\n\n**net, nets** x\n\n**trace ring** x\n"
    expect("glossary", [
        ("a good one", check(good.replace(", nets", ""), files)[1], 0),
        ("a word nobody says", check(good, files)[1], 1),
        ("no order", check("**net** x\n\n**h1** x\n", files)[1], 1),
        ("twice", check("**h1** x\n\n**h1** x\n\n**net** x\n", files)[1], 1),
        ("a contract left out", check("**h1** x\n", files)[1], 1),
        ("a mailbox left out", check("**net** x\n", files)[1], 1),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    files = {p: read(p) or "" for p in tree_files(*USERS)
             if p != GLOSSARY and not p.startswith(("tests/", "clients/examples/"))}
    n, problems = check(read(GLOSSARY), files)
    finish("glossary", n, problems)


main()
