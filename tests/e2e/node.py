#!/usr/bin/python3
"""The Node package, packed, installed with nothing but what clients/node/package-lock.json names into an empty folder, and tested
there (tests/node) with the examples for Node; its types, compiled; then what calls and requests cost."""
import os
import shutil
import subprocess
import sys
import tempfile

from common import BUILD, SOURCE, SANITIZED, need, program, skip

ROUND_TRIPS, WRK_S = 3000, 2
PACKAGE = os.path.join(SOURCE, "clients", "node")
MODULES = os.path.join(PACKAGE, "node_modules")
TESTS = os.path.join(SOURCE, "tests", "node")


def run(*command, **options):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit("%s\nfailed with %d: %s" % (done.stdout, done.returncode, " ".join(command)))
    return done.stdout


def install(top, env):
    """Makes tarballs of the package and of what it depends on, and installs them into an empty folder, without a network."""
    npm = ("npm", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    run(*npm, "pack", "--pack-destination", top, os.path.abspath(PACKAGE),
        os.path.abspath(os.path.join(MODULES, "@bufbuild", "protobuf")), env=env, cwd=top)
    made = sorted(name for name in os.listdir(top) if name.endswith(".tgz"))
    if len(made) != 2 or made[1] != "plexus-0.1.0.tgz":
        sys.exit("made %s" % made)
    listed = run("tar", "-tzf", os.path.join(top, made[1])).split()
    for name in ("package/index.js", "package/index.d.ts", "package/README.md", "package/lib/client.js"):
        if name not in listed:
            sys.exit("%s is not in %s" % (name, listed))
    site = os.path.join(top, "site")
    os.mkdir(site)
    with open(os.path.join(site, "package.json"), "w", encoding="utf-8") as f:
        f.write('{"private": true, "type": "module"}\n')
    run(*npm, "install", "--ignore-scripts", *(os.path.join(top, name) for name in made), env=env, cwd=site)
    for folder in (TESTS, os.path.join(SOURCE, "clients", "examples")):
        for name in os.listdir(folder):
            if name.endswith((".js", ".mjs", ".proto", ".ts")):
                shutil.copy(os.path.join(folder, name), site)
    return site


def main():
    server, plexus = program("tests/python/door_server"), program("clients/cli/plexus")
    need("node", "npm", "protoc")
    if not os.path.isdir(MODULES):
        skip("clients/node/node_modules is not there: npm ci --prefix clients/node")
    with tempfile.TemporaryDirectory(prefix="plexus-npm-") as top:
        clean = {"PATH": os.environ["PATH"], "HOME": top}
        site = install(top, clean)
        ktest = top + "/ktest.desc"
        run("protoc", "--proto_path=" + os.path.join(SOURCE, "tests", "kernel"), "--descriptor_set_out=" + ktest,
            "ktest.proto")
        env = dict(clean, PLEXUS_DOOR_SERVER=os.path.abspath(server), PLEXUS_KTEST_TYPES=ktest,
                   PLEXUS_PROGRAM=os.path.abspath(plexus),
                   PLEXUS_TYPES=os.path.abspath(os.path.join(BUILD, "proto", "plexus.desc")),
                   PLEXUS_SOURCE=os.path.abspath(SOURCE))
        print(run("node", os.path.abspath(os.path.join(MODULES, "typescript", "bin", "tsc")), "--noEmit", "--strict", "--module",
                  "nodenext", "--target", "es2022", "--lib", "es2022,dom,dom.iterable,dom.asynciterable", "types.ts", cwd=site, env=env))
        print(run("node", "--test", "plexus.test.js", "serving.test.js", "http.test.js", "examples.test.js", cwd=site, env=env))
        if not SANITIZED:
            print(run("node", "bench.js", str(ROUND_TRIPS), str(WRK_S), cwd=site, env=env))


main()
