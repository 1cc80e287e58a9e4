"""The replay of homes and of stays: what is found, what is refused, and that the folds do not leak."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.models.limits import Limits
from evaluation import agitation, alerts, homes, metrics, mortality, physionet2012, tihm
from evaluation.datasets import DatasetError
from evaluation.tihm import Tihm
from tests.evaluation.conftest import write_tihm


@pytest.fixture(scope="module")
def record(tihm_folder: Path) -> Tihm:
    return tihm.read(tihm_folder)


def test_other_homes_know_nothing_of_their_own(record: Tihm) -> None:
    """Whatever is verified about the homes of one group, their scores stay as they are."""
    days = agitation.days_of(record)
    group = next(iter(agitation._groups(days.persons)))
    mine = pd.MultiIndex.from_arrays(
        [days.habits.index.get_level_values(0)[group], days.habits.index.get_level_values(1)[group]]
    )
    persons = set(mine.get_level_values(0))
    without = Tihm(
        events=record.events,
        readings=record.readings,
        alerts=record.alerts[~record.alerts["person"].isin(persons)],
    )
    weeks = agitation.weeks(days)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agitation, "weeks", lambda _: weeks)
        ours = agitation.replay(days, agitation.from_other_homes)
        theirs = agitation.replay(agitation.days_of(without), agitation.from_other_homes)
    np.testing.assert_array_equal(ours.score[group], theirs.score[group])


def test_restless_homes_are_found(record: Tihm) -> None:
    found = homes.evaluate(record)
    assert set(found.measured) == set(agitation.METHODS)
    assert found.measured["restlessness"].auroc.value > 0.85
    assert found.measured["movement_and_alerts"].auroc.value > 0.85
    assert 0 < found.measured["restlessness"].alarms_per_day.value < 0.3
    assert len(found.delays_h) > 0
    assert (found.delays_h > -12).all()
    names = [result.name for result in homes.results(found)]
    assert len(names) == len(set(names))
    # Nobody's pulse alerts are in this record: there is no recall of them to print.
    assert "pulse alerts: recall" not in names
    assert "blood pressure alerts: recall" in names


def test_limits_find_the_days_that_were_told(record: Tihm) -> None:
    found = alerts.conformance(record, "blood_pressure", Limits())
    assert found.precision.value == found.recall.value == 1.0
    assert found.verified == (record.alerts["kind"] == "blood_pressure").sum()


def test_fewer_homes_and_weeks_are_replayed_as_far_as_they_go(tmp_path: Path) -> None:
    days = agitation.days_of(tihm.read(write_tihm(tmp_path, homes=3, days=20, seed=4)))
    weeks = set(agitation.weeks(days).tolist())
    assert {0, 1, 2} <= weeks
    assert 4 not in weeks
    replayed = agitation.replay(days, agitation.from_other_homes)
    assert not np.isnan(replayed.score[agitation.weeks(days) > 0]).any()


def test_nothing_verified_is_nothing_to_evaluate(record: Tihm, tmp_path: Path) -> None:
    silent = Tihm(events=record.events, readings=record.readings, alerts=record.alerts.iloc[:0])
    with pytest.raises(DatasetError, match="No agitation"):
        homes.evaluate(silent)
    short = tihm.read(write_tihm(tmp_path, days=5, seed=6))
    with pytest.raises(DatasetError, match="less than a week"):
        homes.evaluate(short)


def test_stays_are_ranked_without_having_been_seen(
    physionet_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.models.deterioration.BOOSTED_TREES", 30)
    monkeypatch.setattr("analytics.models.deterioration.RANDOM_TREES", 30)
    stays = physionet2012.read(physionet_folder)
    found = mortality.evaluate(stays)
    assert len(found.died) == (stays.age >= mortality.AGE_MIN).sum()
    assert [result.value.value > 0.9 for result in mortality.results(found)] == [True, True]
    # With outcomes drawn at random there is nothing to learn; a leak of the test fold would still be right.
    features = pd.DataFrame(np.random.default_rng(1).normal(size=(300, 5)), columns=list("abcde"))
    died = np.random.default_rng(2).random(300) < 0.3
    scores = mortality.out_of_fold(features, died, np.ones(300, np.bool_))
    assert 0.35 < metrics.auroc(died, scores) < 0.65


def test_too_few_deaths_are_told(physionet_folder: Path) -> None:
    stays = physionet2012.read(physionet_folder)
    with pytest.raises(DatasetError, match="too few to learn"):
        mortality.evaluate(replace(stays, died=np.zeros_like(stays.died)))
