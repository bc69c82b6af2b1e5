"""Attached, for asyncio: stream calls, services and HTTP handlers, each with a connection of its own."""
from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List, Optional, Set, Union

from . import _pair, _wire
from ._errors import CallError, ConnectError, Status, call_error, lost, not_there
from ._exchange import Codec, Exchange, Exchanges
from ._messages import Reply, Types
from ._session import Ask, understand
from ._topics import Granter, pauses
from .http import Answer, Gone, RequestHead, Response, Server, as_response, begin, check_length
from .service import IN_USE_S, Service

log = logging.getLogger("plexus")


class Link(asyncio.Protocol):
    """A connection that is attached. `taker` gets its messages; `ended` is done when it has."""

    def __init__(self, taker: Callable[[_pair.Message], None]):
        self.taker = taker
        self.ended: "asyncio.Future[Exception]" = asyncio.get_running_loop().create_future()
        self._greeting = b""
        self._greeted: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        self._decoder = _pair.Decoder()
        self._transport: Any = None
        self._out: List[bytes] = []
        self._can_write = asyncio.Event()
        self._can_write.set()

    @classmethod
    async def open(cls, name: str, taker: Callable[[_pair.Message], None]) -> "Link":
        """Connects. Raises ConnectError."""
        tried, why = _wire.places(name), None
        for path in tried:
            link = None
            try:
                _, link = await asyncio.wait_for(asyncio.get_running_loop().create_unix_connection(
                    lambda: cls(taker), path), _pair.GRACE_S)
                await asyncio.wait_for(link._greeted, _pair.GRACE_S)
                return link
            except FileNotFoundError:
                pass
            except (OSError, asyncio.TimeoutError) as error:
                why = error
                if link is not None:
                    link.close()
        raise not_there(name, tried, why)

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: Any) -> None:
        """See asyncio."""
        self._transport = transport
        transport.write(_pair.GREETING)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if not self._greeted.done():
            self._greeting += data
            if len(self._greeting) < len(_pair.GREETING):
                return
            data = self._greeting[len(_pair.GREETING):]
            if not self._greeting.startswith(_pair.GREETING):
                self._fail(ConnectionError("what answers is not a door"))
                return
            self._greeted.set_result(None)
        try:
            for message in self._decoder.feed(data):
                self.taker(message)
        except _wire.Broken as error:
            self._fail(error)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """See asyncio."""
        self._fail(exc or ConnectionError("it was closed"))

    def pause_writing(self) -> None:
        """See asyncio."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._can_write.set()

    # ---- ours ----

    def _fail(self, error: Exception) -> None:
        for future in (self._greeted, self.ended):
            if not future.done():
                future.set_exception(error) if future is self._greeted else future.set_result(error)
        self._can_write.set()
        self._transport.close()

    def send(self, message: bytes) -> None:
        """Sends a message, with all others of this round of the loop."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(message)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if not self._transport.is_closing():
            self._transport.write(b"".join(out))

    async def drain(self) -> None:
        """Waits until not too much waits to be sent."""
        await self._can_write.wait()

    def close(self) -> None:
        """Ends it. Twice is fine."""
        if self._transport is not None:
            if self._out:
                self._flush()
            self._transport.close()


# ---- stream calls ----

class Stream:
    """The items of a stream call, as they come. Made by aio.Client.stream(). An asynchronous context manager and iterator of
    Reply."""

    def __init__(self, ask: Ask, method: Any, credit: int):
        self._ask, self._method, self._granter = ask, method, Granter(credit)
        self._ready: "asyncio.Queue[Union[_pair.Message, Exception]]" = asyncio.Queue()
        self._link: Optional[Link] = None

    @classmethod
    async def open(cls, name: str, ask: Ask, method: Any, credit: int) -> "Stream":
        """Makes the call. Raises ConnectError."""
        stream = cls(ask, method, credit)
        link = await Link.open(name, stream._ready.put_nowait)
        stream._link = link
        link.ended.add_done_callback(lambda f: stream._ready.put_nowait(f.result()))
        link.send(_pair.pack(_pair.STREAM, 1, number=ask.deadline_ms, service=ask.service.encode()[:255],
                             method=ask.method.encode()[:255], body=ask.body, payload=ask.payload))
        link.send(_pair.pack(_pair.MORE, 1, number=credit))
        return stream

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Reply:
        """The next item; waits for it. Raises CallError, TypesError, ConnectError; StopAsyncIteration at a good end."""
        if self._link is None:
            raise StopAsyncIteration
        message = await self._ready.get()
        if isinstance(message, Exception):
            await self.close()
            raise lost(self._ask.service, self._ask.method, message) from message
        if message.kind == _pair.ITEM:
            more = self._granter.take()
            if more:
                self._link.send(_pair.pack(_pair.MORE, 1, number=more))
            return understand(self._ask.service, self._method, 0, "", message.body, message.payload)
        await self.close()
        if message.status != Status.OK:
            raise call_error(self._ask.service, self._method.name, message.status,
                             message.text.decode("utf-8", "replace"))
        raise StopAsyncIteration

    async def close(self) -> None:
        """Ends it: the service hears that nobody waits any more. Twice is fine."""
        if self._link is not None:
            self._link.close()
            self._link = None

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


