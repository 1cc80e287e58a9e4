"""The judge must be able to say no."""

import random

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.ledger import Record, Tally, compare


def record(number: int, *, timed: bool = True, value: float = 1.0) -> Record:
    return Record("vitals", f"band-{number % 3}", number * 1_000 if timed else None, (number, value))


SAID = [record(number, timed=number % 4 != 0) for number in range(40)]


def counts(tally: Tally) -> tuple[int, int, int]:
    return tally.lost, tally.duplicated, tally.altered


def test_everything_there_once_in_whatever_order() -> None:
    stored = random.Random(1).sample(SAID, len(SAID))
    assert compare(SAID, stored).exact
    assert compare(SAID, stored).said == len(SAID)


@given(st.sets(st.integers(0, len(SAID) - 1)), st.sets(st.integers(0, len(SAID) - 1)))
def test_each_that_is_missing_or_doubled_is_counted(missing: set[int], doubled: set[int]) -> None:
    stored = [said for number, said in enumerate(SAID) if number not in missing]
    stored += [said for number, said in enumerate(SAID) if number in doubled - missing]
    assert counts(compare(SAID, stored)) == (len(missing), len(doubled - missing), 0)


def test_another_value_at_the_same_time_is_altered() -> None:
    stored = [*SAID[:5], record(5, value=2.0), *SAID[6:]]
    tally = compare(SAID, stored)
    assert counts(tally) == (0, 0, 1)
    assert "altered" in tally.examples[0]


def test_another_value_under_an_absurd_clock_is_one_lost_and_one_too_many() -> None:
    stored = [*SAID[:4], record(4, timed=False, value=2.0), *SAID[5:]]
    assert counts(compare(SAID, stored)) == (1, 1, 0)


def test_a_clock_that_was_replaced_without_need_shows() -> None:
    stored = [*SAID[:5], SAID[5]._replace(time_us=None), *SAID[6:]]
    assert counts(compare(SAID, stored)) == (1, 1, 0)


def test_what_nobody_said_shows() -> None:
    assert counts(compare(SAID, [*SAID, record(99)])) == (0, 1, 0)
