"""Dialects: what devices of many makers say on the LAN broker, in our words.

A dialect is pure: what it has learnt so far goes in with each message and comes out again, so that it can be
tested without a broker and told again from what it was told before.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from protocol.model import DeviceKind, DeviceProposal, Message


class Heard(NamedTuple):
    """A device, by its key (`DIALECT:address`), said something in our words.

    A message whose `ts_ms` is None is stamped by the gateway with the time of its receipt.
    """

    key: str
    message: Message


class Ignored(NamedTuple):
    """Something that cannot be put into our words, and why; counted and shown, never silent.

    `path` and `example` are the field and its value, as `unheard.example` makes them: without secrets.
    """

    key: str | None
    reason: str
    path: str | None = None
    example: str | None = None


Knowledge = Mapping[str, Any]
"""What a dialect has learnt: plain JSON values, so that it survives a restart.

By device key; what a dialect keeps for itself stands under its own name, or below it (`NAME/…`). An entry
that is None is as good as absent. Past `KNOWN_MAX` entries a dialect learns no further ones, and goes on
hearing without.
"""

KNOWN_MAX = 2_000
"""Entries that a dialect learns at most."""


class Order(NamedTuple):
    """A message for the LAN broker: it makes a device do something, or answers what it asked."""

    topic: str
    payload: bytes


class Told(NamedTuple):
    """What came of one message on the LAN broker."""

    heard: Sequence[Heard] = ()
    proposed: Sequence[DeviceProposal] = ()
    ignored: Sequence[Ignored] = ()
    learnt: Knowledge = MappingProxyType({})
    """Entries to be laid over what is known; only what changed. None: forget the entry.

    To be kept in the same transaction as what was heard: a state that is known is not told again.
    """
    answers: Sequence[Order] = ()
    """What the speaker waits for before it says more; to be published once the rest is kept."""


class Dialect(Protocol):
    """One maker's or one hub's way to speak MQTT."""

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys; never changes."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker that hold from the start."""

    def filters(self, known: Knowledge) -> Sequence[str]:
        """All topic filters at the LAN broker: `subscriptions`, and the topics that devices have announced.

        Changes with what is learnt; to be asked again whenever something was.
        """

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means. Never raises for anything a device may send.

        `retained` is whether the broker replayed it at the start of the subscription: then it tells how
        things were, not what happens now, and raises no alarm and no activity.
        A live message that says nothing new is a sign of life: a status that is `online`.
        """

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:
        """What makes the device `key` sound or be silent; None when it cannot be ordered about."""
