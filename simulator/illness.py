"""Courses of illness: how a person's signs and habits drift from their baseline, and come back.

A course is drawn for each person and each span of `WINDOW_DAYS`, so that any day can be told alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from simulator.chance import generator
from simulator.clock import DAY_MS, HOUR_MS, day_of, day_start_ms
from simulator.person import Condition, Medication, Sex, Traits

WINDOW_DAYS = 30
"""At most one course of each kind begins in such a span of days."""
_DEATHS_REMEMBERED = 8
"""Windows for which a place stays empty after a death; then another person has it."""
LONGEST_COURSE_DAYS = 21
"""No course is longer than this (a test proves it)."""


class IllnessKind(StrEnum):
    """Illnesses that elders in care come down with."""

    RESPIRATORY_INFECTION = "respiratory_infection"
    URINARY_INFECTION = "urinary_infection"
    HEART_DECOMPENSATION = "heart_decompensation"
    DEHYDRATION = "dehydration"
    DYING = "dying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """What an illness at its height adds to a baseline, for a course of severity 1."""

    hr: float = 0
    rr: float = 0
    spo2: float = 0
    temp: float = 0
    sbp: float = 0
    weight: float = 0
    night_toileting: float = 0
    bed_rest: float = 0
    """Share of the free time of day that is spent in bed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How often an illness comes, how it runs, and what it does at its height."""

    per_person_year: float
    rise_h: float
    plateau_h: float
    fall_h: float
    strain: Strain


PATTERNS = {
    IllnessKind.RESPIRATORY_INFECTION: Pattern(
        per_person_year=0.4,
        rise_h=36,
        plateau_h=48,
        fall_h=120,
        strain=Strain(hr=21, rr=8.5, spo2=-4.5, temp=1.9, sbp=-9, bed_rest=0.7),
    ),
    IllnessKind.URINARY_INFECTION: Pattern(
        per_person_year=0.25,
        rise_h=30,
        plateau_h=40,
        fall_h=60,
        strain=Strain(hr=13, rr=2.5, temp=1.4, sbp=-12, night_toileting=3.5, bed_rest=0.35),
    ),
    IllnessKind.HEART_DECOMPENSATION: Pattern(
        per_person_year=0.03,
        rise_h=144,
        plateau_h=48,
        fall_h=120,
        strain=Strain(hr=15, rr=8, spo2=-4, weight=4.5, sbp=6, night_toileting=1.5, bed_rest=0.4),
    ),
    IllnessKind.DEHYDRATION: Pattern(
        per_person_year=0.15,
        rise_h=40,
        plateau_h=20,
        fall_h=24,
        strain=Strain(hr=20, rr=2, temp=0.6, sbp=-20, weight=-1.5, bed_rest=0.3),
    ),
    IllnessKind.DYING: Pattern(
        per_person_year=0.06,
        rise_h=200,
        plateau_h=60,
        fall_h=1,
        strain=Strain(hr=24, rr=9, spo2=-8, temp=-0.5, sbp=-32, weight=-3, bed_rest=1.0),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One illness of one person: begins at `onset_ms`, as grave as `severity` (about 0.3 to 1.2)."""

    kind: IllnessKind
    onset_ms: int
    severity: float

    @property
    def end_ms(self) -> int:
        """When nothing of it is left."""
        pattern = PATTERNS[self.kind]
        hours = pattern.rise_h + pattern.plateau_h + pattern.fall_h
        return self.onset_ms + round(hours * HOUR_MS)

    @property
    def peak_ms(self) -> int:
        """When it reaches its height."""
        return self.onset_ms + round(PATTERNS[self.kind].rise_h * HOUR_MS)

    def burden(self, ts_ms: np.ndarray) -> np.ndarray:
        """Share of the full strain at each time: 0 before and after, `severity` at the height."""
        pattern = PATTERNS[self.kind]
        hours = (ts_ms - self.onset_ms) / HOUR_MS
        height_ends_h = pattern.rise_h + pattern.plateau_h
        rise = np.clip(hours / pattern.rise_h, 0, 1)
        fall = np.clip(1 - (hours - height_ends_h) / pattern.fall_h, 0, 1)
        # Smooth shoulders: nobody falls ill or gets well along a straight line.
        share = np.minimum(rise * rise * (3 - 2 * rise), fall * fall * (3 - 2 * fall))
        return self.severity * share


