"""ThingsBoard's gateway and device API, as far as clients speak it: telemetry and attributes.

Many hubs and wearables can be pointed at a ThingsBoard server. Pointed at the LAN broker instead they feed
us, unmodified: what they ask their server is answered here (`asked`).

The gateway API names its devices. The device API does not, since ThingsBoard knows them by their access
token, and a broker tells nobody who published. So there each device needs a topic of its own
(`tb/DEVICE/v1/devices/me/…`, as a broker's mount point makes it), or is the only one (`device` in the
settings).
Source: thingsboard.io, Reference, MQTT Device API and Gateway MQTT API.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.dialects import Heard, Ignored, Knowledge, Order, Told, byname
from gateway.dialects.asked import DEVICE_ASKS, GATEWAY_ASKS, answer, asking
from gateway.dialects.hearing import Hearing
from gateway.dialects.known import entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.names import kind_of, normalised
from gateway.dialects.payload import inner_json, json_of
from gateway.dialects.quantities import Quantity, quantities
from gateway.dialects.times import time_ms
from gateway.dialects.units import check_field
from gateway.dialects.values import clean, folded, number
from gateway.dialects.words import NotUnderstoodError
from protocol.model import DeviceKind, DeviceProposal

NAME = "thingsboard"
GATEWAY = "v1/gateway"
DEVICE_LEAVES = {
    "v1/devices/me/telemetry": "telemetry",
    "v1/devices/me/attributes": "attributes",
    "v2/t": "telemetry",
    "v2/a": "attributes",
}
GATEWAY_LEAVES = ("connect", "disconnect", "telemetry", "attributes")
POINTS_MAX = 10_000
"""Points in one message; a client that was offline sends many at once."""
MEMBERS_MAX = 1_000
"""Devices in one message."""


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one key says, where its name does not tell."""

    says: str
    """Our word, such as `vitals.hr`."""
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    inverted: bool = False
    """The key's `true` is our `off`."""


class ThingsBoardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients of ThingsBoard's protocol say in the house."""

    device: str | None = None
    """Name of the one device that speaks the device API without a prefix."""
    prefix: str = "tb"
    """First level of the topics of all others: PREFIX/DEVICE/v1/devices/me/telemetry."""
    keys: dict[str, Key] = {}
    """Keys whose names do not tell, or tell wrongly; nested ones with dots."""
    kinds: dict[str, DeviceKind] = {}
    """By the name or the type that a client gives a device."""
    suspected_falls: bool = False
    """Alarm already when a radar suspects a fall (`maybe_fall`, `fall_warning`)."""


