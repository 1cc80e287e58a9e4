"""The published ways to find agitation on TIHM, computed anew, so that ours stand beside them.

Features after the publishers' example: by day and room the sum, standard deviation, mean and maximum of
hourly counts of events, and the day's highest value of each sign, carried forward. They normalise each person
over the whole record, future included; here only days before count, which is what a live system knows.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression

from analytics.news2 import Flags, Floats
from evaluation.days import Days
from evaluation.tihm import Tihm

DEVIATION_MAX = 5.0
SEED = 0
ITERATIONS_MAX = 2000


def published_features(record: Tihm, index: pd.MultiIndex) -> pd.DataFrame:
    """(n, k) features in deviations from the person's own earlier days; 0 where there are fewer than two."""
    day = record.events["time"].astype("datetime64[us]").dt.floor("D").rename("day")
    hour = record.events["time"].dt.hour.rename("hour")
    hourly = record.events.groupby(["person", day, hour, "place"]).size().unstack(fill_value=0)
    rooms = hourly.groupby(["person", "day"]).agg(["sum", "std", "mean", "max"])
    rooms.columns = pd.Index(["_".join(column) for column in rooms.columns.to_list()])
    taken = record.readings["time"].astype("datetime64[us]").dt.floor("D").rename("day")
    signs = record.readings.groupby(["person", taken, "sign"])["value"].max().unstack().reindex(index)
    signs = signs.groupby(level="person").ffill()
    features = pd.DataFrame(rooms.reindex(index).join(signs).fillna(0.0))
    by_person = features.groupby(level="person")
    known = by_person.cumcount().to_numpy()
    total = by_person.cumsum() - features
    squares = (features**2).groupby(level="person").cumsum() - features**2
    count = np.maximum(known, 1)[:, None]
    mean = pd.DataFrame(total / count)
    variance = pd.DataFrame(squares / count - mean**2).clip(lower=0) * count / np.maximum(count - 1, 1)
    deviation: pd.DataFrame = (features - mean) / variance.where(variance > 1e-12) ** 0.5
    deviation[known < 2] = 0.0
    return deviation.clip(-DEVIATION_MAX, DEVIATION_MAX).fillna(0.0)


def isolation_forest(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """Isolation Forest on personal deviations."""
    values = days.published.to_numpy(np.float64)
    forest = IsolationForest(random_state=SEED).fit(values[before])
    return -forest.score_samples(values[now]), -forest.score_samples(values[before])


def mean_deviation(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """The mean absolute personal deviation."""
    score = np.abs(days.published.to_numpy(np.float64)).mean(axis=1)
    return score[now], score[before]


def logistic_regression(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """Logistic regression on personal deviations, with the rare days weighed up."""
    if not days.alarm[before].any():
        return mean_deviation(days, before, now)
    values = days.published.to_numpy(np.float64)
    fitted = LogisticRegression(max_iter=ITERATIONS_MAX, class_weight="balanced").fit(
        values[before], days.alarm[before]
    )
    score = np.asarray(fitted.decision_function(values), np.float64)
    return score[now], score[before]
