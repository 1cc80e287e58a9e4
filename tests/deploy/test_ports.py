"""Ports: a server's port is found free or taken, whatever state an old connection is in."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local import ports

pytestmark = pytest.mark.integration


def test_a_taken_port_is_found_with_who_holds_it() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        assert ports.trouble(taken) == errno.EADDRINUSE
        assert ports.answers(taken)
        held = ports.holder(taken)
        assert held is not None
        assert f"pid {os.getpid()}" in held
    assert ports.holder(taken) is None


def test_the_holder_is_told_to_be_another_anshou(tmp_path: Path) -> None:
    script = (
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "print(server.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, ports.MARK: str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        held = ports.holder(int(other.stdout.readline()))
        other.communicate("\n")
    assert held is not None
    assert f"the Anshou in {tmp_path}" in held


def test_a_port_to_be_kept_lies_outside_of_what_connections_take() -> None:
    kept = ports.any_quiet()
    assert kept in ports.QUIET_PORTS
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert ports.QUIET_PORTS.stop <= first
    assert ports.any_quiet(but=frozenset(ports.QUIET_PORTS) - {kept}) == kept
    with pytest.raises(DeployError, match="is free on this machine"):
        ports.any_quiet(but=frozenset(ports.QUIET_PORTS))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network of its own")
def test_a_machine_without_loopback_is_told_so_at_once() -> None:
    code = "from deploy.local import ports\ntry:\n ports.require_loopback()\nexcept Exception as e: print(e)"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "cannot speak to itself at 127.0.0.1" in done.stdout
    assert "ip link set lo up" in done.stdout


def test_a_port_whose_last_connection_is_fading_is_free() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((ports.LOOPBACK, port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first is the one that waits in TIME_WAIT
        client.close()
    assert ports.is_free(port)


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(DeployError, match=r"The kettle was not ready after 0 s\. Look at it\."):
        ports.wait_until(lambda: False, what="The kettle", timeout_s=0.0, remedy="Look at it.")
