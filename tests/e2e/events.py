#!/usr/bin/python3
"""Server-sent events: to many, to somebody who sleeps, and to a browser."""
import os
import re
import selectors
import shutil
import socket
import struct
import tempfile
import threading
import time
import unittest

from common import BUILD, PATIENCE_S, SANITIZED, Server, main, program, read_response, run

EVENTS = program("clients/examples/example_events")
MANY = 50 if SANITIZED else 500
SAID = 20
FLOOD = 10000  # more than all the buffers between the two take
LINE = "x" * 900
MEMORY = 16 << 20
CONNECTION_MAX = 500  # requests on one connection


def subscribe(server, receive_buffer=0):
    """A connection that events come through, its head taken; and what came behind it."""
    conn = socket.socket()
    if receive_buffer:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    conn.settimeout(PATIENCE_S)
    conn.connect((server.host, server.port))
    conn.sendall(b"GET /events HTTP/1.0\r\n\r\n")
    text = b""
    while b"\r\n\r\n" not in text:
        text += conn.recv(4096)
    head, _, rest = text.partition(b"\r\n\r\n")
    assert b"text/event-stream" in head
    return conn, rest


def say(server, texts):
    """Has each said to all."""
    for at in range(0, len(texts), CONNECTION_MAX):
        with server.connect() as conn:
            for text in texts[at:at + CONNECTION_MAX]:
                conn.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (
                    len(text), text.encode()))
                status = read_response(conn)[0]
                assert status == 200, status


def said(text):
    """The events in `text` that are complete and have no name: a list of their data."""
    events = [event for event in text.split(b"\n\n")[:-1] if event.startswith(b"id: ")]
    return [re.sub(rb"^id: \S+\ndata: ", b"", event).decode() for event in events if b"\nevent: " not in event]


class Events(unittest.TestCase):
    def setUp(self):
        self.server = Server(EVENTS, "127.0.0.1:0")
        self.addCleanup(self.server.kill)

    def test_all_of_many_get_everything_in_order(self):
        selector = selectors.DefaultSelector()
        for _ in range(MANY):
            conn, rest = subscribe(self.server)
            self.addCleanup(conn.close)
            selector.register(conn, selectors.EVENT_READ, bytearray(rest))
        say(self.server, ["line %d" % i for i in range(SAID)])
        waiting, end = MANY, time.monotonic() + PATIENCE_S
        while waiting:
            self.assertLess(time.monotonic(), end, "%d still wait" % waiting)
            for key, _ in selector.select(1):
                key.data.extend(key.fileobj.recv(65536))
                if b"line %d\n\n" % (SAID - 1) in key.data:
                    self.assertEqual(said(bytes(key.data)), ["line %d" % i for i in range(SAID)])
                    selector.unregister(key.fileobj)
                    waiting -= 1

    def test_who_sleeps_misses_whole_events_and_costs_little(self):
        conn, text = subscribe(self.server, 4096)
        self.addCleanup(conn.close)
        with open("/proc/%d/statm" % self.server.process.pid, encoding="ascii") as f:
            before = int(f.read().split()[1])
        say(self.server, ["%d %s" % (i, LINE) for i in range(FLOOD)])
        with open("/proc/%d/statm" % self.server.process.pid, encoding="ascii") as f:
            pages = int(f.read().split()[1]) - before
        if not SANITIZED:
            self.assertLess(pages * 4096, MEMORY)
        last = b"%d %s\n\n" % (FLOOD - 1, LINE.encode())
        while last not in text:
            part = conn.recv(1 << 20)
            self.assertTrue(part)
            text += part
        got = said(text)
        self.assertLess(len(got), FLOOD)
        numbers = [int(event.split()[0]) for event in got]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertTrue(all(event == "%d %s" % (number, LINE) for event, number in zip(got, numbers)))

    @unittest.skipIf(SANITIZED, "the sanitizer allocates")
    def test_an_event_allocates_nothing(self):
        with tempfile.NamedTemporaryFile() as count:
            count.truncate(4096)
            server = Server(EVENTS, "127.0.0.1:0", env=dict(
                os.environ, LD_PRELOAD=os.path.join(BUILD, "tests/e2e/libmalloc_count.so"), MALLOC_COUNT_FILE=count.name))
            self.addCleanup(server.kill)

            def counted():
                return struct.unpack("Q", os.pread(count.fileno(), 8, 0))[0]

            readers = [subscribe(server)[0] for _ in range(10)]
            for conn in readers:
                self.addCleanup(conn.close)
            say(server, [LINE] * 150)  # fills what the topic keeps
            for conn in readers:
                conn.recv(1 << 20)
            self.assertGreater(counted(), 0)
            asked = []
            while len(asked) < 10 and 0 not in asked:  # a reader that is late for once makes it keep more than ever before
                before = counted()
                say(server, [LINE] * 100)
                for conn in readers:
                    conn.recv(1 << 20)
                asked.append(counted() - before)
            self.assertIn(0, asked)

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_a_browser_shows_what_was_said(self):
        stop = threading.Event()

        def repeat():
            while not stop.wait(0.2):
                say(self.server, ["one\ntwo"])

        thread = threading.Thread(target=repeat)
        thread.start()

        def end():
            stop.set()
            thread.join()
            self.server.process.kill()  # the page is done when its stream has ended

        timer = threading.Timer(PATIENCE_S / 2, end)
        timer.start()
        try:
            page = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
                       "--dump-dom", self.server.url + "/", timeout=6 * PATIENCE_S)[1]
        finally:
            timer.cancel()
            stop.set()
            thread.join()
        self.assertRegex(page, rb'<b id="now">\w+ \w+ +\d+ [\d:]+ \d+\n</b>')
        self.assertIn(b"one\ntwo\none\ntwo\n", page)


if __name__ == "__main__":
    main()
