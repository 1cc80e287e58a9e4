"""The part of Home Assistant's templates that only picks a value out of a payload.

Templates are programs (Jinja). What a device announces must not run as one here, so a template is read by
this small grammar or not at all: `{{ value }}`, `{{ value_json.a['b'][0] }}`, and the filters in `FILTERS`.
"""

import re
from typing import Any

from gateway.dialects.payload import json_of, text_of
from gateway.dialects.values import number
from gateway.dialects.words import NotUnderstoodError

FILTERS = frozenset({"float", "int", "round", "string", "lower", "upper", "trim", "bool", "is_defined"})
STEPS_MAX = 16
UNSUPPORTED = "a template that does more than pick a value"

_WHOLE = re.compile(
    r"^\{\{-?\s*(?P<root>value_json|value)(?P<path>[^|{}]*?)(?P<filters>(?:\|[^|{}]*?)*)\s*-?\}\}$"
)
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_]\w*)|\[\s*'(?P<single>[^'\\]*)'\s*\]|"
    r"\[\s*\"(?P<double>[^\"\\]*)\"\s*\]|\[\s*(?P<index>\d{1,4})\s*\]"
)
_FILTER = re.compile(r"^\s*(?P<name>\w+)\s*(?:\(\s*[-\w.]*\s*\))?\s*$")

Plan = list[Any]
"""`value` or `value_json`, the steps to the value, and the filters as one list: plain JSON."""


def plan(template: Any) -> Plan:
    """What to pick; NotUnderstoodError for a template that does more. None is `{{ value }}`."""
    if template is None:
        return ["value", [], []]
    whole = _WHOLE.match(template.strip()) if isinstance(template, str) and len(template) <= 256 else None
    if whole is None:
        raise NotUnderstoodError(UNSUPPORTED)
    steps: list[str | int] = []
    rest = whole["path"].strip()
    while rest:
        step = _STEP.match(rest)
        if step is None or len(steps) >= STEPS_MAX or whole["root"] == "value":
            raise NotUnderstoodError(UNSUPPORTED)
        named = next((step[name] for name in ("name", "single", "double") if step[name] is not None), None)
        steps.append(int(step["index"]) if named is None else named)
        rest = rest[step.end() :].strip()
    filters = []
    for text in whole["filters"].split("|")[1:]:
        found = _FILTER.match(text)
        if found is None or found["name"] not in FILTERS:
            raise NotUnderstoodError(UNSUPPORTED)
        filters.append(found["name"])
    return [whole["root"], steps, filters]


def picked(plan: Any, payload: bytes) -> Any:
    """The value in `payload` that `plan` picks; None: it is not there. NotUnderstoodError for no JSON."""
    if not isinstance(plan, list) or len(plan) != 3:
        raise NotUnderstoodError(UNSUPPORTED)
    root, steps, filters = plan
    value: Any = text_of(payload) if root == "value" else json_of(payload)
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    for name in filters:
        value = _filtered(name, value)
    return value


def _filtered(name: str, value: Any) -> Any:
    if name in {"float", "int"}:
        found = number(value)
        return None if found is None else (int(found) if name == "int" else found)
    if isinstance(value, str) and name in {"lower", "upper", "trim"}:
        return {"lower": value.lower, "upper": value.upper, "trim": value.strip}[name]()
    return value  # rounding would only lose digits
