#!/usr/bin/python3
"""The contracts, read from the descriptor set: nothing recursive, no `optional`, no `map`, no `string`
(bytes from a network are bytes), no name that is a C keyword, and a comment at every service, method,
message, field and enum. `--self-test` proves that each is caught."""
import os
import sys

from common import BUILD, expect, finish, skip

try:
    from google.protobuf import descriptor_pb2
except ImportError:
    descriptor_pb2 = None

KEYWORDS = set("""auto break case char const continue default do double else enum extern float for goto if
inline int long register restrict return short signed sizeof static struct switch typedef union unsigned
void volatile while asm bool true false class new delete this template operator private public protected
virtual friend namespace using typename try catch throw""".split())


class Contracts:
    """One file of the set."""

    def __init__(self, proto):
        self.proto = proto
        self.problems = []
        self.commented = {tuple(loc.path) for loc in proto.source_code_info.location
                          if loc.leading_comments.strip() or loc.trailing_comments.strip()}
        self.uses = {}  # message: messages of its fields

    def complain(self, name, what):
        self.problems.append("%s: %s: %s" % (self.proto.name, name, what))

    def name_is_fine(self, path, name, full, needs_comment=True):
        if name in KEYWORDS or name.lower() in KEYWORDS and name.islower():
            self.complain(full, "is a C keyword")
        if needs_comment and path not in self.commented:
            self.complain(full, "has no comment")

    def message(self, path, message, scope):
        full = scope + "." + message.name if scope else message.name
        if message.options.map_entry:
            self.complain(full, "is a map")
            return
        self.name_is_fine(path, message.name, full)
        uses = self.uses.setdefault("." + full, set())
        for i, field in enumerate(message.field):
            name = full + "." + field.name
            self.name_is_fine(path + (2, i), field.name, name)
            if field.proto3_optional:
                self.complain(name, "is optional")
            if field.type == field.TYPE_STRING:
                self.complain(name, "is a string: use bytes")
            if field.type in (field.TYPE_MESSAGE, field.TYPE_GROUP):
                uses.add(field.type_name)
        for i, nested in enumerate(message.nested_type):
            self.message(path + (3, i), nested, full)
        for i, enum in enumerate(message.enum_type):
            self.enum(path + (4, i), enum, full)

    def enum(self, path, enum, scope):
        self.name_is_fine(path, enum.name, scope + "." + enum.name)
        for i, value in enumerate(enum.value):
            self.name_is_fine(path + (2, i), value.name, enum.name + "." + value.name, False)

    def all(self):
        proto = self.proto
        if proto.syntax != "proto3":
            self.complain(proto.name, "is not proto3")
        for i, message in enumerate(proto.message_type):
            self.message((4, i), message, proto.package)
        for i, enum in enumerate(proto.enum_type):
            self.enum((5, i), enum, proto.package)
        for i, service in enumerate(proto.service):
            self.name_is_fine((6, i), service.name, service.name)
            for k, method in enumerate(service.method):
                self.name_is_fine((6, i, 2, k), method.name, service.name + "." + method.name)
                if method.client_streaming or method.server_streaming:
                    self.complain(method.name, "is streaming: shapes stand in the contract's table")
        return self


def recursive(uses):
    """Messages that contain themselves."""
    def reaches(start, at, seen):
        return any(n == start or (n not in seen and reaches(start, n, seen | {n}))
                   for n in uses.get(at, ()))
    return [m for m in sorted(uses) if reaches(m, m, set())]


def check(files):
    """All problems of a descriptor set."""
    read = [Contracts(f).all() for f in files]
    uses = {m: u for c in read for m, u in c.uses.items()}
    return ([p for c in read for p in c.problems]
            + ["%s: contains itself" % m.lstrip(".") for m in recursive(uses)])


def sample(change=None, forget=()):
    """A file with one message of two fields, all commented."""
    f = descriptor_pb2.FileDescriptorProto(name="x.proto", package="x", syntax="proto3")
    m = f.message_type.add(name="Ask")
    m.field.add(name="count", number=1, type=13, label=1)
    m.field.add(name="body", number=2, type=12, label=1)
    f.service.add(name="X").method.add(name="Carry", input_type=".x.Ask", output_type=".x.Ask")
    for path in [(4, 0), (4, 0, 2, 0), (4, 0, 2, 1), (6, 0), (6, 0, 2, 0)]:
        if path not in forget:
            f.source_code_info.location.add(path=path, leading_comments="Why.")
    if change:
        change(f, m)
    return check([f])


def self_test():
    def nest(f, m):
        m.field[0].type, m.field[0].type_name = 11, ".x.Ask"

    def nest_through_another(f, m):
        nest(f, m)
        m.field[0].type_name = ".x.Other"
        f.message_type.add(name="Other").field.add(
            name="back", number=1, type=11, type_name=".x.Ask")
        for path in [(4, 1), (4, 1, 2, 0)]:
            f.source_code_info.location.add(path=path, leading_comments="Why.")

    expect("contracts", [
        ("a good contract", sample(), 0),
        ("recursion", sample(nest), 1),
        ("recursion through another", sample(nest_through_another), 2),
        ("optional", sample(lambda f, m: setattr(m.field[0], "proto3_optional", True)), 1),
        ("string", sample(lambda f, m: setattr(m.field[1], "type", 9)), 1),
        ("map", sample(lambda f, m: setattr(m.nested_type.add(name="E").options, "map_entry", True)), 1),
        ("keyword", sample(lambda f, m: setattr(m.field[0], "name", "default")), 1),
        ("proto2", sample(lambda f, m: setattr(f, "syntax", "proto2")), 1),
        ("streaming", sample(lambda f, m: setattr(f.service[0].method[0], "server_streaming", True)), 1),
        ("a bare field", sample(forget=[(4, 0, 2, 1)]), 1),
        ("a bare message and method", sample(forget=[(4, 0), (6, 0, 2, 0)]), 2),
    ])


def main():
    if descriptor_pb2 is None:
        skip("python3-protobuf is not installed")
    if "--self-test" in sys.argv:
        self_test()
    files = descriptor_pb2.FileDescriptorSet()
    with open(os.path.join(BUILD, "proto", "plexus.desc"), "rb") as f:
        files.ParseFromString(f.read())
    n = sum(len(f.message_type) + len(f.service) for f in files.file)
    finish("contracts", n, check(files.file))


main()
