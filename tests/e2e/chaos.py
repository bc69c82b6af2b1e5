#!/usr/bin/python3
"""What goes wrong all at once, on a server whose net and h1 are processes of their own and which wrk asks for all it can:
each of them is stopped in turn, thousands of clients come and go in every way, strangers fill what they are given.
Afterwards everything serves as before and nothing is left over."""
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, need, program, read_response, until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENTS = 1000 if SANITIZED else 10000
HUNG_S = 3 + 2  # a hung domain is ended after 3 silent seconds, looked at once a second
PLACEMENT = """domains:
  web: {services: [h1]}
  net: {services: [net], sandbox: net}
supervisor: [app, file]
"""


def children(pid):
    """Living child processes, oldest first."""
    found = []
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        for child in f.read().split():
            try:
                with open("/proc/%s/stat" % child, encoding="ascii") as stat:
                    fields = stat.read().rpartition(") ")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found.append((int(fields[19]), int(child)))
    return [child for _, child in sorted(found)]


def is_gone(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(") ")[2].split()[0] == "Z"
    except OSError:
        return True


def is_confined(pid):
    """Has it got as far as its filter of system calls?"""
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return "Seccomp:\t2" in f.read()


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def memory_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Chaos(unittest.TestCase):
    def setUp(self):
        need("wrk")
        self.seed = int(os.environ.get("PX_SEED", random.randrange(1 << 32)))
        self.chance = random.Random(self.seed)
        print("PX_SEED=%d " % self.seed, end="", flush=True)
        self.top = tempfile.TemporaryDirectory()
        self.addCleanup(self.top.cleanup)
        placement = self.top.name + "/placement.yaml"
        with open(placement, "w", encoding="ascii") as f:
            f.write(PLACEMENT)
        self.server = Server(program("tests/bench/bench_server"), "0", "0", "none", "none", self.top.name, placement)
        self.addCleanup(self.server.kill)
        self.pid = self.server.process.pid
        self.load = subprocess.Popen(["wrk", "-t", "1", "-c", "8", "-d", "3600s", self.server.url + "/"],
                                     stdout=subprocess.DEVNULL)
        self.addCleanup(self.load.wait)
        self.addCleanup(self.load.kill)
        until(lambda: len(children(self.pid)) == 4, "two domains and their spares")

    def served(self):
        """A new connection is served; seconds until it was."""
        begin = time.monotonic()
        while time.monotonic() < begin + PATIENCE_S:
            try:
                with socket.create_connection((self.server.host, self.server.port), 1) as conn:
                    conn.sendall(REQUEST)
                    self.assertEqual(read_response(conn)[0], 200)
                    return time.monotonic() - begin
            except (OSError, AssertionError):
                time.sleep(0.005)
        self.fail("nobody serves")

    def signal_in_turn(self, number, within_s):
        """Sends a signal to each of the processes that serve; how long each took to be replaced."""
        took = []
        for _ in range(2):
            time.sleep(1.2)  # who lives longer has not died quickly
            until(lambda: len(children(self.pid)) == 4, "the spares")
            pid = children(self.pid)[0]  # the oldest: in the next round it is the other domain's
            begin = time.monotonic()
            os.kill(pid, number)
            until(lambda: is_gone(pid), "the end of %d" % pid)  # pylint: disable=cell-var-from-loop
            self.served()
            took.append(time.monotonic() - begin)
            self.assertLess(took[-1], within_s)
        return took

    def test_each_domain_is_stopped_in_turn_under_load(self):
        took = self.signal_in_turn(signal.SIGSTOP, PATIENCE_S + HUNG_S)
        print("stopped to served again: %s s " % ", ".join("%.1f" % s for s in took), end="")
        self.assertEqual(self.server.stop(), 0)

    def test_each_domain_is_killed_in_turn_under_load(self):
        took = self.signal_in_turn(signal.SIGKILL, PATIENCE_S)
        print("killed to served again: %s ms " % ", ".join("%.1f" % (s * 1000) for s in took), end="")
        self.assertEqual(self.server.stop(), 0)

    def test_a_stopped_spare_is_no_obstacle(self):
        until(lambda: len(children(self.pid)) == 4 and all(map(is_confined, children(self.pid))), "the spares")
        time.sleep(0.5)  # and they say that they are ready
        for pid in children(self.pid)[2:]:
            os.kill(pid, signal.SIGSTOP)
        for pid in children(self.pid)[:2]:
            os.kill(pid, signal.SIGKILL)
        self.served()
        until(lambda: len(children(self.pid)) == 4, "the spares")
        self.assertEqual(self.server.stop(), 0)

    def one_client(self):
        """Comes, does one of the things that clients do, and goes."""
        what = self.chance.randrange(7)
        with socket.create_connection((self.server.host, self.server.port), PATIENCE_S) as conn:
            if what == 0:
                return
            if what == 1:  # gone without a word, and without the end of a connection
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif what == 2:
                conn.sendall(REQUEST[:self.chance.randrange(1, len(REQUEST))])
            elif what == 3:
                conn.sendall(bytes(self.chance.randrange(256) for _ in range(100)))
            elif what == 4:
                conn.sendall(REQUEST * 20)  # and reads none of it
            elif what == 5:
                conn.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 5000)
            else:
                conn.sendall(REQUEST)
                self.assertEqual(read_response(conn)[0], 200)

    def test_thousands_of_clients_come_and_go(self):
        def settled():
            return [descriptors(pid) for pid in [self.pid] + children(self.pid)]

        for _ in range(500):
            self.one_client()
        before, memory = settled(), [memory_kib(pid) for pid in [self.pid] + children(self.pid)[:2]]
        for _ in range(CLIENTS):
            self.one_client()
        until(lambda: sum(settled()) <= sum(before) + 4, "descriptors to be closed: %s" % before)
        after = [memory_kib(pid) for pid in [self.pid] + children(self.pid)[:2]]
        print("memory of the three processes, KiB: %s before, %s after " % (memory, after), end="")
        self.assertTrue(SANITIZED or sum(after) < sum(memory) + 6144, after)
        self.served()
        self.assertEqual(self.server.stop(), 0)


