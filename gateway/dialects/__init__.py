"""Dialects: what devices of many makers say on the LAN broker, in our words.

A dialect is pure: what it has learnt so far goes in with each message and comes out again, so that it can be
tested without a broker and told again from what it was told before.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from gateway.model import DeviceKind, DeviceProposal, Message


class Heard(NamedTuple):
    """A device, by its key (`DIALECT:address`), said something in our words.

    A message whose `ts_ms` is None is stamped by the gateway with the time of its receipt.
    """

    key: str
    message: Message


class Ignored(NamedTuple):
    """Something that cannot be put into our words, and why; counted and shown, never silent."""

    key: str | None
    reason: str


Knowledge = Mapping[str, Any]
"""What a dialect has learnt, by device key: plain JSON values, so that it survives a restart."""


class Told(NamedTuple):
    """What came of one message on the LAN broker."""

    heard: Sequence[Heard] = ()
    proposed: Sequence[DeviceProposal] = ()
    ignored: Sequence[Ignored] = ()
    learnt: Knowledge = MappingProxyType({})
    """Entries to be laid over what is known; only what changed."""


class Order(NamedTuple):
    """A message for the LAN broker that makes a device do something."""

    topic: str
    payload: bytes


class Dialect(Protocol):
    """One maker's or one hub's way to speak MQTT."""

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys; never changes."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker."""

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means. Never raises for anything a device may send.

        `retained` is whether the broker replayed it at the start of the subscription: then it tells how
        things were, not what happens now, and raises no alarm and no activity.
        """

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:
        """What makes the device `key` sound or be silent; None when it cannot be ordered about."""
