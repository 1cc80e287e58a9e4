"""What the form offers for one detector, and what it sends back."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field

from alarms.detector_settings import (
    HOURS_SHARE_MIN,
    REASON_LENGTH_MAX,
    USUAL,
    Part,
    Problem,
    Setting,
    Values,
    Wish,
    last_day_off,
    offered,
    problems_of,
)
from alarms.rules import Rule
from dashboard.detectors import Row, State
from database.errors import InvalidError

TEXT_LENGTH_MAX = 4_000
"""More is no reason that somebody has typed, and is refused before it is looked at."""


class Answers(BaseModel, frozen=True):
    """The form as it is sent; every field a text that may be anything."""

    switch: Annotated[str, Field(max_length=10)] = "on"
    off_through: Annotated[str, Field(max_length=40)] = ""
    tolerance: Annotated[str, Field(max_length=20)] = "1"
    span: Annotated[str, Field(max_length=10)] = "all"
    from_h: Annotated[str, Field(max_length=10)] = ""
    to_h: Annotated[str, Field(max_length=10)] = ""
    reason: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] = ""
    confirmed: Annotated[str, Field(max_length=10)] = ""
    seen: Annotated[str, Field(max_length=40)] = ""


class Choices(NamedTuple):
    """What the form offers, and the figures that its complaints tell of."""

    tolerances: tuple[float, ...]
    today: date
    last: date
    days: int
    hours: int
    letters: int


def choices(rule: Rule, setting: Setting | None, today: date) -> Choices:
    """What may be chosen on a local day."""
    return Choices(
        tolerances=offered(rule, setting) if rule.tolerances else (),
        today=today,
        last=last_day_off(rule, today),
        days=rule.off_days_max,
        hours=round(len(rule.hours) * HOURS_SHARE_MIN),
        letters=REASON_LENGTH_MAX,
    )


def answers_of(row: Row) -> Answers:
    """The form as it opens: filled with what stands."""
    setting = row.setting
    if setting is None:
        return Answers()
    return Answers(
        switch="off" if row.state is State.OFF else "on",
        off_through=row.through.isoformat() if row.through else "",
        tolerance=f"{setting.tolerance:g}",
        span="all" if setting.active_from_h is None else "hours",
        from_h="" if setting.active_from_h is None else str(setting.active_from_h),
        to_h="" if setting.active_to_h is None else str(setting.active_to_h),
        reason=(setting.reason or "") if row.state is not State.USUAL else "",
        seen=row.seen,
    )


def wish_of(answers: Answers) -> tuple[Wish, Mapping[Part, Problem]]:
    """What the form asks for, and what in it cannot be read."""
    unreadable: dict[Part, Problem] = {}
    through = None
    if answers.switch == "off":
        through = _date(answers.off_through)
        if through is None:
            unreadable[Part.OFF] = Problem.NO_DATE
    tolerance = _number(answers.tolerance)
    if tolerance is None:
        unreadable[Part.TOLERANCE] = Problem.NOT_OFFERED
    from_h = to_h = None
    if answers.span == "hours":
        from_h, to_h = _hour(answers.from_h), _hour(answers.to_h)
        if from_h is None or to_h is None:
            unreadable[Part.HOURS] = Problem.HOURS_MISSING
    return (
        Wish(
            off_through=through,
            tolerance=USUAL if tolerance is None else tolerance,
            active_from_h=from_h,
            active_to_h=to_h,
            reason=answers.reason.strip(),
            is_confirmed=answers.confirmed == "yes",
        ),
        unreadable,
    )


def complaints(
    rule: Rule, wish: Wish, unreadable: Mapping[Part, Problem], today: date, standing: Values | None
) -> Mapping[Part, Problem]:
    """All that is wrong at once: what cannot be read, and what breaks a rule."""
    if unreadable.get(Part.OFF):
        wish = wish._replace(off_through=today)  # off it shall be; only until when is not known
    return {**problems_of(rule, wish, today, standing), **unreadable}


def seen_at(answers: Answers) -> datetime | None:
    """When that was set which they had before their eyes. InvalidError when it is no time."""
    if not answers.seen:
        return None
    try:
        at = datetime.fromisoformat(answers.seen)
    except ValueError as error:
        raise InvalidError("`seen` is no time") from error
    if at.tzinfo is None:
        raise InvalidError("`seen` has no offset")
    return at


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _hour(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