class Door(unittest.TestCase):
    """Other programs of the host at the door: they fill it, send anything, and go."""
    CLIENTS_MAX = 256  # of a door, as it is configured by default

    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="plexus-chaos-")
        self.addCleanup(self.top.cleanup)
        self.env = {k: v for k, v in os.environ.items() if k not in ("RUNTIME_DIRECTORY", "PLEXUS_TYPES")}
        self.env["XDG_RUNTIME_DIR"] = self.top.name
        self.server = Server(program("clients/cli/plexus"), "serve", "--name", "door", "--listen", "127.0.0.1:0",
                             env=self.env)
        self.addCleanup(self.server.kill)
        self.pid = self.server.process.pid
        self.chance = random.Random(int(os.environ.get("PX_SEED", "1")))

    def client(self):
        conn = socket.socket(socket.AF_UNIX)
        conn.settimeout(PATIENCE_S)
        conn.connect(self.top.name + "/plexus/door/door")
        return conn

    @staticmethod
    def call(number):
        names = b"netStats"
        request = struct.pack("<BBBBII", 1, 1, 3, 5, 0, 0) + names
        return struct.pack(">BQI", 1, len(request) + 4, 0x80000000 | number) + request

    def say_something(self, conn):
        greeting = b"\0SP\0\0\x30\0\0"
        calls = b"".join(self.call(i) for i in range(100))
        conn.sendall(self.chance.choice((
            b"", greeting[:3], b"GET / HTTP/1.1\r\n\r\n", greeting, greeting + calls, greeting + calls[:-7],
            greeting + struct.pack(">BQ", 1, 8 << 30), greeting + struct.pack(">BQI", 1, 4, 7),
            greeting + self.chance.randbytes(200))))

    def test_a_full_door_serves_again_when_they_have_gone(self):
        def told():
            return subprocess.run([program("clients/cli/plexus"), "ps", "--name", "door"], env=self.env,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE_S,
                                  check=False).returncode

        self.assertEqual(told(), 0)
        before, memory = descriptors(self.pid), memory_kib(self.pid)
        for _ in range(4):
            clients = []
            for _ in range(self.CLIENTS_MAX + 40):
                clients.append(self.client())
                try:
                    self.say_something(clients[-1])
                except OSError:
                    pass  # closed at once
            for conn in clients:
                conn.close()
            until(lambda: told() == 0, "the door")
        until(lambda: descriptors(self.pid) <= before, "descriptors to be closed")
        self.assertTrue(SANITIZED or memory_kib(self.pid) < memory + 8192)
        self.assertTrue(self.server.say(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 "))


if __name__ == "__main__":
    main()
