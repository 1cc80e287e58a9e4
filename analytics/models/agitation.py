"""The risk of agitation on a day, learnt from days that people have verified.

Two kinds of features: how restless the day was (against the cohort), and what was verified about this
person on earlier days. The second is known only where a team answers alarms; the model works without.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.models import logistic, restlessness
from analytics.models.logistic import Logistic
from analytics.models.restlessness import Cohort
from analytics.news2 import Flags, Floats

INVERSE_PENALTY = 0.3
RESTLESSNESS_RELEVANCE = 10.0
"""With few verified days the model should differ little from `restlessness`, which needs none."""
HALF_LIFE_DAYS = 7.0
"""After so many days a verified alarm counts half."""
PRIOR_SHARE, PRIOR_DAYS = 0.03, 20.0
"""Somebody of whom nothing is known counts as having had so many days, this share of them with an alarm."""


@dataclass(frozen=True, kw_only=True)
class AgitationRisk:
    """Cohort and weights.

    Attributes:
        cohort: what days are like.
        risk: log odds from the levels, from `restlessness`, and from `past_alarms` if it was fitted with
            them.
    """

    cohort: Cohort
    risk: Logistic

    def log_odds(self, habits: pd.DataFrame, past: pd.DataFrame | None = None) -> Floats:
        """(n,) the score of each day.

        Args:
            habits: days as `behaviour.daily` gives them.
            past: `past_alarms` of the same days, if it was fitted with them.
        """
        return self.risk.log_odds(_features(self.cohort, habits, past))


def fit(habits: pd.DataFrame, alarm: Flags, past: pd.DataFrame | None = None) -> AgitationRisk:
    """Learn from days, whether agitation was verified on each, and optionally what was known before.

    Raises:
        ValueError: no day, or all days alike.
    """
    cohort = restlessness.fit(habits)
    features = _features(cohort, habits, past)
    return AgitationRisk(
        cohort=cohort,
        risk=logistic.fit(
            features,
            alarm,
            inverse_penalty=INVERSE_PENALTY,
            relevance={"restlessness": RESTLESSNESS_RELEVANCE},
        ),
    )


def past_alarms(days: pd.MultiIndex, alarm: Flags) -> pd.DataFrame:
    """What was known about each person before each day: alarms verified on earlier days only.

    Args:
        days: (n,) pairs (`person`, `day`), sorted, without duplicates.
        alarm: (n,) whether an alarm was verified on that day.

    Returns:
        Rows as `days`: `rate`, the log of the person's share of earlier days with an alarm to the prior
        share, shrunk by the prior; `recent`, log(1 + earlier alarms, halved every `HALF_LIFE_DAYS`).
    """
    frame = pd.DataFrame({"alarm": np.asarray(alarm, np.float64)}, index=days)
    number = days.get_level_values("day").to_numpy("datetime64[D]").astype(np.int64)
    number = number - (number.min() if len(number) else 0)
    by_person = frame["alarm"].groupby(level="person")
    before = by_person.cumsum() - frame["alarm"]
    share = (before + PRIOR_SHARE * PRIOR_DAYS) / (by_person.cumcount() + PRIOR_DAYS)
    # Σ 2^(-(d - e)/h) over earlier days e is 2^(-d/h) · Σ 2^(e/h); in whole half-lives from each person's
    # first day on, so that years of history stay finite.
    first = pd.Series(number, index=days).groupby(level="person").transform("min").to_numpy()
    growth = np.exp2((number - first) / HALF_LIFE_DAYS)
    grown = frame["alarm"] * growth
    recent = (grown.groupby(level="person").cumsum() - grown) / growth
    return pd.DataFrame({"rate": np.log(share / PRIOR_SHARE), "recent": np.log1p(recent.clip(lower=0))})


def _features(cohort: Cohort, habits: pd.DataFrame, past: pd.DataFrame | None) -> pd.DataFrame:
    levels = cohort.levels(habits).assign(restlessness=cohort.restlessness(habits))
    return levels if past is None else levels.join(past)
