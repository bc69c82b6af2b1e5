"""What can go wrong, and what to do about it."""
from __future__ import annotations

import enum
from typing import List, Optional


class Status(enum.IntEnum):
    """How a call ended. Numbers are part of the wire form."""

    OK = 0
    BAD_REQUEST = 1
    BUSY = 2
    TIMED_OUT = 3
    CANCELLED = 4
    NO_MEMORY = 5
    SERVICE_GONE = 6
    DENIED = 7
    NOT_FOUND = 8
    STALE = 9
    UNSUPPORTED = 10
    IN_USE = 11
    REFUSED = 12
    UNREACHABLE = 13
    RESET = 14
    TRUNCATED = 15
    TOO_LARGE = 16
    LIMIT = 17
    PROTOCOL = 18
    INTERNAL = 19

    @classmethod
    def _missing_(cls, value: object) -> "Status":
        return cls.INTERNAL  # of a newer Plexus


REMEDIES = {
    Status.BAD_REQUEST: "look at the ranges of the fields in the contract (share/plexus/proto)",
    Status.BUSY: "try again later, or make fewer calls at once",
    Status.TIMED_OUT: "give a longer timeout=, or look at what the service waits for (plexus ps)",
    Status.CANCELLED: "make the call again",
    Status.NO_MEMORY: "try again later; plexus ps shows who holds what",
    Status.SERVICE_GONE: "make the call again: a service that ended is started again",
    Status.DENIED: "allow it in the configuration of the door (door.clients)",
    Status.NOT_FOUND: "look for the right name: plexus ps",
    Status.STALE: "ask for a new handle: what this one named has ended",
    Status.UNSUPPORTED: "this build or service does not offer it",
    Status.IN_USE: "choose another name or address, or end whoever has it",
    Status.REFUSED: "see whether the peer is there and listens",
    Status.UNREACHABLE: "see whether there is a way to the peer",
    Status.RESET: "make the call again",
    Status.TRUNCATED: "make the call again",
    Status.TOO_LARGE: "send less, or raise the limit (door.request_max)",
    Status.LIMIT: "raise the limit in the configuration",
    Status.PROTOCOL: "the peer is at fault; its log may say more",
    Status.INTERNAL: "look at the log of the service",
}


class Error(Exception):
    """Whatever goes wrong.

    service, method: what was called, or None.
    status: a Status, or None if no call was made.
    text: what went wrong, one line.
    remedy: what to do about it, one line.
    """

    def __init__(self, text: str, remedy: str, service: Optional[str] = None, method: Optional[str] = None,
                 status: Optional[Status] = None):
        self.text, self.remedy = text, remedy
        self.service, self.method, self.status = service, method, status
        where = "" if service is None else "%s.%s: " % (service, method)
        what = "" if status is None else status.name + ": "
        super().__init__("%s%s%s; %s" % (where, what, text, remedy))


class ConnectError(Error):
    """There is no door of that name, or it lets nobody in, or the connection was lost."""


class CallError(Error):
    """A call ended with another status than OK."""


class TypesError(Error):
    """A request does not fit its type, or the installed types are not those of the running system."""


def call_error(service: str, method: str, status: int, text: str) -> CallError:
    """The error of a reply."""
    known = Status(status)
    return CallError(text or known.name, REMEDIES.get(known, "look at the log of the service"), service, method, known)


def lost(service: str, method: str, why: object) -> ConnectError:
    """The error of a connection that ended."""
    return ConnectError("the connection to the door was lost (%s)" % why,
                        "see whether the process still runs, and call again: it connects anew", service, method)


def not_there(name: str, tried: List[str], why: Optional[Exception]) -> ConnectError:
    """The error of a door that does not open."""
    if why is None:
        return ConnectError("no door is named '%s' (looked at %s)" % (name, ", ".join(tried)),
                            "start one with: plexus serve --name %s" % name)
    if isinstance(why, PermissionError):
        return ConnectError("the door '%s' is not open to this user" % name, "add its uid to door.clients")
    return ConnectError("the door '%s' does not open: %s" % (name, why),
                        "see whether its process runs, has room (door.clients_max), and is open to this user (door.clients)")
