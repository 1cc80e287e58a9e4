"""The detectors that look at one person, and how each stands for them."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from alarms.detector_settings import Setting, Values, looks_enough, off_through
from alarms.kinds import KIND_FOUND_BY, AlarmKind
from alarms.rules import Rule, Watch
from protocol.calendar import HOME_TIME


class State(StrEnum):
    """How a detector stands for a person."""

    USUAL = "usual"
    PERSONAL = "personal"
    OFF = "off"


class Row(NamedTuple):
    """A detector on the page.

    `is_resting`: it looks at this hour for others, but not for this person; `misses_hours`: the hours set for
    this person do not fit those in which it looks, which the county has changed since.
    """

    watch: Watch
    rule: Rule
    setting: Setting | None
    state: State
    is_resting: bool
    misses_hours: bool

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


def rows(settings: Mapping[Watch, Setting], rules: Mapping[Watch, Rule], now: datetime) -> list[Row]:
    """Every detector that looks at a person, in a fixed order."""
    return [row_of(watch, rules[watch], settings.get(watch), now) for watch in Watch]


def row_of(watch: Watch, rule: Rule, setting: Setting | None, now: datetime) -> Row:
    """One detector."""
    state = state_of(setting, now) if setting else State.USUAL
    would_look = state is not State.OFF and now.astimezone(HOME_TIME).hour in rule.hours
    return Row(
        watch=watch,
        rule=rule,
        setting=setting,
        state=state,
        is_resting=bool(would_look and setting and setting.is_quiet(now)),
        misses_hours=bool(setting and not looks_enough(rule, setting.active_hours())),
    )


def state_of(values: Values, at: datetime) -> State:
    """How a detector with these values stands at a time."""
    if values.is_off(at):
        return State.OFF
    return State.PERSONAL if values.is_personal() else State.USUAL
