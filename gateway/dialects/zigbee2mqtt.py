"""Zigbee2MQTT: a hub for Zigbee devices of all makers.

A device's key is its Zigbee address, not its name: people rename devices, and a renamed SOS button must not
become a stranger. Names and abilities come from the retained `bridge/devices`; until that was heard, what a
device says is understood by the names of its properties.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from gateway.clock import BUILT_MS
from gateway.dialects import Ignored, Knowledge, Order, Told, byname
from gateway.dialects.exposes import ACTION, abilities, field_meaning, press, released
from gateway.dialects.hearing import UNKNOWN, Hearing
from gateway.dialects.known import entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.names import SUBSTANCES, is_quiet, normalised
from gateway.dialects.payload import json_of, text_of
from gateway.dialects.quantities import quantities
from gateway.dialects.times import time_ms
from gateway.dialects.values import clean, folded
from gateway.dialects.words import OUR_WORDS, NotUnderstoodError
from protocol.model import DeviceKind, DeviceProposal

NAME = "zigbee2mqtt"
DEVICES_MAX = 1_000
"""Devices of all hubs; a Zigbee network has 200 or so."""
NAME_LETTERS_MAX = 128
DESCRIPTION_LETTERS_MAX = 256
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
            named = clean(friendly, NAME_LETTERS_MAX)
            # As it stands, with space around it: so are its topics.
            as_is = friendly if named == str(friendly).strip() else named
            topic = f"{base}/{as_is or key.removeprefix(f'{NAME}:')}"
            names[topic] = key
            definition = part_of(device, "definition")
            able = abilities(
                definition.get("exposes"),
                mains=str(device.get("power_source", "")).startswith("Mains"),
                described=clean(definition.get("description"), DESCRIPTION_LETTERS_MAX) or "",
            )
            learnt[key] = {
                "topic": topic,
                # A model that the hub does not know has no list; then the names of its properties must do.
                **(
                    {
                        "fields": able.fields,
                        "settings": able.settings,
                        "pure": able.pure,
                        "acts": able.presses,
                    }
                    if definition
                    else {}
                ),
                **({"siren": able.siren} if able.siren else {}),
                **({"cries": True} if _has_state_cry(able.fields) else {}),
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
        groups = {folded(name) for name in part_of(own, "groups").get(base, ()) if isinstance(name, str)}
        listed = _listed(names, base, rest)
        if rest.endswith("/availability") and not listed:
            name = rest.removesuffix("/availability")
            if folded(name) in groups:
                return Told()
            return self._hear_availability(self._speaker(base, name, known), payload, retained, known)
        levels = rest.split("/")
        if any(level in {"set", "get"} for level in levels[1:]) and not listed:
            return Told()  # an order to a device
        if folded(rest) in groups:
            return Told()
        parent, _, attribute = rest.rpartition("/")
        if not listed and parent and _listed(names, base, parent):
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
        key = _listed(part_of(entry_of(known, NAME), "names"), base, name)
        if key is None:
            # Not in the hub's list, or the list was not heard yet. Unless somebody named it, its name is its
            # address.
            key = key_of(NAME, name, known)
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
        held = _Held(speaker, hearing, fields)
        for name, value in fields.items():
            if name in overrides:
                says, inverted = _way(overrides[name])
                if says != IGNORE:
                    hearing.say(says, name, value, inverted=inverted)
            elif name == ACTION:
                _hear_action(hearing, value, pure=bool(speaker.entry.get("pure", True)))
            elif isinstance(listed, dict):
                _hear_listed(hearing, name, value, speaker.entry, held)
            else:
                _hear_unlisted(hearing, name, value, held)
        held.remember()
        return _told(speaker, hearing, known)

    def _hearing(self, speaker: _Speaker, retained: bool, ts_ms: int | None) -> Hearing:
        return Hearing(
            speaker.key,
            part_of(speaker.entry, "last"),
            retained=retained,
            ts_ms=ts_ms,
            suspicions=self._settings.suspected_falls,
            mappings=_mapping_names(speaker.entry.get("fields")),
        )

    def _overrides(self, name: str, key: str) -> dict[str, str]:
        wanted = {folded(name), folded(key.removeprefix(f"{NAME}:"))}
        devices = self._settings.devices
        return next((fields for device, fields in devices.items() if folded(device) in wanted), {})


class _Held:
    """A call for help that is a state, and so stands in every message of the hub until it ends.

    A device with an `action` tells each press there. Of others a press is told when the state begins. One
    that never says that it has ended is heard again when a message brings nothing else that is new: it was
    not the battery or the hub that made the device speak. Unless the device is known to report what has not
    changed: then it cannot be told from a press, and is counted. A hub that leaves out what it only
    remembers (`cache_state: false`) says a state only when the device did.
    """

    def __init__(self, speaker: _Speaker, hearing: Hearing, fields: Mapping[str, Any]) -> None:
        self._hearing = hearing
        self._acts = bool(speaker.entry.get("acts")) or ACTION in fields
        self._may_cry = bool(speaker.entry.get("cries")) and not self._acts
        self._fields = fields
        self._cries: set[str] = set()
        self._others: tuple[str, bool] | None = None
        self._whole = ""

    def say(self, name: str, value: Any, **given: Any) -> None:
        """Say the state `name`."""
        self._cries.add(name.partition(":")[0])
        ended = f"{name} ends"
        if self._hearing.said_off("alarm.sos", value, **given):
            self._hearing.remember(ended, True)
        again = not self._acts and self._hearing.was(name) is True and self._hearing.was(ended) is not True
        if again and self._hearing.was(APART) is not True:
            again = self._is_told_anew(name, value)
        self._hearing.say("alarm.sos", name, value, holds=not again, **given)
        self._hearing.remember(LASTS, self._hearing.was(name) is True)

    def _is_told_anew(self, name: str, value: Any) -> bool:
        rest, only_bits = self._rest()
        if self._hearing.was(REST) != rest or self._hearing.was(WHOLE) == self._digest():
            return False
        if self._hearing.was(REPORTS) is True and not only_bits:
            self._hearing.ignore("a call for help that never ends: a press, or only a report", name, value)
            return False
        return True

    def remember(self) -> None:
        """Keep what the next message is compared with."""
        lasts = self._hearing.was(LASTS)
        if lasts is None and not self._may_cry:
            return
        if lasts is True and not self._cries:
            self._hearing.remember(APART, True)
        rest, whole = self._rest()[0], self._digest()
        if lasts is not True and self._hearing.was(REST) == rest and self._hearing.was(WHOLE) != whole:
            self._hearing.remember(REPORTS, True)
        self._hearing.remember(REST, rest)
        self._hearing.remember(WHOLE, whole)

    def _rest(self) -> tuple[str, bool]:
        """What else is said, in short, and whether all of it is on or off."""
        if self._others is None:
            others = {
                name: each
                for name, each in self._fields.items()
                if normalised(name) not in RADIO and name not in self._cries
            }
            bits = all(each is None or isinstance(each, bool) for each in others.values())
            self._others = _digest(others), bits
        return self._others

    def _digest(self) -> str:
        self._whole = self._whole or _digest(self._fields)
        return self._whole


REST, WHOLE = "rest", "whole"
LASTS, APART, REPORTS = "sos lasts", "sos apart", "sos reports"
"""Whether a call for help lasts; whether a message without it came meanwhile, so that the hub repeats
nothing; and whether the device reports what has not changed."""
RADIO = frozenset({"linkquality", "lastseen", "rssi", "lqi", "elapsed"})
"""Properties that are new in each message."""


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.blake2s(msgspec.json.encode(fields, order="sorted"), digest_size=8).hexdigest()


def _listed(names: Mapping[str, Any], base: str, name: str) -> str | None:
    """The key of a device in the hub's list; where none has just this name, of one that is spelt like it."""
    found = names.get(f"{base}/{name}")
    if found is None:
        like = folded(name)
        found = next(
            (
                key
                for topic, key in names.items()
                if topic.startswith(f"{base}/") and folded(topic[len(base) + 1 :]) == like
            ),
            None,
        )
    return found if isinstance(found, str) else None


