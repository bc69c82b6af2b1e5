#!/usr/bin/python3
"""A site of many files, byte-exact to curl, wget and eight readers of ranges at once; and what changes
while it is served. With --full a thousand files and a gigabyte, else a hundred and 64 megabytes. The
seed is printed; FILES_SEED repeats it."""
import concurrent.futures
import hashlib
import os
import random
import socket
import sys
import tempfile
import threading
import time
import unittest

from common import SANITIZED, Server, main, need, program, read_response, run

PLEXUS = program("clients/cli/plexus")
need("curl", "wget")
FULL = "--full" in sys.argv
FILES, TOTAL = (1000, 1 << 30) if FULL else (100, 64 << 20)
READERS = 8
SEED = int(os.environ.get("FILES_SEED", random.SystemRandom().getrandbits(32)))
CHUNK = 1 << 20


def fill(path, size, source):
    """Writes bytes that are nowhere a hole; returns their hash."""
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        while size > 0:
            part = source.randbytes(min(CHUNK, size))
            f.write(part)
            digest.update(part)
            size -= len(part)
    return digest.hexdigest()


def sizes(source):
    """FILES sizes that add up to TOTAL: some empty, some at the edges of what is done how, one large."""
    edges = [0, 1, 16383, 16384, 16385, 65536, 262144, (1 << 20) + 1]
    small = edges + [source.randrange(1, 200000) for _ in range(FILES // 2)]
    rest = FILES - len(small) - 1
    left = TOTAL - TOTAL // 4 - sum(small)
    middle = [left // rest] * rest
    return small + middle + [TOTAL - sum(small) - sum(middle)]


class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("seed %d, %d files, %d bytes" % (SEED, FILES, TOTAL))
        source = random.Random(SEED)
        cls.top = tempfile.TemporaryDirectory()
        cls.root = cls.top.name + "/www"
        cls.hashes, cls.sizes = {}, {}
        for i, size in enumerate(sizes(source)):
            name = "d%d/f%d.bin" % (i % 10, i)
            os.makedirs(os.path.dirname(cls.root + "/" + name), exist_ok=True)
            cls.hashes[name], cls.sizes[name] = fill(cls.root + "/" + name, size, source), size
        assert sum(cls.sizes.values()) == TOTAL
        cls.server = Server(PLEXUS, "serve", "--root", cls.root, "--listen", "127.0.0.1:0")

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        errors = cls.server.errors()
        cls.server.kill()
        cls.top.cleanup()
        assert code == 0, (code, errors)

    def check_tree(self, directory):
        for name, wanted in self.hashes.items():
            with open(directory + "/" + name, "rb") as f:
                self.assertEqual(hashlib.sha256(f.read()).hexdigest(), wanted, name)

    def test_curl_gets_every_byte(self):
        with tempfile.TemporaryDirectory(dir=self.top.name) as out:
            with open(out + "/config", "w", encoding="ascii") as f:
                for name in self.hashes:
                    f.write('url = "%s/%s"\noutput = "%s/%s"\n' % (self.server.url, name, out, name))
            code, _, err = run("curl", "-sSf", "--create-dirs", "--parallel", "-K", out + "/config", timeout=600)
            self.assertEqual(code, 0, err)
            self.check_tree(out)

    def test_wget_gets_every_byte(self):
        with tempfile.TemporaryDirectory(dir=self.top.name) as out:
            with open(out + "/list", "w", encoding="ascii") as f:
                f.writelines("%s/%s\n" % (self.server.url, name) for name in self.hashes)
            code, _, err = run("wget", "-q", "-x", "-nH", "-P", out, "-i", out + "/list", timeout=600)
            self.assertEqual(code, 0, err)
            self.check_tree(out)

    def read_some(self, reader, spans):
        """One reader on one connection: every READERSth span, out of order."""
        mine = spans[reader::READERS]
        random.Random(SEED + reader).shuffle(mine)
        got = []
        with self.server.connect() as conn:
            rest = b""
            for n, (name, first, last) in enumerate(mine):
                if n % 900 == 899:  # the limit of requests on a connection
                    conn.close()
                    conn, rest = self.server.connect(), b""
                conn.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\nRange: bytes=%d-%d\r\n\r\n" % (
                    name.encode(), first, last))
                status, headers, body, rest = read_response(conn, rest)
                self.assertEqual(status, 206)
                self.assertEqual(headers["content-range"], "bytes %d-%d/%d" % (first, last, self.sizes[name]))
                got.append((name, first, hashlib.sha256(body).digest()))
            conn.close()
        return got

    def test_eight_readers_of_ranges_get_every_byte(self):
        step = 4 << 20 if FULL else 700001
        spans = [(name, first, min(first + step, size) - 1) for name, size in self.sizes.items()
                 for first in range(0, size, step)]
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            got = [x for part in pool.map(lambda i: self.read_some(i, spans), range(READERS)) for x in part]
        self.assertEqual(len(got), len(spans))
        lasts = {(name, first): last for name, first, last in spans}
        for name, first, digest in got:
            with open(self.root + "/" + name, "rb") as f:
                f.seek(first)
                self.assertEqual(hashlib.sha256(f.read(lasts[name, first] + 1 - first)).digest(), digest)

    def test_several_ranges_at_once_are_parts(self):
        name = max(self.sizes, key=self.sizes.get)
        size = self.sizes[name]
        with open(self.root + "/" + name, "rb") as f:
            data = f.read(3 << 20)
        with self.server.connect() as conn:
            conn.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\nRange: bytes=5-1000000, 2000000-2500000,9-9\r\n\r\n"
                         % name.encode())
            status, headers, body, _ = read_response(conn)
        self.assertEqual(status, 206)
        boundary = headers["content-type"].partition("boundary=")[2].encode()
        parts = body.split(b"--" + boundary)
        self.assertEqual((parts[0], parts[-1], len(parts)), (b"", b"--\r\n", 5))
        for part, (first, last) in zip(parts[1:], ((5, 1000000), (2000000, 2500000), (9, 9))):
            head, _, content = part.partition(b"\r\n\r\n")
            self.assertIn(b"Content-Range: bytes %d-%d/%d" % (first, last, size), head)
            self.assertEqual(content, data[first:last + 1] + b"\r\n")

    def test_a_client_that_knows_it_all_gets_nothing_again(self):
        with self.server.connect() as conn:
            rest, known = b"", {}
            for name in list(self.hashes)[:50]:
                conn.sendall(b"HEAD /%s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
                _, headers, _, rest = read_response(conn, rest, head=True)
                known[name] = headers["etag"], headers["last-modified"]
            self.assertEqual(len(set(etag for etag, _ in known.values())), 50)
            for name, (etag, date) in known.items():
                for field in ("If-None-Match: " + etag, "If-Modified-Since: " + date):
                    conn.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (name.encode(), field.encode()))
                    status, headers, _, rest = read_response(conn, rest)
                    self.assertEqual((status, headers["etag"]), (304, etag))


