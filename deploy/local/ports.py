"""TCP ports on the loopback interface."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

from deploy.errors import DeployError

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; of names, only of `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As servers do; otherwise a connection that is still fading away looks like a server.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """A port that the kernel says nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.bind((LOOPBACK, 0))
        port: int = candidate.getsockname()[1]
    return port


def several_free(count: int) -> list[int]:
    """So many different ports that nobody uses."""
    found: set[int] = set()
    while len(found) < count:
        found.add(any_free())
    return sorted(found)


def wanted_or_free(wanted: int, host: str = LOOPBACK) -> int:
    """The wanted port if it is free, else one that is."""
    return wanted if is_free(wanted, host) else any_free()


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def wait_until(ready: Callable[[], bool], *, what: str, timeout_s: float, remedy: str) -> None:
    """Wait for a condition.

    Raises:
        DeployError: It did not come true within `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline_s:
            raise DeployError(f"{what} was not ready after {timeout_s:.0f} s.", remedy)
        time.sleep(0.05)
