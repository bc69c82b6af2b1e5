#!/usr/bin/python3
"""What a request costs a server: wrk on one processor, the server on another, and the server's processor time by /proc.

    tests/bench/load.py                                    bench_server of build/, a handler of 13 bytes
    tests/bench/load.py --path /f/x.bin --root DIR         a file of it
    tests/bench/load.py --pipeline 16                      so many requests at once
    tests/bench/load.py --url http://127.0.0.1:80/ --pid 4711     any other server, for comparison: pin it yourself

One line a round: requests a second, microseconds of processor time a request, latency at the 99th percentile. Compare
rounds of one run, in which servers take turns; not figures of different days or machines."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get("MESON_BUILD_ROOT") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
TICKS = os.sysconf("SC_CLK_TCK")
PIPELINE = """init = function(args)
  local one, all = wrk.format("GET"), {}
  for i = 1, %d do all[i] = one end
  request = function() return all_of end
  all_of = table.concat(all)
end
"""


def processor_us(pid):
    """Processor time of a process so far, user and system, microseconds."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 // TICKS


def start(root):
    """bench_server on a free port, pinned to the first processor: (process, url)."""
    program = os.path.join(BUILD, "tests", "bench", "bench_server")
    if not os.access(program, os.X_OK):
        sys.exit("load.py: %s is missing: ./dev build" % program)
    server = subprocess.Popen(["taskset", "-c", "0", program, "0", "0", "-", "-", root], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        if line.startswith("listening on "):
            return server, "http://" + line.split()[-1]
    sys.exit("load.py: bench_server does not start")


def measure(pid, url, options):
    """One round: (requests a second, microseconds a request, 99th percentile)."""
    command = ["wrk", "-t", "1", "-c", str(options.connections), "-d", "%ds" % options.seconds, "--latency", url]
    if os.cpu_count() > 1:
        command = ["taskset", "-c", "1"] + command
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if options.pipeline > 1:
            script.write(PIPELINE % options.pipeline)
            script.flush()
            command[-1:-1] = ["-s", script.name]
        before = processor_us(pid)
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        used = processor_us(pid) - before
    done = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec: +([\d.]+)", out).group(1))
    if "Non-2xx" in out or "Socket errors" in out or done == 0:
        sys.exit("load.py: not every request was answered with success:\n" + out)
    return rate, used / done, re.search(r"99% +(\S+)", out).group(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="another server's")
    parser.add_argument("--pid", type=int, help="its process")
    parser.add_argument("--path", default="/", help="of bench_server [/]")
    parser.add_argument("--root", default=".", help="folder it serves below /f/ [.]")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=5, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if (options.url is None) != (options.pid is None):
        parser.error("--url and --pid belong together")
    for peer in ("wrk", "taskset"):
        if shutil.which(peer) is None:
            sys.exit("load.py: %s is not installed" % peer)
    server, url, pid = None, options.url, options.pid
    if url is None:
        server, url = start(options.root)
        url, pid = url + options.path, server.pid
    try:
        for _ in range(options.rounds):
            print("%9.0f requests/s  %6.2f us/request  99%% %s" % measure(pid, url, options), flush=True)
    finally:
        if server is not None:
            server.terminate()
            server.wait()


main()
