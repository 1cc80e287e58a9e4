"""Dead letters stay within bounds, and none goes without being counted."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ingest.letters import AT_ONCE_MAX, HOUR_US, LetterBudget, bounded
from ingest.rows import DeadLetter
from protocol.errors import DeadReason


def letter(device_id: int | None, topic: str = "anshou/v1/home-1/x/vitals") -> DeadLetter:
    return DeadLetter(topic, b"x", 1, DeadReason.MALFORMED, "no JSON", None, device_id)


def counted(letters: list[DeadLetter]) -> int:
    """How many these stand for."""
    more = [re.search(r"; so ([\d,]+) more$", one.detail) for one in letters]
    return len(letters) + sum(int(found[1].replace(",", "")) for found in more if found)


@given(count=st.integers(0, 3 * AT_ONCE_MAX))
def test_a_batch_leaves_few_letters_that_stand_for_all(count: int) -> None:
    kept = bounded([letter(1)] * count)
    assert len(kept) <= AT_ONCE_MAX
    assert counted(kept) == count


@given(sizes=st.lists(st.integers(0, 30), max_size=20), minutes=st.integers(1, 30))
def test_every_letter_is_kept_or_counted_in_the_end(sizes: list[int], minutes: int) -> None:
    budget, now_us, kept = LetterBudget(hourly_max=10), 0, []
    for size in sizes:
        kept += budget.overdue(now_us)
        kept += budget.admit([letter(1)] * size, now_us)
        now_us += minutes * 60_000_000
    hours = now_us // HOUR_US + 1
    assert len(kept) <= 11 * hours
    kept += budget.overdue(now_us + 2 * HOUR_US)
    assert counted(kept) == sum(sizes)


def test_made_up_names_of_a_site_have_one_budget_and_devices_their_own() -> None:
    budget = LetterBudget(hourly_max=2)
    made_up = [letter(None, f"anshou/v1/home-1/made-up-{n}/alarm") for n in range(5)]
    assert len(budget.admit(made_up, 0)) == 2
    assert len(budget.admit([letter(None, "anshou/v1/home-2/made-up/alarm"), letter(1), letter(2)], 0)) == 3
