#!/usr/bin/python3
"""A stranger builds a service of his own: installs this build into an empty folder, takes
clients/examples/own_service out of the tree, and builds and tests it with nothing but pkg-config; then the service runs in a
process of its own, because it was told so. A program in C++ is built the same way."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ["MESON_SOURCE_ROOT"]
BUILD = os.environ["MESON_BUILD_ROOT"]


def run(*command, **options):
    """Runs a command that has to succeed; what it said is part of the test's output."""
    print("$ " + " ".join(command), flush=True)
    done = subprocess.run(command, check=False, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        sys.exit("failed with %d" % done.returncode)


def run_cplusplus(top, env):
    """The headers and libraries in C++."""
    if shutil.which("g++") is None:
        print("without g++: the headers were not tried in C++")
        return
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "plexus-test"], env=env, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    run("g++", "-Wall", "-Wextra", "-Werror", os.path.join(SOURCE, "tests", "e2e", "cplusplus.cpp"), *flags, "-o",
        top + "/cplusplus", env=env)
    run(top + "/cplusplus", env=env)


def run_apart(top, env):
    """The same program with its service in a confined process, and one that does not exist."""
    program, domain = top + "/own/build/own_service", top + "/own/build/own_domain"
    env = dict(env, PX_DOMAIN=domain)
    done = subprocess.run([program, "remind"], env=env, check=False, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    first, _, rest = done.stdout.partition("\n")
    if done.returncode != 0 or not re.match(r"apart: process \d+, .+", first) or rest != "Tea is ready.\n":
        sys.exit("the service did not run apart")
    done = subprocess.run([program, "remnid"], env=env, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode != 1 or "remnid: no such service" not in done.stderr:
        sys.exit("a service that is none was placed: " + done.stderr)


def main():
    if os.environ.get("PX_SANITIZED"):
        print("SKIPPED: an installed library with sanitizers is nobody's case")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="plexus-own-service-") as top:
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", top + "/root")
        folders = [f for f, _, names in os.walk(top + "/root") if "plexus.pc" in names]
        if len(folders) != 1:
            sys.exit("plexus.pc installed in %d places" % len(folders))
        shutil.copytree(os.path.join(SOURCE, "clients", "examples", "own_service"), top + "/own")
        env = dict(os.environ, PKG_CONFIG_PATH=folders[0], LD_LIBRARY_PATH=os.path.dirname(folders[0]))
        run("meson", "setup", "build", cwd=top + "/own", env=env)
        run("meson", "test", "-C", "build", "--print-errorlogs", cwd=top + "/own", env=env)
        run_apart(top, env)
        run_cplusplus(top, env)


main()
