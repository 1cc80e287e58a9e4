import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clock import ClockRule

NOW_US = 1_772_000_000_000_000


@given(st.integers(-(10**14), 10**14) | st.integers(NOW_US // 1000 - 10**8, NOW_US // 1000 + 10**6))
def test_a_clock_within_reason_is_kept_to_the_millisecond(ts_ms: int) -> None:
    stamped_us, replaced = ClockRule(future_s_max=600, past_s_max=86_400).stamp(ts_ms, NOW_US)
    reasonable = -86_400_000 <= ts_ms - NOW_US // 1000 <= 600_000
    assert replaced != reasonable
    assert stamped_us == (ts_ms * 1000 if reasonable else NOW_US)


@pytest.mark.parametrize(
    ("off_ms", "is_right"),
    [(600_000, True), (600_001, False), (-86_400_000, True), (-86_400_001, False)],
    ids=["as far ahead as may be", "too far ahead", "as far behind as may be", "too far behind"],
)
def test_the_limits_themselves_are_within_reason(off_ms: int, is_right: bool) -> None:
    rule = ClockRule(future_s_max=600, past_s_max=86_400)
    ts_ms = NOW_US // 1000 + off_ms
    assert rule.stamp(ts_ms, NOW_US) == ((ts_ms * 1000, False) if is_right else (NOW_US, True))
    assert rule.window_ms(NOW_US) == (NOW_US // 1000 - 86_400_000, NOW_US // 1000 + 600_000)


@given(st.lists(st.integers(NOW_US - 5, NOW_US + 5), min_size=2))
def test_times_that_stand_in_never_collide(received: list[int]) -> None:
    rule = ClockRule(future_s_max=600, past_s_max=86_400)
    stamped = [rule.stamp(None, at)[0] for at in received]
    assert stamped == sorted(set(stamped))
