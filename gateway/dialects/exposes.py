"""What a Zigbee device can say, from the list that Zigbee2MQTT gives of it (`definition.exposes`).

The list names every property with its type, unit and values, so that a model needs no code of ours.
Source: zigbee2mqtt.io, Guide, Usage, Exposes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.dialects.words import SIGN_WORDS, Meaning, meaning_of

PROPERTIES_MAX = 64
DEPTH_MAX = 4
MAY_PUBLISH = 0b001
MAY_SET = 0b010
ACTION = "action"
PRESENCE_TELLTALES = ("presence", "fall", "static", "sensor_status")
LIGHTS_AND_MOTORS = frozenset({"light", "switch", "cover", "lock", "fan", "climate"})
SIREN_SECONDS = 600
"""How long a siren is told to sound, should the order to stop not reach it."""

CRIES = frozenset({"emergency", "sos", "panic", "help"})
PRESSES = frozenset(
    {"single", "double", "triple", "quadruple", "hold", "long", "press", "pressed", "click", "short"}
)
RELEASES = frozenset({"release", "released", "off"})


class Abilities(NamedTuple):
    """What a device can say and do.

    Attributes:
        fields: Of each property, what it says: `says`, and where given `unit`, `on`, `off`, `inverted`.
        presses: It has buttons, …
        pure: … and is nothing but a button to call for help, not a remote control.
        siren: What makes it sound (`on`) and be silent (`off`), as payloads of `/set`; empty: it is none.
    """

    fields: dict[str, dict[str, Any]]
    presses: bool
    pure: bool
    siren: dict[str, Any]

    @property
    def says(self) -> set[str]:
        """Our words for all that it can say."""
        words = {field["says"] for field in self.fields.values()}
        return words | {"alarm.sos"} if self.presses else words


def abilities(exposes: Any, *, mains: bool) -> Abilities:
    """What `exposes` says; `mains` is whether the device hangs on the mains."""
    features = list(_flat(exposes))
    senses_presence = mains or any(
        telltale in _text(feature, "name") for feature in features for telltale in PRESENCE_TELLTALES
    )
    fields: dict[str, dict[str, Any]] = {}
    for feature in features:
        found = _field(feature, senses_presence=senses_presence)
        if found is not None and len(fields) < PROPERTIES_MAX:
            fields[_text(feature, "property") or _text(feature, "name")] = found
    actions = [
        action
        for feature in features
        if _text(feature, "name") == ACTION
        for action in _texts(feature, "values")
    ]
    presses = any(press(action) is not None for action in actions)
    remote = any(press(action) is None and not released(action) for action in actions)
    moves = any(_text(feature, "type") in LIGHTS_AND_MOTORS for feature in _items(exposes))
    return Abilities(fields, presses, pure=not (remote or moves), siren=_siren(features))


def press(action: str) -> bool | None:
    """Whether an action is a cry for help (True) or any press of a button (False); None: neither."""
    parts = action.casefold().replace("-", "_").split("_")
    if CRIES.intersection(parts):
        return True
    return False if not released(action) and PRESSES.intersection(parts) else None


def released(action: str) -> bool:
    """Whether an action is the end of a press, which says nothing."""
    return bool(RELEASES.intersection(action.casefold().replace("-", "_").split("_")))


def _flat(exposes: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    for feature in _items(exposes):
        yield feature
        if depth < DEPTH_MAX and _text(feature, "type") in LIGHTS_AND_MOTORS:
            # The parts of a composite lie inside its own value, those of a light or switch beside the others.
            yield from _flat(feature.get("features"), depth + 1)


def _field(feature: Mapping[str, Any], *, senses_presence: bool) -> dict[str, Any] | None:
    name, kind = _text(feature, "name"), _text(feature, "type")
    if kind not in {"binary", "enum", "numeric", "text"} or not _may(feature, MAY_PUBLISH):
        return None
    meaning = field_meaning(name, senses_presence=senses_presence)
    if meaning is None:
        return None
    if (kind == "numeric") != meaning.says.startswith(("vitals.", "status.")):
        return None  # such as the sensitivity to motion, a number
    found: dict[str, Any] = {"says": meaning.says}
    if meaning.says in SIGN_WORDS and _text(feature, "unit"):
        found["unit"] = _text(feature, "unit")
    on, off = feature.get("value_on"), feature.get("value_off")
    if kind == "binary" and _is_plain(on) and _is_plain(off):
        # For a contact, value_on is "false": the contact is open. So it is with us, where on is an open door.
        found["on"], found["off"] = on, off
    elif meaning.inverted:
        found["inverted"] = True
    return found


def field_meaning(name: str, *, senses_presence: bool = False) -> Meaning | None:
    """What a property of this name says on a Zigbee device."""
    if name == "occupancy":
        # A passive infrared sensor sees movement only; a radar sees that somebody is there.
        return Meaning("activity.presence" if senses_presence else "activity.motion")
    if name in {"motion_state", "presence_state", "human_motion_state"}:
        return Meaning("activity.motion")
    return meaning_of(name)


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


def _may(feature: Mapping[str, Any], what: int) -> bool:
    access = feature.get("access")
    return not isinstance(access, int) or bool(access & what)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)
