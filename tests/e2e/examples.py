#!/usr/bin/python3
"""Every example does what its first lines say."""
import hashlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from common import BUILD, PATIENCE_S, SOURCE, Server, main, need, program, read_response, run, until

need("curl")
FOLDER = "clients/examples/example_"
HELLO, EMBED, UPLOAD, ECHO, EVENTS, FORM, FORM_UPLOAD = (program(FOLDER + name) for name in (
    "hello", "embed_poll", "upload", "unix_echo", "events", "form", "form_upload"))
JSON_API, LOG_SINK, MANY, REDIRECTS, TWO = (program(FOLDER + name) for name in (
    "json_api", "log_sink", "many_routes", "redirects", "two_systems"))
BASIC_AUTH, DOWNLOAD, STATIC = (program(FOLDER + name) for name in ("basic_auth", "download", "static_site"))
DENIED, RECOVER, SPLIT = (program(FOLDER + name) for name in ("denied", "recover", "split"))
DOMAIN = dict(os.environ, PX_DOMAIN=program("clients/domain/px-domain"))
LINES_A_PAGE = 66
HASH = "$5$rounds=1000$a.9qL4gP4QFprFKL$I9o6evVWrKCo/.pQIB2b0ApvwULdNawANpcdFL9.IV2"  # of "secret", by crypt(3)


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

    def test_form_takes_orders_either_way(self):
        server = self.start(FORM, "127.0.0.1:0")
        self.assertIn(b"<form method=post>", self.get(server.url + "/")[1])
        self.assertEqual(self.get(server.url + "/", "-d", "name=Ann+B.&drink=t%65a"), (200, b"Order 1: tea for Ann B.\n"))
        self.assertEqual(self.get(server.url + "/", "-F", "name=Bob"), (200, b"Order 2: water for Bob\n"))
        for options, status in ((["-d", "drink=tea"], 422), (["-d", "name=%"], 400), (["-d", "a&b&c"], 413),
                                (["-d", "name=" + "x" * 1996], 413), (["-F", "a=;filename="], 422)):
            self.assertEqual(self.get(server.url + "/", *options)[0], status, options)
        self.assertEqual(self.get(server.url + "/", "-d", "name=" + "x" * 1995)[0], 200)

    def test_form_upload_stores_the_files_of_a_form(self):
        data = os.urandom(5 << 20) + b"\r\n--\r\n"
        with tempfile.TemporaryDirectory() as top:
            os.mkdir(top + "/in")
            server = self.start(os.path.abspath(FORM_UPLOAD), "127.0.0.1:0", prepare=lambda: os.chdir(top + "/in"))
            self.assertIn(b"<progress", run("curl", "-s", server.url + "/")[1])
            with open(top + "/from", "wb") as f:
                f.write(data)
            self.assertEqual(run("curl", "-s", "-F", "file=@%s/from;filename=a \"b\".bin" % top,
                                 "-F", "file=@%s/from;filename=../c" % top, server.url + "/")[1], b"Stored.\n")
            for name in ('a "b".bin', "c"):
                with open(os.path.join(top, "in", name), "rb") as f:
                    self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(data).digest())
            for form, status in ((["-F", "file=@%s/from;filename=c" % top], 403), (["-d", "file=x"], 403),
                                 (["-F", "file=@%s/from;filename=.." % top], 403),
                                 (["-d", "x", "-H", "Content-Type: text/plain"], 415)):
                self.assertEqual(self.get(server.url + "/", *form)[0], status)
            self.assertEqual(sorted(os.listdir(top + "/in")), ['a "b".bin', "c"])

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

    def get(self, url, *options):
        """(status, body) of a request by curl."""
        _, out, _ = run("curl", "-s", "-w", "%{http_code}", *options, url)
        return int(out[-3:]), out[:-3]

    def test_json_api_lists_shows_and_changes_what_is_in_store(self):
        server = self.start(JSON_API, "127.0.0.1:0")
        self.assertEqual(json.loads(self.get(server.url + "/things")[1]), {"bolts": 7, "nuts": 9})
        self.assertEqual(self.get(server.url + "/things/nuts/20", "-X", "PUT")[0], 200)
        self.assertEqual(json.loads(self.get(server.url + "/things/nuts")[1]), {"name": "nuts", "n": 20})
        for wrong in ("/things/screws", "/things/nuts", "/things/nuts/x", "/things/nuts/20000000000"):
            method = "GET" if wrong == "/things/screws" else "PUT"
            self.assertIn(self.get(server.url + wrong, "-X", method)[0], (404, 405), wrong)
        self.assertEqual(json.loads(self.get(server.url + "/things")[1]), {"bolts": 7, "nuts": 20})

    def test_many_routes_finds_each_of_them(self):
        server = self.start(MANY, "127.0.0.1:0")
        for book in (0, 1, 4711, 9999):
            self.assertEqual(self.get(server.url + "/book/%d/page/3" % book), (200, b"book %d, page 3\n" % book))
        self.assertEqual(self.get(server.url + "/book/7/page/1")[1], b"The most specific pattern wins.\n")
        self.assertEqual(self.get(server.url + "/book/10000/page/1")[0], 404)

    def test_redirects_answers_by_rules_and_takes_new_ones(self):
        server = self.start(REDIRECTS, "127.0.0.1:0")
        _, out, _ = run("curl", "-si", server.url + "/old/a/b?x=1")
        self.assertIn(b" 301 ", out)
        self.assertIn(b"location: /new/a/b?x=1\r\n", out)
        self.assertEqual(self.get(server.url + "/gone")[0], 410)
        self.assertEqual(self.get(server.url + "/none"), (404, b"<!doctype html><h1>Nothing here</h1>\n"))
        self.assertEqual(self.get(server.url + "/"), (200, b"Hello.\n"))
        self.assertIn(b"x-content-type-options: nosniff\r\n", run("curl", "-si", server.url + "/")[1])
        server.process.send_signal(signal.SIGHUP)
        until(lambda: self.get(server.url + "/") == (200, b"Hello again.\n"), "the new set of routes")

    def test_log_sink_has_a_line_for_every_request(self):
        server = self.start(LOG_SINK, "127.0.0.1:0")
        self.assertEqual(self.get(server.url + "/")[0], 200)
        self.assertEqual(self.get(server.url + "/none?x")[0], 404)
        lines = [server.process.stdout.readline() for _ in range(2)]
        self.assertRegex(lines[0], r"^#1 127\.0\.0\.1 GET /: 200, \d+ bytes, \d+ us$")
        self.assertRegex(lines[1], r"^#2 127\.0\.0\.1 GET /none\?x: 404, \d+ bytes, \d+ us$")
        with server.connect() as conn:
            conn.sendall(b"\x1b[2J\r\n\r\n")
            self.assertRegex(server.process.stdout.readline(), r"^#3 127\.0\.0\.1  \?\[2J: 400, \d+ bytes, 0 us, ")
        self.assertEqual(self.get(server.url + "/")[1], b"good 1, bad 2\n")

    def test_two_systems_tell_each_other(self):
        server = self.start(TWO, "127.0.0.1:0", "127.0.0.1:0")
        second = "http://" + server.process.stdout.readline().split()[-1]
        self.assertEqual(self.get(server.url + "/")[0], 200)
        self.assertEqual(self.get(server.url + "/")[0], 200)
        until(lambda: b"asked 2 times" in self.get(second + "/")[1], "the news of two requests")

    def test_split_runs_services_where_its_arguments_say(self):
        for arguments, lines in (((), ["everything is in one process"]), (("h1",), ["h1: process"]),
                                 (("h1", "net:net"), ["h1: process", "net: process"])):
            server = self.start(SPLIT, "127.0.0.1:0", *arguments, env=DOMAIN)
            status, text = self.get(server.url + "/")
            self.assertEqual(status, 200)
            told = text.decode().splitlines()
            self.assertEqual(len(told), len(lines), text)
            for line, beginning in zip(told, lines):
                self.assertTrue(line.startswith(beginning), text)
            pids = re.findall(r"process (\d+),", text.decode())
            with open("/proc/%d/task/%d/children" % (server.process.pid, server.process.pid), encoding="ascii") as f:
                self.assertLessEqual(set(pids), set(f.read().split()))
            server.stop()
        code, _, err = run(SPLIT, "127.0.0.1:0", "h2", env=DOMAIN)
        self.assertEqual(code, 1)
        self.assertIn("h2: no such service", err)

    def test_recover_kills_its_domain_and_goes_on(self):
        server = self.start(RECOVER, "127.0.0.1:0", env=DOMAIN)
        with server.connect() as at_rest:
            at_rest.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, _, first, _ = read_response(at_rest)
            self.assertRegex(first, rb"^Process \d+, number 1 so far\.\n$")
            self.assertEqual(self.get(server.url + "/kill", "-d", "")[0], 202)
            until(lambda: b"number 2 so far; the last one: " in self.get(server.url + "/")[1], "a successor")
            at_rest.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, _, second, _ = read_response(at_rest)
            self.assertEqual(status, 200)
            self.assertIn(b"number 2 so far", second)
            self.assertNotEqual(first.split(b",")[0], second.split(b",")[0])

    def test_denied_shows_who_may_not(self):
        code, out, _ = run(DENIED)
        self.assertEqual((code, sorted(out.splitlines())), (0, [b"granted: OK", b"stranger: DENIED"]))

    def site(self, **files):
        """A folder with these files."""
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        for name, data in files.items():
            with open(os.path.join(top.name, name.replace("_", ".")), "wb") as f:
                f.write(data)
        return top.name

    def test_static_site_serves_a_folder(self):
        top = self.site(index_html=b"<h1>Home</h1>\n", a_txt=b"plain\n", a_txt_gz=b"packed")
        server = self.start(STATIC, "127.0.0.1:0", top)
        self.assertEqual(self.get(server.url + "/"), (200, b"<h1>Home</h1>\n"))
        _, out, _ = run("curl", "-si", server.url + "/a.txt")
        for field in (b"content-type: text/plain", b"cache-control: max-age=60\r\n", b"\r\netag: \""):
            self.assertIn(field, out)
        etag = re.search(rb"etag: (\S+)", out).group(1).decode()
        self.assertEqual(self.get(server.url + "/a.txt", "-H", "If-None-Match: " + etag), (304, b""))
        self.assertEqual(self.get(server.url + "/a.txt", "-H", "Accept-Encoding: gzip"), (200, b"packed"))
        self.assertIn(b"does not exist", self.get(server.url + "/none")[1])
        self.assertEqual(run(STATIC, "127.0.0.1:0", top + "/none")[0], 1)

    def test_download_is_resumed_where_it_broke_off(self):
        data = os.urandom(3 << 20)
        server = self.start(DOWNLOAD, "127.0.0.1:0", self.site(big_iso=data))
        with tempfile.TemporaryDirectory() as top:
            part = os.path.join(top, "part")
            with open(part, "wb") as f:
                f.write(data[:1 << 20])
            self.assertEqual(run("curl", "-sf", "-C", "-", "-o", part, server.url + "/get/big.iso")[0], 0)
            with open(part, "rb") as f:
                self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(data).digest())
        self.assertEqual(server.process.stdout.readline(), "bytes=1048576- of big.iso\n")
        _, out, _ = run("curl", "-sI", server.url + "/get/big.iso")
        self.assertIn(b"content-disposition: attachment\r\n", out)
        self.assertEqual(self.get(server.url + "/get/big.iso", "-r", "10-19"), (206, data[10:20]))

    def test_basic_auth_lets_in_who_knows_the_password(self):
        users = self.site(users=("ann:%s\n" % HASH).encode()) + "/users"
        server = self.start(BASIC_AUTH, "127.0.0.1:0", users)
        self.assertEqual(self.get(server.url + "/")[0], 200)
        self.assertEqual(self.get(server.url + "/private", "-u", "ann:secret"), (200, b"Hello, ann.\n"))
        for options in ([], ["-u", "ann:wrong"], ["-u", "bob:secret"]):
            self.assertEqual(self.get(server.url + "/private", *options)[0], 401, options)
        with open(users, "w", encoding="utf-8") as f:
            f.write("ann:readable\n")
        code, _, err = run(BASIC_AUTH, "127.0.0.1:0", users)
        self.assertEqual(code, 1)
        self.assertIn("line 1", err)

    def python(self, name, *words, **options):
        """An example in Python, with the package as it stands in the tree."""
        env = dict(os.environ, PYTHONPATH=os.path.join(os.path.abspath(SOURCE), "clients", "python"),
                   PYTHONDONTWRITEBYTECODE="1", PLEXUS_TYPES=os.path.abspath(os.path.join(BUILD, "proto", "plexus.desc")))
        process = subprocess.Popen([sys.executable, os.path.join(SOURCE, "clients", "examples", name), *words], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

        def end():
            process.kill()
            process.wait(PATIENCE_S)
            process.stdout.close()
        self.addCleanup(end)
        return process

    def serve_with_door(self, *options):
        if importlib.util.find_spec("google.protobuf") is None:
            self.skipTest("google.protobuf is not installed")
        door = tempfile.TemporaryDirectory(prefix="plexus-door-")
        self.addCleanup(door.cleanup)
        with open(door.name + "/site.yaml", "w", encoding="utf-8") as f:
            f.write("listen: ['127.0.0.1:0']\ndoor: {name: %s}\nroutes:\n  - {path: '/py/*rest', service: example}\n"
                    "  - {path: '/', respond: {text: here}}\n" % (door.name + "/door"))
        return door.name + "/door", self.start(program("clients/cli/plexus"), "serve", "--config",
                                               door.name + "/site.yaml")

    def test_call_calls_any_service_from_python(self):
        door, server = self.serve_with_door()
        self.get(server.url + "/")
        out, _ = self.python("call.py", door, "net", "Stats", "listener=0").communicate(timeout=PATIENCE_S)
        self.assertEqual(json.loads(out)["accepted"], 1)
        out, _ = self.python("call.py", door, "net", "Nothing").communicate(timeout=PATIENCE_S)
        self.assertIn("NOT_FOUND: net has no such method; it has:", out)

    def test_http_handler_answers_in_python_and_comes_back(self):
        door, server = self.serve_with_door()
        data = os.urandom(1 << 20)
        self.assertEqual(self.get(server.url + "/py/hello")[0], 503)
        for _ in range(2):
            handler = self.python("http_handler.py", door)
            until(lambda: self.get(server.url + "/py/hello?name=you") == (200, b"Hello, you!\n"), "the handler")
            self.assertEqual(self.get(server.url + "/py/count"), (200, b"5\n4\n3\n2\n1\n"))
            with tempfile.NamedTemporaryFile() as f:
                f.write(data)
                f.flush()
                self.assertEqual(self.get(server.url + "/py/hash", "-X", "POST", "-H", "Expect:", "--data-binary",
                                          "@" + f.name), (200, hashlib.sha256(data).hexdigest().encode() + b"\n"))
            self.assertEqual(self.get(server.url + "/py/none")[0], 404)
            handler.kill()
            until(lambda: self.get(server.url + "/py/hello")[0] == 503, "its end")

    def test_topic_subscriber_prints_what_happens(self):
        door, server = self.serve_with_door()
        subscriber = self.python("topic_subscriber.py", door, "net")
        self.assertEqual(subscriber.stdout.readline(), "subscribed\n")
        self.python("call.py", door, "net", "Stats").communicate(timeout=PATIENCE_S)
        self.assertTrue(any(line == "guest -> net call net.Net.Stats\n" for line in subscriber.stdout))
        self.assertIsNotNone(server)

    def test_every_example_fits_on_a_page(self):
        folder = os.path.join(SOURCE, "clients", "examples")
        for name in sorted(os.listdir(folder)):
            if name.endswith((".c", ".mjs", ".py")):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    lines = f.readlines()
                self.assertLessEqual(len(lines), LINES_A_PAGE, name)
                self.assertIn("CC0", "".join(lines[:6]), name)


if __name__ == "__main__":
    main()
