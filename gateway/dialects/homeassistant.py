"""Home Assistant's MQTT discovery: devices of ESPHome, Tasmota and many others announce themselves.

An announcement names the topics on which the device will speak. They are learnt, subscribed to, and
understood by what was announced; an empty announcement takes it back.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.dialects import KNOWN_MAX, Ignored, Knowledge, Order, Told
from gateway.dialects.discovery import Announced, announced, availability, entity, is_press
from gateway.dialects.hearing import Hearing
from gateway.dialects.known import entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.payload import json_of
from gateway.dialects.persons import METERED
from gateway.dialects.template import picked
from gateway.dialects.unheard import example
from gateway.dialects.values import boolean, clean, folded
from gateway.dialects.words import TURNS, NotUnderstoodError
from protocol.model import DeviceKind

NAME = "homeassistant"
CONFIG = "config"
PARTS_MAX = 100
"""Announced parts of one device."""
LISTENERS_MAX = 200
"""Devices that share one topic, such as the availability of their hub."""


class HomeAssistantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is announced in the house."""

    prefix: str = NAME
    """First level of the topics of announcements."""
    skip: tuple[str, ...] = ()
    """Hubs (`origin.name`) whose announcements are left alone, since they are heard in another dialect."""
    suspected_falls: bool = False
    """Alarm already when a radar suspects a fall (`maybe_fall`, `fall_warning`)."""


