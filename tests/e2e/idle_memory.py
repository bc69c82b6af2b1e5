#!/usr/bin/python3
"""Memory of a server with many clients that do nothing: bytes per connection that was answered once and waits (as the
side-by-side benchmark counts them), and per connection that has sent the beginning of a request."""
import re
import resource
import tempfile
import time
import unittest

from common import SANITIZED, Server, main, program, read_response, skip

SERVER = program("tests/bench/bench_server")
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HELD_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: " + b"a" * 300 + b"\r\nCookie: " + b"b" * 100
MOST = 15000
if SANITIZED:
    skip("a sanitizer's memory is not ours")
if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < MOST + 100:
    skip("only %d descriptors are allowed" % resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def memory(pid):
    """Proportional set size, bytes."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) * 1024


class Memory(unittest.TestCase):
    def setUp(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.top = tempfile.TemporaryDirectory()
        self.server = Server(SERVER, "0", "0", "none", "none", self.top.name)
        self.conns = []
        self.base = memory(self.server.process.pid)

    def tearDown(self):
        for conn in self.conns:
            conn.close()
        self.server.kill()
        self.top.cleanup()

    def each(self, n, begin):
        """Bytes per connection for n of them, each begun so."""
        for _ in range(n):
            self.conns.append(self.server.connect())
            begin(self.conns[-1])
        time.sleep(0.5)
        return (memory(self.server.process.pid) - self.base) / n

    def answered(self, conn):
        conn.sendall(REQUEST)
        self.assertEqual(read_response(conn)[0], 200)

    def test_an_idle_connection_costs_at_most_320_bytes(self):
        each = self.each(10000, self.answered)
        print("base %d bytes, idle connection %.0f bytes" % (self.base, each))
        self.assertLessEqual(self.base, 8 << 20)
        self.assertLessEqual(each, 320)

    def test_a_held_request_head_costs_at_most_2048_bytes(self):
        each = self.each(MOST, lambda conn: conn.sendall(HELD_HEAD))
        print("head of %d bytes held: %.0f bytes" % (len(HELD_HEAD), each))
        self.assertLessEqual(each, 2048)
        self.conns[0].sendall(b"\r\n\r\n")
        self.assertEqual(read_response(self.conns[0])[0], 200)


if __name__ == "__main__":
    main()
