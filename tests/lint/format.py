#!/usr/bin/python3
"""Every C file is as clang-format leaves it (./dev fmt). `--fix` rewrites; `--self-test` proves that a
badly formatted file is caught."""
import os
import shutil
import subprocess
import sys
import tempfile

from common import SOURCE, expect, finish, skip, tree_files

# One version only: the next one formats differently.
VERSION = "14"


def clang_format():
    """The program, if it is the right one."""
    for name in ("clang-format-" + VERSION, "clang-format"):
        program = shutil.which(name)
        if program:
            said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True)
            if "version %s." % VERSION in said.stdout:
                return program
    return None


def check(program, paths, cwd):
    """The first complaint about each file."""
    done = subprocess.run([program, "--dry-run", "-Werror", "--style=file"] + paths, cwd=cwd,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return []
    first = {}
    for line in done.stderr.splitlines():
        if ": error:" in line:
            first.setdefault(line.split(":", 1)[0], line)
    return list(first.values()) or done.stderr.splitlines()[:1]


def self_test(program):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(SOURCE, ".clang-format"), folder)
        for name, text in (("good.c", "int f(void)\n{\n    return 1;\n}\n"),
                           ("bad.c", "int f(void) {\n  return 1; }\n")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        expect("format", [("as it should be", check(program, ["good.c"], folder), 0),
                          ("not as it should be", check(program, ["bad.c", "good.c"], folder), 1)])


def main():
    program = clang_format()
    if program is None:
        skip("clang-format %s is not installed" % VERSION)
    if "--self-test" in sys.argv:
        self_test(program)
    paths = tree_files(".c", ".h")
    if "--fix" in sys.argv:
        subprocess.run([program, "-i", "--style=file"] + paths, cwd=SOURCE, check=True)
        print("format: %d files" % len(paths))
        return
    finish("format", len(paths), check(program, paths, SOURCE))


main()
