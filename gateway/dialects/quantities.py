"""Values in nested JSON, each with its path and the unit that stands beside it.

Makers nest as they like: objects in objects, lists of readings with a name in each, an object of a value and
its unit, JSON in a string.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.dialects.names import normalised
from gateway.dialects.payload import inner_json
from gateway.dialects.units import fits, is_unit
from gateway.dialects.words import SIGN_WORDS, spelled

FIELDS_MAX = 1_000
DEPTH_MAX = 8

_VALUES = ("value", "val", "v")
_NAMES = ("name", "n", "code", "key", "identifier", "attribute", "field", "param", "metric", "type")
_UNITS = frozenset({"unit", "units", "u", "uom", "unitofmeasurement", "unitofmeas"})
_BESIDE_A_VALUE = spelled(
    "value val v unit units u uom ts t time timestamp date quality type status name n code key "
    "identifier attribute field param metric unitofmeasurement unitofmeas"
)


class Quantity(NamedTuple):
    """A value, where it stands, and the unit beside it.

    Attributes:
        path: Names from the outside in, with dots.
        value: A scalar, or a list of numbers.
        unit: Of this value.
        shared: A unit that stands beside several values: it is that of those that it fits.
    """

    path: str
    value: Any
    unit: str | None = None
    shared: str | None = None

    def unit_of(self, says: str) -> str | None:
        """The unit of the value as our word `says`."""
        if self.unit is not None or says not in SIGN_WORDS:
            return self.unit
        return self.shared if fits(SIGN_WORDS[says], self.shared) else None


def quantities(values: Mapping[str, Any]) -> Iterator[Quantity]:
    """All values in `values`, in order and bounded in number and depth."""
    waiting: list[tuple[Quantity, int]] = [(found, 0) for found in reversed(_inside(values, "", None))]
    told = 0
    while waiting and told < FIELDS_MAX:
        found, depth = waiting.pop()
        value = inner_json(found.value)
        inner: list[Quantity] | None = None
        if depth < DEPTH_MAX:
            inner = _opened(found, value)
        if inner is None:
            told += 1
            yield found._replace(value=value)
        else:
            waiting += [(each, depth + 1) for each in reversed(inner)]


def _opened(found: Quantity, value: Any) -> list[Quantity] | None:
    """What is inside a value; None where it is one by itself."""
    if isinstance(value, Mapping):
        one = _measured(value)
        if one is not None:
            return [_beside(found.path, one, value, found)]
        return _inside(value, f"{found.path}.", found.shared)
    if not isinstance(value, list) or not any(isinstance(each, Mapping | str) for each in value):
        return None
    opened = []
    for each in value[:FIELDS_MAX]:
        name = _named(each) if isinstance(each, Mapping) else None
        if name is not None:
            opened.append(_beside(f"{found.path}.{name}", _measured(each), each, found))
        else:
            opened.append(found._replace(value=each))
    return opened


def _inside(values: Mapping[str, Any], prefix: str, shared: str | None) -> list[Quantity]:
    units = {normalised(name): value for name, value in values.items() if normalised(name).endswith(_ENDS)}
    here = next((value for name, value in units.items() if name in _UNITS and is_unit(value)), shared)
    found = []
    for name, value in values.items():
        unit = _own_unit(normalised(name), units) if units else None
        found.append(Quantity(f"{prefix}{name}", value, unit, here))
    return found


_ENDS = ("unit", "units", "uom", "unitofmeasurement", "unitofmeas")


def _own_unit(name: str, units: Mapping[str, Any]) -> str | None:
    """The unit in a field called for this one: `weight_unit`, or `TempUnit` for Temperature."""
    for unit_name, unit in units.items():
        stem = next(
            unit_name.removesuffix(end)
            for end in sorted(_ENDS, key=len, reverse=True)
            if unit_name.endswith(end)
        )
        if (
            stem
            and name != unit_name
            and (name == stem or (len(stem) > 3 and (name.startswith(stem) or stem in name)))
        ):
            return str(unit)
    return None


def _measured(value: Mapping[str, Any]) -> Any:
    """The value in an object of a value and what belongs to it; None: it is no such object."""
    if not all(normalised(name) in _BESIDE_A_VALUE for name in value):
        return None
    found = next((value[name] for name in _VALUES if name in value), None)
    return None if isinstance(found, Mapping | list) else found


def _named(value: Mapping[str, Any]) -> str | None:
    """The name of a reading that says its name: `{"n": "hr", "v": 72}`."""
    if _measured(value) is None:
        return None
    found = next((value[name] for name in _NAMES if isinstance(value.get(name), str)), None)
    return found[:64] if found else None


def _beside(path: str, value: Any, whole: Mapping[str, Any], outer: Quantity) -> Quantity:
    unit = next((each for name, each in whole.items() if normalised(name) in _UNITS), None)
    return Quantity(path, value, str(unit) if unit is not None else outer.unit, outer.shared)
