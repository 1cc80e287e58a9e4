"""Logistic regression as plain parameters: fitted by scikit-learn, scored with NumPy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from analytics.news2 import Flags, Floats

CLIP = 4.0
"""Standard deviations beyond which a value counts no more: one broken sensor must not decide."""
ITERATIONS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """A linear score of k standardised features.

    Attributes:
        names: (k,) the features, in the order of the arrays.
        centre, scale: (k,) their mean and standard deviation where it was fitted; a missing value counts as
            the centre.
        weights: (k,) log odds for each standard deviation.
        bias: log odds at the centre.
    """

    names: tuple[str, ...]
    centre: Floats
    scale: Floats
    weights: Floats
    bias: float

    def log_odds(self, features: pd.DataFrame) -> Floats:
        """(n,) the score of each row; the columns are found by name."""
        return standardise(features, self.names, self.centre, self.scale) @ self.weights + self.bias


def fit(
    features: pd.DataFrame,
    outcome: Flags,
    *,
    inverse_penalty: float,
    relevance: Mapping[str, float] = MappingProxyType({}),
) -> Logistic:
    """Fit on rows with both outcomes.

    Args:
        features: (n, k), NaN where missing.
        outcome: (n,).
        inverse_penalty: scikit-learn's C: smaller is stronger.
        relevance: how much more a feature is believed in than others before anything was seen, 1 by default:
            its weight costs as if the feature were so many times larger.

    Raises:
        ValueError: all rows have the same outcome: there is nothing to learn.
    """
    centre = np.nan_to_num(features.mean().to_numpy(np.float64))
    spread = np.nan_to_num(features.std(ddof=0).to_numpy(np.float64))
    scale = np.where(spread > 1e-9, spread, 1.0)
    names = tuple(str(name) for name in features.columns)
    believed = np.array([relevance.get(name, 1.0) for name in names])
    fitted = LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS_MAX).fit(
        standardise(features, names, centre, scale) * believed, outcome
    )
    return Logistic(
        names=names,
        centre=centre,
        scale=scale,
        weights=fitted.coef_[0] * believed,
        bias=float(fitted.intercept_[0]),
    )


def standardise(features: pd.DataFrame, names: tuple[str, ...], centre: Floats, scale: Floats) -> Floats:
    """(n, k) deviations in standard deviations, at most `CLIP`; 0 where missing."""
    values = features[list(names)].to_numpy(np.float64)
    return np.asarray(np.nan_to_num(np.clip((values - centre) / scale, -CLIP, CLIP)))
