"""Fair turns for alarm signals: nobody's flood makes anybody else wait, and what is too much is counted.

A speaker is a device; names that nobody knows are one speaker a site. Each has a budget. What is within it
waits for its turn, one speaker after the other. What is beyond belongs to a flood: it is gathered, and of
each matter (a kind of alarm; at a gateway also of which device that nobody has adopted) only the last
beginning and an end after it are kept, since these alone say how things stand. Pure: nothing in here waits or
touches a server.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from math import inf
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
MATTERS_MAX = 200
"""Keys in a flood that are told apart: they can be made up, and those after so many are one for each kind."""


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

    def postpone(self) -> None:
        """The next one could not be dealt with; its speaker goes to the end of the row with it."""
        self._order.rotate(-1)

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._order.clear()
        self._count = 0


class Kept(NamedTuple):
    """A signal in a flood, not acknowledged until it is counted; the payload is not kept."""

    incoming: Incoming
    row: SignalRow


class Matter(NamedTuple):
    """What a signal of a speaker is about; `key` is that of a device that nobody has adopted yet."""

    kind: SignalKind
    key: str | None = None


class Flood:
    """What one speaker said beyond its budget, and all that it says until the flood is over.

    Attributes:
        speaker: Who.
        begun: The last beginning of each matter.
        ended: Its end, where that came after.
        fresh: Beginnings of each matter that are not yet in the count of their alarm.
        untold: Beginnings of each matter of which their alarm's timeline has no line.
        unreadable: Messages that could not be understood and are in no dead letter.
        sample: One of those.
        superseded: Signals that another of their matter has followed.
        unread: Messages that could not be understood, until they are acknowledged.
        settled_s: When a signal of a matter was last dealt with.
        told_s: When timelines were last told; None: nobody knows yet that there is a flood.
        last_s: When the last of it came.
    """

    def __init__(self, speaker: str, now_s: float) -> None:
        self.speaker = speaker
        self.begun: dict[Matter, Kept] = {}
        self.ended: dict[Matter, Kept] = {}
        self.fresh: Counter[Matter] = Counter()
        self.untold: Counter[Matter] = Counter()
        self.unreadable = 0
        self.sample: DeadLetter | None = None
        self.superseded: list[Kept] = []
        self.unread: list[Incoming] = []
        self.settled_s: dict[Matter, float] = {}
        self.told_s: float | None = None
        self.last_s = now_s
        self._keyed: set[Matter] = set()

    def add_signal(self, incoming: Incoming, row: SignalRow) -> None:
        """A beginning takes the place of all of its matter; an end that of the end before, of no call."""
        matter = self._matter_of(row)
        kept = Kept(incoming._replace(payload=b""), row)
        gone = [self.ended.pop(matter, None)]
        if row.signal.state is SignalState.RAISED:
            gone.append(self.begun.get(matter))
            self.begun[matter] = kept
            self.fresh[matter] += 1
        else:
            self.ended[matter] = kept
        self.superseded += [before for before in gone if before is not None]

    def _matter_of(self, row: SignalRow) -> Matter:
        matter = Matter(row.signal.kind, row.signal.key)
        if matter.key is None or matter in self._keyed:
            return matter
        if len(self._keyed) >= MATTERS_MAX:
            return Matter(matter.kind, "")
        self._keyed.add(matter)
        return matter

    def add_unreadable(self, incoming: Incoming, letter: DeadLetter | None) -> None:
        """One more that cannot be understood."""
        self.sample = self.sample or letter
        self.unreadable += 1
        self.unread.append(incoming._replace(payload=b""))

    def due_ends(self, now_s: float) -> dict[Matter, Kept]:
        """The ends that are to be dealt with; beginnings always are. What flickers is not over."""
        return {
            matter: kept
            for matter, kept in self.ended.items()
            if self.is_over(now_s) or now_s - self.settled_s.get(matter, -inf) >= ENDING_EVERY_S
        }

    def settled(self, ends: Iterable[Matter], now_s: float) -> None:
        """All is counted, beginnings and these ends are dealt with, and who was to be told was told."""
        for matter in list(ends):
            self.settled_s[matter] = now_s
            del self.ended[matter]
        self.settled_s |= dict.fromkeys(self.begun, now_s)
        self.begun.clear()
        if self.is_to_be_told(now_s):
            self.untold.clear()
            self.unreadable, self.sample = 0, None
            self.told_s = now_s
        else:
            self.untold += self.fresh
            self.told_s = now_s if self.told_s is None else self.told_s
        self.fresh.clear()
        self.superseded.clear()
        self.unread.clear()

    def is_over(self, now_s: float) -> bool:
        """Whether nothing of it came for a while."""
        return now_s - self.last_s >= QUIET_S

    def is_to_be_told(self, now_s: float) -> bool:
        """Whether timelines want a line: at its end, and now and then in a long one."""
        return self.is_over(now_s) or (self.told_s is not None and now_s - self.told_s >= TELL_EVERY_S)


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
        return sum(len(flood.superseded) + len(flood.unread) for flood in list(self._floods.values()))

    def of(self, speaker: str, now_s: float) -> Flood:
        """The flood of a speaker, which goes on or begins now."""
        flood = self._floods.get(speaker)
        if flood is None:
            flood = self._floods[speaker] = Flood(speaker, now_s)
        flood.last_s = now_s
        return flood

    def postpone(self, flood: Flood) -> None:
        """It could not be settled: the others come first."""
        self._floods[flood.speaker] = self._floods.pop(flood.speaker)

    def end(self, flood: Flood) -> None:
        """It is over, and everybody has been told."""
        del self._floods[flood.speaker]

    def clear(self) -> None:
        """They are somebody else's now."""
        self._floods.clear()
