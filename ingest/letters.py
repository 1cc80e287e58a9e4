"""Dead letters within bounds: so many of each source an hour singly, and one for all the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.rows import DeadLetter

AT_ONCE_MAX = 100
"""Of one batch; the last of them stands for all that follow."""
HOURLY_MAX = 1_000
"""Of one device or gateway; of all whom nobody knows at a site together."""
HOUR_US = 3_600_000_000
SOURCES_MAX = 100_000
"""Sources that are remembered; the oldest are forgotten."""


@dataclass
class _Hour:
    began_us: int
    kept: int = 0
    last: DeadLetter | None = None
    """Of those that were only counted."""
    more: int = 0


def bounded(letters: Sequence[DeadLetter], count_max: int = AT_ONCE_MAX) -> list[DeadLetter]:
    """At most so many of these; the last tells how many more there were."""
    if len(letters) <= count_max:
        return list(letters)
    last = letters[count_max - 1]
    return [*letters[: count_max - 1], _standing_for(last, len(letters) - count_max)]


class LetterBudget:
    """How many dead letters each source may still fill this hour. Times are microseconds since 1970 UTC."""

    def __init__(self, hourly_max: int = HOURLY_MAX) -> None:
        self._hourly_max = hourly_max
        self._hours: dict[object, _Hour] = {}
        self._due_us = 0

    def admit(self, letters: Sequence[DeadLetter], now_us: int) -> list[DeadLetter]:
        """Those of the letters that are kept singly; the others are counted until their hour is over."""
        admitted = []
        for letter in letters:
            hour = self._hour_of(_source_of(letter), now_us)
            if hour.kept < self._hourly_max:
                hour.kept += 1
                admitted.append(letter)
            else:
                hour.last = letter
                hour.more += 1
        return admitted

    def overdue(self, now_us: int) -> list[DeadLetter]:
        """One letter for what was only counted in each hour that is over."""
        if now_us < self._due_us:
            return []
        over = [source for source, hour in self._hours.items() if now_us - hour.began_us >= HOUR_US]
        hours = [self._hours.pop(source) for source in over]
        self._due_us = now_us + HOUR_US // 60
        return [_standing_for(hour.last, hour.more - 1) for hour in hours if hour.last is not None]

    def _hour_of(self, source: object, now_us: int) -> _Hour:
        hour = self._hours.get(source)
        if hour is None:
            hour = self._hours[source] = _Hour(now_us)
            if len(self._hours) > SOURCES_MAX:
                del self._hours[next(iter(self._hours))]
        return hour


def _standing_for(letter: DeadLetter, more: int) -> DeadLetter:
    return letter._replace(detail=f"{letter.detail}; so {more:,} more") if more else letter


def _source_of(letter: DeadLetter) -> object:
    """The device; for one whom nobody knows its site, since names may be made up."""
    if letter.device_id is not None:
        return letter.device_id
    levels = letter.topic.split("/", 3)
    return levels[2] if len(levels) > 3 else ""
