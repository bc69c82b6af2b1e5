#!/usr/bin/python3
"""Sums up reports of `meson test`: usage: summary.py FOLDER [--expect BUILD SUITE...]...

FOLDER holds one BUILD.json per run, as meson writes its testlog.json. Prints per build and suite what
ran and what was skipped and why, then `N passed, N failed`. An expected suite that ran nothing has
failed. Exit code 0 when nothing failed."""
import collections
import json
import os
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def reports(folder):
    """(build, suite, test, result, output) of every test that ran."""
    for file in sorted(os.listdir(folder), key=lambda f: os.path.getmtime(os.path.join(folder, f))):
        with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as f:
            for line in f:
                entry = json.loads(line)
                where, _, test = entry["name"].rpartition(" / ")
                suite = re.sub(r"\+.*", "", where.rpartition(":")[2])
                yield (file.rpartition(".")[0], suite, test, entry["result"],
                       entry.get("stdout", "") + entry.get("stderr", ""))


def reason(output):
    """Why a test skipped itself."""
    found = re.search(r"^SKIPPED: *(.*)$", output, re.M)
    return found.group(1) if found else "it did not say why"


def expectations(arguments):
    """(build, suite) of each --expect BUILD SUITE..."""
    build = None
    for i, word in enumerate(arguments):
        if word == "--expect":
            build = None
        elif build is None:
            build = word
        else:
            yield build, word


def main():
    counts = collections.OrderedDict()
    skipped, failed = [], []
    for build, suite, test, result, output in reports(sys.argv[1]):
        count = counts.setdefault((build, suite), collections.Counter())
        if result in PASSED:
            count["passed"] += 1
        elif result in SKIPPED:
            count["skipped"] += 1
            skipped.append("SKIPPED %s %s %s: %s" % (build, suite, test, reason(output)))
        else:
            count["failed"] += 1
            failed.append("FAILED  %s %s %s (%s)" % (build, suite, test, result))
    for build, suite in expectations(sys.argv[2:]):
        if (build, suite) not in counts:
            counts[(build, suite)] = collections.Counter(failed=1)
            failed.append("FAILED  %s %s: nothing ran" % (build, suite))
    for (build, suite), count in counts.items():
        print("%-20s %-6s %4d passed %4d failed %4d skipped" % (
            build, suite, count["passed"], count["failed"], count["skipped"]))
    for line in skipped + failed:
        print(line)
    passed = sum(c["passed"] for c in counts.values())
    print("%d passed, %d failed" % (passed, len(failed)))
    sys.exit(1 if failed or not passed else 0)


main()
