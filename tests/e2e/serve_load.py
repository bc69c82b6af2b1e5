#!/usr/bin/python3
"""plexus serve under load: twenty reloads while a thousand transfers and 64 kept connections are active, and SIGTERM
while requests keep coming. Nobody may notice the first; the second answers whatever was accepted."""
import os
import re
import selectors
import signal
import socket
import tempfile
import threading
import time
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, program, until

PLEXUS = program("clients/cli/plexus")

TRANSFERS = 200 if SANITIZED else 1000
KEPT = 64
RELOADS = 20
SIZE = 2 << 20
LOAD_S = 8.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Transfer:
    """One download, read no faster than LOAD_S allows, and compared byte by byte."""

    def __init__(self, server, pattern):
        self.pattern = pattern
        self.got = -1  # in the head
        self.head = b""
        self.error = None
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.sock.connect((server.host, server.port))
        self.sock.sendall(b"GET /files/big HTTP/1.1\r\nHost: x\r\n\r\n")
        self.sock.setblocking(False)

    def read(self, allowed):
        """Takes what has come. True: it is complete, or broken."""
        if self.got >= allowed:
            return False
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return False
        except OSError as why:
            self.error = repr(why)
            return True
        if not data:
            self.error = "closed after %d bytes" % self.got
        elif self.got < 0:
            self.head += data
            top, blank, data = self.head.partition(b"\r\n\r\n")
            if blank and (b" 200 " not in top or b"content-length: %d" % SIZE not in top):
                self.error = repr(top)
            self.got = 0 if blank else -1
        if self.got >= 0 and data:
            if self.pattern[self.got:self.got + len(data)] != data:
                self.error = "wrong bytes at %d" % self.got
            self.got += len(data)
        return self.error is not None or self.got == SIZE


def transfer_all(transfers, began):
    """Reads them all to the end."""
    left = set(transfers)
    while left:
        allowed = SIZE * min(1.0, (time.monotonic() - began) / LOAD_S)
        busy = False
        for transfer in list(left):
            before = transfer.got
            if transfer.read(allowed):
                transfer.sock.close()
                left.discard(transfer)
            busy = busy or transfer.got != before
        if time.monotonic() - began > LOAD_S + 10 * PATIENCE_S:
            for transfer in left:
                transfer.error = transfer.error or "too slow: %d" % transfer.got
            return
        if not busy:
            time.sleep(0.01)


class Kept:
    """Connections that ask again as soon as they are answered."""

    def __init__(self, server, n, bodies):
        self.server, self.bodies = server, bodies
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.failures, self.times, self.answers, self.refused = [], [], 0, 0
        self.last, self.late, self.signalled = 0.0, 0, float("inf")
        for _ in range(n):
            self.open()

    def open(self):
        sock = socket.socket()
        try:
            sock.connect((self.server.host, self.server.port))
        except OSError:
            self.refused += 1
            sock.close()
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        state = {"connected": time.monotonic(), "answers": 0, "rest": b""}
        self.selector.register(sock, selectors.EVENT_READ, state)
        self.ask(sock, state)

    def ask(self, sock, state):
        state["asked"] = time.monotonic()
        try:
            sock.send(REQUEST)
        except OSError as why:
            self.broken(sock, state, why)

    def broken(self, sock, state, why):
        self.selector.unregister(sock)
        sock.close()
        self.failures.append((state["connected"], state["answers"], state["asked"], repr(why)))

    def heard(self, sock, state):
        try:
            data = sock.recv(65536)
        except OSError as why:
            self.broken(sock, state, why)
            return
        if not data:
            self.broken(sock, state, "closed")
            return
        state["rest"] += data
        top, blank, body = state["rest"].partition(b"\r\n\r\n")
        length = int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) if blank else 0
        if not blank or len(body) < length:
            return
        if not top.startswith(b"HTTP/1.1 200") or body not in self.bodies:
            self.failures.append((state["connected"], state["answers"], state["asked"], repr(state["rest"])))
        self.last = time.monotonic()
        self.times.append(self.last - state["asked"])
        self.late += self.last > self.signalled
        self.answers += 1
        state["answers"] += 1
        state["rest"] = b""
        if b"connection: close" in top.lower():
            self.selector.unregister(sock)
            sock.close()
            self.open()
        elif self.stopping:
            self.selector.unregister(sock)
            sock.close()
        else:
            self.ask(sock, state)

    def run(self):
        while self.selector.get_map():
            for key, _ in self.selector.select(0.5):
                self.heard(key.fileobj, key.data)


