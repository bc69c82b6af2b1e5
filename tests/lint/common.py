"""What the lints share: the files of the tree, and one way to report."""
import os
import subprocess
import sys

SOURCE = os.environ.get("MESON_SOURCE_ROOT") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MESON_BUILD_ROOT") or os.path.join(SOURCE, "build")


def run(*command, cwd=None):
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit("failed: " + " ".join(command))
    return done.stdout


def tree_files(*suffixes):
    """Paths (from the root) of what is, or could be, checked in; no build folders, no subprojects."""
    if os.path.exists(os.path.join(SOURCE, ".git")):
        out = run("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                  "--exclude-standard", cwd=SOURCE)
        paths = [p for p in out.split("\0") if p]
    else:
        paths = []
        for folder, folders, names in os.walk(SOURCE):
            folders[:] = [f for f in folders if f != "__pycache__" and not f.startswith("build")
                          and (not f.startswith(".") or f == ".ci")]
            paths += [os.path.relpath(os.path.join(folder, n), SOURCE) for n in names]
    paths = [p for p in paths if not p.startswith("subprojects/")
             and os.path.isfile(os.path.join(SOURCE, p))
             and (not suffixes or p.endswith(suffixes))]
    return sorted(set(paths))


def read(path):
    """Text of a file of the tree; None when it is not text."""
    with open(os.path.join(SOURCE, path), "rb") as f:
        data = f.read()
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def finish(name, checked, problems):
    """Prints the problems and ends: a lint that checked nothing has failed."""
    for p in problems:
        print(p)
    print("%s: %d checked, %d problems" % (name, checked, len(problems)))
    if checked == 0:
        print("%s: found nothing to check" % name)
    sys.exit(1 if problems or checked == 0 else 0)


def skip(why):
    """Ends a test that cannot run here."""
    print("SKIPPED: " + why)
    sys.exit(77)


def expect(name, catches):
    """Self-test: `catches` are (what, problems found, how many there should be)."""
    failed = [what for what, problems, n in catches if len(problems) != n]
    for what in failed:
        print("%s: self-test failed: %s" % (name, what))
    print("%s: self-test of %d cases, %d failed" % (name, len(catches), len(failed)))
    sys.exit(1 if failed or not catches else 0)
