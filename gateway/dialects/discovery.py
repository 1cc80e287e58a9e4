"""Home Assistant's MQTT discovery: what a device announces of itself, and what it means in our words.

Source: home-assistant.io, Integrations, MQTT, Discovery; binary sensor, sensor, event, siren, device trigger.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.dialects.exposes import press
from gateway.dialects.known import part_of
from gateway.dialects.names import (
    ANY_TEMPERATURE,
    STATE_NAMES,
    SUBSTANCES,
    meaning_of,
    named_in,
    normalised,
    words_of,
)
from gateway.dialects.template import Plan, plan
from gateway.dialects.units import converted
from gateway.dialects.values import clean, told_by
from gateway.dialects.words import Meaning, NotUnderstoodError, spelled

COMPONENTS_MAX = 100
"""Parts of one device."""
TOPIC_LETTERS_MAX = 256
ADDRESS_LETTERS_MIN = 8
"""Letters of an address that no other device will have by chance."""
HEARD_COMPONENTS = frozenset({"binary_sensor", "sensor", "event", "siren", "device_automation"})
"""Components that say something, or that we can order about."""

_SHORT = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "atype": "automation_type",
    "cmd_t": "command_topic",
    "cmd_tpl": "command_template",
    "cmps": "components",
    "cns": "connections",
    "dev": "device",
    "dev_cla": "device_class",
    "ent_cat": "entity_category",
    "evt_typ": "event_types",
    "ids": "identifiers",
    "mdl": "model",
    "mf": "manufacturer",
    "o": "origin",
    "obj_id": "object_id",
    "off_dly": "off_delay",
    "ops": "options",
    "p": "platform",
    "pl": "payload",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "stat_cla": "state_class",
    "stat_t": "state_topic",
    "stype": "subtype",
    "sw": "sw_version",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}

_CLASSES: dict[str, Meaning] = {
    "motion": Meaning("activity.motion"),
    "moving": Meaning("activity.motion"),
    "vibration": Meaning("activity.motion"),
    "occupancy": Meaning("activity.presence"),
    "presence": Meaning("activity.presence"),
    "door": Meaning("activity.door_open"),
    "window": Meaning("activity.door_open"),
    "opening": Meaning("activity.door_open"),
    "garage_door": Meaning("activity.door_open"),
    "smoke": Meaning("alarm.smoke"),
    "gas": Meaning("alarm.gas"),
    "carbon_monoxide": Meaning("alarm.gas"),
    "moisture": Meaning("alarm.water"),
    "tamper": Meaning("alarm.tamper"),
    "problem": Meaning("alarm.fault"),
    "battery": Meaning("alarm.low_battery"),
    "connectivity": Meaning("status.online"),
}
"""Device classes of binary sensors: they tell more than any word in a name."""

_GENERAL_CLASSES = frozenset({None, "", "None", "safety"})
"""Where only the name tells what it is about."""
_PERSONAL = (
    "activity.",
    "alarm.sos",
    "alarm.fall",
    "alarm.bed_exit",
    "alarm.wandering",
    "alarm.weak",
    "vitals.",
)
_MEASURED_CLASSES = frozenset(
    {"weight", "blood_glucose_concentration", "frequency", "temperature", "body_temperature"}
)
_BED = frozenset({"bed", "mattress", "床", "在床"})
_REST = spelled("button alarm alert detected triggered pressed call press key switch")
"""Words by which an entity is what its device is named after: the `Button` of the device `SOS`."""
MODES = frozenset({"all", "any", "latest"})


class Component(NamedTuple):
    """One part of a device, as announced, with all its names in full."""

    platform: str
    ident: str
    config: dict[str, Any]


class Announced(NamedTuple):
    """A device, or one part of it."""

    address: str
    device: dict[str, Any]
    origin: str
    components: list[Component]


def announced(levels: list[str], config: Any) -> Announced:
    """What is announced on `…/levels/config`; NotUnderstoodError where it is no announcement."""
    if not isinstance(config, dict):
        raise NotUnderstoodError("a discovery that is not a JSON object")
    full = _in_full(config)
    device = part_of(full, "device")
    components = []
    if levels[0] == "device":
        shared = {name: value for name, value in full.items() if name not in {"device", "components"}}
        for ident, part in list(part_of(full, "components").items())[:COMPONENTS_MAX]:
            if isinstance(part, dict) and isinstance(part.get("platform"), str):
                components.append(Component(part["platform"], ident, {**shared, **part}))
    else:
        components.append(Component(levels[0], "/".join(levels[1:]), full))
    address = _address(device) or full.get("unique_id") or "/".join(levels[1:])
    if not isinstance(address, str):
        raise NotUnderstoodError("a device without an address")
    origin = part_of(full, "origin").get("name")
    return Announced(address, device, origin if isinstance(origin, str) else "", components)


def entity(component: Component, device: Mapping[str, Any], address: str = "") -> list[dict[str, Any]]:
    """How a component of a device is heard: its `topic`, what it `says` …, as plain JSON.

    Empty where it has nothing for us; NotUnderstoodError where it may have, in a way that we cannot read.
    """
    platform, ident, config = component
    if platform not in HEARD_COMPONENTS:
        return []
    if platform == "siren":
        return [_siren(config)]
    if platform == "device_automation":
        trigger = _trigger(config)
        return [] if trigger is None else [trigger]
    titles = _Titles.of(ident, config, clean(device.get("name")) or "")
    meanings = _meanings(platform, config, titles)
    if not meanings:
        if platform != "sensor" or not _is_measured(config) or _is_vital(config):
            _refuse_unknown(platform, config)
        return []
    shared: dict[str, Any] = {
        "topic": _topic(config.get("state_topic"), address),
        "plan": plan(config.get("value_template")),
        **({"uid": config["unique_id"][:64]} if isinstance(config.get("unique_id"), str) else {}),
    }
    if platform == "event":
        if "value_template" not in config:
            shared["plan"] = ["value_json", ["event_type"], []]
        return [{**shared, "says": meanings[0]["says"], "event": True}]
    if platform == "binary_sensor":
        shared["on"] = _scalar(config.get("payload_on"), "ON")
        shared["off"] = _scalar(config.get("payload_off"), "OFF")
        if "off_delay" in config:
            shared["once"] = True  # it never says that it is off
    return [{**shared, **meaning} for meaning in meanings]


def availability(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a component says whether it is there: `topic`, `plan`, `on`, `off`, and the `mode` of several."""
    listed = config.get("availability")
    if not isinstance(listed, list):
        topic = config.get("availability_topic")
        listed = (
            []
            if topic is None
            else [{**config, "topic": topic, "value_template": config.get("availability_template")}]
        )
    mode = config.get("availability_mode")
    found = [
        {
            "topic": _topic(item.get("topic")),
            "plan": plan(item.get("value_template")),
            "on": _scalar(item.get("payload_available"), "online"),
            "off": _scalar(item.get("payload_not_available"), "offline"),
            "mode": mode if mode in MODES else "latest",
        }
        for item in listed[:8]
        if isinstance(item, dict)
    ]
    group = " ".join(sorted(item["topic"] for item in found))
    return [{**item, "group": group} for item in found]


