#!/usr/bin/python3
"""Forms from encoders other people wrote, of any size and at any speed; and what is no form."""
import hashlib
import json
import os
import shutil
import tempfile
import unittest

from common import PATIENCE_S, SANITIZED, Server, main, need, program, read_response, run, until

need("curl")
FORM = os.path.abspath(program("clients/examples/example_form_upload"))
ORDER = program("clients/examples/example_form")
BIG = (16 if SANITIZED else 256) << 20
MEMORY = 16 << 20  # more than that is not asked for, however long a file is
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
NODE = """
const form = new FormData()
form.append('file', new Blob(['one\\r\\n--', new Uint8Array([0, 255])]), 'a "b" \\u20ac.bin')
form.append('file', new Blob([new Uint8Array(3000000).fill(7)]), 'big')
fetch(process.argv[1], {method: 'POST', body: form}).then(async r => console.log(JSON.stringify([r.status, await r.text()])))
"""
PAGE = """<!doctype html><meta charset=utf-8><form method=post enctype="%s" action="%s/">
<input name=name id=name><input name=drink value="a &amp; b+%%41="><input type=file name=file id=file></form><script>
const files = new DataTransfer()
files.items.add(new File(['one\\r\\n--', new Uint8Array([0, 255])], 'a "b" \\\\ \u20ac.bin'))
%s
document.forms[0].submit()</script>"""


def digest(path):
    """The SHA-256 of a file."""
    with open(path, "rb") as f:
        state = hashlib.sha256()
        for part in iter(lambda: f.read(1 << 20), b""):
            state.update(part)
    return state.digest()


