#!/usr/bin/python3
"""Rules of routes, sets of routes and the log, to real clients: what curl sees, what htpasswd writes."""
import os
import re
import signal
import struct
import tempfile
import threading
import time
import unittest

from common import (BUILD, PATIENCE_S, SANITIZED, Server, main, need, program, read_response, run,
                    until)

need("curl", "htpasswd")
SERVER = program("tests/e2e/rules_server")
COUNTER = os.path.join(BUILD, "tests", "e2e", "libmalloc_count.so")
GET = "GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n"


class Rules(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.addCleanup(self.top.cleanup)
        self.users = self.top.name + "/users"
        cost = "4" if SANITIZED else "10"
        self.assertEqual(run("htpasswd", "-cbB", "-C", cost, self.users, "ann", "secret")[0], 0)
        self.assertEqual(run("htpasswd", "-b5", self.users, "bob", "geheim")[0], 0)

    def start(self, log="none", **options):
        self.server = Server(SERVER, self.users, log, **options)
        self.addCleanup(self.server.kill)
        return self.server

    def curl(self, path, *options):
        """(status, fields, body) as curl tells them."""
        code, out, err = run("curl", "-s", "-i", *options, self.server.url + path)
        self.assertEqual(code, 0, err)
        head, _, body = out.partition(b"\r\n\r\n")
        while b" 100 " in head.split(b"\r\n")[0]:
            head, _, body = body.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), fields, body

    def test_redirects_are_followed_with_their_query(self):
        self.start()
        status, fields, _ = self.curl("/old/a%20b/c?x=%41")
        self.assertEqual((status, fields["location"]), (308, "/new/a%20b/c?x=%41"))
        where = run("curl", "-sL", "-o", "/dev/null", "-w", "%{http_code} %{url_effective}",
                    self.server.url + "/old/a?x")[1].decode()
        self.assertEqual(where, "404 " + self.server.url + "/new/a?x")

    def test_errors_have_their_page_and_hosts_their_routes(self):
        self.start()
        self.assertEqual(self.curl("/none")[::2], (404, b"<h1>Lost</h1>\n"))
        self.assertEqual(self.curl("/", "-H", "Host: a.OTHER.example:80")[2], b"other\n")
        self.assertEqual(self.curl("/", "-H", "Host: other.example")[2], b"Hello, World!\n")
        self.assertEqual(self.curl("/version", "-H", "Host: a.other.example")[0], 404)

    def test_header_rules_change_the_response(self):
        self.start()
        status, fields, _ = self.curl("/fields")
        self.assertEqual((status, fields["x-frame-options"]), (200, "DENY"))
        self.assertNotIn("content-type", fields)

    def test_users_of_htpasswd_are_let_in(self):
        self.start("log")
        status, fields, _ = self.curl("/private")
        self.assertEqual((status, fields["www-authenticate"]),
                         (401, 'Basic realm="restricted", charset="UTF-8"'))
        for user in ("ann:secret", "bob:geheim", "ann:secret"):
            self.assertEqual(self.curl("/private", "-u", user)[::2], (200, user[:3].encode()))
        for user in ("ann:geheim", "carl:secret", "ann:"):
            self.assertEqual(self.curl("/private", "-u", user)[0], 401)
        self.assertEqual(self.server.stop(), 0)

    def test_the_loop_goes_on_while_a_password_is_verified(self):
        self.assertEqual(run("htpasswd", "-cbB", "-C", "11", self.users, "ann", "secret")[0], 0)
        self.start()
        took = []
        thread = threading.Thread(target=lambda: took.append(self.curl("/private", "-u", "ann:secret")[0]))
        with self.server.connect() as conn:
            thread.start()
            slowest, n = 0, 0
            while thread.is_alive():
                start = time.monotonic()
                conn.sendall((GET % "/").encode())
                self.assertEqual(read_response(conn)[0], 200)
                slowest, n = max(slowest, time.monotonic() - start), n + 1
        thread.join()
        start = time.monotonic()
        self.assertEqual(self.curl("/private", "-u", "ann:secret")[0], 200)
        print("%d requests meanwhile, the slowest %.1f ms; known again in %.1f ms" %
              (n, 1000 * slowest, 1000 * (time.monotonic() - start)))
        self.assertEqual(took, [200])
        self.assertGreater(n, 20)

    def test_a_server_may_stop_while_a_password_is_verified(self):
        self.start()
        with self.server.connect() as conn:
            conn.sendall(b"GET /private HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n")
            self.assertEqual(read_response(conn)[0], 200)
        with self.server.connect() as conn:
            conn.sendall(b"GET /private HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YW5uOngx\r\n\r\n")
            self.assertEqual(self.server.stop(), 0)

    def test_a_page_of_another_origin_may_if_it_is_listed(self):
        self.start()
        ask = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT", "-H")
        status, fields, _ = self.curl("/cors", *ask, "Origin: http://page.example")
        self.assertEqual((status, fields["access-control-allow-origin"], fields["access-control-allow-methods"],
                          fields["access-control-allow-headers"], fields["access-control-max-age"]),
                         (204, "http://page.example", "PUT", "x-token", "60"))
        self.assertEqual(self.curl("/cors", *ask, "Origin: http://evil.example")[0], 403)
        _, fields, _ = self.curl("/cors", "-X", "PUT", "-H", "Origin: http://page.example")
        self.assertEqual((fields["access-control-allow-origin"], fields["vary"]), ("http://page.example", "Origin"))

    def test_who_asks_too_often_is_told_when_to_come_back(self):
        self.start()
        self.assertEqual([self.curl("/rate")[0] for _ in range(3)], [200] * 3)
        status, fields, _ = self.curl("/rate")
        self.assertEqual(status, 429)
        self.assertIn(int(fields["retry-after"]), range(50, 61))
        self.assertEqual(self.curl("/rate", "--interface", "127.0.0.2")[0], 200)

    def test_bodies_have_limits_of_length_and_time(self):
        self.start()
        self.assertEqual(self.curl("/upload", "--data-binary", "x" * 1000)[2], b"1000 bytes\n")
        self.assertEqual(self.curl("/upload", "--data-binary", "x" * 1001)[0], 413)
        chunked = ("-H", "Transfer-Encoding: chunked", "--data-binary")
        self.assertEqual(self.curl("/upload", *chunked, "x" * 1000)[0], 200)
        self.assertEqual(self.curl("/upload", *chunked, "x" * 1001)[0], 413)
        with self.server.connect() as conn:
            conn.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
            start = time.monotonic()
            self.assertEqual(read_response(conn)[0], 408)
            self.assertGreater(time.monotonic() - start, 0.9)

    def test_an_answer_that_does_not_come_is_503(self):
        self.start()
        self.assertEqual(self.curl("/never")[0], 503)

    def test_a_listener_may_have_limits_of_its_own(self):
        server = self.start()
        few = re.search(r"few at (.*):(\d+)", "".join(server.lines))
        server.port = int(few.group(2))
        conns = [server.connect() for _ in range(3)]
        for conn in conns:
            self.addCleanup(conn.close)
        for conn in conns[:2]:
            conn.sendall((GET % "/").encode())
            self.assertEqual(read_response(conn)[0], 200)
        with self.assertRaises((ConnectionError, AssertionError)):
            conns[2].sendall((GET % "/").encode())
            read_response(conns[2])

    def test_health_says_503_once_it_drains(self):
        self.start()
        self.assertEqual(self.curl("/health")[0], 200)
        with self.server.connect() as slow:
            slow.sendall((GET % "/slow/x").encode())
            self.server.process.send_signal(signal.SIGTERM)
            until(lambda: self.curl("/health")[0] == 503, "health to say so")
            self.assertEqual(self.curl("/")[0], 200)
            self.assertEqual(read_response(slow)[::2], (200, b"x\n"))
        self.assertEqual(self.server.process.wait(PATIENCE_S), 0)

    def test_the_log_has_a_line_for_each_exchange(self):
        server = self.start("log")
        self.curl("/?q=1", "-A", "tester/1")
        self.assertEqual(server.process.stdout.readline(), '127.0.0.1  "GET /?q=1" 200 14 "tester/1" 0\n')
        self.curl("/private", "-u", "ann:secret", "-A", "")
        self.assertEqual(server.process.stdout.readline(), '127.0.0.1 ann "GET /private" 200 3 "" 0\n')
        self.curl("/none", "-I", "-A", "x")
        self.assertEqual(server.process.stdout.readline(), '127.0.0.1  "HEAD /none" 404 0 "x" 0\n')

    def test_20_sets_follow_each_other_under_load_without_a_failure(self):
        server, n_reloads, failures, done = self.start(), 20, [], threading.Event()
        served = [0] * 16

        def load(which):
            try:
                with server.connect() as conn:
                    rest = b""
                    while not done.is_set():
                        path = ("/", "/version", "/slow/here")[which % 3] if served[which] % 7 == 0 else "/"
                        conn.sendall((GET % path).encode())
                        status, _, body, rest = read_response(conn, rest)
                        wanted = {"/": b"Hello, World!\n", "/slow/here": b"here\n"}.get(path, body)
                        if status != 200 or body != wanted:
                            failures.append((path, status, body))
                        served[which] += 1
            except OSError as error:
                failures.append(error)

        threads = [threading.Thread(target=load, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for i in range(n_reloads):
            time.sleep(0.05)
            self.assertIn("set %d in force" % (i + 2), server.signal_line(signal.SIGUSR1))
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.curl("/version")[2], b"%d\n" % (n_reloads + 1))
        line = server.signal_line(signal.SIGUSR2)
        print("%d requests; %s" % (sum(served), line.strip()))
        self.assertIn("freed %d" % n_reloads, line)

    def steady(self, log):
        count_file = self.top.name + "/count"
        with open(count_file, "wb") as f:
            f.truncate(4096)
        env = dict(os.environ)
        if not SANITIZED:
            env.update(LD_PRELOAD=COUNTER, MALLOC_COUNT_FILE=count_file)
        server = self.start(log, env=env)
        conns = [server.connect() for _ in range(8)]
        for conn in conns:
            self.addCleanup(conn.close)

        def mallocs():
            with open(count_file, "rb") as f:
                return struct.unpack("Q", f.read(8))[0]

        def load():
            for i in range(4000):
                conns[i % 8].sendall((GET % ("/" if i % 2 else "/fields")).encode())
                self.assertEqual(read_response(conns[i % 8])[0], 200)
            return int(re.search(r"allocs (\d+)", server.signal_line(signal.SIGUSR2)).group(1))
        before, libc = load(), mallocs()
        after, libc = load(), mallocs() - libc
        print("log %s: %d kernel allocations, %d libc allocations" % (log, after - before, libc))
        self.assertEqual((after - before, libc), (0, 0))

    def test_logged_and_ruled_requests_do_not_allocate(self):
        self.steady("count")

    def test_ruled_requests_do_not_allocate(self):
        self.steady("none")


if __name__ == "__main__":
    main()
