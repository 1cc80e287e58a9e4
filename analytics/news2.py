"""NEWS2, the National Early Warning Score 2 of the Royal College of Physicians (2017), over whole columns.

Pure and vectorised: one element of each array is one set of signs. A sign that was not measured is NaN; it
adds no points and is named as missing, because a partial score can only be too low. Consciousness is never
measured by a device and is always missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SIGNS = ("rr", "spo2", "sbp", "hr", "temp")
"""The signs that devices measure, in the order of the columns of `Scores.points`."""
CONSCIOUSNESS = "consciousness"
OXYGEN_POINTS = 2
URGENT_SCORE = 5
EMERGENCY_SCORE = 7
SINGLE_RED = 3
"""Points of one sign that are urgent alone, whatever the total."""

# The chart has whole numbers (temperature: tenths): a band ends half a step below the next one's beginning.
_BANDS: Mapping[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "rr": ((8.5, 11.5, 20.5, 24.5), (3, 1, 0, 2, 3)),
    "sbp": ((90.5, 100.5, 110.5, 219.5), (3, 2, 1, 0, 3)),
    "hr": ((40.5, 50.5, 90.5, 110.5, 130.5), (3, 1, 0, 1, 2, 3)),
    "temp": ((35.05, 36.05, 38.05, 39.05), (3, 1, 0, 1, 2)),
}
_SPO2_SCALE_1 = ((91.5, 93.5, 95.5), (3, 2, 1, 0))
_SPO2_SCALE_2_ON_AIR = ((83.5, 85.5, 87.5), (3, 2, 1, 0))
_SPO2_SCALE_2_ON_OXYGEN = ((83.5, 85.5, 87.5, 92.5, 94.5, 96.5), (3, 2, 1, 0, 1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of n sets of signs.

    Attributes:
        points: (n, 5) points of each of `SIGNS`; 0 where it is missing.
        missing: (n, 5) which of `SIGNS` were not measured.
        total: (n,) the sum, with the points for oxygen.
    """

    points: Ints
    missing: Flags
    total: Ints

    @property
    def scored(self) -> Flags:
        """(n,) where at least one sign was measured; elsewhere the total says nothing."""
        return np.logical_not(self.missing.all(axis=1))

    @property
    def emergency(self) -> Flags:
        """(n,) total of 7 or more."""
        return self.total >= EMERGENCY_SCORE

    @property
    def urgent(self) -> Flags:
        """(n,) total of 5 or more."""
        return self.total >= URGENT_SCORE

    @property
    def red(self) -> Flags:
        """(n, 5) signs that are urgent alone."""
        return self.points >= SINGLE_RED

    @property
    def abnormal(self) -> Flags:
        """(n,) urgent or worse: total of 5 or more, or 3 points for any one sign."""
        return self.urgent | self.red.any(axis=1)


def score(signs: Mapping[str, Floats], spo2_scale: Ints, on_oxygen: Flags) -> Scores:
    """Score n sets of signs.

    Args:
        signs: for each of `SIGNS` an (n,) array in the units of protocol.signs.SIGNS; NaN: not measured.
        spo2_scale: (n,) 1, or 2 for confirmed hypercapnic respiratory failure.
        on_oxygen: (n,) whether the person breathes supplementary oxygen.
    """
    points = {key: _in_bands(signs[key], *_BANDS[key]) for key in _BANDS}
    points["spo2"] = np.where(
        spo2_scale == 1,
        _in_bands(signs["spo2"], *_SPO2_SCALE_1),
        np.where(
            on_oxygen,
            _in_bands(signs["spo2"], *_SPO2_SCALE_2_ON_OXYGEN),
            _in_bands(signs["spo2"], *_SPO2_SCALE_2_ON_AIR),
        ),
    )
    missing = np.column_stack([np.isnan(signs[key]) for key in SIGNS])
    by_sign = np.where(missing, 0, np.column_stack([points[key] for key in SIGNS]))
    return Scores(
        points=by_sign,
        missing=missing,
        total=by_sign.sum(axis=1) + OXYGEN_POINTS * on_oxygen.astype(np.int64),
    )


def _in_bands(values: Floats, edges: tuple[float, ...], points: tuple[int, ...]) -> Ints:
    """Points of the band that each value lies in; a value at an edge belongs to the band above."""
    return np.array(points, dtype=np.int64)[np.digitize(values, edges)]
