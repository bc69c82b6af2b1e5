#!/usr/bin/python3
"""call.py - calls any service of a running Plexus: a service, a method, and fields as NAME=NUMBER. CC0, no rights
reserved.

    plexus serve --name web &
    ./call.py web net Stats
    ./call.py web net Stats listener=0
"""
import json
import sys

import plexus


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: call.py DOOR SERVICE METHOD [NAME=NUMBER]...")
    door, service, method = sys.argv[1:4]
    fields = {name: int(value) for name, value in (word.split("=", 1) for word in sys.argv[4:])}
    try:
        with plexus.connect(door, timeout=5) as client:
            print(json.dumps(client.call(service, method, fields).to_dict(), default=repr))
    except plexus.Error as error:  # it names service, method, status and what to do
        sys.exit(str(error))


main()
