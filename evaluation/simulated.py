"""A simulated county scored: how much of what happened was found and when, and what was said for nothing.

Pure: labels and alarms in, figures out. How a county lives through production code is not known here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from evaluation import metrics
from evaluation.metrics import Interval
from evaluation.results import Result
from protocol.model import DeviceKind
from simulator.clock import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.illness import PATTERNS, IllnessKind
from simulator.labels import Label, LabelKind
from simulator.plan import County

LEARNING_DAYS = 14
"""What happens in the first days is not scored: the county has just been switched on and knows nobody."""
FALL_FOUND_WITHIN_MS = 3 * MINUTE_MS
INFECTION_FOUND_BEFORE_MS = 24 * HOUR_MS
DECIDED_AFTER_MS = 3 * DAY_MS
"""Of what lasts longer, and is no infection."""
REACH_FALLS, REACH_INFECTIONS, REACH_FALSE = 0.95, 0.95, 0.02

INFECTIONS = frozenset({LabelKind.RESPIRATORY_INFECTION, LabelKind.URINARY_INFECTION})
_LYING = frozenset({LabelKind.FALL, LabelKind.LONG_LIE})
_ILL = INFECTIONS | {LabelKind.HEART_DECOMPENSATION, LabelKind.DEHYDRATION, LabelKind.DYING}
_GONE = frozenset({LabelKind.DEAD, LabelKind.GHOST_RESIDENT})

TRUE_OF: Mapping[AlarmKind, frozenset[LabelKind]] = {
    AlarmKind.SOS: frozenset({LabelKind.SOS}) | _LYING,
    AlarmKind.FALL: _LYING,
    AlarmKind.VITALS: _ILL | _LYING | {LabelKind.WEAK_BREATHING},
    AlarmKind.HEALTH_CHANGE: _ILL | _LYING,
    AlarmKind.OUT_OF_LIMITS: _ILL | _LYING,
    AlarmKind.WEAK_BREATHING: frozenset({LabelKind.WEAK_BREATHING, LabelKind.DYING}),
    AlarmKind.INACTIVITY: _LYING | _ILL | _GONE,
    AlarmKind.BED_EXIT: _LYING | {LabelKind.BED_EXIT, LabelKind.WANDERING, LabelKind.URINARY_INFECTION},
    AlarmKind.WANDERING: frozenset({LabelKind.WANDERING}),
    AlarmKind.RESTLESSNESS: frozenset({LabelKind.WANDERING}),
    AlarmKind.OUTBREAK: frozenset({LabelKind.OUTBREAK}),
    AlarmKind.ROUTINE_CHANGE: _ILL | _GONE | _LYING | {LabelKind.CARER_ABSENT},
    AlarmKind.ABSENCE: _GONE,
    AlarmKind.NO_TURNING: frozenset({LabelKind.ROUNDS_NEGLECTED}) | _ILL,
    AlarmKind.SMOKE: frozenset({LabelKind.SMOKE}),
    AlarmKind.GAS: frozenset({LabelKind.GAS}),
    AlarmKind.WATER: frozenset({LabelKind.WATER}),
    AlarmKind.TAMPER: frozenset({LabelKind.TAMPER}),
}
"""What makes an alarm of a kind true. Kinds that are not here tell of devices only, with low priority."""
_FIND_NOTHING = frozenset({AlarmKind.OUT_OF_LIMITS})
"""Said of some people every few days, ill or well: it would find falls and illnesses by chance."""
FINDERS: Mapping[LabelKind, frozenset[AlarmKind]] = {
    label: frozenset(
        kind for kind, labels in TRUE_OF.items() if label in labels and kind not in _FIND_NOTHING
    )
    for label in sorted({label for labels in TRUE_OF.values() for label in labels})
}
"""The kinds of alarm that find a thing."""
_LINGERS_MS: Mapping[LabelKind, int] = {
    # Six-hour means, and what is looked at once a day, still show what is over.
    **dict.fromkeys(_ILL, DAY_MS),
    LabelKind.GHOST_RESIDENT: DAY_MS,
    # Their label ends some day; they do not come back.
    LabelKind.DEAD: 10 * 365 * DAY_MS,
    LabelKind.CARER_ABSENT: DAY_MS,
    LabelKind.OUTBREAK: 3 * DAY_MS,
}
_LINGERS_ELSE_MS = 30 * MINUTE_MS
_EARLY_MS = MINUTE_MS
"""A device's clock may run ahead of the centre's by this."""
_SITE_WIDE = frozenset({LabelKind.OUTBREAK, LabelKind.ROUNDS_NEGLECTED, LabelKind.SMOKE, LabelKind.GAS})


class SeenAlarm(NamedTuple):
    """An alarm, or a repeat that joined one, as the centre knew it; who and where by the plan's numbers."""

    alarm_id: int
    kind: AlarmKind
    priority: AlarmPriority
    detector: str | None
    repeat: bool
    known_ms: int
    site: int
    subject: int | None
    room: int | None
    cases: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What happened in a county, and what was said of it.

    Attributes:
        county: the plan.
        begin_ms, end_ms: the days lived through.
        labels: what truly happened.
        alarms: what was said, by time.
        failures: rounds of detectors that failed.
    """

    county: County
    begin_ms: int
    end_ms: int
    labels: tuple[Label, ...]
    alarms: tuple[SeenAlarm, ...]
    failures: int = 0


class Event(NamedTuple):
    """One labelled thing and the first alarm that found it."""

    county: int
    label: Label
    by: str | None
    """The detector, or `device`; None: not found."""
    found_ms: int | None
    equipped: bool
    """Whether a device was there that can notice such a thing within minutes or hours."""

    @property
    def delay_ms(self) -> float:
        """From its begin; infinite if it was never found."""
        return float("inf") if self.found_ms is None else float(self.found_ms - self.label.begin_ms)

    @property
    def person(self) -> tuple[int, int]:
        """Whose it is, over all counties; the site's where it is about nobody."""
        return self.county, -1 - self.label.site if self.label.subject is None else self.label.subject


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that is scored, of several counties.

    Attributes:
        events: everything labelled that some alarm could find, and could have found before the days ended.
        false: alarms of medium or high priority of which nothing is true, with their county.
        alarm_count: alarms of medium or high priority.
        persons: how many people lived in each county.
        days: scored days.
        failures: rounds of detectors that failed.
    """

    events: tuple[Event, ...]
    false: tuple[tuple[int, SeenAlarm], ...]
    alarm_count: int
    persons: tuple[int, ...]
    days: int
    failures: int

    @property
    def person_days(self) -> int:
        """Of all counties."""
        return sum(self.persons) * self.days


def together(lives: Sequence[Lived]) -> list[Lived]:
    """The same counties, each only up to the number of days that all of them have lived."""
    lasted_ms = min(one.end_ms - one.begin_ms for one in lives)
    return [_until(one, one.begin_ms + lasted_ms) for one in lives]


def _until(lived: Lived, end_ms: int) -> Lived:
    return replace(
        lived,
        end_ms=end_ms,
        labels=tuple(label for label in lived.labels if label.begin_ms < end_ms),
        alarms=tuple(alarm for alarm in lived.alarms if alarm.known_ms <= end_ms),
    )


def score(lives: Sequence[Lived], learning_days: int = LEARNING_DAYS) -> Found:
    """Match what was said with what was true, leaving out the first days of each county.

    Raises ValueError when the counties were not lived through for equally long, or not long enough.
    """
    spans = {(one.end_ms - one.begin_ms) // DAY_MS for one in lives}
    if len(spans) != 1 or (days := spans.pop() - learning_days) <= 0:
        raise ValueError(f"counties must have lived equally long, and longer than {learning_days} days")
    happened: list[Event] = []
    false: list[tuple[int, SeenAlarm]] = []
    alarm_count = 0
    for number, lived in enumerate(lives):
        from_ms = lived.begin_ms + learning_days * DAY_MS
        happened += [
            _found(number, label, lived)
            for label in lived.labels
            if label.begin_ms >= from_ms and label.kind in FINDERS and _decided_ms(label) <= lived.end_ms
        ]
        loud = [
            alarm
            for alarm in lived.alarms
            if alarm.priority is not AlarmPriority.LOW and not alarm.repeat and alarm.known_ms >= from_ms
        ]
        alarm_count += len(loud)
        false += [(number, alarm) for alarm in loud if not is_true(alarm, lived)]
    return Found(
        events=tuple(happened),
        false=tuple(false),
        alarm_count=alarm_count,
        persons=tuple(len(one.county.subjects) for one in lives),
        days=days,
        failures=sum(one.failures for one in lives),
    )


def _decided_ms(label: Label) -> int:
    """When it is clear whether it was found in time; what is still open at the end is not scored."""
    if label.kind in INFECTIONS:
        return height_middle_ms(label)
    return min(label.end_ms, label.begin_ms + DECIDED_AFTER_MS)


def is_true(alarm: SeenAlarm, lived: Lived) -> bool:
    """Whether something that makes such an alarm true was going on with those whom it is about."""
    kinds = TRUE_OF.get(alarm.kind, frozenset())
    return any(
        label.kind in kinds
        and label.begin_ms - _EARLY_MS
        <= alarm.known_ms
        <= label.end_ms + _LINGERS_MS.get(label.kind, _LINGERS_ELSE_MS)
        and concerns(alarm, label, lived.county)
        for label in lived.labels
    )


def concerns(alarm: SeenAlarm, label: Label, county: County) -> bool:
    """Whether both are about the same person, room or site."""
    if alarm.site != label.site:
        return False
    if label.kind in _SITE_WIDE or label.subject is None:
        return True
    if alarm.subject is not None:
        return alarm.subject == label.subject
    if alarm.cases:
        return label.subject in alarm.cases
    if alarm.room is None:
        return True
    # A radar in a shared room, or in its bathroom, says only where.
    rooms, subject = county.rooms, county.subjects[label.subject]
    return rooms[alarm.room].number == rooms[subject.room].number or not rooms[alarm.room].beds


def is_equipped(label: Label, county: County) -> bool:
    """Falls: a radar hangs in that room, or the person wears a band; illness: band or smart mattress."""
    if label.subject is None:
        return True
    reach = county.reach[label.subject]
    kinds = {device.kind for device in reach if device.subject == label.subject}
    if label.kind in _LYING:
        radars = [device for device in reach if device.kind is DeviceKind.FALL_RADAR]
        return DeviceKind.WRISTBAND in kinds or any(
            device.place is not None and device.place.name.lower() == label.detail for device in radars
        )
    return bool(kinds & {DeviceKind.WRISTBAND, DeviceKind.SMART_MATTRESS})


def _found(number: int, label: Label, lived: Lived) -> Event:
    equipped = is_equipped(label, lived.county)
    for alarm in lived.alarms:  # by time
        if alarm.known_ms > label.end_ms:
            break
        if (
            alarm.known_ms >= label.begin_ms - _EARLY_MS
            and alarm.kind in FINDERS[label.kind]
            and concerns(alarm, label, lived.county)
        ):
            return Event(number, label, alarm.detector or "device", alarm.known_ms, equipped)
        if label.kind in INFECTIONS and alarm.known_ms >= label.begin_ms and label.subject in alarm.cases:
            # Somebody whom nothing else noticed may be named in the list of an outbreak.
            return Event(number, label, alarm.detector, alarm.known_ms, equipped)
    return Event(number, label, None, None, equipped)


def height_middle_ms(label: Label) -> int:
    """The middle of the time that an illness spends at its height; the label's peak is when that begins."""
    pattern = PATTERNS[IllnessKind(label.kind)]
    assert label.peak_ms is not None, "illnesses have a peak"
    return label.peak_ms + round(pattern.plateau_h * HOUR_MS / 2)


