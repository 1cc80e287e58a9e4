"""What is no body is not scored; what is one, however ill, is."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.artefacts import (
    JUMP,
    JUMP_SHARE_MAX,
    MOTION_HR,
    MOTION_SPO2,
    NEIGHBOUR_S_MAX,
    PROBE_OFF_CEL,
    artefacts,
    reject,
)
from analytics.news2 import SIGNS

BASE = datetime(2025, 3, 3, tzinfo=UTC)
Row = tuple[int, int, bool, dict[str, float]]


def vitals(rows: list[Row]) -> pd.DataFrame:
    ordered = sorted(rows, key=lambda row: row[:2])
    return pd.DataFrame(
        {
            "resident_id": np.array([row[0] for row in ordered], np.int64),
            "time": pd.to_datetime([BASE + timedelta(seconds=row[1]) for row in ordered], utc=True),
            "spot": np.array([row[2] for row in ordered], np.int64),
            **{sign: np.array([row[3].get(sign, math.nan) for row in ordered], float) for sign in SIGNS},
        }
    ).astype({"time": "datetime64[us, UTC]"})


def series(sign: str, values: list[float], *, spot: bool = False) -> list[Row]:
    return [(1, 60 * index, spot, {sign: value}) for index, value in enumerate(values)]


def dropped(rows: list[Row], sign: str) -> list[int]:
    return [int(at) for at in np.flatnonzero(artefacts(vitals(rows))[sign])]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([70, 71, 130, 72, 71], [2]),  # there and back
        ([70, 71, 130, 131, 132], []),  # it stays there
        ([70, 71, 130], []),  # not yet known
        ([60, 120, 60, 120, 60, 120], []),  # two devices disagree
        ([70, 95, 70, 71], []),  # a body can do that
    ],
)
def test_a_jump_there_and_back_is_an_artefact(values: list[float], expected: list[int]) -> None:
    assert dropped(series("hr", values), "hr") == expected


def test_what_somebody_measured_on_purpose_counts() -> None:
    assert dropped(series("sbp", [120, 210, 121], spot=True), "sbp") == []


def test_a_probe_on_the_table_measures_nobody() -> None:
    rows: list[Row] = [(1, 0, False, {"temp": 24.0, "hr": 140.0}), (1, 60, False, {"temp": 36.5, "hr": 70.0})]
    assert dropped(rows, "hr") == [0]
    assert len(reject(vitals(rows))) == 1


def test_a_shaken_hand_is_no_lack_of_oxygen() -> None:
    rows: list[Row] = [
        (1, 0, False, {"spo2": 97, "hr": 70}),
        (1, 60, False, {"spo2": 84, "hr": 108}),
        (1, 120, False, {"spo2": 96, "hr": 72}),
    ]
    assert dropped(rows, "spo2") == dropped(rows, "hr") == [1]


rows_of_two = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, 40).map(lambda n: n * 60),
        st.booleans(),
        st.fixed_dictionaries(
            {}, optional={sign: st.sampled_from([24.0, 60.0, 70.0, 95.0, 120.0, 130.0]) for sign in SIGNS}
        ),
    ),
    unique_by=lambda row: row[:2],
    max_size=20,
)


@given(rows_of_two)
def test_vectorised_equals_the_twin(rows: list[Row]) -> None:
    ordered = sorted(rows, key=lambda row: row[:2])

    def neighbour(at: int, sign: str, step: int) -> float:
        other = at + step
        while 0 <= other < len(ordered) and ordered[other][0] == ordered[at][0]:
            if sign in ordered[other][3]:
                near = abs(ordered[other][1] - ordered[at][1]) <= NEIGHBOUR_S_MAX
                return ordered[other][3][sign] if near else math.nan
            other += step
        return math.nan

    def value(at: int, sign: str) -> float:
        return ordered[at][3].get(sign, math.nan)

    def agrees(at: int, sign: str) -> bool:
        return abs(neighbour(at, sign, -1) - neighbour(at, sign, 1)) < JUMP[sign] / 2

    def jumps(at: int, sign: str) -> bool:
        far = all(abs(value(at, sign) - neighbour(at, sign, step)) > JUMP[sign] for step in (-1, 1))
        return far and agrees(at, sign)

    found = artefacts(vitals(rows))
    for at, (resident, _, spot, signs) in enumerate(ordered):
        off = signs.get("temp", math.inf) < PROBE_OFF_CEL
        shaken = (
            neighbour(at, "spo2", -1) - value(at, "spo2") > MOTION_SPO2
            and abs(value(at, "hr") - neighbour(at, "hr", -1)) > MOTION_HR
        )
        for sign in SIGNS:
            own = [other for other, row in enumerate(ordered) if row[0] == resident and sign in row[3]]
            rare = sum(jumps(other, sign) for other in own) <= JUMP_SHARE_MAX * len(own)
            motion = shaken and sign in ("spo2", "hr") and agrees(at, sign)
            expected: Any = sign in signs and not spot and (off or (jumps(at, sign) and rare) or motion)
            assert found[sign][at] == expected, (at, sign)
