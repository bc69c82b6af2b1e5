"""What a call costs from Python: `bench_plexus.py ROUNDS`. Environment as for test_plexus.py."""
import asyncio
import os
import subprocess
import sys
import tempfile
import time

import plexus


def report(what, times):
    times.sort()
    print("%-28s p50 %6.1f us   p99 %6.1f us" % (what, times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6))


def blocking(folder, rounds):
    with plexus.connect(folder) as client:
        for payload in (b"", bytes(16384)):
            times = []
            for i in range(rounds):
                start = time.perf_counter()
                client.call("toy", "Plant", {"name": "oak"}, payload=payload)
                times.append(time.perf_counter() - start)
            report("blocking, %d bytes" % len(payload), times)


async def side_by_side(folder, rounds):
    async with await plexus.aio.connect(folder) as client:
        await client.call("toy", "Ask", {"value": 1})
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            await client.call("toy", "Ask", {"value": 1})
            times.append(time.perf_counter() - start)
        report("asyncio, one at a time", times)
        start = time.perf_counter()
        for _ in range(rounds // 16):
            await asyncio.gather(*(client.call("toy", "Ask", {"value": 1}) for _ in range(16)))
        print("%-28s %.0f calls/s" % ("asyncio, 16 side by side", rounds // 16 * 16 / (time.perf_counter() - start)))


def main():
    rounds = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="plexus-bench-") as top:
        folder = top + "/toy"
        server = subprocess.Popen([os.environ["PLEXUS_DOOR_SERVER"], folder], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        server.stdout.readline()
        blocking(folder, rounds)
        asyncio.run(side_by_side(folder, rounds))
        server.stdin.close()
        server.wait(20)


main()
