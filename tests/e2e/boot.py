#!/usr/bin/python3
"""plexus boot and the state of a running plexus serve: a voter in Python holds, releases and refuses, and dies; what is lost
makes it fall. Everything goes through the door."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

from common import BUILD, PATIENCE_S, SOURCE, Server, main, program, until

sys.path.insert(0, os.path.join(SOURCE, "clients", "python"))
import plexus  # noqa: E402

PLEXUS = program("clients/cli/plexus")
os.environ["PLEXUS_TYPES"] = os.path.abspath(os.path.join(BUILD, "proto", "plexus.desc"))
DHCP, REGISTERED, OPERATIONAL = 4, 7, 10
ALLOW, HOLD, VETO = 1, 2, 3


class Boot(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="plexus-boot-")
        self.addCleanup(top.cleanup)
        self.env = {k: v for k, v in os.environ.items() if k != "RUNTIME_DIRECTORY"}
        self.env["XDG_RUNTIME_DIR"] = top.name
        self.server = Server(PLEXUS, "serve", "--name", "boot", "--listen", "127.0.0.1:0", env=self.env)
        self.addCleanup(self.server.kill)
        self.client = plexus.connect(os.path.join(top.name, "plexus", "boot"))
        self.addCleanup(self.client.close)

    def boot(self, *options):
        done = subprocess.run([PLEXUS, "boot", "--name", "boot", *options], env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def answer(self, question, vote, why="", ms=0):
        self.client.call("system", "Answer", {"round": question.round, "vote": vote, "why": why.encode(), "deadline_ms": ms})

    def voter(self):
        """The stream has a connection of its own: what is said on another one may come first."""
        questions = self.client.stream("system", "Vote")
        until(lambda: self.client.call("system", "Get").voters == 1, "the voter")
        return questions

    def state(self):
        return self.client.call("system", "Get").state.state

    def test_it_is_operational_at_once(self):
        code, out, err = self.boot()
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"(?m)^ +\d+\.\d{3}  OPERATIONAL +is reached$")
        self.assertTrue(out.endswith("OPERATIONAL of OPERATIONAL\n"), out)
        code, out, err = self.boot("--json", "--once")
        self.assertEqual((code, json.loads(out)["state"]["name"]), (0, "OPERATIONAL"), err)

    def test_a_voter_outside_holds_and_lets_go(self):
        with self.voter() as questions:
            self.client.call("system", "Fall", {"state": DHCP, "why": b"no carrier"})
            for question in questions:
                if question.to == REGISTERED:
                    break
                self.answer(question, ALLOW)
            self.answer(question, HOLD, "no identity yet", 60000)
            code, out, _ = self.boot("--once")
            self.assertEqual(code, 1)
            self.assertIn("is all that is left, says guest: no carrier", out)
            self.assertRegex(out, r"POLICY_VALID of OPERATIONAL, held by guest since \d+\.\d{3}: no identity yet\n$")
            follower = subprocess.Popen([PLEXUS, "boot", "--name", "boot"], env=self.env, stdout=subprocess.PIPE, text=True)
            self.answer(question, ALLOW)
            while question.to != OPERATIONAL:
                question = next(questions)
                self.answer(question, ALLOW)
            out, _ = follower.communicate(timeout=PATIENCE_S)
            self.assertEqual(follower.returncode, 0)
            self.assertIn("may be left, for guest", out)

    def test_a_veto_ends_it_with_code_3(self):
        with self.voter() as questions:
            self.client.call("system", "Fall", {"state": REGISTERED})
            self.answer(next(questions), VETO, "this device is not ours")
            code, out, _ = self.boot()
            self.assertEqual(code, 3)
            self.assertTrue(out.endswith("REGISTERED of OPERATIONAL: guest refuses: this device is not ours\n"), out)
            with self.assertRaises(plexus.Error) as raised:
                self.client.call("system", "Await", {"state": OPERATIONAL, "within_ms": 60000})
            self.assertEqual(raised.exception.status, plexus.Status.REFUSED)
        self.client.call("system", "Go", {"state": OPERATIONAL})  # who refused has left
        until(lambda: self.state() == OPERATIONAL, "the end of the boot")

    def test_what_changes_is_a_topic(self):
        with self.client.stream("system", "Watch") as states:
            self.assertEqual(next(states).name, b"OPERATIONAL")
            self.client.call("system", "Fall", {"state": DHCP, "why": b"the lease is over"})
            fallen = next(states)
            self.assertEqual((fallen.name, fallen.before, fallen.why), (b"DHCP", OPERATIONAL, b"the lease is over"))
            self.assertEqual([next(states).state for _ in range(DHCP, OPERATIONAL)], list(range(DHCP + 1, OPERATIONAL + 1)))

    def test_mistakes_are_told(self):
        code, _, err = self.boot("--nmae", "x")
        self.assertEqual(code, 2)
        self.assertIn("--name", err)
        self.server.process.kill()
        self.server.process.wait()
        code, _, err = self.boot()
        self.assertEqual(code, 1)
        self.assertIn("plexus boot: ", err)


if __name__ == "__main__":
    main()
