"""Blood pressure and pulse alerts of TIHM: does a rule of limits say what the clinical team was told?

Each reading is judged alone, when it comes, by the function that the detector `limits` calls; a day counts
as alerted if one of its readings is. Days with a verified alert but without any reading count as missed.
Readings that the detector leaves to the early warning count here: by whichever of the two, the team is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.models.limits import Limits
from analytics.news2 import Flags, Ints
from evaluation import metrics, tihm
from evaluation.metrics import Interval
from evaluation.tihm import Tihm

SIGNS_OF: Mapping[str, tuple[str, ...]] = {"blood_pressure": ("sbp", "dbp"), "pulse": ("hr",)}
"""The signs that each kind of alert is about."""


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """How a rule agrees with the verified alerts.

    Attributes:
        days: person-days with a reading or an alert of the kind.
        verified: how many of them have an alert.
        precision, recall: by person-day.
        alarms_per_day: alarms by person-day with a reading.
    """

    days: int
    verified: int
    precision: Interval
    recall: Interval
    alarms_per_day: float


def conformance(record: Tihm, kind: str, limits: Limits) -> Conformance:
    """The rule on the whole record; `kind` is one of SIGNS_OF."""
    readings = record.readings[record.readings["sign"].isin(SIGNS_OF[kind])]
    measured = pd.MultiIndex.from_frame(tihm.person_days(readings))
    said = pd.MultiIndex.from_frame(tihm.person_days(readings[limits.passed(readings)]))
    of_kind = record.alerts[record.alerts["kind"] == kind]
    verified = pd.MultiIndex.from_frame(tihm.person_days(of_kind))
    days = measured.union(verified)
    persons = days.get_level_values("person")
    flagged, true = days.isin(said), days.isin(verified)
    return Conformance(
        days=len(days),
        verified=int(true.sum()),
        precision=metrics.interval(lambda rows: _share(true, flagged, rows), persons),
        recall=metrics.interval(lambda rows: _share(flagged, true, rows), persons),
        alarms_per_day=float(flagged.sum() / max(len(measured), 1)),
    )


def _share(of: Flags, among: Flags, rows: Ints) -> float:
    chosen = rows[among[rows]]
    return float(np.mean(of[chosen])) if len(chosen) else float("nan")
