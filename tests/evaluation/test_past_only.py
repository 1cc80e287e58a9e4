"""What a day is scored must not depend on anything after it, nor on what the team said of the day itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evaluation import agitation
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


def scores(record: Tihm, method: str) -> "pd.Series[float]":
    days = agitation.days_of(record)
    found = agitation.replay(days, agitation.METHODS[method]).score
    return pd.Series(found, index=days.habits.index).dropna()


def until(found: "pd.Series[float]", day: pd.Timestamp) -> "pd.Series[float]":
    return found[found.index.get_level_values("day") <= day]


@pytest.mark.parametrize("number", [21, 41])
@pytest.mark.parametrize("method", agitation.METHODS)
def test_no_score_knows_the_future(record: Tihm, method: str, number: int) -> None:
    day = records.FIRST_DAY + pd.Timedelta(days=number)
    here, elsewhere = scores(record, method), scores(with_another_future(record, day), method)
    assert len(until(here, day)) == len(records.PERSONS) * (number - 20)
    pd.testing.assert_series_equal(until(here, day), until(elsewhere, day), rtol=1e-9)
    assert not np.allclose(here, elsewhere), "the other future is the same: this test could not fail"


@pytest.mark.parametrize("method", agitation.METHODS)
def test_the_limit_of_a_week_was_set_before_it(record: Tihm, method: str) -> None:
    day = records.FIRST_DAY + pd.Timedelta(days=21)
    limits = []
    for version in (record, with_another_future(record, day)):
        days = agitation.days_of(version)
        limits.append(agitation.replay(days, agitation.METHODS[method]).limit[agitation.weeks(days) == 5])
    np.testing.assert_allclose(limits[0], limits[1], rtol=1e-9)


def test_the_weeks_end_with_the_last_alert(record: Tihm) -> None:
    days = agitation.days_of(record)
    week = agitation.weeks(days)
    number = days.number - days.number.min()
    for k in range(1, 6):
        mine = number[week == k]
        assert (mine.min(), mine.max()) == (records.DAYS - 7 * k, records.DAYS - 7 * k + 6)
    assert (number[week == 0] < records.DAYS - 35).all()


def test_days_of_pacing_are_found(record: Tihm) -> None:
    """On agitated days these people change rooms three times as often, which must be found without labels."""
    days = agitation.days_of(record)
    for method in ("restlessness", "movement", "movement_and_alerts", "other_homes"):
        found = agitation.measure(days, agitation.replay(days, agitation.METHODS[method]))
        assert found.pooled_auroc.value > 0.95, method
