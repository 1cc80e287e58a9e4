"""The clock: what time it is, and how sure that is."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import AGREES_MS, ANSWER_MS_MAX, BUILT_MS, Clock, Stamp, boot_id, boot_ms, wall_ms

TRUE_MS = BUILT_MS + 1_000_000_000


def clock(wall: int, boot: int = 1_000, *, synchronised: bool = False) -> Clock:
    return Clock(wall_ms=lambda: wall, boot_ms=lambda: boot, boot_id="b", synchronised=lambda: synchronised)


def test_the_box_has_clocks() -> None:
    assert wall_ms() > BUILT_MS
    assert boot_ms() > 0
    assert boot_id() == boot_id()


def test_before_anybody_told_the_time_it_is_a_guess_or_none() -> None:
    assert clock(TRUE_MS).now() == Stamp(TRUE_MS, 1_000, sure=False)
    assert clock(5).now() == Stamp(None, 1_000, sure=False)
    assert clock(TRUE_MS, synchronised=True).now() == Stamp(TRUE_MS, 1_000, sure=True)
    assert clock(5, synchronised=True).now().sure is False, "what calls 1970 synchronised is mistaken"


def test_a_clock_that_agrees_is_kept_as_it_is() -> None:
    box = clock(TRUE_MS + AGREES_MS // 2)
    box.learn(TRUE_MS, took_ms=10)
    assert box.now() == Stamp(TRUE_MS + AGREES_MS // 2, 1_000, sure=True)
    assert box.off_ms == 0


@given(st.integers(-(10**12), 10**12), st.integers(0, ANSWER_MS_MAX))
def test_after_the_centre_told_it_the_time_is_right_as_far_as_the_answer_can_tell(
    off_ms: int, took_ms: int
) -> None:
    box = clock(TRUE_MS + off_ms)
    box.learn(TRUE_MS - took_ms // 3, took_ms)  # committed some time before the answer came
    stamp = box.now()
    assert stamp.sure
    assert stamp.ms is not None
    assert abs(stamp.ms - TRUE_MS) <= max(AGREES_MS, took_ms) * 2


def test_a_jump_of_the_wall_clock_changes_nothing_once_the_time_is_known() -> None:
    wall, boot = TRUE_MS, 1_000
    box = Clock(wall_ms=lambda: wall, boot_ms=lambda: boot, boot_id="b", synchronised=lambda: False)
    box.learn(TRUE_MS, took_ms=0)
    wall, boot = 12, 6_000
    assert box.now() == Stamp(TRUE_MS + 5_000, 6_000, sure=True)
    box.learn(TRUE_MS + 5_000, took_ms=0)
    assert box.off_ms == 12 - TRUE_MS - 5_000


def test_answers_that_took_too_long_or_are_absurd_teach_nothing() -> None:
    box = clock(5)
    assert box.learn(TRUE_MS, took_ms=ANSWER_MS_MAX + 1) is None
    assert box.learn(77, took_ms=1) is None
    assert not box.sure
