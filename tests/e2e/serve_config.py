#!/usr/bin/python3
"""plexus serve --config: what files, environment and options say, what mistakes are told, reloading, logs, users."""
import json
import os
import pwd
import re
import signal
import socket
import stat
import tempfile
import time
import unittest

from common import PATIENCE_S, Server, main, need, program, read_response, run, until

PLEXUS = program("clients/cli/plexus")
need("curl", "htpasswd")

LISTEN = "listen: [127.0.0.1:0]\n"


def user_line(name, password):
    """A line of a users' file."""
    return run("htpasswd", "-nbBC", "5", name, password)[1].decode().strip() + "\n"


class Folder(unittest.TestCase):
    """A folder of its own for each test, and what runs in it."""

    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        os.chmod(self.top.name, 0o755)
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            server.kill()
        self.top.cleanup()

    def path(self, name):
        return os.path.join(self.top.name, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name) + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path(name) + ".new", self.path(name))
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def serve(self, text, *options, **how):
        self.write("c.yaml", text)
        self.server = Server(PLEXUS, "serve", "--config", self.path("c.yaml"), *options, **how)
        self.servers.append(self.server)
        return self.server

    def get(self, path="/", *options, server=None):
        """(status, headers, body) by curl."""
        code, out, err = run("curl", "-si", *options, (server or self.server).url + path)
        self.assertEqual(code, 0, err)
        head, _, body = out.decode("latin-1").partition("\r\n\r\n")
        lines = head.split("\r\n")
        return int(lines[0].split()[1]), dict(l.lower().split(": ", 1) for l in lines[1:]), body

    def logged(self, text):
        """Lines are written together, a little later."""
        until(lambda: text in self.server.errors(), text)

    def reload(self, text=None, to="event=reloaded"):
        """Reads the configuration again, and waits until the log says `to`."""
        before = self.server.errors().count(to)
        if text is not None:
            self.write("c.yaml", text)
        self.server.process.send_signal(signal.SIGHUP)
        until(lambda: self.server.errors().count(to) > before, to)


