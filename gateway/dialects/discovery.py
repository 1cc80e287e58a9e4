"""Home Assistant's MQTT discovery: what a device announces of itself, and what it means in our words.

Source: home-assistant.io, Integrations, MQTT, Discovery; binary sensor, sensor, event, siren, device trigger.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.dialects.hearing import part_of
from gateway.dialects.template import plan
from gateway.dialects.words import (
    ANY_TEMPERATURE,
    Meaning,
    NotUnderstoodError,
    clean,
    converted,
    meaning_of,
    normalised,
)

COMPONENTS_MAX = 100
"""Parts of one device."""
TOPIC_LETTERS_MAX = 256
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
    "evt_typ": "event_types",
    "ids": "identifiers",
    "mdl": "model",
    "mf": "manufacturer",
    "o": "origin",
    "obj_id": "object_id",
    "off_dly": "off_delay",
    "p": "platform",
    "pl": "payload",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
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
"""Device classes of binary sensors."""

# What an entity is called tells more than its class, where it has one of these words in it.
_TELLING_WORDS: dict[str, Meaning] = {
    **dict.fromkeys(
        ("sos", "emergency", "panic", "help", "呼叫", "求助", "一键呼叫", "紧急呼叫"), Meaning("alarm.sos")
    ),
    **dict.fromkeys(("fall", "fallen", "跌倒"), Meaning("alarm.fall")),
    **dict.fromkeys(("bed", "在床"), Meaning("activity.in_bed")),
}

PRESS_TYPES = ("press", "click", "single", "double", "hold", "long", "short")


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


def entity(component: Component) -> dict[str, Any] | None:
    """How a component is heard: its `topic`, what it `says` …, as plain JSON.

    None where it has nothing for us; NotUnderstoodError where it has, in a way that we cannot read.
    """
    platform, _, config = component
    if platform not in HEARD_COMPONENTS:
        return None
    if platform == "siren":
        return _siren(config)
    if platform == "device_automation":
        return _trigger(config)
    meaning = _meaning(component)
    if meaning is None:
        return None
    found: dict[str, Any] = {
        "topic": _topic(config.get("state_topic")),
        "says": meaning.says,
        "plan": plan(config.get("value_template")),
    }
    if platform == "event":
        return {
            **found,
            "plan": ["value_json", ["event_type"], []] if "value_template" not in config else found["plan"],
            "event": True,
        }
    if meaning.unit is not None:
        found["unit"] = meaning.unit
    if meaning.inverted:
        found["inverted"] = True
    if platform == "binary_sensor":
        found["on"] = _scalar(config.get("payload_on"), "ON")
        found["off"] = _scalar(config.get("payload_off"), "OFF")
        if "off_delay" in config:
            found["once"] = True  # it never says that it is off
    return found


def availability(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a component says whether it is there: `topic`, `plan`, `on`, `off`."""
    listed = config.get("availability")
    if not isinstance(listed, list):
        topic = config.get("availability_topic")
        listed = (
            []
            if topic is None
            else [{**config, "topic": topic, "value_template": config.get("availability_template")}]
        )
    return [
        {
            "topic": _topic(item.get("topic")),
            "plan": plan(item.get("value_template")),
            "on": _scalar(item.get("payload_available"), "online"),
            "off": _scalar(item.get("payload_not_available"), "offline"),
        }
        for item in listed[:8]
        if isinstance(item, dict)
    ]


def is_press(event: Any) -> bool:
    """Whether an event's type is the press of a button."""
    return isinstance(event, str) and any(word in event.casefold() for word in PRESS_TYPES)


def _meaning(component: Component) -> Meaning | None:
    platform, ident, config = component
    named = _named(ident, config)
    if platform == "binary_sensor":
        return named or _CLASSES.get(str(config.get("device_class"))) or _by_name(ident, config)
    if platform == "event":
        # A button that does nothing but call its press out calls for help.
        return named or (Meaning("alarm.sos") if config.get("device_class") == "button" else None)
    return _measured(ident, config)


def _measured(ident: str, config: Mapping[str, Any]) -> Meaning | None:
    kind, unit = config.get("device_class"), config.get("unit_of_measurement")
    if kind == "battery":
        return Meaning("status.battery")
    if kind == "signal_strength":
        return Meaning("status.rssi") if unit == "dBm" else None
    if kind == "temperature":
        words = _words(ident, config)
        if not ({"body", "体温"} & words):
            return None
        meaning: Meaning | None = Meaning("vitals.temp")
    else:
        meaning = _by_name(ident, config)
    if meaning is None or not meaning.says.startswith("vitals."):
        return meaning if meaning is not None and meaning.says.startswith(("alarm.", "activity.")) else None
    if isinstance(unit, str):
        converted(meaning.says.removeprefix("vitals."), 1.0, unit)
        return meaning._replace(unit=unit[:32])
    return meaning


def _by_name(ident: str, config: Mapping[str, Any]) -> Meaning | None:
    names = [
        config.get("object_id"),
        ident.rpartition("/")[2],
        config.get("name"),
        config.get("device_class"),
    ]
    return next(
        (
            meaning
            for name in names
            if isinstance(name, str)
            and normalised(name) not in ANY_TEMPERATURE
            and (meaning := meaning_of(name)) is not None
        ),
        None,
    )


def _named(ident: str, config: Mapping[str, Any]) -> Meaning | None:
    words = _words(ident, config)
    return next((meaning for word, meaning in _TELLING_WORDS.items() if word in words), None)


def _words(ident: str, config: Mapping[str, Any]) -> set[str]:
    texts = [config.get("name"), config.get("object_id"), ident.rpartition("/")[2]]
    return {word for text in texts if isinstance(text, str) for word in re.split(r"[\W_]+", text.casefold())}


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
    }


def _topic(topic: Any) -> str:
    if not isinstance(topic, str) or not topic or topic.startswith("$") or len(topic) > TOPIC_LETTERS_MAX:
        raise NotUnderstoodError("a part without a topic")
    if any(letter in "+#" or letter < " " or letter == "\x7f" for letter in topic):
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
