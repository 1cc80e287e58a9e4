"""Behaviour by day against a slow twin, and against what is still to come."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import behaviour

BEGIN = datetime(2025, 3, 1)  # noqa: DTZ001 - local wall-clock
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(["bedroom", "hallway", "kitchen"]),
        st.integers(0, 3 * 24 * 3600),
    ),
    min_size=1,
    max_size=60,
)


def frame(events: list[tuple[str, str, int]]) -> pd.DataFrame:
    rows = [(person, place, BEGIN + timedelta(seconds=at)) for person, place, at in events]
    return pd.DataFrame(rows, columns=["person", "place", "time"])


def naive(events: pd.DataFrame) -> dict[tuple[str, datetime], dict[str, float]]:
    by_day: dict[tuple[str, datetime], list[tuple[datetime, str]]] = {}
    for person, place, time in events[["person", "place", "time"]].itertuples(index=False):
        at = time.to_pydatetime()
        by_day.setdefault((person, at.replace(hour=0, minute=0, second=0)), []).append((at, place))
    answer = {}
    for key, seen in by_day.items():
        seen.sort()
        habits = dict.fromkeys(behaviour.HABITS, 0.0)
        for (earlier, left), (later, entered) in pairwise(seen):
            if (later - earlier).total_seconds() < behaviour.RAPID_S:
                habits["rapid"] += 1
            if entered != left:
                habits["moves"] += 1
                habits[f"{behaviour.QUARTERS[later.hour // 6]}_moves"] += 1
        habits["busiest_quarter"] = max(habits[f"{quarter}_moves"] for quarter in behaviour.QUARTERS)
        answer[key] = habits
    return answer


def as_dict(habits: pd.DataFrame) -> dict[Any, dict[str, float]]:
    rows = habits.to_dict("records")
    return {
        index: {str(name): float(value) for name, value in row.items()}
        for index, row in zip(habits.index, rows, strict=True)
    }


@given(events=EVENTS)
def test_days_equal_a_loop_over_events(events: list[tuple[str, str, int]]) -> None:
    habits = behaviour.daily(frame(events))
    assert list(habits.columns) == list(behaviour.HABITS)
    assert as_dict(habits) == naive(frame(events))
    assert habits.index.is_monotonic_increasing


@given(events=EVENTS, days=st.integers(1, 3))
def test_what_comes_later_changes_no_earlier_day(events: list[tuple[str, str, int]], days: int) -> None:
    all_events = frame(events)
    end = pd.Timestamp(BEGIN + timedelta(days=days))
    past = all_events[all_events["time"] < end]
    if past.empty:
        return
    habits = behaviour.daily(all_events)
    pd.testing.assert_frame_equal(
        habits[habits.index.get_level_values("day") < end], behaviour.daily(past), check_index_type=False
    )


def test_the_night_does_not_join_two_days() -> None:
    events = frame([("ann", "bedroom", 24 * 3600 - 10), ("ann", "hallway", 24 * 3600 + 10)])
    assert behaviour.daily(events)["moves"].tolist() == [0.0, 0.0]


def test_events_at_one_instant_have_one_order() -> None:
    events = frame([("ann", "hallway", 5), ("ann", "bedroom", 5), ("ann", "bedroom", 9)])
    backwards = events.iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(behaviour.daily(events), behaviour.daily(backwards))
    assert behaviour.daily(events)["moves"].tolist() == [2.0]


@pytest.mark.parametrize("column", ["person", "place"])
def test_categories_do_as_well_as_texts(column: str) -> None:
    events = frame([("ann", "hallway", 5), ("bob", "bedroom", 6), ("ann", "bedroom", 9)])
    habits = behaviour.daily(events.astype({column: "category"}))
    assert as_dict(habits) == naive(events)
