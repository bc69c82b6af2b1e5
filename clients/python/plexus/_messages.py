"""Types at run time: from the installed descriptor set, or from what a running system tells of itself."""
from __future__ import annotations

import os
import shutil
import sys
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from ._errors import TypesError

ONEWAY, CALL, CALL_IDEMPOTENT, STREAM = 1, 2, 3, 4

# protobuf-c numbers types and labels in its own way, and contract hashes are made of those numbers.
_C_TYPES = {5: 0, 17: 1, 15: 2, 3: 3, 18: 4, 16: 5, 13: 6, 7: 7, 4: 8, 6: 9, 2: 10, 1: 11, 8: 12, 14: 13, 9: 14,
            12: 15, 11: 16}
_C_REPEATED, _C_NONE = 2, 3
_DEPTH_MAX = 8


class Method(NamedTuple):
    """One method of a service."""

    name: str
    contract: str
    shape: int  # ONEWAY, CALL, CALL_IDEMPOTENT or STREAM
    input: Any  # message classes
    output: Any

    @property
    def is_stream(self) -> bool:
        """It answers with items."""
        return self.shape == STREAM


class Reply:
    """What a service answered: its message and the bytes beside it. Fields of the message are attributes."""

    __slots__ = ("message", "payload")

    def __init__(self, message: Message, payload: bytes = b""):
        self.message = message  #: a protobuf message
        self.payload = payload  #: raw bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.message, name)

    def __repr__(self) -> str:
        return "Reply(%s, %d bytes)" % (self.to_dict(), len(self.payload))

    def to_dict(self) -> Dict[str, Any]:
        """The message as a dict of plain values, with every field; `bytes` that are text become str."""
        return _plain(self.message)


def _plain(message: Message) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label == field.LABEL_REPEATED:
            found[field.name] = [_plain_value(v) for v in value]
        elif field.message_type is None or message.HasField(field.name):
            found[field.name] = _plain_value(value)
    return found


def _plain_value(value: Any) -> Any:
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


class _Hash:
    """FNV-1a with 64 bits, over what px_contract_hash is made of."""

    def __init__(self) -> None:
        self.value = 0xcbf29ce484222325

    def add(self, data: bytes) -> None:
        value = self.value
        for byte in data:
            value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
        self.value = value

    def text(self, text: str) -> None:
        self.add(text.encode() + b"\0")

    def number(self, number: int) -> None:
        self.add(number.to_bytes(4, "little"))

    def message(self, descriptor: Any, depth: int = 0) -> None:
        self.text(descriptor.full_name)
        for field in sorted(descriptor.fields, key=lambda f: f.number):
            self.number(field.number)
            self.text(field.name)
            self.number(_C_REPEATED if field.label == field.LABEL_REPEATED else _C_NONE)
            self.number(_C_TYPES[field.type])
            if field.message_type is not None and depth < _DEPTH_MAX:
                self.message(field.message_type, depth + 1)


def contract_hash(service: Any, number: int, shapes: List[int]) -> int:
    """The number that changes with anything a peer could trip over; as in px/contract.h."""
    total = _Hash()
    total.text(service.full_name)
    total.number(number)
    for method, shape in zip(service.methods, shapes):
        total.text(method.name)
        total.number(shape)
        total.message(method.input_type)
        total.message(method.output_type)
    return total.value


def _installed() -> List[str]:
    """Where the installed descriptor set may be."""
    here = os.path.abspath(__file__)
    bases = [os.environ.get("PLEXUS_TYPES", "")]
    program = shutil.which("plexus")
    if program is not None:
        bases.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(program))), "share", "plexus", "plexus.desc"))
    bases += [os.path.join(p, "share", "plexus", "plexus.desc") for p in (sys.prefix, "/usr/local", "/usr")]
    while os.path.dirname(here) != here:
        here = os.path.dirname(here)
        bases.append(os.path.join(here, "share", "plexus", "plexus.desc"))
    return [b for b in bases if b]


