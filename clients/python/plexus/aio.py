"""The same for asyncio: calls of one connection run side by side, and so do methods of a service and HTTP handlers."""
from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any, AsyncIterator, Dict, List, Optional, Union

from . import _wire
from ._client import DEADLINE_S, GRACE_S, Fields
from ._errors import ConnectError, lost, not_there
from ._messages import Reply, Types
from ._session import Ask, Session
from ._serving import Request, Stream, serve, serve_http
from ._topics import CREDIT, subscribe_later

__all__ = ["Client", "Request", "Stream", "connect", "serve", "serve_http"]


class Client:
    """A connection to a running system. Made by connect().

    Any number of calls may be under way; the door takes 32 of a client at a time and answers BUSY beyond that. A
    connection that was lost is made anew by the next call.
    """

    def __init__(self, name: str, types: Types, timeout: Optional[float]):
        self.name = name
        self._timeout = timeout
        self._session = Session(types)
        self._writer: Optional[asyncio.StreamWriter] = None
        self._reading: Optional["asyncio.Task[None]"] = None
        self._waiting: Dict[int, "asyncio.Future[_wire.RawReply]"] = {}
        self._numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))
        self._opening = asyncio.Lock()

    async def call(self, service: str, method: str, fields: Fields = None, *, payload: bytes = b"",
                   timeout: Optional[float] = None) -> Reply:
        """Calls a method and waits for its answer; arguments and errors are those of plexus.Client.call. Cancelling it
        forgets the answer; the service goes on."""
        timeout = self._timeout if timeout is None else timeout
        steps = self._session.call(service, method, fields, payload, timeout)
        ask = next(steps)
        while True:
            raw = await self._ask(ask, timeout)
            try:
                ask = steps.send(raw)
            except StopIteration as done:
                return done.value

    async def stream(self, service: str, method: str, fields: Fields = None, *, payload: bytes = b"",
                     timeout: Optional[float] = None, credit: int = CREDIT) -> Stream:
        """Calls a method that answers with a stream, and returns its items, as they come: an asynchronous iterator of Reply
        that is to be closed (or used with `async with`). Arguments and errors are those of plexus.Client.stream."""
        steps = self._session.stream(service, method, fields, payload, timeout)
        try:
            ask = next(steps)
            while True:
                ask = steps.send(await self._ask(ask, self._timeout))
        except StopIteration as done:
            made, known = done.value
        try:
            return await Stream.open(self.name, made, known, credit)
        except ConnectError as error:
            raise ConnectError(error.text, error.remedy, made.service, made.method) from error

    def subscribe(self, service: str, method: str, fields: Fields = None, *,
                  credit: int = CREDIT) -> AsyncIterator[Reply]:
        """Subscribes to a topic and yields its events for ever; arguments and errors are those of
        plexus.Client.subscribe."""
        return subscribe_later(lambda: self.stream(service, method, fields, credit=credit))

    async def system(self) -> Reply:
        """The system as a whole (inspect.SystemIs). Errors: as call."""
        return await self.call("inspect", "System")

    async def services(self) -> List[Any]:
        """Every mailbox (inspect.ServiceIs). Errors: as call."""
        return list((await self.call("inspect", "Services")).services)

    async def edges(self) -> Reply:
        """Who said how much to whom (inspect.EdgeList). Errors: as call."""
        return await self.call("inspect", "Edges")

    async def trace(self, service: str = "", *, follow: bool = True, position: int = 0,
                    interval: float = 0.1) -> AsyncIterator[Any]:
        """Messages that were sent (inspect.TraceIs), oldest first; arguments are those of plexus.Client.trace."""
        end = None if follow else (await self.system()).trace_position
        while end is None or position < end:
            told = await self.call("inspect", "Trace", {"position": position, "service": service})
            for record in told.records:
                yield record
            if follow and told.position == position:
                await asyncio.sleep(interval)
            position = told.position

    async def close(self) -> None:
        """Ends the connection; calls under way fail with ConnectError. Twice is fine."""
        if self._reading is not None:
            self._reading.cancel()
            try:
                await self._reading
            except asyncio.CancelledError:
                pass
        self._drop(ConnectionError("it was closed here"))

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _drop(self, why: Exception) -> None:
        if self._writer is not None:
            self._writer.close()
            self._session.forget()
        self._writer = self._reading = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(why)

    async def _open(self) -> None:
        tried, why = _wire.places(self.name), None
        for path in tried:
            writer = None
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_unix_connection(path), GRACE_S)
                writer.write(_wire.GREETING)
                back = await asyncio.wait_for(reader.readexactly(len(_wire.GREETING_BACK)), GRACE_S)
                if back != _wire.GREETING_BACK:
                    raise ConnectionError("what answers is not a door")
                self._writer = writer
                self._reading = asyncio.get_running_loop().create_task(self._read(reader))
                return
            except FileNotFoundError:
                pass
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                why = error
                if writer is not None:
                    writer.close()
        raise not_there(self.name, tried, why)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        why: Exception = ConnectionError("it was closed")
        try:
            while True:
                length = _wire.reply_len(await reader.readexactly(_wire.MESSAGE_HEAD.size))
                message = await reader.readexactly(length)
                future = self._waiting.pop(_wire.reply_number(message), None)
                if future is not None and not future.done():
                    future.set_result(_wire.reply(message))
        except (OSError, EOFError, _wire.Broken) as error:
            why = ConnectionError(str(error))
        self._drop(why)

    async def _round(self, ask: Ask, timeout: Optional[float]) -> _wire.RawReply:
        async with self._opening:
            if self._writer is None:
                await self._open()
        number = next(self._numbers) & 0x7fffffff
        future: "asyncio.Future[_wire.RawReply]" = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        assert self._writer is not None
        try:
            self._writer.write(_wire.request(number, ask.service, ask.method, ask.body, ask.payload, ask.deadline_ms))
            await self._writer.drain()
            return await asyncio.wait_for(future, (timeout or DEADLINE_S) + GRACE_S)
        finally:
            self._waiting.pop(number, None)

    async def _ask(self, ask: Ask, timeout: Optional[float]) -> _wire.RawReply:
        was_open = self._writer is not None
        for again in (was_open and ask.may_repeat, False):
            try:
                return await self._round(ask, timeout)
            except ConnectError as error:
                raise ConnectError(error.text, error.remedy, ask.service, ask.method) from error
            except (OSError, asyncio.TimeoutError) as error:
                if isinstance(error, OSError) and self._reading is not None:
                    self._reading.cancel()
                    self._drop(ConnectionError(str(error)))
                if not again:
                    raise lost(ask.service, ask.method, error) from error
        raise AssertionError("not reached")


async def connect(name: str = "plexus", *, types: Union[Types, List[str], None] = None,
                  timeout: Optional[float] = None) -> Client:
    """Connects to a running system; arguments and errors are those of plexus.connect."""
    client = Client(name, types if isinstance(types, Types) else Types(types), timeout)
    await client._open()
    return client
