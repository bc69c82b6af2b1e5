#!/usr/bin/python3
"""topic_subscriber.py - subscribes to a topic of a running Plexus and prints its events: what is said to a service, as
it is said. CC0, no rights reserved.

    plexus serve --name web &
    ./topic_subscriber.py web net

It goes on when the system is started anew. A topic is a method that answers with a stream; any service may have some.
"""
import sys

import plexus


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: topic_subscriber.py DOOR SERVICE")
    door, service = sys.argv[1:]
    try:
        with plexus.connect(door) as client:
            print("subscribed", flush=True)
            for event in client.subscribe("inspect", "Watch", {"service": service}):
                if event.missed:
                    print("%d messages were missed" % event.missed)
                for record in event.records:
                    print(record.sender.decode(), "->", record.receiver.decode(), record.kind.decode(),
                          record.method.decode(), flush=True)
    except plexus.Error as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


main()
