"""How well scores rank what happened, with intervals that resample people, because days of one are alike."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from analytics.news2 import Flags, Floats, Ints

RESAMPLES = 500
SEED = 20_190_401
LEVEL = 0.95
Measure = Callable[[Flags, Floats], float]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A measure, and where 95 % of its values lie when other such people had been drawn; NaN: undefined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As in a table: 0.904 (0.851–0.946)."""
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def auroc(outcome: Flags, score: Floats) -> float:
    """The chance that a case has a higher score than one that is none, ties half; NaN without both."""
    cases = int(outcome.sum())
    others = len(outcome) - cases
    if not cases or not others:
        return float("nan")
    ranks = rankdata(score)[outcome]
    return float((ranks.sum() - cases * (cases + 1) / 2) / (cases * others))


def average_precision(outcome: Flags, score: Floats) -> float:
    """Area under precision over recall; by chance it is the share of cases. NaN without a case."""
    if not outcome.any():
        return float("nan")
    found, alarms, _ = _sweep(outcome, score)
    recall_steps = np.diff(found, prepend=0) / found[-1]
    return float((recall_steps * found / alarms).sum())


def sensitivity_at(outcome: Flags, score: Floats, specificity: float) -> float:
    """The largest share of cases found at a threshold that leaves at least `specificity` of the others alone.

    NaN without both.
    """
    cases = int(outcome.sum())
    others = len(outcome) - cases
    if not cases or not others:
        return float("nan")
    found, alarms, _ = _sweep(outcome, score)
    allowed = (alarms - found) / others <= 1 - specificity + 1e-12
    return float(found[allowed].max(initial=0) / cases)


def roc(outcome: Flags, score: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates at each threshold, from (0, 0) to (1, 1)."""
    found, alarms, _ = _sweep(outcome, score)
    false = alarms - found
    return np.append(0.0, false / max(false[-1], 1)), np.append(0.0, found / max(found[-1], 1))


def precision_recall(outcome: Flags, score: Floats) -> tuple[Floats, Floats]:
    """Precision and recall at each threshold, from the highest down."""
    found, alarms, _ = _sweep(outcome, score)
    return np.asarray(found / alarms), np.asarray(found / max(found[-1], 1))


def _sweep(outcome: Flags, score: Floats) -> tuple[Floats, Floats, Floats]:
    """Cases found, alarms raised, and the threshold, at each distinct score from the highest down."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    found = np.cumsum(outcome[order].astype(np.float64))[last_of_tie]
    return found, last_of_tie + 1.0, ordered[last_of_tie]


def mean_over_periods(measure: Measure, outcome: Flags, score: Floats, periods: Ints) -> float:
    """The measure averaged over those periods in which it is defined, as published results are."""
    values = [measure(outcome[periods == period], score[periods == period]) for period in np.unique(periods)]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def within_person(outcome: Flags, score: Floats, persons: Collection[object]) -> float:
    """AUROC over pairs of days of one person: does it know *when*, and not only *who*? NaN without any."""
    labels = np.asarray(persons)
    pairs, won = 0.0, 0.0
    for person in np.unique(labels[outcome]):
        mine = labels == person
        count = float(outcome[mine].sum() * np.logical_not(outcome[mine]).sum())
        if count:
            pairs += count
            won += count * auroc(outcome[mine], score[mine])
    return won / pairs if pairs else float("nan")


def interval(
    measure: Callable[[Ints], float], persons: Collection[object], resamples: int = RESAMPLES
) -> Interval:
    """The measure of all rows, with a percentile bootstrap over persons.

    Args:
        measure: of row numbers, each of which may come more than once.
        persons: (n,) whose row each is.
        resamples: how many; samples in which the measure is undefined are left out.
    """
    labels = np.unique(np.asarray(persons), return_inverse=True)[1]
    order = np.argsort(labels, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    random = np.random.default_rng(SEED)
    values = []
    for _ in range(resamples):
        drawn = random.integers(0, len(rows_of), len(rows_of))
        values.append(measure(np.concatenate([rows_of[person] for person in drawn])))
    known = np.array([value for value in values if not np.isnan(value)])
    value = measure(np.arange(len(labels)))
    if not len(known):
        return Interval(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))
