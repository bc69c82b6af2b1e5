"""A request and its response in the words of http.proto, without I/O: what blocking and asyncio handlers share."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Union

from . import _pair
from ._errors import Status
from ._messages import ONEWAY, Types, contract_hash

WINDOW = 65536     # bytes of a request body that may be on their way; what the other end takes at most
FREE = 16384       # bytes of a response that need no credit
CHARGE_MIN = 512   # what a message costs at least
RESPONDER, REQUESTER = "http.Responder", "http.Requester"
RESPONDER_NUMBER = 3
RESERVED = frozenset(("connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer",
                      "transfer-encoding", "upgrade"))
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")

HeaderFields = Union[Mapping[str, str], Iterable[Tuple[str, str]]]


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7f | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def pack_fields(fields: HeaderFields) -> bytes:
    """A serialized HeaderList. Raises ValueError: a name is none, or belongs to the connection; a value does not fit on
    its line."""
    made: List[bytes] = []
    for name, value in fields.items() if isinstance(fields, Mapping) else fields:
        name = name.lower()
        if not name or not TOKEN.issuperset(name):
            raise ValueError("'%s' is not the name of a header field" % name)
        if name in RESERVED:
            raise ValueError("the header field '%s' is written by the engine" % name)
        raw = value.encode("latin-1") if isinstance(value, str) else bytes(value)
        if any((c < 0x20 and c != 9) or c == 0x7f for c in raw):
            raise ValueError("the value of '%s' has control characters" % name)
        part = b"\x0a" + _varint(len(name)) + name.encode()
        if raw:
            part += b"\x12" + _varint(len(raw)) + raw
        made.append(b"\x0a" + _varint(len(part)) + part)
    return b"".join(made)


class Headers(Mapping[str, str]):
    """Header fields of a request: a mapping whose names are lower case and looked up in any case; of several fields of
    one name the values are joined with ", ". `items_all` has each by itself, in order."""

    def __init__(self, items_all: List[Tuple[str, str]]):
        self.items_all = items_all
        self._joined: Dict[str, str] = {}
        for name, value in items_all:
            self._joined[name] = self._joined[name] + ", " + value if name in self._joined else value

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)


class Codec:
    """The messages of the contract, from and to bytes."""

    def __init__(self, types: Types):
        self.request = types.message("http.Request")
        self.body = types.message("http.BodyBytes")
        self.credit = types.message("http.ExchangeCredit")
        self.ended = types.message("http.EndedExchange")
        self.trailers = types.message("http.TrailerFields")
        self.fields = types.message("http.HeaderList")
        self.respond = types.message("http.Response")
        self.cancel = types.message("http.CancelExchange")
        found = types.service(RESPONDER)
        self.hash = contract_hash(found, RESPONDER_NUMBER, [ONEWAY] * len(found.methods))

    def headers(self, serialized: bytes) -> Headers:
        """What a HeaderList has."""
        return Headers([(f.name.decode("latin-1"), f.value.decode("latin-1"))
                        for f in self.fields.FromString(serialized).fields])


class Exchange:
    """One exchange, from the responder's side."""

    __slots__ = ("codec", "send", "peer", "handle", "requester", "head", "credit", "chunks", "complete", "granted", "owed",
                 "ended", "responded", "finished", "changed", "on_end", "trailers")

    def __init__(self, codec: Codec, send: Callable[[bytes], None], peer: bytes, handle: int, head: Any):
        self.codec, self.send, self.peer, self.handle, self.head = codec, send, peer, handle, head
        self.requester: int = head.requester
        self.credit: int = head.credit
        self.chunks: List[bytes] = []
        self.complete: bool = head.fin        # the request's body has come
        self.granted, self.owed = False, 0
        self.ended: Optional[int] = None      # a status
        self.responded = self.finished = False
        self.trailers: Optional[Headers] = None
        self.changed: Optional[Callable[[], None]] = None
        self.on_end: Optional[Callable[[], None]] = None

    def _say(self, method: bytes, body: Any, payload: bytes = b"") -> None:
        if self.ended is None:
            self.send(_pair.pack(_pair.ONEWAY, self.requester, service=self.peer, method=b"http.Requester." + method,
                                 body=body.SerializeToString(), payload=payload))

    # ---- the request's body ----

    def want(self) -> None:
        """The body is wanted: let it come."""
        if not self.granted and not self.complete:
            self.granted = True
            self._say(b"Credit", self.codec.credit(responder=self.handle, bytes=WINDOW))

    def announce(self) -> None:
        """Tells our handle, unless it was told: the end can only be told to one that is known."""
        if not self.granted and not self.responded:
            self._say(b"Credit", self.codec.credit(responder=self.handle, bytes=0))

    def take(self) -> bytes:
        """The next chunk that has come; what it cost is given back in halves of the window."""
        chunk = self.chunks.pop(0)
        self.owed += max(len(chunk), CHARGE_MIN)
        if self.owed * 2 >= WINDOW and not self.complete:
            self._say(b"Credit", self.codec.credit(responder=self.handle, bytes=self.owed))
            self.owed = 0
        return chunk

    # ---- the response ----

    def respond(self, status: int, fields: bytes, length: Optional[int], first: bytes, fin: bool) -> None:
        """The head, with up to FREE bytes of the body."""
        self.responded, self.finished = True, fin
        self._say(b"Respond", self.codec.respond(responder=self.handle, status=status, fields=fields, fin=fin,
                                                 has_length=length is not None, length=length or 0), first)

    def room(self) -> int:
        """Bytes of body that may be sent now."""
        return self.credit if self.credit >= CHARGE_MIN else 0

    def data(self, chunk: bytes, fin: bool) -> None:
        """Bytes of the body, no more than there is room for."""
        self.credit -= max(len(chunk), CHARGE_MIN)
        self.finished = fin
        self._say(b"Data", self.codec.body(fin=fin), chunk)

    def give_up(self) -> None:
        """It will not be answered, or not to its end."""
        if not self.finished:
            self.finished = self.responded = True
            self._say(b"Cancel", self.codec.cancel(responder=self.handle, reason=Status.INTERNAL))


