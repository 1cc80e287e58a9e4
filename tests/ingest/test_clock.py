from hypothesis import given
from hypothesis import strategies as st

from ingest.clock import ClockRule

NOW_US = 1_772_000_000_000_000


@given(st.integers(-(10**14), 10**14))
def test_a_clock_within_reason_is_kept_to_the_millisecond(ts_ms: int) -> None:
    stamped_us, replaced = ClockRule(future_s_max=600, past_s_max=86_400).stamp(ts_ms, NOW_US)
    reasonable = -86_400_000 <= ts_ms - NOW_US // 1000 <= 600_000
    assert replaced != reasonable
    assert stamped_us == (ts_ms * 1000 if reasonable else NOW_US)


@given(st.lists(st.integers(NOW_US - 5, NOW_US + 5), min_size=2))
def test_times_that_stand_in_never_collide(received: list[int]) -> None:
    rule = ClockRule(future_s_max=600, past_s_max=86_400)
    stamped = [rule.stamp(None, at)[0] for at in received]
    assert stamped == sorted(set(stamped))
