"""Calls the services of a running Plexus through its door.

    import plexus

    with plexus.connect("web") as client:          # plexus serve --name web
        print(client.call("net", "Stats").open)    # connections that are open now
        for service in client.services():
            print(service.name, service.alive)

and the same without blocking:

    client = await plexus.aio.connect("web")
    stats = await client.call("net", "Stats", {"listener": 0})

A program can be a service too (plexus.Service), or answer the requests of a route of `plexus serve` (plexus.http.serve).

There is no generated code: messages are made from the descriptor set that is installed with Plexus
(share/plexus/plexus.desc), and those of other services from what the running system tells of itself.
Whatever goes wrong is a plexus.Error that names service, method, status and a remedy.
"""
from . import aio, http
from ._client import Client, connect
from ._errors import CallError, ConnectError, Error, Status, TypesError
from ._messages import Reply, Types
from ._topics import Stream
from .service import Refuse, Service

__all__ = ["CallError", "Client", "ConnectError", "Error", "Refuse", "Reply", "Service", "Status", "Stream", "Types",
           "TypesError", "aio", "connect", "http"]
__version__ = "0.1.0"
