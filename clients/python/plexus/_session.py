"""What blocking and asyncio clients share: what is known of the services of a running system."""
from __future__ import annotations

from typing import Any, Dict, Generator, NamedTuple, Optional, Tuple

from google.protobuf.message import DecodeError

from ._errors import Status, TypesError, call_error
from ._messages import CALL, CALL_IDEMPOTENT, STREAM, Method, Reply, Types, build
from ._wire import RawReply

DEADLINE_MAX_S = 3600.0
INSPECT = "inspect"


class Ask(NamedTuple):
    """A request that is to be made."""

    service: str
    method: str
    body: bytes
    payload: bytes
    deadline_ms: int
    may_repeat: bool


def deadline_ms(timeout: Optional[float]) -> int:
    """A timeout in seconds as the door takes it. ValueError: it is not a time."""
    if timeout is None:
        return 0
    if not 0 < timeout <= DEADLINE_MAX_S:
        raise ValueError("timeout is in seconds, above 0 up to %d; got %r" % (DEADLINE_MAX_S, timeout))
    return max(1, int(timeout * 1000))


class Session:
    """Makes requests and understands replies. Where it has to ask the system itself it yields an Ask and is sent the
    RawReply: who drives it blocks or awaits."""

    def __init__(self, types: Types):
        self.types = types
        self._inspect = {m.name: Method(m.name, "inspect.Inspect", STREAM if m.name == "Watch" else CALL_IDEMPOTENT,
                                        types.message(m.input_type.full_name),
                                        types.message(m.output_type.full_name))
                         for m in self._inspect_service(types).methods}
        self._services: Dict[str, Dict[str, Method]] = {INSPECT: self._inspect}

    @staticmethod
    def _inspect_service(types: Types) -> Any:
        found = types.service("inspect.Inspect")
        if found is None:
            raise TypesError("the descriptor sets do not have contract inspect.Inspect",
                             "put Plexus's own plexus.desc first")
        return found

    def forget(self) -> None:
        """The connection was lost: the next system may be another one."""
        self._services = {INSPECT: self._inspect}

    def call(self, service: str, method: str, fields: Any, payload: bytes,
             timeout: Optional[float]) -> Generator[Ask, RawReply, Reply]:
        """One call. Raises CallError, TypesError."""
        ask, known = yield from self._prepare(service, method, fields, payload, timeout)
        if known.shape not in (CALL, CALL_IDEMPOTENT):
            raise call_error(service, method, Status.UNSUPPORTED, "it is not a single call: it "
                             + ("answers with a stream: use stream()" if known.shape == STREAM else "is never answered"))
        raw = yield ask
        return understand(service, known, raw.status, raw.text, raw.body, raw.payload)

    def stream(self, service: str, method: str, fields: Any, payload: bytes,
               timeout: Optional[float]) -> Generator[Ask, RawReply, Tuple[Ask, Method]]:
        """What to ask for a stream. Raises CallError, TypesError."""
        ask, known = yield from self._prepare(service, method, fields, payload, timeout)
        if known.shape != STREAM:
            raise call_error(service, method, Status.UNSUPPORTED, "it does not answer with a stream: use call()")
        return ask, known

    def _prepare(self, service: str, method: str, fields: Any, payload: bytes,
                 timeout: Optional[float]) -> Generator[Ask, RawReply, Tuple[Ask, Method]]:
        ms = deadline_ms(timeout)
        found = self._services.get(service)
        if found is None or method not in found:  # what is outside may have come back as another
            found = yield from self._learn(service, method, ms)
        known = found.get(method)
        if known is None:
            names = ", ".join(sorted({m.name for m in found.values()}))
            raise call_error(service, method, Status.NOT_FOUND, "%s has no such method; it has: %s" % (service, names))
        return Ask(service, known.contract + "." + known.name, build(known, service, fields), payload, ms,
                   known.shape == CALL_IDEMPOTENT), known

    def _learn(self, service: str, method: str, ms: int) -> Generator[Ask, RawReply, Dict[str, Method]]:
        """What methods a service has."""
        described = yield from self._ask("Describe", {"name": service}, ms)
        if described.status == Status.NOT_FOUND:
            raise call_error(service, method, Status.NOT_FOUND, "no service of that name takes calls")
        if described.status == Status.SERVICE_GONE:
            raise call_error(service, method, Status.SERVICE_GONE, described.text)
        try:
            contracts = {c.name.decode(): c for c in described.message.contracts}
            self._services[service] = self.types.methods(service, described.message, contracts)
        except (IndexError, KeyError, TypeError, ValueError) as error:  # whoever provides it described it
            raise TypesError("what it says of its types makes no sense: %r" % error, "mend the program that is this service",
                             service, method) from error
        return self._services[service]

    class _Told(NamedTuple):
        status: int
        text: str
        message: Any

    def _ask(self, name: str, fields: Any, ms: int) -> Generator[Ask, RawReply, "Session._Told"]:
        known = self._inspect[name]
        raw = yield Ask(INSPECT, known.contract + "." + name, build(known, INSPECT, fields), b"", ms, True)
        if raw.status not in (Status.OK, Status.NOT_FOUND, Status.SERVICE_GONE):
            raise call_error(INSPECT, name, raw.status, raw.text)
        try:
            return Session._Told(raw.status, raw.text, known.output.FromString(raw.body))
        except DecodeError as error:
            raise TypesError("the answer does not fit its type: %s" % error, "install types and system of one version",
                             INSPECT, name) from error


def understand(service: str, method: Method, status: int, text: str, body: bytes, payload: bytes) -> Reply:
    """An answer or item as its type has it. Raises CallError, TypesError."""
    if status != Status.OK:
        raise call_error(service, method.name, status, text)
    try:
        return Reply(method.output.FromString(body), payload)
    except Exception as error:
        raise TypesError("the answer does not fit its type: %s" % error, "install types and system of one version",
                         service, method.name) from error
