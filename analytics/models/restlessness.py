"""Restlessness, without any label: is this day more restless than days in such homes are?

Agitation shows as pacing and aimless walking. Its measure here is how often somebody changed rooms, over the
day and in its densest six hours, against the days of all people known before. It says how restless a day was,
not how unusual it was for this person: a person who is agitated every day is not "usual".
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics import behaviour
from analytics.news2 import Flags, Floats

MEASURES = ("moves", "busiest_quarter")
"""The habits that the score without labels is the mean of."""
_MEASURED_AT = {name: behaviour.HABITS.index(name) for name in MEASURES}
ALARM_SHARE = 0.03
"""So many of the days learnt from are restless enough to be told, unless the settings say otherwise."""
IQR_TO_SD = 1.349
"""For a normal distribution the quartiles are so many standard deviations apart."""
SCALE_MIN = 0.3
"""In square roots of counts, whose spread by chance alone is 0.5."""


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """What days are like in such homes.

    Attributes:
        centre, scale: of the square root of each of `behaviour.HABITS`: median, and the distance of the
            quartiles as a standard deviation.
        days: how many days of people it was learnt from.
    """

    centre: Floats
    scale: Floats
    days: int

    def levels(self, habits: pd.DataFrame) -> pd.DataFrame:
        """Each day of `behaviour.daily` in robust deviations from this cohort, by habit."""
        return pd.DataFrame((_roots(habits) - self.centre) / self.scale)

    def restlessness(self, habits: pd.DataFrame) -> "pd.Series[float]":
        """The score of each day of `behaviour.daily`: 0 is an ordinary day, 2 a very restless one."""
        return self.levels(habits)[list(MEASURES)].mean(axis=1)


@dataclass(frozen=True, kw_only=True)
class RestlessDays:
    """What days are like, and from which score on one is restless.

    Attributes:
        cohort: what days are like.
        limit: a day whose score is above this is restless.
    """

    cohort: Cohort
    limit: float

    def are_restless(self, habits: pd.DataFrame) -> Flags:
        """(n,) for days as `behaviour.daily` gives them."""
        return np.asarray(self.cohort.restlessness(habits) > self.limit, np.bool_)

    def typical(self) -> dict[str, float]:
        """Each of `MEASURES`, as a count, on an ordinary day."""
        return {name: float(self.cohort.centre[at] ** 2) for name, at in _MEASURED_AT.items()}

    def most(self) -> dict[str, float]:
        """Each of `MEASURES`, as a count, on a day that is just not restless in it."""
        cohort = self.cohort
        return {
            name: float((cohort.centre[at] + self.limit * cohort.scale[at]) ** 2)
            for name, at in _MEASURED_AT.items()
        }


def learn(habits: pd.DataFrame, share: float) -> RestlessDays:
    """From days as `behaviour.daily`, of which `share` are restless. ValueError: there is no day at all."""
    cohort = fit(habits)
    return RestlessDays(cohort=cohort, limit=float(np.quantile(cohort.restlessness(habits), 1 - share)))


def fit(habits: pd.DataFrame) -> Cohort:
    """Learn from days as `behaviour.daily` gives them, of all people together.

    Raises:
        ValueError: there is no day at all.
    """
    if habits.empty:
        raise ValueError("no day to learn from")
    roots = _roots(habits).to_numpy(np.float64)
    low, centre, high = np.quantile(roots, [0.25, 0.5, 0.75], axis=0)
    return Cohort(centre=centre, scale=np.maximum((high - low) / IQR_TO_SD, SCALE_MIN), days=len(roots))


def _roots(habits: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(habits[list(behaviour.HABITS)] ** 0.5)
