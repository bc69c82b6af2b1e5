#!/usr/bin/python3
"""No mutable global, anywhere in what becomes libplexus: two kernels in one process never notice each
other. Reads the sections of every archive; constants that the loader relocates are constants.
`--self-test` proves that each kind is caught."""
import glob
import os
import re
import sys

from common import BUILD, expect, finish, run, skip

ARCHIVES = ["kernel/libpx_*.a", "proto/libpx_*.a", "services/libpx_*.a", "transports/*/libpx_*.a",
            "clients/lib/libpx_*.a"]
ALLOWED = {"current"}  # of kernel/trace.c alone: docs/decisions/0001
MUTABLE = re.compile(r"(\.(data|bss|tdata|tbss)(?!\.rel\.ro)(\..*)?|\*COM\*)$")
LINE = re.compile(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (?:\.hidden )?(\S+)$")


def check(archive, table):
    """Problems in the symbol table of one archive, as objdump -t prints it."""
    member = "?"
    for line in table.splitlines():
        if ":     file format" in line:
            member = os.path.basename(line.split(":")[0])
        found = LINE.match(line)
        if not found:
            continue
        flags, section, size, name = found.groups()
        is_symbol = "d" not in flags[5:6] and int(size, 16) > 0
        if is_symbol and MUTABLE.match(section) and name not in ALLOWED:
            yield "%s(%s): mutable global %s in %s" % (archive, member, name, section)


def self_test():
    line = "0000000000000000 %s %s\t0000000000000008 name"
    one = lambda flags, section: list(check("a", line % (flags, section)))
    expect("globals", [
        ("initialised", one("g     O", ".data"), 1),
        ("zeroed, static", one("l     O", ".bss"), 1),
        ("static of a function", one("l     O", ".bss.n.0"), 1),
        ("common", one("      O", "*COM*"), 1),
        ("thread-local", one("l      ", ".tbss"), 1),
        ("constant", one("l     O", ".rodata"), 0),
        ("constant the loader relocates", one("l     O", ".data.rel.ro.local"), 0),
        ("function", one("g     F", ".text"), 0),
        ("the section itself", one("l    d ", ".data"), 0),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    if os.environ.get("PX_SANITIZED"):
        skip("globals are read in a build without sanitizers")
    problems, checked = [], 0
    for pattern in ARCHIVES:
        for archive in sorted(glob.glob(os.path.join(BUILD, pattern))):
            checked += 1
            problems += check(os.path.relpath(archive, BUILD), run("objdump", "-t", archive))
    finish("globals", checked, problems)


main()
