"""Our own wire, spoken in the house: devices that publish `anshou/v1/SITE/DEVICE/LEAF` on the LAN broker.

Such a device has its name from the centre already, so there is nothing to propose. Its messages pass as
they are.
"""

from collections.abc import Sequence

from gateway.dialects import Heard, Ignored, Knowledge, Order, Told
from protocol import wire
from protocol.errors import WireError
from protocol.model import DeviceKind, DeviceStatus
from protocol.wire import ROOT, Command, CommandKind, Leaf, Topic

NAME = "anshou"
LEAVES = (Leaf.VITALS, Leaf.ACTIVITY, Leaf.ALARM, Leaf.STATUS)


class Anshou:
    """Our own wire, at `site`; what the gateway itself says (`gateway`) is not heard."""

    def __init__(self, site: str, gateway: str) -> None:
        self._site = site
        self._gateway = gateway

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker."""
        return [f"{ROOT}/{self._site}/+/{leaf}" for leaf in LEAVES]

    def filters(self, known: Knowledge) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        """All topic filters at the LAN broker."""
        return self.subscriptions

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:  # noqa: ARG002 - the protocol's
        """What `payload` on `topic` means."""
        try:
            site, device, leaf = wire.parse_topic(topic)
            if site != self._site or device == self._gateway:
                return Told()
            message = wire.decode(leaf, payload)
        except WireError as error:
            return Told(ignored=[Ignored(None, f"{topic}: {error}"[:200])])
        key = f"{NAME}:{device}"
        if retained and not (isinstance(message, DeviceStatus) and message.ts_ms is not None):
            return Told(ignored=[Ignored(key, "retained: tells how things were")])
        return Told(heard=[Heard(key, message)])

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:  # noqa: ARG002 - the protocol's
        """The command that makes the device sound or be silent."""
        command = Command(command=CommandKind.SIREN if on else CommandKind.CANCEL)
        return Order(str(Topic(self._site, name_of(key) or key, Leaf.COMMAND)), wire.encode(command))


def name_of(key: str) -> str | None:
    """The centre's name for a device that speaks our wire; None for a key of another dialect."""
    dialect, _, name = key.partition(":")
    return name if dialect == NAME else None
