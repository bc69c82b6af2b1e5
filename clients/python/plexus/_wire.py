"""The bytes: what nng calls req/rep over ipc://, and the door's requests and replies in it (docs/wire.md)."""
from __future__ import annotations

import os
import struct
from typing import List, NamedTuple

GREETING = b"\0SP\0\0\x30\0\0"
GREETING_BACK = b"\0SP\0\0\x31\0\0"
VERSION = 1
CALL = 1
MESSAGE_HEAD = struct.Struct(">BQ")
REQUEST_HEAD = struct.Struct("<BBBBII")
REPLY_HEAD = struct.Struct("<BBHII")
ID = struct.Struct(">I")
TOP_BIT = 0x80000000
REPLY_LEN_MAX = 64 << 20


class Broken(Exception):
    """Bytes that no door writes."""


class RawReply(NamedTuple):
    """A reply before its body is understood."""

    status: int
    text: str
    body: bytes
    payload: bytes


def places(name: str) -> List[str]:
    """Paths at which the socket of a door may be, the likeliest first."""
    if "/" in name:
        return [os.path.join(name, "door")]
    bases = [os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]]
    if os.environ.get("XDG_RUNTIME_DIR"):
        bases.append(os.path.join(os.environ["XDG_RUNTIME_DIR"], "plexus"))
    bases += ["/tmp/plexus-%d" % os.geteuid(), "/run/plexus"]
    return [os.path.join(base, name, "door") for base in bases if base]


def request(number: int, service: str, method: str, body: bytes, payload: bytes, deadline_ms: int) -> bytes:
    """One request, with its length in front. `number`: 0..2^31-1, comes back in the reply."""
    names = service.encode()[:255], method.encode()[:255]
    head = REQUEST_HEAD.pack(VERSION, CALL, len(names[0]), len(names[1]), deadline_ms, len(body))
    rest = b"".join((ID.pack(number | TOP_BIT), head, *names, body, payload))
    return MESSAGE_HEAD.pack(1, len(rest)) + rest


def reply_len(head: bytes) -> int:
    """Bytes of the message behind its head."""
    kind, length = MESSAGE_HEAD.unpack(head)
    if kind != 1 or not ID.size + REPLY_HEAD.size <= length <= REPLY_LEN_MAX:
        raise Broken("a message of %d bytes" % length)
    return length


def reply_number(message: bytes) -> int:
    """Which request a message answers."""
    return ID.unpack_from(message)[0] & ~TOP_BIT


def reply(message: bytes) -> RawReply:
    """Takes a message apart."""
    version, _, status, text_len, body_len = REPLY_HEAD.unpack_from(message, ID.size)
    start = ID.size + REPLY_HEAD.size
    if version != VERSION or start + text_len + body_len > len(message):
        raise Broken("a reply that is not whole")
    body_at = start + text_len
    return RawReply(status, message[start:body_at].decode("utf-8", "replace"), message[body_at:body_at + body_len],
                    message[body_at + body_len:])
