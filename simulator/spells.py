"""Spells of days: somebody who is gone, a carer who stops coming, rounds that nobody does.

Each is drawn for a span of `WINDOW_DAYS` of one person or site, so that any day can be told alone.
"""

from dataclasses import dataclass
from functools import lru_cache

from simulator.chance import generator
from simulator.clock import DAY_MS, day_start_ms
from simulator.labels import Label, LabelKind

WINDOW_DAYS = 60
"""At most one spell of a kind begins in such a span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Days `first` to `last`, both included."""

    kind: LabelKind
    first: int
    last: int

    def label(self, *, site: int, subject: int | None = None) -> Label:
        """What it is called afterwards."""
        return Label(
            kind=self.kind,
            site=site,
            subject=subject,
            begin_ms=day_start_ms(self.first),
            end_ms=day_start_ms(self.last) + DAY_MS,
        )


PER_WINDOW = {
    LabelKind.GHOST_RESIDENT: 0.004,
    LabelKind.CARER_ABSENT: 0.03,
    LabelKind.ROUNDS_NEGLECTED: 0.15,
}
"""Chance that a spell of this kind begins in a window, for one person or one home of ordinary life."""
_LASTS_DAYS = {
    LabelKind.GHOST_RESIDENT: (25, WINDOW_DAYS),
    LabelKind.CARER_ABSENT: (8, 25),
    LabelKind.ROUNDS_NEGLECTED: (3, 9),
}


def spell_on(seed: int, kind: LabelKind, index: int, day: int, rate: float) -> Spell | None:
    """The spell of `kind` that holds `day` for person or site `index`, if there is one."""
    this = day // WINDOW_DAYS
    for window in (this - 1, this):
        spell = _in_window(seed, kind, index, window, rate)
        if spell is not None and spell.first <= day <= spell.last:
            return spell
    return None


@lru_cache(maxsize=65_536)
def _in_window(seed: int, kind: LabelKind, index: int, window: int, rate: float) -> Spell | None:
    rng = generator(seed, kind, index, window)
    if rng.random() >= PER_WINDOW[kind] * rate:
        return None
    first = window * WINDOW_DAYS + int(rng.integers(WINDOW_DAYS))
    shortest, longest = _LASTS_DAYS[kind]
    return Spell(kind=kind, first=first, last=first + int(rng.integers(shortest, longest)) - 1)
