"""The blocking client."""
from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from typing import Any, Iterator, List, Mapping, Optional, Union

from google.protobuf.message import Message

from . import _wire
from ._errors import ConnectError, lost, not_there
from ._messages import Reply, Types
from ._session import Ask, Session
from ._topics import CREDIT, Stream, subscribe

DEADLINE_S = 30.0  # the door's, for calls that name none
GRACE_S = 5.0      # beyond a deadline: the door itself answers in time

Fields = Union[Mapping[str, Any], Message, None]


class Client:
    """A connection to a running system. Made by connect().

    Its methods may be called from several threads; calls are made one after the other. A connection that was lost is
    made anew by the next call.
    """

    def __init__(self, name: str, types: Types, timeout: Optional[float]):
        self.name = name
        self._timeout = timeout
        self._session = Session(types)
        self._socket: Optional[socket.socket] = None
        self._numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))
        self._lock = threading.Lock()
        self._buffer = b""
        with self._lock:
            self._open()

    # ---- calls ----

    def call(self, service: str, method: str, fields: Fields = None, *, payload: bytes = b"",
             timeout: Optional[float] = None) -> Reply:
        """Calls a method and waits for its answer.

        service: name of a mailbox ("net"; `plexus ps` lists them).
        method: its name ("Stats"), or with its contract ("net.Net.Stats").
        fields: of the request: a mapping (str may stand for bytes), a message, or None.
        payload: bytes beside the request.
        timeout: seconds, above 0 up to 3600; None takes that of connect(), or else 30.

        Raises CallError: the service or the door answered with another status than OK (BUSY, TIMED_OUT, DENIED,
        NOT_FOUND ...); TypesError: the fields do not fit; ConnectError: the connection was lost, and the call is not
        known to be harmless when made twice.
        """
        if timeout is None:
            timeout = self._timeout
        with self._lock:
            steps = self._session.call(service, method, fields, payload, timeout)
            ask = next(steps)
            while True:
                raw = self._ask(ask, timeout)
                try:
                    ask = steps.send(raw)
                except StopIteration as done:
                    return done.value

    def stream(self, service: str, method: str, fields: Fields = None, *, payload: bytes = b"",
               timeout: Optional[float] = None, credit: int = CREDIT) -> Stream:
        """Calls a method that answers with a stream, and returns its items, as they come: an iterator of Reply that is to
        be closed (or used with `with`). It has a connection of its own; the client may go on.

        service, method, fields, payload: as of call().
        timeout: seconds until the first item, above 0 up to 3600; None: none.
        credit: items that may be on their way before they are taken, 1 to 65536.

        Raises as call(), here or at the next item.
        """
        with self._lock:
            steps = self._session.stream(service, method, fields, payload, timeout)
            try:
                ask = next(steps)
                while True:
                    ask = steps.send(self._ask(ask, self._timeout))
            except StopIteration as done:
                made, known = done.value
        try:
            return Stream(self.name, made, known, credit)
        except ConnectError as error:
            raise ConnectError(error.text, error.remedy, made.service, made.method) from error

    def subscribe(self, service: str, method: str, fields: Fields = None, *, credit: int = CREDIT) -> Iterator[Reply]:
        """Subscribes to a topic, which is a method that answers with a stream (`inspect`, `Watch`), and yields its events
        for ever: when the service or the connection ends, it subscribes anew, after 0.05 to 2 s. What was told in
        between is lost, unless `fields` say where to go on. Arguments are those of stream().

        Raises as call(): what another attempt does not mend (NOT_FOUND, DENIED, BAD_REQUEST ...).
        """
        return subscribe(lambda: self.stream(service, method, fields, credit=credit))

    def system(self) -> Reply:
        """The system as a whole: version, pid, uptime_us, deliveries, memory ... (inspect.SystemIs). Errors: as call."""
        return self.call("inspect", "System")

    def services(self) -> List[Any]:
        """Every mailbox: name, alive, contracts, counters, what it holds (inspect.ServiceIs). Errors: as call."""
        return list(self.call("inspect", "Services").services)

    def edges(self) -> Reply:
        """Who said how much to whom, as far as the trace ring reaches back (inspect.EdgeList). Errors: as call."""
        return self.call("inspect", "Edges")

    def trace(self, service: str = "", *, follow: bool = True, position: int = 0,
              interval: float = 0.1) -> Iterator[Any]:
        """Messages that were sent (inspect.TraceIs), oldest first.

        service: only what that mailbox sends or gets.
        follow: go on when the newest was reached, asking every `interval` seconds; otherwise end there.
        position: where to begin; 0 is the oldest there is.
        Errors: as call; NOT_FOUND: no such service.
        """
        end = None if follow else self.system().trace_position
        while end is None or position < end:
            told = self.call("inspect", "Trace", {"position": position, "service": service})
            yield from told.records
            if follow and told.position == position:
                time.sleep(interval)
            position = told.position

    # ---- the connection ----

    def close(self) -> None:
        """Ends the connection. Twice is fine."""
        with self._lock:
            self._drop()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._session.forget()

    def _open(self) -> None:
        tried, why = _wire.places(self.name), None
        for path in tried:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.settimeout(GRACE_S)
            try:
                opened.connect(path)
                opened.sendall(_wire.GREETING)
                self._socket, self._buffer = opened, b""
                if self._exactly(len(_wire.GREETING_BACK)) != _wire.GREETING_BACK:
                    raise ConnectionError("what answers is not a door")
                return
            except FileNotFoundError:
                opened.close()
            except OSError as error:
                self._socket = None
                opened.close()
                why = error
        raise not_there(self.name, tried, why)

    def _exactly(self, length: int) -> bytes:
        assert self._socket is not None
        while len(self._buffer) < length:
            got = self._socket.recv(max(65536, length - len(self._buffer)))
            if not got:
                raise ConnectionError("it was closed")
            self._buffer = self._buffer + got if self._buffer else got
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _round(self, ask: Ask, timeout: Optional[float]) -> _wire.RawReply:
        if self._socket is None:
            self._open()
        assert self._socket is not None
        number = next(self._numbers) & 0x7fffffff
        self._socket.settimeout((timeout or DEADLINE_S) + GRACE_S)
        self._socket.sendall(_wire.request(number, ask.service, ask.method, ask.body, ask.payload, ask.deadline_ms))
        while True:
            message = self._exactly(_wire.reply_len(self._exactly(_wire.MESSAGE_HEAD.size)))
            if _wire.reply_number(message) == number:
                return _wire.reply(message)

    def _ask(self, ask: Ask, timeout: Optional[float]) -> _wire.RawReply:
        for again in (self._socket is not None and ask.may_repeat, False):
            try:
                return self._round(ask, timeout)
            except ConnectError as error:
                raise ConnectError(error.text, error.remedy, ask.service, ask.method) from error
            except (OSError, _wire.Broken) as error:
                self._drop()
                if not again:
                    raise lost(ask.service, ask.method, error) from error
            except BaseException:  # interrupted: the answer would be taken for that of the next call
                self._drop()
                raise
        raise AssertionError("not reached")


def connect(name: str = "plexus", *, types: Union[Types, List[str], None] = None,
            timeout: Optional[float] = None) -> Client:
    """Connects to a running system.

    name: of its door (plexus serve --name NAME), or with a slash in it the path of its folder.
    types: paths of descriptor sets, Plexus's own first; or a Types; None takes the installed one.
    timeout: seconds that calls may take unless they say otherwise.

    Raises ConnectError: no such door, or it lets us not in; TypesError: no descriptor set.
    """
    return Client(name, types if isinstance(types, Types) else Types(types), timeout)
