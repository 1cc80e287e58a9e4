"""What watches over somebody, as the page shows it, and what its form sends back."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
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
    off_through,
    offered,
    problems_of,
)
from alarms.kinds import KIND_FOUND_BY, RULES, AlarmKind
from alarms.rules import Rule, Watch
from database.errors import InvalidError
from protocol.calendar import HOME_TIME

TEXT_LENGTH_MAX = 4_000
"""More is no reason that somebody has typed, and is refused before it is looked at."""


class State(StrEnum):
    """How a detector stands for a person."""

    USUAL = "usual"
    PERSONAL = "personal"
    OFF = "off"


class Row(NamedTuple):
    """A detector on the page. `is_resting`: it looks at this hour for others, but not for this person."""

    watch: Watch
    rule: Rule
    setting: Setting | None
    state: State
    is_resting: bool

    @property
    def kind(self) -> AlarmKind:
        """The kind of alarm that it raises."""
        return KIND_FOUND_BY[self.watch]

    @property
    def through(self) -> date | None:
        """The last day on which it is off."""
        return off_through(self.setting) if self.setting and self.state is State.OFF else None

    @property
    def seen(self) -> str:
        """What the form gives back, so that nobody changes what they have not seen."""
        return self.setting.changed_at.isoformat() if self.setting else ""


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


def rows(settings: Mapping[Watch, Setting], now: datetime) -> list[Row]:
    """Every detector that looks at a person, in a fixed order."""
    return [row_of(watch, settings.get(watch), now) for watch in Watch]


def row_of(watch: Watch, setting: Setting | None, now: datetime) -> Row:
    """One detector."""
    state = state_of(setting, now) if setting else State.USUAL
    rule = RULES[watch]
    would_look = state is not State.OFF and now.astimezone(HOME_TIME).hour in rule.hours
    return Row(watch, rule, setting, state, bool(would_look and setting and setting.is_quiet(now)))


def state_of(values: Values, at: datetime) -> State:
    """How a detector with these values stands at a time."""
    if values.is_off(at):
        return State.OFF
    return State.PERSONAL if values.is_personal() else State.USUAL


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