def courses_on(seed: int, subject: int, traits: Traits, day: int) -> tuple[Course, ...]:
    """The courses that touch simulated day `day` of person `subject`."""
    begin_ms = day_start_ms(day)
    end_ms = begin_ms + DAY_MS
    first, last = (day - LONGEST_COURSE_DAYS) // WINDOW_DAYS, day // WINDOW_DAYS
    courses = (
        course
        for window in range(first, last + 1)
        for course in _courses_in_window(seed, subject, traits, window)
    )
    return tuple(course for course in courses if course.onset_ms < end_ms and course.end_ms > begin_ms)


def dying_by(seed: int, subject: int, traits: Traits, day: int, rate: float) -> Course | None:
    """The course of which person `subject` is dying on simulated day `day`, or has died before it."""
    pattern = PATTERNS[IllnessKind.DYING]
    begin_ms = day_start_ms(day)
    for window in range(day // WINDOW_DAYS - _DEATHS_REMEMBERED, day // WINDOW_DAYS + 1):
        chance, share = _dying_draws(seed, subject, window)
        frailty = (1 + len(traits.lost) / 3) * max(0.3, (traits.age - 60) / 20)
        if chance < pattern.per_person_year * WINDOW_DAYS / 365 * frailty * rate:
            onset_ms = day_start_ms(window * WINDOW_DAYS) + int(share * WINDOW_DAYS * DAY_MS)
            if onset_ms < begin_ms + DAY_MS:
                return Course(kind=IllnessKind.DYING, onset_ms=onset_ms, severity=1.0)
    return None


def empty_until_ms(dying: Course) -> int:
    """Until when the place of somebody who died of this course stays empty; then another person has it."""
    window = day_of(dying.onset_ms) // WINDOW_DAYS
    return day_start_ms((window + _DEATHS_REMEMBERED + 1) * WINDOW_DAYS)


@lru_cache(maxsize=65_536)
def _dying_draws(seed: int, subject: int, window: int) -> tuple[float, float]:
    chance, share = generator(seed, "dying", subject, window).random(2)
    return float(chance), float(share)


def _courses_in_window(seed: int, subject: int, traits: Traits, window: int) -> list[Course]:
    courses = []
    draws = _illness_draws(seed, subject, window)
    for (kind, pattern), (chance, share, depth) in zip(PATTERNS.items(), draws, strict=True):
        if kind is IllnessKind.DYING:
            continue  # told apart, for it has no end
        rate = pattern.per_person_year * WINDOW_DAYS / 365
        if chance < rate * _PRONENESS_MAX and chance < rate * _proneness(kind, traits):
            onset_ms = day_start_ms(window * WINDOW_DAYS) + int(share * WINDOW_DAYS * DAY_MS)
            courses.append(Course(kind=kind, onset_ms=onset_ms, severity=0.3 + 0.8 * depth**1.5))
    return courses


@lru_cache(maxsize=65_536)
def _illness_draws(seed: int, subject: int, window: int) -> tuple[tuple[float, float, float], ...]:
    """Three draws for each kind whatever they decide, so that kinds do not disturb each other."""
    draws = generator(seed, "illness", subject, window).random((len(PATTERNS), 3))
    return tuple((chance, share, depth) for chance, share, depth in draws.tolist())


_PRONENESS_MAX = 20.0
"""Nobody is likelier than the average to fall ill by more than this; saves looking closer at most."""


def _proneness(kind: IllnessKind, traits: Traits) -> float:
    frailty = 1 + len(traits.lost) / 4
    match kind:
        case IllnessKind.RESPIRATORY_INFECTION:
            return frailty * (2 if Condition.COPD in traits.conditions else 1)
        case IllnessKind.URINARY_INFECTION:
            return frailty * (1.8 if traits.sex is Sex.FEMALE else 0.8)
        case IllnessKind.HEART_DECOMPENSATION:
            return 20 if Condition.HEART_FAILURE in traits.conditions else 0
        case IllnessKind.DYING:
            return 0
        case IllnessKind.DEHYDRATION:
            return frailty * (1.6 if Medication.DIURETIC in traits.medications else 1)
