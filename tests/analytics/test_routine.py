"""Days that differ from a person's own past."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.detectors import Subject, SubjectKind
from analytics.detectors.routine import ALL_HABITS, DAYS, Routine, daily, day_number, distance, last_evening
from analytics.history import HABITS, History
from analytics.settings import AnalyticsSettings
from care.model import RoomKind
from database.connections import Connection
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

LAST_EVENING_H = 20
"""Hours from the last 18:00 to NOW, 14:00."""


class Household:
    """One elder at home; motion in the hall by day and in the bathroom, so often a night as is given."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.resident_id = world.resident(world.household)
        self.subject = Subject(SubjectKind.RESIDENT, self.resident_id)
        self.hall = world.room(world.household, "客厅", RoomKind.LIVING_ROOM)
        self.bathroom = world.room(world.household, "卫生间", RoomKind.BATHROOM)
        self.motion = world.device(world.household, DeviceKind.MOTION, room_id=self.hall)
        self.washroom = world.device(world.household, DeviceKind.MOTION, room_id=self.bathroom)

    def live(self, nights: list[int]) -> None:
        """Days up to the last 18:00; `nights` are the visits of each night, the last one last."""
        for back, visits in enumerate(reversed(nights)):
            day_h = LAST_EVENING_H + 24 * back
            self.world.activity_hours(self.motion, [day_h + hour for hour in range(1, 9)], room_id=self.hall)
            if visits:
                # 02:00 of that night is 16 hours before the day ends.
                self.world.activity_hours(self.washroom, [day_h + 16], room_id=self.bathroom, count=visits)


@pytest.fixture
def home(world: World) -> Household:
    return Household(world)


def test_nights_that_become_restless(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    home.live([1, 2] * 14 + [25, 30])
    (finding,) = Routine(settings).score(History(service, NOW)).findings
    assert (finding.subject, str(finding.priority)) == (home.subject, "low")
    assert finding.evidence.contributions[0].habit == "night_bathroom"
    assert "夜间如厕增多" in finding.evidence.sentence["zh_CN"]


@pytest.mark.parametrize("last", [[1, 2], [2, 3], [30, 2]], ids=["as always", "hardly more", "one night"])
def test_ordinary_nights(
    home: Household, service: Connection, settings: AnalyticsSettings, last: list[int]
) -> None:
    home.live([1, 2] * 14 + last)
    assert Routine(settings).score(History(service, NOW)).findings == ()


def test_somebody_new_is_not_judged(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    home.live([1, 2] * 6 + [30, 30])
    assessment = Routine(settings).score(History(service, NOW))
    assert (assessment.findings, dict(assessment.fine)) == ((), {})


def test_a_stable_life_is_fine(home: Household, service: Connection, settings: AnalyticsSettings) -> None:
    home.live([1, 2] * 15)
    assert list(Routine(settings).score(History(service, NOW)).fine) == [home.subject]


rows = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, DAYS + 5), st.integers(0, 9)),
    unique_by=lambda row: row[:2],
    max_size=20,
)


@given(rows, rows)
def test_days_in_columns_equal_their_twin(habits: list[Any], beds: list[Any]) -> None:
    last_day = 9_000
    habit_frame = pd.DataFrame(
        {"day": [last_day - row[1] for row in habits], "resident_id": [row[0] for row in habits]},
        dtype="int64",
    ).assign(**{name: np.array([row[2] + k for row in habits], float) for k, name in enumerate(HABITS)})
    bed_frame = pd.DataFrame(
        {"day": [last_day - row[1] for row in beds], "resident_id": [row[0] for row in beds]}, dtype="int64"
    ).assign(in_bed=np.array([row[2] for row in beds], float))
    found = daily(habit_frame, bed_frame, np.array([1, 3]), last_day)
    for index, resident in enumerate((1, 3)):
        for day in range(DAYS):
            ago = DAYS - 1 - day
            one = {row[:2]: row[2] for row in habits}.get((resident, ago))
            bed = {row[:2]: row[2] for row in beds}.get((resident, ago), math.nan)
            expected = [math.nan if one is None else one + k for k in range(len(HABITS))] + [bed]
            np.testing.assert_array_equal(found[index, day], expected)


@given(st.lists(st.floats(-10, 10), min_size=len(ALL_HABITS), max_size=len(ALL_HABITS)))
def test_the_distance_is_of_the_three_strongest(scores: list[float]) -> None:
    strongest = sorted((abs(score) for score in scores), reverse=True)[:3]
    expected = math.sqrt(sum(score**2 for score in strongest) / 3)
    assert float(distance(np.array([scores]))[0]) == pytest.approx(expected)


def test_days_end_at_six_in_the_evening() -> None:
    evening = last_evening(NOW)
    assert (NOW - evening).total_seconds() == LAST_EVENING_H * 3600
    assert last_evening(evening) == evening
    assert day_number(evening) + 1 == day_number(last_evening(NOW.replace(hour=10)))