def found_early(event: Event, before_ms: Callable[[Label], int]) -> bool:
    """Whether it was found so long before its height."""
    return event.found_ms is not None and event.found_ms <= before_ms(event.label) - INFECTION_FOUND_BEFORE_MS


def _peak_ms(label: Label) -> int:
    assert label.peak_ms is not None, "illnesses have a peak"
    return label.peak_ms


def results(found: Found) -> list[Result]:
    """The figures asked for."""
    lies = of_kinds(found, {LabelKind.LONG_LIE})
    infections = of_kinds(found, INFECTIONS)
    within = share(lies, lambda event: event.delay_ms <= FALL_FOUND_WITHIN_MS)
    return [
        Result(
            name="falls with a long lie, found within 3 min", value=within, published=None, reach=REACH_FALLS
        ),
        Result(
            name="infections found 24 h before the middle of their height",
            value=share(infections, lambda event: found_early(event, height_middle_ms)),
            published=None,
            reach=REACH_INFECTIONS,
        ),
        Result(
            name="infections found 24 h before their height begins",
            value=share(infections, lambda event: found_early(event, _peak_ms)),
            published=None,
            reach=REACH_INFECTIONS,
        ),
        Result(
            name="false alarms of medium or high priority per person-day",
            value=false_rate(found),
            published=None,
            reach=REACH_FALSE,
            better="lower",
        ),
    ]


