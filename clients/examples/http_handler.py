#!/usr/bin/python3
"""http_handler.py - answers HTTP requests in Python, behind the engine in C. CC0, no rights reserved.

    listen: ["127.0.0.1:8080"]
    door: {name: web}
    routes:
      - {path: "/py/*rest", service: example, body_max: 100m}

    plexus serve --config site.yaml &
    ./http_handler.py web & curl http://127.0.0.1:8080/py/hello?name=you

The engine does connections, slow clients, limits, rules and the log. Kill this program: requests are answered 503 until
it is started again.
"""
import asyncio
import hashlib
import sys

import plexus
from plexus.http import Response


async def count_down(seconds):
    for left in range(seconds, 0, -1):
        yield b"%d\n" % left
        await asyncio.sleep(0.1)


async def answer(request):
    if request.path == "/py/hello":
        return "Hello, %s!\n" % dict(request.query).get("name", "World")
    if request.path == "/py/count":  # a body that is made while it is sent
        return Response(count_down(5), headers={"Content-Type": "text/plain"})
    if request.path == "/py/hash" and request.method == "POST":  # one that is read as it comes
        digest = hashlib.sha256()
        async for chunk in request:
            digest.update(chunk)
        return digest.hexdigest() + "\n"
    return Response("No such page.\n", status=404)


try:
    asyncio.run(plexus.aio.serve_http("example", answer, door=sys.argv[1] if len(sys.argv) > 1 else "plexus"))
except plexus.Error as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    pass