class Changes(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.root = self.top.name + "/www"
        os.makedirs(self.root)
        self.server = Server(PLEXUS, "serve", "--root", self.root, "--listen", "127.0.0.1:0")

    def tearDown(self):
        self.assertEqual(self.server.stop(), 0)
        self.server.kill()
        self.top.cleanup()

    def write(self, name, data):
        with open(self.root + "/" + name, "wb") as f:
            f.write(data)

    def get(self, name, conn=None):
        with conn or self.server.connect() as c:
            c.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
            return read_response(c)

    def interrupted(self, change):
        """What becomes of a response whose reader pauses while `change` happens, and of the next one."""
        data = b"o" * (32 << 20)
        self.write("big", data)
        time.sleep(0.05)  # the clock of the file system has moved on
        with self.server.connect() as slow, self.server.connect() as other:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            slow.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            got = slow.recv(1000)
            self.assertIn(b" 200 ", got)
            change(self.root + "/big")
            try:
                body = read_response(slow, got)[2]
                self.assertEqual(body, data)
                whole = True
            except (AssertionError, ConnectionResetError):
                whole = False
            other.sendall(b"HEAD /big HTTP/1.1\r\nHost: x\r\n\r\n")  # nobody else notices
            self.assertIn(read_response(other, head=True)[0], (200, 404))
        return whole

    def test_a_file_that_gets_shorter_ends_its_response(self):
        self.assertFalse(self.interrupted(lambda path: os.truncate(path, 1000)))

    def test_a_file_that_is_written_over_ends_its_response(self):
        def write_over(path):
            with open(path, "r+b") as f:
                f.seek(31 << 20)
                f.write(b"new")
        self.assertFalse(self.interrupted(write_over))

    def test_a_file_that_is_emptied_and_filled_again_ends_its_response(self):
        self.assertFalse(self.interrupted(lambda path: self.write("big", b"n" * (32 << 20))))

    def test_a_file_that_is_appended_to_is_what_was_promised(self):
        def append(path):
            with open(path, "ab") as f:
                f.write(b"more")
        self.assertTrue(self.interrupted(append))

    def test_a_file_that_is_replaced_or_removed_is_what_it_was(self):
        def replace(path):
            self.write("next", b"n" * 100)
            os.rename(self.root + "/next", path)
        self.assertTrue(self.interrupted(replace))
        self.assertEqual(self.get("big")[2], b"n" * 100)
        self.assertTrue(self.interrupted(os.unlink))
        self.assertEqual(self.get("big")[0], 404)

    def test_what_changes_is_never_answered_old_or_mixed(self):
        """One writer replaces a file, readers ask: each answer is one version, and never older than the last
        that was complete when they asked."""
        done, stop = [0], threading.Event()

        def write():
            version = 0
            while not stop.is_set():
                version += 1
                self.write("next", b"%08d" % version * 512)
                os.rename(self.root + "/next", self.root + "/file")
                done[0] = version

        self.write("file", b"%08d" % 0 * 512)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            with self.server.connect() as conn:
                rest = b""
                for _ in range(200 if SANITIZED else 900):
                    before = done[0]
                    conn.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
                    status, _, body, rest = read_response(conn, rest)
                    self.assertEqual(status, 200)
                    self.assertEqual(body, body[:8] * 512)
                    self.assertGreaterEqual(int(body[:8]), before)
        finally:
            stop.set()
            writer.join()

    def test_thousands_of_files_do_not_stay_open(self):
        os.makedirs(self.root + "/many")
        for i in range(3000):
            self.write("many/%d" % i, b"%d" % i)
        with self.server.connect() as conn:
            rest = b""
            for i in range(3000):
                if i % 900 == 899:
                    conn.close()
                    conn, rest = self.server.connect(), b""
                conn.sendall(b"GET /many/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i)
                status, _, body, rest = read_response(conn, rest)
                self.assertEqual((status, body), (200, b"%d" % i))
            conn.close()
        self.assertLess(len(os.listdir("/proc/%d/fd" % self.server.process.pid)), 1100)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    main()