class Types:
    """Message types of contracts.

    paths: descriptor sets (protoc --descriptor_set_out); the first is that of Plexus itself. None looks for the
    installed one: $PLEXUS_TYPES, share/plexus/plexus.desc of the plexus on PATH, of this Python, /usr/local and
    /usr.
    extra: descriptor sets of one's own, besides these.
    Raises TypesError when there is none, or it cannot be read.
    """

    def __init__(self, paths: Optional[Iterable[str]] = None, extra: Iterable[str] = ()):
        self._pool = descriptor_pool.DescriptorPool()
        self._told = descriptor_pool.DescriptorPool()  # by running systems
        self._files: set = set()
        self._told_names: set = set()
        self._told_before: Dict[bytes, List[Any]] = {}
        found = list(paths) if paths is not None else [p for p in _installed() if os.path.isfile(p)][:1]
        if not found:
            raise TypesError("no descriptor set is installed", "install Plexus, or set PLEXUS_TYPES to its plexus.desc")
        for path in [*found, *extra]:
            self._load(path)

    def _load(self, path: str) -> None:
        files = descriptor_pb2.FileDescriptorSet()
        try:
            with open(path, "rb") as opened:
                files.ParseFromString(opened.read())
        except (OSError, DecodeError) as error:
            raise TypesError("%s: %s" % (path, error), "give the path of a descriptor set of protoc") from error
        if not files.file:
            raise TypesError("%s has no types in it" % path, "give the path of a descriptor set of protoc")
        for file in files.file:
            if file.name not in self._files:
                self._files.add(file.name)
                self._pool.Add(file)

    def message(self, name: str) -> Any:
        """The class of a message, by its full name ("net.ListenerRef"). KeyError: there is none."""
        return _class_of(self._pool.FindMessageTypeByName(name))

    def service(self, name: str) -> Any:
        """The descriptor of a contract, by its full name ("net.Net"), or None."""
        try:
            return self._pool.FindServiceByName(name)
        except KeyError:
            return None

    def methods(self, service: str, described: Any, contracts: Dict[str, Any]) -> Dict[str, Method]:
        """The methods of a service of a running system, by name, and by full name if contracts share one.

        described: what inspect.Describe said of it; contracts: those in it, by name.
        Raises TypesError when the installed types are not those of the running system.
        """
        by_contract: Dict[str, List[Any]] = {}
        for method in described.methods:
            by_contract.setdefault(method.contract.decode(), []).append(method)
        found: Dict[str, Method] = {}
        for name, told in by_contract.items():
            known = self.service(name)
            if known is not None:
                self._check(service, known, contracts[name], [m.shape for m in told])
                made = [Method(m.name, name, t.shape, _class_of(m.input_type), _class_of(m.output_type))
                        for m, t in zip(known.methods, told)]
            else:
                classes = self._told_classes(described)
                made = [Method(t.name.decode(), name, t.shape, classes[t.input - 1], classes[t.output - 1])
                        for t in told]
            for method in made:
                found.setdefault(method.name, method)
                found[name + "." + method.name] = method
        return found

    @staticmethod
    def _check(service: str, known: Any, told: Any, shapes: List[int]) -> None:
        if len(known.methods) < len(shapes) or contract_hash(known, told.number, shapes) != told.hash:
            raise TypesError("the running system has another form of contract %s than the installed descriptor set"
                             % known.full_name, "install types and system of one version", service, "")

    def _told_classes(self, described: Any) -> List[Any]:
        """Classes for what a running system says of its messages."""
        key = b"".join(m.SerializeToString(deterministic=True) + b"\0" for m in described.messages)
        if key not in self._told_before:
            self._told_before[key] = self._told_anew(described)
        return self._told_before[key]

    def _told_anew(self, described: Any) -> List[Any]:
        file = descriptor_pb2.FileDescriptorProto(syntax="proto3")
        names = [m.name.decode() for m in described.messages]
        file.package = "told%d" % len(self._told_names)
        file.name = file.package + ".proto"
        self._told_names.add(file.name)
        local = [name.replace(".", "_") for name in names]
        for name, told in zip(local, described.messages):
            message = file.message_type.add(name=name)
            for told_field in told.fields:
                field = message.field.add(name=told_field.name.decode(), number=told_field.number,
                                          type=told_field.type if told_field.type != 14 else 5,
                                          label=3 if told_field.many else 1)
                if told_field.message:
                    field.type_name = ".%s.%s" % (file.package, local[told_field.message - 1])
        self._told.Add(file)
        return [_class_of(self._told.FindMessageTypeByName(file.package + "." + name)) for name in local]