class HomeAssistant:
    """Home Assistant's MQTT discovery, as set up.

    Knowledge: under a device's key its announced parts; under `homeassistant/config/TOPIC` which device was
    announced there, under `homeassistant/topic/TOPIC` which devices speak there.
    """

    def __init__(self, settings: HomeAssistantSettings | None = None) -> None:
        self._settings = settings or HomeAssistantSettings()
        self._skip = {folded(name) for name in self._settings.skip}

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker that hold from the start."""
        prefix = self._settings.prefix
        return [f"{prefix}/+/+/{CONFIG}", f"{prefix}/+/+/+/{CONFIG}"]

    def filters(self, known: Knowledge) -> Sequence[str]:
        """All topic filters at the LAN broker: those of announcements, and what was announced."""
        topics = [
            key.removeprefix(_TOPIC) for key, entry in known.items() if entry and key.startswith(_TOPIC)
        ]
        return [*self.subscriptions, *sorted(topics)]

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means."""
        prefix = f"{self._settings.prefix}/"
        try:
            if topic.startswith(prefix) and topic.endswith(f"/{CONFIG}"):
                return self._learn(topic, topic.removeprefix(prefix).split("/")[:-1], payload, known)
            return self._hear(topic, payload, retained, known)
        except NotUnderstoodError as error:
            return Told(ignored=[Ignored(None, str(error))])

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:
        """What makes the device sound or be silent; None where it was not announced as a siren."""
        if kind is not DeviceKind.SIREN:
            return None
        for part in _parts(entry_of(known, key)):
            topic = part.get("siren")
            if isinstance(topic, str):
                state = part.get("on" if on else "off")
                payload = str(state).encode() if part.get("bare") else msgspec.json.encode({"state": state})
                return Order(topic, payload)
        return None

    # Announcements.

    def _learn(self, topic: str, levels: list[str], payload: bytes, known: Knowledge) -> Told:
        if len(levels) not in (2, 3) or len(topic) > 256:
            return Told()
        place = f"{_CONFIG}{topic}"
        before = known.get(place)
        if not payload.strip():
            return Told(learnt=self._without(before, topic, known) | {place: None}) if before else Told()
        config = json_of(payload)
        if config == {"migrate_discovery": True}:
            return Told()  # about to be announced in another way, and heard till then
        said = announced(levels, config)
        if folded(said.origin) in self._skip:
            return Told()
        key = key_of(NAME, said.address)
        if before != key and len(known) + 2 > KNOWN_MAX:
            return Told(ignored=[Ignored(key, "no room for another device")])
        parts, ignored = _parts_announced(key, said)
        entry = dict(entry_of(known, key))
        vendor, product = clean(said.device.get("manufacturer")), clean(said.device.get("model"))
        told = ("label", clean(said.device.get("name"))), ("vendor", vendor), ("product", product)
        entry |= {name: value for name, value in told if value}
        entry["parts"] = {**part_of(entry, "parts"), topic: _without_repeats(parts)}
        if sum(len(each) for each in entry["parts"].values()) > PARTS_MAX or not any(entry["parts"].values()):
            return Told(ignored=ignored)
        old = self._without(before, topic, known) if isinstance(before, str) and before != key else {}
        learnt = {
            **old,
            key: entry,
            place: key,
            **_listening(key, entry, entry_of(known, key), {**known, **old}),
        }
        says = {part["says"] for part in _parts(entry) if "says" in part}
        sirens = any("siren" in part for part in _parts(entry))
        proposed = []
        if says - {"status.battery", "status.rssi", "status.online"} or sirens:
            kind = DeviceKind.SIREN if sirens else None
            proposed.append(
                proposal(
                    key,
                    says,
                    label=entry.get("label"),
                    kind=kind,
                    vendor=entry.get("vendor"),
                    product=entry.get("product"),
                )
            )
        changed = {name: value for name, value in learnt.items() if known.get(name) != value}
        return Told((), proposed, ignored, with_room(known, changed))

    def _without(self, key: Any, topic: str, known: Knowledge) -> dict[str, Any]:
        """What is learnt when an announcement is taken back."""
        if not isinstance(key, str):
            return {}
        before = entry_of(known, key)
        parts = {name: part for name, part in part_of(before, "parts").items() if name != topic}
        entry = {**before, "parts": parts}
        return {key: entry if parts else None, **_listening(key, entry, before, known)}

    # What devices say.

    def _hear(self, topic: str, payload: bytes, retained: bool, known: Knowledge) -> Told:
        announced_topic = _announced_topic(topic, known)
        keys = known.get(f"{_TOPIC}{announced_topic}")
        heard, ignored, learnt = [], [], {}
        for key in (key for key in keys if isinstance(key, str)) if isinstance(keys, list) else ():
            entry = entry_of(known, key)
            parts = _parts_on(announced_topic, entry)
            hearing = Hearing(
                key,
                part_of(entry, "last"),
                retained=retained,
                speaks=any("there" not in part for part in parts),
                suspicions=self._settings.suspected_falls,
                mappings={str(part.get("name")) for part in _parts(entry)},
            )
            before = part_of(entry, "there")
            there = dict(before)
            shared = _shared_signs(entry)
            for part in parts:
                if part.get("says") in shared:
                    hearing.ignore("signs of several people on one device", str(part.get("name", "")))
                    continue
                try:
                    _say(hearing, part, picked(part.get("plan"), payload), there)
                except NotUnderstoodError as error:
                    hearing.ignore(str(error), str(part.get("name", "")))
            if announced_topic in there:
                hearing.say("status.online", "there", _is_there(entry, there))
            heard += hearing.heard()
            ignored += hearing.ignored()
            last = hearing.remembered()
            if last is not None or list(there.items()) != list(before.items()):
                fresh = {
                    **entry,
                    **({} if last is None else {"last": last}),
                    **({"there": there} if there else {}),
                }
                learnt[key] = fresh
        return Told(heard, (), ignored, learnt)


_CONFIG = f"{NAME}/{CONFIG}/"
_TOPIC = f"{NAME}/topic/"


def _parts_announced(key: str, said: Announced) -> tuple[list[dict[str, Any]], list[Ignored]]:
    """How the parts of a device are heard, and those that cannot be."""
    parts: list[dict[str, Any]] = []
    ignored: list[Ignored] = []
    for component in said.components:
        try:
            found = entity(component, said.device, said.address)
            for item in found:
                name = component.ident[-64:] if len(found) == 1 else f"{component.ident}:{item['says']}"
                parts.append({**item, "name": name})
            if found:
                parts += ({**item, "there": True} for item in availability(component.config))
        except NotUnderstoodError as error:
            path = f"{component.platform} {component.config.get('name') or component.ident}"
            ignored.append(Ignored(key, str(error), example(path, None).path))
    return parts, ignored


