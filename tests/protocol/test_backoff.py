"""Pauses between attempts: the rule against a slow, obvious twin, for all limits and all histories."""

import logging

import hypothesis.strategies as st
from hypothesis import given

from protocol.backoff import Backoff

SECONDS = st.floats(0.001, 1_000)


@given(SECONDS, st.floats(1, 1_000), st.lists(st.booleans(), max_size=60))
def test_pauses_double_up_to_the_limit_and_begin_anew_after_a_success(
    first_s: float, times: float, history: list[bool]
) -> None:
    longest_s = first_s * times
    shortest = Backoff(first_s, longest_s, jitter=lambda low, _high: low)
    longest = Backoff(first_s, longest_s, jitter=lambda _low, high: high)
    by_chance = Backoff(first_s, longest_s)
    for place, works in enumerate(history):
        if works:
            for backoff in (shortest, longest, by_chance):
                backoff.succeeded()
            continue
        before = history[:place][::-1]
        failed_before = before.index(True) if True in before else len(before)
        ceiling_s = min(longest_s, first_s * 2**failed_before)
        assert longest.failed() == ceiling_s
        assert shortest.failed() == ceiling_s / 2
        assert ceiling_s / 2 <= by_chance.failed() <= ceiling_s
        assert by_chance.failures == failed_before + 1
        assert by_chance.level == (logging.WARNING if failed_before == 0 else logging.DEBUG)


def test_a_thousand_failures_later_it_still_tries() -> None:
    backoff = Backoff(0.2, 10.0)
    assert all(0.1 <= backoff.failed() <= 10.0 for _ in range(2_000))
