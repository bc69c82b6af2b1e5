#!/usr/bin/python3
"""plexus serve under systemd, whose part is played here: notifications, passed sockets, the watchdog; and what
systemd-analyze says of the units, where there is one."""
import os
import re
import shutil
import signal
import socket
import tempfile
import time
import unittest

from common import BUILD, PATIENCE_S, Server, main, need, program, read_response, run, until

PLEXUS = program("clients/cli/plexus")
need("curl")

LISTEN = "listen: [127.0.0.1:0]\n"


class Manager(unittest.TestCase):
    """A socket for notifications, and a service that is told of it."""

    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.config = os.path.join(self.top.name, "c.yaml")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE_S)
        self.server = None

    def tearDown(self):
        if self.server is not None:
            self.server.kill()
        self.socket.close()
        self.top.cleanup()

    def start(self, text, abstract=False, prepare=None, **env):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        name = "@plexus-notify-%d" % os.getpid() if abstract else os.path.join(self.top.name, "notify")
        self.socket.bind(name.replace("@", "\0", 1) if abstract else name)
        self.server = Server(PLEXUS, "serve", "--config", self.config, prepare=prepare,
                             env=dict(os.environ, NOTIFY_SOCKET=name, **env))

    def told(self):
        """The next notification, as {name: value}."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def told_of(self, name):
        """The next notification that has a name."""
        while True:
            message = self.told()
            if name in message:
                return message


class Notifications(Manager):
    def test_it_is_ready_when_it_listens(self):
        self.start(LISTEN + "root: %s\n" % self.top.name)
        message = self.told()
        self.assertEqual(message, {"READY": "1", "STATUS": "serving 1 route at 1 address"})
        self.server.connect().close()

    def test_an_abstract_socket_is_told_too(self):
        self.start(LISTEN, abstract=True)
        self.assertEqual(self.told()["READY"], "1")

    def test_a_reload_begins_with_its_time_and_ends_with_ready(self):
        self.start(LISTEN)
        self.told_of("READY")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.server.process.send_signal(signal.SIGHUP)
        message = self.told()
        self.assertEqual(message["RELOADING"], "1")
        self.assertLessEqual(before, int(message["MONOTONIC_USEC"]))
        self.assertLessEqual(int(message["MONOTONIC_USEC"]), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        self.assertEqual(self.told()["READY"], "1")

    def test_a_reload_that_fails_is_ready_again_and_says_so(self):
        self.start(LISTEN)
        self.told_of("READY")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("lisen: x\n")
        self.server.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.told()["RELOADING"], "1")
        message = self.told()
        self.assertEqual(message["READY"], "1")
        self.assertIn("the last reload failed", message["STATUS"])

    def test_stopping_asks_for_the_time_it_may_take(self):
        self.start(LISTEN + "drain: 1m\n")
        self.told_of("READY")
        self.assertEqual(self.server.stop(), 0)
        message = self.told()
        self.assertEqual(message["STOPPING"], "1")
        self.assertGreaterEqual(int(message["EXTEND_TIMEOUT_USEC"]), 60000000)

    def test_the_watchdog_is_fed_twice_in_its_time_and_while_stopping(self):
        with open(os.path.join(self.top.name, "big"), "wb") as big:
            big.truncate(64 << 20)
        self.start(LISTEN + "root: %s\n" % self.top.name, WATCHDOG_USEC="400000")
        times = []
        for _ in range(5):
            self.told_of("WATCHDOG")
            times.append(time.monotonic())
        self.assertGreater(times[-1] - times[0], 0.6)
        self.assertLess(times[-1] - times[0], 0.4 * 4)
        with self.server.connect() as conn:
            conn.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            conn.recv(100)
            self.server.process.send_signal(signal.SIGTERM)
            self.told_of("STOPPING")
            self.told_of("WATCHDOG")

    def test_a_watchdog_of_another_process_is_not_ours(self):
        self.start(LISTEN, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
        self.told_of("READY")
        self.socket.settimeout(0.5)
        with self.assertRaises(socket.timeout):
            self.told_of("WATCHDOG")

    def test_a_manager_that_does_not_listen_holds_up_nobody(self):
        self.start(LISTEN, WATCHDOG_USEC="2000")  # the queue of the socket is full soon
        time.sleep(0.5)
        self.assertEqual(run("curl", "-sf", self.server.url)[0], 0)


# What systemd does between fork and exec: descriptors from 3 on, and the number of the process.
PASS = """
import os, sys
n = int(sys.argv[1])
fds = [os.dup(int(fd)) for fd in sys.argv[2:2 + n]]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_FDS=str(n), LISTEN_PID=os.environ.get("LISTEN_PID", str(os.getpid())))
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
"""


class Activation(Manager):
    def setUp(self):
        super().setUp()
        self.passed = []

    def tearDown(self):
        for sock in self.passed:
            sock.close()
        super().tearDown()

    def start_with(self, n, text, **env):
        """Starts it with `n` listening sockets, the same ones each time."""
        while len(self.passed) < n:
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            sock.listen(16)
            self.passed.append(sock)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        fds = [sock.fileno() for sock in self.passed]
        self.server = Server("/usr/bin/python3", "-c", PASS, str(n), *map(str, fds), PLEXUS, "serve", "--config",
                             self.config, pass_fds=fds, env=dict(os.environ, **env))

    def addresses(self):
        return ["127.0.0.1:%d" % s.getsockname()[1] for s in self.passed]

    def test_passed_sockets_are_served_when_the_file_names_no_address(self):
        self.start_with(2, "routes: [{path: /, respond: {text: hi}}]\n")
        self.assertEqual(self.server.addresses, self.addresses())
        for address in self.addresses():
            self.assertEqual(run("curl", "-sf", "http://%s/" % address)[1], b"hi")

    def test_a_file_that_names_addresses_decides(self):
        self.start_with(2, "listen: [fd:4]\nroutes: [{path: /, respond: {text: hi}}]\n")
        self.assertEqual(self.server.addresses, self.addresses()[1:])

    def test_sockets_of_another_process_are_not_ours(self):
        self.start_with(1, LISTEN, LISTEN_PID="1")
        self.assertNotIn(self.addresses()[0], self.server.addresses)

    def test_connections_wait_while_the_service_restarts(self):
        text = "routes: [{path: /, respond: {text: hi}}]\n"
        self.start_with(1, text)
        self.assertEqual(self.server.stop(), 0)
        self.server.err.close()
        waiting = [socket.create_connection(self.passed[0].getsockname(), PATIENCE_S) for _ in range(8)]
        for conn in waiting:
            conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.start_with(1, text)
        for conn in waiting:
            self.assertEqual(read_response(conn)[2], b"hi")
            conn.close()

    def test_a_reload_keeps_passed_sockets(self):
        self.start_with(1, "routes: [{path: /, respond: {text: one}}]\n")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("routes: [{path: /, respond: {text: two}}]\n")
        self.server.process.send_signal(signal.SIGHUP)
        until(lambda: "event=reloaded" in self.server.errors(), "the reload")
        self.assertEqual(run("curl", "-sf", self.server.url)[1], b"two")


@unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd-analyze is not installed")
class Units(unittest.TestCase):
    def test_systemd_finds_nothing_wrong_with_them(self):
        with tempfile.TemporaryDirectory() as top:
            for name in ("plexus.service", "plexus.socket"):
                source = os.path.join(BUILD, "clients/cli", name)
                source = source if os.path.exists(source) else os.path.join(
                    os.environ.get("MESON_SOURCE_ROOT", "."), "clients/cli/systemd", name)
                with open(source, encoding="utf-8") as file:
                    text = re.sub(r"^Documentation=.*\n", "", file.read(), flags=re.M)
                    text = re.sub(r"^ExecStart=\S+", "ExecStart=" + os.path.abspath(PLEXUS), text, flags=re.M)
                with open(os.path.join(top, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for name in ("plexus.service", "plexus.socket"):
                code, out, err = run("systemd-analyze", "verify", "--man=no", os.path.join(top, name))
                self.assertEqual((code, out.decode() + err), (0, ""), name)
            code, out, err = run("systemd-analyze", "security", "--offline=true", "--threshold=20",
                                 os.path.join(top, "plexus.service"))
            self.assertEqual(code, 0, out.decode()[-300:] + err)


if __name__ == "__main__":
    main()
