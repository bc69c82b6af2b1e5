#!/usr/bin/python3
"""Slow clients: slowhttptest in its three modes, and five thousand of our own, while honest ones go on asking. These all
succeed, their p99 stays within three times that of a second server that is left in peace at the same time (attackers
and clients share this machine's processors), and the memory within what the limits say."""
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, need, program, skip

SLOW = 500 if SANITIZED else 5000
ATTACK_S = 15
HONEST = 8
PAUSE_S = 0.01           # of an honest client between two requests
BASELINE_FLOOR_MS = 1.0  # below this it is the scheduler that is measured
TRIES = 3                # so do other programs: one run in which they keep quiet proves the point
A_CLIENT_KIB = 16        # memory of a slow client: a head that is not complete, or a response that is not taken


def attack(kind, host, port, n, seconds):
    """The slow ones, in a process of their own: `n` connections that do next to nothing, for so long."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.nice(19)  # in life they have processors of their own
    connections = []

    def connect(i):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.0.%d" % (2 + i % 200), 0))
        sock.connect((host, port))
        slow = ("head", "read")[i % 2] if kind == "mixed" else kind
        first = {"head": b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ",
                 "body": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
                 "read": b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"}[slow]
        sock.sendall(first)
        sock.setblocking(False)
        connections.append([sock, slow, i])

    for i in range(n):
        connect(i)
    print("connected", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in connections:
            sock, slow, i = entry
            try:
                if slow == "read":
                    sock.recv(16)
                else:
                    sock.send(b"x")
            except BlockingIOError:
                pass
            except OSError:  # shown the door: comes again
                sock.close()
                connections.remove(entry)
                try:
                    connect(i)
                except OSError:
                    pass
            if time.monotonic() > end:
                break
        time.sleep(1)


class Honest(threading.Thread):
    """Clients that ask, read the answer and pause."""

    def __init__(self, server):
        super().__init__()
        self.server, self.going, self.times, self.failures = server, True, [], []

    def run(self):
        selector = selectors.DefaultSelector()
        for _ in range(HONEST):
            sock = socket.create_connection((self.server.host, self.server.port), PATIENCE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, [0.0, b""])
        try:
            while self.going:
                for key in list(selector.get_map().values()):
                    key.data[:] = [time.monotonic(), b""]
                    key.fileobj.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.answers(selector)
                time.sleep(PAUSE_S)
        except OSError as why:
            self.failures.append(repr(why))
        for key in list(selector.get_map().values()):
            key.fileobj.close()

    def answers(self, selector):
        waiting = HONEST
        while waiting > 0:
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise OSError("no answer")
            for key, _ in ready:
                data = key.fileobj.recv(65536)
                if not data:
                    raise OSError("closed")
                key.data[1] += data
                head, blank, body = key.data[1].partition(b"\r\n\r\n")
                if blank and len(body) == int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
                    self.times.append(time.monotonic() - key.data[0])
                    waiting -= 1
                    if not head.startswith(b"HTTP/1.1 200"):
                        self.failures.append(head)

    def measure(self, what):
        """Runs while `what` does; (p99 in ms, answers)."""
        self.start()
        what()
        self.going = False
        self.join()
        return 1000 * sorted(self.times)[int(0.99 * len(self.times))], len(self.times)


class Slow(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        with open(self.top.name + "/index.html", "w", encoding="ascii") as page:
            page.write("<p>hello\n")
        with open(self.top.name + "/big", "wb") as big:
            big.truncate(64 << 20)
        self.server = self.control = None

    def tearDown(self):
        self.server.kill()
        self.control.kill()
        self.top.cleanup()

    def serve(self, *options):
        self.server, self.control = (
            Server(program("clients/cli/plexus"), "serve", "--listen", "127.0.0.1:0", "--set",
                   "server.connections_peer_max=20000", "--set", "server.requests_max=1000000", *options)
            for _ in range(2))

    def memory_kib(self):
        with open("/proc/%d/status" % self.server.process.pid, encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def withstand(self, name, n, *argv):
        """Runs an attack on one server, and honest clients of both."""
        for attempt in range(TRIES):
            before = self.memory_kib()
            peak = [before]
            attacker = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

            def wait():
                while attacker.poll() is None:
                    peak[0] = max(peak[0], self.memory_kib())
                    time.sleep(0.1)

            honest, other = Honest(self.server), Honest(self.control)
            other.start()
            slow, answers = honest.measure(wait)
            other.going = False
            other.join()
            calm = 1000 * sorted(other.times)[int(0.99 * len(other.times))]
            grown = (peak[0] - before) / n
            print("%s: p99 %.2f ms in peace, %.2f ms among %d slow clients, %d honest answers, %.1f KiB a slow client"
                  % (name, calm, slow, n, answers, grown))
            self.assertEqual(attacker.returncode, 0)
            self.assertEqual(honest.failures, [])
            self.assertGreater(answers, ATTACK_S * 10)
            self.assertLess(grown, A_CLIENT_KIB)
            if slow <= 3 * max(calm, BASELINE_FLOOR_MS):
                return
        self.fail("p99 is %.2f ms among slow clients, %.2f without, %d times" % (slow, calm, attempt + 1))

    def slowhttptest(self, *options):
        n = str(min(1000, SLOW))
        self.withstand("slowhttptest " + options[0], int(n), "nice", "-n", "19", "slowhttptest", *options, "-c", n, "-r",
                       "500", "-i", "3", "-l", str(ATTACK_S), "-p", "3")

    def ours(self, kind):
        self.withstand("ours, " + kind, SLOW, sys.executable, __file__, "attack", kind, self.server.host,
                       str(self.server.port), str(SLOW), str(ATTACK_S))

    def test_slow_heads(self):
        self.serve("--root", self.top.name)
        self.slowhttptest("-H", "-u", self.server.url + "/")

    def test_slow_bodies(self):
        self.serve()
        self.slowhttptest("-B", "-u", self.server.url + "/echo", "-s", "100000", "-x", "8")

    def test_slow_readers(self):
        self.serve("--root", self.top.name)
        self.slowhttptest("-X", "-u", self.server.url + "/big", "-w", "512", "-y", "1024", "-n", "2", "-z", "32", "-k", "3")

    def test_thousands_that_send_their_head_or_read_slowly(self):
        self.serve("--root", self.top.name)
        self.ours("mixed")

    def test_thousands_that_send_their_body_slowly(self):
        self.serve()
        self.ours("body")


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        attack(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
        sys.exit(0)
    need("slowhttptest")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * SLOW:
        skip("too few descriptors: %d" % resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    main()
