"""What a day is scored must not depend on anything after it, nor on what the team said of the day itself."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from analytics.news2 import Floats
from evaluation import agitation
from evaluation.agitation import Replay
from evaluation.days import Days
from evaluation.tihm import Tihm
from tests.evaluation import records


@pytest.fixture(scope="module")
def record() -> Tihm:
    return records.homes()


def with_another_future(record: Tihm, day: pd.Timestamp) -> Tihm:
    """Nobody moves after `day` but one, all signs double, and from `day` on others are agitated.

    The last day's alerts stay, because the test weeks are counted back from them.
    """
    after = day + pd.Timedelta(days=1)
    events = record.events
    stay = (events["time"] < after) | (events["person"] == records.PERSONS[-1])
    readings = record.readings
    value = readings["value"].where(readings["time"] < after, readings["value"] * 2)
    last = records.FIRST_DAY + pd.Timedelta(days=records.DAYS - 1)
    kept = record.alerts[(record.alerts["time"] < day) | (record.alerts["time"] >= last)]
    others = [
        (person, "agitation", at + pd.Timedelta(hours=12))
        for person in records.PERSONS[3:]
        for at in pd.date_range(day, last)
    ]
    return replace(
        record,
        events=events[stay],
        readings=readings.assign(value=value),
        alerts=pd.concat([kept, pd.DataFrame(others, columns=kept.columns)], ignore_index=True),
    )


@pytest.fixture(scope="module")
def days(record: Tihm) -> Days:
    return agitation.days_of(record)


Replayed = Callable[[str], Replay]


@pytest.fixture(scope="module")
def replayed(days: Days) -> Replayed:
    """The record itself, replayed with a method; once for all tests."""
    return cache(lambda method: agitation.replay(days, agitation.METHODS[method]))


def known(days: Days, values: Floats, day: pd.Timestamp) -> "pd.Series[float]":
    """Of the test weeks, up to the end of `day`."""
    found = pd.Series(values, index=days.habits.index).dropna()
    return found[found.index.get_level_values("day") <= day]


@pytest.mark.parametrize("number", [21, 45], ids=["the first test day", "within a week"])
@pytest.mark.parametrize("method", agitation.METHODS)
def test_no_score_and_no_limit_knows_the_future(
    record: Tihm, days: Days, replayed: Replayed, method: str, number: int
) -> None:
    day = records.FIRST_DAY + pd.Timedelta(days=number)
    here = replayed(method)
    elsewhere = agitation.replay(
        agitation.days_of(with_another_future(record, day)), agitation.METHODS[method]
    )
    assert len(known(days, here.score, day)) == len(records.PERSONS) * (number - 20)
    for ours, theirs in ((here.score, elsewhere.score), (here.limit, elsewhere.limit)):
        pd.testing.assert_series_equal(known(days, ours, day), known(days, theirs, day), rtol=1e-9)
    assert not np.allclose(here.score, elsewhere.score, equal_nan=True), "the other future is the same"


def test_the_weeks_end_with_the_last_alert(days: Days) -> None:
    week = agitation.weeks(days)
    number = days.number - days.number.min()
    for k in range(1, 6):
        mine = number[week == k]
        assert (mine.min(), mine.max()) == (records.DAYS - 7 * k, records.DAYS - 7 * k + 6)
    assert (number[week == 0] < records.DAYS - 35).all()


def test_days_of_pacing_are_found(days: Days, replayed: Replayed) -> None:
    """On agitated days these people change rooms three times as often, which must be found without labels."""
    for method in ("restlessness", "movement", "movement_and_alerts", "other_homes"):
        found = agitation.measure(days, replayed(method))
        assert found.pooled_auroc.value > 0.95, method
