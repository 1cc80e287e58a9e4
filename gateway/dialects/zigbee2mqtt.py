"""Zigbee2MQTT: a hub for Zigbee devices of all makers.

A device's key is its Zigbee address, not its name: people rename devices, and a renamed SOS button must not
become a stranger. Names and abilities come from the retained `bridge/devices`; until that was heard, what a
device says is understood by the names of its properties.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from gateway.clock import BUILT_MS
from gateway.dialects import Ignored, Knowledge, Order, Told
from gateway.dialects.exposes import ACTION, abilities, field_meaning, press, released
from gateway.dialects.hearing import Hearing, entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.words import OUR_WORDS, NotUnderstoodError, clean, json_of, text_of, time_ms
from protocol.model import DeviceKind, DeviceProposal

NAME = "zigbee2mqtt"
DEVICES_MAX = 1_000
"""Devices of all hubs; a Zigbee network has 200 or so."""
NAME_LETTERS_MAX = 128
IGNORE = "ignore"


class Zigbee2MqttSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Zigbee2MQTT is set up in the house."""

    base_topics: tuple[str, ...] = (NAME,)
    """`mqtt.base_topic` of each hub."""
    suspected_falls: bool = False
    """Alarm already when a radar suspects a fall (`maybe_fall`, `fall_warning`)."""
    devices: dict[str, dict[str, str]] = {}
    """By name or address: what a property says on that device; `!` before it: the other way round."""


class _Speaker(NamedTuple):
    """Who speaks on a topic: its key and what is known of it."""

    key: str
    name: str
    entry: dict[str, Any]


