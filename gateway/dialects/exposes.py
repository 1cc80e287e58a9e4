"""What a Zigbee device can say, from the list that Zigbee2MQTT gives of it (`definition.exposes`).

The list names every property with its type, unit and values, so that a model needs no code of ours. What
kind of property it is counts for more than its name: one that can be set is a setting, however it is called.
Source: zigbee2mqtt.io, Guide, Usage, Exposes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.dialects.names import STATE_NAMES, is_quiet, meaning_of, named_in, normalised, words_of
from gateway.dialects.values import NO_FAULT, SUSPICIONS, boolean, state, told_by, word
from gateway.dialects.words import SIGN_WORDS, TURNS, Meaning, spelled

PROPERTIES_MAX = 512
"""Properties of one device: some list a hundred settings before the first reading."""
FIELDS_MAX = 128
"""Properties of one device that say something to us."""
DEPTH_MAX = 4
MAY_PUBLISH = 0b001
MAY_SET = 0b010
ACTION = "action"
PRESENCE_TELLTALES = ("presence", "fall", "static", "sensor_status", "mmwave", "radar")
LIGHTS_AND_MOTORS = frozenset({"light", "switch", "cover", "lock", "fan", "climate"})
MOTORS = frozenset({"cover", "lock", "fan", "climate"})
SIREN_SECONDS = 600
"""How long a siren is told to sound, should the order to stop not reach it."""

CRIES = frozenset({"emergency", "sos", "panic", "help"})
PRESSES = spelled(
    "single double triple tripple quadruple quintuple many multi hold held long longpress press "
    "pressed click clicked short once twice touch tap push pushed"
)
RELEASES = frozenset({"release", "released", "releasing", "off", "up"})
_REMOTE = spelled(
    "on off toggle brightness color colour hue saturation temperature move step stop up down left "
    "right arrow recall store scene rotate rotating rotation dial volume open close lock unlock loop "
    "level dim bright next previous play pause arm disarm zones plus minus slider switch cover "
    "curtain shutter flip90 flip180 slide"
)
"""What remote controls do. Other gestures, such as shaking it, leave a button a button."""
_SOMEBODY = frozenset({"activity.motion", "activity.presence"})
_STATED = frozenset({"state", "status", "alert", "event", "posture", "alarm"})
_BEDS = frozenset({"bed", "mattress", "sleep", "sleeping"})
_NO_DOORS = _BEDS | {"water", "liquid", "level", "keypad", "rain"}
"""What is described so and has a contact is no door."""
_ALARMS_ALONE = frozenset({"alarm", "alarmstate", "alarmstatus", "alarmalarm"})
_ZONES_SAY = frozenset({"activity.door_open", "activity.motion"})
"""What a model is about whose alarm without a name is no alarm: the zone of a burglar alarm."""
_ALARMING = spelled(
    "alarm alarms alert alerts emergency sos help panic fall fallen fire smoke gas leak leakage flood "
    "detected detection danger intruder person human bed"
)
"""Words for which a property of a machine is counted as well, where nobody knows it."""
_MOVED_THINGS = frozenset({"activity.motion", "activity.door_open", "activity.door_closed"})
_NEVER_SET = frozenset({"contact", "sos"})
"""What no person can set, whatever the list says."""
_WORK = re.compile(r"(?:^|_)(?:window|vibration|moving|motor)(?:_|$)")


class Abilities(NamedTuple):
    """What a device can say and do.

    Attributes:
        fields: Of each property, what it says: mappings with `says`, and where given `unit`, `on`, `off` ….
        settings: Properties that say nothing of people, by name: settings, diagnostics, measurements.
        presses: It has buttons, …
        pure: … and is nothing but a button to call for help, not a remote control.
        siren: What makes it sound (`on`) and be silent (`off`), as payloads of `/set`; empty: it is none.
    """

    fields: dict[str, list[dict[str, Any]]]
    settings: list[str]
    presses: bool
    pure: bool
    siren: dict[str, Any]

    @property
    def says(self) -> set[str]:
        """Our words for all that it can say."""
        words = {mapping["says"] for mappings in self.fields.values() for mapping in mappings}
        return words | {"alarm.sos"} if self.presses else words


def abilities(exposes: Any, *, mains: bool, described: str = "") -> Abilities:
    """What `exposes` says.

    Args:
        exposes: As the hub gives it.
        mains: Whether the device hangs on the mains.
        described: The model's description, which tells what an alarm without a name is about.
    """
    features = list(_flat(exposes))
    kinds = {_text(feature, "type") for feature in _items(exposes)}
    names = {_property(feature) for feature in features}
    about = _About(
        senses_presence=mains
        or any(telltale in _text(feature, "name") for feature in features for telltale in PRESENCE_TELLTALES),
        motor=bool(kinds & MOTORS),
        machine=bool(kinds & LIGHTS_AND_MOTORS),
        presence_apart=bool(names & {"presence", "occupancy"}),
        described=words_of(described),
    )
    fields: dict[str, list[dict[str, Any]]] = {}
    settings: list[str] = []
    for feature in features:
        name = _property(feature)
        found = _mappings(feature, about)
        if found and len(fields) < FIELDS_MAX:
            fields[name] = found
        elif name != ACTION and _says_nothing(feature, about) and len(settings) < PROPERTIES_MAX:
            settings.append(name)
    actions = [
        action
        for feature in features
        if _text(feature, "name") == ACTION
        for action in _texts(feature, "values")
    ]
    presses = any(press(action) is not None for action in actions)
    remote = any(
        press(action) is None and not released(action) and _parts(action) & _REMOTE for action in actions
    )
    return Abilities(
        fields, settings, presses, pure=not (remote or kinds & LIGHTS_AND_MOTORS), siren=_siren(features)
    )


def press(action: str) -> bool | None:
    """Whether an action is a cry for help (True) or any press of a button (False); None: neither."""
    parts = _parts(action)
    if CRIES.intersection(parts):
        return True
    return False if not released(action) and PRESSES.intersection(parts) else None


def released(action: str) -> bool:
    """Whether an action is the end of a press, which says nothing."""
    return bool((RELEASES - {"up"}).intersection(_parts(action)))


def _parts(action: str) -> set[str]:
    return set(words_of(action))


class _About(NamedTuple):
    """What the whole list tells of each property in it."""

    senses_presence: bool
    motor: bool
    machine: bool
    presence_apart: bool
    described: list[str]


def _flat(exposes: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    for feature in _items(exposes):
        yield feature
        if depth < DEPTH_MAX and _text(feature, "type") in LIGHTS_AND_MOTORS:
            # The parts of a composite lie inside its own value, those of a light or switch beside the others.
            yield from _flat(feature.get("features"), depth + 1)


def _mappings(feature: Mapping[str, Any], about: _About) -> list[dict[str, Any]]:
    """All that one property says; empty: nothing."""
    name, kind = _property(feature), _text(feature, "type")
    if kind not in {"binary", "enum", "numeric", "text"} or not _may(feature, MAY_PUBLISH):
        return []
    if _may(feature, MAY_SET, unsaid=False) and name not in _NEVER_SET:
        return []
    if "stove" in about.described and (hot := _too_hot(feature)):
        return [hot]
    meaning = _named(feature, about)
    if kind == "numeric":
        return _measured(meaning, feature)
    if meaning is not None and meaning.says.startswith("vitals."):
        return []
    if about.motor and meaning is not None and meaning.says in _MOVED_THINGS and _WORK.search(name):
        return []  # a radiator's valve that feels a window, a shutter on its way
    if kind == "enum":
        return _of_values(feature, meaning, about)
    meaning = meaning or _unnamed(name, about)
    if meaning is None:
        return []
    found = _plain(meaning)
    on, off = feature.get("value_on"), feature.get("value_off")
    if kind == "binary" and _is_plain(on) and _is_plain(off):
        # For a contact, value_on is "false": the contact is open. So it is with us, where on is an open door.
        found["on"], found["off"] = on, off
        found.pop("inverted", None)
    return [found]


def _too_hot(feature: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a stove guard says before it burns."""
    values = _texts(feature, "values")
    hot = [value for value in values if word(value).startswith("high_temperatur")]
    if hot:
        return {"says": "alarm.smoke", "on": hot, "off": [value for value in values if value not in hot]}
    if _property(feature) != "high_temperature" or _text(feature, "type") != "binary":
        return None
    return {"says": "alarm.smoke"}


