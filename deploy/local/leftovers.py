"""Processes of an earlier start that are still there: found by a mark in their environment.

A supervisor that is killed cannot stop its children. They go on serving, which is right, until
the next start takes over: then they must be found for certain, and nobody else's process touched.
A pid in a file would not do: children are restarted, and pids are used again.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from deploy.errors import DeployError
from deploy.local import ports

MARK = ports.MARK
TERMINATE_TIMEOUT_S = 20.0
KILL_TIMEOUT_S = 5.0


def find(data_root: Path) -> list[int]:
    """The processes that run for a data folder, without PostgreSQL's, which hides its environment."""
    mark = f"{MARK}={data_root}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone already, or somebody else's
        if marked and not _is_zombie(entry):
            found.append(int(entry.name))
    return found


def stop(data_root: Path) -> int:
    """Stop them all and say how many there were.

    Raises:
        DeployError: One of them survives even a kill.
    """
    first = find(data_root)
    for stop_signal, timeout_s in (
        (signal.SIGTERM, TERMINATE_TIMEOUT_S),
        (signal.SIGKILL, KILL_TIMEOUT_S),
    ):
        for pid in find(data_root):
            send(pid, stop_signal)
        try:
            ports.wait_until(
                lambda: not find(data_root),
                what="The end of the old processes",
                timeout_s=timeout_s,
                remedy="",
            )
        except DeployError:
            continue  # the next signal is a stronger one
        return len(first)
    left = " ".join(map(str, find(data_root)))
    raise DeployError(f"Processes of an earlier start do not end: {left}.", "Restart the machine.")


def send(pid: int, stop_signal: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, stop_signal)
    except ProcessLookupError:
        return


def _is_zombie(entry: Path) -> bool:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True
