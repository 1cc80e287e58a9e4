"""Incidents: which can happen to whom, how often, and what the devices say of them.

Rates are per person, site or device and day of ordinary life; the caller may multiply them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from protocol.model import ActivityEvent, DeviceKind, SignalKind, SignalState
from simulator import events
from simulator.chance import generator
from simulator.clock import DAY_MINUTES, DAY_MS, MINUTE_MS, day_start_ms, minute_at
from simulator.errors import IncidentNotPossibleError
from simulator.fleet import REPLACED_AFTER_D, Batteries
from simulator.labels import Label, LabelKind
from simulator.person import Condition, SelfCare
from simulator.plan import County, PlannedDevice, PlannedSite, SiteSort, Subject
from simulator.routine import AT_HOME, Place, Stay, among, stays
from simulator.visits import Visit

SPEAKERS: dict[SignalKind, tuple[DeviceKind, ...]] = {
    SignalKind.SOS: (DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD, DeviceKind.WRISTBAND),
    SignalKind.FALL: (DeviceKind.FALL_RADAR, DeviceKind.WRISTBAND),
    SignalKind.SMOKE: (DeviceKind.SMOKE,),
    SignalKind.GAS: (DeviceKind.GAS,),
    SignalKind.WATER: (DeviceKind.WATER_LEAK,),
    SignalKind.BED_EXIT: (DeviceKind.SMART_MATTRESS,),
    SignalKind.WANDERING: (DeviceKind.WRISTBAND, DeviceKind.DOOR_CONTACT),
    SignalKind.WEAK_BREATHING: (DeviceKind.SMART_MATTRESS,),
    SignalKind.TAMPER: (DeviceKind.DOOR_CONTACT, DeviceKind.MOTION, DeviceKind.SMOKE),
    SignalKind.FAULT: (DeviceKind.SMOKE, DeviceKind.GAS, DeviceKind.FALL_RADAR),
    SignalKind.LOW_BATTERY: (
        DeviceKind.SOS_BUTTON,
        DeviceKind.PULL_CORD,
        DeviceKind.MOTION,
        DeviceKind.DOOR_CONTACT,
        DeviceKind.SMOKE,
        DeviceKind.WATER_LEAK,
    ),
}
"""The alarms that devices raise, and the kinds of device that can, the best first."""

_LEAD_IN = {
    (SignalKind.BED_EXIT, DeviceKind.SMART_MATTRESS): ActivityEvent.OUT_OF_BED,
    (SignalKind.WANDERING, DeviceKind.DOOR_CONTACT): ActivityEvent.DOOR_OPEN,
}
"""What a device has seen just before it raises an alarm of this kind."""

BED_EXIT_AFTER_MIN = 10
"""A mattress that watches for it raises a bed exit after so long an absence at night."""
_LATEST_MIN = DAY_MINUTES - 60
"""No incident begins later in a simulated day, so that it ends in the day that tells it."""
LONG_LIE_MIN = 60
"""From here on a fall counts as a long lie."""
_LONG_LIES = {SiteSort.HOUSEHOLD: 0.0015, SiteSort.CARE_HOME: 0.0004}
_LONG_LIE_LASTS_MIN = (LONG_LIE_MIN, 9 * 60)
_SEES_FALL = {DeviceKind.FALL_RADAR: 0.97, DeviceKind.WRISTBAND: 0.9}
"""How often a device that is there notices that somebody falls, and does not get up."""
_NIGHT = (minute_at(21, 30), minute_at(5, 0))

_FALL_RISK = np.zeros(len(Place))
_FALL_RISK[[Place.BEDROOM, Place.BATHROOM, Place.KITCHEN, Place.LIVING_ROOM]] = 1.5, 6.0, 1.0, 0.5
"""Likelihood of a fall in a minute spent in each place, as a multiple of that in a kitchen."""
_FALL_RISK_AT_NIGHT = 2.0
_FALL_LASTS_MIN = (4, 35)
_HOME = among(AT_HOME)
_WANDERS_AT_NIGHT, _WANDERS_OUT_AT_NIGHT = 0.6, 0.35
_PACES_MIN = (25, 100)
_FALLS = {SelfCare.ABLE: 0.006, SelfCare.PARTIAL_LOSS: 0.014, SelfCare.TOTAL_LOSS: 0.003}
_SOS = {SelfCare.ABLE: 0.02, SelfCare.PARTIAL_LOSS: 0.04, SelfCare.TOTAL_LOSS: 0.015}
_WANDERING, _WEAK_BREATHING = 0.03, 0.004
_SITE_RATES = {
    SignalKind.SMOKE: {SiteSort.CARE_HOME: 0.04, SiteSort.DAY_CENTRE: 0.02, SiteSort.HOUSEHOLD: 0.006},
    SignalKind.GAS: {SiteSort.CARE_HOME: 0.01, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.005},
    SignalKind.WATER: {SiteSort.CARE_HOME: 0.05, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.008},
    SignalKind.TAMPER: {SiteSort.CARE_HOME: 0.03, SiteSort.DAY_CENTRE: 0.02, SiteSort.HOUSEHOLD: 0.002},
    SignalKind.FAULT: {SiteSort.CARE_HOME: 0.03, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.002},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An alarm that a device raises, and when and how the device takes it back, if ever."""

    kind: SignalKind
    device: int | None
    """None when none notices."""
    raised_ms: int
    ends_ms: int | None = None
    end_state: SignalState = SignalState.CLEARED
    place: Place | None = None
    """Where somebody falls, or walks about."""

    @property
    def is_long_lie(self) -> bool:
        """Whether somebody lies on the floor so long that lying itself harms them (an hour, by custom)."""
        return (
            self.kind is SignalKind.FALL
            and self.ends_ms is not None
            and self.ends_ms - self.raised_ms >= LONG_LIE_MIN * MINUTE_MS
        )

    def label(self, site: int, subject: int | None = None) -> Label:
        """What it is called afterwards."""
        return Label(
            kind=LabelKind.LONG_LIE if self.is_long_lie else LabelKind(self.kind),
            site=site,
            subject=subject,
            device=self.device,
            begin_ms=self.raised_ms,
            end_ms=self.ends_ms if self.ends_ms is not None else self.raised_ms,
            told=self.device is not None,
            detail=None if self.place is None else self.place.name.lower(),
        )

    def said(self) -> list[events.Events]:
        """What the device says of it."""
        if self.device is None:
            return []
        said = [events.alarm(self.device, self.raised_ms, self.kind, SignalState.RAISED, self.raised_ms)]
        if self.ends_ms is not None:
            said.append(events.alarm(self.device, self.ends_ms, self.kind, self.end_state, self.raised_ms))
        return said


