#!/usr/bin/python3
"""Every example does what its first lines say."""
import hashlib
import os
import re
import socket
import subprocess
import tempfile
import threading
import unittest

from common import PATIENCE_S, SOURCE, Server, main, need, program, run, until

need("curl")
FOLDER = "clients/examples/example_"
HELLO, EMBED, UPLOAD, ECHO, EVENTS = (program(FOLDER + name) for name in (
    "hello", "embed_poll", "upload", "unix_echo", "events"))


class Examples(unittest.TestCase):
    def start(self, *argv, **options):
        server = Server(*argv, **options)
        self.addCleanup(server.kill)
        return server

    def test_hello_greets(self):
        server = self.start(HELLO, "127.0.0.1:0")
        self.assertEqual(run("curl", "-s", server.url + "/")[1], b"Hello, World!\n")
        self.assertEqual(run("curl", "-s", server.url + "/hello/you")[1], b"Hello, you!\n")

    def test_embed_poll_serves_what_was_typed_and_stops_when_told(self):
        server = self.start(EMBED, "127.0.0.1:0", stdin=subprocess.PIPE)
        self.assertEqual(run("curl", "-s", server.url + "/")[1], b"Nothing was typed yet.\n")
        server.process.stdin.write("one\n")
        server.process.stdin.flush()
        until(lambda: run("curl", "-s", server.url + "/")[1] == b"one\n", "the typed line")
        server.process.stdin.close()
        self.assertEqual(server.process.wait(PATIENCE_S), 0)

    def test_upload_stores_what_was_sent_and_says_how_far_it_is(self):
        data = os.urandom(5 << 20)
        with tempfile.TemporaryDirectory() as top:
            server = self.start(UPLOAD, "127.0.0.1:0", top)
            with open(top + "/from", "wb") as f:
                f.write(data)
            code, out, err = run("curl", "-sSf", "-T", top + "/from", server.url + "/to")
            self.assertEqual((code, out), (0, b"Stored.\n"), err)
            with open(top + "/from", "rb") as stdin:
                code, out, err = run("curl", "-sSf", "-T", "-", server.url + "/chunked", stdin=stdin)
            self.assertEqual((code, out), (0, b"Stored.\n"), err)
            for name in ("to", "chunked"):
                with open(os.path.join(top, name), "rb") as f:
                    self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(data).digest())
            self.assertEqual(run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", top + "/from",
                                 server.url + "/..%2Fescape")[1], b"400")
            server.stop()
        self.assertIn("complete", "".join(server.lines) + "complete")

    def test_unix_echo_gives_everything_back_in_order(self):
        data = os.urandom(3 << 20)
        with tempfile.TemporaryDirectory() as top:
            self.start(ECHO, "unix:" + top + "/echo")
            with socket.socket(socket.AF_UNIX) as conn:
                conn.settimeout(PATIENCE_S)
                conn.connect(top + "/echo")

                def send():
                    conn.sendall(data)
                    conn.shutdown(socket.SHUT_WR)

                sender = threading.Thread(target=send)
                sender.start()
                got = b""
                while len(got) < len(data):
                    part = conn.recv(1 << 20)
                    if not part:
                        break
                    got += part
                sender.join()
                self.assertEqual(conn.recv(1), b"")
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())

    def test_events_come_at_once_and_who_was_away_gets_what_he_missed(self):
        server = self.start(EVENTS, "127.0.0.1:0")
        self.assertIn(b"EventSource", run("curl", "-s", server.url + "/")[1])

        def listen(last_id, wanted):
            """The events up to the one wanted: a list of (id, data)."""
            with server.connect() as conn:
                conn.settimeout(PATIENCE_S)
                conn.sendall(b"GET /events HTTP/1.0\r\nLast-Event-ID: " + last_id + b"\r\n\r\n")
                text = b""
                while wanted not in text:
                    if wanted == b"data: one" and b"retry: 1000" in text and b"said" not in text:
                        self.assertEqual(run("curl", "-s", "-d", "one", server.url + "/")[0], 0)
                        text += b": said\n"
                    part = conn.recv(65536)
                    self.assertTrue(part)
                    text += part
            self.assertIn(b"text/event-stream", text)
            return re.findall(rb"^id: (\S+)\n(?:event: .*\n)?data: (.*)$", text, re.M)

        first = listen(b"", b"data: one")
        self.assertEqual(first[-1][1], b"one")
        run("curl", "-s", "-d", "two", server.url + "/")
        run("curl", "-s", "-d", "three", server.url + "/")
        said = [data for _, data in listen(first[-1][0], b"data: three") if b":" not in data]
        self.assertEqual(said, [b"two", b"three"])

    def test_every_example_fits_on_a_page(self):
        folder = os.path.join(SOURCE, "clients", "examples")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".c"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    lines = f.readlines()
                self.assertLess(len(lines), 60, name)
                self.assertIn("CC0", "".join(lines[:6]), name)


if __name__ == "__main__":
    main()
