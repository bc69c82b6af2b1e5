#!/usr/bin/python3
"""kill -9 under load, again and again: the domain of h1 is ended while wrk asks it for all it can, connections
rest and a request is under way. Prints how long it took until that request was told that its service is gone, and
until the next answer on a connection that was at rest; nothing that rests may be lost, and nothing may be left over.

    kills.py [--kills N] [--seconds S] [--connections N]"""
import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time

from common import SANITIZED, SOURCE, Server, need, program, read_response, until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHo"
AT_REST = 20
WARM = 3  # kills that are not counted: code and memory are touched for the first time
GONE_MS, ANSWER_MS = 5, 10  # what is promised, 99 of 100 times


def processes_of(pid):
    """Living child processes with the time each was started, oldest first; and how many are zombies."""
    found, zombies = [], 0
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        children = [int(child) for child in f.read().split()]
    for child in children:
        try:
            with open("/proc/%d/stat" % child, encoding="ascii") as f:
                fields = f.read().rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[0] == "Z":
            zombies += 1
        else:
            found.append((int(fields[19]), child))
    return [child for _, child in sorted(found)], zombies


def memory_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def percentile(times, percent):
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def say(what, times, promised):
    print("%s, ms: median %.2f  99%% %.2f  worst %.2f  of %d (promised: 99%% within %d)" % (
        what, statistics.median(times), percentile(times, 99), max(times), len(times), promised), flush=True)


def ask(conn):
    conn.sendall(REQUEST)
    status, _, _, rest = read_response(conn)
    assert (status, rest) == (200, b""), status


def wait_for_the_end(conn):
    """Of a connection with half a request: a reset, or a close."""
    try:
        assert conn.recv(100) == b""
    except ConnectionResetError:
        pass


def in_front():
    """Measures at once when there is something to measure, whatever else runs; true if the system allows that."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return True
    except OSError:
        return False


class Drill:
    def __init__(self, options, folder):
        self.options = options
        self.server = Server(program("tests/bench/bench_server"), "0", "0", "none", "none", folder,
                             os.path.join(SOURCE, "tests", "bench", "h1-lane-c.yaml"))
        self.pid = self.server.process.pid
        self.load = None
        self.resting = []
        self.gone, self.answered = [], []

    def start(self):
        address = "http://%s:%d/" % (self.server.host, self.server.port)
        self.load = subprocess.Popen(["wrk", "-t", "1", "-c", str(self.options.connections), "-d", "36000s", address],
                                     stdout=subprocess.DEVNULL)
        for _ in range(AT_REST):
            self.resting.append(self.server.connect())
            ask(self.resting[-1])

    def kill(self):
        """Once; (ms until the request under way was ended, ms until an answer)."""
        under_way = self.server.connect()
        under_way.sendall(HALF)
        time.sleep(0.02)
        serving = processes_of(self.pid)[0][0]
        begin = time.monotonic()
        os.kill(serving, signal.SIGKILL)
        wait_for_the_end(under_way)
        gone = time.monotonic()
        ask(self.resting[0])
        answered = time.monotonic()
        under_way.close()
        for conn in self.resting[1:]:
            ask(conn)
        return (gone - begin) * 1000, (answered - begin) * 1000

    def run(self):
        left_over = None
        for i in range(WARM + self.options.kills):
            time.sleep(self.options.seconds)
            gone, answered = self.kill()
            if i < WARM:
                left_over = descriptors(self.pid), memory_kib(self.pid)
                continue
            self.gone.append(gone)
            self.answered.append(answered)
            if i % 100 == 99:
                say("so far: gone", self.gone, GONE_MS)
                say("so far: next answer", self.answered, ANSWER_MS)
        say("kill -9 to SERVICE_GONE", self.gone, GONE_MS)
        say("kill -9 to the next answer", self.answered, ANSWER_MS)
        return left_over

    def check(self, left_over):
        """Everything is as it was before the first of the kills that count."""
        assert self.load.poll() is None, "the load ended"
        self.load.kill()
        self.load.wait()
        until(lambda: len(processes_of(self.pid)[0]) == 2, "the spare")
        until(lambda: descriptors(self.pid) <= left_over[0], "descriptors to be closed")
        assert processes_of(self.pid)[1] == 0, "zombies"
        now = memory_kib(self.pid)
        print("%d connections rested all the time; descriptors %d before and %d after; memory %d and %d KiB" % (
            AT_REST, left_over[0], descriptors(self.pid), left_over[1], now))
        assert SANITIZED or now < left_over[1] + 8192, "it grew"
        for conn in self.resting:
            ask(conn)
            conn.close()
        assert self.server.stop() == 0

    def end(self):
        if self.load is not None and self.load.poll() is None:
            self.load.kill()
            self.load.wait()
        self.server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.5, help="between two kills")
    parser.add_argument("--connections", type=int, default=16, help="of the load")
    options = parser.parse_args()
    need("wrk")
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(options, folder)
        try:
            drill.start()
            if not in_front():
                print("(not allowed to run in front of the load: figures include waiting for a processor)")
            drill.check(drill.run())
        finally:
            drill.end()
    # A promise for a quiet machine; on any other it is still nowhere near this.
    assert statistics.median(drill.answered) < (1000 if SANITIZED else 50)


if __name__ == "__main__":
    main()
