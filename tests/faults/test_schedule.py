"""Faults come from the seed alone."""

from collections import Counter

import pytest

from benchmarks.faults.schedule import GAP_S_MAX, HOLD_S, Harm, Link, schedule


def test_the_seed_decides() -> None:
    assert schedule(5, 100) == schedule(5, 100)
    assert schedule(5, 100) != schedule(6, 100)


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    assert schedule(5, 100)[:20] == schedule(5, 20)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_comes_and_none_takes_over(seed: int) -> None:
    faults = schedule(seed, 200)
    harms = Counter(fault.harm for fault in faults)
    assert set(harms) == set(Harm)
    assert min(harms.values()) >= 10
    assert {fault.link for fault in faults} == {*Link, None}


def test_everything_is_bounded() -> None:
    for fault in schedule(7, 500):
        assert 0 <= fault.gap_s <= GAP_S_MAX
        assert HOLD_S[0] <= fault.hold_s <= HOLD_S[1]
        assert 0 <= fault.dice < 1


def test_no_full_disk_where_none_can_be_had() -> None:
    assert Harm.DISK_FULL not in {fault.harm for fault in schedule(1, 200, can_fill_disk=False)}