def _say(hearing: Hearing, part: Mapping[str, Any], value: Any, there: dict[str, bool]) -> None:
    if value is None or value == "":
        return
    on, off = part.get("on"), part.get("off")
    if part.get("there"):
        state = boolean(value, on, off)
        if state is not None:
            there.pop(part["topic"], None)
            there[part["topic"]] = state  # the one heard last stands last
        return
    says = part.get("says")
    if not isinstance(says, str):
        return
    if part.get("event") or part.get("once"):
        pressed = is_press(value) if part.get("event") and says == "alarm.sos" else True
        if not part.get("event"):
            pressed = on is None or boolean(value, on, off) is True
        if pressed and says in TURNS:
            hearing.press(says)
        return
    hearing.say(
        says,
        str(part.get("name")),
        value,
        unit=part.get("unit"),
        on=on,
        off=off,
        inverted=bool(part.get("inverted")),
        along=bool(part.get("along")),
        coded=bool(part.get("coded")),
        holds=on is not None,
    )


def _announced_topic(topic: str, known: Knowledge) -> str:
    """The topic as it was announced: the same, or one with + for some of its levels."""
    if known.get(f"{_TOPIC}{topic}"):
        return topic
    levels = topic.split("/")
    for place, keys in known.items():
        if keys and place.startswith(_TOPIC) and "+" in place:
            wanted = place.removeprefix(_TOPIC).split("/")
            if len(wanted) == len(levels) and all(
                want in {"+", level} for want, level in zip(wanted, levels, strict=True)
            ):
                return "/".join(wanted)
    return topic


def _parts_on(topic: str, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is said on `topic`, each once.

    What is announced in two ways while a maker changes from one to the other is one part; and a button that
    is announced as an event and as triggers is heard as an event.
    """
    events = any(part.get("event") for part in _parts(entry))
    found: dict[str, dict[str, Any]] = {}
    for part in _parts(entry):
        if part.get("topic") != topic or (events and part.get("trigger")):
            continue
        what = [part.get("says"), part.get("plan"), part.get("on"), part.get("group")]
        found[msgspec.json.encode(what).decode()] = part
    return list(found.values())


def _shared_signs(entry: Mapping[str, Any]) -> set[str]:
    """Signs that a device measures with a part for each of its users: whose they are nobody says."""
    places: dict[str, set[str]] = {}
    for part in _parts(entry):
        if part.get("says") in METERED:
            place = msgspec.json.encode([part.get("topic"), part.get("plan")]).decode()
            places.setdefault(part["says"], set()).add(place)
    return {says for says, found in places.items() if len(found) > 1}


def _is_there(entry: Mapping[str, Any], there: Mapping[str, bool]) -> bool:
    """Whether a device is there, by what its availability topics said: while any of its parts is."""
    groups: dict[tuple[str, str], set[str]] = {}
    for part in _parts(entry):
        if part.get("there") and isinstance(part.get("topic"), str):
            place = (str(part.get("mode", "all")), str(part.get("group", "")))
            groups.setdefault(place, set()).add(part["topic"])
    found = []
    for (mode, _), topics in groups.items():
        states = [state for topic, state in there.items() if topic in topics]
        if states:
            found.append({"any": any(states), "latest": states[-1]}.get(mode, all(states)))
    return any(found) if found else all(there.values())


def _parts(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for parts in part_of(entry, "parts").values():
        if isinstance(parts, list):
            yield from (part for part in parts if isinstance(part, dict))


def _topics(entry: Mapping[str, Any]) -> set[str]:
    return {part["topic"] for part in _parts(entry) if isinstance(part.get("topic"), str)}


def _listening(
    key: str, entry: Mapping[str, Any], before: Mapping[str, Any], known: Knowledge
) -> dict[str, Any]:
    """Which devices speak on the topics that `key` speaks on now, or did."""
    now, then = _topics(entry), _topics(before)
    learnt: dict[str, Any] = {}
    for topic in now ^ then:
        place = f"{_TOPIC}{topic}"
        keys = known.get(place)
        others = [other for other in keys if other != key] if isinstance(keys, list) else []
        if topic in now:
            others = [*others, key][:LISTENERS_MAX]
        learnt[place] = others or None
    return learnt


def _without_repeats(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for number, part in enumerate(parts) if part not in parts[:number]]


def check(settings: HomeAssistantSettings) -> None:
    """NotUnderstoodError where the settings make no sense."""
    if not settings.prefix or any(letter in settings.prefix for letter in "+#"):
        raise NotUnderstoodError(f"prefix: {settings.prefix!r} is not a topic")