class Exchanges:
    """All exchanges of one connection."""

    def __init__(self, codec: Codec, send: Callable[[bytes], None]):
        self._codec, self._send = codec, send
        self._open: Dict[int, Exchange] = {}
        self._last = 0

    def take(self, message: _pair.Message) -> Optional[Exchange]:
        """Deals with a message; the exchange that it began."""
        if message.kind == _pair.LOST:
            self._end(message.id, Status.NO_MEMORY)
            return None
        if message.kind != _pair.ONEWAY:
            return None
        name = message.method
        if name == b"http.Responder.Exchange":
            self._last += 1
            made = Exchange(self._codec, self._send, message.service, self._last,
                            self._codec.request.FromString(message.body))
            self._open[self._last] = made
            return made
        exchange = self._open.get(message.id)
        if exchange is None:
            return None
        self._about(exchange, name, message)
        if exchange.changed is not None:
            exchange.changed()
        return None

    def _about(self, exchange: Exchange, name: bytes, message: _pair.Message) -> None:
        if name == b"http.Responder.Data":
            exchange.complete = self._codec.body.FromString(message.body).fin
            if message.payload:
                exchange.chunks.append(message.payload)
        elif name == b"http.Responder.Trailers":
            exchange.complete = True
            exchange.trailers = self._codec.headers(self._codec.trailers.FromString(message.body).fields)
        elif name == b"http.Responder.Credit":
            exchange.credit += self._codec.credit.FromString(message.body).bytes
        elif name == b"http.Responder.Cancel":
            exchange.give_up()
        elif name == b"http.Responder.Ended":
            self._end(message.id, self._codec.ended.FromString(message.body).status)

    def _end(self, handle: int, status: int) -> None:
        exchange = self._open.pop(handle, None)
        if exchange is not None:
            exchange.ended = status
            if exchange.changed is not None:
                exchange.changed()
            if exchange.on_end is not None:
                exchange.on_end()

    def end_all(self) -> None:
        """The connection has ended."""
        for handle in list(self._open):
            self._end(handle, Status.SERVICE_GONE)
