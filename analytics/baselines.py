"""What is usual for each person: the interface, and how it is learnt from the history.

Detectors ask `Baselines` and do not know whether the answer was learnt just now or stored by a nightly
training. An implementation looks only at what was before `history.now`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from alarms.kinds import AlarmKind
from analytics import features
from analytics.history import PERSISTENT_SIGNS, History, Residents
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

LEARN_DAYS = 28
"""Four weeks: long enough for each weekday, short enough to follow a person who ages."""
GAP_DAYS = 2
"""The last days are not learnt from: what begins slowly must not become its own normal."""
DAYS_MIN = 5
"""With fewer days of a sign nobody knows what is usual."""
RHYTHM_DAYS_MIN = 14
RHYTHM_GAPS_MIN = 20
WINDOWS_H = (3, 72)
"""Lengths of the trailing means whose personal spread is known: steps (hours) and trends (days)."""
UNUSUAL = frozenset({AlarmKind.VITALS, AlarmKind.HEALTH_CHANGE})
"""Alarms during which a person's signs are not their normal ones."""
SCALE_FLOOR = {"hr": 1.5, "rr": 0.5, "spo2": 0.5, "temp": 0.08, "sbp": 4.0, "weight": 0.5}
"""Smallest spread of a mean over some hours, in the units of the signs: devices are no more exact."""


@dataclass(frozen=True, kw_only=True)
class VitalBaseline:
    """What is usual of n residents' signs.

    Attributes:
        residents: (n,) ids, ascending.
        usual: for each of PERSISTENT_SIGNS (n, 24): the median in each local hour; NaN: not known.
        spread: for each sign and each of WINDOWS_H (n,): the robust standard deviation of the mean over so
            many hours around what is usual in those hours; NaN: not known.
        days: for each sign (n,): on how many days it was measured.
    """

    residents: Ints
    usual: dict[str, Floats]
    spread: dict[tuple[str, int], Floats]
    days: dict[str, Ints]


class Baselines(Protocol):
    """What is usual for each person."""

    def vitals(self, history: History, part: Residents) -> VitalBaseline:
        """What is usual in the signs of the residents in `part`."""

    def rhythm(self, history: History) -> pd.DataFrame:
        """What is usual in everybody's silences, see `HistoryBaselines.rhythm`."""


class HistoryBaselines:
    """Learns anew on each local day, from the days before, and keeps that until the next.

    What is kept is a function of the database and the day: after a restart it is the same again.
    """

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings
        self._day: datetime | None = None
        self._vitals: dict[Residents, VitalBaseline] = {}
        self._rhythm: pd.DataFrame | None = None

    def vitals(self, history: History, part: Residents) -> VitalBaseline:
        """What is usual in the signs of the residents in `part`."""
        self._turn_page(history)
        if part not in self._vitals:
            self._vitals[part] = self._learn_vitals(history, part)
        return self._vitals[part]

    def rhythm(self, history: History) -> pd.DataFrame:
        """Index (resident_id, bathroom, leaving, night); columns limit_s, gap_count.

        `limit_s`: a silence so long has not happened to this person there at that time of day, by a margin.
        Only where it is known well enough; night is from `rest_from_h` to `rest_to_h`.
        """
        self._turn_page(history)
        if self._rhythm is None:
            end = features.midnight(history.now)
            begin = end - timedelta(days=LEARN_DAYS)
            found = [
                rhythm_of(features.gaps(history.activity_hours(part, begin, end)), self._settings)
                for part in history.slices()
            ]
            self._rhythm = pd.concat(found) if found else rhythm_of(_no_gaps(), self._settings)
        return self._rhythm

    def _turn_page(self, history: History) -> None:
        today = features.midnight(history.now)
        if today != self._day:
            self._day, self._vitals, self._rhythm = today, {}, None

    @staticmethod
    def _learn_vitals(history: History, part: Residents) -> VitalBaseline:
        end = features.midnight(history.now) - timedelta(days=GAP_DAYS)
        begin = end - timedelta(days=LEARN_DAYS)
        return learn_vitals(
            history.vitals_hours(part, begin, end),
            residents_in(history, part),
            history.anomalies(UNUSUAL, begin),
            begin,
        )


def residents_in(history: History, part: Residents) -> Ints:
    """(n,) ids of the residents in `part`, ascending."""
    ids = history.residents["resident_id"].to_numpy(np.int64)
    return ids[(ids >= part.first_id) & (ids <= part.last_id)]


