#!/usr/bin/python3
"""plexus serve as a program: options, messages, exit codes, signals."""
import os
import re
import signal
import socket
import tempfile
import threading
import time
import unittest

from common import PATIENCE_S, Server, main, need, program, read_all, run, until

PLEXUS = program("clients/cli/plexus")
need("curl")


class CommandLine(unittest.TestCase):
    def test_version_is_one_line(self):
        code, out, _ = run(PLEXUS, "--version")
        self.assertEqual(code, 0)
        self.assertRegex(out.decode(), r"^plexus \d+\.\d+\.\d+\n$")

    def test_help_lists_commands_and_exit_codes(self):
        code, out, _ = run(PLEXUS, "--help")
        self.assertEqual(code, 0)
        for word in (b"serve", b"Exit codes:", b"\n  0  ", b"\n  1  ", b"\n  2  "):
            self.assertIn(word, out)

    def test_help_of_a_command_lists_its_options(self):
        for argv in (["help", "serve"], ["serve", "--help"]):
            code, out, _ = run(PLEXUS, *argv)
            self.assertEqual(code, 0)
            self.assertIn(b"--listen ADDR:PORT", out)
            self.assertIn(b"--root DIR", out)

    def test_an_unknown_option_names_the_nearest_one(self):
        code, _, err = run(PLEXUS, "serve", "--lisen", "127.0.0.1:0")
        self.assertEqual(code, 2)
        self.assertIn("'--listen'", err)

    def test_an_unknown_command_names_the_nearest_one(self):
        code, _, err = run(PLEXUS, "sevre")
        self.assertEqual(code, 2)
        self.assertIn("'serve'", err)

    def test_no_command_is_a_mistake(self):
        self.assertEqual(run(PLEXUS)[0], 2)

    def test_an_option_without_its_value_is_a_mistake(self):
        code, _, err = run(PLEXUS, "serve", "--root")
        self.assertEqual(code, 2)
        self.assertIn("--root needs a value", err)

    def test_what_is_no_address_is_a_mistake(self):
        code, _, err = run(PLEXUS, "serve", "--listen", "localhost;8080")
        self.assertEqual(code, 2)
        self.assertIn("--listen: listen[0].address: expected an address: ", err)
        self.assertIn("found 'localhost;8080'", err)

    def test_a_root_that_is_not_there_is_named(self):
        code, _, err = run(PLEXUS, "serve", "--root", "/nonexistent", "--listen", "127.0.0.1:0")
        self.assertEqual(code, 2)
        self.assertIn("--root: root: /nonexistent: no such directory", err)

    def test_a_taken_port_is_named_with_a_remedy(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            code, _, err = run(PLEXUS, "serve", "--listen", "127.0.0.1:%d" % port)
        self.assertEqual(code, 1)
        self.assertIn("port %d is taken" % port, err)
        self.assertIn("--listen", err)
        self.assertIn("ss -ltnp", err)

    def test_it_listens_on_every_address_given(self):
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, "s")
            server = Server(PLEXUS, "serve", "--listen", "127.0.0.1:0", "--listen=127.0.0.1:0", "--listen",
                            "unix:" + path)
            try:
                self.assertEqual(len(server.addresses), 2)
                for address in server.addresses:
                    self.assertEqual(run("curl", "-sf", "http://%s/" % address)[0], 0)
                self.assertEqual(run("curl", "-sf", "--unix-socket", path, "http://localhost/")[0], 0)
                self.assertEqual(server.stop(), 0)
                self.assertFalse(os.path.exists(path))
            finally:
                server.kill()

    def test_the_default_is_both_loopback_addresses(self):
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                with socket.socket(family) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((host, 8080))
            except OSError as why:
                self.skipTest("%s, port 8080: %s" % (host, why))
        server = Server(PLEXUS, "serve")
        try:
            self.assertEqual(server.addresses, ["127.0.0.1:8080", "[::1]:8080"])
            self.assertEqual(run("curl", "-sf", "http://[::1]:8080/")[0], 0)
        finally:
            server.kill()


class Stopping(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        with open(self.top.name + "/big", "wb") as big:
            big.truncate(32 << 20)
        self.server = Server(PLEXUS, "serve", "--root", self.top.name, "--listen", "127.0.0.1:0")

    def tearDown(self):
        self.server.kill()
        self.top.cleanup()

    def refuses(self):
        """Nobody listens any more: it has heard a signal."""
        try:
            self.server.connect().close()
            return False
        except OSError:
            return True

    def test_an_idle_server_stops_at_once_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server(PLEXUS, "serve", "--listen", "127.0.0.1:0")
            began = time.monotonic()
            self.assertEqual(server.stop(number), 0)
            self.assertLess(time.monotonic() - began, PATIENCE_S / 2)
            server.kill()

    def test_idle_connections_do_not_hold_it_up(self):
        with self.server.connect() as idle:
            idle.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"404", idle.recv(65536))
            began = time.monotonic()
            self.assertEqual(self.server.stop(), 0)
            self.assertLess(time.monotonic() - began, PATIENCE_S / 2)

    def test_a_slow_download_is_finished_first(self):
        with self.server.connect() as conn:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            conn.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            first = conn.recv(4096)
            length = int(re.search(rb"content-length: (\d+)", first).group(1))
            self.assertEqual(length, 32 << 20)
            self.server.process.send_signal(signal.SIGTERM)
            until(self.refuses, "the listener to end")
            self.assertIsNone(self.server.process.poll())
            rest = read_all(conn)
        self.assertEqual(len(first) + len(rest), first.index(b"\r\n\r\n") + 4 + length)
        self.assertEqual(self.server.process.wait(PATIENCE_S), 0)

    def test_a_second_signal_does_not_wait(self):
        with self.server.connect() as conn:
            conn.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            conn.recv(4096)
            self.server.process.send_signal(signal.SIGTERM)
            until(self.refuses, "the first signal to be heard")
            self.assertIsNone(self.server.process.poll())
            self.server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.server.process.wait(PATIENCE_S / 2), 3)

    def test_requests_under_way_at_the_signal_are_answered(self):
        answers, asked, signalled = [], threading.Barrier(5), threading.Event()

        def ask():
            with self.server.connect() as conn:
                conn.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n")
                asked.wait(PATIENCE_S)
                signalled.wait(PATIENCE_S)
                try:
                    conn.sendall(b"\r\n")
                    answers.append(read_all(conn))
                except OSError as why:
                    answers.append(why)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        asked.wait(PATIENCE_S)
        time.sleep(0.2)  # it has read what was sent
        self.server.process.send_signal(signal.SIGTERM)
        until(self.refuses, "the signal to be heard")
        signalled.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self.server.process.wait(PATIENCE_S), 0)
        self.assertEqual(len(answers), 4)
        for answer in answers:
            self.assertIsInstance(answer, bytes)


if __name__ == "__main__":
    main()
