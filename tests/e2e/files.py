#!/usr/bin/python3
"""plexus serve --root: right bytes, types and lengths, and never anything outside the root."""
import hashlib
import os
import socket
import struct
import tempfile
import unittest

from common import Server, main, need, program, read_response, run

PLEXUS = program("clients/cli/plexus")
need("curl")


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory()
        cls.root = cls.top.name + "/www"
        cls.contents = {
            "index.html": b"<h1>home</h1>", "a.txt": b"text", "empty.css": b"", "a b.json": b"{}",
            "sub/index.html": b"<h1>sub</h1>", "sub/x.PNG": b"png", "no_ending": b"?", "archive.tar.gz": b"gz",
            "at16384": os.urandom(16384), "at16385": os.urandom(16385), "big.bin": os.urandom(20 << 20),
            ".well-known/x.txt": b"known",
        }
        for name, data in cls.contents.items():
            write(cls.root + "/" + name, data)
        write(cls.root + "/.hidden", b"hidden")
        write(cls.root + "/.git/config", b"hidden")
        write(cls.top.name + "/secret", b"secret")
        os.makedirs(cls.root + "/bare")
        os.symlink("../secret", cls.root + "/out")
        os.symlink("/etc/passwd", cls.root + "/etc")
        os.symlink("a.txt", cls.root + "/in")
        cls.server = Server(PLEXUS, "serve", "--root", cls.root, "--listen", "127.0.0.1:0")

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        errors = cls.server.errors()
        cls.server.kill()
        cls.top.cleanup()
        assert code == 0, (code, errors)

    def ask(self, target, method=b"GET"):
        with self.server.connect() as conn:
            conn.sendall(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            return read_response(conn, head=method == b"HEAD")

    def test_every_file_arrives_whole_with_its_length_and_type(self):
        types = {"html": "text/html", "txt": "text/plain", "css": "text/css", "json": "application/json",
                 "PNG": "image/png", "gz": "application/gzip", "bin": "application/octet-stream"}
        for name, data in self.contents.items():
            with self.subTest(name=name):
                status, headers, body, _ = self.ask(b"/" + name.replace(" ", "%20").encode())
                self.assertEqual(status, 200)
                self.assertEqual(int(headers["content-length"]), len(data))
                self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())
                ending = name.rpartition(".")[2] if "." in os.path.basename(name) else ""
                wanted = types.get(ending, "application/octet-stream")
                self.assertEqual(headers["content-type"].partition(";")[0], wanted)

    def test_head_says_what_get_would(self):
        for name in ("a.txt", "empty.css", "big.bin"):
            got, head = self.ask(b"/" + name.encode()), self.ask(b"/" + name.encode(), b"HEAD")
            self.assertEqual(head[0], 200)
            self.assertEqual(head[1]["content-length"], got[1]["content-length"])
            self.assertEqual(head[1]["content-type"], got[1]["content-type"])
            self.assertEqual(head[3], b"")

    def test_big_files_survive_four_at_once_through_curl(self):
        wanted = hashlib.sha256(self.contents["big.bin"]).hexdigest()
        with tempfile.TemporaryDirectory() as out:
            url = self.server.url + "/big.bin?%d"
            code, _, err = run("curl", "-sSf", "--parallel", *sum(
                [["-o", "%s/%d" % (out, i), url % i] for i in range(4)], []))
            self.assertEqual(code, 0, err)
            for i in range(4):
                with open("%s/%d" % (out, i), "rb") as f:
                    self.assertEqual(hashlib.sha256(f.read()).hexdigest(), wanted)

    def test_a_directory_is_its_index(self):
        self.assertEqual(self.ask(b"/")[2], self.contents["index.html"])
        self.assertEqual(self.ask(b"/sub/")[2], self.contents["sub/index.html"])
        self.assertEqual(self.ask(b"/sub/?q=1")[2], self.contents["sub/index.html"])
        self.assertEqual(self.ask(b"/bare/")[0], 404)

    def test_a_directory_without_its_slash_is_elsewhere(self):
        status, headers, _, _ = self.ask(b"/sub")
        self.assertEqual(status, 301)
        self.assertEqual(headers["location"], "./sub/")
        self.assertEqual(self.ask(b"/sub?a=b&c")[1]["location"], "./sub/?a=b&c")
        code, out, _ = run("curl", "-sSfL", self.server.url + "/sub")
        self.assertEqual((code, out), (0, self.contents["sub/index.html"]))

    def test_no_redirect_leads_to_another_host(self):
        for target in (b"//sub", b"//example.com/..//sub", b"/%2e%2e//sub"):
            status, headers, _, _ = self.ask(target)
            self.assertFalse(headers.get("location", "").startswith(("//", "http")), (status, headers))

    def test_a_link_inside_the_root_is_followed(self):
        self.assertEqual(self.ask(b"/in")[2], b"text")

    def test_nothing_outside_the_root_is_served(self):
        for target in (b"/../secret", b"/sub/../../secret", b"/%2e%2e/secret", b"/..%2fsecret", b"/%2e%2e%2fsecret",
                       b"/....//secret", b"/..%5csecret", b"/out", b"/etc", b"/sub/../out", b"/%252e%252e/secret",
                       b"/./../secret", b"//etc/passwd", b"/%00/etc/passwd", b"/a.txt%00.html", b"/out/",
                       b"/sub/%2e%2e/%2e%2e/secret", b"/proc/self/environ"):
            with self.subTest(target=target):
                status, _, body, _ = self.ask(target)
                self.assertIn(status, (400, 404))
                self.assertNotIn(b"secret", body)
                self.assertNotIn(b"root:", body)

    def test_names_with_a_dot_in_front_are_not_served(self):
        for target in (b"/.hidden", b"/.git/config", b"/sub/../.git/config", b"/%2egit/config"):
            self.assertEqual(self.ask(target)[0], 404, target)

    def test_other_methods_are_told_which_there_are(self):
        for method in (b"POST", b"DELETE", b"PUT"):
            status, headers, _, _ = self.ask(b"/a.txt", method)
            self.assertEqual(status, 405)
            self.assertEqual(headers["allow"], "GET, HEAD")
        self.assertEqual(self.ask(b"/a.txt", b"OPTIONS")[0], 204)

    def test_a_file_that_grows_keeps_its_promise_and_one_that_shrinks_resets(self):
        path = self.root + "/moving"
        write(path, b"m" * (8 << 20))
        with self.server.connect() as conn:
            conn.sendall(b"GET /moving HTTP/1.1\r\nHost: x\r\n\r\n")
            got = conn.recv(1000)
            os.truncate(path, 9 << 20)
            self.assertIn(b"200", got)
            self.assertEqual(len(read_response(conn, got)[2]), 8 << 20)
            conn.sendall(b"GET /moving HTTP/1.1\r\nHost: x\r\n\r\n")
            got = conn.recv(1000)
            os.truncate(path, 10)
            with self.assertRaises((AssertionError, ConnectionResetError)):
                read_response(conn, got)

    def test_clients_that_leave_in_the_middle_do_no_harm(self):
        for i in range(200):
            conn = self.server.connect()
            if i % 2:
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", conn.recv(1000 * (i + 1)))
            conn.close()
        self.assertIsNone(self.server.process.poll())
        self.assertEqual(self.ask(b"/a.txt")[0], 200)


if __name__ == "__main__":
    main()