def _class_of(descriptor: Any) -> Any:
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(descriptor.file.pool).GetPrototype(descriptor)


def build(method: Method, service: str, fields: Any) -> bytes:
    """A packed request. fields: a message, a mapping of field names to values, or None for none. In a mapping, str
    may stand for bytes. Raises TypesError naming what does not fit."""
    return _build(method, service, method.input, fields)


def build_output(method: Method, service: str, fields: Any) -> bytes:
    """The same for what a method answers."""
    return _build(method, service, method.output, fields)


def _build(method: Method, service: str, made: Any, fields: Any) -> bytes:
    if isinstance(fields, Message):
        if fields.DESCRIPTOR.full_name != made.DESCRIPTOR.full_name:
            raise TypesError("takes %s, not %s" % (made.DESCRIPTOR.full_name, fields.DESCRIPTOR.full_name),
                             "make one with Types.message()", service, method.name)
        return fields.SerializeToString()
    message = made()
    try:
        fill(message, fields or {})
    except (TypeError, ValueError, AttributeError, json_format.ParseError) as error:
        raise TypesError(str(error), "its fields are: %s"
                         % (", ".join(f.name for f in message.DESCRIPTOR.fields) or "none"), service,
                         method.name) from error
    return message.SerializeToString()


def fill(message: Message, fields: Any) -> None:
    """Sets fields of a message from a mapping."""
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            raise ValueError("there is no field '%s'" % name)
        if field.label == field.LABEL_REPEATED:
            for one in value:
                if field.message_type is not None:
                    fill(getattr(message, name).add(), one)
                else:
                    getattr(message, name).append(_value(field, one))
        elif field.message_type is not None:
            getattr(message, name).SetInParent()
            fill(getattr(message, name), value)
        else:
            setattr(message, name, _value(field, value))


def _value(field: Any, value: Any) -> Any:
    return value.encode() if field.type == field.TYPE_BYTES and isinstance(value, str) else value


# ---- a contract of one's own ----

def methods_of(contract: Any) -> Dict[str, Method]:
    """The methods of a contract of a .proto, by name. What answers with a stream is `returns (stream ...)` there; what may
    be made twice has `option idempotency_level`."""
    options = [m.GetOptions().idempotency_level for m in contract.methods]
    proto = descriptor_pb2.ServiceDescriptorProto()
    contract.CopyToProto(proto)
    shapes = [STREAM if told.server_streaming else CALL_IDEMPOTENT if level else CALL
              for told, level in zip(proto.method, options)]
    return {m.name: Method(m.name, contract.full_name, shape, _class_of(m.input_type), _class_of(m.output_type))
            for m, shape in zip(contract.methods, shapes)}


def describe(types: Types, contract: Any) -> bytes:
    """What inspect.Describe tells of a contract: a packed inspect.Description."""
    told = types.message("inspect.Description")()
    methods = methods_of(contract)
    places: Dict[str, int] = {}
    found: List[Any] = []

    def place(descriptor: Any) -> int:
        if descriptor.full_name not in places:
            places[descriptor.full_name] = len(found) + 1
            found.append(descriptor)
        return places[descriptor.full_name]

    for method in contract.methods:
        told.methods.add(name=method.name.encode(), shape=methods[method.name].shape, input=place(method.input_type),
                         output=place(method.output_type), contract=contract.full_name.encode())
    for descriptor in found:  # which grows meanwhile
        message = told.messages.add(name=descriptor.full_name.encode())
        for field in descriptor.fields:
            message.fields.add(name=field.name.encode(), number=field.number, type=field.type,
                               many=field.label == field.LABEL_REPEATED,
                               message=place(field.message_type) if field.message_type is not None else 0)
    told.contracts.add(name=contract.full_name.encode(), number=0,
                       hash=contract_hash(contract, 0, [m.shape for m in methods.values()]))
    return told.SerializeToString()
