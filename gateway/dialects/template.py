"""The part of Home Assistant's templates that only picks a value out of a payload.

Templates are programs (Jinja). What a device announces must not run as one here, so a template is read by
this small grammar or not at all: `{{ value }}`, `{{ value_json.a['b'][0] }}`, the filters in `FILTERS`, and
one of two words by such a value: `{{ 'ON' if value_json.a == 1 else 'OFF' }}`.
"""

import re
from typing import Any

from gateway.dialects.payload import json_of, text_of
from gateway.dialects.values import number, same
from gateway.dialects.words import NotUnderstoodError

FILTERS = frozenset({"float", "int", "round", "string", "lower", "upper", "trim", "bool", "is_defined"})
STEPS_MAX = 16
UNSUPPORTED = "a template that does more than pick a value"

_LITERAL = r"'[^'\\{}|]*'|\"[^\"\\{}|]*\"|-?\d+(?:\.\d+)?|true|false|True|False"
_WHOLE = re.compile(
    r"^\{\{-?\s*(?P<root>value_json|value)(?P<path>[^|{}]*?)(?P<filters>(?:\|[^|{}]*?)*)\s*-?\}\}$"
)
_CHOICE = re.compile(
    rf"^\{{\{{-?\s*(?P<then>{_LITERAL})\s+if\s+\(?\s*(?P<value>value[^=!<>{{}}]*?)\s*"
    rf"(?:(?P<how>==|!=|>=|<=|>|<)\s*(?P<with>{_LITERAL})\s*)?\)?\s+else\s+(?P<other>{_LITERAL})\s*-?\}}\}}$"
)
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_]\w*)|\[\s*'(?P<single>[^'\\]*)'\s*\]|"
    r"\[\s*\"(?P<double>[^\"\\]*)\"\s*\]|\[\s*(?P<index>\d{1,4})\s*\]"
)
_FILTER = re.compile(r"^\s*(?P<name>\w+)\s*(?:\(\s*[-\w.]*\s*\))?\s*$")

Plan = list[Any]
"""`value` or `value_json`, the steps to the value, the filters as one list, and what is chosen by the value
(how it is compared, with what, and the two words), where it is: plain JSON."""


def plan(template: Any) -> Plan:
    """What to pick; NotUnderstoodError for a template that does more. None is `{{ value }}`."""
    if template is None:
        return ["value", [], []]
    if not isinstance(template, str) or len(template) > 256:
        raise NotUnderstoodError(UNSUPPORTED)
    choice = _CHOICE.match(template.strip())
    if choice is not None:
        with_ = None if choice["with"] is None else _literal(choice["with"])
        chosen = [choice["how"], with_, _literal(choice["then"]), _literal(choice["other"])]
        return [*_picking(f"{{{{ {choice['value']} }}}}"), chosen]
    return _picking(template.strip())


def _picking(template: str) -> Plan:
    whole = _WHOLE.match(template)
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
    if not isinstance(plan, list) or len(plan) not in (3, 4):
        raise NotUnderstoodError(UNSUPPORTED)
    root, steps, filters, *choices = plan
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
    for how, with_, then, other in choices:
        value = None if value is None else then if _holds(value, how, with_) else other
    return value


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    return text.casefold() == "true" if text.casefold() in {"true", "false"} else float(text)


def _holds(value: Any, how: str | None, with_: Any) -> bool:
    """Whether a value compares as it should; one without a number is neither more nor less."""
    if how in {None, "==", "!="}:
        return bool(value) if how is None else same(value, with_) is (how == "==")
    mine, theirs = number(value), number(with_)
    if mine is None or theirs is None:
        return False
    return {">": mine > theirs, ">=": mine >= theirs, "<": mine < theirs, "<=": mine <= theirs}[how or ">"]


def _filtered(name: str, value: Any) -> Any:
    if name in {"float", "int"}:
        found = number(value)
        return None if found is None else (int(found) if name == "int" else found)
    if isinstance(value, str) and name in {"lower", "upper", "trim"}:
        return {"lower": value.lower, "upper": value.upper, "trim": value.strip}[name]()
    return value  # rounding would only lose digits