# ---- serving ----

class _Taker:
    """What takes the messages of one connection. Its tasks are cancelled when that ends."""

    def __init__(self) -> None:
        self.link: Link
        self.tasks: Set["asyncio.Task[None]"] = set()

    def take(self, message: _pair.Message) -> None:
        """Deals with one message."""
        raise NotImplementedError

    def start(self, work: Any) -> "asyncio.Task[None]":
        """Runs a coroutine until it ends, or the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def end(self) -> None:
        """The connection has ended."""
        for task in list(self.tasks):
            task.cancel()


async def _serve(offer: Any, types: Types, door: str, make: Callable[[], _Taker]) -> None:
    """Serves until it is cancelled: connection after connection."""
    first, attempts, until = True, pauses(), time.monotonic() + IN_USE_S
    while True:
        try:
            await _serve_once(offer, types, door, make)
            first, attempts, until = False, pauses(), time.monotonic() + IN_USE_S
        except ConnectError:
            if first:
                raise
        except CallError as error:
            if error.status != Status.IN_USE or time.monotonic() > until:
                raise
        await asyncio.sleep(next(attempts))


async def _serve_once(offer: Any, types: Types, door: str, make: Callable[[], _Taker]) -> None:
    """One connection, to its end."""
    answer: "asyncio.Future[_pair.Message]" = asyncio.get_running_loop().create_future()
    taker = make()

    def take(message: _pair.Message) -> None:
        if answer.done():
            taker.take(message)
        else:
            answer.set_result(message)

    link = await Link.open(door, take)
    taker.link = link
    try:
        link.send(offer.message(types))
        await asyncio.wait((answer, link.ended), timeout=_pair.GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ConnectError("the door '%s' does not answer" % door, "see whether its process runs")
        offer.check(answer.result())
        await link.ended
    finally:
        taker.end()
        link.close()


# ---- a service ----

class _Calls(_Taker):
    """A service while its connection lasts."""

    def __init__(self, service: Service):
        super().__init__()
        self._service = service
        self._under_way: Dict[int, "asyncio.Task[None]"] = {}
        self._credit: Dict[int, "asyncio.Semaphore"] = {}

    def take(self, message: _pair.Message) -> None:
        if message.kind in (_pair.CALL, _pair.STREAM):
            if message.kind == _pair.STREAM:
                self._credit[message.id] = asyncio.Semaphore(0)
            self._under_way[message.id] = self.start(self._answer(message))
        elif message.kind == _pair.MORE and message.id in self._credit:
            for _ in range(min(message.number, 65536)):
                self._credit[message.id].release()
        elif message.kind == _pair.ENDED and message.id in self._under_way:
            self._under_way[message.id].cancel()

    async def _answer(self, message: _pair.Message) -> None:
        try:
            self.link.send(await self._answered(message))
        except Exception as error:
            self.link.send(self._service.refusal(message, error))
        finally:
            self._under_way.pop(message.id, None)
            self._credit.pop(message.id, None)

    async def _answered(self, message: _pair.Message) -> bytes:
        method, function, request = self._service.find(message)
        value = function(request)
        if inspect.isawaitable(value):
            value = await value
        if message.kind == _pair.CALL:
            body, payload = self._service.answer(method, value)
            return _pair.pack(_pair.REPLY, message.id, body=body, payload=payload)
        items = _items(value)
        try:
            while True:
                await self._credit[message.id].acquire()
                try:
                    item = await items.__anext__()
                except StopAsyncIteration:
                    return _pair.pack(_pair.REPLY, message.id)
                body, payload = self._service.answer(method, item)
                self.link.send(_pair.pack(_pair.ITEM, message.id, body=body, payload=payload))
                await self.link.drain()
        finally:
            if hasattr(items, "aclose"):
                await items.aclose()


def _items(value: Any) -> Any:
    """An asynchronous iterator of whatever is iterated over."""
    if hasattr(value, "__aiter__"):
        return value.__aiter__()

    async def later() -> AsyncIterator[Any]:
        for item in value:
            yield item
    return later()


async def serve(service: Service, door: str = "plexus") -> None:
    """Is a service behind `door` until it is cancelled. Its methods may be coroutines, and those that answer with a stream
    asynchronous generators; they run side by side, and are cancelled when their asker gives up. Connections and errors are
    as in Service.serve()."""
    await _serve(service.offer(), service.types, door, lambda: _Calls(service))


# ---- an HTTP handler ----

class Request(RequestHead):
    """A request, for a handler of asyncio. Its body is read with `await read()`, or chunk by chunk with `async for`; nothing
    of it comes before that."""

    def __init__(self, exchange: Exchange, wait: Callable[[Callable[[], bool]], Awaitable[None]]):
        super().__init__(exchange)
        self._wait = wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks of the body, as they come, at most 65536 bytes ahead. Raises plexus.http.Gone."""
        exchange = self._exchange
        exchange.want()
        while True:
            await self._wait(lambda: bool(exchange.chunks) or exchange.complete)
            while exchange.chunks:
                yield exchange.take()
            if exchange.complete:
                return

    async def read(self, length_max: int = 16 << 20) -> bytes:
        """The whole body. Raises ValueError if it is longer than `length_max` bytes; plexus.http.Gone."""
        chunks, total = [], 0
        async for chunk in self:
            chunks.append(chunk)
            total += len(chunk)
            if total > length_max:
                break
        return check_length(self, b"".join(chunks), length_max)


