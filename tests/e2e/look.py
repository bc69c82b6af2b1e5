#!/usr/bin/python3
"""plexus ps, call, trace and top through the door of a running plexus serve; what goes wrong there; two doors of one
name, one that was left over; nng as a client."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from common import BUILD, PATIENCE_S, Server, program

PLEXUS = program("clients/cli/plexus")


class Look(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="plexus-look-")
        self.addCleanup(top.cleanup)
        self.env = {k: v for k, v in os.environ.items() if k not in ("RUNTIME_DIRECTORY", "PLEXUS_TYPES")}
        self.env["XDG_RUNTIME_DIR"] = self.top = top.name
        self.server = Server(PLEXUS, "serve", "--name", "web", "--listen", "127.0.0.1:0", env=self.env)
        self.addCleanup(self.stop)

    def stop(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(PATIENCE_S)
        self.server.process.stdout.close()
        self.server.err.close()

    def plexus(self, *words, code=0):
        done = subprocess.run([PLEXUS, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_ps_lists_services(self):
        text = self.plexus("ps", "--name", "web")
        self.assertIn("process %d" % self.server.process.pid, text)
        self.assertRegex(text, r"(?m)^net +%d +here .*net\.Net$" % self.server.process.pid)
        told = json.loads(self.plexus("ps", "--name", "web", "--json"))
        self.assertEqual(told["system"]["pid"], self.server.process.pid)
        services = {s["name"]: s for s in told["services"]}
        self.assertTrue({"net", "file", "app", "inspect", "door", "guest"} <= set(services))
        self.assertIn({"name": "accepted", "value": 0}, services["net"]["counters"])

    def test_ps_knows_the_processes_of_services(self):
        domain = os.path.join(BUILD, "clients", "domain", "px-domain")
        with open(self.top + "/split.yaml", "w", encoding="utf-8") as file:
            file.write("domains:\n  web: {services: [h1]}\n")
        server = Server(PLEXUS, "serve", "--name", "split", "--placement", self.top + "/split.yaml", "--listen",
                        "127.0.0.1:0", env=dict(self.env, PX_DOMAIN=os.path.abspath(domain)))
        try:
            told = json.loads(self.plexus("ps", "--name", "split", "--json"))
            web = told["domains"][0]
            self.assertEqual((web["name"], web["state"], web["starts"], web["lane"]), ("web", "serving", 1, "rings"))
            h1 = next(s for s in told["services"] if s["name"] == "h1")
            self.assertEqual((h1["domain"], h1["pid"], h1["remote"], h1["alive"]), ("web", web["pid"], True, True))
            os.kill(web["pid"], signal.SIGKILL)
            self.assertIn(b"200 OK", server.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
            self.assertRegex(self.plexus("ps", "--name", "split"), r"domain web: serving, process \d+, started 2 times; "
                             r"sandbox: .*; lane: rings; ended last: ")
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(PATIENCE_S)
            server.process.stdout.close()
            server.err.close()

    def test_call_calls_anything_and_says_what_is_wrong(self):
        self.server.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for words in (("net", "Stats"), ("net", "net.Net.Stats", '{"listener": 0}'), ("net", "Stats", "{listener: 0}")):
            self.assertEqual(json.loads(self.plexus("call", "--name", "web", *words))["accepted"], 1)
        listed = json.loads(self.plexus("call", "--name=web", "--timeout", "2.5", "inspect", "Services"))
        self.assertEqual(listed["services"][0]["name"], "net")
        for words, code, text in (
                (("net", "Stat"), 1, "it has: Listen Unlisten Stats"),
                (("nte", "Stats"), 1, "no service 'nte'"),
                (("net", "Listen"), 1, "DENIED: Listen is for the program itself"),
                (("net", "Stats", '{"listenr": 0}'), 2, "there are: listener"),
                (("net", "Stats", '{"listener": "x"}'), 2, "expected a number"),
                (("net", "Stats", '{"listener": 3}'), 1, "STALE"),
                (("net",), 2, "usage: plexus call"),
                (("net", "Stats", "{}", "more"), 2, "unknown argument"),
                (("--timeout", "0", "net", "Stats"), 2, "0.001 to 3600")):
            with self.subTest(words=words):
                self.assertIn(text, self.plexus("call", "--name", "web", *words, code=code))
        self.assertIn("plexus serve --name nope", self.plexus("call", "--name", "nope", "net", "Stats", code=1))

    def test_trace_shows_a_request_on_its_way(self):
        self.server.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        lines = [json.loads(line) for line in
                 self.plexus("trace", "--name", "web", "--once", "--json", "--service", "app").splitlines()]
        seen = [(r["sender"], r["receiver"], r["method"]) for r in lines]
        self.assertLess(seen.index(("h1", "app", "http.Responder.Exchange")),
                        seen.index(("app", "h1", "http.Requester.Respond")))
        self.assertRegex(self.plexus("trace", "--name", "web", "--once"), r"h1 +-> app +oneway http\.Responder\.Exchange")
        self.assertIn("no service 'nobody'", self.plexus("trace", "--name", "web", "--service", "nobody", code=1))

    def test_trace_and_top_follow(self):
        for words in (("trace", "--json"), ("top", "--json")):
            with subprocess.Popen([PLEXUS, *words, "--name", "web"], env=self.env, stdout=subprocess.PIPE,
                                  text=True) as running:
                for _ in range(2):
                    json.loads(running.stdout.readline())
                    self.plexus("call", "--name", "web", "net", "Stats")
                running.send_signal(signal.SIGINT)

    def test_top_shows_who_talks(self):
        for _ in range(20):
            self.plexus("call", "--name", "web", "net", "Stats")
        self.assertRegex(self.plexus("top", "--name", "web", "--once"), r"(?m)^guest +net ")
        edges = json.loads(self.plexus("top", "--name", "web", "--once", "--json"))["edges"]
        self.assertEqual([e["answered"] for e in edges if (e["sender"], e["receiver"]) == ("guest", "net")], [20])

    def test_a_name_is_held_by_one_process_and_free_when_that_dies(self):
        self.assertIn("is held by process %d" % self.server.process.pid,
                      self.plexus("serve", "--name", "web", "--listen", "127.0.0.1:0", code=1))
        self.server.process.kill()
        self.server.process.wait(PATIENCE_S)
        self.assertIn("nobody is behind it", self.plexus("ps", "--name", "web", code=1))
        self.stop()
        self.server = Server(PLEXUS, "serve", "--name", "web", "--listen", "127.0.0.1:0", env=self.env)
        self.plexus("ps", "--name", "web")

    def test_a_configuration_names_who_may_call_what(self):
        with open(self.top + "/a.yaml", "w", encoding="utf-8") as file:
            file.write("listen: ['127.0.0.1:0']\ndoor:\n  name: narrow\n  clients:\n  - uid: %d\n    services: [inspect]\n"
                       % os.geteuid())
        server = Server(PLEXUS, "serve", "--config", self.top + "/a.yaml", env=self.env)
        try:
            self.plexus("ps", "--name", "narrow")
            self.assertIn("DENIED: uid %d may not call net" % os.geteuid(),
                          self.plexus("call", "--name", "narrow", "net", "Stats", code=1))
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(PATIENCE_S)
            server.process.stdout.close()
            server.err.close()
        self.assertFalse(os.path.exists(self.top + "/plexus/narrow/door"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_other_users_may_what_the_configuration_says_and_strangers_nothing(self):
        os.chmod(self.top, 0o755)
        program_copy = shutil.copy(PLEXUS, self.top + "/program")  # where those users can get at it
        with open(self.top + "/b.yaml", "w", encoding="utf-8") as file:
            file.write("listen: ['127.0.0.1:0']\ndoor:\n  name: %s/shared\n  clients:\n  - uid: 65533\n"
                       "    services: [net]\n" % self.top)
        server = Server(PLEXUS, "serve", "--config", self.top + "/b.yaml", env=self.env)
        try:
            for user, service, method, text in ((65533, "net", "Stats", '"accepted": 0'),
                                                (65533, "inspect", "Services", "may not call inspect"),
                                                (65532, "net", "Stats", "it closed the connection"),
                                                (0, "net", "Stats", '"accepted": 0')):
                done = subprocess.run([program_copy, "call", "--name", self.top + "/shared", service, method],
                                      user=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      timeout=PATIENCE_S, check=False)
                self.assertIn(text, done.stdout, user)
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(PATIENCE_S)
            log = server.errors()  # all of it is written now
            server.process.stdout.close()
            server.err.close()
        self.assertIn("stranger uid=65532", log)

    def test_nng_is_a_client(self):
        client = os.path.join(BUILD, "tests", "e2e", "nng_client")
        if not os.access(client, os.X_OK):
            self.skipTest("libnng-dev was not there when this was built")
        door = os.path.join(self.top, "plexus", "web", "door")
        done = subprocess.run([client, "ipc://" + door, "50"], stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "50 calls answered\n"))


if __name__ == "__main__":
    unittest.main()
