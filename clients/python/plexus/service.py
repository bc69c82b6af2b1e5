"""A program as a service: others call its methods, through the door or from within the system.

    types = plexus.Types(extra=["greeter.desc"])        # protoc --descriptor_set_out=greeter.desc greeter.proto
    service = plexus.Service("greeter", "greeter.Greeter", types)

    @service.method("Hello")
    def hello(request):                                   # a greeter.HelloRequest
        return {"text": "Hello, " + request.name}

    service.serve("web")                                  # plexus serve --name web

A method that answers with a stream (in its .proto: `returns (stream ...)`) is a generator: each value is an item, and
it is not asked for the next one before the asker can take it. With plexus.aio.serve() methods may be coroutines and
asynchronous generators, and run side by side.
"""
from __future__ import annotations

import logging
import time
from typing import Any, Callable, Dict, Generator, List, NamedTuple, Optional, Tuple, Union

from google.protobuf.message import Message

from . import _pair, _wire
from ._errors import CallError, ConnectError, Status, TypesError, call_error
from ._messages import Method, Types, build_output, describe, methods_of
from ._topics import pauses

__all__ = ["Refuse", "Service"]

IN_USE_S = 5.0  # how long a name may still be somebody's who has just gone
log = logging.getLogger("plexus")


class Refuse(Exception):
    """Raised by a method of a service: its asker gets `status` and `text`, one line of up to 480 bytes, in a CallError.

    status: a Status other than OK.
    """

    def __init__(self, status: Status, text: str = ""):
        if status == Status.OK:
            raise ValueError("a refusal has another status than OK")
        super().__init__("%s: %s" % (Status(status).name, text))
        self.status, self.text = Status(status), text


class Answer(NamedTuple):
    """What a method's value becomes on the wire."""

    body: bytes
    payload: bytes


class Request:
    """What a method is called with: fields of the message are attributes; `message` is the message itself, `payload` the
    bytes beside it, `timeout` the seconds its asker waits (0: unknown)."""

    __slots__ = ("message", "payload", "timeout")

    def __init__(self, message: Message, payload: bytes, timeout: float):
        self.message, self.payload, self.timeout = message, payload, timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.message, name)


class Offer(NamedTuple):
    """What is said to the door to become a service."""

    name: str
    description: bytes
    contract: str
    hash: int

    def message(self, types: Types) -> bytes:
        """The call that says it, with id 1."""
        body = types.message("door.Offer")(name=self.name.encode(), description=self.description,
                                           contract=self.contract.encode(), hash=self.hash).SerializeToString()
        return _pair.pack(_pair.CALL, 1, service=b"door", method=b"door.Door.Provide", body=body)

    def check(self, message: _pair.Message) -> None:
        """Raises what the answer to it says."""
        if message.kind != _pair.REPLY or message.id != 1:
            raise _wire.Broken("another answer than that to Provide")
        if message.status != Status.OK:
            raise call_error("door", "Provide", message.status, message.text.decode("utf-8", "replace"))


