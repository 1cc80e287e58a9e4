"""Minutes of listening, counted against the obvious way: one minute after the other."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.listening import PULSE_S, Listening

BEGIN = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)
MINUTES = st.lists(st.integers(0, 600), unique=True).map(sorted)


def moments(minutes: list[int], *, shift_s: int = 0) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    return np.array([BEGIN + timedelta(minutes=at, seconds=shift_s) for at in minutes], "datetime64[us]")


@given(MINUTES, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), min_size=1))
def test_heard_after_given_times(minutes: list[int], spans: list[tuple[int, int]]) -> None:
    counted = Listening(moments(minutes)).seconds_after(
        moments([begin for begin, _ in spans]), moments([end for _, end in spans])
    )
    assert counted.tolist() == [PULSE_S * sum(begin < at <= end for at in minutes) for begin, end in spans]


@given(MINUTES, st.lists(st.integers(0, 600), min_size=1), st.integers(0, 600))
def test_missed_is_what_is_left(minutes: list[int], begins: list[int], end: int) -> None:
    missed = Listening(moments(minutes)).seconds_missed(moments(begins), moments([end])[0])
    first = min(minutes, default=601)
    assert missed.tolist() == [
        PULSE_S * sum(at not in minutes for at in range(max(begin, first) + 1, end + 1)) for begin in begins
    ]


@pytest.mark.parametrize("begin", [0, 5, 9])
def test_nothing_is_said_of_the_time_before_anybody_listened(begin: int) -> None:
    assert Listening(moments([])).seconds_missed(moments([begin]), moments([10])[0]).tolist() == [0]
    heard = Listening(moments([9, 10]))
    assert heard.seconds_missed(moments([begin]), moments([10])[0]).tolist() == [0]
