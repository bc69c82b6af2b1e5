#!/usr/bin/python3
"""Sizes and marks: functions of at most 70 lines (signature to closing brace), files of fewer than 800
lines, a kernel of at most 3,500 (lines that are neither blank nor comment alone), no `#if` inside a
function, no unfinished mark anywhere. `--self-test` proves that each is caught."""
import re
import sys

from common import expect, finish, read, tree_files

FUNCTION_MAX = 70
FILE_MAX = 799
KERNEL_MAX = 3500
MARKS = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "XX" "X"]) + r")\b")
CONDITIONAL = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b")


def functions(lines):
    """(first line, last line) of each function, counted from 0. Relies on the format lint: the braces
    of a function, and nothing else's opening brace, stand alone in column one."""
    start = None
    for i, line in enumerate(lines):
        if line == "{" and start is None:
            start = i
            while start > 0 and lines[start - 1].strip() and lines[start - 1][-1] not in ";}/" \
                    and not lines[start - 1].startswith(("#", "/*", " *", "//")):
                start -= 1
        elif line.startswith("}") and start is not None:
            yield start, i
            start = None


def code_lines(text):
    """How many lines are neither blank nor comment alone."""
    bare = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    bare = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), bare, flags=re.S)
    bare = re.sub(r"//[^\n]*", "", bare)
    return sum(1 for line in bare.splitlines() if line.strip())


def check_c(path, text):
    """Problems of one C file."""
    lines = text.splitlines()
    if len(lines) > FILE_MAX:
        yield "%s: %d lines, at most %d" % (path, len(lines), FILE_MAX)
    for first, last in functions(lines):
        if last - first + 1 > FUNCTION_MAX:
            yield "%s:%d: function of %d lines, at most %d" % (
                path, first + 1, last - first + 1, FUNCTION_MAX)
        for i in range(first, last):
            if CONDITIONAL.match(lines[i]):
                yield "%s:%d: conditional inside a function: choose a file in meson" % (path, i + 1)


def check_marks(path, text):
    """Unfinished marks of one file."""
    for i, line in enumerate(text.splitlines()):
        if MARKS.search(line):
            yield "%s:%d: unfinished: %s" % (path, i + 1, line.strip())


def check_kernel(sizes):
    """Is the kernel small? `sizes` is {path: code lines}."""
    total = sum(sizes.values())
    if total > KERNEL_MAX:
        yield "kernel/: %d lines of code, at most %d" % (total, KERNEL_MAX)


def self_test():
    body = "    f();\n"
    func = "static int f(int a,\n             int b)\n{\n%s}\n"
    fine = func % (body * 66)
    expect("functions", [
        ("70 lines are fine", list(check_c("a.c", fine)), 0),
        ("71 lines are not", list(check_c("a.c", func % (body * 67))), 1),
        ("two functions are two", list(check_c("a.c", fine + "\n" + fine)), 0),
        ("a file of 800 lines", list(check_c("a.c", "int a;\n" * 800)), 1),
        ("a file of 799 lines", list(check_c("a.c", "int a;\n" * 799)), 0),
        ("#if in a function", list(check_c("a.c", func % "#if A\n")), 1),
        ("#if outside", list(check_c("a.c", "#if A\n#endif\n" + func % body)), 0),
        ("a mark", list(check_marks("a.c", "/* TO" "DO: more */\n")), 1),
        ("a template is no mark", list(check_marks("a.c", "mkdtemp(\"/x.XXXXXX\")\n")), 0),
        ("a kernel at the limit", list(check_kernel({"a.c": 3000, "b.h": 500})), 0),
        ("a kernel one line over", list(check_kernel({"a.c": 3000, "b.h": 501})), 1),
        ("comments are not code", [0] * code_lines("/* a\n * b */\n\nint a; /* c */\n// d\n"), 1),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    problems, checked, kernel = [], 0, {}
    for path in tree_files():
        text = read(path)
        if text is None:
            continue
        problems += check_marks(path, text)
        if path.endswith((".c", ".h")):
            checked += 1
            problems += check_c(path, text)
            if path.startswith("kernel/") and not path.startswith("kernel/include/"):
                kernel[path] = code_lines(text)
    problems += check_kernel(kernel)
    print("kernel/: %d lines of code in %d files" % (sum(kernel.values()), len(kernel)))
    finish("functions", checked if kernel else 0, problems)


main()
