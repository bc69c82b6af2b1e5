#!/usr/bin/python3
"""The bench server, in exactly the configuration that is measured: every request goes through the message
queue at least five times, and none of them allocates."""
import os
import re
import signal
import struct
import tempfile
import unittest

from common import SANITIZED, Server, main, program, read_response

SERVER = program("tests/bench/bench_server")
COUNTER = os.path.join(os.environ.get("MESON_BUILD_ROOT", "build"), "tests", "e2e", "libmalloc_count.so")
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
REQUESTS = 10000


class Counting(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.count_file = self.top.name + "/count"
        with open(self.top.name + "/f.txt", "wb") as f:
            f.write(b"file")
        with open(self.count_file, "wb") as f:
            f.truncate(4096)
        env = dict(os.environ)
        if not SANITIZED:
            env.update(LD_PRELOAD=COUNTER, MALLOC_COUNT_FILE=self.count_file)
        self.server = Server(SERVER, "0", "0", "none", "none", self.top.name, env=env)

    def tearDown(self):
        self.assertEqual(self.server.stop(), 0)
        self.server.kill()
        self.top.cleanup()

    def figures(self):
        line = self.server.signal_line(signal.SIGUSR1)
        return dict((k, float(v)) for k, v in re.findall(r"(\w+) ([\d.]+)", line))

    def mallocs(self):
        with open(self.count_file, "rb") as f:
            return struct.unpack("Q", f.read(8))[0]

    def load(self, conns, n, depth=1, request=REQUEST, wanted=b"Hello, World!"):
        """n requests over the connections in turn, `depth` at a time on each."""
        for i in range(0, n, depth):
            conn = conns[i // depth % len(conns)]
            conn.sendall(request * depth)
            rest = b""
            for _ in range(depth):
                status, _, body, rest = read_response(conn, rest)
                self.assertEqual((status, body), (200, wanted))

    def test_a_request_is_at_least_five_queued_deliveries(self):
        conns = self.connections()
        self.load(conns, 100)
        before = self.figures()
        self.load(conns, REQUESTS)
        after = self.figures()
        per_request = (after["deliveries"] - before["deliveries"]) / (after["requests"] - before["requests"])
        print("deliveries per request: %.3f" % per_request)
        self.assertEqual(after["requests"] - before["requests"], REQUESTS)
        self.assertGreaterEqual(per_request, 5)

    def connections(self):
        conns = [self.server.connect() for _ in range(8)]
        for conn in conns:
            self.addCleanup(conn.close)
        return conns

    def steady(self, name, depth, **options):
        conns = self.connections()
        self.load(conns, REQUESTS, depth, **options)
        kernel = self.figures()["allocs"]
        libc = 0 if SANITIZED else self.mallocs()
        self.load(conns, REQUESTS, depth, **options)
        libc = 0 if SANITIZED else self.mallocs() - libc
        kernel = self.figures()["allocs"] - kernel
        print("%s, %d requests: %d kernel allocations, %d libc allocations" % (name, REQUESTS, kernel, libc))
        self.assertEqual(kernel, 0)
        self.assertEqual(libc, 0)

    def test_requests_do_not_allocate(self):
        self.steady("one at a time", 1)

    def test_pipelined_requests_do_not_allocate(self):
        self.steady("sixteen at a time", 16)

    def test_requests_for_files_do_not_allocate(self):
        self.steady("files", 1, request=b"GET /f/f.txt HTTP/1.1\r\nHost: x\r\n\r\n", wanted=b"file")

    def test_it_says_what_it_raised(self):
        self.assertTrue(any(line.startswith("raised: requests per connection") for line in self.server.lines))


if __name__ == "__main__":
    main()
