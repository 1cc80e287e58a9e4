"""The risk of dying in hospital, from two days of vital signs and age: two ensembles of trees, averaged.

Boosted trees and extremely randomised trees err in different ways; the mean of their log odds errs less.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.models import trees
from analytics.models.trees import Trees
from analytics.news2 import Flags, Floats

BOOSTED_TREES, BOOSTED_DEPTH, BOOSTED_RATE, BOOSTED_LEAF_MIN = 500, 4, 0.02, 20
BOOSTED_SEEDS, BOOSTED_WEIGHT = (2012, 1), 2 / 3
RANDOM_TREES, RANDOM_LEAF_MIN = 300, 3
SEED = 2012
CHANCE_MIN = 0.01
"""Chances are drawn this much towards the middle, so that a unanimous forest does not outvote everything."""


@dataclass(frozen=True, kw_only=True)
class Deterioration:
    """Both ensembles, fitted on the same rows."""

    boosted: Trees
    random: Trees

    def log_odds(self, features: pd.DataFrame) -> Floats:
        """(n,) the score of each row of features as it was fitted with."""
        boosted = 1 / (1 + np.exp(-self.boosted.total(features)))
        random = self.random.total(features)
        return BOOSTED_WEIGHT * _log_odds(boosted) + (1 - BOOSTED_WEIGHT) * _log_odds(random)


def _log_odds(chance: Floats) -> Floats:
    return np.asarray(np.log((chance + CHANCE_MIN) / (1 - chance + CHANCE_MIN)))


def fit(features: pd.DataFrame, died: Flags) -> Deterioration:
    """Fit on rows of `course.levels` (with or without `course.watch`) and age.

    Raises:
        ValueError: all or none died.
    """
    return Deterioration(
        boosted=trees.boosted(
            features,
            died,
            trees=BOOSTED_TREES,
            depth=BOOSTED_DEPTH,
            rate=BOOSTED_RATE,
            leaf_min=BOOSTED_LEAF_MIN,
            seeds=BOOSTED_SEEDS,
        ),
        random=trees.extremely_random(
            features, died, trees=RANDOM_TREES, leaf_min=RANDOM_LEAF_MIN, seed=SEED
        ),
    )
