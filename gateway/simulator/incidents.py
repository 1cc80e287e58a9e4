"""Incidents: which can happen to whom, how often, and what the devices say of them.

Rates are per person, site or device and day of ordinary life; the caller may multiply them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.model import ActivityEvent, AlarmKind, DeviceKind, SignalState
from gateway.simulator import events
from gateway.simulator.chance import generator
from gateway.simulator.clock import DAY_MINUTES, DAY_MS, MINUTE_MS, day_start_ms, minute_at
from gateway.simulator.errors import IncidentNotPossibleError
from gateway.simulator.fleet import REPLACED_AFTER_D, Batteries
from gateway.simulator.labels import Label, LabelKind
from gateway.simulator.person import Condition, SelfCare
from gateway.simulator.plan import County, PlannedDevice, PlannedSite, SiteSort, Subject
from gateway.simulator.routine import AT_HOME, Place, Stay, stays

SPEAKERS: dict[AlarmKind, tuple[DeviceKind, ...]] = {
    AlarmKind.SOS: (DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD, DeviceKind.WRISTBAND),
    AlarmKind.FALL: (DeviceKind.FALL_RADAR, DeviceKind.WRISTBAND),
    AlarmKind.SMOKE: (DeviceKind.SMOKE,),
    AlarmKind.GAS: (DeviceKind.GAS,),
    AlarmKind.WATER: (DeviceKind.WATER_LEAK,),
    AlarmKind.BED_EXIT: (DeviceKind.SMART_MATTRESS,),
    AlarmKind.WANDERING: (DeviceKind.WRISTBAND, DeviceKind.DOOR_CONTACT),
    AlarmKind.WEAK_BREATHING: (DeviceKind.SMART_MATTRESS,),
    AlarmKind.TAMPER: (DeviceKind.DOOR_CONTACT, DeviceKind.MOTION, DeviceKind.SMOKE),
    AlarmKind.FAULT: (DeviceKind.SMOKE, DeviceKind.GAS, DeviceKind.FALL_RADAR),
    AlarmKind.LOW_BATTERY: (
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
    (AlarmKind.BED_EXIT, DeviceKind.SMART_MATTRESS): ActivityEvent.OUT_OF_BED,
    (AlarmKind.WANDERING, DeviceKind.DOOR_CONTACT): ActivityEvent.DOOR_OPEN,
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

_FALLS = {SelfCare.ABLE: 0.006, SelfCare.PARTIAL_LOSS: 0.014, SelfCare.TOTAL_LOSS: 0.003}
_SOS = {SelfCare.ABLE: 0.02, SelfCare.PARTIAL_LOSS: 0.04, SelfCare.TOTAL_LOSS: 0.015}
_WANDERING, _WEAK_BREATHING = 0.03, 0.004
_SITE_RATES = {
    AlarmKind.SMOKE: {SiteSort.CARE_HOME: 0.04, SiteSort.DAY_CENTRE: 0.02, SiteSort.HOUSEHOLD: 0.006},
    AlarmKind.GAS: {SiteSort.CARE_HOME: 0.01, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.005},
    AlarmKind.WATER: {SiteSort.CARE_HOME: 0.05, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.008},
    AlarmKind.TAMPER: {SiteSort.CARE_HOME: 0.03, SiteSort.DAY_CENTRE: 0.02, SiteSort.HOUSEHOLD: 0.002},
    AlarmKind.FAULT: {SiteSort.CARE_HOME: 0.03, SiteSort.DAY_CENTRE: 0.01, SiteSort.HOUSEHOLD: 0.002},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An alarm that a device raises, and when and how the device takes it back, if ever."""

    kind: AlarmKind
    device: int
    raised_ms: int
    ends_ms: int | None = None
    end_state: SignalState = SignalState.CLEARED
    is_silent: bool = False
    """No device notices; `device` is then any of theirs."""

    @property
    def is_long_lie(self) -> bool:
        """Whether somebody lies on the floor so long that lying itself harms them (an hour, by custom)."""
        return (
            self.kind is AlarmKind.FALL
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
            told=not self.is_silent,
        )

    def said(self) -> list[events.Events]:
        """What the device says of it."""
        if self.is_silent:
            return []
        said = [events.alarm(self.device, self.raised_ms, self.kind, SignalState.RAISED, self.raised_ms)]
        if self.ends_ms is not None:
            said.append(events.alarm(self.device, self.ends_ms, self.kind, self.end_state, self.raised_ms))
        return said