def is_press(event: Any) -> bool:
    """Whether an event's type is the press of a button, and not its release."""
    return isinstance(event, str) and press(event) is not None


_USERS = frozenset({"user", "person", "member", "profile", "guest"})
_VITAL_UNITS = frozenset({"mmhg", "bpm", "brpm", "mg/dl", "mmol/l"})
"""Units in which hardly anything but people is measured."""


class _Titles(NamedTuple):
    """What an entity is called.

    Attributes:
        own: Its names without that of its device, which says what the device is for and not the entity.
        whole: All words of its names.
    """

    own: list[str]
    whole: list[str]

    @property
    def each(self) -> list[list[str]]:
        """The words of each of its names."""
        return [words_of(name) for name in self.own]

    @classmethod
    def of(cls, ident: str, config: Mapping[str, Any], device: str) -> "_Titles":
        names = [config.get("object_id"), config.get("name"), ident.rpartition("/")[2]]
        steps = _plan(config)[1]
        names += [step for step in steps[-1:] if isinstance(step, str)]  # what the device itself calls it
        texts = [name for name in names if isinstance(name, str)]
        prefix = words_of(device)
        own = []
        for text in texts:
            words = words_of(text)
            if prefix and words[: len(prefix)] == prefix:
                rest = words[len(prefix) :]
                # An entity that is called as its device, or as much as that, is what the device is for.
                own.append(" ".join(rest) if rest and not _REST.issuperset(rest) else text)
            else:
                own.append(f"{device} {text}" if words and _REST.issuperset(words) else text)
        return cls(own, [word for text in [*texts, device] for word in words_of(text)])


