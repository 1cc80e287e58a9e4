"""The course of vital signs against slow twins, one person and one sign at a time."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import course
from analytics.news2 import Floats

VALUE = st.one_of(st.just(math.nan), st.floats(30, 200).map(lambda value: round(value, 1)))
ROW = st.lists(VALUE, min_size=course.HOURS, max_size=course.HOURS)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def spread(values: list[float]) -> float:
    if len(values) < 2:
        return math.nan
    return math.sqrt(sum((value - mean(values)) ** 2 for value in values) / (len(values) - 1))


def known(row: list[float]) -> list[float]:
    return [value for value in row if not math.isnan(value)]


def slope(row: list[float]) -> float:
    points = [(hour, value) for hour, value in enumerate(row) if not math.isnan(value)]
    if len(points) < 4:
        return math.nan
    middle = mean([hour for hour, _ in points])
    divisor = sum((hour - middle) ** 2 for hour, _ in points)
    return sum((hour - middle) * value for hour, value in points) / divisor


def naive(row: list[float]) -> dict[str, float]:
    values, late = known(row), known(row[24:])
    held: list[float] = []
    for value in row:
        held.append(held[-1] if math.isnan(value) and held else value)
    steps = [(b - a) ** 2 for a, b in pairwise(held) if not math.isnan(a) and not math.isnan(b)]
    weights = [math.exp((hour - 47) / 12) for hour, value in enumerate(row) if not math.isnan(value)]
    answer = {
        "mean": mean(values),
        "std": spread(values),
        "min": min(values, default=math.nan),
        "max": max(values, default=math.nan),
        "median": quantile(values, 0.5) if values else math.nan,
        "low": quantile(values, 0.1) if values else math.nan,
        "high": quantile(values, 0.9) if values else math.nan,
        "first": values[0] if values else math.nan,
        "last": values[-1] if values else math.nan,
        "last_hours": mean(known(row[-6:])),
        "late_min": min(late, default=math.nan),
        "late_max": max(late, default=math.nan),
        "late_std": spread(late),
        "change": mean(late) - mean(known(row[:24])),
        "slope": slope(row),
        "roughness": math.sqrt(mean(steps)) if steps else math.nan,
        "recent": sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        if values
        else math.nan,
    }
    for block in range(4):
        answer[f"block{block}"] = mean(known(row[12 * block : 12 * block + 12]))
    return answer


@settings(max_examples=60)
@given(rows=st.lists(ROW, min_size=1, max_size=3))
def test_statistics_equal_a_loop(rows: list[list[float]]) -> None:
    found = course.statistics(np.array(rows))
    for number, row in enumerate(rows):
        expected = naive(row)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key][number] == pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True), key


def hourly_of(random: np.random.Generator, people: int, missing: float) -> dict[str, Floats]:
    values = {name: random.uniform(50, 120, (people, course.HOURS)) for name in course.MEASURED}
    return {
        name: np.where(random.random(array.shape) < missing, np.nan, array) for name, array in values.items()
    }


@pytest.mark.parametrize("missing", [0.0, 0.7, 1.0])
def test_watch_equals_a_loop(missing: float) -> None:
    random = np.random.default_rng(3)
    hourly = hourly_of(random, 5, missing)
    counts = {name: np.where(np.isnan(array), 0.0, 2.0) for name, array in hourly.items()}
    found = course.watch(hourly, counts)
    for name in course.MEASURED:
        for person in range(5):
            hours = [hour for hour in range(course.HOURS) if not math.isnan(hourly[name][person, hour])]
            stops = [-1, *hours, course.HOURS]
            row = found.iloc[person]
            assert row[f"{name}_hours"] == len(hours)
            assert row[f"{name}_first_hour"] == (hours[0] if hours else course.HOURS)
            assert row[f"{name}_last_hour"] == (hours[-1] if hours else -1)
            assert row[f"{name}_longest_gap"] == max(b - a for a, b in pairwise(stops))
            assert row[f"n_{name}"] == pytest.approx(math.log1p(2 * len(hours)))
            in_block = sum(1 for hour in hours if 12 <= hour < 24)
            assert row[f"n_{name}_block1"] == pytest.approx(math.log1p(2 * in_block))


def test_an_artery_counts_before_a_cuff_and_mean_pressure_is_reckoned_where_missing() -> None:
    hourly = {name: np.full((1, course.HOURS), np.nan) for name in course.MEASURED}
    hourly["ni_sbp"][:] = 120.0
    hourly["ni_dbp"][:] = 60.0
    hourly["art_sbp"][:, 7] = 150.0
    signs = course.merged(hourly)
    assert signs["sbp"][0, 7] == 150.0
    assert signs["sbp"][0, 8] == 120.0
    assert signs["map"][0, 8] == 80.0


def test_nothing_measured_gives_features_all_the_same() -> None:
    hourly = {name: np.full((2, course.HOURS), np.nan) for name in course.MEASURED}
    levels = course.levels(hourly)
    assert len(levels) == 2
    assert (levels["news_mean"] == 0).all()
    assert levels["hr_mean"].isna().all()
