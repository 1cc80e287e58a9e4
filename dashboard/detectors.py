"""The detectors that look at one person, and how each stands for them."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from alarms.detector_settings import RULES, Rule, Setting, Values, Watch, off_through
from protocol.calendar import HOME_TIME


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
    def through(self) -> date | None:
        """The last day on which it is off."""
        return off_through(self.setting) if self.setting and self.state is State.OFF else None

    @property
    def seen(self) -> str:
        """What the form gives back, so that nobody changes what they have not seen."""
        return self.setting.changed_at.isoformat() if self.setting else ""


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
