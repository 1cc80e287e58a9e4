"""Pooled models: equal to what they were fitted with, stored without pickle, and past-only."""

import io
import pickle
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from analytics import behaviour
from analytics.models import agitation, logistic, restlessness, storage, trees
from analytics.models.agitation import AgitationRisk
from analytics.models.limits import Limits
from analytics.models.restlessness import Cohort
from analytics.models.storage import ModelFormatError
from analytics.models.trees import Trees
from analytics.news2 import Flags

BEGIN = datetime(2025, 3, 1)  # noqa: DTZ001 - local wall-clock


def table(rows: int = 400, seed: int = 5) -> tuple[pd.DataFrame, Flags]:
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(rows, 4)), columns=["a", "b", "c", "d"])
    outcome = features["a"] + features["b"] * features["c"] + random.normal(size=rows) > 0.5
    return features.mask(random.random(features.shape) < 0.1), outcome.to_numpy(np.bool_)


def habits_of(days: int = 60, seed: int = 8) -> tuple[pd.DataFrame, Flags]:
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [["ann", "bob", "cai"], [pd.Timestamp(BEGIN + timedelta(days=day)) for day in range(days)]],
        names=["person", "day"],
    )
    restless = random.random(len(index)) < 0.1
    counts = random.poisson(np.where(restless, 200, 90)[:, None] / [1, 3, 2, 20, 4, 4, 6], (len(index), 7))
    return pd.DataFrame(counts.astype(float), index=index, columns=list(behaviour.HABITS)), restless


def test_logistic_equals_scikit_learn_when_all_features_are_believed_alike() -> None:
    features, outcome = table()
    features = features.fillna(0.0)
    model = logistic.fit(features, outcome, inverse_penalty=0.5)
    standard = (features - features.mean()) / features.std(ddof=0)
    twin = LogisticRegression(C=0.5).fit(standard.clip(-logistic.CLIP, logistic.CLIP), outcome)
    expected = twin.decision_function(standard.clip(-logistic.CLIP, logistic.CLIP))
    np.testing.assert_allclose(model.log_odds(features), expected, atol=1e-4)


def test_a_believed_feature_carries_more_of_what_two_equal_ones_say() -> None:
    features, outcome = table()
    twice = pd.DataFrame({"believed": features["a"], "other": features["a"]})
    model = logistic.fit(twice, outcome, inverse_penalty=0.1, relevance={"believed": 10.0})
    assert model.weights[0] > 50 * abs(model.weights[1])


def test_columns_are_found_by_name() -> None:
    features, outcome = table()
    model = logistic.fit(features, outcome, inverse_penalty=1.0)
    np.testing.assert_array_equal(model.log_odds(features), model.log_odds(features[["d", "b", "a", "c"]]))


def test_boosted_trees_equal_scikit_learn() -> None:
    features, outcome = table()
    model = trees.boosted(features, outcome, trees=30, depth=3, rate=0.1, leaf_min=5, seeds=(1, 2))
    values = features.fillna(features.median()).to_numpy()
    twins = [
        GradientBoostingClassifier(
            n_estimators=30,
            max_depth=3,
            learning_rate=0.1,
            subsample=0.5,
            max_features=0.06,
            min_samples_leaf=5,
            random_state=seed,
        ).fit(values, outcome)
        for seed in (1, 2)
    ]
    expected = np.mean([twin.decision_function(values) for twin in twins], axis=0)
    np.testing.assert_allclose(model.total(features), expected, atol=1e-9)


def test_random_trees_equal_scikit_learn() -> None:
    features, outcome = table()
    model = trees.extremely_random(features, outcome, trees=20, leaf_min=3, seed=1)
    values = features.fillna(features.median()).to_numpy()
    twin = ExtraTreesClassifier(20, min_samples_leaf=3, max_features=0.3, random_state=1).fit(values, outcome)
    np.testing.assert_allclose(model.total(features), twin.predict_proba(values)[:, 1], atol=1e-9)


