#!/usr/bin/python3
"""The Python package, made into a wheel, installed into an empty folder, and tested there (tests/python); then what a
call costs, and what a handler serves."""
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

from common import BUILD, SOURCE, SANITIZED, program, skip

ROUND_TRIPS = 2000


def run(*command, **options):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit("%s\nfailed with %d: %s" % (done.stdout, done.returncode, " ".join(command)))
    return done.stdout


def main():
    server, plexus = program("tests/python/door_server"), program("clients/cli/plexus")
    missing = [name for name in ("google.protobuf", "pip", "setuptools", "wheel") if not importlib.util.find_spec(name)]
    if missing:
        skip("%s is not installed" % ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="plexus-wheel-") as top:
        shutil.copytree(os.path.join(SOURCE, "clients", "python"), top + "/source",
                        ignore=shutil.ignore_patterns("__pycache__"))
        clean = {"PATH": os.environ["PATH"], "HOME": top, "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        pip_command = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip_command, "wheel", "--no-deps", "--no-build-isolation", "-w", top, top + "/source", env=clean)
        made = [name for name in os.listdir(top) if name.endswith(".whl")]
        if made != ["plexus-0.1.0-py3-none-any.whl"]:
            sys.exit("made %s" % made)
        run(*pip_command, "install", "--no-deps", "--target", top + "/site", os.path.join(top, made[0]), env=clean)
        ktest, greeter = top + "/ktest.desc", top + "/greeter.desc"
        run("protoc", "--proto_path=" + os.path.join(SOURCE, "tests", "kernel"), "--descriptor_set_out=" + ktest,
            "ktest.proto")
        run("protoc", "--proto_path=" + os.path.join(SOURCE, "tests", "python"), "--descriptor_set_out=" + greeter,
            "greeter.proto")
        env = dict(clean, PYTHONPATH=top + "/site", PLEXUS_DOOR_SERVER=os.path.abspath(server), PLEXUS_KTEST_TYPES=ktest,
                   PLEXUS_TYPES=os.path.abspath(os.path.join(BUILD, "proto", "plexus.desc")),
                   PLEXUS_SOURCE=os.path.abspath(SOURCE), PLEXUS_GREETER_TYPES=greeter,
                   PLEXUS_PROGRAM=os.path.abspath(plexus))
        tests = os.path.abspath(os.path.join(SOURCE, "tests", "python"))
        for script in ("test_plexus.py", "test_serving.py"):
            print(run(sys.executable, "-W", "error::ResourceWarning", os.path.join(tests, script), cwd=top, env=env))
        if not SANITIZED:
            print(run(sys.executable, tests + "/bench_plexus.py", str(ROUND_TRIPS), cwd=top, env=env))
            print(run(sys.executable, tests + "/bench_http.py", cwd=top, env=env))


main()
