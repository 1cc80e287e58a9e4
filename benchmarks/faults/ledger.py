"""The senders' own ledger of everything they said, and how the database compares with it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

EXAMPLES_MAX = 5

Value = float | int | str | bool | None


class Record(NamedTuple):
    """Something said by a device, or a row of the database.

    Attributes:
        table: vitals, activity, device_status or alarm_signal.
        device: Its name.
        time_us: By its own clock, in microseconds since 1970 UTC; None where that is absurd or missing.
        values: All else.
    """

    table: str
    device: str
    time_us: int | None
    values: tuple[Value, ...]


@dataclass
class Tally:
    """How the database compares with a ledger."""

    said: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    examples: list[str] = field(default_factory=list)
    missing: list[Record] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether everything is there once and as it was said."""
        return not (self.lost or self.duplicated or self.altered)

    def lose(self, record: Record, count: int = 1) -> None:
        """It was said and is not there."""
        self.lost += count
        self.missing.append(record)
        self._note(f"lost: {record}")

    def duplicate(self, record: Record, count: int = 1) -> None:
        """It is there and was not said, or not so often."""
        self.duplicated += count
        self._note(f"too many: {record}")

    def alter(self, said: Record, stored: Record) -> None:
        """It is there, but otherwise than it was said."""
        self.altered += 1
        self._note(f"altered: {said} is stored as {stored}")

    def _note(self, example: str) -> None:
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(example)


def compare(said: Sequence[Record], stored: Iterable[Record]) -> Tally:
    """What was said, each thing once, against what is stored.

    With a time, device and time tell what is what. Where the clock was absurd, only the values can: those of
    the senders are never the same twice, but for activities.
    """
    tally = Tally(said=len(said))
    timed: dict[tuple[str, str, int], list[Record]] = defaultdict(list)
    untimed: Counter[Record] = Counter()
    for record in stored:
        if record.time_us is None:
            untimed[record] -= 1
        else:
            timed[record.table, record.device, record.time_us].append(record)
    for record in said:
        if record.time_us is None:
            untimed[record] += 1
        else:
            _compare_one(tally, record, timed.pop((record.table, record.device, record.time_us), []))
    for unsaid in timed.values():
        for record in unsaid:
            tally.duplicate(record)
    for record, missing in untimed.items():
        if missing > 0:
            tally.lose(record, missing)
        elif missing < 0:
            tally.duplicate(record, -missing)
    return tally


def _compare_one(tally: Tally, said: Record, stored: Sequence[Record]) -> None:
    """Something with a time against all that is stored of that device and time."""
    if not stored:
        tally.lose(said)
    elif said not in stored:
        tally.alter(said, stored[0])
    for extra in stored[1:]:
        tally.duplicate(extra)
