"""Measures against scikit-learn's, and intervals that know whose days they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from analytics.news2 import Flags, Floats
from evaluation import metrics

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40)


def columns(cases: list[tuple[bool, int]]) -> tuple[Flags, Floats]:
    return np.array([case for case, _ in cases]), np.array([float(score) for _, score in cases])


@given(cases=CASES, specificity=st.sampled_from([0.0, 0.5, 0.81, 0.86, 1.0]))
def test_measures_equal_those_of_scikit_learn(cases: list[tuple[bool, int]], specificity: float) -> None:
    outcome, score = columns(cases)
    if outcome.any():
        expected = average_precision_score(outcome, score)
        assert metrics.average_precision(outcome, score) == pytest.approx(expected)
    else:
        assert math.isnan(metrics.average_precision(outcome, score))
    if not 0 < outcome.sum() < len(outcome):
        assert math.isnan(metrics.auroc(outcome, score))
        assert math.isnan(metrics.sensitivity_at(outcome, score, specificity))
        return
    assert metrics.auroc(outcome, score) == pytest.approx(roc_auc_score(outcome, score))
    false, true, _ = roc_curve(outcome, score, drop_intermediate=False)
    expected = true[false <= 1 - specificity + 1e-12].max()
    assert metrics.sensitivity_at(outcome, score, specificity) == pytest.approx(expected)
    ours_false, ours_true = metrics.roc(outcome, score)
    np.testing.assert_allclose(ours_false, false)
    np.testing.assert_allclose(ours_true, true)


def test_periods_without_a_case_do_not_count() -> None:
    outcome = np.array([True, False, False, False])
    score = np.array([2.0, 1.0, 5.0, 6.0])
    periods = np.array([1, 1, 2, 2])
    assert metrics.mean_over_periods(metrics.auroc, outcome, score, periods) == 1.0


def test_within_a_person_knowing_who_does_not_help() -> None:
    persons = np.repeat([0, 1], 10)
    outcome = np.array([True, False] * 5 + [False] * 10)
    who = np.where(persons == 0, 1.0, 0.0)
    assert metrics.auroc(outcome, who) > 0.8
    assert metrics.within_person(outcome, who, persons) == 0.5


def test_intervals_draw_persons_not_days() -> None:
    """Ten days of one person that are all alike say as much as one."""
    values = np.arange(12.0)
    alone = metrics.interval(lambda rows: float(values[rows].mean()), np.arange(12))
    often = metrics.interval(
        lambda rows: float(np.repeat(values, 10)[rows].mean()), np.repeat(np.arange(12), 10)
    )
    assert alone.value == often.value == 5.5
    assert (often.low, often.high) == pytest.approx((alone.low, alone.high))
    assert alone.low < 5.5 < alone.high


def test_an_undefined_measure_has_no_interval() -> None:
    assert str(metrics.interval(lambda _: math.nan, np.arange(3))) == "–"
