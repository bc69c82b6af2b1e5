#!/usr/bin/python3
"""shellcheck finds nothing in any shell script. `--self-test` proves that it would."""
import shutil
import subprocess
import sys
import tempfile

from common import SOURCE, expect, finish, read, skip, tree_files


def check(path):
    """What shellcheck says of one script."""
    done = subprocess.run(["shellcheck", "--format=gcc", "--external-sources", path], cwd=SOURCE,
                          stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.splitlines()


def is_shell(path):
    """A shell script, by its name or first line."""
    first = (read(path) or "").split("\n", 1)[0]
    return path.endswith(".sh") or (first.startswith("#!") and first.rstrip().endswith("sh"))


def self_test():
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as f:
        f.write("#!/bin/bash\ncd $1\n")
        f.flush()
        expect("shell", [("an unquoted word and an unchecked cd", check(f.name), 2)])


def main():
    if shutil.which("shellcheck") is None:
        skip("shellcheck is not installed")
    if "--self-test" in sys.argv:
        self_test()
    scripts = [p for p in tree_files() if is_shell(p)]
    finish("shell", len(scripts), [line for p in scripts for line in check(p)])


main()
