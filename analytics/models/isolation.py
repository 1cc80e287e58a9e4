"""Which days are rare among the days of many people: an Isolation Forest as plain arrays.

A day that few random cuts set apart from all others is rare. scikit-learn grows the forest, our own lines
score with it; a test proves both equal.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from analytics.models.trees import Trees, flattened
from analytics.news2 import Flags, Floats

TREES, SEED = 100, 20_240_229


@dataclass(frozen=True, kw_only=True)
class RareDays:
    """What is rare among the days that it was grown on.

    Attributes:
        forest: the total is the mean number of cuts after which a day is alone.
        typical_cuts: how many it takes on average among as many days as each tree was grown on.
        limit: a day whose score is at most this is rare.
        day_count: on how many days it was grown.
    """

    forest: Trees
    typical_cuts: float
    limit: float
    day_count: int

    def score(self, days: Floats) -> Floats:
        """(n,) for (n, k) days without NaN, as IsolationForest.score_samples: the lower, the rarer."""
        cuts = self.forest.total(pd.DataFrame(days, columns=list(self.forest.names)))
        return np.asarray(-(2.0 ** (-cuts / self.typical_cuts)))

    def are_rare(self, days: Floats) -> Flags:
        """(n,) for (n, k) days without NaN."""
        return np.asarray(self.score(days) <= self.limit, np.bool_)


def grow(days: Floats, names: tuple[str, ...], rare_share: float) -> RareDays:
    """Grown on (n, k) days without NaN, of which `rare_share` are rare; `names` are those of the columns."""
    grown = IsolationForest(n_estimators=TREES, random_state=SEED).fit(days)
    raw = [tree.tree_ for tree in grown.estimators_]
    cuts = [(_depths(tree) + _further_cuts(tree.n_node_samples)) / TREES for tree in raw]
    forest = flattened(names, np.zeros(len(names)), raw, cuts, bias=0.0)
    typical = float(_further_cuts(np.array([grown.max_samples_]))[0])
    unlimited = RareDays(forest=forest, typical_cuts=typical, limit=0.0, day_count=len(days))
    limit = float(np.quantile(unlimited.score(days), rare_share))
    return RareDays(forest=forest, typical_cuts=typical, limit=limit, day_count=len(days))


def _depths(tree: object) -> Floats:
    """(m,) how many cuts lead to each node."""
    depth = np.zeros(tree.node_count)  # type: ignore[attr-defined]
    level, cuts = np.array([0]), 0
    while len(level):
        depth[level] = cuts
        below = np.concatenate([tree.children_left[level], tree.children_right[level]])  # type: ignore[attr-defined]
        level, cuts = below[below >= 0], cuts + 1
    return depth


def _further_cuts(counts: Floats) -> Floats:
    """(m,) how many more cuts on average set one of so many days apart (Liu, Ting, Zhou 2008, eq. 1)."""
    many = np.maximum(counts, 3).astype(np.float64)
    harmonic = np.log(many - 1) + np.euler_gamma
    return np.where(counts <= 1, 0.0, np.where(counts == 2, 1.0, 2 * harmonic - 2 * (many - 1) / many))
