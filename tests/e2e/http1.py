#!/usr/bin/python3
"""HTTP/1 between plexus serve and clients other people wrote, and bytes no client should send."""
import http.client
import json
import os
import re
import tempfile
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, need, program, read_all, read_response, run

PLEXUS = program("clients/cli/plexus")
need("curl", "wrk")


class Http1(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PLEXUS, "serve", "--listen", "127.0.0.1:0")

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        errors = cls.server.errors()
        cls.server.kill()
        assert code == 0, (code, errors)

    def curl(self, path, *options):
        code, out, err = run("curl", "-sS", "--max-time", str(3 * PATIENCE_S), *options, self.server.url + path)
        self.assertEqual(code, 0, err)
        return out

    # ---- clients of other people ----

    def test_curl_gets_the_page(self):
        out = self.curl("/", "-i")
        self.assertTrue(out.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"<h1>It works.</h1>", out)
        self.assertRegex(out, rb"\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")

    def test_curl_uses_one_connection_for_several_requests(self):
        out = self.curl("/hello/b", self.server.url + "/hello/a", "-w", "%{num_connects} ")
        self.assertEqual(out, b"Hello, a!\n1 Hello, b!\n0 ")

    def test_head_has_no_body(self):
        got = self.curl("/", "-i").split(b"\r\n\r\n", 1)
        head = self.curl("/", "-I").split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length: (\d+)", head[0]).group(1)
        self.assertEqual(int(length), len(got[1]))
        self.assertEqual(head[1], b"")

    def test_unknown_paths_and_methods_are_told_apart(self):
        self.assertIn(b" 404 ", self.curl("/none", "-i").split(b"\r\n")[0])
        out = self.curl("/hello/you", "-i", "-X", "PUT")
        self.assertIn(b" 405 ", out.split(b"\r\n")[0])
        self.assertIn(b"\r\nallow: GET, HEAD\r\n", out)

    def test_a_chunked_upload_comes_back(self):
        data = os.urandom(900000)
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            with open(f.name, "rb") as stdin:
                code, out, err = run("curl", "-sS", "-X", "POST", "-T", "-", self.server.url + "/echo", stdin=stdin)
        self.assertEqual(code, 0, err)
        self.assertEqual(out, data)

    def test_an_upload_with_a_length_comes_back(self):
        data = os.urandom(1 << 20)
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            self.assertEqual(self.curl("/echo", "--data-binary", "@" + f.name), data)

    def test_a_body_beyond_the_limit_is_refused(self):
        for expect in ("Expect:", "Expect: 100-continue"):
            code, out, _ = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", expect, "--data-binary",
                               "@-", self.server.url + "/echo", input=b"x" * ((1 << 20) + 1))
            self.assertEqual(out, b"413", code)

    def test_100_continue_is_sent_before_the_body(self):
        out = self.curl("/echo", "-i", "-H", "Expect: 100-continue", "-d", "body", "--expect100-timeout", "30")
        self.assertTrue(out.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), out)
        self.assertTrue(out.endswith(b"\r\n\r\nbody"))

    def test_a_streamed_response_arrives_as_it_is_made(self):
        self.assertEqual(self.curl("/count", "-N"), b"".join(b"%d\n" % i for i in range(1, 11)))

    def test_a_streamed_response_to_http_1_0_ends_with_the_connection(self):
        answer = self.server.say(b"GET /count HTTP/1.0\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertNotIn(b"transfer-encoding", head)
        self.assertEqual(body, b"".join(b"%d\n" % i for i in range(1, 11)))

    def test_http_client_keeps_its_connection(self):
        conn = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE_S)
        for i in range(200):
            conn.request("GET", "/hello/%d" % i)
            response = conn.getresponse()
            self.assertEqual((response.status, response.read()), (200, b"Hello, %d!\n" % i))
        conn.close()

    def test_wrk_meets_no_error(self):
        code, out, err = run("wrk", "-t1", "-c32", "-d1s", self.server.url + "/hello/wrk")
        self.assertEqual(code, 0, err)
        self.assertNotIn(b"Socket errors", out)
        self.assertNotIn(b"Non-2xx", out)
        count = int(re.search(rb"(\d+) requests in", out).group(1))
        self.assertGreater(count, 10 if SANITIZED else 1000)
        print(json.dumps({"wrk requests in 1 s": count}))

    # ---- raw bytes ----

    def test_pipelined_requests_are_answered_in_order(self):
        with self.server.connect() as conn:
            conn.sendall(b"".join(b"GET /hello/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(500)))
            rest = b""
            for i in range(500):
                status, _, body, rest = read_response(conn, rest)
                self.assertEqual((status, body), (200, b"Hello, %d!\n" % i))

    def test_requests_byte_by_byte_are_understood(self):
        with self.server.connect() as conn:
            for byte in b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
                conn.sendall(bytes([byte]))
            self.assertEqual(read_response(conn)[2], b"abc")

    def test_connection_close_is_obeyed(self):
        answer = self.server.say(b"GET /hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b"\r\nconnection: close\r\n", answer)
        self.assertTrue(answer.endswith(b"Hello, x!\n"))

    def test_http_1_0_closes_unless_asked_to_stay(self):
        self.assertTrue(self.server.say(b"GET /hello/x HTTP/1.0\r\n\r\n").endswith(b"Hello, x!\n"))
        with self.server.connect() as conn:
            for _ in range(2):
                conn.sendall(b"GET /hello/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                self.assertEqual(read_response(conn)[2], b"Hello, x!\n")

    def test_a_client_that_shuts_its_side_is_still_answered(self):
        answer = self.server.say(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n", shut=True)
        self.assertTrue(answer.endswith(b"Hello, x!\n"))

    def test_options_about_the_server_is_answered(self):
        with self.server.connect() as conn:
            conn.sendall(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(read_response(conn)[0], 204)

    def test_malformed_requests_are_answered_and_closed(self):
        host = b"Host: x\r\n"
        post = b"POST /echo HTTP/1.1\r\n" + host
        cases = [
            (400, b"GET / HTTP/1.1\r\n\r\n"), (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            (400, b"GET  / HTTP/1.1\r\n" + host + b"\r\n"), (400, b"GET /\x00 HTTP/1.1\r\n" + host + b"\r\n"),
            (400, b"GET / HTTP/1.1\nHost: x\n\n"), (400, b"GET / HTTP/1.1\r\n" + host + b" folded\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n" + host + b"A : b\r\n\r\n"), (400, b"GET / HTTP/1.1\r\n" + host + b"A\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n" + host + b"A: b\rc\r\n\r\n"), (400, b"GET /\r\n\r\n"),
            (505, b"GET / HTTP/2.0\r\n" + host + b"\r\n"), (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n"),
            (431, b"GET / HTTP/1.1\r\n" + host + b"A: " + b"b" * 9000 + b"\r\n\r\n"),
            (431, b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n" * 200 + b"\r\n"),
            (400, post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (400, post + b"Content-Length: 5, 5\r\n\r\nhello"), (400, post + b"Content-Length: +5\r\n\r\nhello"),
            (400, post + b"Content-Length: 99999999999999999999\r\n\r\n"),
            (400, post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (400, post + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
            (400, post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"),
            (400, post + b"Transfer-Encoding: chunked\r\n\r\n5;a\n\r\nhello\r\n0\r\n\r\n"),
            (417, post + b"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello"),
        ]
        smuggled = b"GET /hello/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        for wanted, data in cases:
            with self.subTest(data=data[:60]):
                answer = self.server.say(data + smuggled)
                self.assertEqual(answer.split(b" ")[1:2], [b"%d" % wanted], answer[:200])
                self.assertNotIn(b"Hello, smuggled", answer)
                self.assertIn(b"\r\nconnection: close\r\n", answer)

    def test_an_unknown_coding_is_not_guessed_at(self):
        answer = self.server.say(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
        self.assertIn(answer.split(b" ")[1], (b"400", b"501"))

    def test_paths_are_decoded_once(self):
        with self.server.connect() as conn:
            for target, status, body in ((b"/hello/%41%2d%7E", 200, b"Hello, A-~!\n"),
                                         (b"/hello/%2541", 200, b"Hello, %41!\n"),
                                         (b"/x/../hello/./you", 200, b"Hello, you!\n"),
                                         (b"/x/%2e%2e/hello/you", 200, b"Hello, you!\n"),
                                         (b"/../../hello/you?a=/../b", 200, b"Hello, you!\n"),
                                         (b"/hello/a%2Fb", 400, None), (b"/hello/%zz", 400, None),
                                         (b"/hello/%00", 400, None), (b"/hello/", 404, None)):
                conn.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                got = read_response(conn)
                self.assertEqual(got[0], status, target)
                if body is not None:
                    self.assertEqual(got[2], body)

    def test_many_connections_that_leave_halfway_leave_nothing_behind(self):
        def figure(name):
            return int(re.search(rb"%s +(\d+)" % name, self.curl("/stats")).group(1))

        before = figure(b"elements")
        for data in (b"", b"GET", b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: 100\r\n\r\nabc"):
            for _ in range(50):
                with self.server.connect() as conn:
                    conn.sendall(data)
        for _ in range(100):
            if figure(b"elements") <= before + 2:
                break
        self.assertLessEqual(figure(b"elements"), before + 2)
        self.assertEqual(figure(b"held"), 0)


class Slow(unittest.TestCase):
    def test_the_rest_of_a_connection_that_ended_badly_is_not_read_as_requests(self):
        server = Server(PLEXUS, "serve", "--listen", "127.0.0.1:0")
        try:
            with server.connect() as conn:
                conn.sendall(b"BAD\r\n\r\n" + b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
                answer = read_all(conn)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
