"""Starts again what supervisord has given up.

supervisord tries a program that fails at once a few times, with growing waits, and then leaves it
alone for good. A database that is away for a minute must not end the watch over a care home: this
listener waits a little and has supervisord begin anew, for ever. It runs under supervisord itself.
"""

from __future__ import annotations

import os
import sys
import time
import xmlrpc.client

from supervisor import childutils
from supervisor.xmlrpc import SupervisorTransport

PAUSE_S = 2.0


def main() -> None:
    """Listen to supervisord until it ends."""
    socket = os.environ["SUPERVISOR_SOCKET"]
    while True:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        event = childutils.get_headers(payload)
        name = f"{event['groupname']}:{event['processname']}"
        if headers["eventname"] == "PROCESS_STATE_FATAL":
            time.sleep(PAUSE_S)
            revive(socket, name)
        childutils.listener.ok(sys.stdout)


def revive(socket: str, name: str) -> None:
    """Have a program started again; supervisord may refuse because it is stopping, or started it."""
    transport = SupervisorTransport(None, None, f"unix://{socket}")
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
        try:
            proxy.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            print(f"{name} was not started again: {fault.faultString}", file=sys.stderr, flush=True)
        else:
            print(f"{name} had failed; it is tried again", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
