"""Unit, integration, system: what a test needs says which it is.

A test of the system drives the whole product or a browser. One of integration uses a server, or starts a
process. A unit test does neither, and is held to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import pytest

SYSTEM_FIXTURES = {"browser", "installed"}
SERVER_FIXTURES = {"database_server", "running_broker", "brokers"}
OUTSIDE = {"subprocess.Popen", "socket.connect"}
"""What a unit test does not do, by the names of Python's audit events."""


class Layer(StrEnum):
    """From the longest to the shortest tests, which is the order in which they run."""

    SYSTEM = "system"
    INTEGRATION = "integration"
    UNIT = "unit"


def layer_of(item: pytest.Item) -> Layer:
    """What a test's folder says; else what its fixtures and its own marker say."""
    folders = Path(item.nodeid.partition("::")[0]).parts
    for layer in Layer:
        if layer in folders:
            return layer
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & SYSTEM_FIXTURES or item.get_closest_marker(Layer.SYSTEM):
        return Layer.SYSTEM
    if fixtures & SERVER_FIXTURES or item.get_closest_marker(Layer.INTEGRATION):
        return Layer.INTEGRATION
    return Layer.UNIT


def mark_and_sort(items: list[pytest.Item]) -> None:
    """Give each test its layer's marker, and let the longest begin.

    Machines come first, side by side: only one can be up at a time, so they are best had by one worker.
    """
    layers = {item: layer_of(item) for item in items}
    for item, layer in layers.items():
        if item.get_closest_marker(layer) is None:
            item.add_marker(layer.value)
    order = list(Layer)
    items.sort(
        key=lambda item: ("installed" not in getattr(item, "fixturenames", ()), order.index(layers[item]))
    )


class _Guard:
    """Hears of everything that Python code does to the world outside, while a test runs."""

    def __init__(self) -> None:
        self.is_on = False
        self.reached: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.is_on and event in OUTSIDE:
            self.reached.append(event)


_guard = _Guard()


@contextmanager
def held_to_layer(item: pytest.Item) -> Iterator[None]:
    """Fail afterwards when a unit test has reached outside its process."""
    _guard.reached.clear()
    _guard.is_on = layer_of(item) is Layer.UNIT
    try:
        yield
    finally:
        _guard.is_on = False
    assert not _guard.reached, f"a unit test did {', '.join(_guard.reached)}: mark it as one of integration"
