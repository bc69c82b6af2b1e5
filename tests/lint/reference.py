#!/usr/bin/python3
"""Doxygen finds nothing to complain of in the public headers: everything in them is documented, and no comment refers to
what is not there. `--self-test` proves that it would complain."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from common import SOURCE, expect, finish, read, skip

DOXYFILE = "docs/Doxyfile"


def check(more=""):
    """What doxygen says of the tree with further settings."""
    with tempfile.TemporaryDirectory() as top:
        settings = "%s\nOUTPUT_DIRECTORY = %s\n%s\n" % (read(DOXYFILE), top, more)
        done = subprocess.run(["doxygen", "-"], cwd=SOURCE, input=settings, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
    found = [line.replace(SOURCE + "/", "") for line in done.stdout.splitlines() if "warning:" in line or "error:" in line]
    return found or ([done.stdout] if done.returncode != 0 else [])


def headers():
    """The files Doxygen is told to read."""
    inputs = re.search(r"^INPUT +=((?:.*\\\n)*.*)$", read(DOXYFILE), re.M).group(1).replace("\\\n", " ").split()
    return [os.path.join(i, n) for i in inputs if os.path.isdir(os.path.join(SOURCE, i))
            for n in os.listdir(os.path.join(SOURCE, i)) if n.endswith(".h")]


def self_test():
    with tempfile.TemporaryDirectory() as top:
        def said(text):
            with open(top + "/x.h", "w", encoding="utf-8") as f:
                f.write("/* x.h - a header. */\n" + text)
            return check("INPUT = %s\nUSE_MDFILE_AS_MAINPAGE =\nWARN_AS_ERROR = NO" % top)
        expect("reference", [
            ("a bare struct", said("/* What. */\nint x_f(int a);\nstruct x { int n; /* many */ };\n"), 1),
            ("a good header", said("/* What. */\nint x_f(int a);\n/* A thing. */\nstruct x {\n    int n; /* many */\n};\n"), 0),
            ("a bare function", said("int x_f(int a);\n"), 1),
            ("a bare field", said("/* A thing. */\nstruct x {\n    int n;\n};\n"), 1),
        ])


def main():
    if shutil.which("doxygen") is None:
        skip("doxygen is not installed")
    if "--self-test" in sys.argv:
        self_test()
    finish("reference", len(headers()), check())


main()
