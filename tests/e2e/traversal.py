#!/usr/bin/python3
"""Ways out of a directory that is served: every one is refused, and nothing from outside is ever sent."""
import ctypes
import itertools
import os
import struct
import tempfile
import threading
import time
import unittest

from common import SANITIZED, Server, main, program, read_response

PLEXUS = program("clients/cli/plexus")
SECRET = b"the-secret-of-another-directory"
INSIDE = b"inside"
RACE_S = 4 if SANITIZED else 2

# How "." and "/" may be said so that somebody on the way takes them for something else.
DOTS = (b"..", b"%2e%2e", b"%2E.", b".%2e", b"%252e%252e", b"%%32%65%%32%65", b"%c0%ae%c0%ae", b"%e0%80%ae%e0%80%ae",
        b"%uff0e%uff0e", b"..%00", b"..;", b"...", b"....", b".. ", b"..%20", b"..%09", b"%2e%2e%00", b"..%01", b"\xc0\xae\xc0\xae")
SLASHES = (b"/", b"%2f", b"%2F", b"%252f", b"\\", b"%5c", b"%255c", b"//", b"/./", b"%c0%af", b"%e0%80%af", b"%2f%2f",
           b"/%2e/", b"%u2215", b"\xc0\xaf")


def corpus():
    """Targets; each must be refused."""
    for dots, slash, depth in itertools.product(DOTS, SLASHES, (1, 2, 3, 8)):
        for start in (b"/", b"/sub/", b"/sub/deep/"):
            yield start + (dots + slash) * depth + b"secret"
            yield start + (dots + slash) * depth + b"outside/secret"
    for absolute in (b"/etc/passwd", b"//etc/passwd", b"/%2fetc/passwd", b"/%2Fetc%2Fpasswd", b"/./etc/passwd",
                     b"/file:///etc/passwd", b"/c:/secret", b"/~root/secret", b"/proc/self/environ", b"/dev/null"):
        yield absolute
    for name in (b"/link", b"/link_dir/secret", b"/link_absolute", b"/link_etc/passwd", b"/sub/link_up/outside/secret",
                 b"/link_chain", b"/link_proc/environ", b"/loop", b"/fifo", b"/socket", b"/link/", b"/link_dir/"):
        yield name
    for tail in (b"%00", b"%00.txt", b"%00/", b"/%00", b"\x01", b"%0a", b"%0d%0aX:%20y"):
        yield b"/a.txt" + tail
        yield b"/" + tail + b"/../outside/secret"
    for malformed in (b"/%", b"/%2", b"/%zz", b"/a.txt%", b"/%2e%2", b"/%-1", b"/%2e%2e%"):
        yield malformed
    for length in (255, 256, 257, 4095, 4096, 4097, 8000, 20000, 70000):
        yield b"/" + b"a" * length
        yield b"/" + b"../" * (length // 3) + b"outside/secret"
        yield b"/" + b"a/../" * (length // 5) + b"../outside/secret"
        yield b"/" + b"/" * length + b"etc/passwd"
        yield b"/" + b"%2e%2e/" * (length // 7) + b"outside/secret"
        yield b"/sub/" + b"x/" * (length // 2)
    for hidden in (b"/.hidden", b"/%2ehidden", b"/sub/.git/config", b"/sub/%2egit/config", b"/.well-known/../.hidden",
                   b"/.well-known%2f..%2f.hidden", b"/sub/.well-known/x", b"/.", b"/..", b"/.../"):
        if hidden not in (b"/.", b"/.."):  # those are the root
            yield hidden


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def deny_openat2():
    """In a process that is about to become the program: the system has no openat2 (Linux before 5.6)."""
    libc = ctypes.CDLL(None, use_errno=True)
    program_of = ((0x20, 0, 0, 0), (0x15, 0, 1, 437),            # the number of the system call: openat2?
                  (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7fff0000))  # ENOSYS, else as always
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program_of))
    head = struct.pack("HxxxxxxQ", len(program_of), ctypes.addressof(code))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(head), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class Traversal(unittest.TestCase):
    prepare = None

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory()
        top = cls.top.name
        cls.root = top + "/www"
        for name in ("secret", "outside/secret", "www-other/secret"):
            write(top + "/" + name, SECRET)
        write(cls.root + "/a.txt", INSIDE)
        write(cls.root + "/sub/deep/b.txt", INSIDE)
        for name in (".hidden", "sub/.git/config", "sub/.well-known/x"):
            write(cls.root + "/" + name, SECRET)
        for name, to in (("link", "../secret"), ("link_dir", "../outside"), ("link_absolute", top + "/secret"),
                         ("link_etc", "/etc"), ("sub/link_up", "../.."), ("link_chain", "link"),
                         ("link_proc", "/proc/self"), ("loop", "loop")):
            os.symlink(to, cls.root + "/" + name)
        os.mkfifo(cls.root + "/fifo")
        cls.server = Server(PLEXUS, "serve", "--root", cls.root, "--listen", "127.0.0.1:0",
                            prepare=cls.prepare)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        errors = cls.server.errors()
        cls.server.kill()
        cls.top.cleanup()
        assert code == 0, (code, errors)

    def ask(self, target, conn, rest=b""):
        conn.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        return read_response(conn, rest)

    def test_every_way_out_is_refused(self):
        n = 0
        conn, rest = self.server.connect(), b""
        for target in corpus():
            status, headers, body, rest = self.ask(target, conn, rest)
            n += 1
            self.assertIn(status, (301, 400, 403, 404, 414), target)
            self.assertNotIn(SECRET, body, target)
            self.assertNotIn(b"root:", body, target)
            self.assertFalse(headers.get("location", "").startswith(("/", "http")), target)
            if status == 301:  # to a directory inside, and only to that
                self.assertIn(headers["location"].rpartition("?")[0] or headers["location"],
                              ("./sub/", "./deep/"), target)
            if headers.get("connection") == "close" or n % 900 == 0:
                conn.close()
                conn, rest = self.server.connect(), b""
        conn.close()
        print("%d targets" % n)
        self.assertGreater(n, 6000)

    def test_what_is_inside_is_served_however_it_is_said(self):
        with self.server.connect() as conn:
            for target in (b"/a.txt", b"/%61.txt", b"/./a.txt", b"/sub/../a.txt", b"/sub/%2e%2e/a.txt", b"/../a.txt",
                           b"/../../a.txt", b"/sub/deep/b.txt", b"/sub/./deep//b.txt", b"/a.txt?../../secret"):
                status, _, body, _ = self.ask(target, conn)
                self.assertEqual((status, body), (200, INSIDE), target)

    def race(self, names, flip):
        """Asks for names while `flip` runs again and again: (statuses seen, answers)."""
        stop, seen = threading.Event(), {}

        def run():
            while not stop.is_set():
                flip()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            end = time.monotonic() + RACE_S
            conn, rest, n = self.server.connect(), b"", 0
            while time.monotonic() < end:
                for name in names:
                    status, _, body, rest = self.ask(name, conn, rest)
                    seen[status] = seen.get(status, 0) + 1
                    self.assertNotIn(SECRET, body)
                    self.assertIn((status, body if status == 200 else b""), ((200, INSIDE), (404, b""), (301, b"")))
                    n += 1
                    if n % 900 == 0:
                        conn.close()
                        conn, rest = self.server.connect(), b""
            conn.close()
        finally:
            stop.set()
            thread.join()
        print(sorted(seen.items()))
        return seen

    def test_a_link_that_comes_and_goes_never_leads_out(self):
        path, link, plain = (self.root + "/race/" + name for name in ("x", "link", "plain"))
        write(path, INSIDE)

        def flip():
            os.symlink("../../secret", link)
            os.rename(link, path)
            write(plain, INSIDE)
            os.rename(plain, path)

        seen = self.race([b"/race/x"], flip)
        self.assertEqual(set(seen), {200, 404})

    def test_a_directory_that_becomes_a_link_never_leads_out(self):
        top = self.root + "/swap"
        write(top + "/dir/secret", INSIDE)
        os.symlink("../../outside", top + "/link")

        def flip():  # dir and link change places
            os.rename(top + "/dir", top + "/aside")
            os.rename(top + "/link", top + "/dir")
            os.rename(top + "/dir", top + "/link")
            os.rename(top + "/aside", top + "/dir")

        seen = self.race([b"/swap/dir/secret", b"/swap/dir/../dir/secret", b"/swap/dir"], flip)
        self.assertIn(200, seen)

    def test_a_directory_that_moves_out_takes_nobody_with_it(self):
        write(self.root + "/moving/in/secret", INSIDE)
        write(self.top.name + "/elsewhere/keep", b"")

        def flip():  # while a path walks through it, ".." may come to mean another place
            os.rename(self.root + "/moving/in", self.top.name + "/elsewhere/in")
            os.rename(self.top.name + "/elsewhere/in", self.root + "/moving/in")

        seen = self.race([b"/moving/in/secret"], flip)
        self.assertIn(200, seen)


class WithoutOpenat2(Traversal):
    """The same, where each component of a path is opened by itself and no link is followed."""
    prepare = staticmethod(deny_openat2)

    def test_it_is_so(self):
        os.symlink("a.txt", self.root + "/inside")
        with self.server.connect() as conn:
            self.assertEqual(self.ask(b"/inside", conn)[0], 404)
            self.assertEqual(self.ask(b"/a.txt", conn)[2], INSIDE)


if __name__ == "__main__":
    main()