class Checking(Folder):
    def check(self, text, *options, env=None):
        self.write("c.yaml", text)
        code, out, err = run(PLEXUS, "serve", "--config", self.path("c.yaml"), "--check", *options,
                             env=dict(os.environ, **(env or {})))
        return code, out.decode(), err.replace(self.top.name + "/", "")

    def test_what_is_right_is_said_to_be(self):
        code, out, _ = self.check(LISTEN + "root: %s\n" % self.top.name)
        self.assertEqual(code, 0)
        self.assertIn("is right: 1 route\n", out)

    def test_a_file_that_is_not_there_is_named(self):
        code, _, err = run(PLEXUS, "serve", "--config", self.path("none.yaml"))
        self.assertEqual(code, 2)
        self.assertIn("none.yaml: cannot be read: No such file or directory", err)

    def test_mistakes_of_form_come_all_at_once(self):
        code, _, err = self.check("lisen: []\nserver:\n  idle: 10\nroutes:\n  - respond: {}\n")
        self.assertEqual(code, 2)
        self.assertIn("c.yaml:1:1: lisen: unknown key; expected listen, root,", err)
        self.assertIn("did you mean 'listen'?\n", err)
        self.assertIn("c.yaml:3:3: server.idle: expected a duration from 1ms to 1d (units ms, s, m, h, d), found '10'\n",
                      err)

    def test_mistakes_that_only_building_shows_name_their_line_too(self):
        self.write("users", "ann:plain\n")
        self.write("big", "x" * ((1 << 20) + 1))
        top = self.top.name
        route = "routes:\n- path: /a\n  "
        for text, message in [
                (route + "respond: {}\n  health: true\n",
                 "c.yaml:4:3: routes[0].health: expected one of files, redirect, respond, health, service; found respond too"),
                (route + "methods: [GET]\n", "c.yaml:2:3: routes[0]: expected one of files, redirect, respond, health, service; "
                                             "found none"),
                (route + "files: %s\n" % top, "c.yaml:3:3: routes[0].files: expected a path that ends in '*name', "
                                              "found '/a'"),
                ("routes:\n- path: /*p\n  files: %s/none\n" % top, "c.yaml:3:3: routes[0].files.root: "),
                ("root: %s/none\n" % top, "c.yaml:1:1: root: "),
                ("root: %s\nroutes: [{path: /*p, respond: {}, methods: [GET]}]\n" % top,
                 "c.yaml:1:1: root: expected once: GET /*path is routed already"),
                ("routes:\n- {path: /a, respond: {}}\n- {path: /a, respond: {}}\n",
                 "c.yaml:3:4: routes[1].path: expected once: * /a is routed already"),
                ("routes:\n- {path: a, respond: {}}\n", "c.yaml:2:4: routes[0].path: expected a path: it begins with '/'"),
                ("routes:\n- {path: /*b/c, respond: {}}\n", "c.yaml:2:4: routes[0].path: expected a path: "),
                (route + "redirect: nowhere\n", "c.yaml:3:3: routes[0].redirect: expected '/...' or 'https://host...'"),
                (route + "redirect: {to: /b, status: 305}\n", "c.yaml:3:3: routes[0].redirect: expected"),
                (route + "redirect: '/{name}'\n", "c.yaml:3:3: routes[0].redirect: expected"),
                (route + "respond: {}\n  headers:\n    set: {A: b, Content-Length: '1'}\n",
                 "c.yaml:5:17: routes[0].headers.set.Content-Length: expected a field that is not of the connection"),
                (route + "respond: {}\n  methods: [get]\n",
                 "c.yaml:4:13: routes[0].methods[0]: expected a method in capitals (GET), or * for all, found 'get'"),
                (route + "respond: {}\n  cors: {origins: [a.example]}\n", "c.yaml:4:3: routes[0].cors: expected origins"),
                (route + "respond: {}\n  rate: {requests: 1000000, per: 1ms}\n",
                 "c.yaml:4:3: routes[0].rate: expected at most one request a microsecond"),
                (route + "respond: {}\n  auth: %s/none\n" % top,
                 "c.yaml:4:3: routes[0].auth.users: cannot be read: No such file or directory"),
                (route + "respond: {}\n  auth: %s/users\n" % top, "c.yaml:4:3: routes[0].auth.users: "),
                ("error_pages: [{status: 404, file: %s/none}]\n" % top,
                 "c.yaml:1:29: error_pages[0].file: cannot be read: No such file or directory"),
                ("error_pages: [{status: 404, file: %s/big}]\n" % top,
                 "c.yaml:1:29: error_pages[0].file: expected a file of at most 1 MiB"),
                ("hosts:\n- names: [a b]\n  routes: [{path: /, respond: {}}]\n",
                 "c.yaml:2:11: hosts[0].names[0]: expected a host such as example.com or *.example.com, found 'a b'"),
                ("hosts:\n- &x\n", "c.yaml:2:3: expected the value itself: anchors"),
                ("hosts:\n- names: [a.b, A.b]\n  routes: [{path: /, respond: {}}]\n",
                 "c.yaml:2:16: hosts[0].names[1]: expected once: 'A.b' has routes already"),
        ]:
            with self.subTest(text):
                code, _, err = self.check(text)
                self.assertEqual(code, 2, text)
                self.assertIn(message, err)

    def test_environment_and_options_win_and_their_mistakes_name_them(self):
        text = "server: {idle: 1s}\n"
        self.assertEqual(self.check(text, env={"PLEXUS_SERVER_IDLE": "2s"})[0], 0)
        code, _, err = self.check(text, env={"PLEXUS_SERVER_IDLE": "2"})
        self.assertEqual(code, 2)
        self.assertIn("PLEXUS_SERVER_IDLE: server.idle: expected a duration", err)
        self.assertEqual(self.check(text, "--set", "server.idle=3s", env={"PLEXUS_SERVER_IDLE": "2s"})[0], 0)
        code, _, err = self.check(text, "--set", "server.idel=3s")
        self.assertEqual(code, 2)
        self.assertIn("--set: idel: unknown key; did you mean 'idle'?", err)
        code, _, err = self.check(text, "--log-level", "loud")
        self.assertEqual(code, 2)
        self.assertIn("--log-level: log.level: expected one of error, warn, info, debug, found 'loud'", err)
        code, _, err = self.check(text, "--set", "x")
        self.assertEqual(code, 2)
        self.assertIn("--set needs KEY=VALUE", err)

    def test_a_variable_that_names_no_key_is_a_warning(self):
        code, _, err = self.check("", env={"PLEXUS_SERVER_IDEL": "2s"})
        self.assertEqual(code, 0)
        self.assertIn("level=warn event=unknown_variable name=PLEXUS_SERVER_IDEL nearest=PLEXUS_SERVER_IDLE", err)


