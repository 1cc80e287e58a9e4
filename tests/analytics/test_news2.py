"""NEWS2: the vectorised score equals a slow twin that reads like the chart, for any values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import news2
from analytics.news2 import SIGNS

Sign = float | None


def naive_points(sign: str, value: float, *, spo2_scale: int, on_oxygen: bool) -> int:
    """The chart, band by band, after rounding half up to the steps that the chart has."""
    step = 0.1 if sign == "temp" else 1.0
    half = step / 2

    def up_to(band_end: float) -> bool:
        return value < round(band_end + half, 2)

    if sign == "rr":
        return 3 if up_to(8) else 1 if up_to(11) else 0 if up_to(20) else 2 if up_to(24) else 3
    if sign == "sbp":
        return 3 if up_to(90) else 2 if up_to(100) else 1 if up_to(110) else 0 if up_to(219) else 3
    if sign == "hr":
        low = 3 if up_to(40) else 1 if up_to(50) else 0
        return low if up_to(90) else 1 if up_to(110) else 2 if up_to(130) else 3
    if sign == "temp":
        return 3 if up_to(35.0) else 1 if up_to(36.0) else 0 if up_to(38.0) else 1 if up_to(39.0) else 2
    assert sign == "spo2"
    if spo2_scale == 1:
        return 3 if up_to(91) else 2 if up_to(93) else 1 if up_to(95) else 0
    if up_to(87):
        return 3 if up_to(83) else 2 if up_to(85) else 1
    if up_to(92) or not on_oxygen:
        return 0
    return 1 if up_to(94) else 2 if up_to(96) else 3


def naive_score(signs: dict[str, Sign], *, spo2_scale: int, on_oxygen: bool) -> tuple[int, bool, bool]:
    """Total, emergency, urgent or worse."""
    points = [
        naive_points(sign, value, spo2_scale=spo2_scale, on_oxygen=on_oxygen)
        for sign, value in signs.items()
        if value is not None
    ]
    total = sum(points) + (2 if on_oxygen else 0)
    return total, total >= 7, total >= 5 or 3 in points


def vectorised(people: list[tuple[dict[str, Sign], int, bool]]) -> news2.Scores:
    columns = {
        sign: np.array([math.nan if signs[sign] is None else signs[sign] for signs, _, _ in people], float)
        for sign in SIGNS
    }
    return news2.score(
        columns,
        np.array([scale for _, scale, _ in people], np.int64),
        np.array([oxygen for _, _, oxygen in people], np.bool_),
    )


values = st.one_of(
    st.none(),
    st.floats(0, 400),
    st.integers(0, 300).map(float),
    st.integers(340, 400).map(lambda tenths: tenths / 10),
)
people = st.lists(
    st.tuples(st.fixed_dictionaries(dict.fromkeys(SIGNS, values)), st.sampled_from([1, 2]), st.booleans()),
    min_size=1,
    max_size=20,
)


@given(people)
def test_vectorised_equals_the_twin(group: list[tuple[dict[str, Sign], int, bool]]) -> None:
    scores = vectorised(group)
    for index, (signs, spo2_scale, on_oxygen) in enumerate(group):
        expected = naive_score(signs, spo2_scale=spo2_scale, on_oxygen=on_oxygen)
        got = (int(scores.total[index]), bool(scores.emergency[index]), bool(scores.abnormal[index]))
        assert got == expected
        missing = [sign for sign, absent in zip(SIGNS, scores.missing[index], strict=True) if absent]
        assert missing == [sign for sign in SIGNS if signs[sign] is None]
        assert bool(scores.scored[index]) == any(value is not None for value in signs.values())


CHART = [
    ("rr", [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]),
    ("sbp", [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]),
    ("hr", [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)]),
    ("temp", [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]),
    ("spo2", [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
]
"""First and last value of every band, from the chart of the Royal College of Physicians."""
SCALE_2 = {
    False: [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (97, 0), (100, 0)],
    True: [(83, 3), (85, 2), (87, 1), (88, 0), (92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3)],
}


def only(sign: str, value: float) -> dict[str, Sign]:
    return {**dict.fromkeys(SIGNS), sign: value}


@pytest.mark.parametrize(("sign", "bands"), CHART)
def test_the_chart(sign: str, bands: list[tuple[float, int]]) -> None:
    for value, points in bands:
        # As the database has it: single precision.
        assert vectorised([(only(sign, float(np.float32(value))), 1, False)]).total[0] == points


@pytest.mark.parametrize("on_oxygen", [False, True])
def test_the_second_scale_of_oxygen_saturation(on_oxygen: bool) -> None:
    for value, points in SCALE_2[on_oxygen]:
        total = vectorised([(only("spo2", value), 2, on_oxygen)]).total[0]
        assert total == points + (2 if on_oxygen else 0)