def possible_with(kinds: Iterable[DeviceKind]) -> tuple[SignalKind, ...]:
    """The incidents that devices of these kinds can say."""
    there = set(kinds)
    return tuple(kind for kind, speakers in SPEAKERS.items() if there.intersection(speakers))


def happening_now(
    kind: SignalKind, devices: Sequence[tuple[str, DeviceKind]], now_ms: int
) -> tuple[str, events.Events]:
    """One incident at `now_ms`: the name of the device that tells it, and its messages.

    `devices` are (name, kind) of what is at hand. In the messages the device has the index 0.
    Raises IncidentNotPossibleError when none of them can say it.
    """
    for speaker in SPEAKERS.get(kind, ()):
        for name, device_kind in devices:
            if device_kind is speaker:
                lead_in = _LEAD_IN.get((kind, speaker))
                before = [events.activities(0, np.array([now_ms - 1000]), lead_in)] if lead_in else []
                incident = Incident(kind=kind, device=0, raised_ms=now_ms)
                return name, events.in_order([*before, *incident.said()])
    able = ", ".join(possible_with(device_kind for _, device_kind in devices)) or "none at all"
    raise IncidentNotPossibleError(f"no device there can say {kind}; those that are there can say: {able}")


def of_person(
    county: County, subject: Subject, day: int, places: np.ndarray, rate: float, visits: Sequence[Visit] = ()
) -> list[Incident]:
    """What happens to one person on one day spent in `places`, with `visits` of those who would find them."""
    rng = generator(county.seed, "incidents", subject.index, day)
    reach = county.reach[subject.index]
    start_ms = day_start_ms(day)
    incidents = []
    level, conditions = subject.traits.self_care, subject.traits.conditions
    if rng.random() < _FALLS[level] * rate:
        incidents += _fall(rng, reach, places, start_ms, _FALL_LASTS_MIN, visits)
    if rng.random() < _SOS[level] * rate:
        incidents += _sos(rng, reach, places, start_ms)
    if Condition.DEMENTIA in conditions and rng.random() < _WANDERING * rate and not incidents:
        incidents += _wandering(rng, reach, places, start_ms)
    lungs = conditions & {Condition.COPD, Condition.HEART_FAILURE}
    if lungs and rng.random() < _WEAK_BREATHING * rate:
        mattress, at = _first(reach, DeviceKind.SMART_MATTRESS), int(rng.integers(*_NIGHT))
        if mattress is not None and places[at] == Place.BED:
            incidents.append(_lasting(rng, SignalKind.WEAK_BREATHING, mattress, start_ms, at, (2, 8)))
    incidents += _bed_exits(rng, county, subject, places, start_ms)
    return incidents


