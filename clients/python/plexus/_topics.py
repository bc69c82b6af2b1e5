"""Stream calls of a blocking program, and topics, which are stream calls that are made again when they end."""
from __future__ import annotations

import asyncio
import random
import time
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, Optional

from . import _pair, _wire
from ._errors import CallError, ConnectError, Status, call_error, lost
from ._messages import Reply
from ._session import Ask, understand

CREDIT = 64  # items that may be on their way
RETRY_S = (0.05, 2.0)
GONE = (Status.SERVICE_GONE, Status.TIMED_OUT, Status.BUSY, Status.CANCELLED)  # after which a topic may come back


def pauses() -> Iterator[float]:
    """Seconds between attempts: from short to long, each a little off, so that many do not come at once."""
    pause = RETRY_S[0]
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(pause * 2, RETRY_S[1])


class Granter:
    """Item credit of the asker: returned in halves of the whole."""

    def __init__(self, credit: int):
        if not 1 <= credit <= 65536:
            raise ValueError("credit is a number of items, 1 to 65536; got %r" % credit)
        self.credit, self._taken = credit, 0

    def take(self) -> int:
        """One item was taken: how many more to allow now."""
        self._taken += 1
        if self._taken * 2 < self.credit:
            return 0
        taken, self._taken = self._taken, 0
        return taken


class Stream:
    """The items of a stream call, as they come. Made by Client.stream(). A context manager, and an iterator of Reply.

    It has a connection of its own. It ends when the service ends it; by close(); when it is dropped.
    """

    def __init__(self, name: str, ask: Ask, method: Any, credit: int):
        self._ask, self._method, self._granter = ask, method, Granter(credit)
        self._ready: list = []
        self._connection: Optional[_pair.Connection] = _pair.Connection(name)
        self._connection.send(_pair.pack(_pair.STREAM, 1, number=ask.deadline_ms, service=ask.service.encode()[:255],
                                         method=ask.method.encode()[:255], body=ask.body, payload=ask.payload))
        self._connection.send(_pair.pack(_pair.MORE, 1, number=credit))
        try:
            self._connection.flush()  # the call begins now, and not with the first item that is asked for
        except OSError as error:
            self.close()
            raise lost(ask.service, ask.method, error) from error

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Reply:
        """The next item; waits for it. Raises CallError, TypesError, ConnectError; StopIteration at a good end."""
        if self._connection is None:
            raise StopIteration
        try:
            while not self._ready:
                self._ready = self._connection.receive()[::-1]
        except (OSError, _wire.Broken) as error:
            self.close()
            raise lost(self._ask.service, self._ask.method, error) from error
        message = self._ready.pop()
        if message.kind == _pair.ITEM:
            more = self._granter.take()
            if more:
                self._connection.send(_pair.pack(_pair.MORE, 1, number=more))
            return understand(self._ask.service, self._method, 0, "", message.body, message.payload)
        self.close()
        if message.status != Status.OK:
            raise call_error(self._ask.service, self._method.name, message.status,
                             message.text.decode("utf-8", "replace"))
        raise StopIteration

    def close(self) -> None:
        """Ends it: the service hears that nobody waits any more. Twice is fine."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self.close()


def subscribe(make: Callable[[], Stream]) -> Iterator[Reply]:
    """Items of stream after stream: a new one when the last was lost."""
    attempts, was_there = pauses(), False
    while True:
        try:
            with make() as stream:
                for item in stream:
                    was_there = True
                    attempts = pauses()
                    yield item
        except ConnectError:
            pass
        except CallError as error:
            if error.status not in GONE and not (was_there and error.status == Status.NOT_FOUND):
                raise
        time.sleep(next(attempts))


async def subscribe_later(make: Callable[[], Awaitable[Any]]) -> AsyncIterator[Reply]:
    """The same for asyncio."""
    attempts, was_there = pauses(), False
    while True:
        try:
            async with await make() as stream:
                async for item in stream:
                    was_there = True
                    attempts = pauses()
                    yield item
        except ConnectError:
            pass
        except CallError as error:
            if error.status not in GONE and not (was_there and error.status == Status.NOT_FOUND):
                raise
        await asyncio.sleep(next(attempts))