def possible_with(kinds: Iterable[DeviceKind]) -> tuple[AlarmKind, ...]:
    """The incidents that devices of these kinds can say."""
    there = set(kinds)
    return tuple(kind for kind, speakers in SPEAKERS.items() if there.intersection(speakers))


def happening_now(
    kind: AlarmKind, devices: Sequence[tuple[str, DeviceKind]], now_ms: int
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


def of_person(county: County, subject: Subject, day: int, places: np.ndarray, rate: float) -> list[Incident]:
    """What happens to one person on one day spent in `places`."""
    rng = generator(county.seed, "incidents", subject.index, day)
    reach = county.reach[subject.index]
    start_ms = day_start_ms(day)
    incidents = []
    level, conditions = subject.traits.self_care, subject.traits.conditions
    if rng.random() < _FALLS[level] * rate:
        incidents += _fall(rng, reach, places, start_ms)
    if rng.random() < _SOS[level] * rate:
        incidents += _sos(rng, reach, places, start_ms)
    if Condition.DEMENTIA in conditions and rng.random() < _WANDERING * rate:
        span = _NIGHT if rng.random() < 0.5 else (minute_at(6), _LATEST_MIN)
        at = int(rng.integers(*span))
        band = _first(reach, DeviceKind.WRISTBAND)
        if band is not None:
            incidents.append(_lasting(rng, AlarmKind.WANDERING, band, start_ms, at, (6, 40)))
    lungs = conditions & {Condition.COPD, Condition.HEART_FAILURE}
    if lungs and rng.random() < _WEAK_BREATHING * rate:
        mattress, at = _first(reach, DeviceKind.SMART_MATTRESS), int(rng.integers(*_NIGHT))
        if mattress is not None and places[at] == Place.BED:
            incidents.append(_lasting(rng, AlarmKind.WEAK_BREATHING, mattress, start_ms, at, (2, 8)))
    incidents += _bed_exits(rng, county, subject, places, start_ms)
    return incidents


def long_lie(county: County, subject: Subject, day: int, places: np.ndarray, rate: float) -> Incident | None:
    """A fall after which somebody lies for hours until they are found; told where a device can notice it."""
    sort = county.sites[subject.site].sort
    rng = generator(county.seed, "long lie", subject.index, day)
    reach = county.reach[subject.index]
    if rng.random() >= _LONG_LIES.get(sort, 0) * rate or not reach:
        return None
    where = [Place.BEDROOM, Place.BATHROOM] + (
        [Place.KITCHEN, Place.LIVING_ROOM] * (sort is SiteSort.HOUSEHOLD)
    )
    latest = DAY_MINUTES - _LONG_LIE_LASTS_MIN[0] - 20
    minutes = np.flatnonzero(np.isin(places[:latest], where))
    if not minutes.size:
        return None
    at = int(rng.choice(minutes))
    lasts = min(int(rng.integers(*_LONG_LIE_LASTS_MIN)), DAY_MINUTES - 15 - at)
    place = places[at]
    able = [
        device
        for device in reach
        if device.kind is DeviceKind.WRISTBAND
        or (device.kind is DeviceKind.FALL_RADAR and device.place == place)
    ]
    noticed = [device for device in able if rng.random() < _SEES_FALL[device.kind]]
    raised_ms = day_start_ms(day) + at * MINUTE_MS + int(rng.integers(MINUTE_MS))
    return Incident(
        kind=AlarmKind.FALL,
        device=(noticed or reach)[0].index,
        raised_ms=raised_ms,
        ends_ms=raised_ms + lasts * MINUTE_MS,
        is_silent=not noticed,
    )


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


def of_batteries(batteries: Batteries, day: int) -> list[events.Events]:
    """Batteries that run low, and their replacement, on one day."""
    start_ms = day_start_ms(day)
    said = []
    for device, at_ms, raised in batteries.low_between(start_ms, start_ms + DAY_MS):
        raised_ms = at_ms if raised else batteries.raised_before_ms(device, at_ms)
        state = SignalState.RAISED if raised else SignalState.CLEARED
        said.append(events.alarm(device, at_ms, AlarmKind.LOW_BATTERY, state, raised_ms))
    return said


def low_batteries(county: County, batteries: Batteries, day: int) -> list[Label]:
    """The batteries that run low on one day, until they are replaced."""
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
        if raised
    ]