class Zigbee2Mqtt:
    """Zigbee2MQTT, as set up."""

    def __init__(self, settings: Zigbee2MqttSettings | None = None) -> None:
        self._settings = settings or Zigbee2MqttSettings()

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker. A device's name may have slashes, so it is all below the base."""
        return [f"{base}/#" for base in self._settings.base_topics]

    def filters(self, known: Knowledge) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        """All topic filters at the LAN broker."""
        return self.subscriptions

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means."""
        base = next((base for base in self._settings.base_topics if topic.startswith(f"{base}/")), None)
        if base is None:
            return Told()
        rest = topic[len(base) + 1 :]
        try:
            if rest.startswith("bridge/"):
                return self._learn(base, rest.removeprefix("bridge/"), payload, known)
            return self._hear(base, rest, payload, known, retained=retained)
        except NotUnderstoodError as error:
            return Told(ignored=[Ignored(None, str(error))])

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:
        """What makes the device sound or be silent; None where it was not announced as a siren."""
        entry = entry_of(known, key)
        order = part_of(entry, "siren").get("on" if on else "off")
        if (
            kind is not DeviceKind.SIREN
            or not isinstance(order, dict)
            or not isinstance(entry.get("topic"), str)
        ):
            return None
        return Order(f"{entry['topic']}/set", msgspec.json.encode(order))

    # What the hub says of itself.

    def _learn(self, base: str, leaf: str, payload: bytes, known: Knowledge) -> Told:
        if leaf == "devices":
            return self._learn_devices(base, json_of(payload), known)
        own = entry_of(known, NAME)
        if leaf == "groups":
            listed = json_of(payload)
            groups = _names(listed) if isinstance(listed, list) else []
            return _learnt(known, {NAME: {**own, "groups": {**part_of(own, "groups"), base: groups}}})
        if leaf == "info":
            info = json_of(payload)
            output = part_of(part_of(info if isinstance(info, dict) else {}, "config"), "advanced").get(
                "output"
            )
            attributes = {**part_of(own, "attributes"), base: output == "attribute"}
            return _learnt(known, {NAME: {**own, "attributes": attributes}})
        return Told()

    def _learn_devices(self, base: str, listed: Any, known: Knowledge) -> Told:
        if not isinstance(listed, list):
            raise NotUnderstoodError("bridge/devices is not a list")
        own = entry_of(known, NAME)
        names = {
            topic: key for topic, key in part_of(own, "names").items() if not topic.startswith(f"{base}/")
        }
        learnt: dict[str, Any] = {}
        proposed: list[DeviceProposal] = []
        for device in listed:
            if (
                not isinstance(device, dict)
                or device.get("type") == "Coordinator"
                or len(names) >= DEVICES_MAX
            ):
                continue
            try:
                key = key_of(NAME, device.get("ieee_address"))
            except NotUnderstoodError:
                continue
            friendly = device.get("friendly_name")
            topic = f"{base}/{clean(friendly, NAME_LETTERS_MAX) or device['ieee_address']}"
            names[topic] = key
            definition = part_of(device, "definition")
            able = abilities(
                definition.get("exposes"), mains=str(device.get("power_source", "")).startswith("Mains")
            )
            learnt[key] = {
                "topic": topic,
                # A model that the hub does not know has no list; then the names of its properties must do.
                **({"fields": able.fields, "pure": able.pure} if definition else {}),
                **({"siren": able.siren} if able.siren else {}),
                **({"last": last} if (last := part_of(entry_of(known, key), "last")) else {}),
            }
            overrides = self._overrides(topic.removeprefix(f"{base}/"), key)
            says = able.says | {_way(word)[0] for word in overrides.values()}.difference({IGNORE})
            if says.difference({"status.battery", "alarm.low_battery"}) or able.siren:
                kind = DeviceKind.SIREN if able.siren else None
                proposed.append(
                    proposal(
                        key, says, kind=kind, vendor=definition.get("vendor"), product=definition.get("model")
                    )
                )
        gone = {key: None for key in part_of(own, "names").values() if key not in names.values()}
        learnt = {NAME: {**own, "names": names}, **learnt, **gone}
        return _learnt(known, learnt)._replace(proposed=proposed)

    # What a device says.

    def _hear(self, base: str, rest: str, payload: bytes, known: Knowledge, *, retained: bool) -> Told:
        own = entry_of(known, NAME)
        names = part_of(own, "names")
        if rest.endswith("/availability") and f"{base}/{rest}" not in names:
            name = rest.removesuffix("/availability")
            if name in part_of(own, "groups").get(base, ()):
                return Told()
            return self._hear_availability(self._speaker(base, name, known), payload, retained, known)
        levels = rest.split("/")
        if any(level in {"set", "get"} for level in levels[1:]) and f"{base}/{rest}" not in names:
            return Told()  # an order to a device
        if rest in part_of(own, "groups").get(base, ()):
            return Told()
        parent, _, attribute = rest.rpartition("/")
        if f"{base}/{rest}" not in names and f"{base}/{parent}" in names:
            # The same once more, one topic a property, unless that is all the hub says.
            if part_of(own, "attributes").get(base) is not True:
                return Told()
            return self._hear_fields(
                self._speaker(base, parent, known), {attribute: _scalar(payload)}, retained, known
            )
        if not payload:
            return Told()  # a retained message was taken away
        fields = json_of(payload)
        if not isinstance(fields, dict):
            raise NotUnderstoodError("not a JSON object")
        return self._hear_fields(self._speaker(base, rest, known), fields, retained, known)

    def _speaker(self, base: str, name: str, known: Knowledge) -> _Speaker:
        topic = f"{base}/{name}"
        key = part_of(entry_of(known, NAME), "names").get(topic)
        if not isinstance(key, str):
            # Not in the hub's list, or the list was not heard yet. Unless somebody named it, its name is its
            # address.
            key = key_of(NAME, name)
        return _Speaker(key, name, entry_of(known, key))

    def _hear_availability(self, speaker: _Speaker, payload: bytes, retained: bool, known: Knowledge) -> Told:
        if not speaker.entry and retained:
            return Told()  # of a device, or a group, that nobody has heard of
        state = _scalar(payload)
        hearing = Hearing(speaker.key, part_of(speaker.entry, "last"), retained=retained, speaks=False)
        hearing.say("status.online", "availability", state.get("state") if isinstance(state, dict) else state)
        return _told(speaker, hearing, known)

    def _hear_fields(
        self, speaker: _Speaker, fields: Mapping[str, Any], retained: bool, known: Knowledge
    ) -> Told:
        hearing = self._hearing(speaker, retained, _seen_ms(fields.get("last_seen")))
        listed = speaker.entry.get("fields")
        overrides = self._overrides(speaker.name, speaker.key)
        for name, value in fields.items():
            if name in overrides:
                says, inverted = _way(overrides[name])
                if says != IGNORE:
                    hearing.say(says, name, value, inverted=inverted)
            elif name == ACTION:
                _hear_action(hearing, value, pure=bool(speaker.entry.get("pure", True)))
            elif isinstance(listed, dict):
                if isinstance(field := listed.get(name), dict):
                    hearing.say(name=name, value=value, **field)
            elif (meaning := field_meaning(name)) is not None:
                hearing.say(meaning.says, name, value, unit=meaning.unit, inverted=meaning.inverted)
        return _told(speaker, hearing, known)

    def _hearing(self, speaker: _Speaker, retained: bool, ts_ms: int | None) -> Hearing:
        return Hearing(
            speaker.key,
            part_of(speaker.entry, "last"),
            retained=retained,
            ts_ms=ts_ms,
            suspicions=self._settings.suspected_falls,
        )

    def _overrides(self, name: str, key: str) -> dict[str, str]:
        devices = self._settings.devices
        return devices.get(key.removeprefix(f"{NAME}:")) or devices.get(name) or {}


def _way(word: str) -> tuple[str, bool]:
    """Our word, and whether the property says it the other way round."""
    return word.removeprefix("!"), word.startswith("!")


def _hear_action(hearing: Hearing, action: Any, *, pure: bool) -> None:
    """A button. Nothing and null follow each press and come at each reconnect: they say nothing."""
    if not isinstance(action, str) or not action.strip() or released(action):
        return
    pressed = press(action)
    if pressed or (pressed is False and pure):
        # Also with battery 0: some buttons then call by themselves, but a person may have pressed. The
        # battery goes along, and the centre decides.
        hearing.press()
    elif pressed is False:
        hearing.ignore("a press on a remote control")
    else:
        hearing.ignore("an action that is no call for help")


def _told(speaker: _Speaker, hearing: Hearing, known: Knowledge) -> Told:
    heard = hearing.heard()
    entry = dict(speaker.entry)
    last = hearing.remembered()
    if last is not None:
        entry["last"] = last
    proposed = []
    if "fields" not in entry:
        said = set(entry.get("says", ()))
        if hearing.says - said:
            entry["says"] = sorted(hearing.says | said)
            proposed.append(proposal(speaker.key, hearing.says | said))
    learnt = {speaker.key: entry} if entry != speaker.entry else {}
    return Told(heard, proposed, hearing.ignored(), with_room(known, learnt))


def _learnt(known: Knowledge, learnt: dict[str, Any]) -> Told:
    return Told(
        learnt=with_room(known, {key: entry for key, entry in learnt.items() if known.get(key) != entry})
    )


def _names(listed: Sequence[Any]) -> list[str]:
    names = [item.get("friendly_name") for item in listed[:DEVICES_MAX] if isinstance(item, dict)]
    return [name for name in names if isinstance(name, str) and len(name) <= NAME_LETTERS_MAX]


def _scalar(payload: bytes) -> Any:
    """A JSON value, or else plain text."""
    try:
        return json_of(payload)
    except NotUnderstoodError:
        return text_of(payload)


def _seen_ms(value: Any) -> int | None:
    """When the hub heard the device, unless its clock cannot have been right: then ours knows better."""
    found = time_ms(value)
    return found if found is not None and found >= BUILT_MS else None


def check(settings: Zigbee2MqttSettings) -> None:
    """NotUnderstoodError where the settings use words that nobody knows."""
    for base in settings.base_topics:
        if not base or clean(base, 128) != base or any(letter in base for letter in "+#"):
            raise NotUnderstoodError(f"base_topics: {base!r} is not a topic")
    for device, fields in settings.devices.items():
        for name, says in fields.items():
            if says.removeprefix("!") not in OUR_WORDS | {IGNORE}:
                words = ", ".join(sorted(OUR_WORDS | {IGNORE}))
                raise NotUnderstoodError(f"devices.{device}.{name}: {says!r} is unknown; known are {words}")
