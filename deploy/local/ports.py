"""TCP ports of this machine: whether one is free, and who holds it."""

from __future__ import annotations

import errno
import ipaddress
import os
import pwd
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from deploy.errors import DeployError

LOOPBACK = "127.0.0.1"
MARK = "SUPERVISED_FOR_ANSHOU_AT"
"""In the environment of all that runs for a data folder. Not ANSHOU_…: rooms refuse what they do not know."""


# Below the range from which the kernel takes ports for connections: one of those may be busy at any start.
QUIET_PORTS = range(20_000, 32_768)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; of names, only of `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trouble(port: int, host: str = LOOPBACK) -> int | None:
    """Why no server could listen there now, as an error number; None: one could."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        # As servers do; otherwise a connection that is still fading away looks like a server.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError as error:
            return error.errno or errno.EADDRNOTAVAIL  # a host's name that nobody knows has another kind
    return None


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    return trouble(port, host) is None


def any_free() -> int:
    """A port that the kernel says nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.bind((LOOPBACK, 0))
        port: int = candidate.getsockname()[1]
    return port


def any_quiet(hosts: Sequence[str] = (LOOPBACK,), but: frozenset[int] = frozenset()) -> int:
    """A port that nobody uses at these addresses and that no connection takes by chance: one to be kept.

    Raises:
        DeployError: All are in use.
    """
    candidates = [port for port in QUIET_PORTS if port not in but]
    random.shuffle(candidates)
    for port in candidates:
        if all(is_free(port, host) for host in hosts):
            return port
    raise DeployError(f"No port from {QUIET_PORTS.start} on is free on this machine.", "Choose one by name.")


def require_loopback() -> None:
    """Make sure that this machine can speak to itself.

    Raises:
        DeployError: It cannot; says what to do.
    """
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=2.0).close()
    except OSError as error:
        raise DeployError(
            f"This machine cannot speak to itself at {LOOPBACK} ({error.strerror or error}): "
            "its loopback interface is down.",
            "Run as root: ip link set lo up",
        ) from error


def holder(port: int) -> str | None:
    """Who listens on a port, for people: program, pid and user, as far as we may see; None: nobody."""
    for inode, uid in _listeners(port):
        pid = _pid_of_socket(inode)
        if pid is None:
            return f"a program of the user {_user(uid)}"
        name = (Path("/proc") / str(pid) / "comm").read_text(errors="replace").strip()
        mark = _anshou_of(pid)
        return f"{name} (pid {pid}, user {_user(uid)}{f', the Anshou in {mark}' if mark else ''})"
    return None


def _listeners(port: int) -> Iterator[tuple[str, int]]:
    """The sockets that listen on a port, by inode and user."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            parts = line.split()
            if parts[3] == "0A" and int(parts[1].rpartition(":")[2], 16) == port:  # 0A: LISTEN
                yield parts[9], int(parts[7])


def _pid_of_socket(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if any(os.readlink(handle) == wanted for handle in (entry / "fd").iterdir()):  # noqa: PTH115
                    return int(entry.name)
            except OSError:
                continue  # gone already, or somebody else's
    return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _anshou_of(pid: int) -> str:
    """The data folder of the Anshou that a process belongs to; empty for any other."""
    mark = f"{MARK}=".encode()
    try:
        environment = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((os.fsdecode(entry[len(mark) :]) for entry in environment if entry.startswith(mark)), "")


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