def _plan(config: Mapping[str, Any]) -> Plan:
    try:
        return plan(config.get("value_template"))
    except NotUnderstoodError:
        return plan(None)


def _meanings(platform: str, config: Mapping[str, Any], titles: _Titles) -> list[dict[str, Any]]:
    """What a component says, as the parts of what is learnt of it; empty: nothing for us."""
    if platform == "binary_sensor":
        found = _of_binary(config, titles)
    elif platform == "event":
        # A button that does nothing but call its press out calls for help.
        found = _by_name(titles) if config.get("device_class") != "button" else Meaning("alarm.sos")
        found = found if found is not None and found.says == "alarm.sos" else None
    elif _is_measured(config):
        found = _of_measured(config, titles)
    else:
        found = _by_name(titles)
        options = config.get("options")
        texts = [item for item in options if isinstance(item, str)] if isinstance(options, list) else []
        if (
            texts
            and (found is None or found.says in {"activity.motion", "activity.presence"})
            and any(normalised(name) in STATE_NAMES or found is not None for name in titles.own)
        ):
            told = told_by(texts)
            if told:
                return [{"says": each.says, "on": each.on, "off": each.off, "along": True} for each in told]
        if found is not None and not found.says.startswith(("alarm.", "activity.")):
            found = found if found.says.startswith("vitals.") else None
    if found is None or _is_set_up(config, found):
        return []
    return [
        {
            "says": found.says,
            **({"unit": found.unit[:32]} if found.unit else {}),
            **({"inverted": True} if found.inverted else {}),
            # A sensor's number is how much there is of it.
            **({"coded": True} if platform == "sensor" and found.says in SUBSTANCES else {}),
        }
    ]


def _is_set_up(config: Mapping[str, Any], meaning: Meaning) -> bool:
    """Whether it is a setting or a diagnostic of the device; these are about no person."""
    return bool(config.get("entity_category")) and meaning.says.startswith(_PERSONAL)


def _of_binary(config: Mapping[str, Any], titles: _Titles) -> Meaning | None:
    kind = config.get("device_class")
    if kind in {"occupancy", "presence"}:
        return Meaning("activity.in_bed") if _BED.intersection(titles.whole) else _CLASSES[kind]
    if isinstance(kind, str) and kind in _CLASSES:
        return _CLASSES[kind]
    found = _by_name(titles) if kind in _GENERAL_CLASSES else None
    return (
        None if found is None or found.says.startswith(("vitals.", "status.battery", "status.fw")) else found
    )


def _is_measured(config: Mapping[str, Any]) -> bool:
    """Whether a sensor tells a number, and so no alarm: how much gas there is, or was used."""
    kind = config.get("device_class")
    return bool(
        config.get("unit_of_measurement")
        or config.get("state_class")
        or (isinstance(kind, str) and kind not in _GENERAL_CLASSES and kind != "enum")
    )


def _of_measured(config: Mapping[str, Any], titles: _Titles) -> Meaning | None:
    kind, unit = config.get("device_class"), config.get("unit_of_measurement")
    if kind == "battery":
        return Meaning("status.battery", unit) if unit in {None, "", "%"} else None
    if kind == "signal_strength":
        return Meaning("status.rssi") if unit == "dBm" else None
    if kind == "blood_glucose_concentration":
        found: Meaning | None = Meaning("vitals.glucose")
    elif kind == "weight":
        # `Xiaomi Mi Scale Weight`; what is weighed for one of several users is not the device's.
        named = any(
            words and words[-1] == "weight" and not _USERS.intersection(words) for words in titles.each
        )
        found = _by_name(titles) or (Meaning("vitals.weight") if named else None)
    elif kind == "temperature":
        body = {"body", "体温"}.intersection(titles.whole) or any("体温" in word for word in titles.whole)
        found = Meaning("vitals.temp") if body else None
    elif kind in _GENERAL_CLASSES or kind in _MEASURED_CLASSES:
        found = _by_name(titles)
    else:
        found = None
    if found is None or not found.says.startswith("vitals."):
        return None
    if isinstance(unit, str) and unit:
        converted(found.says.removeprefix("vitals."), 1.0, unit)
        return found._replace(unit=unit)
    return found


def _by_name(titles: _Titles) -> Meaning | None:
    """What the names tell: each by itself, then by a cry, a fall or a bed among their words."""
    found = [
        meaning
        for name in titles.own
        if normalised(name) not in ANY_TEMPERATURE and (meaning := meaning_of(name)) is not None
    ]
    cries = [meaning for meaning in found if meaning.says in {"alarm.sos", "alarm.fall"}]
    if cries or found:
        return (cries or found)[0]
    return next((meaning for name in titles.own if (meaning := named_in(words_of(name))) is not None), None)


