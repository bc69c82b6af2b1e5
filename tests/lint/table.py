"""Who may know whom, as far as the lints need it in writing: the tables behind layers.py and
symbols.py. The services and their contracts come from services/meson.build by way of the build."""
import os
import re

from common import BUILD, read

# Headers of the kernel for those who host one. Services may not include them.
HOST_HEADERS = ["kernel.h", "link.h", "world.h"]

# service: pattern of the symbols, and of the header paths, of the library it lists in `needs`.
LIBRARY_SYMBOLS = {}
LIBRARY_HEADERS = {}

# Contracts transports may speak.
TRANSPORT_CONTRACTS = ["stream", "net", "file", "link", "door"]


def services_built():
    """{service: [contract...]} of this build."""
    with open(os.path.join(BUILD, "services", "services_built.h"), encoding="utf-8") as f:
        found = re.findall(r"X\((\w+)((?:, \"\w+\")+)\)", f.read())
    return {name: re.findall(r"\w+", speaks) for name, speaks in found}


def contracts_of(names):
    """The contracts, and what their .proto files import."""
    known, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in known:
            known.add(name)
            todo += re.findall(r'^import "(\w+)\.proto"', read("proto/%s.proto" % name), re.M)
    return known

# What prints, or hands to the caller, a message for people; and where messages may come from.
MESSAGE_CALLS = {"conf_mistake", "conf_mistake_at", "fprintf", "failed", "mistake", "system_fail", "say"}
MESSAGE_LISTS = {"kernel/include/px/err.h": {"X"}}  # where it is something else
MESSAGE_FOLDERS = ("clients/cli/", "clients/lib/", "kernel/", "services/", "transports/door/", "transports/link/",
                   "transports/posix/", "transports/spawn/")