def more_results(found: Found) -> list[Result]:
    """The same of those whom a device can notice, to tell gaps of equipment and of analytics apart."""
    lies = [event for event in of_kinds(found, {LabelKind.LONG_LIE}) if event.equipped]
    infections = [event for event in of_kinds(found, INFECTIONS) if event.equipped]
    return [
        Result(
            name="falls with a long lie where a radar or wristband watches, found within 3 min",
            value=share(lies, lambda event: event.delay_ms <= FALL_FOUND_WITHIN_MS),
            published=None,
            reach=REACH_FALLS,
        ),
        Result(
            name="infections of people with a band or smart mattress, 24 h before the middle of their height",
            value=share(infections, lambda event: found_early(event, height_middle_ms)),
            published=None,
            reach=REACH_INFECTIONS,
        ),
    ]


def of_kinds(found: Found, kinds: Iterable[LabelKind]) -> list[Event]:
    """The labelled things of these kinds."""
    chosen = frozenset(kinds)
    return [event for event in found.events if event.label.kind in chosen]


def share(events: Sequence[Event], is_so: Callable[[Event], bool]) -> Interval:
    """The share of the events of which it is so, with an interval over persons."""
    if not events:
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    so = np.array([is_so(event) for event in events], dtype=np.float64)
    persons = [f"{county}/{person}" for county, person in (event.person for event in events)]
    return metrics.interval(lambda rows: float(so[rows].mean()), persons)


def false_rate(found: Found, only: Callable[[SeenAlarm], bool] = lambda _: True) -> Interval:
    """False alarms per person-day, with an interval over persons; a site's count for one of its people."""
    counts = [np.zeros(persons) for persons in found.persons]
    for county, alarm in found.false:
        if only(alarm):
            counts[county][0 if alarm.subject is None else alarm.subject] += 1
    each = np.concatenate(counts) / found.days
    return metrics.interval(lambda rows: float(each[rows].mean()), list(range(each.size)))


def false_by_finder(found: Found) -> Counter[tuple[str, str, str]]:
    """How many false alarms by kind, priority and who raised them."""
    return Counter(
        (str(alarm.kind), str(alarm.priority), alarm.detector or "device") for _, alarm in found.false
    )
