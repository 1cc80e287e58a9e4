"""Ensembles of decision trees as plain arrays: grown by scikit-learn, scored with NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier

from analytics.news2 import Flags, Floats

Nodes = npt.NDArray[np.int32]
_LEAF = -1


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Trees whose answers are added.

    Attributes:
        names: (k,) the features, in the order that `feature` counts them.
        filling: (k,) what stands for a missing value: the median where it was grown.
        roots: (t,) the node that each tree begins with.
        feature: (m,) what each node asks for; a leaf asks for nothing and has -1.
        threshold: (m,) up to here it goes left.
        left, right: (m,) the next node; a leaf's are itself.
        value: (m,) what a leaf adds.
        bias: what is added once.
    """

    names: tuple[str, ...]
    filling: Floats
    roots: Nodes
    feature: Nodes
    threshold: Floats
    left: Nodes
    right: Nodes
    value: Floats
    bias: float

    def total(self, features: pd.DataFrame) -> Floats:
        """(n,) the sum of all trees for each row; the columns are found by name."""
        # scikit-learn grows its trees on values of single precision, and compares in it.
        values = filled(features, self.names, self.filling).astype(np.float32)
        answer = np.full(len(values), self.bias)
        rows = np.arange(len(values))
        for root in self.roots:
            node = np.full(len(values), root, np.int32)
            while True:
                asked = self.feature[node]
                if (asked == _LEAF).all():
                    break
                goes_left = values[rows, np.maximum(asked, 0)] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            answer += self.value[node]
        return answer


def boosted(
    features: pd.DataFrame,
    outcome: Flags,
    *,
    trees: int,
    depth: int,
    rate: float,
    leaf_min: int,
    seeds: Sequence[int],
) -> Trees:
    """Gradient boosting; the total is the log odds, averaged over seeds.

    Each tree sees half of the rows and few features a split, so that seeds differ.
    """
    names, filling, values = _prepared(features)
    raw = []
    for seed in seeds:
        grown = GradientBoostingClassifier(
            n_estimators=trees,
            max_depth=depth,
            learning_rate=rate,
            subsample=0.5,
            max_features=0.06,
            min_samples_leaf=leaf_min,
            random_state=seed,
        ).fit(values, outcome)
        raw += [tree.tree_ for tree in grown.estimators_[:, 0]]
    share = outcome.mean()
    steps = [rate / len(seeds) * tree.value[:, 0, 0] for tree in raw]
    return flattened(names, filling, raw, steps, bias=float(np.log(share / (1 - share))))


def extremely_random(
    features: pd.DataFrame, outcome: Flags, *, trees: int, leaf_min: int, seed: int
) -> Trees:
    """Extremely randomised trees; the total is the chance of the outcome."""
    names, filling, values = _prepared(features)
    grown = ExtraTreesClassifier(
        trees, min_samples_leaf=leaf_min, max_features=0.3, random_state=seed, n_jobs=1
    ).fit(values, outcome)
    raw = [tree.tree_ for tree in grown.estimators_]
    shares = [tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1) / trees for tree in raw]
    return flattened(names, filling, raw, shares, bias=0.0)


def filled(features: pd.DataFrame, names: tuple[str, ...], filling: Floats) -> Floats:
    """(n, k) the values by name, with `filling` where they are missing."""
    values = features[list(names)].to_numpy(np.float64)
    return np.where(np.isnan(values), filling, values)


def _prepared(features: pd.DataFrame) -> tuple[tuple[str, ...], Floats, Floats]:
    names = tuple(str(name) for name in features.columns)
    filling = np.nan_to_num(features.median().to_numpy(np.float64))
    return names, filling, filled(features, names, filling)


def flattened(
    names: tuple[str, ...], filling: Floats, trees: "list[object]", values: list[Floats], bias: float
) -> Trees:
    """All trees in one row of nodes, each tree's numbers shifted by the nodes before it."""
    sizes = [tree.node_count for tree in trees]  # type: ignore[attr-defined]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    feature, threshold, left, right = [], [], [], []
    for root, size, tree in zip(roots, sizes, trees, strict=True):
        leaf = tree.children_left < 0  # type: ignore[attr-defined]
        own = root + np.arange(size, dtype=np.int32)
        feature.append(np.where(leaf, _LEAF, tree.feature))  # type: ignore[attr-defined]
        threshold.append(np.where(leaf, 0.0, tree.threshold))  # type: ignore[attr-defined]
        left.append(np.where(leaf, own, root + tree.children_left))  # type: ignore[attr-defined]
        right.append(np.where(leaf, own, root + tree.children_right))  # type: ignore[attr-defined]
    return Trees(
        names=names,
        filling=filling,
        roots=roots,
        feature=np.concatenate(feature).astype(np.int32),
        threshold=np.concatenate(threshold),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        value=np.concatenate(values),
        bias=bias,
    )
