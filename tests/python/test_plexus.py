"""The package plexus as it is installed: every public method, and every error. Run by tests/e2e/python.py, which says
in the environment which door_server to start and where the types are."""
import asyncio
import inspect
import os
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import plexus
from plexus import Status

SERVER = os.environ["PLEXUS_DOOR_SERVER"]
KTEST = os.environ["PLEXUS_KTEST_TYPES"]


class Running:
    """A door_server in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([SERVER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == folder + "/door"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdin.close()
        self.process.stdout.close()


class WithServer(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="plexus-python-")
        self.addCleanup(self.top.cleanup)
        self.folder = self.top.name + "/toy"
        self.server = Running(self.folder)

    def tearDown(self):
        self.server.stop()

    def connect(self, **options):
        client = plexus.connect(self.folder, **options)
        self.addCleanup(client.close)
        return client


class Blocking(WithServer):
    def test_a_call_is_answered(self):
        self.assertEqual(self.connect().call("toy", "Ask", {"value": 41}).value, 42)

    def test_types_that_the_system_tells_and_those_of_a_descriptor_set_are_the_same(self):
        told = self.connect().call("toy", "Plant", {"name": "oak", "rings": [1, 2, 3], "leaves": [{}, {}],
                                                    "top": {"size": 5}}, payload=b"acorn")
        types = plexus.Types([os.environ["PLEXUS_TYPES"], KTEST])
        known = self.connect(types=types).call("toy", "ktest.Toy.Plant", types.message("ktest.Tree")(
            name=b"oak", rings=[1, 2, 3], leaves=[{}, {}], top={"size": 5}), payload=b"acorn")
        for reply in (told, known):
            self.assertEqual(reply.to_dict(), {"name": "oak", "leaves": [], "top": {"size": 7}, "rings": [1, 2, 3],
                                               "birds": []})
            self.assertEqual(reply.payload, b"acorn")
            self.assertEqual(reply.message.top.size, 7)
        self.assertIn("5 bytes", repr(told))
        self.assertEqual(known.message.DESCRIPTOR.full_name, "ktest.Tree")

    def test_no_fields_are_all_zero_and_bytes_stay_bytes(self):
        reply = self.connect().call("toy", "Plant", {"name": b"\xff\0"})
        self.assertEqual(reply.name, b"\xff\0")
        self.assertEqual(reply.to_dict()["name"], b"\xff\0")
        self.assertEqual(self.connect().call("toy", "Plant").name, b"")

    def test_large_payload_goes_both_ways(self):
        payload = os.urandom(900000)
        self.assertEqual(self.connect().call("toy", "Plant", payload=payload).payload, payload)

    def test_errors_name_service_method_status_and_remedy(self):
        client = self.connect()
        for call, status, words in (
                (("toy", "Retry"), Status.LIMIT, "configured limit"),
                (("toy", "Aks"), Status.NOT_FOUND, "it has: Ask, Note"),
                (("tyo", "Ask"), Status.NOT_FOUND, "no service of that name"),
                (("toy", "Watch"), Status.UNSUPPORTED, "a stream"),
                (("toy", "Note"), Status.UNSUPPORTED, "never answered"),
                (("net", "Listen"), Status.DENIED, "may only look")):
            with self.subTest(call=call), self.assertRaises(plexus.CallError) as caught:
                client.call(*call)
            error = caught.exception
            self.assertEqual((error.service, error.method, error.status), (*call, status))
            self.assertIn(words, error.text)
            self.assertIn(".".join(call), str(error))
            self.assertIn(status.name, str(error))
            self.assertTrue(error.remedy and error.remedy in str(error))

    def test_fields_that_do_not_fit_are_told_by_name(self):
        client = self.connect()
        for fields in ({"valeu": 1}, {"value": "x"}, {"value": -1}, {"value": 1 << 64}):
            with self.subTest(fields=fields), self.assertRaises(plexus.TypesError) as caught:
                client.call("toy", "Ask", fields)
            self.assertIn("its fields are: value", str(caught.exception))
        other = plexus.Types().message("net.ListenerRef")()
        with self.assertRaises(plexus.TypesError):
            client.call("toy", "Ask", other)

    def test_a_timeout_is_kept_and_the_client_goes_on(self):
        client = self.connect(timeout=20)
        with self.assertRaises(plexus.CallError) as caught:
            client.call("toy", "Ask", {"value": 0}, timeout=0.05)
        self.assertEqual(caught.exception.status, Status.TIMED_OUT)
        self.assertEqual(client.call("toy", "Ask", {"value": 1}).value, 2)
        for wrong in (0, -1, 3601):
            with self.assertRaises(ValueError):
                client.call("toy", "Ask", timeout=wrong)

    def test_a_request_that_is_too_long_is_an_error_and_the_next_call_connects_anew(self):
        client = self.connect()
        with self.assertRaises(plexus.Error):
            client.call("toy", "Plant", payload=bytes(1 << 20))
        self.assertEqual(client.call("toy", "Ask", {"value": 1}).value, 2)

    def test_threads_share_a_client(self):
        client, got = self.connect(), []
        threads = [threading.Thread(target=lambda i=i: got.append(client.call("toy", "Ask", {"value": i}).value - i))
                   for i in range(1, 33)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [1] * 32)

    def test_system_says_what_runs(self):
        system = self.connect().system()
        self.assertEqual((system.version, system.pid), (b"0.1.0", self.server.process.pid))
        self.assertGreater(system.deliveries, 0)

    def test_services_are_told_with_contracts_and_counters(self):
        client = self.connect()
        client.call("toy", "Ask", {"value": 1})
        services = {s.name.decode(): s for s in client.services()}
        self.assertTrue({"net", "file", "app", "toy", "inspect", "door", "guest"} <= set(services))
        self.assertEqual([c.name for c in services["toy"].contracts], [b"ktest.Toy"])
        self.assertTrue(services["toy"].alive)
        counters = {c.name.decode(): c.value for c in services["door"].counters}
        self.assertGreaterEqual(counters["accepted"], 1)
        self.assertGreaterEqual(counters["calls"], 2)

    def test_trace_shows_a_call_and_its_answer(self):
        client = self.connect()
        client.call("toy", "Ask", {"value": 1}, payload=b"12345")
        mine = [(r.sender, r.receiver, r.kind, r.bytes) for r in client.trace("toy", follow=False)
                if r.method == b"ktest.Toy.Ask"]
        self.assertEqual(mine, [(b"guest", b"toy", b"call", 5), (b"toy", b"guest", b"reply", 0)])
        with self.assertRaises(plexus.CallError):
            list(client.trace("tyo", follow=False))

    def test_trace_follows(self):
        client = self.connect()
        client.call("toy", "Ask", {"value": 1})
        asks = (r for r in client.trace("toy", interval=0.01) if r.method == b"ktest.Toy.Ask" and r.kind == b"call")
        first = next(asks)
        with plexus.connect(self.folder) as other:
            other.call("toy", "Ask", {"value": 2})
        self.assertGreater(next(asks).at_us, first.at_us)

    def test_edges_count_messages_and_answers(self):
        client = self.connect()
        for i in range(10):
            client.call("toy", "Ask", {"value": 1})
        edges = {(e.sender, e.receiver): e for e in client.edges().edges}
        self.assertEqual(edges[b"guest", b"toy"].messages, 10)
        self.assertEqual(edges[b"guest", b"toy"].answered, 10)
        self.assertLess(edges[b"guest", b"toy"].answer_p50_us, 1000000)

    def test_a_closed_client_connects_anew_and_close_may_be_said_twice(self):
        client = self.connect()
        client.close()
        client.close()
        self.assertEqual(client.call("toy", "Ask", {"value": 1}).value, 2)

    def test_a_system_that_was_started_anew_is_found_again(self):
        client = self.connect()
        self.assertEqual(client.call("toy", "Ask", {"value": 1}).value, 2)
        self.server.kill()
        with self.assertRaises(plexus.ConnectError):
            client.call("toy", "Ask", {"value": 1})
        self.server = Running(self.folder)
        self.assertEqual(client.call("toy", "Ask", {"value": 1}).value, 2)

    def test_a_call_that_may_be_repeated_survives_a_restart(self):
        client = self.connect()
        client.system()
        self.server.kill()
        self.server = Running(self.folder)
        self.assertEqual(client.system().pid, self.server.process.pid)

    def test_a_process_that_dies_during_a_call_is_told(self):
        client = self.connect()
        with self.assertRaises(plexus.ConnectError) as caught:
            client.call("toy", "Retry", {"value": 1})
        self.assertEqual((caught.exception.service, caught.exception.method), ("toy", "ktest.Toy.Retry"))


class Aio(WithServer):
    def run_with(self, test):
        async def run():
            async with await plexus.aio.connect(self.folder) as client:
                await test(client)
        asyncio.run(run())

    def test_calls_run_side_by_side(self):
        async def test(client):
            slow = asyncio.ensure_future(client.call("toy", "Ask", {"value": 0}, timeout=0.3))
            replies = await asyncio.gather(*(client.call("toy", "Ask", {"value": i}) for i in range(1, 21)))
            self.assertEqual([r.value for r in replies], list(range(2, 22)))
            self.assertFalse(slow.done())
            with self.assertRaises(plexus.CallError) as caught:
                await slow
            self.assertEqual(caught.exception.status, Status.TIMED_OUT)
        self.run_with(test)

    def test_more_calls_than_the_door_takes_are_busy(self):
        async def test(client):
            await client.call("toy", "Ask", {"value": 1})
            calls = [asyncio.ensure_future(client.call("toy", "Ask", {"value": 0}, timeout=1)) for _ in range(33)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            self.assertEqual(sorted(e.status for e in ends), [Status.BUSY] + [Status.TIMED_OUT] * 32)
        self.run_with(test)

    def test_a_cancelled_call_disturbs_nobody(self):
        async def test(client):
            call = asyncio.ensure_future(client.call("toy", "Ask", {"value": 0}))
            await asyncio.sleep(0.05)
            call.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await call
            self.assertEqual((await client.call("toy", "Ask", {"value": 1})).value, 2)
        self.run_with(test)

    def test_system_services_edges_trace(self):
        async def test(client):
            self.assertEqual((await client.system()).pid, self.server.process.pid)
            self.assertIn(b"toy", [s.name for s in await client.services()])
            await client.call("toy", "Ask", {"value": 1})
            self.assertTrue((await client.edges()).edges)
            seen = [r.kind async for r in client.trace("toy", follow=False)]
            self.assertEqual(seen[-2:], [b"call", b"reply"])
            async for record in client.trace("toy", interval=0.01):
                self.assertIsNotNone(record)
                break
        self.run_with(test)

    def test_close_ends_calls_under_way_and_the_next_connects_anew(self):
        async def test(client):
            call = asyncio.ensure_future(client.call("toy", "Ask", {"value": 0}))
            await asyncio.sleep(0.05)
            await client.close()
            with self.assertRaises(plexus.ConnectError):
                await call
            await client.close()
            self.assertEqual((await client.call("toy", "Ask", {"value": 1})).value, 2)
        self.run_with(test)

    def test_a_system_that_was_started_anew_is_found_again(self):
        async def test(client):
            await client.call("toy", "Ask", {"value": 1})
            self.server.kill()
            with self.assertRaises(plexus.ConnectError):
                await client.call("toy", "Ask", {"value": 1})
            self.server = Running(self.folder)
            self.assertEqual((await client.call("toy", "Ask", {"value": 1})).value, 2)
        self.run_with(test)


class Far(threading.Thread):
    """A door that is none: answers whatever it is told to."""

    def __init__(self, folder, answer):
        super().__init__(daemon=True)
        os.mkdir(folder)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(folder + "/door")
        self.listener.listen()
        self.answer = answer
        self.start()

    def run(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            with conn:
                conn.recv(8)
                conn.sendall(self.answer[0])
                while len(self.answer) > 1 and conn.recv(65536):
                    conn.sendall(self.answer[1])


class Wrong(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="plexus-python-")
        self.addCleanup(self.top.cleanup)

    def refuse(self, name, *words, error=plexus.ConnectError):
        async def later():
            await plexus.aio.connect(name)
        for connect in (lambda: plexus.connect(name), lambda: asyncio.run(later())):
            with self.assertRaises(error) as caught:
                connect()
            for word in words:
                self.assertIn(word, str(caught.exception))

    def test_no_door_says_how_to_start_one(self):
        self.refuse("no-such-door", "plexus serve --name no-such-door")

    def test_a_socket_left_over_is_told(self):
        os.mkdir(self.top.name + "/old")
        left = socket.socket(socket.AF_UNIX)
        left.bind(self.top.name + "/old/door")
        left.close()
        self.refuse(self.top.name + "/old", "see whether its process runs")

    def test_what_is_not_a_door_is_told(self):
        far = Far(self.top.name + "/far", [b"HTTP/1.1"])
        self.addCleanup(far.listener.close)
        self.refuse(self.top.name + "/far", "not a door")

    def test_answers_that_no_door_writes_are_an_error_not_a_hang(self):
        back = b"\0SP\0\0\x31\0\0"
        for i, answer in enumerate((b"\x02" + bytes(8), b"\1" + struct.pack(">Q", 1 << 40),
                                    b"\1" + struct.pack(">Q", 3) + b"abc")):
            far = Far(self.top.name + "/far%d" % i, [back, answer])
            with self.subTest(answer=answer), plexus.connect(far.listener.getsockname()[:-5]) as client, \
                    self.assertRaises(plexus.ConnectError):
                client.system()
            far.listener.close()

    def test_types_that_are_not_there_or_not_types_are_told(self):
        with self.assertRaises(plexus.TypesError):
            plexus.Types(["/nonexistent"])
        with self.assertRaises(plexus.TypesError):
            plexus.Types([__file__])
        with self.assertRaises(plexus.TypesError):
            plexus.Types([])
        with self.assertRaises(plexus.TypesError):
            plexus.connect("x", types=[KTEST])

    def test_other_types_than_those_of_the_running_system_are_refused(self):
        from google.protobuf import descriptor_pb2
        files = descriptor_pb2.FileDescriptorSet()
        with open(KTEST, "rb") as opened:
            files.ParseFromString(opened.read())
        files.file[0].message_type[1].field[0].name = "valeu"
        with open(self.top.name + "/other.desc", "wb") as opened:
            opened.write(files.SerializeToString())
        server = Running(self.top.name + "/toy")
        self.addCleanup(server.stop)
        with plexus.connect(self.top.name + "/toy", types=[os.environ["PLEXUS_TYPES"],
                                                           self.top.name + "/other.desc"]) as client:
            with self.assertRaises(plexus.TypesError) as caught:
                client.call("toy", "Ask")
            self.assertIn("ktest.Toy", str(caught.exception))


class Documented(unittest.TestCase):
    def test_everything_public_has_a_docstring_and_types(self):
        for owner in (plexus, plexus.aio, plexus.http, plexus.Client, plexus.aio.Client, plexus.Types, plexus.Reply,
                      plexus.Error, plexus.Stream, plexus.Service, plexus.Refuse, plexus.aio.Stream, plexus.aio.Request,
                      plexus.http.Request, plexus.http.RequestHead, plexus.http.Response, plexus.http.Server,
                      plexus.http.Headers):
            for name, member in vars(owner).items():
                if name.startswith("_") or not (inspect.isfunction(member) or inspect.isclass(member)):
                    continue
                if not member.__module__.startswith("plexus"):
                    continue  # what it imports
                self.assertTrue(member.__doc__, "%s.%s" % (owner.__name__, name))
                if inspect.isfunction(member):
                    self.assertIn("return", member.__annotations__, "%s.%s" % (owner.__name__, name))

    def test_statuses_are_those_of_the_system(self):
        header = os.path.join(os.environ["PLEXUS_SOURCE"], "kernel", "include", "px", "err.h")
        import re
        with open(header, encoding="utf-8") as opened:
            there = {m.group(1): int(m.group(2)) for m in re.finditer(r"X\((\w+), (\d+), ", opened.read())}
        self.assertEqual({s.name: s.value for s in Status}, there)
        self.assertEqual(Status(200), Status.INTERNAL)


if __name__ == "__main__":
    unittest.main()
