#!/usr/bin/python3
"""docs/guide.md, done by somebody who believes every word of it: its files are saved, its commands are typed in
order, and what it says will be printed is. `--clone` also does the first step as written: from a clone of this tree
to one's own handler answering over curl, in less than five minutes.

What a fenced block means stands behind its language:

    c hello.c     a file; blocks of the same name are one file. C is also compiled with -Wall -Wextra -Werror
    sh            commands; a `text` block behind it is all they print, "..." in it is anything
    sh fails      the same for commands that end with an error
    sh server     a command that goes on; the `text` block is how it begins. The next one, or a heading, ends it
    text stops    the same end, by Ctrl-C; this is the last it prints
    sh install    the first step: the clone and its installation. Without --clone this build is installed instead
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from common import BUILD, PATIENCE_S, SANITIZED, SOURCE, need, program, skip, written

GUIDE = os.path.join(SOURCE, "docs", "guide.md")
PORT = "8080"  # in the guide; here it is a free one
CLONE = "--clone" in sys.argv
NEWCOMER_S = 300
PAGES_MAX, LINES_A_PAGE, COLUMNS_A_PAGE = 10, 70, 120  # A4, 10 point, code in 8
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror"]


class Block:
    """A fenced block: where it starts, the words behind the fence, its text."""

    def __init__(self, line, words, text):
        self.line, self.words, self.text = line, words, text

    @property
    def kind(self):
        return self.words[0] if self.words else ""

    @property
    def name(self):
        return self.words[1] if len(self.words) > 1 else ""


def blocks_of(text):
    """The blocks of a Markdown text in order; a heading is a block of kind '#'."""
    found, start, words, lines = [], 0, None, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"```(.*)", line)
        if fence and words is None:
            start, words, lines = number, fence.group(1).split(), []
        elif fence:
            found.append(Block(start, words, "".join(lines)))
            words = None
        elif words is not None:
            lines.append(line + "\n")
        elif line.startswith("#"):
            found.append(Block(number, ["#"], line))
    assert words is None, "line %d: a fence without end" % start
    return found


def is_like(expected, got):
    """Does the text say what was expected? "..." stands for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, got.replace("\r", "").strip(), re.DOTALL) is not None


class Reader:
    """Somebody at a terminal, in an empty folder."""

    def __init__(self, top, port):
        self.top, self.port = top, port
        self.server = self.output = None
        self.compiled = 0
        self.state = os.path.join(top, ".state")
        home = os.path.join(top, ".home")
        os.mkdir(home)
        with open(os.path.join(home, ".curlrc"), "w", encoding="utf-8") as f:
            f.write("silent\nshow-error\n")  # its meter is for terminals
        self.env = dict(os.environ, HOME=home, CURL_HOME=home)
        open(self.state, "w", encoding="utf-8").close()

    def shell(self, commands, **options):
        return subprocess.Popen(
            ["bash", "-c", ". %s\n%s\nexport -p >%s" % (self.state, self.translate(commands), self.state)],
            cwd=self.top, env=self.env, text=True, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)

    def translate(self, text):
        return text.replace(PORT, str(self.port))

    def run(self, block, expected):
        process = self.shell("set -e\n" + block.text, stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=NEWCOMER_S * 3)
        print("$ " + block.text.rstrip().replace("\n", "\n  ") + "\n" + out, end="", flush=True)
        fails = block.name == "fails"
        assert (process.returncode != 0) == fails, "line %d: exit code %d" % (block.line, process.returncode)
        if expected is not None:
            assert is_like(self.translate(expected.text), out), \
                "line %d: it printed\n%s\nand not\n%s" % (expected.line, out, self.translate(expected.text))

    def start(self, block, expected):
        self.stop()
        print("$ " + block.text.rstrip(), flush=True)
        self.output = tempfile.TemporaryFile()
        self.server = self.shell(block.text, stdout=self.output, start_new_session=True)
        begin = self.translate(expected.text).strip() if expected else ""
        end = time.monotonic() + PATIENCE_S
        while not self.began(begin):
            assert self.server.poll() is None and time.monotonic() < end, \
                "line %d: it printed\n%s\nand not\n%s" % (block.line, self.printed(), begin)
            time.sleep(0.02)

    def printed(self):
        return written(self.output)

    def began(self, begin):
        """What is expected of a server is printed, and it can be reached."""
        with socket.socket() as probe:
            return is_like(begin + "...", self.printed()) and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, block=None):
        if self.server is not None:
            try:
                os.killpg(self.server.pid, signal.SIGINT)
            except ProcessLookupError:
                pass
            self.server.wait(PATIENCE_S + 10)
            last = self.printed()
            self.output.close()
            self.server = None
            assert block is None or is_like("..." + block.text, last), "line %d: the last was\n%s" % (block.line, last)

    def save(self, block):
        path = os.path.join(self.top, block.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as f:
            f.write(self.translate(block.text))

    def compile_all(self, names):
        """Each file on its own, with more warnings than the guide asks for."""
        for name in names:
            print("compile " + name, flush=True)
            process = self.shell("set -e\ncc %s $(pkg-config --cflags plexus-service) -c %s -o /dev/null"
                                 % (" ".join(WARNINGS), name), stdout=subprocess.PIPE)
            out, _ = process.communicate()
            assert process.returncode == 0, out

    def install(self, block):
        """The clone and its installation, or this build in their place."""
        if CLONE:
            subprocess.run(["git", "-c", "safe.directory=*", "clone", "--quiet", SOURCE, self.top + "/plexus"],
                           check=True)
            self.run(block, None)
            return
        os.symlink(os.path.abspath(SOURCE), self.top + "/plexus")
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.top + "/local"],
                       check=True)
        pc = [f for f, _, names in os.walk(self.top + "/local") if "plexus.pc" in names]
        bins = [f for f, _, names in os.walk(self.top + "/local") if "plexus" in names and f.endswith("/bin")]
        assert len(pc) == 1 and len(bins) == 1, "installed in %s and %s" % (pc, bins)
        self.run(Block(block.line, ["sh"], "export PATH=%s:$PATH PKG_CONFIG_PATH=%s LD_LIBRARY_PATH=%s PX_DOMAIN=%s\n" % (
            bins[0], pc[0], os.path.dirname(pc[0]), bins[0] + "/px-domain")), None)


