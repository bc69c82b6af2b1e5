#!/usr/bin/python3
"""What each archive of the build asks of others and offers to others, by nm.

A service imports px_* symbols of the kernel that are not the host's, libprotobuf-c, the descriptors and
initialisers of the contracts it lists, mem* and str*, its listed library and what compiler_symbols.txt
names; it exports only x_* and px_x_*. The kernel imports even less. `--self-test` proves that each kind
of trespass is caught."""
import glob
import os
import re
import sys

from common import BUILD, SOURCE, expect, finish, read, run, skip
from table import HOST_HEADERS, LIBRARY_SYMBOLS, contracts_of, services_built

ALLOCATES = {"strdup", "strndup"}
LIBC = re.compile(r"(mem|str)[a-z]+$")
PROTOBUF_C = re.compile(r"protobuf_c_\w+$")


def nm(archive):
    """(imports, exports) of an archive; what it resolves itself is no import."""
    wanted, offered = set(), set()
    for line in run("nm", "-P", "-g", archive).splitlines():
        fields = line.split()
        if len(fields) >= 2 and not line.endswith(":"):
            (wanted if fields[1] in "Uwv" else offered).add(fields[0])
    return wanted - offered, offered


def compiler_symbols():
    """What compilers call on their own account."""
    lines = read("tests/lint/compiler_symbols.txt").splitlines()
    return {line.split("#")[0].strip() for line in lines} - {""}


def host_symbols():
    """Functions of the kernel that only hosts and transports may call."""
    return {name for h in HOST_HEADERS
            for name in re.findall(r"\b(px_\w+)\(", read("kernel/include/px/" + h))}


def check_imports(who, imports, allowed, library):
    """Imports nobody granted. `library`: pattern of a listed third-party library, or None."""
    for name in sorted(imports):
        if name in allowed or PROTOBUF_C.match(name) or (library and library.match(name)):
            continue
        if LIBC.match(name) and name not in ALLOCATES:
            continue
        yield "%s: may not import %s" % (who, name)


def check_exports(service, exports):
    """Exports outside a service's own prefix."""
    for name in sorted(exports):
        if not re.match(r"(px_)?%s_" % re.escape(service), name):
            yield "services/%s: may not export %s" % (service, name)


def self_test():
    allowed = {"px_send", "stream__data__descriptor", "__stack_chk_fail"}
    imports = lambda *names: list(check_imports("services/x", names, allowed, re.compile("wolfSSL_")))
    expect("symbols", [
        ("what is granted", imports("px_send", "stream__data__descriptor", "memcpy", "strlen",
                                    "__stack_chk_fail", "protobuf_c_message_unpack", "wolfSSL_new"), 0),
        ("the heap", imports("malloc", "strdup"), 2),
        ("the clock", imports("clock_gettime"), 1),
        ("a socket", imports("socket"), 1),
        ("the host's side of the kernel", imports("px_kernel_new"), 1),
        ("a contract it does not list", imports("net__listen__descriptor"), 1),
        ("another service", imports("dns_cache_put"), 1),
        ("its own exports", list(check_exports("x", ["x_head_parse", "px_x_service"])), 0),
        ("exports of others", list(check_exports("x", ["parse", "px_y_service", "y_cache"])), 3),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    if os.environ.get("PX_SANITIZED"):
        skip("symbols are read in a build without sanitizers")
    compiler = compiler_symbols()
    kernel = os.path.join(BUILD, "kernel", "libpx_kernel.a")
    kernel_imports, kernel_exports = nm(kernel)
    problems = list(check_imports("kernel", kernel_imports, compiler, None))
    services, checked = services_built(), 1
    public = {n for n in kernel_exports if n.startswith("px_")} - host_symbols()
    for service, speaks in services.items():
        archive = os.path.join(BUILD, "services", "libpx_%s.a" % service)
        imports, exports = nm(archive)
        allowed = compiler | public
        for contract in contracts_of(speaks):
            for part in glob.glob(os.path.join(BUILD, "proto", "libpx_*_%s.a" % contract)):
                allowed |= {n for n in nm(part)[1]
                            if n.endswith(("__descriptor", "__init")) or n.startswith("px_contract_")}
        problems += check_imports("services/" + service, imports, allowed, LIBRARY_SYMBOLS.get(service))
        problems += check_exports(service, exports)
        checked += 1
    archives = len(glob.glob(os.path.join(BUILD, "services", "libpx_*.a")))
    if archives < len(services):
        problems.append("services: %d in the table, %d archives" % (len(services), archives))
    finish("symbols", checked if kernel_exports and os.path.isdir(SOURCE) else 0, problems)


main()
