#!/usr/bin/python3
"""Who includes whom, by what the compiler really opened (`ninja -t deps`), however the path was spelled.

    kernel/        itself, libc's string and number headers, libprotobuf-c
    proto/         itself, <px/*.h>
    services/X     <px/*.h> but the host's, its own folder, the contracts listed for X, the same libc
                   headers, its listed library
    transports/    transports/, <px/*.h>, the contracts of net, file and link, the system
    clients/       every public header, every contract; lib also transports/, and of a service x.h
    tests/         all of that, services/, and the folder of what is tested

`--self-test` proves that trespasses are caught."""
import os
import re
import sys

from common import BUILD, SOURCE, expect, finish, run
from table import (HOST_HEADERS, LIBRARY_HEADERS, TRANSPORT_CONTRACTS, contracts_of, services_built)

# Headers outside the tree that know no operating system. What they open themselves is bits/ and such.
PURE = re.compile(r"""(.*/)?(
    (std(arg|atomic|bool|def|int|noreturn|align)|string|strings|limits|inttypes|assert)\.h
  | syslimits\.h | linux/limits\.h | features(-time64)?\.h | stdc-predef\.h | sys/cdefs\.h
  | bits/\S+\.h | gnu/stubs\S*\.h | protobuf-c/protobuf-c\.h
  | (\w*intrin|cpuid|mm_malloc|arm_\w+|__clang_\w+|__stddef_\w+)\.h )$""", re.X)
# Vector headers bring mm_malloc.h, which brings these; symbols.py sees that nothing of them is used.
WITH_VECTORS = re.compile(r"(.*/)?(stdlib|errno|alloca|asm/errno|asm-generic/errno(-base)?|linux/errno)\.h$")

MESSAGES = re.compile(r"proto/libpx_(?:messages|contract)_(\w+)\.a\.p/[\w.-]+\.[ch]$")
FRONT_DOOR = re.compile(r"services/((\w+)/\2|services_built)\.h$")
CONTRACT = re.compile(r"proto/(\w+)/\w+\.[ch]$")


def may(zone, path, system, speaks, has_vectors):
    """May a source of `zone` ("services/h1") open `path`? Paths of the tree and of the build folder are
    relative to it; `system` says that this one is neither. `speaks`: {service: contracts}."""
    top, _, name = zone.partition("/")
    pure_only = top in ("kernel", "proto", "services")
    if system:
        library = LIBRARY_HEADERS.get(name) if top == "services" else None
        return bool(not pure_only or PURE.match(path) or (has_vectors and WITH_VECTORS.match(path))
                    or (library and library.search(path)))
    contract = MESSAGES.match(path) or CONTRACT.match(path)
    if contract:
        granted = {"kernel": [], "services": speaks.get(name, []), "transports": TRANSPORT_CONTRACTS}
        return top not in granted or contract.group(1) in contracts_of(granted[top])
    if path.startswith("kernel/include/px/"):
        return top != "services" or os.path.basename(path) not in HOST_HEADERS
    if path.startswith(zone + "/") or (top == "transports" and path.startswith("transports/")):
        return True
    if zone == "tests/fuzz" and path.startswith("clients/lib/"):
        return True  # its parsers
    if top == "clients" and path.startswith("services/"):
        return bool(name == "lib" and FRONT_DOOR.match(path))
    public = ["clients/lib/include/", "transports/%s/include/" % path.split("/")[1]]
    configuration = ["clients/cli/serve_schema.h", "clients/cli/conf/conf.h", "clients/cli/wire/wire_json.h"]  # pure
    if top == "tests" and path in configuration:
        return True
    outer = {"clients": public + (["transports/"] if name == "lib" else []),
             "tests": public + ["tests/", "services/", "transports/", name + "/"]
             + (["clients/cli/"] if name == "bench" else [])}
    return any(path.startswith(prefix) for prefix in outer.get(top, []))


def zone_of(source):
    """The folder whose rules hold for a source."""
    parts = source.split("/")
    return "/".join(parts[:2]) if parts[0] in ("services", "clients", "tests", "transports") else parts[0]


def place(path):
    """(path relative to the tree or the build folder, is it outside of both)."""
    full = os.path.normpath(os.path.join(BUILD, path))
    for base in (BUILD, SOURCE):
        if full.startswith(base + "/"):
            return os.path.relpath(full, base), False
    return full, True


