"""Which faults strike, in which order, when and for how long: all from the seed. Pure."""

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

GAP_S_MEAN = 1.5
"""Between one fault and the next; some strike while the last one is not yet overcome."""
GAP_S_MAX = 6.0
HOLD_S = (0.2, 4.0)
"""How long a link stays bad or a disk full, in seconds."""


class Link(StrEnum):
    """A connection between two that a proxy sits on."""

    GATEWAYS = "gateways–broker"
    DEVICES = "direct devices–broker"
    READINGS_BROKER = "ingest readings–broker"
    ALARMS_BROKER = "ingest alarms–broker"
    READINGS_DATABASE = "ingest readings–database"
    ALARMS_DATABASE = "ingest alarms–database"
    SETTLE_DATABASE = "ingest settle–database"


SORT_OF = {
    Link.GATEWAYS: "sender–broker",
    Link.DEVICES: "sender–broker",
    Link.READINGS_BROKER: "ingest–broker",
    Link.ALARMS_BROKER: "ingest–broker",
    Link.READINGS_DATABASE: "ingest–database",
    Link.ALARMS_DATABASE: "ingest–database",
    Link.SETTLE_DATABASE: "settle–database",
}


class Harm(StrEnum):
    """What is done to something."""

    KILL_READINGS = "kill -9 ingest readings"
    KILL_ALARMS = "kill -9 ingest alarms"
    KILL_SETTLE = "kill -9 ingest settle"
    KILL_BACKEND = "kill -9 a database backend"
    KILL_DATABASE = "kill -9 the whole database"
    KILL_BROKER = "kill -9 the broker"
    KILL_GATEWAY = "kill -9 a gateway"
    CUT = "cut"
    DELAY = "delayed"
    HALF_OPEN = "half-open"
    CORRUPT = "corrupted"
    DISK_FULL = "disk full"
    CLOCK_JUMP = "clock jump"


ON_LINKS = (Harm.CUT, Harm.DELAY, Harm.HALF_OPEN, Harm.CORRUPT)


class Fault(NamedTuple):
    """One fault.

    Attributes:
        number: From 1.
        harm: What is done.
        link: To which link, for those harms that need one.
        gap_s: After the last one.
        hold_s: For how long, for those harms that last.
        dice: In [0, 1): picks one of several, and so on.
    """

    number: int
    harm: Harm
    link: Link | None
    gap_s: float
    hold_s: float
    dice: float

    @property
    def kind(self) -> str:
        """Under which its recovery is stated."""
        return str(self.harm) if self.link is None else f"{self.link} {self.harm}"

    @property
    def sort(self) -> str:
        """Its kind, but with links that are alike as one."""
        return str(self.harm) if self.link is None else f"{SORT_OF[self.link]} {self.harm}"

    @property
    def lasts(self) -> bool:
        """Whether it has an end of its own."""
        return self.link is not None or self.harm is Harm.DISK_FULL

    def __str__(self) -> str:
        lasting = f" for {self.hold_s:.1f} s" if self.lasts else ""
        return f"{self.number:3} {self.kind}{lasting}"


def schedule(seed: int, count: int, *, can_fill_disk: bool = True) -> list[Fault]:
    """The faults of a run. Kinds come like cards from a deck, so that each comes as often as any other."""
    generator = random.Random(seed)
    faults = []
    for number, (harm, link) in zip(range(1, count + 1), _dealt(generator, can_fill_disk), strict=False):
        gap_s = min(GAP_S_MAX, generator.expovariate(1 / GAP_S_MEAN))
        hold_s = generator.uniform(*HOLD_S)
        faults.append(Fault(number, harm, link, gap_s, hold_s, generator.random()))
    return faults


def _dealt(generator: random.Random, can_fill_disk: bool) -> Iterator[tuple[Harm, Link | None]]:
    deck: list[tuple[Harm, Link | None]] = [
        (harm, None)
        for harm in Harm
        if harm not in ON_LINKS and (can_fill_disk or harm is not Harm.DISK_FULL)
    ]
    links = list(Link)
    while True:
        # Links would be two thirds of all cards: of each harm to links, two links a deck.
        cards = deck + [(harm, link) for harm in ON_LINKS for link in generator.sample(links, 2)]
        generator.shuffle(cards)
        yield from cards