def free_port():
    """A port nobody listens on, neither on IPv4 nor on IPv6."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Extractor(unittest.TestCase):
    def test_blocks_and_headings_are_found(self):
        found = blocks_of("# a\n```c x.c\nint x;\n```\ntext\n```\nno words\n```\n")
        self.assertEqual([(b.line, b.kind, b.name) for b in found], [(1, "#", ""), (2, "c", "x.c"), (6, "", "")])
        self.assertEqual(found[1].text, "int x;\n")

    def test_a_fence_without_end_is_a_mistake(self):
        self.assertRaises(AssertionError, blocks_of, "```c x.c\nint x;\n")

    def test_dots_are_anything_and_the_rest_is_meant(self):
        self.assertTrue(is_like("a ... b\n", "a 1\n2 b\r\n"))
        self.assertFalse(is_like("a.b", "axb"))
        self.assertFalse(is_like("a", "a\nb"))


class Guide(unittest.TestCase):
    def setUp(self):
        with open(GUIDE, encoding="utf-8") as f:
            self.text = f.read()
        self.blocks = blocks_of(self.text)
        self.top = tempfile.TemporaryDirectory(prefix="plexus-guide-")
        self.addCleanup(self.top.cleanup)
        self.reader = Reader(self.top.name, free_port())
        self.addCleanup(self.reader.stop)

    def test_every_block_says_what_it_is(self):
        for block in self.blocks:
            self.assertIn(block.kind, ("#", "c", "sh", "text", "yaml", "ini", "proto", "html"), block.line)
            if block.kind in ("c", "yaml", "ini", "html"):
                self.assertIn(".", block.name, "line %d: a file without name" % block.line)
        self.assertGreater(sum(b.kind == "c" for b in self.blocks), 3)

    def test_the_name_of_a_file_is_told_before_it(self):
        lines = self.text.splitlines()
        for block in (b for b in self.blocks if "." in b.name):
            self.assertIn("`%s`" % block.name, "\n".join(lines[max(0, block.line - 5):block.line - 1]), block.line)

    def test_it_has_ten_pages_at_most(self):
        shown = [line for line in self.text.splitlines() if not line.startswith("```")]
        lines = sum(1 + len(line) // COLUMNS_A_PAGE for line in shown)
        self.assertLessEqual(lines, PAGES_MAX * LINES_A_PAGE)

    def test_what_it_says_is_so(self):
        began, answered = time.monotonic(), None
        for i, block in enumerate(self.blocks):
            after = self.blocks[i + 1] if i + 1 < len(self.blocks) else None
            expected = after if after is not None and after.kind == "text" and not after.name else None
            if block.kind == "#":
                self.reader.stop()
            elif "." in block.name and block.kind != "sh":
                self.reader.save(block)
            elif block.kind == "sh" and block.name == "install":
                self.reader.install(block)
            elif block.kind == "sh" and block.name == "server":
                self.reader.start(block, expected)
            elif block.kind == "text" and block.name == "stops":
                self.reader.stop(block)
            elif block.kind == "sh":
                self.reader.run(block, expected)
                if answered is None and "curl" in block.text:
                    answered = time.monotonic() - began
                    print("own handler answered after %.0f s" % answered)
        self.reader.stop()
        self.reader.compile_all(sorted({b.name for b in self.blocks if b.kind == "c"}))
        if CLONE:
            self.assertLess(answered, NEWCOMER_S)


if __name__ == "__main__":
    if SANITIZED:
        skip("an installed library with sanitizers is nobody's case")
    if CLONE and not os.path.exists(os.path.join(SOURCE, ".git")):
        skip("this tree is not a clone")
    program("clients/cli/plexus")
    need("bash", "cc", "curl", "pkg-config", "pkill")
    if not shutil.which("protoc-c"):
        skip("protoc-c is not installed")
    unittest.main(verbosity=2, argv=sys.argv[:1])