def test_a_stored_model_scores_the_same() -> None:
    habits, alarm = habits_of()
    assert isinstance(habits.index, pd.MultiIndex)
    past = agitation.past_alarms(habits.index, alarm)
    model = agitation.fit(habits, alarm, past)
    again = storage.load(AgitationRisk, storage.dump(model))
    np.testing.assert_array_equal(model.log_odds(habits, past), again.log_odds(habits, past))
    assert again.risk.names == model.risk.names
    assert isinstance(again.cohort.days, int)

    features, outcome = table()
    forest = trees.extremely_random(features, outcome, trees=5, leaf_min=3, seed=1)
    np.testing.assert_array_equal(
        storage.load(Trees, storage.dump(forest)).total(features), forest.total(features)
    )


def test_a_stored_model_is_no_pickle() -> None:
    habits, _ = habits_of()
    data = storage.dump(restlessness.fit(habits))
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(data)
    bomb = io.BytesIO()
    np.savez(bomb, kind=np.asarray("Cohort"), centre=np.array([object()]))
    with pytest.raises(ModelFormatError, match="no stored model"):
        storage.load(Cohort, bomb.getvalue())


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04broken", pickle.dumps([1])])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ModelFormatError, match="no stored model"):
        storage.load(Cohort, data)


def test_a_model_of_another_kind_or_version_is_refused() -> None:
    habits, _ = habits_of()
    data = storage.dump(restlessness.fit(habits))
    with pytest.raises(ModelFormatError, match="a stored Cohort, not a Trees"):
        storage.load(Trees, data)
    for fields, message in (({}, "lacks the field centre"), ({"more": 1}, "lacks the field centre")):
        other = io.BytesIO()
        arrays = {"kind": np.asarray("Cohort"), **{name: np.asarray(one) for name, one in fields.items()}}
        np.savez(other, allow_pickle=False, **arrays)
        with pytest.raises(ModelFormatError, match=message):
            storage.load(Cohort, other.getvalue())
    with np.load(io.BytesIO(data)) as archive:
        more = io.BytesIO()
        np.savez(more, **dict(archive), extra=np.zeros(1))
    with pytest.raises(ModelFormatError, match="unknown fields: extra"):
        storage.load(Cohort, more.getvalue())


def test_restless_days_stand_out_without_labels() -> None:
    habits, restless = habits_of()
    score = restlessness.fit(habits).restlessness(habits)
    assert score[restless].min() > score[~restless].max()
    assert abs(score[~restless].median()) < 0.5


def test_no_day_teaches_nothing() -> None:
    habits, _ = habits_of()
    with pytest.raises(ValueError, match="no day"):
        restlessness.fit(habits.iloc[:0])


@given(data=st.data())
def test_past_alarms_equal_a_loop_over_earlier_days(data: st.DataObject) -> None:
    days = {
        person: sorted(data.draw(st.sets(st.integers(0, 400), min_size=1, max_size=8)))
        for person in ("ann", "bob")
    }
    pairs = [(person, pd.Timestamp(BEGIN + timedelta(days=day))) for person in days for day in days[person]]
    alarm = np.array(data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs))))
    index = pd.MultiIndex.from_tuples(pairs, names=["person", "day"])
    found = agitation.past_alarms(index, alarm)
    for row, (person, day) in enumerate(pairs):
        earlier = [
            (then, told)
            for (who, then), told in zip(pairs, alarm, strict=True)
            if who == person and then < day
        ]
        told_days = [(day - then).days for then, told in earlier if told]
        share = (len(told_days) + 0.03 * 20) / (len(earlier) + 20)
        assert found["rate"].iloc[row] == pytest.approx(np.log(share / 0.03))
        recent = sum(0.5 ** (age / 7) for age in told_days)
        assert found["recent"].iloc[row] == pytest.approx(np.log1p(recent), abs=1e-9)


def test_limits_are_inclusive() -> None:
    readings = pd.DataFrame(
        [("sbp", 160), ("sbp", 159), ("sbp", 90), ("dbp", 54), ("dbp", 55), ("hr", 40), ("temp", 99)],
        columns=["sign", "value"],
    )
    assert Limits().passed(readings).tolist() == [True, False, True, True, False, True, False]
