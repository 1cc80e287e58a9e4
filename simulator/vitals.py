"""Vital signs of a person, minute by minute: baseline, hour of day, what they do, illness, noise."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from simulator.chance import autocorrelated, generator
from simulator.clock import DAY_BEGINS_MIN, DAY_MINUTES, MINUTE_MS, day_start_ms
from simulator.illness import PATTERNS, Course
from simulator.person import Condition, Traits
from simulator.routine import Place, Unwellness

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

_KNOT_MIN, _MEMORY_KNOTS = 5, 3
"""The noise of a sign is drawn so often, resembles itself over so many draws, and runs straight between."""

Signs = Mapping[str, np.ndarray]


def minutes_of(day: int) -> np.ndarray:
    """Begin of each minute of simulated day `day`, in milliseconds since 1970 UTC."""
    return day_start_ms(day) + MINUTE_MS * np.arange(DAY_MINUTES)


def strain_on(courses: Sequence[Course], ts_ms: np.ndarray) -> dict[str, np.ndarray]:
    """What the `courses` together add to each sign at each time; an empty dict in good health."""
    strain: dict[str, np.ndarray] = {}
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


def signs_of(
    traits: Traits, rng: np.random.Generator, places: np.ndarray, strain: Mapping[str, np.ndarray]
) -> Signs:
    """Each sign in each minute of the day spent in `places`, as the body has it (not yet rounded).

    Blood sugar is absent: it follows meals, not minutes (see `glucose_at`).
    """
    return _Body(traits, rng, places, strain)


class _Body(Mapping[str, np.ndarray]):
    """The signs of one day, each worked out when somebody first measures it."""

    def __init__(
        self,
        traits: Traits,
        rng: np.random.Generator,
        places: np.ndarray,
        strain: Mapping[str, np.ndarray],
    ) -> None:
        self._traits = traits
        self._places = places
        self._strain = strain
        self._daily = rng.standard_normal(len(_SIGN_KEYS))
        self._salt = int(rng.integers(1 << 62))
        self._known: dict[str, np.ndarray] = {}
        self._exertion: np.ndarray | None = None

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self._known:
            series = self._undisturbed(key)
            self._known[key] = series + self._strain[key] if key in self._strain else series
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_SIGN_KEYS)

    def __len__(self) -> int:
        return len(_SIGN_KEYS)

    def _undisturbed(self, key: str) -> np.ndarray:
        base, daily = self._traits.baseline, self._daily[_SIGN_KEYS.index(key)]
        rng = generator(self._salt, key)
        series: np.ndarray
        match key:
            case "weight":
                series = np.full(DAY_MINUTES, base.weight + 0.3 * daily)
            case "dbp":
                # The lower pressure follows the upper, which has the illness in it already.
                series = base.dbp + 0.5 * (self["sbp"] - base.sbp) + 3 * daily
                series = series + 2.0 * rng.standard_normal(DAY_MINUTES)
            case "hr":
                jitter = 2.2 if Condition.ATRIAL_FIBRILLATION in self._traits.conditions else 1.0
                series = base.hr + _HR_AMPLITUDE * _CIRCADIAN + self._effort(15, -3.5) + 1.2 * daily
                series = series + jitter * (2.2 * _noise(rng) + rng.standard_normal(DAY_MINUTES))
            case "rr":
                series = base.rr + self._effort(1.6, -0.6) + 0.3 * daily + 0.7 * _noise(rng)
            case "spo2":
                series = base.spo2 + self._effort(0, -0.3) + 0.15 * daily + 0.4 * _noise(rng)
            case "temp":
                series = base.temp + _TEMP_AMPLITUDE_CEL * _CIRCADIAN + self._effort(0.06, 0)
                series = series + 0.04 * daily + 0.05 * _noise(rng)
            case "sbp":
                series = base.sbp + 3 * _CIRCADIAN + self._effort(7, -9) + 5.0 * daily + 4.0 * _noise(rng)
            case _:
                raise KeyError(key)
        return series

    def _effort(self, when_busy: float, asleep: float) -> np.ndarray:
        """What a brisk walk and sleep add to a sign."""
        if self._exertion is None:
            self._exertion = _smoothed(_EXERTION_OF[self._places], 7)
        added: np.ndarray = when_busy * self._exertion + asleep * (self._places == Place.BED)
        return added


def glucose_at(traits: Traits, rng: np.random.Generator, *, after_meal: bool) -> float:
    """Blood sugar in mmol/L, fasting or two hours after a meal."""
    diabetic = Condition.DIABETES in traits.conditions
    rise = (rng.gamma(6, 0.55) if diabetic else rng.gamma(5, 0.28)) if after_meal else 0.0
    return float(traits.baseline.glucose + rise + rng.normal(0, 0.5 if diabetic else 0.25))


def _circadian() -> np.ndarray:
    clock_min = (DAY_BEGINS_MIN + np.arange(DAY_MINUTES)) % DAY_MINUTES
    return np.cos(2 * np.pi * (clock_min - _PEAK_MIN) / DAY_MINUTES)


_CIRCADIAN = _circadian()
_SIGN_KEYS = ("hr", "rr", "spo2", "temp", "sbp", "dbp", "weight")


def _smoothed(series: np.ndarray, minutes: int) -> np.ndarray:
    padded = np.concatenate([np.full(minutes - 1, series[0]), series])
    return np.convolve(padded, np.full(minutes, 1 / minutes), mode="valid")


_ALONG = np.arange(_KNOT_MIN) / _KNOT_MIN


def _noise(rng: np.random.Generator) -> np.ndarray:
    knots = autocorrelated(rng, DAY_MINUTES // _KNOT_MIN + 1, _MEMORY_KNOTS)
    return (knots[:-1, None] + np.diff(knots)[:, None] * _ALONG).ravel()
