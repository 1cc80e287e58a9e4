"""Why an alarm is there: the one shape in which detectors write it, pages read it and charts draw from it.

Stored as JSON in care.alarm.evidence; docs/detectors.md describes it. All detectors share the shape, so that
no page has to know them; what only one of them counts stands in `own`.

Alarms outlive the code that raised them, and other programs may raise some: `read` takes evidence of every
version and of none. Whatever is missing or not understood is left out, and the rest is still shown.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from protocol.signs import SIGNS

VERSION = 2
"""1, which does not say so, has what is now in `own` beside all the rest."""
BATTERY = "battery"
SPAN_MAX = timedelta(days=400)
CONTRIBUTIONS_MAX = 12
CASES_MAX = 50
TEXT_LENGTH_MAX = 200
_NUMBER_MAX = 1e12

Aware = Annotated[datetime, Meta(tz=True)]
Scalar = bool | int | float | str
Value = Scalar | list[Scalar] | None
"""What was seen or expected under one name: a number, a text, a time as text, or a short list."""

_T = TypeVar("_T")


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


class Window(Struct, frozen=True, kw_only=True, rename={"begins_at": "from", "ends_at": "to"}):
    """A span of time, at most SPAN_MAX long."""

    begins_at: Aware
    ends_at: Aware

    def __post_init__(self) -> None:
        """ValueError for a span that nobody can be shown."""
        if not timedelta(0) < self.ends_at - self.begins_at <= SPAN_MAX:
            raise ValueError("the span does not run forward, or is too long")
        # So far from either end that it can be told in every time zone.
        if not 1970 <= self.begins_at.year <= self.ends_at.year < 9999:
            raise ValueError("the span is beyond all calendars")


class Chart(Window, frozen=True, kw_only=True, rename={"begins_at": "from", "ends_at": "to"}):
    """What a small chart should draw: `low` to `high` was expected. Activity has no sign, all others one."""

    source: Source
    sign: str | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """ValueError for what no chart can show."""
        super().__post_init__()
        _require_finite(self.low, self.high)
        if self.source is Source.ACTIVITY:
            force_setattr(self, "sign", None)
        elif self.sign not in SIGNS and not (self.source is Source.DEVICE and self.sign == BATTERY):
            raise ValueError("there is no such sign to draw")


class Contribution(
    Struct, frozen=True, kw_only=True, rename={"low": "expected_low", "high": "expected_high"}
):
    """What one sign, or one habit, adds; `low` to `high` was expected, None: no bound. Shares of 1."""

    sign: str | None = None
    habit: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        """ValueError where it says of nothing, or of a sign what that cannot be."""
        _require_finite(self.value, self.low, self.high, self.share)
        if self.sign is None and not self.habit:
            raise ValueError("neither a sign nor a habit")
        if self.sign is not None and self.sign not in SIGNS:
            raise ValueError("no such sign")
        if self.sign is not None and self.value is not None:
            # A number of people, or a score, is no temperature.
            limits = SIGNS[self.sign]
            if not limits.low <= self.value <= limits.high:
                raise ValueError("beyond what is possible")
        if self.share is not None:
            force_setattr(self, "share", min(1.0, max(0.0, self.share)))


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who is part of an outbreak; ids only: a page looks names up as its reader's scope allows."""

    resident_id: Annotated[int, Meta(ge=1, lt=2**31)]
    first_at: Aware | None = None
    signs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Signs that are none are left out."""
        force_setattr(self, "signs", tuple(sign for sign in self.signs if sign in SIGNS))


class Fact(NamedTuple):
    """Something that was seen, and what was expected: numbers, times, or short texts such as 12–20."""

    name: str
    seen: float | str | datetime
    expected: float | str | datetime | None


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="version", tag=VERSION):
    """All that can be told of why there is an alarm.

    Attributes:
        sentence: For a caregiver, by language (`zh_CN`, `en`). Names no person.
        window: The time that it speaks of; its end is when it was scored.
        seen: What was seen, by name.
        expected: What was expected, under the same names.
        contributions: What carried the score, the greatest first; shares sum to 1.
        chart: What a small chart should draw.
        grade: Of falls.
        cases: Of outbreaks.
        score: How bad it is, where its detector counts that (NEWS2).
        own: What only this detector counts. Anything that JSON can say.
    """

    sentence: dict[str, str] = field(default_factory=dict)
    window: Window | None = None
    seen: dict[str, Value] = field(default_factory=dict)
    expected: dict[str, Value] = field(default_factory=dict)
    contributions: tuple[Contribution, ...] = ()
    chart: Chart | None = None
    grade: Grade | None = None
    cases: tuple[Case, ...] = ()
    score: float | None = None
    own: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return any((self.sentence, self.contributions, self.facts(), self.chart, self.grade, self.cases))

    def told(self, language_code: str) -> str | None:
        """The sentence in that language, else in any that there is."""
        return self.sentence.get(language_code) or next(iter(self.sentence.values()), None)

    def seen_told(self, language_code: str) -> str | None:
        """The sentence without what it asks to be done: for an alarm that was dealt with."""
        told = self.told(language_code)
        if told is None:
            return None
        seen = _ASKS.split(told, maxsplit=1)[0].rstrip(" ，；：,;:")
        return (
            f"{seen}。"
            if seen and seen[-1] not in "。.！!" and "\u4e00" <= seen[-1] <= "\u9fff"
            else seen or told
        )

    def facts(self) -> list[Fact]:
        """What was seen beside what was expected, without what the contributions tell already."""
        told = {one.sign or one.habit for one in self.contributions}
        return [
            Fact(name, value, _shown(name, self.expected.get(name)))
            for name, seen in self.seen.items()
            if name not in told and (value := _shown(name, seen)) is not None
        ]


_ASKS = re.compile(r"(?<=[。，；：])请|(?<=[.!;:] )(?:Please|Go and look)")
"""Where a finding's sentence begins to ask for something."""
_OF_VERSION_1 = frozenset(Evidence.__struct_encode_fields__) - {"own"}