def _mappings_of(listed: Any) -> list[dict[str, Any]]:
    """What one property says, as it was learnt."""
    return [item for item in (listed if isinstance(listed, list) else [listed]) if isinstance(item, dict)]


def _has_state_cry(fields: Mapping[str, list[dict[str, Any]]]) -> bool:
    return any(mapping["says"] == "alarm.sos" for mappings in fields.values() for mapping in mappings)


def _mapping_names(fields: Any) -> set[str] | None:
    if not isinstance(fields, dict):
        return None
    return {_mapping_name(name, item, fields[name]) for name in fields for item in _mappings_of(fields[name])}


def _mapping_name(name: str, mapping: Mapping[str, Any], listed: Any) -> str:
    return name if len(_mappings_of(listed)) == 1 else f"{name}:{mapping.get('says')}"


def _hear_listed(hearing: Hearing, name: str, value: Any, entry: Mapping[str, Any], held: _Held) -> None:
    listed = part_of(entry, "fields").get(name)
    mappings = [mapping for mapping in _mappings_of(listed) if isinstance(mapping.get("says"), str)]
    for mapping in mappings:
        says = mapping["says"]
        given = {
            word: mapping[word] for word in ("unit", "on", "off", "inverted", "along") if word in mapping
        }
        place = _mapping_name(name, mapping, listed)
        for found in quantities({name: value}):
            if says == "alarm.sos":
                held.say(place, found.value, **{word: given[word] for word in given if word != "unit"})
            else:
                given["unit"] = given.get("unit") or found.unit_of(says)
                hearing.say(says, place, found.value, path=name, **given)
    settings = entry.get("settings")
    if not mappings and not is_quiet(name) and not (isinstance(settings, list) and name in settings):
        hearing.ignore(UNKNOWN, name, value)


def _hear_unlisted(hearing: Hearing, name: str, value: Any, held: _Held) -> None:
    meaning = field_meaning(name)
    if meaning is not None and meaning.says == "alarm.sos":
        held.say(name, value)
    elif meaning is not None:
        # The hub tells alarms by true and false; a number is how much there is of it.
        meaning = meaning._replace(coded=meaning.coded or meaning.says in SUBSTANCES)
        for found in quantities({name: value}):
            byname.say_as(hearing, meaning, found._replace(path=name))
    else:
        for found in quantities({name: value}):
            byname.say(hearing, found, None)


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