class Service:
    """A service that this program is.

    name: 1 to 31 letters, digits, dots, underscores and hyphens; no mailbox of the system has it.
    contract: full name of its contract ("greeter.Greeter"), a `service` in a .proto.
    types: where that is found: Types with its descriptor set, or paths of descriptor sets, Plexus's own first.

    Raises TypesError: there is no such contract.
    """

    def __init__(self, name: str, contract: str, types: Union[Types, List[str]]):
        self.name, self.contract = name, contract
        self.types = types if isinstance(types, Types) else Types(types)
        found = self.types.service(contract)
        if found is None:
            raise TypesError("the descriptor sets do not have contract %s" % contract,
                             "add the one that protoc --descriptor_set_out made of its .proto", name, "")
        self.methods: Dict[str, Method] = methods_of(found)
        self._described = describe(self.types, found)
        self._handlers: Dict[str, Callable[..., Any]] = {}
        self._stopping = self._provided = False
        self._connection: Optional[_pair.Connection] = None

    def method(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: the function answers method `name`. It is called with a Request and returns a dict of fields, a
        message, None for an empty one, or one of these and bytes of payload in a tuple; it raises Refuse. KeyError: the
        contract has no such method."""
        if name not in self.methods:
            raise KeyError("%s has no method '%s'; it has: %s" % (self.contract, name, ", ".join(self.methods)))

        def taken(function: Callable[..., Any]) -> Callable[..., Any]:
            self._handlers[name] = function
            return function
        return taken

    def serve(self, door: str = "plexus") -> None:
        """Is the service behind `door` (a name, or the path of its folder) until stop() is called. One method runs at a
        time, and items of streams between calls. A connection that was lost is made anew, however long that takes.

        Raises ConnectError: no such door, at the start; CallError: it does not let us be that service (DENIED, IN_USE,
        LIMIT ...).
        """
        self._stopping = False
        run_blocking(self, lambda: _Round(self), door)

    def stop(self) -> None:
        """Ends serve(), from a method or from any thread. Calls under way end with SERVICE_GONE."""
        self._stopping = True
        connection = self._connection
        if connection is not None:
            connection.hang_up()

    # ---- what the ways to serve share ----

    def offer(self) -> Offer:
        """What is said to the door."""
        return Offer(self.name, self._described, "", 0)

    def find(self, message: _pair.Message) -> Tuple[Method, Callable[..., Any], Request]:
        """Who answers a call, with what. Raises Refuse."""
        asked = message.method.decode("utf-8", "replace")
        name = asked[len(self.contract) + 1:] if asked.startswith(self.contract + ".") else asked
        known, function = self.methods.get(name), self._handlers.get(name)
        if known is None or function is None:
            raise Refuse(Status.NOT_FOUND, "%s has no method '%s'; it has: %s"
                         % (self.name, asked[:64], ", ".join(sorted(self._handlers))))
        if known.is_stream != (message.kind == _pair.STREAM):
            raise Refuse(Status.UNSUPPORTED, "%s %s" % (name, "answers with a stream" if known.is_stream else
                                                        "is a single call, not a stream"))
        try:
            body = known.input.FromString(message.body)
        except Exception as error:
            raise Refuse(Status.BAD_REQUEST, "the request does not fit its type") from error
        return known, function, Request(body, message.payload, message.number / 1000)

    def answer(self, method: Method, value: Any) -> Answer:
        """What a method returned, or an item, on the wire. Raises TypesError."""
        payload = b""
        if isinstance(value, tuple):
            value, payload = value
        return Answer(build_output(method, self.name, value), payload)

    def refusal(self, message: _pair.Message, error: BaseException) -> bytes:
        """The answer when a method raised something."""
        if not isinstance(error, Refuse):
            log.error("%s.%s: %r", self.name, message.method.decode("utf-8", "replace"), error, exc_info=error)
            error = Refuse(Status.INTERNAL, "the method failed with %s" % type(error).__name__)
        return _pair.pack(_pair.REPLY, message.id, status=int(error.status),
                          text=error.text.encode()[:_pair.TEXT_MAX])


class _Round:
    """A blocking service while its connection lasts."""

    def __init__(self, service: Service):
        self._service = service
        self._streams: Dict[int, "_Items"] = {}

    def take(self, connection: _pair.Connection, message: _pair.Message) -> None:
        """Deals with one message."""
        if message.kind == _pair.CALL:
            self._call(connection, message)
        elif message.kind == _pair.STREAM:
            self._stream(connection, message)
        elif message.kind == _pair.MORE and message.id in self._streams:
            self._streams[message.id].credit += message.number
        elif message.kind == _pair.ENDED and message.id in self._streams:
            self._streams.pop(message.id).items.close()

    def _call(self, connection: _pair.Connection, message: _pair.Message) -> None:
        try:
            method, function, request = self._service.find(message)
            body, payload = self._service.answer(method, function(request))
            connection.send(_pair.pack(_pair.REPLY, message.id, body=body, payload=payload))
        except Exception as error:
            connection.send(self._service.refusal(message, error))

    def _stream(self, connection: _pair.Connection, message: _pair.Message) -> None:
        try:
            method, function, request = self._service.find(message)
            self._streams[message.id] = _Items(message, method, iter(function(request)))
        except Exception as error:
            connection.send(self._service.refusal(message, error))

    def work(self, connection: _pair.Connection) -> bool:
        """Takes an item from each stream whose asker can take it. False: there was none."""
        ready = [s for s in self._streams.values() if s.credit > 0]
        for stream in ready:
            try:
                body, payload = self._service.answer(stream.method, next(stream.items))
                stream.credit -= 1
                connection.send(_pair.pack(_pair.ITEM, stream.message.id, body=body, payload=payload))
                continue
            except StopIteration:
                connection.send(_pair.pack(_pair.REPLY, stream.message.id))
            except Exception as error:
                connection.send(self._service.refusal(stream.message, error))
            del self._streams[stream.message.id]
        return bool(ready)

    def close(self) -> None:
        """The connection has ended."""
        for stream in self._streams.values():
            stream.items.close()


class _Items:
    """A stream call that a blocking service answers."""

    def __init__(self, message: _pair.Message, method: Method, items: Generator[Any, None, None]):
        self.message, self.method, self.items, self.credit = message, method, items, 0


def run_blocking(serving: Any, start: Callable[[], Any], door: str) -> None:
    """Serves until it is stopped. serving: has offer(), types, _stopping, _provided and _connection; start(): makes what
    takes the messages of one connection: take(), work(), close()."""
    first, attempts = True, pauses()
    until = time.monotonic() + IN_USE_S
    while not serving._stopping:
        try:
            with_connection(serving, start, door)
        except (OSError, _wire.Broken, ConnectError) as error:
            if first and isinstance(error, ConnectError):
                raise
        except CallError as error:
            if error.status != Status.IN_USE or time.monotonic() > until:
                raise
        else:
            return
        if serving._provided:
            first, attempts, until = False, pauses(), time.monotonic() + IN_USE_S
        if not serving._stopping:
            time.sleep(next(attempts))


def with_connection(serving: Any, start: Callable[[], Any], door: str) -> None:
    """One connection, to its end. Returns if the owner has stopped."""
    serving._provided = False
    connection = _pair.Connection(door)
    serving._connection = connection
    taker = start()
    try:
        connection.send(serving.offer().message(serving.types))
        messages = connection.receive(_pair.GRACE_S)
        serving.offer().check(messages[0])
        serving._provided = True
        backlog = messages[1:]
        while not serving._stopping:
            for message in backlog:
                taker.take(connection, message)
            backlog = poll(connection, taker.work(connection))
        connection.flush()
    except (OSError, _wire.Broken):
        if not serving._stopping:
            raise
    finally:
        serving._connection = None
        taker.close()
        connection.close()


def poll(connection: _pair.Connection, is_busy: bool) -> List[_pair.Message]:
    """Messages; without waiting if there is something else to do."""
    try:
        return connection.receive(0.0 if is_busy else None)
    except (BlockingIOError, TimeoutError):
        return []