def long_lie(
    county: County, subject: Subject, day: int, places: np.ndarray, rate: float, visits: Sequence[Visit] = ()
) -> list[Incident]:
    """A fall after which somebody lies for hours, until they are found or visited; none on most days."""
    sort = county.sites[subject.site].sort
    rng = generator(county.seed, "long lie", subject.index, day)
    if rng.random() >= _LONG_LIES.get(sort, 0) * rate:
        return []
    return _fall(rng, county.reach[subject.index], places, day_start_ms(day), _LONG_LIE_LASTS_MIN, visits)


def of_site(county: County, site: PlannedSite, day: int, rate: float) -> list[Incident]:
    """What happens in one site on one day, to nobody in particular."""
    rng = generator(county.seed, "site incidents", site.index, day)
    start_ms = day_start_ms(day)
    incidents = []
    for kind, rates in _SITE_RATES.items():
        if rng.random() >= rates[site.sort] * rate:
            continue
        speakers = county.devices_at(site.index, *SPEAKERS[kind])
        if speakers:
            device = speakers[int(rng.integers(len(speakers)))]
            at = int(rng.integers(minute_at(6), _LATEST_MIN))
            incidents.append(_lasting(rng, kind, device, start_ms, at, (3, 45)))
    return incidents


def of_batteries(batteries: Batteries, day: int, here: np.ndarray) -> list[events.Events]:
    """Batteries of the devices `here` (told of each) that run low, and their replacement, on one day."""
    start_ms = day_start_ms(day)
    said = []
    for device, at_ms, raised in batteries.low_between(start_ms, start_ms + DAY_MS):
        if not here[device]:
            continue
        raised_ms = at_ms if raised else batteries.raised_before_ms(device, at_ms)
        state = SignalState.RAISED if raised else SignalState.CLEARED
        said.append(events.alarm(device, at_ms, SignalKind.LOW_BATTERY, state, raised_ms))
    return said


def low_batteries(county: County, batteries: Batteries, day: int, here: np.ndarray) -> list[Label]:
    """The batteries of the devices `here` that run low on one day, until they are replaced."""
    start_ms = day_start_ms(day)
    return [
        Label(
            kind=LabelKind.LOW_BATTERY,
            site=county.devices[device].site,
            device=device,
            begin_ms=at_ms,
            end_ms=at_ms + round(REPLACED_AFTER_D * DAY_MS),
            told=True,
        )
        for device, at_ms, raised in batteries.low_between(start_ms, start_ms + DAY_MS)
        if raised and here[device]
    ]


def _fall(
    rng: np.random.Generator,
    reach: Sequence[PlannedDevice],
    places: np.ndarray,
    start_ms: int,
    lasts_min: tuple[int, int],
    visits: Sequence[Visit],
) -> list[Incident]:
    """Somebody falls while up and about at home, and lies there until found, at the latest by a visit.

    A radar in that room may notice it, or a wristband; without either nobody is told.
    """
    risks = _FALL_RISK[places[:_LATEST_MIN]].copy()
    risks[slice(*_NIGHT)] *= _FALL_RISK_AT_NIGHT
    if not risks.any():
        return []
    at = int(np.searchsorted(np.cumsum(risks), rng.random() * risks.sum(), side="right"))
    lasts = min(int(rng.integers(*lasts_min)), DAY_MINUTES - 15 - at)
    found = min([at + lasts, *(visit.arrives for visit in visits if visit.arrives > at)])
    place = Place(int(places[at]))
    noticed = [
        device.index
        for device in reach
        if rng.random() < _SEES_FALL.get(device.kind, 0)
        and (device.kind is DeviceKind.WRISTBAND or device.place is place)
    ]
    raised_ms = start_ms + at * MINUTE_MS + int(rng.integers(MINUTE_MS))
    return [
        Incident(
            kind=SignalKind.FALL,
            device=noticed[0] if noticed else None,
            raised_ms=raised_ms,
            ends_ms=max(raised_ms, start_ms + found * MINUTE_MS),
            place=place,
        )
    ]


