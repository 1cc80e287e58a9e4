"""The story of a county: everything that all its devices say on one day."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from protocol.model import ActivityEvent, DeviceKind, SignalKind
from simulator import events, faults, incidents, sensors
from simulator.chance import generator
from simulator.clock import DAY_MINUTES, DAY_MS, HOUR_MS, MINUTE_MS, day_of, day_start_ms, minute_at, weekday
from simulator.contagion import Outbreak, course_of, outbreaks_on
from simulator.events import Events
from simulator.fleet import Batteries
from simulator.illness import LONGEST_COURSE_DAYS, Course, courses_on, dying_by, empty_until_ms
from simulator.labels import Label, LabelKind
from simulator.person import Condition
from simulator.plan import County, PlannedSite, SiteSort, Subject
from simulator.routine import Place, places
from simulator.sensors import PersonDay
from simulator.silence import silences
from simulator.spells import spell_on
from simulator.visits import Visit, carer, guests, seen
from simulator.vitals import minutes_of, signs_of, strain_on, unwellness_on

MAINS_STATUS_EVERY_MS = 5 * MINUTE_MS
BATTERY_STATUS_EVERY_MS = 4 * HOUR_MS
_ROUND_EVERY_MIN = 120
_KIOSK_SHARE = 0.12
"""Share of the able residents of a home who use its kiosk on a given day."""

_WEIGHED_SHARE = 0.9
"""Share of the mornings on which those with a weak heart are due to be weighed there."""
_FRIGHT_HR = 18
"""How much faster the heart of somebody beats who has fallen."""

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
        self._near = generator(county.seed, "radio").normal(-62, 9, len(county.devices))
        self._centres = [site for site in county.sites if site.sort is SiteSort.DAY_CENTRE]

    def day(self, day: int, progress: Progress | None = None) -> Events:
        """All that is said on simulated day `day`, in order. `progress(done, of)` counts persons."""
        return self.tell(day, progress=progress).events

    def tell(
        self,
        day: int,
        *,
        sites: range | None = None,
        opening: bool = False,
        progress: Progress | None = None,
    ) -> Told:
        """All that is said, in order of its times, and all that begins, on simulated day `day`.

        Args:
            day: which.
            sites: only of those who live there (indices), and of what is there; None for the whole county,
                which is the same as that of all its sites put together.
            opening: also label what has begun before and lasts: for the first day of a span.
            progress: told how many persons are done, and of how many.
        """
        parts: list[Events] = []
        labels: list[Label] = []
        persons = 0
        sites = range(len(self.county.sites)) if sites is None else sites
        for site in (self.county.sites[index] for index in sites):
            outbreaks = outbreaks_on(self.county, site.index, day, self._ordeals)
            for subject in self.county.subjects_of(site.index):
                said, lived = self._person(subject, day, outbreaks)
                parts += said
                labels += lived
                persons += 1
                if progress is not None:
                    progress(persons, len(self.county.subjects))
            said, happened = self._site(site, day, outbreaks)
            parts += said
            labels += happened
        here = np.zeros(len(self.county.devices), bool)
        here[[device.index for site in sites for device in self.county.devices_of(site)]] = True
        if self._rate > 0:
            parts += incidents.of_batteries(self._batteries, day, here)
            labels += incidents.low_batteries(self.county, self._batteries, day, here)
        rows = events.joined(parts)
        heard = _one_motion_a_minute(rows)
        labels += self._silence(rows, heard, day)
        if self._ordeals > 0:
            struck = faults.faults_on(self.county, day, self._ordeals)
            rows = faults.afflicted(rows, heard, struck, here, self.county.seed, day)
            labels += [fault.label(self.county) for fault in struck]
        else:
            rows = events.chosen(rows, heard)
        rows = events.in_order([rows])
        assert day_of(int(rows["ts_ms"][0])) == day_of(int(rows["ts_ms"][-1])) == day, "no day overflows"
        ours = [label for label in labels if label.site in sites]
        return Told(rows, _as_heard(_of_this_day(ours, day, opening=opening), rows, day))

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

    def _person(
        self, subject: Subject, day: int, outbreaks: Sequence[Outbreak]
    ) -> tuple[list[Events], list[Label]]:
        courses, labels = self._illness(subject, day, outbreaks)
        gone = self._gone(subject, day)
        if gone is not None:
            there = [label for label in labels if label.begin_ms < gone.begin_ms]
            return [], [*there, gone]
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
        visits, absent = self._visits(subject, day)
        labels += absent
        still, strain = np.zeros(DAY_MINUTES, bool), strain_on(courses, minutes_of(day))
        said: list[Events] = []
        for incident in self._incidents(subject, day, spent, visits):
            said += incident.said()
            labels.append(incident.label(subject.site, subject.index))
            if incident.kind is SignalKind.FALL:
                _lie_where_fallen(incident, day, spent, still)
            elif incident.kind is SignalKind.WANDERING:
                _wander(incident, day, spent, generator(seed, "wander", subject.index, day))
        if still.any():
            strain["hr"] = strain.get("hr", 0) + _FRIGHT_HR * still
        feverish = "temp" in strain and bool(strain["temp"].max() > 0.8)
        lived = PersonDay(day, spent, signs_of(traits, rng, spent, strain), still, feverish)
        reach = self.county.reach[subject.index]
        said += sensors.observed(traits, reach, lived, rng)
        said += self._kiosk_visits(subject, lived)
        said += seen(visits, reach, day, spent, rng, household=household)
        return said, labels

    def _illness(
        self, subject: Subject, day: int, outbreaks: Sequence[Outbreak]
    ) -> tuple[list[Course], list[Label]]:
        """All illness of a person that touches the day, and what it is called; it ends with their life."""
        own: list[tuple[Course, str | None]] = [
            (course, None) for course in courses_on(self.county.seed, subject.index, subject.traits, day)
        ]
        caught = (course_of(one, subject.index) for one in outbreaks)
        own += [(course, "outbreak") for course in caught if course is not None]
        dying = self._dying(subject, day)
        if dying is not None:
            own.append((dying, None))
        if not own:
            return [], []
        dies = self._dying(subject, day + LONGEST_COURSE_DAYS)
        dies_ms = None if dies is None else dies.end_ms
        labels = [
            _illness_label(course, subject, dies_ms, detail)
            for course, detail in own
            if dies_ms is None or course.onset_ms < dies_ms
        ]
        return [course for course, _ in own], labels

    def _dying(self, subject: Subject, day: int) -> Course | None:
        if self._ordeals <= 0:
            return None
        return dying_by(self.county.seed, subject.index, subject.traits, day, self._ordeals)

    def _gone(self, subject: Subject, day: int) -> Label | None:
        """Why nothing is to be seen of a person on that day: dead, or never really there."""
        if self._ordeals <= 0:
            return None
        dying = self._dying(subject, day)
        if dying is not None and dying.end_ms < day_start_ms(day + 1):
            return Label(
                kind=LabelKind.DEAD,
                site=subject.site,
                subject=subject.index,
                begin_ms=dying.end_ms,
                end_ms=empty_until_ms(dying),
            )
        if self.county.sites[subject.site].sort is SiteSort.CARE_HOME:
            ghost = spell_on(self.county.seed, LabelKind.GHOST_RESIDENT, subject.index, day, self._ordeals)
            if ghost is not None:
                return ghost.label(site=subject.site, subject=subject.index)
        return None

    def _visits(self, subject: Subject, day: int) -> tuple[list[Visit], list[Label]]:
        """Who comes to see a person that day; and a carer who no longer does."""
        seed, absent = self.county.seed, []
        visits = [guests(seed, subject.index, subject.traits, day)]
        if self.county.sites[subject.site].sort is SiteSort.HOUSEHOLD:
            spell = spell_on(seed, LabelKind.CARER_ABSENT, subject.index, day, self._ordeals)
            if spell is None:
                visits.append(carer(seed, subject.index, day))
            else:
                absent.append(spell.label(site=subject.site, subject=subject.index))
        return [visit for visit in visits if visit is not None], absent

    def _site(
        self, site: PlannedSite, day: int, outbreaks: Sequence[Outbreak]
    ) -> tuple[list[Events], list[Label]]:
        """What happens in a site to nobody in particular, its rounds, and the statuses of its devices."""
        said, labels = self._rounds(site, day)
        for incident in incidents.of_site(self.county, site, day, self._rate):
            said += incident.said()
            labels.append(incident.label(site.index))
        for outbreak in outbreaks:
            there = [
                case
                for case in outbreak.cases
                if self._gone(self.county.subjects[case[0]], day_of(case[1].onset_ms)) is None
            ]
            if there:
                labels.append(replace(outbreak, cases=tuple(there)).label())
        said.append(self._statuses(site, day))
        return said, labels

    def _incidents(
        self, subject: Subject, day: int, spent: np.ndarray, visits: Sequence[Visit]
    ) -> list[incidents.Incident]:
        happened = incidents.of_person(self.county, subject, day, spent, self._rate, visits)
        quiet = not any(one.kind in (SignalKind.FALL, SignalKind.WANDERING) for one in happened)
        if self._ordeals > 0 and quiet:
            happened += incidents.long_lie(self.county, subject, day, spent, self._ordeals, visits)
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
        share = _KIOSK_SHARE
        if Condition.HEART_FAILURE in subject.traits.conditions:
            share = _WEIGHED_SHARE * subject.traits.habits.adherence
        if kiosks and rng.random() < share and lived.places[minute] == Place.LIVING_ROOM:
            return sensors.at_kiosk(kiosks[0].index, lived, minute, rng)
        return []

    def _rounds(self, site: PlannedSite, day: int) -> tuple[list[Events], list[Label]]:
        """Staff touch every patrol tag every two hours, day and night; the less diligent leave some out."""
        tags = self.county.devices_at(site.index, DeviceKind.PATROL_TAG)
        if not tags:
            return [], []
        neglect = (
            spell_on(self.county.seed, LabelKind.ROUNDS_NEGLECTED, site.index, day, self._ordeals)
            if self._ordeals > 0
            else None
        )
        rng = generator(self.county.seed, "rounds", site.index, day)
        tag = np.array([one.index for one in tags], np.int32)
        said = []
        for due in range(0, DAY_MINUTES, _ROUND_EVERY_MIN):
            begin_ms = day_start_ms(day) + due * MINUTE_MS + int(rng.integers(18 * MINUTE_MS))
            night = minute_at(22) <= due < minute_at(6)
            if rng.random() > site.diligence - (0.05 if night else 0) or (night and neglect is not None):
                continue
            touched_ms = begin_ms + np.cumsum(rng.integers(40_000, 200_000, tag.size))
            said.append(events.activities(tag, touched_ms, ActivityEvent.ROUND))
        return said, [] if neglect is None else [neglect.label(site=site.index)]

    def _statuses(self, site: PlannedSite, day: int) -> Events:
        """Every device says how it is: mains every few minutes, batteries every few hours."""
        rng = generator(self.county.seed, "statuses", site.index, day)
        at_site = np.array([device.index for device in self.county.devices_of(site.index)], np.int64)
        parts = []
        for battery, every_ms in ((False, MAINS_STATUS_EVERY_MS), (True, BATTERY_STATUS_EVERY_MS)):
            devices = at_site[self._batteries.has_battery[at_site] == battery]
            offsets_ms = devices * 104_729 % every_ms
            beats_ms = np.arange(0, DAY_MS, every_ms)
            ts_ms = (day_start_ms(day) + offsets_ms[:, None] + beats_ms[None, :]).ravel()
            device = np.repeat(devices, beats_ms.size)
            rssi = (self._near[device] + rng.normal(0, 2.5, device.size)).clip(-94, -35)
            parts.append(events.statuses(device, ts_ms, self._batteries.level(device, ts_ms), rssi))
        return events.joined(parts)

    def _silence(self, rows: Events, heard: np.ndarray, day: int) -> list[Label]:
        """Which devices are silent; their rows are struck from `heard`."""
        if not self._rate:
            return []
        start_ms = day_start_ms(day)
        spells = silences(
            self.county.seed, self._batteries.has_battery, start_ms, start_ms + DAY_MS, self._rate
        )
        labels = [spell.label(self.county.devices[spell.device].site) for spell in spells]
        touched = np.flatnonzero(np.isin(rows["device"], [spell.device for spell in spells]))
        device, ts_ms = rows["device"][touched], rows["ts_ms"][touched]
        unheard = np.zeros(touched.size, bool)
        for spell in spells:
            unheard |= (device == spell.device) & (ts_ms >= spell.begin_ms) & (ts_ms < spell.end_ms)
        heard[touched[unheard]] = False
        return labels


def _illness_label(course: Course, subject: Subject, dies_ms: int | None, detail: str | None) -> Label:
    return Label(
        kind=LabelKind(course.kind),
        site=subject.site,
        subject=subject.index,
        begin_ms=course.onset_ms,
        end_ms=course.end_ms if dies_ms is None else min(course.end_ms, dies_ms),
        peak_ms=course.peak_ms if dies_ms is None else min(course.peak_ms, dies_ms),
        severity=course.severity,
        detail=detail,
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


def _as_heard(labels: Sequence[Label], rows: Events, day: int) -> tuple[Label, ...]:
    """The labels; of what begins that day, `told` only if the alarm is heard in the end, however late."""
    alarms = rows[events.is_said(rows, events.Said.ALARM)]
    heard = set(zip(alarms["device"].tolist(), alarms["ts_ms"].tolist(), strict=True))
    return tuple(
        replace(label, told=False)
        if label.told and label.begin_ms >= day_start_ms(day) and (label.device, label.begin_ms) not in heard
        else label
        for label in labels
    )


def _wander(incident: incidents.Incident, day: int, spent: np.ndarray, rng: np.random.Generator) -> None:
    """Until they are back or tired, somebody is out of the house, or walks from room to room."""
    assert incident.ends_ms is not None, "somebody brings them home"
    begin = (incident.raised_ms - day_start_ms(day)) // MINUTE_MS
    end = max(begin + 1, (incident.ends_ms - day_start_ms(day)) // MINUTE_MS)
    if incident.place is Place.OUT:
        spent[begin:end] = Place.OUT
        return
    at = begin
    while at < end:
        minutes = int(rng.integers(2, 9))
        spent[at : min(at + minutes, end)] = rng.choice(_PACED)
        at += minutes


_PACED = (Place.LIVING_ROOM, Place.BEDROOM, Place.BATHROOM, Place.LIVING_ROOM, Place.KITCHEN)


def _lie_where_fallen(incident: incidents.Incident, day: int, spent: np.ndarray, still: np.ndarray) -> None:
    """From the fall until they are found, a person stays where they fell and does not stir."""
    assert incident.ends_ms is not None, "somebody finds them"
    begin = (incident.raised_ms - day_start_ms(day)) // MINUTE_MS
    end = (incident.ends_ms - day_start_ms(day)) // MINUTE_MS
    spent[begin:end] = spent[begin]
    still[begin:end] = True


def _one_motion_a_minute(rows: Events) -> np.ndarray:
    """Which rows are said: a motion sensor is blind for a minute after it has seen somebody."""
    motion = np.flatnonzero(events.is_activity(rows, ActivityEvent.MOTION))
    ts_ms, device = rows["ts_ms"][motion], rows["device"][motion]
    order = np.lexsort((ts_ms, device))
    minute, of_device = ts_ms[order] // MINUTE_MS, device[order]
    again = np.zeros(motion.size, bool)
    again[1:] = (minute[1:] == minute[:-1]) & (of_device[1:] == of_device[:-1])
    kept = np.ones(rows.size, bool)
    kept[motion[order[again]]] = False
    return kept
