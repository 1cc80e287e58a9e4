"""Limits of single measurements: what a team wants to hear of at once, whoever it is.

Not skill, but an agreement to be kept. The defaults agree with what the clinical team of TIHM was alerted to;
the lower diastolic limit was found on the weeks before those that are reported.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analytics.news2 import Flags


@dataclass(frozen=True, kw_only=True)
class Limits:
    """For each sign what is low and high enough to be told: (at most, at least)."""

    blood_pressure: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"sbp": (90.0, 160.0), "dbp": (54.0, 100.0)}
    )
    pulse: dict[str, tuple[float, float]] = field(default_factory=lambda: {"hr": (50.0, 100.0)})

    def passed(self, readings: pd.DataFrame, kind: str) -> Flags:
        """(n,) which of `readings` (`sign`, `value`) are at or beyond a limit; `kind` names a field."""
        limits: dict[str, tuple[float, float]] = getattr(self, kind)
        low = readings["sign"].map({sign: pair[0] for sign, pair in limits.items()}).to_numpy(np.float64)
        high = readings["sign"].map({sign: pair[1] for sign, pair in limits.items()}).to_numpy(np.float64)
        value = readings["value"].to_numpy(np.float64)
        return np.asarray((value <= low) | (value >= high))