def learn_vitals(
    hours: pd.DataFrame, residents: Ints, anomalies: pd.DataFrame, begin: datetime
) -> VitalBaseline:
    """The baseline of `residents` from LEARN_DAYS of `hours` (as `History.vitals_hours`) from `begin` on."""
    usual: dict[str, Floats] = {}
    spread: dict[tuple[str, int], Floats] = {}
    days: dict[str, Ints] = {}
    for sign in PERSISTENT_SIGNS:
        values = features.cube(hours, sign, residents, begin, LEARN_DAYS)
        values = features.without(values, residents, begin, anomalies)
        days[sign] = (~np.isnan(values)).any(axis=2).sum(axis=1)
        known = days[sign] >= DAYS_MIN
        usual[sign] = np.where(known[:, None], features.by_hour(values, count_min=DAYS_MIN), np.nan)
        off = (values - usual[sign][:, None, :]).reshape(len(residents), -1)
        for window_h in WINDOWS_H:
            means = features.trailing_mean(off, window_h, count_min(sign, window_h))
            # Around 0 and not around their own median: what is usual is known already.
            scale = features.MAD_TO_SD * features.nan_median(np.abs(means), DAYS_MIN)
            spread[sign, window_h] = np.where(known, np.fmax(scale, SCALE_FLOOR[sign]), np.nan)
    return VitalBaseline(residents=residents, usual=usual, spread=spread, days=days)


def count_min(sign: str, window_h: int) -> int:
    """So many hours of a window must have a value of `sign`; some signs are taken once or twice a day."""
    return 1 if sign in {"sbp", "weight", "temp"} else max(1, min(3, window_h // 4))


def rhythm_of(gaps: pd.DataFrame, settings: AnalyticsSettings) -> pd.DataFrame:
    """What silences are usual, from those of some weeks (as `features.gaps`); see `HistoryBaselines.rhythm`.

    A silence that would have been an alarm for anybody is not learnt from. One that began on the way out
    tells of outings, not of the rhythm at home, so it is kept apart.
    """
    default_s = np.where(gaps["bathroom"], settings.inactivity_bathroom_s, settings.inactivity_s)
    learnt = gaps[gaps["gap_s"] < default_s]
    local = learnt["begins_at"].dt.tz_convert(HOME_TIME)
    hour = local.dt.hour
    table = (
        learnt.assign(night=is_night(hour, settings), day=local.dt.floor("D"))
        .groupby(["resident_id", "bathroom", "leaving", "night"])
        .agg(gap_count=("gap_s", "size"), longest_s=("gap_s", "max"), day_count=("day", "nunique"))
    )
    known = (table["gap_count"] >= RHYTHM_GAPS_MIN) & (table["day_count"] >= RHYTHM_DAYS_MIN)
    table = table[known]
    limit_s = table["longest_s"] * settings.inactivity_personal_factor + settings.inactivity_personal_margin_s
    return table.assign(limit_s=limit_s)[["limit_s", "gap_count"]]


def personal_limit_s(limit_s: Floats, bathroom: Flags, settings: AnalyticsSettings) -> Floats:
    """(n,) after how long a silence is too long, from a person's own `limit_s` there, within bounds."""
    shortest = np.where(
        bathroom, settings.inactivity_personal_bathroom_s_min, settings.inactivity_personal_s_min
    )
    longest = np.where(bathroom, settings.inactivity_bathroom_s, settings.inactivity_personal_s_max)
    return np.asarray(np.clip(limit_s, shortest, longest))


def is_night(hour: "pd.Series[int]", settings: AnalyticsSettings) -> "pd.Series[bool]":
    """Whether each local hour is one in which being in bed is no reason to worry."""
    begins, ends = settings.rest_from_h, settings.rest_to_h
    if begins < ends:
        return (hour >= begins) & (hour < ends)
    return (hour >= begins) | (hour < ends)


def _no_gaps() -> pd.DataFrame:
    names = {
        "resident_id": "int64",
        "gap_s": "float64",
        "bathroom": "bool",
        "leaving": "bool",
        "in_bed": "bool",
    }
    frame = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in names.items()})
    return frame.assign(begins_at=pd.Series(dtype="datetime64[us, UTC]"))