def _named(feature: Mapping[str, Any], about: _About) -> Meaning | None:
    """What a property says by its name, on such a device."""
    names = dict.fromkeys((_property(feature), _text(feature, "name")))
    meanings = (field_meaning(name, senses_presence=about.senses_presence) for name in names)
    meaning = next((found for found in meanings if found is not None), None)
    if meaning is None:
        return None
    if meaning.says in _SOMEBODY and "bed" in about.described:
        return Meaning("activity.in_bed")
    if meaning.says == "activity.door_open" and _NO_DOORS.intersection(about.described):
        return None  # a contact in a mat or a tank: which way it closes its list does not tell
    return meaning


def _measured(meaning: Meaning | None, feature: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a property says that is a number."""
    if meaning is None or not meaning.says.startswith(("vitals.", "status.")):
        return []
    if any(word.isdigit() for word in words_of(_property(feature))):
        return []  # of the parts of a hub, whose batteries are not its own
    found: dict[str, Any] = {"says": meaning.says}
    unit = _text(feature, "unit") or meaning.unit
    if unit and (meaning.says in SIGN_WORDS or meaning.says == "status.battery"):
        found["unit"] = unit
    return [found]


def _plain(meaning: Meaning) -> dict[str, Any]:
    found: dict[str, Any] = {"says": meaning.says}
    if meaning.inverted:
        found["inverted"] = True
    return found


def _of_values(feature: Mapping[str, Any], meaning: Meaning | None, about: _About) -> list[dict[str, Any]]:
    """What a property says that takes one of several words: by the words, where its name does not tell."""
    name, values = _property(feature), _texts(feature, "values")
    telling = told_by(values)
    somebody = next((told for told in telling if told.says == "activity.presence"), None)
    if meaning is not None and meaning.says == "activity.in_bed" and somebody is not None:
        return [{"says": meaning.says, "on": somebody.on, "off": somebody.off}]  # who sits on it is in bed
    if meaning is not None and meaning.says == "alarm.fault":
        return [_fault_of(values)]
    if meaning is not None and meaning.says not in _SOMEBODY:
        return [_plain(meaning)] if _turns_on(meaning, values) else []
    if about.presence_apart and (meaning is not None or telling):
        # Somebody is there as long as the other property says so.
        telling = [told for told in telling if told.says != "activity.presence"]
        if not telling and (meaning is None or meaning.says == "activity.presence"):
            return []
    if telling and (
        meaning is not None or _STATED.intersection(words_of(name)) or normalised(name) in STATE_NAMES
    ):
        moves = any(told.says == "activity.motion" for told in telling)
        return [
            {
                "says": told.says,
                "on": told.on,
                "off": told.off,
                # That somebody moves says that somebody is there.
                **({"along": True} if moves and told.says == "activity.presence" else {}),
            }
            for told in telling
        ]
    meaning = meaning or _unnamed(name, about, states=values)
    return [_plain(meaning)] if meaning is not None else []


def _turns_on(meaning: Meaning, values: Sequence[str]) -> bool:
    """Whether one of the values begins what is said: `charged` and `charging` tell of no low battery."""
    turn = TURNS.get(meaning.says)
    if turn is None or not values:
        return True
    return any(value and state(turn, value, inverted=meaning.inverted) is True for value in values) or bool(
        _suspicious(values)
    )


def _suspicious(values: Sequence[str]) -> list[str]:
    return [value for value in values if word(value) in SUSPICIONS]


def _fault_of(values: Sequence[str]) -> dict[str, Any]:
    """A fault by the names of all faults: whatever is not none of them is one."""
    off = [value for value in values if boolean(value) is False or word(value) in NO_FAULT]
    return {
        "says": "alarm.fault",
        "on": [value for value in values if value not in off],
        "off": off or ["none", "normal", "clear", ""],
    }


def _unnamed(name: str, about: _About, *, states: Sequence[str] | None = None) -> Meaning | None:
    """What a property says that is called an alarm and no more: what the model is described as."""
    if normalised(re.sub(r"\d", "", name)) not in _ALARMS_ALONE:
        return None
    found = named_in(about.described, strict=False)
    if found is None:
        return None
    if found.says.startswith("alarm."):
        return found if states is None or _turns_on(found, states) else None
    if found.says not in _ZONES_SAY or about.presence_apart or named_in(about.described) is None:
        return None
    # A window's `ALARM` may be that somebody breaks it: only a zone is plain enough.
    return found if states is None or found.says == "activity.motion" else None


def _says_nothing(feature: Mapping[str, Any], about: _About) -> bool:
    """Whether nobody would look for a person in this property: so it is not counted as unheard."""
    name, kind = _property(feature), _text(feature, "type")
    if _may(feature, MAY_SET, unsaid=False) or not _may(feature, MAY_PUBLISH):
        return True
    if kind not in {"binary", "enum", "text"} or is_quiet(name):
        return True
    values = _texts(feature, "values")
    told = {told.says for told in told_by(values)}
    if about.presence_apart and told == {"activity.presence"}:
        return True
    meaning = meaning_of(name)
    if meaning is not None and meaning.says == "alarm.low_battery":
        return True  # whether it is charged
    said = {part for text in (name, *values) for part in words_of(text)}
    if about.machine and not _ALARMING.intersection(said):
        return True
    return about.motor and bool(_WORK.search(name))


def field_meaning(name: str, *, senses_presence: bool = False) -> Meaning | None:
    """What a property of this name says on a Zigbee device."""
    if name == "pressure_state":
        return Meaning("activity.presence")  # a mat to sit or lie on
    if name.startswith(("moving", "window")):
        return None  # a shutter on its way; a radiator's valve that feels the cold
    meaning = meaning_of(name)
    words = words_of(name)
    if (
        meaning is not None
        and meaning.says.startswith("activity.")
        and "detection" in words
        and "pir" not in words
    ):
        return None  # whether it is to be detected
    if meaning is not None and meaning.says == "activity.motion" and "occupancy" in words_of(name):
        # A passive infrared sensor sees movement only; a radar sees that somebody is there.
        return Meaning("activity.presence" if senses_presence else "activity.motion")
    if name == "sensor_status":
        return Meaning("activity.motion")
    return meaning


def _siren(features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    for feature in features:
        name, kind = _text(feature, "name"), _text(feature, "type")
        if name == "warning" and kind == "composite":
            parts = {_text(part, "name"): part for part in _items(feature.get("features"))}
            modes = _texts(parts.get("mode", {}), "values")
            loud = next((mode for mode in ("emergency", "burglar", "fire") if mode in modes), "emergency")
            sound: dict[str, Any] = {"mode": loud, "duration": SIREN_SECONDS}
            levels = _texts(parts.get("level", {}), "values")
            if levels:
                sound["level"] = next(
                    (level for level in ("very_high", "high") if level in levels), levels[-1]
                )
            if "strobe" in parts:
                sound["strobe"] = True
            return {"on": {"warning": sound}, "off": {"warning": {**sound, "mode": "stop", "strobe": False}}}
        if name in {"alarm", "siren"} and kind == "binary" and _may(feature, MAY_SET):
            on, off = feature.get("value_on"), feature.get("value_off")
            if _is_plain(on) and _is_plain(off):
                return {"on": {name: on}, "off": {name: off}}
    return {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    return (
        [item for item in value[:PROPERTIES_MAX] if isinstance(item, dict)] if isinstance(value, list) else []
    )


def _text(feature: Mapping[str, Any], name: str) -> str:
    value = feature.get(name)
    return value if isinstance(value, str) and len(value) <= 64 else ""


def _texts(feature: Mapping[str, Any], name: str) -> list[str]:
    value = feature.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _property(feature: Mapping[str, Any]) -> str:
    return _text(feature, "property") or _text(feature, "name")


def _may(feature: Mapping[str, Any], what: int, *, unsaid: bool = True) -> bool:
    access = feature.get("access")
    return bool(access & what) if isinstance(access, int) else unsaid


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)
