"""Vital signs of a person, minute by minute: baseline, hour of day, what they do, illness, noise."""

from collections.abc import Sequence

import numpy as np

from gateway.simulator.chance import autocorrelated
from gateway.simulator.clock import DAY_BEGINS_MIN, DAY_MINUTES, MINUTE_MS, day_start_ms
from gateway.simulator.illness import PATTERNS, Course
from gateway.simulator.person import Condition, Traits
from gateway.simulator.routine import Place, Unwellness

_PEAK_MIN = 17 * 60
"""Minute of the civil day at which body temperature is highest; lowest twelve hours from it."""
_TEMP_AMPLITUDE_CEL = 0.22
_HR_AMPLITUDE = 2.5

_EXERTION = {
    Place.BED: 0.0,
    Place.BEDROOM: 0.35,
    Place.BATHROOM: 0.5,
    Place.KITCHEN: 0.75,
    Place.LIVING_ROOM: 0.25,
    Place.DAY_CENTRE: 0.45,
    Place.OUT: 0.8,
}
"""How much a person exerts themselves in each place, 0 (asleep) to 1 (a brisk walk)."""
_EXERTION_OF = np.array([_EXERTION[place] for place in Place])

_MEMORY_MIN = 15
"""Over how many minutes the noise of a sign resembles itself."""

Signs = dict[str, np.ndarray]


def minutes_of(day: int) -> np.ndarray:
    """Begin of each minute of simulated day `day`, in milliseconds since 1970 UTC."""
    return day_start_ms(day) + MINUTE_MS * np.arange(DAY_MINUTES)


def strain_on(courses: Sequence[Course], ts_ms: np.ndarray) -> Signs:
    """What the `courses` together add to each sign at each time; an empty dict in good health."""
    strain: Signs = {}
    for course in courses:
        burden = course.burden(ts_ms)
        effect = PATTERNS[course.kind].strain
        for key in ("hr", "rr", "spo2", "temp", "sbp", "weight"):
            added = burden * getattr(effect, key)
            strain[key] = strain[key] + added if key in strain else added
    return strain


def unwellness_on(courses: Sequence[Course], day: int) -> Unwellness:
    """How the `courses` bend the routine of a day, by their mean burden over it."""
    toileting = rest = 0.0
    for course in courses:
        burden = float(course.burden(minutes_of(day)[::60]).mean())
        toileting += burden * PATTERNS[course.kind].strain.night_toileting
        rest += burden * PATTERNS[course.kind].strain.bed_rest
    return Unwellness(toileting, min(rest, 0.95))


def signs_of(traits: Traits, rng: np.random.Generator, places: np.ndarray, strain: Signs) -> Signs:
    """Each sign in each minute of the day spent in `places`, as the body has it (not yet rounded).

    Blood sugar is absent: it follows meals, not minutes (see `glucose_at`).
    """
    base = traits.baseline
    daily = rng.normal(0, 1, 6)
    circadian = _circadian()
    exertion = _smoothed(_EXERTION_OF[places], 7)
    asleep = (places == Place.BED) * 1.0
    jitter = 2.2 if Condition.ATRIAL_FIBRILLATION in traits.conditions else 1.0
    signs = {
        "hr": base.hr
        + _HR_AMPLITUDE * circadian
        + 15 * exertion
        - 3.5 * asleep
        + 1.2 * daily[0]
        + 2.2 * jitter * _noise(rng)
        + 1.0 * jitter * rng.standard_normal(DAY_MINUTES),
        "rr": base.rr + 1.6 * exertion - 0.6 * asleep + 0.3 * daily[1] + 0.7 * _noise(rng),
        "spo2": base.spo2 - 0.3 * asleep + 0.15 * daily[2] + 0.4 * _noise(rng),
        "temp": base.temp
        + _TEMP_AMPLITUDE_CEL * circadian
        + 0.06 * exertion
        + 0.04 * daily[3]
        + 0.05 * _noise(rng),
        "sbp": base.sbp + 3 * circadian + 7 * exertion - 9 * asleep + 2.5 * daily[4] + 3.0 * _noise(rng),
    }
    pulse_pressure = 0.5 * (signs["sbp"] - base.sbp)
    signs["dbp"] = base.dbp + pulse_pressure + 2.0 * rng.standard_normal(DAY_MINUTES)
    signs["weight"] = np.full(DAY_MINUTES, base.weight + 0.3 * daily[5])
    for key, added in strain.items():
        signs[key] = signs[key] + added
    return signs


def glucose_at(traits: Traits, rng: np.random.Generator, *, after_meal: bool) -> float:
    """Blood sugar in mmol/L, fasting or two hours after a meal."""
    diabetic = Condition.DIABETES in traits.conditions
    rise = (rng.gamma(6, 0.55) if diabetic else rng.gamma(5, 0.28)) if after_meal else 0.0
    return float(traits.baseline.glucose + rise + rng.normal(0, 0.5 if diabetic else 0.25))


def _circadian() -> np.ndarray:
    clock_min = (DAY_BEGINS_MIN + np.arange(DAY_MINUTES)) % DAY_MINUTES
    return np.cos(2 * np.pi * (clock_min - _PEAK_MIN) / DAY_MINUTES)


def _smoothed(series: np.ndarray, minutes: int) -> np.ndarray:
    padded = np.pad(series, (minutes - 1, 0), mode="edge")
    return np.convolve(padded, np.full(minutes, 1 / minutes), mode="valid")


def _noise(rng: np.random.Generator) -> np.ndarray:
    return autocorrelated(rng, DAY_MINUTES, _MEMORY_MIN)
