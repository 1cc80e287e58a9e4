"""The pace of a backlog: bounded in rate, small on a slow way, large on a quick one."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.pace import BURST_S, QUICK_S, SIZE_MAX, SIZE_MIN, SLOW_S, Pace


@given(st.floats(50, 5_000), st.lists(st.floats(0.001, 2), min_size=1, max_size=200))
def test_never_above_the_rate(per_s_max: float, waits_s: list[float]) -> None:
    pace, now_s, sent = Pace(per_s_max), 0.0, 0
    pace.allowed(now_s)
    for wait_s in waits_s:
        now_s += wait_s
        count = pace.allowed(now_s)
        pace.sent(count)
        sent += count
        assert sent <= per_s_max * now_s + max(SIZE_MAX, per_s_max * BURST_S)


def test_a_quick_way_gets_large_batches_and_a_slow_one_small() -> None:
    pace = Pace(2_000)
    for _ in range(50):
        pace.receipted(QUICK_S / 2)
    assert pace.size == SIZE_MAX
    for _ in range(50):
        pace.receipted(SLOW_S * 2)
    assert pace.size == SIZE_MIN
    pace.receipted((QUICK_S + SLOW_S) / 2)
    assert pace.size == SIZE_MIN
