"""Each vectorised feature equals its slow, obvious twin."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analytics import features
from protocol.calendar import HOME_TIME

BEGIN = datetime(2025, 3, 1, tzinfo=HOME_TIME)
values = st.one_of(st.just(math.nan), st.integers(-50, 50).map(float))


def matrices(rows: int, columns: int) -> st.SearchStrategy[Any]:
    return arrays.arrays(
        np.float64, st.tuples(st.integers(1, rows), st.integers(1, columns)), elements=values
    )


def same(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


def known(row: Any) -> list[float]:
    return [float(value) for value in row if not math.isnan(value)]


@given(matrices(4, 9), st.integers(1, 4))
def test_median_and_scale(matrix: Any, count_min: int) -> None:
    def centre(row: Any) -> float:
        return median(known(row)) if len(known(row)) >= count_min else math.nan

    def spread(row: Any) -> float:
        if math.isnan(centre(row)):
            return math.nan
        return features.MAD_TO_SD * median([abs(value - centre(row)) for value in known(row)])

    same(features.nan_median(matrix, count_min), [centre(row) for row in matrix])
    same(features.mad_scale(matrix, count_min), [spread(row) for row in matrix])


@given(matrices(3, 12), st.integers(1, 6), st.integers(1, 4))
def test_trailing_mean(matrix: Any, window: int, count_min: int) -> None:
    def mean(row: Any, at: int) -> float:
        inside = known(row[max(0, at - window + 1) : at + 1])
        return sum(inside) / len(inside) if len(inside) >= count_min else math.nan

    expected = [[mean(row, at) for at in range(len(row))] for row in matrix]
    same(features.trailing_mean(matrix, window, count_min), expected)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(0, 6))))
def test_run_length(flags: Any) -> None:
    def run(row: Any) -> int:
        length = 0
        for flag in reversed(row.tolist()):
            if not flag:
                break
            length += 1
        return length

    assert features.run_length(flags).tolist() == [run(row) for row in flags]


readings = st.lists(
    st.tuples(st.integers(1, 4), st.integers(-30, 80), st.integers(0, 9).map(float)),
    unique_by=lambda row: row[:2],
    max_size=30,
)


def frame(rows: list[tuple[int, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "resident_id": np.array([row[0] for row in rows], np.int64),
            "hour": pd.to_datetime([BEGIN + timedelta(hours=row[1]) for row in rows], utc=True),
            "hr": np.array([row[2] for row in rows], float),
        }
    )


def cube_of(rows: list[tuple[int, int, float]]) -> dict[tuple[int, int], float]:
    return {
        (resident, hour): value for resident, hour, value in rows if resident in (1, 3) and 0 <= hour < 48
    }


@given(readings)
def test_cube(rows: list[tuple[int, int, float]]) -> None:
    found = features.cube(frame(rows), "hr", np.array([1, 3]), BEGIN, 2)
    for index, resident in enumerate((1, 3)):
        for hour in range(48):
            same(found[index, hour // 24, hour % 24], cube_of(rows).get((resident, hour), math.nan))


@given(readings, st.integers(0, 47), st.integers(0, 30))
def test_anomalies_are_left_out(rows: list[tuple[int, int, float]], begin: int, hours: int) -> None:
    cube = features.cube(frame(rows), "hr", np.array([1, 3]), BEGIN, 2)
    anomalies = pd.DataFrame(
        {
            "resident_id": np.array([3, 4], np.int64),
            "begins_at": pd.to_datetime([BEGIN + timedelta(hours=begin, minutes=20)] * 2, utc=True),
            "ends_at": pd.to_datetime([BEGIN + timedelta(hours=begin + hours, minutes=40)] * 2, utc=True),
        }
    )
    found = features.without(cube, np.array([1, 3]), BEGIN, anomalies).reshape(2, 48)
    for hour in range(48):
        same(found[0, hour], cube.reshape(2, 48)[0, hour])
        inside = begin <= hour <= begin + hours
        same(found[1, hour], math.nan if inside else cube.reshape(2, 48)[1, hour])


@given(
    arrays.arrays(np.float32, (2, 3, 24), elements=st.one_of(st.just(math.nan), st.integers(0, 9).map(float)))
)
def test_by_hour(cube: Any) -> None:
    found = features.by_hour(cube, reach_h=1, count_min=4)
    for person in range(2):
        everything = known(cube[person].ravel())
        for hour in range(24):
            near = known([cube[person, day, (hour + off) % 24] for day in range(3) for off in (-1, 0, 1)])
            if len(near) >= 4:
                expected = median(near)
            else:
                expected = median(everything) if len(everything) >= 4 else math.nan
            same(found[person, hour], expected)


seen_hours = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(0, 29), st.integers(30, 59), st.booleans()),
    unique_by=lambda row: row[:2],
    max_size=25,
)


@given(seen_hours)
def test_gaps(rows: list[tuple[int, int, int, int, bool]]) -> None:
    base = datetime(2025, 3, 1, tzinfo=UTC)
    times: Callable[[list[Any]], Any] = lambda of: pd.to_datetime(of, utc=True)  # noqa: E731
    first = [base + timedelta(hours=hour, minutes=begin) for _, hour, begin, _, _ in rows]
    last = [base + timedelta(hours=hour, minutes=end) for _, hour, _, end, _ in rows]
    bathroom = [at if row[4] else None for at, row in zip(last, rows, strict=True)]
    given_hours = pd.DataFrame(
        {
            "resident_id": np.array([row[0] for row in rows], np.int64),
            "hour": times([base + timedelta(hours=row[1]) for row in rows]),
            "first_at": times(first),
            "last_at": times(last),
            "bathroom_at": times(bathroom),
            "leaving_at": times([None] * len(rows)),
            "in_bed_at": times([None] * len(rows)),
        }
    ).astype(dict.fromkeys(("first_at", "last_at", "bathroom_at", "leaving_at"), "datetime64[us, UTC]"))
    expected = []
    for resident in (1, 2, 3):
        own = sorted(
            (at, until, in_bathroom is not None)
            for (who, *_), at, until, in_bathroom in zip(rows, first, last, bathroom, strict=True)
            if who == resident
        )
        expected += [
            (resident, until, (later - until).total_seconds(), in_bathroom)
            for (_, until, in_bathroom), (later, _, _) in pairwise(own)
        ]
    found = features.gaps(given_hours)
    assert [
        (row["resident_id"], row["begins_at"].to_pydatetime(), row["gap_s"], row["bathroom"])
        for row in found.to_dict("records")
    ] == expected
    assert not found["leaving"].any()


@given(arrays.arrays(np.float64, (2, 6, 2), elements=values))
def test_personal_scores(days: Any) -> None:
    floor = np.array([1.0, 2.0])
    found = features.personal_scores(days, 4, floor)
    for person in range(2):
        for habit in range(2):
            past = known(days[person, :4, habit])
            if not past:
                assert np.isnan(found[person, :, habit]).all()
                continue
            centre = median(past)
            mad = features.MAD_TO_SD * median([abs(value - centre) for value in past])
            scale = mad + floor[habit] + 0.1 * abs(centre)
            same(found[person, :, habit], (days[person, :, habit] - centre) / scale)


@pytest.mark.parametrize(("hour", "day"), [(15, 1), (16, 2), (23, 2)])
def test_days_begin_in_the_homes_time_zone(hour: int, day: int) -> None:
    now = datetime(2025, 3, 1, hour, tzinfo=UTC)
    assert features.midnight(now) == datetime(2025, 3, day, tzinfo=HOME_TIME)
