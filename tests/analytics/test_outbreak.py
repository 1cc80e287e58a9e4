"""Several people of one home newly ill."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from analytics.baselines import HistoryBaselines
from analytics.detectors import Subject, SubjectKind
from analytics.detectors.outbreak import (
    BACKGROUND_DAYS,
    GAP_DAYS,
    LOOK_DAYS,
    NEW_AFTER_DAYS,
    SPAN_DAYS,
    Outbreak,
    against_background,
    new_cases,
    poisson_tail,
)
from analytics.history import History
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

HOURS = 34 * 24


def plant(world: World, feverish: list[bool], *, fever_h: int = 20, before_h: int | None = None) -> list[int]:
    """Residents of the home who are measured every hour; fever at the end, or already before."""
    ids = []
    rng = np.random.default_rng(3)
    for ill in feverish:
        resident_id = world.resident(world.home)
        band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=resident_id)
        temp = 36.4 + 0.1 * rng.standard_normal(HOURS)
        if ill:
            temp[-fever_h:] = 38.4
        if before_h is not None:
            temp[-before_h : -before_h + 20] = 38.4
        world.hours(band, resident_id, {"temp": temp.tolist()})
        ids.append(resident_id)
    return ids


def found(service: Connection, settings: AnalyticsSettings) -> list[list[int]]:
    assessment = Outbreak(settings, HistoryBaselines(settings)).score(History(service, NOW))
    return [[case.resident_id for case in one.evidence.cases] for one in assessment.findings]


@pytest.mark.parametrize(("ill", "expected"), [(2, False), (4, True)])
def test_several_at_once(
    world: World, service: Connection, settings: AnalyticsSettings, ill: int, expected: bool
) -> None:
    ids = plant(world, [index < ill for index in range(8)])
    assert found(service, settings) == ([ids[:ill]] if expected else [])
    fine = Outbreak(settings, HistoryBaselines(settings)).score(History(service, NOW)).fine
    assert (Subject(SubjectKind.SITE, world.home.id) in fine) == (not expected)


def test_a_home_where_many_are_always_ill_is_no_outbreak(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    for start_day in (6, 10, 14, 18, 22, 26):
        plant(world, [False] * 3, before_h=start_day * 24)
    plant(world, [True] * 3)
    assert found(service, settings) == []


def test_who_was_ill_last_week_is_not_newly_ill(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    plant(world, [True] * 5, before_h=5 * 24)
    assert found(service, settings) == []


@given(arrays.arrays(np.bool_, (2, LOOK_DAYS)))
def test_new_cases_equal_their_twin(case: np.ndarray) -> None:
    for person, days in enumerate(case.tolist()):
        for day, ill in enumerate(days):
            lately = any(days[max(0, day - NEW_AFTER_DAYS) : day])
            assert new_cases(case)[person, day] == (ill and not lately)


@given(arrays.arrays(np.float64, (2, LOOK_DAYS), elements=st.integers(0, 5).map(float)))
def test_the_background_ends_before_the_gap(daily: np.ndarray) -> None:
    current, mean, spread = against_background(daily)
    last = LOOK_DAYS - 1
    for site in range(2):
        sums = [
            sum(daily[site, end - SPAN_DAYS + 1 : end + 1])
            for end in range(
                last - SPAN_DAYS - GAP_DAYS - BACKGROUND_DAYS + 1, last - SPAN_DAYS - GAP_DAYS + 1
            )
        ]
        assert current[site] == sum(daily[site, -SPAN_DAYS:])
        assert (mean[site], spread[site]) == pytest.approx((np.mean(sums), np.std(sums, ddof=1)), abs=1e-9)


@given(st.integers(0, 30), st.floats(0.3, 20))
def test_the_poisson_tail(count: int, mean: float) -> None:
    assert poisson_tail(count, mean) == pytest.approx(float(stats.poisson.sf(count - 1, mean)), abs=1e-9)


def test_times_are_days_of_the_homes(world: World, service: Connection, settings: AnalyticsSettings) -> None:
    plant(world, [True] * 4)
    (finding,) = Outbreak(settings, HistoryBaselines(settings)).score(History(service, NOW)).findings
    assert finding.since == NOW.replace(hour=16) - timedelta(days=2)  # the midnight in Asia/Shanghai before