def read(raw: object) -> Evidence:
    """The evidence in what is stored; never fails, whatever that is."""
    given = _mapping(raw)
    own = (
        _mapping(given.get("own"))
        if "version" in given
        else {name: value for name, value in given.items() if name not in _OF_VERSION_1}
    )
    return Evidence(
        sentence=_sentence(given.get("sentence")),
        window=_or_none(given.get("window"), Window),
        seen=_values(given.get("seen")),
        expected=_values(given.get("expected")),
        contributions=_each(given.get("contributions"), Contribution)[:CONTRIBUTIONS_MAX],
        chart=_or_none(given.get("chart"), Chart),
        grade=_or_none(given.get("grade"), Grade),
        cases=_each(given.get("cases"), Case)[:CASES_MAX],
        score=_or_none(given.get("score"), float),
        own=dict(own),
    )


def stored(evidence: Evidence | None) -> dict[str, Any]:
    """JSON for care.alarm.evidence; empty where there is none."""
    if evidence is None:
        return {}
    made = msgspec.to_builtins(evidence)
    assert isinstance(made, dict), "a struct becomes a mapping"
    return made


def _sentence(value: object) -> dict[str, str]:
    if isinstance(value, str):
        return {"zh_CN": value} if value else {}
    return {code: text for code, text in _mapping(value).items() if isinstance(text, str) and text}


def _values(value: object) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, item in _mapping(value).items():
        try:
            found[name] = msgspec.convert(item, Value)
        except (msgspec.ValidationError, OverflowError):
            continue
    return found


def _each(value: object, kind: type[_T]) -> tuple[_T, ...]:
    items = value if isinstance(value, list) else []
    return tuple(made for item in items if (made := _or_none(item, kind)) is not None)


def _or_none(value: object, kind: type[_T]) -> _T | None:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return None


def _shown(name: str, value: Value) -> float | str | datetime | None:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if not isinstance(item, bool))[:TEXT_LENGTH_MAX] or None
    if isinstance(value, str):
        return (_time(value) if name.endswith("_at") else None) or value[:TEXT_LENGTH_MAX] or None
    if value is None or isinstance(value, bool):
        return None
    return value if abs(value) < _NUMBER_MAX and isfinite(value) else None


def _time(text: str) -> datetime | None:
    at = _or_none(text, datetime)
    return at if at is not None and at.tzinfo is not None and 1970 <= at.year < 9999 else None


def _require_finite(*numbers: float | None) -> None:
    for number in numbers:
        if number is not None and not (abs(number) < _NUMBER_MAX and isfinite(number)):
            raise ValueError("not a number that can be shown")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {name: item for name, item in value.items() if isinstance(name, str)}