class _Requests(_Taker):
    """An HTTP handler while its connection lasts."""

    def __init__(self, name: str, handler: Callable[[Request], Any], codec: Codec):
        super().__init__()
        self._name, self._handler = name, handler
        self._exchanges = Exchanges(codec, lambda message: self.link.send(message))

    def take(self, message: _pair.Message) -> None:
        exchange = self._exchanges.take(message)
        if exchange is not None:
            task = self.start(self._handle(exchange))
            exchange.on_end = lambda: None if exchange.finished else task.cancel()
            asyncio.get_running_loop().call_soon(exchange.announce)  # behind the first step of the handler

    def end(self) -> None:
        self._exchanges.end_all()
        super().end()

    @staticmethod
    async def _wait(exchange: Exchange, cond: Callable[[], bool]) -> None:
        """Until something is true of the exchange."""
        while not cond():
            if exchange.ended is not None:
                raise Gone()
            changed = asyncio.get_running_loop().create_future()
            exchange.changed = lambda: None if changed.done() else changed.set_result(None)
            await changed

    async def _handle(self, exchange: Exchange) -> None:
        try:
            value = self._handler(Request(exchange, lambda cond: self._wait(exchange, cond)))
            if inspect.isawaitable(value):
                value = await value
            await self._respond(exchange, as_response(value))
        except Gone:  # whoever asked has
            pass
        except Exception as error:
            log.error("%s: %s %s: %r", self._name, exchange.head.method, exchange.head.path, error, exc_info=error)
            if exchange.responded:
                exchange.give_up()
            else:
                begin(exchange, Response("500 Internal Server Error\n", 500))

    async def _respond(self, exchange: Exchange, response: Response) -> None:
        rest = begin(exchange, response)
        if exchange.finished:
            return
        if isinstance(response.body, (bytes, bytearray, memoryview)):
            await self._send(exchange, rest, True)
            return
        items = _items(response.body)
        try:
            async for chunk in items:
                if chunk:
                    await self._send(exchange, chunk, False)
            await self._send(exchange, b"", True)
        finally:
            if hasattr(items, "aclose"):
                await items.aclose()

    async def _send(self, exchange: Exchange, chunk: bytes, fin: bool) -> None:
        while True:
            if exchange.ended is not None:
                raise Gone()
            await self._wait(exchange, lambda: exchange.room() > 0)
            now, chunk = chunk[:exchange.room()], chunk[exchange.room():]
            exchange.data(now, fin and not chunk)
            await self.link.drain()
            if not chunk:
                return


async def serve_http(name: str, handler: Callable[[Request], Union[Answer, Awaitable[Answer]]], *, door: str = "plexus",
                     types: Union[Types, List[str], None] = None) -> None:
    """Answers the requests of all routes that say `service: NAME`, side by side, until it is cancelled. `handler` is a
    coroutine (or a function) that gets a Request, and is cancelled when its request ends before it has answered; a
    response's body may be an asynchronous iterable. Everything else is as in plexus.http.serve()."""
    server = Server(name, lambda request: b"", types)
    await _serve(server.offer(), server.types, door, lambda: _Requests(name, handler, server._codec))