class ThingsBoard:
    """ThingsBoard's protocol, as set up."""

    def __init__(self, settings: ThingsBoardSettings | None = None) -> None:
        self._settings = settings or ThingsBoardSettings()
        self._keys = {normalised(name): key for name, key in self._settings.keys.items()}

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker."""
        own = [*(f"{GATEWAY}/{leaf}" for leaf in GATEWAY_LEAVES), GATEWAY_ASKS]
        leaves = [*DEVICE_LEAVES, *DEVICE_ASKS]
        return [*own, *leaves, *(f"{self._settings.prefix}/+/{leaf}" for leaf in leaves)]

    def filters(self, known: Knowledge) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        """All topic filters at the LAN broker."""
        return self.subscriptions

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means."""
        try:
            device, mount = self._settings.device, ""
            prefix, _, rest = topic.partition("/")
            if prefix == self._settings.prefix:
                device, _, topic = rest.partition("/")
                mount = f"{prefix}/{device}/"
            asked = asking(topic, mount)
            if asked is not None:
                # An old question has been asked anew since, if anybody still waits.
                return (
                    Told() if retained else answer(asked, payload, key_of(NAME, device) if device else None)
                )
            if topic.startswith(f"{GATEWAY}/"):
                leaf = topic.removeprefix(f"{GATEWAY}/")
                return self._hear_gateway(leaf, json_of(payload), retained, known)
            if topic not in DEVICE_LEAVES:
                return Told()
            if not device:
                raise NotUnderstoodError(
                    "the device API does not say which device speaks: see docs/devices.md"
                )
            return self._hear(device, DEVICE_LEAVES[topic], json_of(payload), retained, known)
        except NotUnderstoodError as error:
            return Told(ignored=[Ignored(None, str(error))])

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:  # noqa: ARG002 - the protocol's
        """None: the protocol has no siren."""
        return None

    def _hear_gateway(self, leaf: str, said: Any, retained: bool, known: Knowledge) -> Told:
        if leaf not in GATEWAY_LEAVES or not isinstance(said, dict):
            return Told() if leaf not in GATEWAY_LEAVES else _refused("not a JSON object")
        if leaf in {"telemetry", "attributes"}:
            return _joined(self._hear_each(leaf, said, retained, known))
        key = key_of(NAME, said.get("device"), known)
        entry = entry_of(known, key)
        hearing = Hearing(key, part_of(entry, "last"), retained=retained)
        hearing.say("status.online", leaf, leaf == "connect")
        kind_name = clean(said.get("type"))
        if kind_name and kind_name != "default":
            entry = {**entry, "type": kind_name}
        return self._told(key, entry, hearing, known, introduces=leaf == "connect")

    def _hear_each(
        self, leaf: str, said: Mapping[str, Any], retained: bool, known: Knowledge
    ) -> Iterator[Told]:
        for number_, (device, values) in enumerate(said.items()):
            if number_ >= MEMBERS_MAX:
                yield _refused("too many devices in one message")
                return
            if device == "device" and isinstance(values, str):
                return  # what a server tells a gateway's devices on the same topic
            try:
                yield self._hear(device, leaf, values, retained, known)
            except NotUnderstoodError as error:
                yield Told(ignored=[Ignored(None, str(error))])

    def _hear(self, device: str, leaf: str, said: Any, retained: bool, known: Knowledge) -> Told:
        key = key_of(NAME, device, known)
        entry = entry_of(known, key)
        hearing = Hearing(
            key, part_of(entry, "last"), retained=retained, suspicions=self._settings.suspected_falls
        )
        kind = self._kind(device, entry)
        points = said if isinstance(said, list) else [said]
        if len(points) > POINTS_MAX:
            hearing.ignore("too many points in one message")
        for point in map(inner_json, points[:POINTS_MAX]):
            if not isinstance(point, dict):
                hearing.ignore("a point that is not a JSON object")
                continue
            values, ts_ms = point, None
            if isinstance(point.get("values"), dict) and "ts" in point:
                values, ts_ms = point["values"], time_ms(point["ts"])
            hearing.at(ts_ms)
            for found in quantities(values):
                self._say(hearing, found, kind, attributes=leaf == "attributes")
        return self._told(key, entry, hearing, known)

    def _say(self, hearing: Hearing, found: Quantity, kind: DeviceKind | None, *, attributes: bool) -> None:
        path, value = found.path, found.value
        given = self._keys.get(normalised(path)) or self._keys.get(normalised(path.rpartition(".")[2]))
        if given is None:
            byname.say(hearing, found, kind, attribute=attributes)
            return
        level = number(value)
        if level is not None and (given.scale, given.offset) != (1.0, 0.0):
            value = round(level * given.scale + given.offset, 4)
        unit = given.unit or found.unit_of(given.says)
        hearing.say(given.says, path, value, unit=unit, inverted=given.inverted)

    def _kind(self, device: str, entry: Mapping[str, Any]) -> DeviceKind | None:
        wanted = (folded(device), folded(str(entry.get("type"))))
        kinds = {folded(name): kind for name, kind in self._settings.kinds.items()}
        given = kinds.get(wanted[0]) or kinds.get(wanted[1])
        return given or kind_of(str(entry.get("type", "")))

    def _told(
        self, key: str, entry: dict[str, Any], hearing: Hearing, known: Knowledge, *, introduces: bool = False
    ) -> Told:
        heard = hearing.heard()
        before = entry_of(known, key)
        last = hearing.remembered()
        said = {word for word in before.get("says", ()) if isinstance(word, str)}
        says = said | hearing.says
        entry = {**entry, "says": sorted(says), **({} if last is None else {"last": last})}
        proposed = []
        if introduces or says - said or "says" not in before:
            kind = self._kind(key.removeprefix(f"{NAME}:"), entry)
            proposed.append(proposal(key, says, kind=kind, product=entry.get("type")))
        learnt = with_room(known, {key: entry}) if entry != before else {}
        return Told(heard, proposed, hearing.ignored(), learnt)


def _joined(each: Iterator[Told]) -> Told:
    heard: list[Heard] = []
    proposed: list[DeviceProposal] = []
    ignored: list[Ignored] = []
    learnt: dict[str, Any] = {}
    for told in each:
        heard += told.heard
        proposed += told.proposed
        ignored += told.ignored
        learnt.update(told.learnt)
    return Told(heard, proposed, ignored, learnt)


def _refused(reason: str) -> Told:
    return Told(ignored=[Ignored(None, reason)])


def check(settings: ThingsBoardSettings) -> None:
    """NotUnderstoodError where the settings use words or units that nobody knows."""
    if not settings.prefix or any(letter in settings.prefix for letter in "+#/"):
        raise NotUnderstoodError(f"prefix: {settings.prefix!r} is not one level of a topic")
    for name, key in settings.keys.items():
        check_field(f"keys.{name}", key.says, key.unit)
