"""What the end-to-end tests share: starting a program of this build, speaking bytes to it, and skipping."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.environ.get("MESON_BUILD_ROOT", "build")
SOURCE = os.environ.get("MESON_SOURCE_ROOT", ".")
PLACEMENT = os.environ.get("PX_PLACEMENT")  # every `plexus serve` is split as this file says
SANITIZED = bool(os.environ.get("PX_SANITIZED"))
UNPRIVILEGED = bool(os.environ.get("PX_UNPRIVILEGED"))  # as an ordinary user, even when root runs it
PATIENCE_S = 40 if SANITIZED else 10


def skip(why):
    """Ends the script as skipped, and says why."""
    print("SKIPPED: " + why)
    sys.exit(77)


def program(path):
    """A program of this build; without it (its option is off) the script is skipped."""
    full = os.path.join(BUILD, path)
    if not os.access(full, os.X_OK):
        skip("%s is not part of this build" % path)
    return full


def need(*commands):
    """The script needs these peers."""
    for command in commands:
        if shutil.which(command) is None:
            skip(command + " is not installed")


def written(file):
    """What somebody has written to a file that he got from us: his place in it is not moved, as seek and read would."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


class Server:
    """A program that prints where it listens, as http://ADDR:PORT/ or "listening on ADDR"."""

    def __init__(self, *argv, prepare=None, env=None, stdin=subprocess.DEVNULL, pass_fds=()):
        self.err = tempfile.TemporaryFile()
        self.lines = []
        if PLACEMENT and argv[1:2] == ("serve",):
            argv += ("--placement", os.path.join(SOURCE, PLACEMENT))
            env = dict(os.environ if env is None else env, PX_DOMAIN=program("clients/domain/px-domain"))
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=self.err, stdin=stdin, text=True,
                                        preexec_fn=prepare, env=env, pass_fds=pass_fds)
        self.addresses = []
        while not self.addresses or "serve" in argv and not self.lines[-1].startswith("Stop"):
            line = self.process.stdout.readline()
            if line == "":
                raise AssertionError("it ended with %s: %s" % (self.process.wait(), self.errors()))
            self.lines.append(line)
            self.addresses += re.findall(r"^(?:  http://|listening on )([\w.\[\]:/@-]+?)/?$", line.rstrip())
        if not self.addresses[0].startswith("unix:"):
            host, _, port = self.addresses[0].rpartition(":")
            self.host, self.port = host.strip("[]"), int(port)
            self.url = "http://" + self.addresses[0]

    def errors(self):
        return written(self.err)

    def connect(self):
        conn = socket.create_connection((self.host, self.port), PATIENCE_S)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return conn

    def say(self, data, shut=False):
        """All that comes back on a connection of its own until the server closes it."""
        with self.connect() as conn:
            conn.sendall(data)
            if shut:
                conn.shutdown(socket.SHUT_WR)
            return read_all(conn)

    def signal_line(self, number):
        """What it prints when it gets a signal."""
        self.process.send_signal(number)
        return self.process.stdout.readline()

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S + 10)
        self.process.stdout.close()
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.err.close()


def read_all(conn):
    """Everything until the far end closes; a reset counts as the end."""
    parts = []
    try:
        while True:
            part = conn.recv(65536)
            if not part:
                break
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_response(conn, rest=b"", head=False):
    """One response with a Content-Length: (status, headers, body, what follows)."""
    while b"\r\n\r\n" not in rest:
        part = conn.recv(65536)
        if not part:
            raise AssertionError("closed in the middle of a head: %r" % rest)
        rest += part
    top, _, rest = rest.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    headers = dict((k.lower(), v.strip()) for k, v in (line.split(":", 1) for line in lines[1:]))
    length = 0 if head else int(headers.get("content-length", 0))
    while len(rest) < length:
        part = conn.recv(65536)
        if not part:
            raise AssertionError("closed in the middle of a body")
        rest += part
    return int(lines[0].split()[1]), headers, rest[:length], rest[length:]


def until(condition, what):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited too long for " + what)
        time.sleep(0.02)


def run(*argv, **options):
    """(exit code, standard output, standard error) of a command."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          timeout=options.pop("timeout", 3 * PATIENCE_S), **options)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def main():
    """Runs the tests of a script and prints one line each."""
    if UNPRIVILEGED and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        if not os.access(BUILD, os.X_OK) or not os.access(SOURCE, os.R_OK):
            skip("the build cannot be reached by an ordinary user")
    unittest.main(verbosity=2, argv=[sys.argv[0]])