def parse(deps):
    """[(source, [what was opened])] from the text of `ninja -t deps`."""
    for block in deps.split("\n\n"):
        lines = block.splitlines()
        if lines and lines[0].split(":")[0].endswith(".o"):
            opened = [line.strip() for line in lines[1:]]
            if opened:
                yield opened[0], opened[1:]


def check(source, opened, speaks):
    """Problems of one object file."""
    source_path, outside = place(source)
    if outside:
        return
    zone = zone_of(source_path)
    places = [place(path) for path in opened]
    has_vectors = any(system and path.endswith("/mm_malloc.h") for path, system in places)
    for path, system in places:
        if not may(zone, path, system, speaks, has_vectors):
            yield "%s: %s may not include %s" % (source_path, zone, path)


def self_test():
    speaks = {"x": ["stream"]}
    ask = lambda zone, path, system=False, vectors=False: (
        [] if may(zone, path, system, speaks, vectors) else ["no"])
    include = "kernel/include/px/"
    expect("layers", [
        ("its own part", ask("services/x", "services/x/x_codec.h"), 0),
        ("another service", ask("services/x", "services/y/y.h"), 1),
        ("a service header", ask("services/x", include + "service.h"), 0),
        ("a header of the host", ask("services/x", include + "kernel.h"), 1),
        ("the kernel's own header", ask("services/x", "kernel/kernel_impl.h"), 1),
        ("its contract", ask("services/x", "proto/libpx_messages_stream.a.p/stream.pb-c.h"), 0),
        ("another contract", ask("services/x", "proto/libpx_messages_net.a.p/net.pb-c.h"), 1),
        ("numbers of another contract", ask("services/x", "proto/net/net_contract.h"), 1),
        ("code of another contract", ask("services/x", "proto/net/list.h"), 1),
        ("a socket", ask("services/x", "/usr/include/sys/socket.h", True), 1),
        ("the heap", ask("services/x", "/usr/include/stdlib.h", True), 1),
        ("the heap behind a vector", ask("services/x", "/usr/include/stdlib.h", True, True), 0),
        ("the clock", ask("services/x", "/usr/include/time.h", True), 1),
        ("strings", ask("services/x", "/usr/include/string.h", True), 0),
        ("a contract in the kernel", ask("kernel", "proto/net/net_contract.h"), 1),
        ("threads in the kernel", ask("kernel", "/usr/include/pthread.h", True), 1),
        ("a service in a transport", ask("transports/posix", "services/x/x.h"), 1),
        ("a system header in a transport", ask("transports/posix", "/usr/include/sys/epoll.h", True), 0),
        ("http in a transport", ask("transports/posix", "proto/http/http_contract.h"), 1),
        ("a service's front door", ask("clients/lib", "services/x/x.h"), 0),
        ("a service's back door", ask("clients/lib", "services/x/x_codec.h"), 1),
        ("a service in the program", ask("clients/cli", "services/x/x.h"), 1),
        ("the library in the program", ask("clients/cli", "clients/lib/include/px/plexus.h"), 0),
        ("the library's inside in the program", ask("clients/cli", "clients/lib/lib_impl.h"), 1),
        ("the kernel's own header in a client", ask("clients/cli", "kernel/kernel_impl.h"), 1),
        ("what a test tests", ask("tests/services", "services/x/x_codec.h"), 0),
        ("what a kernel test tests", ask("tests/kernel", "kernel/kernel_impl.h"), 0),
        ("the kernel's own header in another test", ask("tests/services", "kernel/kernel_impl.h"), 1),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    speaks = services_built()
    problems, zones = [], {}
    for source, opened in parse(run("ninja", "-C", BUILD, "-t", "deps")):
        path, outside = place(source)
        if not outside:
            zones[zone_of(path)] = zones.get(zone_of(path), 0) + 1
        problems += check(source, opened, speaks)
    for zone in ["kernel", "proto", "transports/posix", "clients/lib"] + ["services/" + s for s in speaks]:
        if zone not in zones:
            problems.append("%s: no object seen: is the tree built?" % zone)
    print(" ".join("%s:%d" % z for z in sorted(zones.items())))
    finish("layers", sum(zones.values()), problems)


main()
