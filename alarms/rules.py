"""What may be set for one person: which detectors, and how far. Each rule stands in the row of its kind."""

from enum import StrEnum

from msgspec import Struct

ALL_DAY = frozenset(range(24))


class Watch(StrEnum):
    """The detectors that look at one person and can be set for them, as pages list them."""

    EARLY_WARNING = "early_warning"
    WEAK_BREATHING = "weak_breathing"
    INACTIVITY = "inactivity"
    BED_EXIT = "bed_exit"
    WANDERING = "wandering"
    TURNING = "turning"
    BASELINE = "baseline"
    ROUTINE = "routine"
    ABSENCE = "absence"
    RESTLESSNESS = "restlessness"
    LIMITS = "limits"


class Rule(Struct, frozen=True, kw_only=True):
    """What may be set for one person.

    Attributes:
        title: What stands above it on the page.
        does: What it does, in a sentence for the ward, which may name figures of the county's policy.
        off_days_max: For so many days, from today, it can be switched off at once.
        tolerances: By what its thresholds can be multiplied, besides 1; empty: they are the same for all.
        at_night: Whether it looks only in the hours that the county calls night.
        hours: The local hours in which it looks.
        has_hours: Whether it can be kept to some of them. Only where it looks all the time: a detector that
            is due once a day would be off for ever.
        is_vital: Missing what it sees may cost a life: less of it must be confirmed.
        limit_s: Its threshold where that is one span of time, as the county has decided.
    """

    title: str
    does: str
    off_days_max: int
    tolerances: tuple[float, ...] = ()
    at_night: bool = False
    hours: frozenset[int] = ALL_DAY
    has_hours: bool = False
    is_vital: bool = False
    limit_s: int | None = None
