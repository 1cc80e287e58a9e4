"""Units of vital signs: where they stand, and how they become ours."""

import re
from typing import Any

from gateway.dialects.words import NotUnderstoodError, check_word
from protocol.signs import SIGNS

_KPA = (7.500617, 0.0)
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "/min": {
        **dict.fromkeys(
            (
                *("/min", "1/min", "bpm", "rpm", "brpm", "br/min", "min-1", "min⁻¹", "/minute", "permin"),
                *("beats/min", "beats/minute", "beatsperminute", "beat/min", "times/min", "cpm"),
                *("breaths/min", "breaths/minute", "breathsperminute", "breath/min", "resp/min"),
                *("次/分", "次/分钟", "次每分", "次每分钟", "拍/分", "回/分"),
            ),
            (1.0, 0.0),
        ),
        "hz": (60.0, 0.0),
    },
    "%": {**dict.fromkeys(("%", "percent", "pct", "%spo2", "百分比"), (1.0, 0.0)), "1": (100.0, 0.0)},
    "cel": {
        **dict.fromkeys(("cel", "c", "°c", "ºc", "℃", "degc", "celsius", "摄氏度", "度"), (1.0, 0.0)),
        **dict.fromkeys(("degf", "[degf]", "f", "°f", "ºf", "℉", "fahrenheit", "华氏度"), (5 / 9, -160 / 9)),
        **dict.fromkeys(("k", "kelvin"), (1.0, -273.15)),
    },
    "mm[hg]": {
        **dict.fromkeys(("mm[hg]", "mmhg", "毫米汞柱"), (1.0, 0.0)),
        **dict.fromkeys(("kpa", "千帕"), _KPA),
    },
    # Glucose has 180.156 g/mol.
    "mmol/l": {
        **dict.fromkeys(("mmol/l", "mmoll", "毫摩尔/升", "毫摩尔每升"), (1.0, 0.0)),
        **dict.fromkeys(("mg/dl", "mgdl", "毫克/分升"), (1 / 18.0156, 0.0)),
    },
    "kg": {
        **dict.fromkeys(("kg", "kgs", "kilogram", "kilograms", "公斤", "千克"), (1.0, 0.0)),
        **dict.fromkeys(("lb", "lbs", "[lb_av]", "pound", "pounds", "磅"), (0.45359237, 0.0)),
        **dict.fromkeys(("st", "stone"), (6.35029318, 0.0)),
        **dict.fromkeys(("g", "gram", "grams", "克"), (0.001, 0.0)),
        **dict.fromkeys(("斤", "市斤", "jin", "catty"), (0.5, 0.0)),
    },
}
_IN_NAMES: dict[str, str] = {
    name: name
    for name in (
        "kg",
        "kgs",
        "lb",
        "lbs",
        "jin",
        "mmhg",
        "kpa",
        "bpm",
        "rpm",
        "degf",
        "degc",
        "percent",
        "pct",
    )
} | {
    "celsius": "cel",
    "fahrenheit": "degf",
    "f": "degf",
    "c": "cel",
    "mgdl": "mg/dl",
    "mmoll": "mmol/l",
    "mmol": "mmol/l",
    "pounds": "lb",
    "hz": "hz",
}
_QUANTITY = re.compile(r"\s*([+-]?\d+(?:[.,]\d+)?)\s*([^\d\s.,+-][^\d]*)\s*\Z")
_UNSTATED: dict[str, tuple[float, float]] = {"glucose": (0.5, 33.3), "weight": (20, 120)}
"""Signs whose usual foreign units give numbers within the limits of ours: 99 mg/dL, 170 lb or 130 斤 are not
what they say in mmol/L or kg. Without a unit only these are believed, …"""
_NEVER_UNSTATED = frozenset({"weight"})
"""… and of these signs none at all, unless somebody said what the field is: 65 may be kg, 斤 or lb."""
NONE_VALUES: dict[str, float] = {"hr": 255, "sbp": 255}
"""What a byte says that holds no measurement, within the limits of these signs."""


def units_of(sign: str) -> tuple[str, ...]:
    """The units from which `sign` can be converted."""
    return tuple(_UNITS[SIGNS[sign].unit.casefold()])


def converted(sign: str, value: float, unit: str | None) -> float:
    """`value` in the unit of `sign`; NotUnderstoodError for a unit that is not one of it."""
    if not unit:
        return value
    known = _UNITS[SIGNS[sign].unit.casefold()].get(_folded(unit))
    if known is None:
        raise NotUnderstoodError(f"{sign} in an unknown unit")
    scale, offset = known
    # What a conversion adds to the digits of the device is noise.
    return value if (scale, offset) == (1.0, 0.0) else round(value * scale + offset, 3)


def measured(sign: str, value: float, unit: str | None, *, mapped: bool = False) -> float:
    """`value` as `sign` in our unit; NotUnderstoodError where it cannot be one.

    `mapped`: somebody said what the field is, and so that it is in our unit where no other is given.
    A wristband that is not worn says 0 or 255: no measurement, and nothing that could be clipped.
    """
    found = converted(sign, value, unit)
    limits = SIGNS[sign]
    if not limits.low <= found <= limits.high:
        raise NotUnderstoodError(f"{sign} outside {limits.low:g} to {limits.high:g} {limits.unit}")
    if value == NONE_VALUES.get(sign):
        raise NotUnderstoodError(f"{sign} of {value:g} stands for none")
    if not unit and not mapped and sign in _NEVER_UNSTATED:
        raise NotUnderstoodError(f"{sign} without a unit")
    low, high = _UNSTATED.get(sign, (limits.low, limits.high))
    if not unit and not low <= found <= high:
        raise NotUnderstoodError(f"{sign} without a unit outside {low:g} to {high:g} {limits.unit}")
    return found


def quantity(text: str) -> tuple[str, str] | None:
    """Number and unit of `98.6 °F`; None for all else."""
    found = _QUANTITY.match(text) if len(text) <= 32 else None
    return None if found is None else (found[1].replace(",", "."), found[2].strip())


def in_name(words: list[str]) -> tuple[list[str], str | None]:
    """The words of a name without the unit at its end, and the unit: `weight`, `kg`."""
    for count in (2, 1):
        unit = _IN_NAMES.get("".join(words[-count:]))
        if unit is not None and len(words) > count:
            kept = words[:-count]
            return (kept[:-1] if kept[-1] == "in" and len(kept) > 1 else kept), unit
    return words, None


def is_unit(value: Any) -> bool:
    """Whether `value` is a unit of any sign."""
    return isinstance(value, str) and any(_folded(value) in units for units in _UNITS.values())


def fits(sign: str, unit: Any) -> bool:
    """Whether `sign` can be converted from `unit`."""
    return isinstance(unit, str) and _folded(unit) in _UNITS[SIGNS[sign].unit.casefold()]


def _folded(unit: str) -> str:
    return "".join(unit.split()).casefold()


def check_field(where: str, says: str, unit: str | None) -> None:
    """NotUnderstoodError where a field is to say what nobody knows, or in a unit that does not fit."""
    check_word(where, says)
    if unit is None:
        return
    sign = says.removeprefix("vitals.")
    if not says.startswith("vitals."):
        raise NotUnderstoodError(f"{where}.unit: only vital signs have a unit")
    if not fits(sign, unit):
        raise NotUnderstoodError(
            f"{where}.unit: {unit!r} is not a unit of {sign}; known are {', '.join(units_of(sign))}"
        )
