"""The story of a county: everything that all its devices say on one day."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gateway.model import ActivityEvent, AlarmKind, DeviceKind
from gateway.simulator import events, faults, incidents, sensors
from gateway.simulator.chance import generator
from gateway.simulator.clock import (
    DAY_MINUTES,
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    day_of,
    day_start_ms,
    minute_at,
    weekday,
)
from gateway.simulator.contagion import Outbreak, course_of, outbreaks_on
from gateway.simulator.events import Events
from gateway.simulator.fleet import Batteries
from gateway.simulator.illness import WINDOW_DAYS, Course, IllnessKind, courses_on, dying_by
from gateway.simulator.labels import Label, LabelKind
from gateway.simulator.plan import County, PlannedSite, SiteSort, Subject
from gateway.simulator.routine import Place, places
from gateway.simulator.sensors import PersonDay
from gateway.simulator.silence import silences
from gateway.simulator.spells import spell_on
from gateway.simulator.visits import visit
from gateway.simulator.vitals import minutes_of, signs_of, strain_on, unwellness_on

MAINS_STATUS_EVERY_MS = 5 * MINUTE_MS
BATTERY_STATUS_EVERY_MS = 4 * HOUR_MS
_ROUND_EVERY_MIN = 120
_KIOSK_SHARE = 0.12
"""Share of the able residents of a home who use its kiosk on a given day."""

Progress = Callable[[int, int], None]


class Told(NamedTuple):
    """A day as its devices tell it, and what truly happened; labels stand on the day on which they begin."""

    events: Events
    labels: tuple[Label, ...]


class Story:
    """Tells any day of `county`. The same county, day and rates: the same bytes.

    Args:
        county: the plan.
        incident_rate: multiple of ordinary life's incidents and silences; 0 for none.
        ordeal_rate: multiple of ordinary life's rare courses, which change who lives where and what devices
            can be trusted with: long lies, outbreaks, deaths, ghosts, carers who stay away, neglected rounds,
            faulty devices. The demonstration has none: its care record would have to follow.
    """

    def __init__(self, county: County, *, incident_rate: float = 1.0, ordeal_rate: float = 0.0) -> None:
        self.county = county
        self._rate = incident_rate
        self._ordeals = ordeal_rate
        self._batteries = Batteries(county.seed, county.devices)
        self._centres = [site for site in county.sites if site.sort is SiteSort.DAY_CENTRE]

    def day(self, day: int, progress: Progress | None = None) -> Events:
        """All that is said on simulated day `day`, in order. `progress(done, of)` counts persons."""
        return self.tell(day, progress=progress).events

    def tell(self, day: int, *, opening: bool = False, progress: Progress | None = None) -> Told:
        """All that is said, in order of its times, and all that begins, on simulated day `day`.

        As the `opening` day of a span it also labels what has begun before and lasts.
        """
        parts: list[Events] = []
        labels: list[Label] = []
        for subject in self.county.subjects:
            said, lived = self._person(subject, day)
            parts += said
            labels += lived
            if progress is not None:
                progress(subject.index + 1, len(self.county.subjects))
        for site in self.county.sites:
            for incident in incidents.of_site(self.county, site, day, self._rate):
                parts += incident.said()
                labels.append(incident.label(site.index))
            labels += [outbreak.label() for outbreak in self._outbreaks(site.index, day)]
            said, neglected = self._rounds(site, day)
            parts += said
            labels += neglected
        if self._rate > 0:
            parts += incidents.of_batteries(self._batteries, day)
            labels += incidents.low_batteries(self.county, self._batteries, day)
        parts.append(self._statuses(day))
        rows, silent = self._without_silenced(_one_motion_a_minute(events.in_order(parts)), day)
        assert day_of(int(rows["ts_ms"][0])) == day_of(int(rows["ts_ms"][-1])) == day, "no day overflows"
        if self._ordeals > 0:
            struck = faults.faults_on(self.county, day, self._ordeals)
            rows = events.in_order([faults.afflicted(rows, struck, self.county.seed, day)])
            labels += [fault.label(self.county) for fault in struck]
        return Told(rows, _of_this_day([*labels, *silent], day, opening=opening))

    def between(self, begin_ms: int, end_ms: int, progress: Progress | None = None) -> Events:
        """All that is said from `begin_ms` up to, but not at, `end_ms`."""
        days = range(day_of(begin_ms), day_of(end_ms - 1) + 1)
        persons = len(self.county.subjects)

        def counted(told: int) -> Progress | None:
            if progress is None:
                return None
            return lambda done, of: progress(told * persons + done, of * len(days))

        rows = np.concatenate([self.day(day, counted(told)) for told, day in enumerate(days)])
        inside: Events = rows[(rows["ts_ms"] >= begin_ms) & (rows["ts_ms"] < end_ms)]
        return inside

    def _person(self, subject: Subject, day: int) -> tuple[list[Events], list[Label]]:
        courses = self._courses(subject, day)
        labels = [_illness_label(course, subject) for course in courses]
        gone = self._gone(subject, day, courses)
        if gone is not None:
            return [], [*labels, gone]
        seed, traits = self.county.seed, subject.traits
        rng = generator(seed, "day", subject.index, day)
        household = self.county.sites[subject.site].sort is SiteSort.HOUSEHOLD
        spent = places(
            traits,
            rng,
            weekday=weekday(day),
            cooks=household,
            unwellness=unwellness_on(courses, day),
        )
        still, strain = np.zeros(DAY_MINUTES, bool), strain_on(courses, minutes_of(day))
        said: list[Events] = []
        for incident in self._incidents(subject, day, spent):
            said += incident.said()
            labels.append(incident.label(subject.site, subject.index))
            if incident.kind is AlarmKind.FALL:
                _lie_where_fallen(incident, day, spent, still)
            elif incident.kind is AlarmKind.WANDERING and self._ordeals > 0:
                _walk_out(incident, day, spent)
        signs = signs_of(traits, rng, spent, strain)
        if still.any():
            signs["hr"] = signs["hr"] + 18 * still
        feverish = "temp" in strain and bool(strain["temp"].max() > 0.8)
        lived = PersonDay(day, spent, signs, still, feverish)
        reach = self.county.reach[subject.index]
        said += sensors.observed(traits, reach, lived, rng)
        said += self._kiosk_visits(subject, lived)
        if household and self._ordeals > 0:
            absent = spell_on(seed, LabelKind.CARER_ABSENT, subject.index, day, self._ordeals)
            if absent is not None:
                labels.append(absent.label(site=subject.site, subject=subject.index))
            else:
                said += visit(seed, subject.index, reach, day, spent)
        return said, labels

    def _courses(self, subject: Subject, day: int) -> tuple[Course, ...]:
        """All illness of a person that touches the day."""
        seed, traits = self.county.seed, subject.traits
        caught = [course_of(one, subject.index) for one in self._outbreaks(subject.site, day)]
        dying = dying_by(seed, subject.index, traits, day, self._ordeals) if self._ordeals > 0 else None
        courses = (*courses_on(seed, subject.index, traits, day), *caught, dying)
        return tuple(course for course in courses if course is not None)

    def _outbreaks(self, site: int, day: int) -> tuple[Outbreak, ...]:
        return outbreaks_on(self.county, site, day, self._ordeals)

    def _gone(self, subject: Subject, day: int, courses: Sequence[Course]) -> Label | None:
        """Why nothing is to be seen of a person on that day: dead, or never really there."""
        for course in courses:
            if course.kind is IllnessKind.DYING and course.end_ms < day_start_ms(day + 1):
                return Label(
                    kind=LabelKind.DEAD,
                    site=subject.site,
                    subject=subject.index,
                    begin_ms=course.end_ms,
                    end_ms=course.end_ms + WINDOW_DAYS * DAY_MS,
                )
        if self._ordeals > 0 and self.county.sites[subject.site].sort is SiteSort.CARE_HOME:
            ghost = spell_on(self.county.seed, LabelKind.GHOST_RESIDENT, subject.index, day, self._ordeals)
            if ghost is not None:
                return ghost.label(site=subject.site, subject=subject.index)
        return None

    def _incidents(self, subject: Subject, day: int, spent: np.ndarray) -> list[incidents.Incident]:
        happened = incidents.of_person(self.county, subject, day, spent, self._rate)
        if self._ordeals > 0 and not any(one.kind is AlarmKind.FALL for one in happened):
            lie = incidents.long_lie(self.county, subject, day, spent, self._ordeals)
            if lie is not None:
                happened.append(lie)
        return happened

    def _kiosk_visits(self, subject: Subject, lived: PersonDay) -> list[Events]:
        """Day-centre guests check in as they come; in homes some measure themselves in the morning."""
        rng = generator(self.county.seed, "kiosk", subject.index, lived.day)
        site = self.county.sites[subject.site]
        arrival = np.flatnonzero(lived.places == Place.DAY_CENTRE)
        if arrival.size:
            nearby = [centre for centre in self._centres if centre.township == site.township]
            kiosk = self.county.devices_at(nearby[0].index, DeviceKind.HEALTH_KIOSK)[0].index
            lunch_ms = minute_at(11, 25) * MINUTE_MS + rng.integers(0, 12 * MINUTE_MS, 1)
            meal = events.activities(kiosk, day_start_ms(lived.day) + lunch_ms, ActivityEvent.MEAL)
            return [*sensors.at_kiosk(kiosk, lived, int(arrival[0]) + 3, rng), meal]
        minute = int(rng.integers(minute_at(8, 30), minute_at(10, 30)))
        kiosks = [one for one in self.county.reach[subject.index] if one.kind is DeviceKind.HEALTH_KIOSK]
        if kiosks and rng.random() < _KIOSK_SHARE and lived.places[minute] == Place.LIVING_ROOM:
            return sensors.at_kiosk(kiosks[0].index, lived, minute, rng)
        return []

    def _rounds(self, site: PlannedSite, day: int) -> tuple[list[Events], list[Label]]:
        """Staff touch every patrol tag every two hours, day and night; the less diligent leave some out."""
        tags = self.county.devices_at(site.index, DeviceKind.PATROL_TAG)
        neglect = (
            spell_on(self.county.seed, LabelKind.ROUNDS_NEGLECTED, site.index, day, self._ordeals)
            if tags and self._ordeals > 0
            else None
        )
        rng = generator(self.county.seed, "rounds", site.index, day)
        said = []
        for due in range(0, DAY_MINUTES, _ROUND_EVERY_MIN):
            begin_ms = day_start_ms(day) + due * MINUTE_MS + int(rng.integers(18 * MINUTE_MS))
            night = minute_at(22) <= due < minute_at(6)
            if rng.random() > site.diligence - (0.05 if night else 0) or (night and neglect is not None):
                continue
            paces_ms = np.cumsum(rng.integers(40_000, 200_000, len(tags)))
            for tag, pace_ms in zip(tags, paces_ms, strict=True):
                said.append(events.activities(tag.index, np.array([begin_ms + pace_ms]), ActivityEvent.ROUND))
        return said, [] if neglect is None else [neglect.label(site=site.index)]

    def _statuses(self, day: int) -> Events:
        """Every device says how it is: mains every few minutes, batteries every few hours."""
        rng = generator(self.county.seed, "statuses", day)
        near = generator(self.county.seed, "radio").normal(-62, 9, len(self.county.devices))
        parts = []
        for battery, every_ms in ((False, MAINS_STATUS_EVERY_MS), (True, BATTERY_STATUS_EVERY_MS)):
            devices = np.flatnonzero(self._batteries.has_battery == battery)
            offsets_ms = devices * 104_729 % every_ms
            beats_ms = np.arange(0, DAY_MS, every_ms)
            ts_ms = (day_start_ms(day) + offsets_ms[:, None] + beats_ms[None, :]).ravel()
            device = np.repeat(devices, beats_ms.size)
            rssi = np.clip(near[device] + rng.normal(0, 2.5, device.size), -94, -35)
            parts.append(events.statuses(device, ts_ms, self._batteries.level(device, ts_ms), rssi))
        return np.concatenate(parts)

    def _without_silenced(self, rows: Events, day: int) -> tuple[Events, list[Label]]:
        """Rows of devices that are silent are never heard."""
        if not self._rate:
            return rows, []
        heard = np.ones(rows.size, bool)
        start_ms = day_start_ms(day)
        spells = silences(
            self.county.seed, self._batteries.has_battery, start_ms, start_ms + DAY_MS, self._rate
        )
        for spell in spells:
            inside = (rows["ts_ms"] >= spell.begin_ms) & (rows["ts_ms"] < spell.end_ms)
            heard &= ~((rows["device"] == spell.device) & inside)
        kept: Events = rows[heard]
        return kept, [spell.label(self.county.devices[spell.device].site) for spell in spells]


def _illness_label(course: Course, subject: Subject) -> Label:
    return Label(
        kind=LabelKind(course.kind),
        site=subject.site,
        subject=subject.index,
        begin_ms=course.onset_ms,
        end_ms=course.end_ms,
        peak_ms=course.peak_ms,
        severity=course.severity,
    )


def _of_this_day(labels: Sequence[Label], day: int, *, opening: bool) -> tuple[Label, ...]:
    """Those that begin on the day, or lasted when it began if it is the `opening` one; by time, then kind."""
    begin_ms, end_ms = day_start_ms(day), day_start_ms(day + 1)
    chosen = {
        label
        for label in labels
        if label.begin_ms < end_ms and (label.begin_ms >= begin_ms or (opening and label.end_ms > begin_ms))
    }
    return tuple(
        sorted(chosen, key=lambda one: (one.begin_ms, one.kind, one.site, one.subject or 0, one.device or 0))
    )


def _walk_out(incident: incidents.Incident, day: int, spent: np.ndarray) -> None:
    """From the alarm until they are back, somebody is out of the house, through the door."""
    assert incident.ends_ms is not None, "somebody brings them home"
    begin = (incident.raised_ms - day_start_ms(day)) // MINUTE_MS
    end = max(begin + 1, (incident.ends_ms - day_start_ms(day)) // MINUTE_MS)
    spent[begin:end] = Place.OUT


def _lie_where_fallen(incident: incidents.Incident, day: int, spent: np.ndarray, still: np.ndarray) -> None:
    """From the fall until they are found, a person stays where they fell and does not stir."""
    assert incident.ends_ms is not None, "somebody finds them"
    begin = (incident.raised_ms - day_start_ms(day)) // MINUTE_MS
    end = (incident.ends_ms - day_start_ms(day)) // MINUTE_MS
    spent[begin:end] = spent[begin]
    still[begin:end] = True


def _one_motion_a_minute(rows: Events) -> Events:
    """A motion sensor is blind for a minute after it has seen somebody, however many pass."""
    motion = np.flatnonzero(events.is_activity(rows, ActivityEvent.MOTION))
    minute = rows["ts_ms"][motion] // MINUTE_MS
    key = rows["device"][motion].astype(np.int64) << 32 | (minute & 0xFFFFFFFF)
    first = motion[np.unique(key, return_index=True)[1]]
    kept = ~events.is_activity(rows, ActivityEvent.MOTION)
    kept[first] = True
    seen: Events = rows[kept]
    return seen
