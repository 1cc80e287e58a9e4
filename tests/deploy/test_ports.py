"""Ports: a server's port is found free or taken, whatever state an old connection is in."""

from __future__ import annotations

import socket

import pytest

from deploy.errors import DeployError
from deploy.local import ports

pytestmark = pytest.mark.integration


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_free(taken)
        assert ports.answers(taken)
        other = ports.wanted_or_free(taken)
        assert other != taken
        assert ports.is_free(other)


def test_a_free_port_is_kept() -> None:
    free = ports.any_free()
    assert not ports.answers(free)
    assert ports.wanted_or_free(free) == free


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