class Serving(Folder):
    def test_every_kind_of_route_does_what_it_says(self):
        self.write("www/index.html", "<p>home")
        self.write("www/x.foo", "foo")
        self.write("page.html", "not here\n")
        self.write("users", user_line("ann", "secret"))
        self.serve(LISTEN + """
routes:
  - path: /s/*path
    files: {root: %(top)s/www, types: {foo: text/x-foo}, cache_control: max-age=60, listing: true}
    headers: {set: {X-One: "1"}, add: {X-Two: "2"}, remove: [etag]}
  - {path: /old/:name, redirect: {to: "/new/{name}{?query}", status: 308}}
  - {path: /go, redirect: https://a.example/}
  - {path: /teapot, respond: {status: 418, text: "short\\n"}}
  - {path: /only, methods: [PUT, DELETE], respond: {}}
  - {path: /health, health: true}
  - {path: /secret, auth: %(top)s/users, respond: {text: in}}
  - {path: /few, respond: {}, rate: {requests: 2, per: 1h}}
  - {path: /shared, respond: {}, cors: {origins: ["https://a.example"]}}
  - {path: /small, respond: {}, body_max: 3}
hosts:
  - names: ["*.a.example", b.example]
    routes: [{path: /, respond: {text: "of a host"}}]
error_pages: [{status: 404, file: %(top)s/page.html, content_type: text/plain}]
server: {name: test}
""" % {"top": self.top.name})
        status, headers, body = self.get("/s/")
        self.assertEqual((status, body, headers["x-one"], headers["x-two"], headers["cache-control"], headers["server"]),
                         (200, "<p>home", "1", "2", "max-age=60", "test"))
        self.assertNotIn("etag", headers)
        self.assertEqual(self.get("/s/x.foo")[1]["content-type"], "text/x-foo")
        status, headers, _ = self.get("/old/x?y=1")
        self.assertEqual((status, headers["location"]), (308, "/new/x?y=1"))
        status, headers, _ = self.get("/go")
        self.assertEqual((status, headers["location"]), (302, "https://a.example/"))
        self.assertEqual(self.get("/teapot")[::2], (418, "short\n"))
        self.assertEqual(self.get("/only")[0], 405)
        self.assertEqual(self.get("/only", "-X", "DELETE")[0], 200)
        self.assertEqual(self.get("/health")[0], 200)
        self.assertEqual(self.get("/secret")[0], 401)
        self.assertEqual(self.get("/secret", "-u", "ann:secret")[::2], (200, "in"))
        self.assertEqual(self.get("/secret", "-u", "ann:wrong")[0], 401)
        self.assertEqual([self.get("/few")[0] for _ in range(3)], [200, 200, 429])
        self.assertEqual(self.get("/shared", "-H", "Origin: https://a.example")[1]["access-control-allow-origin"],
                         "https://a.example")
        self.assertEqual(self.get("/small", "-d", "four")[0], 413)
        status, headers, body = self.get("/none")
        self.assertEqual((status, headers["content-type"], body), (404, "text/plain", "not here\n"))
        self.assertEqual(self.get("/", "-H", "Host: x.a.example")[2], "of a host")
        self.assertEqual(self.get("/", "-H", "Host: B.example:80")[2], "of a host")
        self.assertEqual(self.get("/health", "-H", "Host: b.example")[0], 404)

    def test_limits_of_the_server_are_those_of_the_file(self):
        self.serve(LISTEN + "server: {requests_max: 2, request_line_max: 64}\n")
        self.assertEqual(self.get("/" + "x" * 100)[0], 414)
        with self.server.connect() as conn:
            for i in range(2):
                conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _, headers, _, _ = read_response(conn)
                self.assertEqual(headers.get("connection"), "close" if i == 1 else None)

    def test_a_unix_socket_has_the_mode_that_was_said(self):
        path = self.path("s")
        self.serve("listen: [127.0.0.1:0, {address: 'unix:%s', unix_mode: 0666}]\n" % path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o666)
        self.assertEqual(run("curl", "-sf", "--unix-socket", path, "http://x/")[0], 0)

    def test_the_limit_of_descriptors_is_raised_and_told(self):
        import resource  # pylint: disable=import-outside-toplevel
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.serve(LISTEN, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
        self.logged("event=descriptors_raised from=256 to=%d" % hard)
        with open("/proc/%d/limits" % self.server.process.pid, encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max open files\s+%d\s+%d" % (hard, hard))

    def test_levels_decide_what_is_logged(self):
        self.serve(LISTEN + "log: {level: error}\n")
        self.server.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.server.errors(), "")


class Reloading(Folder):
    def test_routes_change_and_a_kept_connection_sees_it(self):
        self.serve(LISTEN + "routes: [{path: /, respond: {text: one}}]\n")
        with self.server.connect() as conn:
            for text in ("one", "two", "three"):
                if text != "one":
                    self.reload(LISTEN + "routes: [{path: /, respond: {text: %s}}]\n" % text)
                conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(read_response(conn)[2], text.encode())

    def test_a_bad_file_changes_nothing_and_says_so(self):
        self.serve(LISTEN + "routes: [{path: /, respond: {text: one}}]\n")
        for bad in ("routes: [{path: /, repond: {}}]\n", "routes: [", "root: /nonexistent\n",
                    "listen: [192.0.2.1:1]\nroutes: []\n", "access_log: /nonexistent/log\n",
                    "routes: [{path: /, respond: {}}, {path: /, respond: {}}]\n"):
            with self.subTest(bad):
                text = bad if "listen" in bad else LISTEN + bad
                self.reload(text, to="event=not_reloaded")
                self.assertEqual(self.get("/")[2], "one")
        self.logged("level=error event=mistake at=\"%s:2:20: routes[0].repond: unknown key" % self.path("c.yaml"))
        self.reload(LISTEN + "routes: [{path: /, respond: {text: two}}]\n")
        self.assertEqual(self.get("/")[2], "two")

    def test_addresses_come_and_go_and_others_are_not_touched(self):
        paths = [self.path(n) for n in "abc"]
        text = "listen: [127.0.0.1:0, %s]\nroutes: [{path: /, respond: {text: hi}}]\n"
        ask = lambda path: run("curl", "-sf", "--unix-socket", path, "http://x/")[0]
        self.serve(text % ("'unix:%s', 'unix:%s'" % tuple(paths[:2])))
        inode = os.stat(paths[1]).st_ino
        kept = socket.socket(socket.AF_UNIX)
        kept.connect(paths[0])
        self.reload(text % ("'unix:%s', 'unix:%s'" % tuple(paths[1:])))
        self.assertFalse(os.path.exists(paths[0]))
        self.assertEqual(os.stat(paths[1]).st_ino, inode)
        self.assertEqual([ask(p) for p in paths[1:]], [0, 0])
        self.assertEqual(self.get("/")[2], "hi")
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # came in through an address that is gone
        self.assertEqual(read_response(kept)[2], b"hi")
        kept.close()
        self.reload(text % ("'unix:%s'" % paths[0]))
        self.assertEqual(ask(paths[0]), 0)
        self.assertEqual([os.path.exists(p) for p in paths], [True, False, False])

    def test_an_address_that_cannot_be_had_leaves_no_trace(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            path = self.path("s")
            self.serve(LISTEN)
            self.reload("listen: ['unix:%s', 127.0.0.1:%d]\n" % (path, taken.getsockname()[1]), to="not_reloaded")
            self.logged("c.yaml:1:%d: listen[1]: 127.0.0.1:%d: the address is taken"
                        % (len(path) + 19, taken.getsockname()[1]))
        until(lambda: not os.path.exists(path), "the socket to go")
        self.assertEqual(self.get("/")[0], 200)

    def test_what_needs_a_restart_is_told(self):
        self.serve(LISTEN)
        self.reload(LISTEN + "server: {idle: 3s}\nuser: nobody\n")
        self.logged("level=warn event=needs_restart key=server.idle place=%s:2" % self.path("c.yaml"))
        self.logged("event=needs_restart key=user")

    def test_drain_is_that_of_the_last_reload(self):
        self.serve(LISTEN + "drain: 1h\nroutes: [{path: /, respond: {}}]\n")
        self.reload(LISTEN + "drain: 0\nroot: %s\n" % self.top.name)
        with open(self.path("big"), "wb") as big:
            big.truncate(64 << 20)
        with self.server.connect() as conn:
            conn.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            conn.recv(4096)
            self.assertEqual(self.server.stop(), 3)

    def test_users_are_read_again(self):
        self.write("users", user_line("ann", "one"))
        text = LISTEN + "routes: [{path: /, auth: %s/users, respond: {}}]\n" % self.top.name
        self.serve(text)
        self.assertEqual(self.get("/", "-u", "ann:one")[0], 200)
        self.write("users", user_line("ann", "two"))
        self.reload()
        self.assertEqual(self.get("/", "-u", "ann:one")[0], 401)
        self.assertEqual(self.get("/", "-u", "ann:two")[0], 200)

    def test_a_hundred_reloads_leave_no_descriptor_and_no_thread_behind(self):
        self.write("www/index.html", "x")
        texts = [LISTEN + "access_log: %s/log%d\nroutes: [{path: '/*p', files: %s/www, rate: {requests: %d}}]\n"
                 % (self.top.name, i, self.top.name, i + 1) for i in range(2)]
        self.serve(texts[0])
        count = lambda what: len(os.listdir("/proc/%d/%s" % (self.server.process.pid, what)))
        for i in range(4):
            self.reload(texts[i % 2])
        self.get("/")
        time.sleep(0.2)  # logs that were left end by themselves
        before, threads = count("fd"), count("task")
        for i in range(100):
            self.reload(texts[i % 2])
        self.assertEqual(self.get("/")[0], 200)
        until(lambda: count("task") <= threads and count("fd") <= before + 1, "threads and descriptors to go")


class Logs(Folder):
    def test_requests_are_logged_in_the_combined_format(self):
        self.serve(LISTEN + "access_log: %s\nroutes: [{path: /, respond: {text: four}}]\n" % self.path("log"))
        self.get("/?q", "-A", "me \"you\"", "-e", "http://r/")
        self.get("/none")
        self.assertEqual(self.server.stop(), 0)
        one, two = self.read("log").splitlines()
        self.assertRegex(one, r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /\?q HTTP/1\.1" 200 4 '
                              r'"http://r/" "me \\x22you\\x22"$')
        self.assertRegex(two, r'"GET /none HTTP/1\.1" 404 14 "-" "curl')

    def test_requests_are_logged_as_json(self):
        self.serve(LISTEN + "access_log: {to: %s, format: json}\nroutes: [{path: /, respond: {text: four}}]\n"
                   % self.path("log"))
        self.get("/", "-A", "\"\\\té")
        self.assertEqual(self.server.stop(), 0)
        entry = json.loads(self.read("log"))
        self.assertEqual((entry["status"], entry["bytes"], entry["target"], entry["agent"], entry["ended"]),
                         (200, 4, "/", "\"\\\té", "done"))

    def test_what_is_no_request_is_logged_too(self):
        self.serve(LISTEN + "access_log: %s\nroutes: [{path: /, respond: {text: four}}]\nserver: {head: 1s, body_max: 9}\n"
                   % self.path("log"))
        for sent, status in ((b"BAD\r\n\r\n", 400), (b"\x16\x03\x01\x00\"\r\n\r\n", 400),
                             (b"GET / HTTP/3.0\r\n\r\n", 505), (b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 501),
                             (b"GET /" + b"x" * 9000, 414), (b"GET /y HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
                             (b"POST /z HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", 413),
                             (b"GET /late HTT", 408)):
            with self.server.connect() as conn:
                conn.sendall(sent)
                self.assertEqual(read_response(conn)[0], status, sent)
        self.get("/")
        self.assertEqual(self.server.stop(), 0)
        lines = [re.sub(r" \d+ \"-\" \"-\"$", "", line.split("] ", 1)[1]) for line in self.read("log").splitlines()]
        self.assertEqual(lines[:-1], [
            '"BAD" 400', r'"\x16\x03\x01\x00\x22" 400', '"GET / HTTP/3.0" 505', '"BREW /pot HTTP/1.1" 501',
            '"GET /%s" 414' % ("x" * 251), '"GET /y HTTP/1.1" 431', '"POST /z HTTP/1.1" 413', '"GET /late HTT" 408'])
        self.assertRegex(lines[-1], r'^"GET / HTTP/1\.1" 200 4 ')

    def test_sigusr1_goes_on_in_a_new_file(self):
        self.serve(LISTEN + "access_log: %s\nlog: %s\n" % (self.path("log"), self.path("events")))
        self.get("/one")
        until(lambda: "/one" in self.read("log"), "the first line")
        for name in ("log", "events"):
            os.rename(self.path(name), self.path(name + ".1"))
        self.server.process.send_signal(signal.SIGUSR1)
        until(lambda: os.path.exists(self.path("log")) and os.path.exists(self.path("events")), "new files")
        self.get("/two")
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn("/two", self.read("log.1"))
        self.assertRegex(self.read("log"), r"GET /two ")
        self.assertIn("event=ready", self.read("events.1"))
        self.assertIn("event=stopped", self.read("events"))
        self.assertNotIn("event=ready", self.server.errors())

    def test_a_log_that_nobody_reads_holds_up_nobody(self):
        os.mkfifo(self.path("log"))
        reader = os.open(self.path("log"), os.O_RDWR | os.O_NONBLOCK)
        self.serve(LISTEN + "access_log: %s\nroutes: [{path: /, respond: {}}]\n" % self.path("log"))
        with self.server.connect() as conn:
            for _ in range(60):  # 60 times 16 lines of 2 KiB: twice what the queue takes
                conn.sendall((b"GET /?" + b"x" * 2040 + b" HTTP/1.1\r\nHost: x\r\n\r\n") * 16)
                rest = b""
                for _ in range(16):
                    status, _, _, rest = read_response(conn, rest)
                    self.assertEqual(status, 200)
        got = bytearray()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and "log_dropped" not in self.server.errors():
            try:
                got += os.read(reader, 1 << 20)
            except BlockingIOError:
                self.get("/")
        dropped = sum(int(n) for n in re.findall(r"event=log_dropped lines=(\d+)", self.server.errors()))
        self.assertGreater(dropped, 0)
        self.assertLess(dropped, 960)
        os.close(reader)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Users(Folder):
    def test_root_is_given_up_once_everything_is_open(self):
        self.write("deep/www/index.html", "x")
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.path("deep"), 0o700)  # only root may go there
        os.mkdir(self.path("log"))
        os.chown(self.path("log"), nobody.pw_uid, nobody.pw_gid)
        text = LISTEN + "user: nobody\nroot: %s\naccess_log: %s\n" % (self.path("deep/www"), self.path("log/a"))
        self.serve(text)
        with open("/proc/%d/status" % self.server.process.pid, encoding="ascii") as file:
            status = file.read()
        self.assertRegex(status, r"Uid:\s+%d\s+%d\s+%d\s+%d\n" % ((nobody.pw_uid,) * 4))
        self.assertRegex(status, r"Gid:\s+%d\s+%d\s+%d\s+%d\n" % ((nobody.pw_gid,) * 4))
        self.assertRegex(status, r"NoNewPrivs:\s+1\n")
        self.assertRegex(status, r"CapEff:\s+0+\n")
        self.logged("event=root_given_up user=nobody")
        self.assertEqual(self.get("/")[2], "x")
        os.rename(self.path("log/a"), self.path("log/b"))
        self.server.process.send_signal(signal.SIGUSR1)
        until(lambda: os.path.exists(self.path("log/a")), "a new log file")
        self.reload(text + "routes: [{path: /new, respond: {text: new}}]\n")
        self.assertEqual(self.get("/new")[2], "new")

    def test_what_only_root_could_reload_is_told_at_once_and_when_it_happens(self):
        self.write("c.yaml", LISTEN + "user: nobody\nroutes: [{path: /, respond: {text: one}}]\n")
        os.chmod(self.path("c.yaml"), 0o600)
        self.server = Server(PLEXUS, "serve", "--config", self.path("c.yaml"))
        self.servers.append(self.server)
        self.logged("level=warn event=no_reload user=nobody")
        self.reload(to="event=not_reloaded")
        self.logged("cannot be read: Permission denied")
        self.assertEqual(self.get("/")[2], "one")

    def test_a_user_that_does_not_exist_is_a_mistake(self):
        self.write("c.yaml", LISTEN + "user: nobody-at-all\n")
        code, _, err = run(PLEXUS, "serve", "--config", self.path("c.yaml"))
        self.assertEqual(code, 2)
        self.assertIn("c.yaml:2:1: user: expected a user or group of this system, or a number, found 'nobody-at-all'", err)


if __name__ == "__main__":
    main()
