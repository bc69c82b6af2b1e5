"""The bytes of a client that is attached: what nng calls pair1 over ipc://, and the door's messages in it
(docs/wire.md, "Attaching")."""
from __future__ import annotations

import socket
import struct
from typing import Iterator, List, NamedTuple, Optional

from . import _wire
from ._errors import ConnectError, not_there

GREETING = b"\0SP\0\0\x11\0\0"
CALL, STREAM, REPLY, ITEM, MORE, ENDED, ONEWAY, LOST = range(1, 9)
_FRONT = struct.Struct(">BQI")
_HEAD = struct.Struct("<BBHIQBBHI")
_BEHIND = 4 + _HEAD.size  # hops and head, which the length counts
GRACE_S = 5.0
TEXT_MAX = 480


class Message(NamedTuple):
    """One message, either way."""

    kind: int
    status: int
    number: int
    id: int
    service: bytes
    method: bytes
    text: bytes
    body: bytes
    payload: bytes


def pack(kind: int, id: int, *, status: int = 0, number: int = 0, service: bytes = b"", method: bytes = b"",
         text: bytes = b"", body: bytes = b"", payload: bytes = b"") -> bytes:
    """One message, with its length in front."""
    length = _BEHIND + len(service) + len(method) + len(text) + len(body) + len(payload)
    return b"".join((_FRONT.pack(1, length, 1),
                     _HEAD.pack(1, kind, status, number, id, len(service), len(method), len(text), len(body)),
                     service, method, text, body, payload))


class Decoder:
    """Takes messages out of a stream of bytes that is cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now. Raises _wire.Broken."""
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= _FRONT.size:
            kind, length, _ = _FRONT.unpack_from(data, at)
            if kind != 1 or not _BEHIND <= length <= _wire.REPLY_LEN_MAX:
                raise _wire.Broken("a message of %d bytes" % length)
            end = at + 9 + length
            if end > len(data):
                break
            version, kind, status, number, id, n_service, n_method, n_text, n_body = _HEAD.unpack_from(data, at + 13)
            service = at + 13 + _HEAD.size
            method = service + n_service
            text = method + n_method
            body = text + n_text
            payload = body + n_body
            if version != 1 or payload > end:
                raise _wire.Broken("a message that is not whole")
            yield Message(kind, status, number, id, data[service:method], data[method:text], data[text:body],
                          data[body:payload], data[payload:end])
            at = end
        self._rest = data[at:]


class Connection:
    """A blocking connection that is attached. What is sent is kept until flush() or receive()."""

    def __init__(self, name: str):
        self._decoder = Decoder()
        self._out: List[bytes] = []
        self._socket = _open(name)
        self._timeout: Optional[float] = GRACE_S
        self.is_lost = False

    def send(self, message: bytes) -> None:
        """Puts a message behind what is to be sent."""
        self._out.append(message)

    def flush(self) -> None:
        """Sends it. Raises OSError."""
        if self._out:
            out, self._out = self._out, []
            self._wait(None)
            try:
                self._socket.sendall(b"".join(out))
            except OSError:
                self.is_lost = True
                raise

    def receive(self, timeout: Optional[float] = None) -> List[Message]:
        """Waits for messages, up to `timeout` seconds. Raises OSError, _wire.Broken."""
        self.flush()
        self._wait(timeout)
        while True:
            try:
                data = self._socket.recv(262144)
            except (BlockingIOError, TimeoutError):
                raise
            except OSError:
                self.is_lost = True
                raise
            if not data:
                self.is_lost = True
                raise ConnectionError("it was closed")
            messages = list(self._decoder.feed(data))
            if messages:
                return messages

    def _wait(self, timeout: Optional[float]) -> None:
        if timeout != self._timeout:
            self._timeout = timeout
            self._socket.settimeout(timeout)

    def hang_up(self) -> None:
        """Ends it under whoever waits in receive(); from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """Ends it. Twice is fine."""
        self._socket.close()


def _open(name: str) -> socket.socket:
    tried, why = _wire.places(name), None
    for path in tried:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(GRACE_S)
            opened.connect(path)
            opened.sendall(GREETING)
            back = b""
            while len(back) < len(GREETING):
                got = opened.recv(len(GREETING) - len(back))
                if not got:
                    raise ConnectionError("it was closed")
                back += got
            if back != GREETING:
                raise ConnectionError("what answers is not a door")
            return opened
        except FileNotFoundError:
            opened.close()
        except OSError as error:
            opened.close()
            why = error
    raise not_there(name, tried, why)


__all__ = ["ConnectError", "Connection", "Decoder", "Message", "pack"]