def p99_ms(times):
    """The 99th of a hundred."""
    return 1000 * sorted(times)[int(0.99 * len(times))]


class Load(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.pattern = os.urandom(65536) * (SIZE // 65536)
        os.mkdir(self.top.name + "/www")
        with open(self.top.name + "/www/big", "wb") as big:
            big.write(self.pattern)
        self.config = self.top.name + "/c.yaml"
        self.write(0)
        self.server = Server(PLEXUS, "serve", "--config", self.config)

    def tearDown(self):
        self.server.kill()
        self.top.cleanup()

    def write(self, n):
        """Everything is different in each: text, folder, log, an address more or less."""
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            file.write("""
listen: [127.0.0.1:0%s]
server: {connections_peer_max: 20000, requests_max: 1000000}
access_log: %s/log%d
routes:
  - {path: /, respond: {text: "text %d"}}
  - {path: /files/*path, files: {root: %s/www, cache_control: max-age=%d}}
""" % (", 'unix:%s/s'" % self.top.name if n % 2 else "", self.top.name, n % 3, n, self.top.name, n))
        os.rename(self.config + ".new", self.config)

    def reload_times(self):
        """How long each reload took, by the log, in ms."""
        return [int(us) / 1000 for us in re.findall(r"event=reloaded .*took_us=(\d+)", self.server.errors())]

    def test_nobody_notices_twenty_reloads(self):
        kept = Kept(self.server, KEPT, [b"text %d" % n for n in range(RELOADS + 1)])
        thread = threading.Thread(target=kept.run)
        thread.start()
        time.sleep(1.0)
        calm = len(kept.times)
        transfers = [Transfer(self.server, self.pattern) for _ in range(TRANSFERS)]
        began = time.monotonic()
        reader = threading.Thread(target=transfer_all, args=(transfers, began))
        reader.start()
        for n in range(1, RELOADS + 1):
            until(lambda n=n: time.monotonic() - began > n * (LOAD_S - 2) / RELOADS, "its time")
            self.write(n)
            self.server.process.send_signal(signal.SIGHUP)
            until(lambda n=n: self.server.errors().count("event=reloaded") == n, "reload %d" % n)
        active = sum(0 <= t.got < SIZE for t in transfers)
        reader.join()
        kept.stopping = True
        thread.join()
        took = self.reload_times()
        print("%d transfers active behind the last reload, %d answers on %d connections, p99 %.1f ms calm, %.1f ms "
              "loaded; a reload took %.1f ms, the longest %.1f" % (
                  active, kept.answers, KEPT, p99_ms(kept.times[:calm]), p99_ms(kept.times[calm:]),
                  sorted(took)[len(took) // 2], max(took)))
        self.assertEqual([t.error for t in transfers if t.error], [])
        self.assertEqual(kept.failures, [])
        self.assertEqual(kept.refused, 0)
        self.assertEqual(active, TRANSFERS)
        self.assertEqual(len(took), RELOADS)
        self.assertGreater(kept.answers, 10 * KEPT)
        self.assertEqual(self.server.stop(), 0)

    def test_whatever_was_accepted_before_sigterm_is_answered(self):
        """Those who keep their connection, and those who make a new one for each request."""
        for _ in range(5):
            kept = Kept(self.server, KEPT, [b"text 0"])
            fresh = [Kept(self.server, 0, [b"text 0"]) for _ in range(4)]
            stop = threading.Event()

            def dial(client):
                while not stop.is_set() and client.refused == 0:
                    client.stopping = True  # one request a connection
                    for _ in range(8):
                        client.open()
                    client.run()

            threads = [threading.Thread(target=kept.run)] + [threading.Thread(target=dial, args=(c,)) for c in fresh]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            signalled = time.monotonic()
            for client in [kept] + fresh:
                client.signalled = signalled
            self.server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.server.process.wait(PATIENCE_S), 0)
            stop.set()
            for thread in threads:
                thread.join()
            # Who connected later may have found the door closing: the kernel had let him in, the server never did.
            lost = [f for c in [kept] + fresh for f in c.failures if f[0] < signalled or f[1] > 0]
            self.assertEqual(lost, [])
            print("%d + %d answers, %d + %d of them after the signal was sent" % (
                kept.answers, sum(c.answers for c in fresh), kept.late, sum(c.late for c in fresh)))
            self.server.kill()
            self.server = Server(PLEXUS, "serve", "--config", self.config)


if __name__ == "__main__":
    main()
