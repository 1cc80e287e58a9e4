"""Carrying signs forward equals a slow twin that looks back from each sample."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from analytics.carry import carry
from analytics.news2 import SIGNS

BASE = datetime(2025, 3, 3, tzinfo=UTC)
AGE_S_MAX = {"rr": 120.0, "spo2": 120.0, "sbp": 600.0, "hr": 60.0, "temp": 600.0}

Reading = tuple[int, int, dict[str, float]]
"""Resident, seconds after BASE, signs."""

readings = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 30).map(lambda n: n * 30),
        st.dictionaries(st.sampled_from(SIGNS), st.integers(30, 40).map(float), min_size=1, max_size=3),
    ),
    max_size=25,
    unique_by=lambda reading: reading[:2],
)


def vitals_frame(given_readings: list[Reading]) -> pd.DataFrame:
    rows = sorted(given_readings, key=lambda reading: reading[:2])
    return pd.DataFrame(
        {
            "resident_id": np.array([row[0] for row in rows], np.int64),
            "time": pd.to_datetime([BASE + timedelta(seconds=row[1]) for row in rows], utc=True),
            "spot": np.zeros(len(rows), np.int64),
            **{sign: np.array([row[2].get(sign, math.nan) for row in rows], float) for sign in SIGNS},
        }
    )


def latest_frame(before: dict[int, dict[str, tuple[int, float]]]) -> pd.DataFrame:
    columns: dict[str, object] = {"resident_id": np.array(list(before), np.int64)}
    for sign in SIGNS:
        known = [before[resident].get(sign) for resident in before]
        columns[sign] = np.array([math.nan if one is None else one[1] for one in known], float)
        columns[f"{sign}_at"] = pd.to_datetime(
            ["NaT" if one is None else str(BASE + timedelta(seconds=one[0])) for one in known], utc=True
        )
    return pd.DataFrame(columns)


latest = st.dictionaries(
    st.integers(1, 4),
    st.dictionaries(
        st.sampled_from(SIGNS),
        st.tuples(st.integers(-20, 30).map(lambda n: n * 30), st.just(77.0)),
        max_size=5,
    ),
    max_size=4,
)


@given(readings, latest)
def test_vectorised_equals_the_twin(
    given_readings: list[Reading], before: dict[int, dict[str, tuple[int, float]]]
) -> None:
    samples = carry(vitals_frame(given_readings), latest_frame(before), AGE_S_MAX)
    expected = []
    for resident, at_s, signs in sorted(given_readings, key=lambda reading: reading[:2]):
        row = {}
        for sign in SIGNS:
            known = [
                (other_s, other[sign])
                for other_resident, other_s, other in given_readings
                if other_resident == resident and other_s <= at_s and sign in other
            ]
            if sign in before.get(resident, {}) and before[resident][sign][0] <= at_s and sign not in signs:
                known.append(before[resident][sign])
            newest_s = max((one[0] for one in known), default=None)
            # Of two values of one instant the message's own counts, then what the state has.
            candidates = [value for other_s, value in known if other_s == newest_s]
            fresh = newest_s is not None and at_s - newest_s <= AGE_S_MAX[sign]
            row[sign] = candidates if fresh else [None]
        expected.append((resident, at_s, row))
    assert len(samples.resident) == len(expected)
    for index, (resident, at_s, row) in enumerate(expected):
        assert samples.resident[index] == resident
        assert samples.time_us[index] == int((BASE + timedelta(seconds=at_s)).timestamp() * 1_000_000)
        for sign in SIGNS:
            value = samples.signs[sign][index]
            assert (None if math.isnan(value) else value) in row[sign]