def _fall(
    rng: np.random.Generator, reach: Sequence[PlannedDevice], places: np.ndarray, start_ms: int
) -> list[Incident]:
    """Where a radar watches, else anywhere at home if a wristband is worn; found after some minutes."""
    radar = _first(reach, DeviceKind.FALL_RADAR)
    device = radar or _first(reach, DeviceKind.WRISTBAND)
    if device is None:
        return []
    watched = (radar.place,) if radar is not None else (Place.BEDROOM, Place.KITCHEN, Place.LIVING_ROOM)
    at = _minute_in(rng, places, watched)
    return [] if at is None else [_lasting(rng, AlarmKind.FALL, device, start_ms, at, (4, 35))]


def _sos(
    rng: np.random.Generator, reach: Sequence[PlannedDevice], places: np.ndarray, start_ms: int
) -> list[Incident]:
    """A press at home; one in four is pressed again at once, one in six taken back."""
    buttons = [one for one in reach if one.kind in SPEAKERS[AlarmKind.SOS]]
    at = _minute_in(rng, places, AT_HOME)
    if not buttons or at is None:
        return []
    button = buttons[int(rng.integers(len(buttons)))]
    raised_ms = start_ms + at * MINUTE_MS + int(rng.integers(MINUTE_MS))
    press = Incident(kind=AlarmKind.SOS, device=button.index, raised_ms=raised_ms)
    chance = rng.random()
    if chance < 0.25:
        again_ms = raised_ms + int(rng.integers(8_000, 50_000))
        return [press, Incident(kind=AlarmKind.SOS, device=button.index, raised_ms=again_ms)]
    if chance < 0.42:
        return [
            Incident(
                kind=AlarmKind.SOS,
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
                    kind=AlarmKind.BED_EXIT,
                    device=mattress.index,
                    raised_ms=raised_ms + int(rng.integers(1000, 5000)),
                    ends_ms=start_ms + absence.end * MINUTE_MS + int(rng.integers(5000, 9000)),
                )
            )
    return exits


def _absences_from_bed(places: np.ndarray) -> list[Stay]:
    in_bed = np.where(places == Place.BED, Place.BED, Place.BEDROOM)
    return [stay for stay in stays(in_bed) if stay.place is not Place.BED]


def _lasting(
    rng: np.random.Generator,
    kind: AlarmKind,
    device: PlannedDevice,
    start_ms: int,
    minute: int,
    lasts_min: tuple[int, int],
) -> Incident:
    raised_ms = start_ms + minute * MINUTE_MS + int(rng.integers(MINUTE_MS))
    ends_ms = raised_ms + int(rng.integers(lasts_min[0] * MINUTE_MS, lasts_min[1] * MINUTE_MS))
    return Incident(kind=kind, device=device.index, raised_ms=raised_ms, ends_ms=ends_ms)


def _first(reach: Sequence[PlannedDevice], kind: DeviceKind) -> PlannedDevice | None:
    return next((one for one in reach if one.kind is kind), None)


def _minute_in(rng: np.random.Generator, places: np.ndarray, wanted: Sequence[Place | None]) -> int | None:
    """A minute spent in one of `wanted`; none in the last hour, so that it ends the same day."""
    minutes = np.flatnonzero(np.isin(places[:_LATEST_MIN], [p for p in wanted if p is not None]))
    return int(rng.choice(minutes)) if minutes.size else None