class Forms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top, self.stored = folder.name, folder.name + "/in"
        os.mkdir(self.stored)
        self.server = Server(FORM, "127.0.0.1:0", prepare=lambda: os.chdir(self.stored))
        self.addCleanup(self.server.kill)

    def peak(self):
        """The most memory the server has had, bytes."""
        with open("/proc/%d/status" % self.server.process.pid, encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) << 10

    def say(self, body, kind=b"multipart/form-data; boundary=b"):
        """The status that a body is answered with."""
        with self.server.connect() as conn:
            conn.sendall(HEAD % (kind, len(body)) + body)
            return read_response(conn)[0]

    def test_a_big_file_streams_through(self):
        with open(self.top + "/big", "wb") as f:
            for _ in range(BIG >> 20):
                f.write(os.urandom(1 << 20))
        before = self.peak()
        code, out, err = run("curl", "-sSf", "-F", "file=@%s/big;filename=sized" % self.top, self.server.url)
        self.assertEqual((code, out), (0, b"Stored.\n"), err)
        code, out, err = run("curl", "-sSf", "-H", "Transfer-Encoding: chunked", "-F",
                             "file=@%s/big;filename=chunked" % self.top, self.server.url)
        self.assertEqual((code, out), (0, b"Stored.\n"), err)
        if not SANITIZED:
            self.assertLess(self.peak() - before, MEMORY)
        self.assertEqual(digest(self.stored + "/sized"), digest(self.top + "/big"))
        self.assertEqual(digest(self.stored + "/chunked"), digest(self.top + "/big"))

    def test_a_form_may_come_byte_by_byte(self):
        body = PART % (b"a", b"\r\n--\r\n--a\r") + PART % (b"b", b"") + PART % (b"c", b"x") + b"--b--"
        with self.server.connect() as conn:
            for byte in HEAD % (b'multipart/form-data; boundary="b"', len(body)) + body:
                conn.sendall(bytes([byte]))
            self.assertEqual(read_response(conn)[0], 201)
        for name, text in (("a", b"\r\n--\r\n--a\r"), ("b", b""), ("c", b"x")):
            with open(os.path.join(self.stored, name), "rb") as f:
                self.assertEqual(f.read(), text)

    def test_what_is_no_form_is_refused_and_the_server_goes_on(self):
        for body in (b"", b"x", b"--b\r\n\r\nx\r\n--b--", b"--bb", PART % (b"\xff", b"x"), PART % (b"s", b"x"),
                     b"--b\r\nContent-Disposition: form-data; name=\"a\r\n"):
            self.assertEqual(self.say(body) if body else 400, 400, body)
        self.assertEqual(self.say(PART % (b"t", b"x") + b"--b--", b"multipart/form-data"), 400)
        self.assertEqual(self.say(b"{}", b"application/json"), 415)
        self.assertEqual(self.say(b"a=%", b"application/x-www-form-urlencoded"), 400)
        self.assertEqual(self.say(b"a" * 257 + b"=1", b"application/x-www-form-urlencoded"), 413)
        self.assertEqual(self.say(b"".join(PART % (b"p%d" % i, b"x") for i in range(257)) + b"--b--"), 413)
        self.assertEqual(self.say(b"".join(PART % (b"q%d" % i, b"x") for i in range(256)) + b"--b--"), 201)
        self.assertEqual(self.say(b"--b\r\nX: " + b"y" * 5000), 413)

    def test_a_client_that_leaves_leaves_nothing_open(self):
        for i in range(20):
            with self.server.connect() as conn:
                conn.sendall(HEAD % (b"multipart/form-data; boundary=b", 10000) + (PART % (b"l%d" % i, b"x"))[:-3])
        self.assertEqual(self.say(PART % (b"last", b"x") + b"--b--"), 201)
        folder = "/proc/%d/fd" % self.server.process.pid

        def opened():
            for fd in os.listdir(folder):
                try:
                    yield os.readlink(os.path.join(folder, fd))
                except FileNotFoundError:
                    pass  # closed meanwhile

        until(lambda: not any(path.startswith(self.stored) for path in opened()), "their files to be closed")

    def test_an_upload_that_is_refused_in_its_middle_is_told_why(self):
        with open(self.stored + "/there", "wb") as f:
            f.write(b"old")
        with self.server.connect() as conn:
            conn.settimeout(PATIENCE_S)
            conn.sendall(HEAD % (b"multipart/form-data; boundary=b", 1 << 20) + (PART % (b"there", b"new"))[:-2])
            self.assertIn(b" 403 ", conn.recv(4096).split(b"\r\n")[0])
        with open(self.stored + "/there", "rb") as f:
            self.assertEqual(f.read(), b"old")

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_a_form_as_node_and_browsers_encode_it(self):
        code, out, err = run("node", "-e", NODE, self.server.url)
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out), [201, "Stored.\n"])
        with open(os.path.join(self.stored, 'a "b" \u20ac.bin'), "rb") as f:
            self.assertEqual(f.read(), b"one\r\n--\x00\xff")
        self.assertEqual(os.path.getsize(self.stored + "/big"), 3000000)

    def browse(self, kind, url, script):
        """What a browser shows once it has sent a form."""
        with open(self.top + "/page.html", "w", encoding="utf-8") as f:
            f.write(PAGE % (kind, url, script))
        return run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom",
                   "file://" + self.top + "/page.html", timeout=6 * PATIENCE_S)[1].decode()

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_a_form_as_a_browser_encodes_it(self):
        order = Server(ORDER, "127.0.0.1:0")
        self.addCleanup(order.kill)
        for i, kind in enumerate(("application/x-www-form-urlencoded", "multipart/form-data")):
            script = "document.getElementById('name').value = '\u20ac\"'; document.getElementById('file').remove()"
            shown = self.browse(kind, order.url, script)
            self.assertIn('Order %d: a &amp; b+%%41= for \u20ac"' % (i + 1), shown)
        shown = self.browse("multipart/form-data", self.server.url, "document.getElementById('file').files = files.files;"
                            "document.querySelectorAll('[name=name],[name=drink]').forEach(e => e.remove())")
        self.assertIn("Stored.", shown)
        self.assertEqual(os.listdir(self.stored), [" \u20ac.bin"])


if __name__ == "__main__":
    main()
