#!/usr/bin/python3
"""The man pages say what the program says of itself: one page a command, with its summary; the options of `plexus help
COMMAND` with their values, no more and no fewer; the table of exit codes. mandoc finds nothing wrong with any, nor
with those that the build makes.
`--self-test` proves that differences are caught."""
import os
import re
import shutil
import subprocess
import sys

from common import BUILD, SOURCE, expect, finish, read, run, skip, tree_files

PLEXUS = os.path.join(BUILD, "clients", "cli", "plexus")
DOMAIN = os.path.join(BUILD, "clients", "domain", "px-domain")
FOLDER = "docs/man/"


def section(page, name):
    """The lines of one .Sh of a page."""
    lines = re.split(r"^\.Sh ", page, flags=re.M)
    return next((part.split("\n", 1)[1] for part in lines if part.split("\n", 1)[0].strip('"') == name), "")


def page_options(page):
    """{option: value} of the .It Fl lines of a page; value "" for none."""
    return {"-" + m.group(1): (m.group(2) or "").strip().replace(" Ar ", " ")
            for m in re.finditer(r"^\.It Fl (-[\w-]+)(?: Ar (.*))?$", page, re.M)}


def page_commands(page):
    """Words of the .It Cm lines."""
    return {m.group(1) for m in re.finditer(r"^\.It Cm (\S+)", page, re.M)}


def page_exits(page):
    """{code: text} of EXIT STATUS."""
    return {m.group(1): " ".join(m.group(2).split())
            for m in re.finditer(r"^\.It (\d+)\n((?:[^.].*\n)+)", section(page, "EXIT STATUS"), re.M)}


def page_summary(page):
    """What .Nd says."""
    found = re.search(r"^\.Nd (.*)$", page, re.M)
    return found.group(1) if found else ""


def help_part(text, title):
    """The indented lines below "Title:"."""
    found = re.search(r"^%s:\n((?:  .*\n)*)" % title, text, re.M)
    return found.group(1) if found else ""


def help_options(text):
    """{option: value} of a help text: below "Options:", or in all of it."""
    part = help_part(text, "Options") or text
    return {m.group(1): (m.group(2) or "").strip()
            for m in re.finditer(r"^  (--[\w-]+)(?: ((?:[A-Z\[][^ ]* ?)+))?(?=  | \w|$)",
                                 re.sub(r"  +(?=\S)", "  ", part), re.M)}


def help_words(text, title):
    """{first word: rest} of the lines below "Title:"."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in help_part(text, title).splitlines()}


def differences(path, what, page, program):
    """Problems: what one of two tables has and the other has not, or has otherwise."""
    return ["%s: %s: %s: the page has %r, the program %r" % (path, what, key, page.get(key), program.get(key))
            for key in sorted(set(page) | set(program)) if page.get(key) != program.get(key)]


def check_command(path, page, summary, text):
    """Problems of the page of a command."""
    if page is None:
        return ["%s: no such page" % path]
    return (differences(path, "options", page_options(page), help_options(text))
            + differences(path, "summary", {"NAME": page_summary(page)}, {"NAME": summary}))


def check_domain(path, page, text):
    """Problems of the page of px-domain."""
    return ["%s: no such page" % path] if page is None else differences(path, "options", page_options(page),
                                                                        help_options(text))


def check_program(path, page, text):
    """Problems of plexus.1."""
    return (differences(path, "commands", {c: 1 for c in page_commands(page)},
                        {c: 1 for c in help_words(text, "Commands")})
            + differences(path, "options", page_options(page), help_options(text))
            + differences(path, "exit codes", page_exits(page), help_words(text, "Exit codes")))


def check_roff(path):
    """What mandoc says of a page."""
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", path], cwd=SOURCE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()


def self_test():
    page = (".Nd serves\n.It Fl -root Ar DIR\nx\n.It Fl -check\nx\n.It Cm serve\n.Sh EXIT STATUS\n.Bl\n.It 0\ndone,\n"
            "well\n.It 1\nnot done\n.El\n.Sh SEE ALSO\n")
    text = ("usage\n\nCommands:\n  serve   serves\n\nOptions:\n  --root DIR     files\n  --check  only look\n\n"
            "Exit codes:\n  0  done, well\n  1  not done\n")
    expect("manual", [
        ("the same", check_program("p", page, text), 0),
        ("an option more", check_program("p", page, text.replace("  --check", "  --chuck")), 2),
        ("another value", check_program("p", page, text.replace("DIR", "FILE")), 1),
        ("another exit code", check_program("p", page, text.replace("not done", "undone")), 1),
        ("one more exit code", check_program("p", page, text + "  2  wrong\n"), 1),
        ("another command", check_program("p", page.replace("Cm serve", "Cm get"), text), 2),
        ("a command", check_command("p", page, "serves", text), 0),
        ("another summary", check_command("p", page, "serves more", text), 1),
        ("a domain", check_domain("p", ".It Fl -link Ar FD\n.It Fl -help\n", "x\n\n  --link FD    x\n  --help   y\n"), 0),
        ("a domain's option", check_domain("p", ".It Fl -link Ar FD\n", "x\n\n  --link FD    x\n  --help   y\n"), 1),
        ("a command without page", check_command("p", None, "serves", text), 1),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    if not os.access(PLEXUS, os.X_OK):
        skip("the program is not part of this build")
    if shutil.which("mandoc") is None:
        skip("mandoc is not installed")
    pages = [p for p in tree_files() if p.startswith(FOLDER) and re.search(r"\.[1-8]$", p)]
    text = run(PLEXUS, "--help")
    problems = check_program(FOLDER + "plexus.1", read(FOLDER + "plexus.1"), text)
    for command, summary in help_words(text, "Commands").items():
        if command != "help":
            path = FOLDER + "plexus-%s.1" % command
            problems += check_command(path, read(path) if path in pages else None, summary,
                                      run(PLEXUS, "help", command))
    if os.access(DOMAIN, os.X_OK):
        path = FOLDER + "px-domain.8"
        problems += check_domain(path, read(path) if path in pages else None, run(DOMAIN, "--help"))
    installed = re.findall(r"'([\w.-]+\.\d)'", read(FOLDER + "meson.build"))
    for path in pages:
        problems += check_roff(os.path.join(SOURCE, path))
        if os.path.basename(path) not in installed:
            problems.append("%s: not installed by %smeson.build" % (path, FOLDER))
    made = [os.path.join(BUILD, FOLDER, n) for n in os.listdir(os.path.join(BUILD, FOLDER)) if n.endswith(".5")]
    problems += [problem for path in made for problem in check_roff(path)]
    finish("manual", len(pages) + len(made), problems)


main()