def _wandering(
    rng: np.random.Generator, reach: Sequence[PlannedDevice], places: np.ndarray, start_ms: int
) -> list[Incident]:
    """Out of the house, which a wristband tells, or at night from room to room, which none does."""
    night = rng.random() < _WANDERS_AT_NIGHT
    at = int(rng.integers(*(_NIGHT if night else (minute_at(6), _LATEST_MIN - 60))))
    outdoors = rng.random() < (_WANDERS_OUT_AT_NIGHT if night else 1)
    if not _HOME[places[at]]:
        return []
    if not outdoors:
        lasts_ms = int(rng.integers(*_PACES_MIN)) * MINUTE_MS
        raised_ms = start_ms + at * MINUTE_MS
        return [
            Incident(
                kind=SignalKind.WANDERING,
                device=None,
                raised_ms=raised_ms,
                ends_ms=raised_ms + lasts_ms,
                place=Place.LIVING_ROOM,
            )
        ]
    out = _lasting(rng, SignalKind.WANDERING, _first(reach, DeviceKind.WRISTBAND), start_ms, at, (6, 40))
    return [replace(out, place=Place.OUT)]


def _sos(
    rng: np.random.Generator, reach: Sequence[PlannedDevice], places: np.ndarray, start_ms: int
) -> list[Incident]:
    """A press at home; one in four is pressed again at once, one in six taken back."""
    buttons = [one for one in reach if one.kind in SPEAKERS[SignalKind.SOS]]
    at = _minute_in(rng, places, AT_HOME)
    if not buttons or at is None:
        return []
    button = buttons[int(rng.integers(len(buttons)))]
    raised_ms = start_ms + at * MINUTE_MS + int(rng.integers(MINUTE_MS))
    press = Incident(kind=SignalKind.SOS, device=button.index, raised_ms=raised_ms)
    chance = rng.random()
    if chance < 0.25:
        again_ms = raised_ms + int(rng.integers(8_000, 50_000))
        return [press, Incident(kind=SignalKind.SOS, device=button.index, raised_ms=again_ms)]
    if chance < 0.42:
        return [
            Incident(
                kind=SignalKind.SOS,
                device=button.index,
                raised_ms=raised_ms,
                ends_ms=raised_ms + int(rng.integers(10_000, 60_000)),
                end_state=SignalState.CANCELLED,
            )
        ]
    return [press]


def _bed_exits(
    rng: np.random.Generator,
    county: County,
    subject: Subject,
    places: np.ndarray,
    start_ms: int,
) -> list[Incident]:
    """Long absences at night of those whose mattress watches for them: the frail in care homes."""
    watched = (
        county.sites[subject.site].sort is SiteSort.CARE_HOME
        and subject.traits.self_care is SelfCare.PARTIAL_LOSS
    )
    mattress = _first(county.reach[subject.index], DeviceKind.SMART_MATTRESS)
    if not watched or mattress is None:
        return []
    exits = []
    for absence in _absences_from_bed(places):
        back = absence.end - absence.begin
        if _NIGHT[0] < absence.begin and absence.end < _NIGHT[1] and back > BED_EXIT_AFTER_MIN:
            raised_ms = start_ms + (absence.begin + BED_EXIT_AFTER_MIN) * MINUTE_MS
            exits.append(
                Incident(
                    kind=SignalKind.BED_EXIT,
                    device=mattress.index,
                    raised_ms=raised_ms + int(rng.integers(1000, 5000)),
                    ends_ms=start_ms + absence.end * MINUTE_MS + int(rng.integers(5000, 9000)),
                )
            )
    return exits


def _absences_from_bed(places: np.ndarray) -> list[Stay]:
    elsewhere = np.where(places == Place.BED, np.uint8(Place.BED), np.uint8(Place.BEDROOM))
    return [stay for stay in stays(elsewhere) if stay.place is not Place.BED]


def _lasting(
    rng: np.random.Generator,
    kind: SignalKind,
    device: PlannedDevice | None,
    start_ms: int,
    minute: int,
    lasts_min: tuple[int, int],
) -> Incident:
    raised_ms = start_ms + minute * MINUTE_MS + int(rng.integers(MINUTE_MS))
    ends_ms = raised_ms + int(rng.integers(lasts_min[0] * MINUTE_MS, lasts_min[1] * MINUTE_MS))
    index = None if device is None else device.index
    return Incident(kind=kind, device=index, raised_ms=raised_ms, ends_ms=ends_ms)


def _first(reach: Sequence[PlannedDevice], kind: DeviceKind) -> PlannedDevice | None:
    return next((one for one in reach if one.kind is kind), None)


def _minute_in(rng: np.random.Generator, places: np.ndarray, wanted: Sequence[Place]) -> int | None:
    """A minute spent in one of `wanted`; none in the last hour, so that it ends the same day."""
    minutes = np.flatnonzero(among(wanted)[places[:_LATEST_MIN]])
    return int(rng.choice(minutes)) if minutes.size else None