def _is_vital(config: Mapping[str, Any]) -> bool:
    """Whether what is measured is hardly anything but a sign of a person."""
    kind, unit = config.get("device_class"), config.get("unit_of_measurement")
    general = kind in _GENERAL_CLASSES or kind == "blood_glucose_concentration"
    return kind == "weight" or (general and isinstance(unit, str) and unit.casefold() in _VITAL_UNITS)


def _refuse_unknown(platform: str, config: Mapping[str, Any]) -> None:
    """NotUnderstoodError for a part that may be about a person, so that somebody looks at it."""
    kind = config.get("device_class")
    looked_for = kind in _GENERAL_CLASSES or kind in {"button", "enum"} or _is_vital(config)
    if looked_for and not config.get("entity_category"):
        raise NotUnderstoodError(f"an announced {platform} that nobody knows")


def _siren(config: Mapping[str, Any]) -> dict[str, Any]:
    topic = _topic(config.get("command_topic"))
    template = config.get("command_template")
    if template is not None and plan(template) != plan(None):
        raise NotUnderstoodError("a siren whose orders are a template")
    return {
        "siren": topic,
        "on": _scalar(config.get("payload_on"), "ON"),
        "off": _scalar(config.get("payload_off"), "OFF"),
        # Without a template the order is an object.
        "bare": template is not None,
    }


def _trigger(config: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = str(config.get("type", ""))
    if config.get("automation_type") != "trigger" or not kind.startswith("button_") or not is_press(kind):
        return None
    return {
        "topic": _topic(config.get("topic")),
        "says": "alarm.sos",
        "plan": plan(config.get("value_template")),
        "on": _scalar(config.get("payload"), None),
        "once": True,
        "trigger": True,
    }


def _topic(topic: Any, address: str = "") -> str:
    """A topic of a device; one with + in it only where another level is the device's own address."""
    if not isinstance(topic, str) or not topic or topic.startswith("$") or len(topic) > TOPIC_LETTERS_MAX:
        raise NotUnderstoodError("a part without a topic")
    levels = [normalised(level) for level in topic.split("/") if level != "+"]
    own = len(normalised(address)) >= ADDRESS_LETTERS_MIN and normalised(address) in levels
    if any(letter == "#" or letter < " " or letter == "\x7f" for letter in topic) or (
        "+" in topic and not own
    ):
        raise NotUnderstoodError("a part whose topic is a pattern")
    return topic


def _scalar(value: Any, default: Any) -> Any:
    return value if isinstance(value, bool | int | float) else clean(value) or default


def _address(device: Mapping[str, Any]) -> str | None:
    idents = device.get("identifiers")
    found = idents[0] if isinstance(idents, list) and idents else idents
    if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
        return str(found)
    connections = device.get("connections")
    if isinstance(connections, list) and connections and isinstance(connections[0], list):
        return next((str(part) for part in connections[0][1:2] if isinstance(part, str)), None)
    return None


def _in_full(config: Mapping[str, Any]) -> dict[str, Any]:
    """All names in full, and `~` filled in."""
    full = _names_in_full(config)
    for name in ("device", "origin"):
        if isinstance(full.get(name), dict):
            full[name] = _names_in_full(full[name])
    listed = full.get("availability")
    if isinstance(listed, dict):
        listed = [listed]
    if isinstance(listed, list):
        full["availability"] = [_names_in_full(item) for item in listed if isinstance(item, dict)]
    if isinstance(full.get("components"), dict):
        full["components"] = {
            ident: _in_full({"~": full.get("~"), **part})
            for ident, part in full["components"].items()
            if isinstance(part, dict)
        }
    base = full.get("~")
    if isinstance(base, str):
        _fill(full, base)
        for item in full.get("availability", ()) if isinstance(full.get("availability"), list) else ():
            _fill(item, base)
    return full


def _names_in_full(part: Mapping[str, Any]) -> dict[str, Any]:
    return {_SHORT.get(name, name): value for name, value in part.items()}


def _fill(part: dict[str, Any], base: str) -> None:
    for name, value in part.items():
        if name.endswith("topic") and isinstance(value, str):
            if value.startswith("~"):
                part[name] = base + value[1:]
            elif value.endswith("~"):
                part[name] = value[:-1] + base
