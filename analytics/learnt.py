"""What a training learns, in the form in which it is stored: frozen dataclasses of arrays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics import baselines, behaviour, features
from analytics.baselines import WINDOWS_H, VitalBaseline
from analytics.detectors import restlessness, routine
from analytics.history import PERSISTENT_SIGNS
from analytics.models.isolation import RareDays
from analytics.models.restlessness import MEASURES, RestlessDays
from analytics.models.storage import ModelFormatError
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings

VITALS: Final = "vitals"
RHYTHM: Final = "rhythm"
ROUTINE: Final = "routine"
RESTLESSNESS: Final = "restlessness"
NAMES: Final = (VITALS, RHYTHM, ROUTINE, RESTLESSNESS)
FORMAT = 1
"""To be counted up when a form below, or the meaning of a number in it, changes."""


@dataclass(frozen=True, kw_only=True)
class VitalUsual:
    """What is usual of the signs of n residents.

    Attributes:
        residents: (n,) ids, ascending.
        usual: (n, signs, 24) as `VitalBaseline.usual`, the signs in the order of PERSISTENT_SIGNS.
        spread: (n, signs, windows) as `VitalBaseline.spread`, the windows in the order of WINDOWS_H.
        days: (n, signs) as `VitalBaseline.days`.
    """

    residents: Ints
    usual: Floats
    spread: Floats
    days: Ints

    def check(self) -> None:
        """ModelFormatError where the shapes do not fit each other."""
        count, signs = len(self.residents), len(PERSISTENT_SIGNS)
        _demand(self.usual.shape == (count, signs, features.HOURS), "usual")
        _demand(self.spread.shape == (count, signs, len(WINDOWS_H)), "spread")
        _demand(self.days.shape == (count, signs), "days")
        _demand(bool((np.diff(self.residents) > 0).all()), "residents")

    @property
    def known_count(self) -> int:
        """How many signs of anybody are known."""
        return int((~np.isnan(self.spread[:, :, 0])).sum())

    def of(self, residents: Ints) -> VitalBaseline:
        """The baseline of `residents` (ids, ascending); of those not learnt from nothing is known."""
        known, row = _rows_of(self.residents, residents)

        def taken(values: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
            found = np.full((len(residents), *values.shape[1:]), missing, values.dtype)
            found[known] = values[row[known]]
            return found

        usual, spread = taken(self.usual, np.nan), taken(self.spread, np.nan)
        days = taken(self.days, 0)
        return VitalBaseline(
            residents=residents,
            usual={sign: usual[:, index] for index, sign in enumerate(PERSISTENT_SIGNS)},
            spread={
                (sign, window_h): spread[:, index, place]
                for index, sign in enumerate(PERSISTENT_SIGNS)
                for place, window_h in enumerate(WINDOWS_H)
            },
            days={sign: days[:, index] for index, sign in enumerate(PERSISTENT_SIGNS)},
        )

    @classmethod
    def joined(cls, parts: list[VitalBaseline]) -> "VitalUsual":
        """One of several baselines of different residents, given in ascending order."""
        signs = PERSISTENT_SIGNS
        usual = [np.stack([part.usual[sign] for sign in signs], axis=1) for part in parts]
        spread = [
            np.stack(
                [
                    np.stack([part.spread[sign, window_h] for window_h in WINDOWS_H], axis=-1)
                    for sign in signs
                ],
                axis=1,
            )
            for part in parts
        ]
        days = [np.stack([part.days[sign] for sign in signs], axis=1) for part in parts]
        return cls(
            residents=np.concatenate([part.residents for part in parts]),
            usual=np.concatenate(usual),
            spread=np.concatenate(spread),
            days=np.concatenate(days).astype(np.int64),
        )


@dataclass(frozen=True, kw_only=True)
class SilenceRhythm:
    """What silences are usual: the rows of `HistoryBaselines.rhythm` as columns of (m,)."""

    residents: Ints
    bathroom: Flags
    leaving: Flags
    night: Flags
    limit_s: Floats
    gap_count: Ints

    def check(self) -> None:
        """ModelFormatError where the columns do not fit each other."""
        for name in ("residents", "bathroom", "leaving", "night", "limit_s", "gap_count"):
            _demand(getattr(self, name).shape == (len(self.residents),), name)
        _demand(bool((self.limit_s > 0).all()), "limit_s")
        _demand(self.table().index.is_unique, "residents")

    @property
    def known_count(self) -> int:
        """How many rhythms of anybody are known."""
        return len(self.residents)

    def table(self) -> pd.DataFrame:
        """As `HistoryBaselines.rhythm`."""
        index = pd.MultiIndex.from_arrays(
            [self.residents, self.bathroom, self.leaving, self.night],
            names=["resident_id", "bathroom", "leaving", "night"],
        )
        return pd.DataFrame({"limit_s": self.limit_s, "gap_count": self.gap_count}, index=index)

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> "SilenceRhythm":
        """From a frame as `HistoryBaselines.rhythm`."""
        keys = table.index.to_frame(index=False)
        return cls(
            residents=keys["resident_id"].to_numpy(np.int64),
            bathroom=keys["bathroom"].to_numpy(np.bool_),
            leaving=keys["leaving"].to_numpy(np.bool_),
            night=keys["night"].to_numpy(np.bool_),
            limit_s=table["limit_s"].to_numpy(np.float64),
            gap_count=table["gap_count"].to_numpy(np.int64),
        )


@dataclass(frozen=True, kw_only=True)
class RareHabits:
    """Which days of habits are rare among those of everybody, in personal deviations."""

    days: RareDays

    def check(self) -> None:
        """ModelFormatError where the nodes of the forest lead nowhere."""
        forest, nodes = self.days.forest, len(self.days.forest.feature)
        _demand(forest.names == routine.ALL_HABITS, "names")
        _demand(forest.filling.shape == (len(forest.names),), "filling")
        for name in ("threshold", "left", "right", "value"):
            _demand(getattr(forest, name).shape == (nodes,), name)
        for name, below in (
            ("roots", nodes),
            ("left", nodes),
            ("right", nodes),
            ("feature", len(forest.names)),
        ):
            _demand(bool((getattr(forest, name) < below).all()), name)

    @property
    def known_count(self) -> int:
        """On how many days it was grown."""
        return self.days.day_count


@dataclass(frozen=True, kw_only=True)
class RestlessHomes:
    """How restless days are in households of people who live alone."""

    days: RestlessDays

    def check(self) -> None:
        """ModelFormatError where the numbers do not fit the habits."""
        cohort, habits = self.days.cohort, len(behaviour.HABITS)
        _demand(cohort.centre.shape == (habits,), "centre")
        _demand(cohort.scale.shape == (habits,) and bool((cohort.scale > 0).all()), "scale")
        _demand(bool(np.isfinite(self.days.limit)), "limit")

    @property
    def known_count(self) -> int:
        """From how many days it was learnt."""
        return self.days.cohort.days


Model = VitalUsual | SilenceRhythm | RareHabits | RestlessHomes
KINDS: Mapping[str, type[Model]] = {
    VITALS: VitalUsual,
    RHYTHM: SilenceRhythm,
    ROUTINE: RareHabits,
    RESTLESSNESS: RestlessHomes,
}


def recipe(name: str, settings: AnalyticsSettings) -> str:
    """The settings and constants that decide what is learnt, as JSON: under others a version says nothing."""
    chosen: Mapping[str, Mapping[str, Any]] = {
        VITALS: {
            "learn_days": baselines.LEARN_DAYS,
            "gap_days": baselines.GAP_DAYS,
            "days_min": baselines.DAYS_MIN,
            "signs": PERSISTENT_SIGNS,
            "windows_h": WINDOWS_H,
            "scale_floor": baselines.SCALE_FLOOR,
            "not_learnt_from": sorted(baselines.UNUSUAL),
        },
        RHYTHM: {
            "learn_days": baselines.LEARN_DAYS,
            "days_min": baselines.RHYTHM_DAYS_MIN,
            "gaps_min": baselines.RHYTHM_GAPS_MIN,
            "inactivity_s": settings.inactivity_s,
            "inactivity_bathroom_s": settings.inactivity_bathroom_s,
            "inactivity_personal_factor": settings.inactivity_personal_factor,
            "inactivity_personal_margin_s": settings.inactivity_personal_margin_s,
            "rest_from_h": settings.rest_from_h,
            "rest_to_h": settings.rest_to_h,
        },
        ROUTINE: {
            "days": routine.DAYS,
            "recent_days": routine.RECENT_DAYS,
            "past_days_min": routine.PAST_DAYS_MIN,
            "habits": routine.ALL_HABITS,
            "floor": routine.FLOOR,
            "clip": routine.CLIP,
            "routine_rare_share": settings.routine_rare_share,
        },
        RESTLESSNESS: {
            "days": restlessness.COHORT_DAYS,
            "people_max": restlessness.COHORT_PEOPLE_MAX,
            "rooms_min": restlessness.ROOMS_MIN,
            "habits": behaviour.HABITS,
            "measures": MEASURES,
            "restlessness_share": settings.restlessness_share,
        },
    }
    return json.dumps(chosen[name], sort_keys=True)


def _rows_of(known: Ints, wanted: Ints) -> tuple[Flags, Ints]:
    """(n,) whether each of `wanted` is in `known` (ascending), and in which row."""
    if not len(known):
        return np.zeros(len(wanted), np.bool_), np.zeros(len(wanted), np.int64)
    row = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.asarray(known[row] == wanted, np.bool_), row


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ModelFormatError(f"the stored {what} does not fit the rest")
