"""Fair turns for alarm signals: nobody's flood makes anybody else wait, and what is too much is counted.

A speaker is a device; names that nobody knows are one speaker a site. Each has a budget. What is within it
waits for its turn, one speaker after the other. What is beyond belongs to a flood: it is gathered, and of
each kind of alarm only the last signal is kept, since that alone says how things stand. Pure: nothing in
here waits or touches a server.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingest.rows import DeadLetter, SignalRow
from ingest.subscriber import Incoming
from protocol.model import SignalKind, SignalState

BURST_MAX = 100
"""So many signals of one speaker are taken singly, however fast they come …"""
REFILL_S = 10.0
"""… and one more each time this has passed."""
SPEAKERS_MAX = 100_000
"""Budgets that are remembered: the oldest are forgotten, full as they would be by now."""
QUIET_S = 20.0
"""A flood is over when nothing of it came for so long."""
ENDING_EVERY_S = 300.0
"""While it goes on, the end of an alarm's cause is believed so often at most."""
TELL_EVERY_S = 3600.0
"""So often a timeline has a line for all that came meanwhile."""


class Budgets:
    """How much each speaker may still say at once. `now_s` is any clock that only runs forward."""

    def __init__(self, burst_max: int = BURST_MAX, refill_s: float = REFILL_S) -> None:
        self._burst_max = burst_max
        self._refill_s = refill_s
        self._full_at_s: dict[str, float] = {}
        """When the budget will be whole again; what is left of it follows from that."""

    def take(self, speaker: str, now_s: float) -> bool:
        """Spend one; False where nothing is left."""
        full_at_s = max(self._full_at_s.pop(speaker, now_s), now_s) + self._refill_s
        ok = full_at_s - now_s <= self._burst_max * self._refill_s
        self._full_at_s[speaker] = full_at_s if ok else full_at_s - self._refill_s
        if len(self._full_at_s) > SPEAKERS_MAX:
            del self._full_at_s[next(iter(self._full_at_s))]
        return ok


class Turns:
    """What waits, by speaker; each speaker gets one turn after the other."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Incoming]] = {}
        self._order: deque[str] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, speaker: str, incoming: Incoming) -> None:
        """It waits for its speaker's turn, behind what the speaker said before."""
        if speaker not in self._waiting:
            self._waiting[speaker] = deque()
            self._order.append(speaker)
        self._waiting[speaker].append(incoming)
        self._count += 1

    def next(self) -> Incoming:
        """Whose turn it is; the same until `done`."""
        return self._waiting[self._order[0]][0]

    def done(self) -> None:
        """The next one was dealt with, and its speaker goes to the end of the row."""
        speaker = self._order.popleft()
        waiting = self._waiting[speaker]
        waiting.popleft()
        self._count -= 1
        if waiting:
            self._order.append(speaker)
        else:
            del self._waiting[speaker]

    def __contains__(self, speaker: str) -> bool:
        return speaker in self._waiting

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._order.clear()
        self._count = 0


class Kept(NamedTuple):
    """The last signal of a kind in a flood: not acknowledged until it is dealt with."""

    incoming: Incoming
    row: SignalRow


class Flood:
    """What one speaker said beyond its budget, and all that it says until the flood is over.

    Attributes:
        speaker: Who.
        kept: The last signal of each kind.
        fresh: Signals of each kind that are not yet in the count of their alarm.
        untold: Signals of each kind of which their alarm's timeline has no line.
        unreadable: Messages that could not be understood and are in no dead letter.
        sample: One of those.
        superseded: Messages that may be acknowledged once they are counted.
        settled_s: When a signal of a kind was last dealt with.
        told_s: When timelines were last told; None: nobody knows yet that there is a flood.
        last_s: When the last of it came.
    """

    def __init__(self, speaker: str, now_s: float) -> None:
        self.speaker = speaker
        self.kept: dict[SignalKind, Kept] = {}
        self.fresh: Counter[SignalKind] = Counter()
        self.untold: Counter[SignalKind] = Counter()
        self.unreadable = 0
        self.sample: DeadLetter | None = None
        self.superseded: list[Incoming] = []
        self.settled_s: dict[SignalKind, float] = {}
        self.told_s: float | None = None
        self.last_s = now_s

    def add_signal(self, incoming: Incoming, row: SignalRow) -> None:
        """One more of its kind takes the place of the one before."""
        before = self.kept.get(row.signal.kind)
        if before is not None:
            self.superseded.append(before.incoming)
        self.kept[row.signal.kind] = Kept(incoming, row)
        self.fresh[row.signal.kind] += 1

    def add_unreadable(self, incoming: Incoming, letter: DeadLetter | None) -> None:
        """One more that cannot be understood."""
        self.sample = self.sample or letter
        self.unreadable += 1
        self.superseded.append(incoming)

    def settled(self, due: Sequence[Kept], now_s: float) -> None:
        """All is counted, these are dealt with, and who was to be told was told."""
        for kept in due:
            kind = kept.row.signal.kind
            self.settled_s[kind] = now_s
            del self.kept[kind]
        if self.is_to_be_told(now_s):
            self.untold.clear()
            self.unreadable, self.sample = 0, None
            self.told_s = now_s
        else:
            self.untold += self.fresh
            self.told_s = now_s if self.told_s is None else self.told_s
        self.fresh.clear()
        self.superseded.clear()

    def is_over(self, now_s: float) -> bool:
        """Whether nothing of it came for a while."""
        return now_s - self.last_s >= QUIET_S

    def is_to_be_told(self, now_s: float) -> bool:
        """Whether timelines want a line: at its end, and now and then in a long one."""
        return self.is_over(now_s) or (self.told_s is not None and now_s - self.told_s >= TELL_EVERY_S)

    def is_due(self, kept: Kept, now_s: float) -> bool:
        """Whether a signal is to be dealt with. The end of a cause waits: what flickers is not over."""
        if kept.row.signal.state is SignalState.RAISED or self.is_over(now_s):
            return True
        return now_s - self.settled_s.get(kept.row.signal.kind, float("-inf")) >= ENDING_EVERY_S


class Floods:
    """The floods that are going on, by speaker."""

    def __init__(self) -> None:
        self._floods: dict[str, Flood] = {}

    def __iter__(self) -> Iterator[Flood]:
        return iter(list(self._floods.values()))

    def __contains__(self, speaker: str) -> bool:
        return speaker in self._floods

    def __len__(self) -> int:
        """Messages that may be acknowledged once they are counted."""
        return sum(len(flood.superseded) for flood in self._floods.values())

    def of(self, speaker: str, now_s: float) -> Flood:
        """The flood of a speaker, which goes on or begins now."""
        flood = self._floods.setdefault(speaker, Flood(speaker, now_s))
        flood.last_s = now_s
        return flood

    def end(self, flood: Flood) -> None:
        """It is over, and everybody has been told."""
        del self._floods[flood.speaker]

    def clear(self) -> None:
        """They are somebody else's now."""
        self._floods.clear()
