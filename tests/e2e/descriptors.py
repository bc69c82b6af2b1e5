#!/usr/bin/python3
"""When descriptors run out: accepting pauses, is reported, resumes; what is open goes on."""
import resource
import socket
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, program, read_response, skip, until

PLEXUS = program("clients/cli/plexus")
LIMIT = 64
if SANITIZED:
    skip("a sanitizer needs descriptors of its own")

REQUEST = b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n"


def few():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


class Descriptors(unittest.TestCase):
    def test_a_server_at_its_limit_goes_on_and_recovers(self):
        server = Server(PLEXUS, "serve", "--listen", "127.0.0.1:0", prepare=few)
        self.addCleanup(server.kill)
        first = server.connect()
        first.sendall(REQUEST)
        self.assertEqual(read_response(first)[0], 200)
        crowd = [server.connect() for _ in range(2 * LIMIT)]  # the backlog takes them
        first.sendall(REQUEST)
        self.assertEqual(read_response(first)[0], 200)
        until(lambda: "accept" in server.errors(), "the report")
        for conn in crowd:
            conn.close()

        def answers():
            try:
                with socket.create_connection((server.host, server.port), PATIENCE_S) as conn:
                    conn.settimeout(1)
                    conn.sendall(REQUEST)
                    return read_response(conn)[0] == 200
            except OSError:
                return False

        until(answers, "accepting again")
        first.close()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
