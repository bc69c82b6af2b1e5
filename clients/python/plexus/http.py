"""An HTTP handler: requests of a route of `plexus serve` that says `service: NAME` come to a function here.

    def hello(request):
        return "Hello, %s!" % request.path

    plexus.http.serve("hello", hello, door="web")

One request runs at a time; `await plexus.aio.serve_http(...)` runs coroutines side by side. What the function returns is
a str, bytes, or a Response, whose body may be an iterable of bytes: it is sent as fast as the client takes it. A function
that raises is answered for with 500, and the error is logged (logger "plexus").
"""
from __future__ import annotations

import logging
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple, Union
from urllib.parse import parse_qsl, unquote

from . import _pair, _wire
from ._exchange import FREE, RESPONDER, Codec, Exchange, Exchanges, HeaderFields, Headers, pack_fields
from ._messages import Types
from .service import Offer, run_blocking

__all__ = ["Gone", "Headers", "Request", "Response", "Server", "serve"]
log = logging.getLogger("plexus")
BODY_STATUS = (204, 304)  # which have none


class Gone(Exception):
    """Raised in a handler that reads or writes: its request has ended (the client went, or a rule of the route answered).
    A handler lets it pass."""


class RequestHead:
    """What a request says: method, scheme, authority, target (as sent: "/a?b"), path (unescaped), query (as sent), version
    (10, 11 or 20), length (bytes of its body; None: unknown), remote (raw address of the client), listener (which address
    of the server), headers."""

    def __init__(self, exchange: Exchange):
        self._exchange = exchange
        head = exchange.head
        self.method: str = head.method.decode("latin-1")
        self.scheme: str = head.scheme.decode("latin-1")
        self.authority: str = head.authority.decode("latin-1")
        self.target: str = head.path.decode("latin-1")
        self.version: int = head.version
        self.length: Optional[int] = head.length if head.has_length else 0 if head.fin else None
        self.remote: bytes = head.remote
        self.listener: int = head.listener
        self._headers: Optional[Headers] = None

    @property
    def headers(self) -> Headers:
        """Its header fields."""
        if self._headers is None:
            self._headers = self._exchange.codec.headers(self._exchange.head.fields)
        return self._headers

    @property
    def trailers(self) -> Optional[Headers]:
        """Its trailers, once the body has been read; None: there were none."""
        return self._exchange.trailers

    @property
    def path(self) -> str:
        """The path of the target, unescaped."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> List[Tuple[str, str]]:
        """The query of the target: names and values, unescaped, in order."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


class Request(RequestHead):
    """A request, for a blocking handler. Its body is read with read(), or chunk by chunk by iterating over the request;
    nothing of it comes before that."""

    def __init__(self, exchange: Exchange, wait: Callable[[Callable[[], bool]], None]):
        super().__init__(exchange)
        self._wait = wait

    def __iter__(self) -> Iterator[bytes]:
        """Chunks of the body, as they come, at most 65536 bytes ahead. Raises Gone."""
        exchange = self._exchange
        exchange.want()
        while True:
            self._wait(lambda: bool(exchange.chunks) or exchange.complete)
            while exchange.chunks:
                yield exchange.take()
            if exchange.complete:
                return

    def read(self, length_max: int = 16 << 20) -> bytes:
        """The whole body. Raises ValueError if it is longer than `length_max` bytes; Gone."""
        return check_length(self, b"".join(cut(self, length_max)), length_max)


