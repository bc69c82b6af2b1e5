"""What HTTP handlers in Python serve behind the engine, to wrk: a blocking one and one of asyncio. Prints; fails only if
something does not answer. Environment as for test_serving.py."""
import os
import shutil
import subprocess
import sys
import tempfile

BLOCKING = "plexus.http.serve('web', lambda request: 'Hello, World!', door=%r)"
LATER = "asyncio.run(plexus.aio.serve_http('web', hello, door=%r))"
PROGRAM = """
import asyncio, plexus
async def hello(request):
    return 'Hello, World!'
%s
"""
CONFIG = """
listen: ["127.0.0.1:0"]
door: {name: %s}
routes: [{path: "/*rest", service: web}]
"""


def serve(top):
    """plexus serve, and its address."""
    with open(top + "/site.yaml", "w", encoding="utf-8") as file:
        file.write(CONFIG % (top + "/door"))
    server = subprocess.Popen([os.environ["PLEXUS_PROGRAM"], "serve", "--config", top + "/site.yaml"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return server, next(line.strip() for line in server.stdout if "http://" in line)


def measure(url, what):
    """wrk, once the handler is there."""
    for _ in range(100):
        if subprocess.run(["curl", "-sf", "-o", "/dev/null", "--retry", "3", url], check=False).returncode == 0:
            break
    done = subprocess.run(["wrk", "-t1", "-c32", "-d3", "--latency", url], stdout=subprocess.PIPE, text=True, check=True)
    words = [line.split() for line in done.stdout.splitlines()]
    rate = next(w[1] for w in words if w[:1] == ["Requests/sec:"])
    p50, p99 = (next(w[1] for w in words if w[:1] == [share]) for share in ("50%", "99%"))
    print("%-28s %s requests/s   p50 %s   p99 %s" % (what, rate, p50, p99))
    if "Non-2xx" in done.stdout:
        sys.exit(done.stdout)


def main():
    if shutil.which("wrk") is None or shutil.which("curl") is None:
        print("wrk or curl is not installed: handlers are not measured")
        return
    with tempfile.TemporaryDirectory(prefix="plexus-bench-") as top:
        server, url = serve(top)
        for what, last in (("blocking handler", BLOCKING), ("handler of asyncio", LATER)):
            handler = subprocess.Popen([sys.executable, "-c", PROGRAM % (last % (top + "/door"))])
            measure(url, what)
            handler.kill()
            handler.wait(20)
        server.kill()
        server.wait(20)
        server.stdout.close()


main()
