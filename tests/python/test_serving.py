"""Streams, topics, services and HTTP handlers of the package plexus as it is installed, blocking and with asyncio. Run by
tests/e2e/python.py like test_plexus.py."""
import asyncio
import hashlib
import http.client
import itertools
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import plexus
from plexus import Status

PLEXUS = os.environ["PLEXUS_PROGRAM"]
TYPES = plexus.Types(extra=[os.environ["PLEXUS_GREETER_TYPES"]])
PATIENCE_S = 30
CANCELLED = []  # paths of requests whose handler was cancelled
ROUTES = """
listen: ["127.0.0.1:0"]
door: {name: %s}
routes:
  - {path: "/*rest", service: web}
  - {path: "/limited", service: web, body_max: 10, headers: {set: {X-Rule: kept}}}
  - {path: "/late", service: web, answer_time: 100ms}
"""


def until(cond, what):
    """Waits for what happens elsewhere."""
    end = time.monotonic() + PATIENCE_S
    while not cond():
        if time.monotonic() > end:
            raise AssertionError("never happened: " + what)
        time.sleep(0.01)


class Serve:
    """plexus serve with a door in a folder of its own."""

    def __init__(self, folder, config):
        with open(folder + ".yaml", "w", encoding="utf-8") as file:
            file.write(config)
        self.process = subprocess.Popen([PLEXUS, "serve", "--config", folder + ".yaml"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.port = 0
        for line in self.process.stdout:
            if "http://" in line and not self.port:
                self.port = int(line.rsplit(":", 1)[1].strip(" /\n"))
            if line.startswith("Stop it"):
                break

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


class WithSystem(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="plexus-serving-")
        self.addCleanup(self.top.cleanup)
        self.door = self.top.name + "/web"
        self.start()
        logging.getLogger("plexus").setLevel(logging.CRITICAL)

    def start(self):
        self.server = Serve(self.door, ROUTES % self.door)
        self.addCleanup(self.server.kill)

    def connect(self):
        client = plexus.connect(self.door, types=TYPES)
        self.addCleanup(client.close)
        return client

    def is_there(self, name):
        """Waits until a service is."""
        client = self.connect()
        until(lambda: any(s.name == name.encode() and s.alive for s in client.services()), name)

    def run_beside(self, serving, door=None):
        """Serves in a thread until the test ends."""
        thread = threading.Thread(target=serving.serve, args=(door or self.door,), daemon=True)
        thread.start()

        def end():
            serving.stop()
            thread.join(PATIENCE_S)
            self.assertFalse(thread.is_alive())
        self.addCleanup(end)
        self.is_there(serving.name)
        return end

    def in_loop(self, made):
        """Runs a coroutine in a thread with a loop of its own until the test ends. Returns what ends it."""
        loop, tasks = asyncio.new_event_loop(), []

        def run():
            tasks.append(loop.create_task(made))
            try:
                loop.run_until_complete(tasks[0])
            except asyncio.CancelledError:
                pass
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            if thread.is_alive():
                loop.call_soon_threadsafe(tasks[0].cancel)
            thread.join(PATIENCE_S)
            self.assertFalse(thread.is_alive())
        self.addCleanup(end)
        return end


def greeter(name="greeter"):
    service = plexus.Service(name, "greeter.Greeter", TYPES)

    @service.method("Hello")
    def hello(request):
        if request.text == "nobody":
            raise plexus.Refuse(Status.LIMIT, "not today")
        if request.text == "error":
            raise KeyError("x")
        if request.text == "wrong":
            return {"no_such_field": 1}
        return {"text": "Hello, %s!" % request.text, "name": {"text": request.text}}, request.payload[::-1]

    @service.method("Many")
    def many(request):
        for i in (range(request.times) if request.times else itertools.count()):
            yield {"text": "%d" % i}
    return service


def later_greeter():
    service = greeter()

    @service.method("Hello")
    async def hello(request):
        if request.text == "slow":
            await asyncio.sleep(PATIENCE_S)
        return {"text": "Hi, %s!" % request.text}

    @service.method("Many")
    async def many(request):
        for i in (range(request.times) if request.times else itertools.count()):
            yield {"text": "%d" % i}
    return service


class Streams(WithSystem):
    def test_a_topic_tells_messages_as_they_are_sent(self):
        client = self.connect()
        with client.stream("inspect", "Watch", {"service": "net"}) as stream:
            self.connect().call("net", "Stats")
            seen = []
            for item in stream:
                seen += [(r.sender, r.method, r.kind) for r in item.records]
                if (b"guest", b"net.Net.Stats", b"call") in seen:
                    break
        stream.close()
        self.assertEqual(list(stream), [])

    def test_a_stream_that_cannot_be_says_why(self):
        client = self.connect()
        for call, status in ((lambda: client.stream("net", "Stats"), Status.UNSUPPORTED),
                             (lambda: client.stream("net", "Nothing"), Status.NOT_FOUND),
                             (lambda: client.call("inspect", "Watch"), Status.UNSUPPORTED),
                             (lambda: next(client.stream("inspect", "Watch", {"service": "x"})), Status.NOT_FOUND)):
            with self.assertRaises(plexus.CallError) as caught:
                call()
            self.assertEqual(caught.exception.status, status)
            self.assertTrue(caught.exception.remedy)
        for credit in (0, 65537):
            with self.assertRaises(ValueError):
                client.stream("inspect", "Watch", credit=credit)

    def test_a_subscription_survives_the_restart_of_the_system(self):
        events = self.connect().subscribe("inspect", "Watch", {"service": "net"})
        other = self.connect()
        other.call("net", "Stats")
        self.assertTrue(next(events).records)
        self.server.kill()
        self.start()
        other.call("net", "Stats")
        self.assertTrue(next(events).records)
        events.close()
        with self.assertRaises(plexus.CallError):
            next(self.connect().subscribe("inspect", "Watch", {"service": "nothing"}))

    def test_streams_and_subscriptions_of_asyncio(self):
        async def run():
            async with await plexus.aio.connect(self.door) as client:
                async with await client.stream("inspect", "Watch", {"service": "net"}, credit=1) as stream:
                    await client.call("net", "Stats")
                    async for item in stream:
                        self.assertTrue(item.records)
                        break
                await stream.close()
                with self.assertRaises(plexus.CallError):
                    await client.stream("net", "Stats")
                events = client.subscribe("inspect", "Watch", {"service": "net"})
                await client.call("net", "Stats")
                self.assertTrue((await events.__anext__()).records)
                self.server.kill()
                self.start()
                await client.call("net", "Stats")
                self.assertTrue((await events.__anext__()).records)
                await events.aclose()
        asyncio.run(run())


class Services(WithSystem):
    def check(self, word):
        client = self.connect()
        self.assertEqual(client.call("greeter", "Hello", {"text": "you"}).text, word + ", you!")
        self.assertEqual([i.text for i in client.stream("greeter", "Many", {"times": 200}, credit=7)],
                         [str(i) for i in range(200)])
        with client.stream("greeter", "Many") as stream:
            self.assertEqual([i.text for i in itertools.islice(stream, 100)], [str(i) for i in range(100)])
        self.assertEqual(client.call("greeter", "Hello", {"text": "again"}).text, word + ", again!")
        with self.assertRaises(plexus.CallError) as caught:
            client.call("greeter", "Missing")
        self.assertEqual(caught.exception.status, Status.NOT_FOUND)
        self.assertIn("it has: Hello, Many", str(caught.exception))

    def test_others_call_what_a_program_provides(self):
        self.run_beside(greeter())
        self.check("Hello")
        client = plexus.connect(self.door)  # which does not know its types
        self.addCleanup(client.close)
        reply = client.call("greeter", "Hello", {"text": "x"}, payload=b"abc")
        self.assertEqual((reply.to_dict(), reply.payload),
                         ({"text": "Hello, x!", "name": {"text": "x", "times": 0}}, b"cba"))
        big = os.urandom(1 << 20)
        self.assertEqual(client.call("greeter", "Hello", payload=big).payload, big[::-1])
        for text, status, words in (("nobody", Status.LIMIT, "not today"), ("error", Status.INTERNAL, "KeyError"),
                                    ("wrong", Status.INTERNAL, "TypesError")):
            with self.assertRaises(plexus.CallError) as caught:
                client.call("greeter", "Hello", {"text": text})
            self.assertEqual((caught.exception.service, caught.exception.method, caught.exception.status),
                             ("greeter", "Hello", status))
            self.assertIn(words, caught.exception.text)

    def test_the_same_with_asyncio(self):
        self.in_loop(plexus.aio.serve(later_greeter(), self.door))
        self.is_there("greeter")
        self.check("Hi")
        client = self.connect()
        with self.assertRaises(plexus.CallError) as caught:
            client.call("greeter", "Hello", {"text": "slow"}, timeout=0.1)
        self.assertEqual(caught.exception.status, Status.TIMED_OUT)
        slow = threading.Thread(target=lambda: self.assertRaises(plexus.CallError, client.call, "greeter", "Hello",
                                                                 {"text": "slow"}, timeout=1))
        slow.start()
        self.assertEqual(self.connect().call("greeter", "Hello", {"text": "you"}).text, "Hi, you!")
        slow.join()

    def test_calls_end_with_service_gone_and_go_on_when_it_is_back(self):
        client = self.connect()
        end = self.in_loop(plexus.aio.serve(later_greeter(), self.door))
        self.is_there("greeter")
        ends, looking = [], self.connect()
        caller = threading.Thread(target=lambda: ends.append(self.status_of(client, "slow")))
        caller.start()
        until(lambda: self.is_called(looking), "the call")
        end()
        caller.join()
        self.assertEqual(ends, [Status.SERVICE_GONE])
        self.assertEqual(self.status_of(client, "you"), Status.SERVICE_GONE)
        self.run_beside(greeter())
        self.assertEqual(client.call("greeter", "Hello", {"text": "you"}).text, "Hello, you!")

    @staticmethod
    def is_called(client):
        return any((e.sender, e.receiver) == (b"guest", b"greeter") for e in client.edges().edges)

    def status_of(self, client, text):
        try:
            client.call("greeter", "Hello", {"text": text})
        except plexus.CallError as error:
            return error.status
        return Status.OK

    def test_a_service_finds_a_system_that_was_started_anew(self):
        self.run_beside(greeter())
        self.server.kill()
        self.start()
        self.is_there("greeter")
        self.assertEqual(self.connect().call("greeter", "Hello", {"text": "you"}).text, "Hello, you!")

    def test_a_service_that_cannot_be_says_why(self):
        self.run_beside(greeter())
        other, named = greeter(), plexus.Service("net", "greeter.Greeter", TYPES)
        for service in (other, named):
            with self.assertRaises(plexus.CallError) as caught:
                service.serve(self.door)
            self.assertEqual(caught.exception.status, Status.IN_USE)
        with self.assertRaises(plexus.ConnectError):
            greeter().serve(self.top.name + "/none")
        with self.assertRaises(plexus.ConnectError):
            asyncio.run(plexus.aio.serve(greeter(), self.top.name + "/none"))
        with self.assertRaises(plexus.TypesError):
            plexus.Service("x", "greeter.Nothing", TYPES)
        with self.assertRaises(KeyError):
            greeter().method("Nothing")
        with self.assertRaises(ValueError):
            plexus.Refuse(Status.OK)

    def test_the_configuration_says_who_may_be_what(self):
        self.server.kill()
        self.server = Serve(self.door, "listen: ['127.0.0.1:0']\ndoor:\n  name: %s\n  services_max: 1\n  clients:\n"
                            "    - {uid: %d, services: [mine, inspect], provides: [mine, other]}\n"
                            % (self.door, os.geteuid()))
        self.addCleanup(self.server.kill)
        with self.assertRaises(plexus.CallError) as caught:
            greeter().serve(self.door)
        self.assertEqual(caught.exception.status, Status.DENIED)
        self.run_beside(greeter("mine"))
        self.assertEqual(self.connect().call("mine", "Hello", {"text": "you"}).text, "Hello, you!")
        with self.assertRaises(plexus.CallError) as caught:
            greeter("other").serve(self.door)
        self.assertEqual(caught.exception.status, Status.LIMIT)

    def test_the_program_plexus_sees_and_calls_it(self):
        self.run_beside(greeter())
        told = subprocess.run([PLEXUS, "ps", "--name", self.door], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertRegex(told, r"(?m)^greeter ")
        self.assertNotIn("outside", told)
        called = subprocess.run([PLEXUS, "call", "--name", self.door, "greeter", "Hello", '{"text": "you"}'],
                                stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertIn("Hello, you!", called)


def answer(request):
    """A blocking handler, and what one of asyncio does with a body that it has read."""
    if request.path == "/echo":
        return plexus.http.Response(request.read(), headers={"X-Length": str(request.length)})
    if request.path == "/hash":
        digest = hashlib.sha256()
        for chunk in request:
            digest.update(chunk)
        return digest.hexdigest()
    if request.path == "/small":
        return request.read(5)
    return plain(request)


def plain(request):
    if request.path == "/big":
        return bytes(3 << 20)
    if request.path == "/stream":
        return plexus.http.Response((b"%07d\n" % i for i in range(100000)), length=800000)
    if request.path == "/wrong":
        return plexus.http.Response((b"x" for _ in range(3)), length=2)
    if request.path == "/break":
        return plexus.http.Response(breaks())
    if request.path == "/error":
        raise KeyError("x")
    if request.path == "/none":
        return plexus.http.Response(b"ignored", 204)
    if request.path == "/head":
        return "%s %s %s %s %s %s %d %s" % (request.method, request.scheme, request.target, request.query,
                                            request.headers["X-TEST"], sorted(request.headers)[:1], request.version,
                                            request.trailers)
    return plexus.http.Response("Hello, %s!" % request.path, headers=[("X-One", "1"), ("X-One", "2")])


def breaks():
    yield b"some"
    raise KeyError("x")


async def answer_later(request):
    if request.path == "/echo":
        return plexus.http.Response(await request.read(), headers={"X-Length": str(request.length)})
    if request.path == "/hash":
        digest = hashlib.sha256()
        async for chunk in request:
            digest.update(chunk)
        return digest.hexdigest()
    if request.path == "/small":
        return await request.read(5)
    if request.path == "/sleep" or request.path == "/late":
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError:
            CANCELLED.append(request.path)
            raise
    if request.path == "/stream":
        async def lines():
            for i in range(100000):
                yield b"%07d\n" % i
        return plexus.http.Response(lines(), length=800000)
    return plain(request)


class Hostile(WithSystem):
    def provide(self, description):
        """A service that says this of itself; a connection to be closed."""
        from plexus import _pair
        from plexus.service import Offer
        connection = _pair.Connection(self.door)
        self.addCleanup(connection.close)
        offer = Offer("odd", description, "", 0)
        connection.send(offer.message(TYPES))
        offer.check(connection.receive(PATIENCE_S)[0])
        return connection

    def test_a_service_that_describes_itself_wrongly_is_an_error_of_types(self):
        made = TYPES.message("inspect.Description")
        for description in (b"\xff\xff", made(methods=[{"name": b"X", "input": 7, "output": 1}]).SerializeToString(),
                            made(methods=[{"name": b"X", "input": 1, "output": 1}],
                                 messages=[{"name": b"\xff"}]).SerializeToString(),
                            made(methods=[{"name": b"X", "input": 1, "output": 1}], messages=[
                                {"name": b"a", "fields": [{"name": b"f", "number": 1, "type": 11, "message": 9}]}
                            ]).SerializeToString(),
                            made(methods=[{"name": b"X", "input": 1, "output": 1}], messages=[
                                {"name": b"a", "fields": [{"name": b"f", "number": 0, "type": 99}]}
                            ]).SerializeToString()):
            connection = self.provide(description)
            with self.subTest(description=description), self.assertRaises(plexus.TypesError):
                self.connect().call("odd", "X")
            self.assertNotEqual(subprocess.run([PLEXUS, "call", "--name", self.door, "--timeout", "0.2", "odd", "X"], check=False,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, 0)
            connection.close()
            until(lambda: not any(s.name == b"odd" and s.alive for s in self.connect().services()), "its end")


class Handlers(WithSystem):
    def ask(self, method, path, body=None, headers=None, chunked=False):
        conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        try:
            conn.request(method, path, body, headers or {}, encode_chunked=chunked)
            response = conn.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            conn.close()

    def check(self):
        status, headers, body = self.ask("GET", "/a%20b?c")
        self.assertEqual((status, body), (200, b"Hello, /a b!"))
        self.assertEqual(headers["content-type"], "text/plain; charset=utf-8")
        status, _, body = self.ask("GET", "/head?a=1&b=%20", headers={"X-Test": "t"})
        self.assertEqual(body, b"GET http /head?a=1&b=%20 [('a', '1'), ('b', ' ')] t ['accept-encoding'] 11 None")
        for length in (0, 1, 511, 70000, 3 << 20):
            data = os.urandom(length)
            status, headers, body = self.ask("POST", "/echo", data)
            self.assertEqual((status, body, headers["x-length"]), (200, data, str(length)))
        data = os.urandom(2 << 20)
        _, _, body = self.ask("POST", "/hash", iter([data[:1000], data[1000:]]), {"Transfer-Encoding": "chunked"}, True)
        self.assertEqual(body.decode(), hashlib.sha256(data).hexdigest())
        self.assertEqual(self.ask("GET", "/big")[2], bytes(3 << 20))
        status, headers, body = self.ask("GET", "/stream")
        self.assertEqual((headers["content-length"], hashlib.sha256(body).digest()),
                         ("800000", hashlib.sha256(b"".join(b"%07d\n" % i for i in range(100000))).digest()))
        self.assertEqual(self.ask("GET", "/error")[0], 500)
        self.assertEqual(self.ask("POST", "/small", b"123456")[0], 500)
        self.assertEqual(self.ask("GET", "/none")[::2], (204, b""))
        status, headers, body = self.ask("HEAD", "/big")
        self.assertEqual((status, headers["content-length"], body), (200, str(3 << 20), b""))
        for path in ("/break", "/wrong"):
            with self.assertRaises((http.client.HTTPException, OSError)):
                self.ask("GET", path)
        self.assertEqual(self.ask("GET", "/still")[0], 200)

    def test_a_blocking_handler_answers(self):
        self.run_beside(plexus.http.Server("web", answer, TYPES))
        self.check()

    def test_a_handler_of_asyncio_answers_side_by_side(self):
        self.in_loop(plexus.aio.serve_http("web", answer_later, door=self.door, types=TYPES))
        self.is_there("web")
        self.check()
        sleeper = socket.create_connection(("127.0.0.1", self.server.port))
        sleeper.sendall(b"GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(self.ask("GET", "/b")[0], 200)
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sleeper.close()  # resets: half-closed it might still read
        until(lambda: CANCELLED, "the handler's end")

    def test_rules_of_the_route_hold(self):
        self.in_loop(plexus.aio.serve_http("web", answer_later, door=self.door, types=TYPES))
        self.is_there("web")
        self.assertEqual(self.ask("POST", "/limited", bytes(11))[0], 413)
        status, headers, _ = self.ask("GET", "/limited")
        self.assertEqual((status, headers["x-rule"]), (200, "kept"))
        self.assertEqual(self.ask("GET", "/late")[0], 503)
        self.assertEqual(self.ask("GET", "/a")[0], 200)

    def test_without_a_handler_it_is_503_with_retry_after_until_one_is_back(self):
        status, headers, _ = self.ask("GET", "/")
        self.assertEqual((status, headers["retry-after"]), (503, "1"))
        end = self.run_beside(plexus.http.Server("web", answer, TYPES))
        self.assertEqual(self.ask("GET", "/")[0], 200)
        end()
        self.assertEqual(self.ask("GET", "/")[0], 503)
        self.run_beside(plexus.http.Server("web", answer, TYPES))
        self.assertEqual(self.ask("GET", "/")[0], 200)

    def test_a_handler_that_dies_is_answered_for_and_its_successor_goes_on(self):
        def start():
            process = subprocess.Popen([sys.executable, __file__, "--handler", self.door], stdin=subprocess.DEVNULL)
            self.is_there("web")
            return process
        for _ in range(3):
            process = start()
            waiting = socket.create_connection(("127.0.0.1", self.server.port))
            waiting.sendall(b"GET /sleep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(self.ask("GET", "/a")[0], 200)  # the one that waits is with it
            os.kill(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)
            waiting.settimeout(PATIENCE_S)
            self.assertTrue(waiting.recv(65536).startswith(b"HTTP/1.1 503 "))
            waiting.close()
        self.assertEqual(self.ask("GET", "/a")[0], 503)

    def test_a_handler_finds_a_server_that_was_started_anew(self):
        self.run_beside(plexus.http.Server("web", answer, TYPES))
        self.server.kill()
        self.start()
        self.is_there("web")
        self.assertEqual(self.ask("GET", "/")[0], 200)

    def test_a_client_that_goes_disturbs_nobody(self):
        self.run_beside(plexus.http.Server("web", answer, TYPES))
        for request in (b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
                        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx"):
            gone = socket.create_connection(("127.0.0.1", self.server.port))
            gone.sendall(request)
            time.sleep(0.1)
            gone.close()
        self.assertEqual(self.ask("GET", "/a")[0], 200)

    def test_what_cannot_be_sent_is_refused_where_it_is_made(self):
        for fields in ({"Content-Length": "1"}, {"Connection": "close"}, {"": "x"}, {"a b": "x"}, {"X": "a\nb"}):
            with self.assertRaises(ValueError):
                plexus.http.Response(headers=fields)
        for status in (100, 199, 600):
            with self.assertRaises(ValueError):
                plexus.http.Response(status=status)
        self.assertEqual(plexus.http.Response("x", headers={"X": "y" * 300}).status, 200)
        with self.assertRaises(plexus.ConnectError):
            plexus.http.serve("web", answer, door=self.top.name + "/none", types=TYPES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--handler"]:
        asyncio.run(plexus.aio.serve_http("web", answer_later, door=sys.argv[2], types=TYPES))
    else:
        unittest.main()