def cut(chunks: Iterable[bytes], length_max: int) -> Iterator[bytes]:
    """Chunks, up to one more than length_max allows."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        yield chunk
        if total > length_max:
            return


def check_length(request: RequestHead, body: bytes, length_max: int) -> bytes:
    """The body, if it is not too long."""
    if len(body) > length_max:
        raise ValueError("the body of %s is longer than %d bytes" % (request.target, length_max))
    return body


class Response:
    """What a handler answers.

    body: bytes, str (UTF-8), or an iterable of bytes (for plexus.aio an asynchronous one too), which is streamed.
    status: 200..599.
    headers: a mapping, or pairs; names in any case. Not those that the engine writes (Content-Length, Date, Connection ...).
    length: bytes of an iterable body, if known: it has a Content-Length then, and must have exactly that many.

    Raises ValueError: status or a header field cannot be sent.
    """

    __slots__ = ("body", "status", "fields", "length")

    def __init__(self, body: Any = b"", status: int = 200, headers: HeaderFields = (), length: Optional[int] = None):
        if not 200 <= status <= 599:
            raise ValueError("a status is 200 to 599; got %r" % (status,))
        self.fields = pack_fields(headers)
        if isinstance(body, str):
            body = body.encode()
            names = [n.lower() for n in (headers.keys() if hasattr(headers, "keys") else (h[0] for h in headers))]
            if "content-type" not in names:
                self.fields += TEXT
        self.body, self.status, self.length = body, status, length


TEXT = pack_fields({"content-type": "text/plain; charset=utf-8"})
Answer = Union[Response, bytes, str]


def as_response(value: Any) -> Response:
    """What a handler returned."""
    return value if isinstance(value, Response) else Response(value)


def begin(exchange: Exchange, response: Response) -> bytes:
    """Sends the head, with what it may carry of a body that is there; the bytes that are left. Sets `finished` if that was
    all."""
    is_whole = isinstance(response.body, (bytes, bytearray, memoryview))
    body = bytes(response.body) if is_whole else b""
    length = len(body) if is_whole else response.length
    if exchange.head.method == b"HEAD" or response.status in BODY_STATUS:
        exchange.respond(response.status, response.fields, None if response.status in BODY_STATUS else length, b"", True)
        return b""
    exchange.respond(response.status, response.fields, length, body[:FREE], is_whole and len(body) <= FREE)
    return body[FREE:]


class Server:
    """A handler behind a door. See serve()."""

    def __init__(self, name: str, handler: Callable[[Request], Answer], types: Union[Types, List[str], None] = None):
        self.name, self.handler = name, handler
        self.types = types if isinstance(types, Types) else Types(types)
        self._codec = Codec(self.types)
        self._stopping = self._provided = False
        self._connection: Optional[_pair.Connection] = None

    def offer(self) -> Offer:
        """What is said to the door."""
        return Offer(self.name, b"", RESPONDER, self._codec.hash)

    def serve(self, door: str = "plexus") -> None:
        """Answers requests until stop() is called. A connection that was lost is made anew, however long that takes;
        requests are answered 503 meanwhile.

        door: its name (plexus serve --name NAME), or the path of its folder.
        Raises ConnectError: no such door, at the start; CallError: it does not let us be that service (DENIED, IN_USE,
        LIMIT, UNSUPPORTED ...).
        """
        self._stopping = False
        run_blocking(self, lambda: _Round(self), door)

    def stop(self) -> None:
        """Ends serve(), from a handler or from any thread. Requests under way are answered 503, or end."""
        self._stopping = True
        connection = self._connection
        if connection is not None:
            connection.hang_up()


class _Round:
    """A blocking handler while its connection lasts."""

    def __init__(self, server: Server):
        self._server = server
        self._exchanges: Optional[Exchanges] = None
        self._begun: List[Exchange] = []
        self._connection: Optional[_pair.Connection] = None

    def take(self, connection: _pair.Connection, message: _pair.Message) -> None:
        """Deals with one message."""
        if self._exchanges is None:
            self._connection = connection
            self._exchanges = Exchanges(self._server._codec, connection.send)
        exchange = self._exchanges.take(message)
        if exchange is not None:
            self._begun.append(exchange)

    def work(self, connection: _pair.Connection) -> bool:
        """Answers what has begun, in order."""
        begun, self._begun = self._begun, []
        for exchange in begun:
            if exchange.ended is None:
                self._handle(exchange)
        return bool(self._begun)

    def close(self) -> None:
        """The connection has ended."""
        if self._exchanges is not None:
            self._exchanges.end_all()

    def _wait(self, exchange: Exchange, cond: Callable[[], bool]) -> None:
        """Takes messages until something is true of the exchange."""
        assert self._connection is not None
        while not cond():
            if exchange.ended is not None:
                raise Gone()
            for message in self._connection.receive():
                self.take(self._connection, message)

    def _handle(self, exchange: Exchange) -> None:
        request = Request(exchange, lambda cond: self._wait(exchange, cond))
        try:
            self._respond(exchange, as_response(self._server.handler(request)))
        except Gone:  # whoever asked has
            pass
        except (OSError, _wire.Broken) as error:
            if exchange.ended is None and self._connection_is_lost(error):
                raise
            self._fail(exchange, error)
        except Exception as error:
            self._fail(exchange, error)

    def _connection_is_lost(self, error: BaseException) -> bool:
        """Was it ours? An OSError may be the handler's own."""
        assert self._connection is not None
        return isinstance(error, _wire.Broken) or self._connection.is_lost

    def _fail(self, exchange: Exchange, error: BaseException) -> None:
        log.error("%s: %s %s: %r", self._server.name, exchange.head.method, exchange.head.path, error, exc_info=error)
        if exchange.responded:
            exchange.give_up()
        else:
            begin(exchange, Response("500 Internal Server Error\n", 500))

    def _respond(self, exchange: Exchange, response: Response) -> None:
        rest = begin(exchange, response)
        if exchange.finished:
            return
        if isinstance(response.body, (bytes, bytearray, memoryview)):
            self._send(exchange, rest, True)
            return
        try:
            for chunk in response.body:
                if chunk:
                    self._send(exchange, chunk, False)
            self._send(exchange, b"", True)
        finally:
            if hasattr(response.body, "close"):
                response.body.close()

    def _send(self, exchange: Exchange, chunk: bytes, fin: bool) -> None:
        while True:
            if exchange.ended is not None:
                raise Gone()
            self._wait(exchange, lambda: exchange.room() > 0)
            now, chunk = chunk[:exchange.room()], chunk[exchange.room():]
            exchange.data(now, fin and not chunk)
            if not chunk:
                return


def serve(name: str, handler: Callable[[Request], Answer], *, door: str = "plexus",
          types: Union[Types, List[str], None] = None) -> None:
    """Answers the requests of all routes of `plexus serve` that say `service: NAME`, one at a time, until the program
    ends. When the server goes, it waits for it to come back.

    name: that NAME, 1 to 31 letters, digits, dots, underscores and hyphens.
    handler: gets a Request; returns a Response, str or bytes.
    door: the server's (plexus serve --name NAME, or `door` in its configuration), or the path of its folder.
    types: as of plexus.connect().

    Raises ConnectError: no such door, at the start; CallError: it does not let us be that service; TypesError: no
    descriptor set.
    """
    Server(name, handler, types).serve(door)
