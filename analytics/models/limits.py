"""Limits of single measurements: what a team wants to hear of at once, whoever it is.

Not skill, but an agreement to be kept. The defaults agree with what the clinical team of TIHM was alerted to;
the lower diastolic limit was found on the weeks before those that are reported. Production (the detector
`limits`) and the evaluation on TIHM judge with the same functions.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from analytics.news2 import Flags, Floats

GRADE_3: Mapping[str, float] = {"sbp": 180.0, "dbp": 110.0}
"""Hypertension of grade 3 from here on: ESC/ESH guidelines 2018 and ESH guidelines 2023, mmHg."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """For each sign, in the units of protocol.signs.SIGNS, what is low and high enough to be told.

    A pair is (at most, at least): a reading that equals a limit is told.
    """

    sbp: tuple[float, float] = (90.0, 160.0)
    dbp: tuple[float, float] = (54.0, 100.0)
    hr: tuple[float, float] = (50.0, 100.0)

    def bands(self, readings: pd.DataFrame) -> tuple[Floats, Floats]:
        """(n,) the low and (n,) the high limit of each of `readings`; NaN where its sign has none.

        Args:
            readings: `sign`, and where people have their own `tolerance`: so many times as wide is the
                band, around its middle.
        """
        pairs = asdict(self)
        low = readings["sign"].map({sign: pair[0] for sign, pair in pairs.items()}).to_numpy(np.float64)
        high = readings["sign"].map({sign: pair[1] for sign, pair in pairs.items()}).to_numpy(np.float64)
        if "tolerance" not in readings:
            return low, high
        # Moved by nothing at a tolerance of 1, so that the usual limits stay exactly what they are.
        wider = (readings["tolerance"].to_numpy(np.float64) - 1) * (high - low) / 2
        return low - wider, high + wider

    def passed(self, readings: pd.DataFrame) -> Flags:
        """(n,) which of `readings` (`value` beside what `bands` needs) are at or beyond a limit."""
        low, high = self.bands(readings)
        value = readings["value"].to_numpy(np.float64)
        return np.asarray((value <= low) | (value >= high))


def grade_3(readings: pd.DataFrame) -> Flags:
    """(n,) which of `readings` (`sign`, `value`) are pressures of hypertension of grade 3."""
    return np.asarray(readings["value"] >= readings["sign"].map(GRADE_3).astype(np.float64), np.bool_)
