"""Do vital signs rank those who go on to die? PhysioNet 2012, aged 65 and over, vital signs and age only.

Five folds, drawn once, stratified by age and outcome. Younger people of the other folds help to learn, and
are never scored for the report: choices (which models, which settings) were made on them alone.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from analytics import course
from analytics.models import deterioration
from analytics.news2 import Flags, Floats
from evaluation import metrics
from evaluation.datasets import DatasetError
from evaluation.metrics import Interval
from evaluation.physionet2012 import Stays
from evaluation.results import Result

AGE_MIN = 65.0
FOLDS = 5
SEED = 1
PUBLISHED = 0.75
"""Gradient boosting on vital signs and age, of the challenge's set C."""
REACH = 0.78


@dataclass(frozen=True, kw_only=True)
class Mortality:
    """Scores of people of the age in question, in the order of the stays.

    Attributes:
        died: (n,) what happened.
        scores: by name of the method (n,): `deterioration`, `without_watch` (the same without how often signs
            were measured) and `early_warning` (mean NEWS2 of hours 24 to 48, without consciousness and
            oxygen).
    """

    died: Flags
    scores: dict[str, Floats]


def evaluate(stays: Stays) -> Mortality:
    """Score everybody by models that were fitted without them.

    Raises:
        DatasetError: too few people of that age died or survived for so many folds.
    """
    old = stays.age >= AGE_MIN
    deaths = int(stays.died[old].sum())
    if min(deaths, int(old.sum()) - deaths) < FOLDS:
        raise DatasetError(
            f"Of {int(old.sum())} people aged {AGE_MIN:g} and over {deaths} died: too few to learn."
        )
    levels = course.levels(stays.hourly).assign(age=stays.age)
    features = {
        "deterioration": levels.join(course.watch(stays.hourly, stays.counts)),
        "without_watch": levels,
    }
    scores = {name: out_of_fold(values, stays.died, old)[old] for name, values in features.items()}
    scores["early_warning"] = levels["news_late_mean"].to_numpy(np.float64)[old]
    return Mortality(died=stays.died[old], scores=scores)


def results(found: Mortality) -> list[Result]:
    """The figure that was asked for, with and without how often signs were measured."""
    return [
        Result(
            name=f"death, {title}: AUROC",
            value=interval(found, method, metrics.auroc),
            published=PUBLISHED,
            reach=REACH,
        )
        for method, title in (
            ("deterioration", "vital signs, how often measured, and age"),
            ("without_watch", "vital signs and age alone"),
        )
    ]


def interval(found: Mortality, method: str, measure: metrics.Measure) -> Interval:
    """A measure of a method, with its interval over people."""
    score = found.scores[method]
    return metrics.interval(lambda rows: measure(found.died[rows], score[rows]), np.arange(len(score)))


def out_of_fold(features: pd.DataFrame, died: Flags, old: Flags) -> Floats:
    """(n,) each row's score by the model of the folds that it is not in."""
    score = np.full(len(died), np.nan)
    strata = died.astype(np.int64) + 2 * old
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for learn, test in folds.split(np.zeros(len(died)), strata):
        score[test] = deterioration.fit(features.iloc[learn], died[learn]).log_odds(features.iloc[test])
    return score
