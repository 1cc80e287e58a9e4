"""Why an alarm is there, read from what its detector stored (docs/detectors.md). Pure.

Alarms outlive the code that raised them, and other programs may raise some: whatever is missing or not
understood is left out, and the rest is still shown.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, NamedTuple

from protocol.signs import SIGNS

BATTERY = "battery"
CHART_SPAN_MAX = timedelta(days=400)
CONTRIBUTIONS_MAX = 12
CASES_MAX = 50
TEXT_LENGTH_MAX = 200

Value = float | str | datetime
"""What a fact says: a number, a time, or a short text such as 12–20."""


class Source(StrEnum):
    """Where the readings of a chart come from."""

    VITALS = "vitals"
    ACTIVITY = "activity"
    DEVICE = "device"


class Grade(StrEnum):
    """How sure a fall is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    DOUBTFUL = "doubtful"


class Contribution(NamedTuple):
    """What one sign, or one habit, adds; `low` to `high` was expected, None: no bound. Shares of 1."""

    sign: str | None
    habit: str | None
    value: float | None
    low: float | None
    high: float | None
    share: float | None


class Fact(NamedTuple):
    """Something that was seen, and what was expected instead."""

    name: str
    seen: Value
    expected: Value | None


class Chart(NamedTuple):
    """What a small chart should draw: `low` to `high` was expected. `sign` None: activity."""

    source: Source
    sign: str | None
    begins_at: datetime
    ends_at: datetime
    low: float | None
    high: float | None


class Case(NamedTuple):
    """Somebody who is part of an outbreak."""

    resident_id: int
    first_at: datetime | None
    signs: Sequence[str]


class Evidence(NamedTuple):
    """All that can be told of why there is an alarm."""

    sentence: str | None
    window: tuple[datetime, datetime] | None
    contributions: Sequence[Contribution]
    facts: Sequence[Fact]
    chart: Chart | None
    grade: Grade | None
    cases: Sequence[Case]

    def __bool__(self) -> bool:
        return any((self.sentence, self.contributions, self.facts, self.chart, self.grade, self.cases))


def read(raw: Mapping[str, Any], language_code: str) -> Evidence:
    """The evidence in `raw` for a reader of that language; never fails, whatever `raw` is."""
    contributions = [made for item in _list(raw.get("contributions")) if (made := _contribution(item))]
    told = {one.sign or one.habit for one in contributions}
    return Evidence(
        sentence=_sentence(raw.get("sentence"), language_code),
        window=_span(raw.get("window")),
        contributions=contributions[:CONTRIBUTIONS_MAX],
        facts=[fact for fact in _facts(raw) if fact.name not in told],
        chart=_chart(raw.get("chart")),
        grade=Grade(raw["grade"]) if raw.get("grade") in list(Grade) else None,
        cases=[case for item in _list(raw.get("cases"))[:CASES_MAX] if (case := _case(item))],
    )


def _sentence(value: Any, language_code: str) -> str | None:
    """In the reader's language, else in any that there is."""
    if isinstance(value, str):
        return value or None
    texts = {code: text for code, text in _mapping(value).items() if isinstance(text, str) and text}
    return texts.get(language_code) or next(iter(texts.values()), None)


def _contribution(given: Any) -> Contribution | None:
    item = _mapping(given)
    sign, habit = _sign(item.get("sign")), item.get("habit")
    if not isinstance(habit, str) or not habit:
        habit = None
    value = _number(item.get("value"))
    if sign is not None and value is not None and not SIGNS[sign].low <= value <= SIGNS[sign].high:
        # A number of people, or a score, is no temperature.
        return None
    if sign is None and habit is None:
        return None
    return Contribution(
        sign,
        habit,
        value,
        _number(item.get("expected_low")),
        _number(item.get("expected_high")),
        _share(item.get("share")),
    )


def _facts(raw: Mapping[str, Any]) -> list[Fact]:
    seen, expected = _mapping(raw.get("seen")), _mapping(raw.get("expected"))
    return [
        Fact(name, value, _value(name, expected.get(name)))
        for name, raw_value in seen.items()
        if isinstance(name, str) and (value := _value(name, raw_value)) is not None
    ]


def _chart(value: Any) -> Chart | None:
    item = _mapping(value)
    named, span = item.get("source"), _span(item)
    if named not in list(Source) or span is None:
        return None
    source, sign = Source(named), _sign(item.get("sign"))
    if source is Source.ACTIVITY:
        sign = None
    elif source is Source.DEVICE and item.get("sign") == BATTERY:
        sign = BATTERY
    elif sign is None:
        return None
    return Chart(source, sign, *span, _number(item.get("low")), _number(item.get("high")))


def _sign(value: Any) -> str | None:
    return value if isinstance(value, str) and value in SIGNS else None


def _case(value: Any) -> Case | None:
    item = _mapping(value)
    resident_id = item.get("resident_id")
    if not isinstance(resident_id, int) or isinstance(resident_id, bool) or not 0 < resident_id < 2**31:
        return None
    signs = [sign for value in _list(item.get("signs")) if (sign := _sign(value))]
    return Case(resident_id, _at(item.get("first_at")), signs)


def _span(value: Any) -> tuple[datetime, datetime] | None:
    item = _mapping(value)
    begins_at, ends_at = _at(item.get("from")), _at(item.get("to"))
    if begins_at is None or ends_at is None or not timedelta(0) < ends_at - begins_at <= CHART_SPAN_MAX:
        return None
    return begins_at, ends_at


def _at(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    # So far from either end that it can be told in every time zone.
    return at if at.tzinfo is not None and 1970 <= at.year < 9999 else None


def _value(name: str, value: Any) -> Value | None:
    if name.endswith("_at") and (at := _at(value)):
        return at
    if isinstance(value, str):
        return value[:TEXT_LENGTH_MAX] or None
    if isinstance(value, list):
        texts = [str(item) for item in value if isinstance(item, str | int | float)]
        return ", ".join(texts)[:TEXT_LENGTH_MAX] or None
    return _number(value)


def _share(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else min(1.0, max(0.0, number))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e12 and isfinite(value) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
