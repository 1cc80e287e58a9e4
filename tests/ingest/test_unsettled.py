"""The note of what a transaction touched: the fast way, its slow twin, and what reaches the database."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.connections import connect
from ingest.unsettled import NOTE_EPOCH_US, NOTE_SECONDS_MAX, note, touched
from tests.servers import Database

LAST_US = NOTE_EPOCH_US + (NOTE_SECONDS_MAX + 1) * 1_000_000 - 1
near = st.integers(-5_000_000_000, 15_000_000_000).map(lambda us: 1_770_000_000_000_000 + us)
rows = st.lists(st.tuples(st.integers(1, 5), near | st.integers(NOTE_EPOCH_US, LAST_US)), max_size=60)


def naive_touched(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    earliest: dict[tuple[int, int], int] = {}
    for device_id, time_us in rows:
        second = (time_us - NOTE_EPOCH_US) // 1_000_000
        key = (device_id, second // 3600)
        earliest[key] = min(second, earliest.get(key, second))
    return sorted((device_id, second) for (device_id, _), second in earliest.items())


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([row[0] for row in rows], dtype=np.int32),
        np.array([row[1] for row in rows], dtype=np.int64),
    )


@given(rows=rows)
def test_touched_is_what_the_naive_twin_finds(rows: list[tuple[int, int]]) -> None:
    found = touched(*columns(rows))
    assert found.device_ids.dtype == found.from_s.dtype == np.dtype(np.int32)
    assert list(zip(found.device_ids.tolist(), found.from_s.tolist(), strict=True)) == naive_touched(rows)


@pytest.mark.parametrize("time_us", [NOTE_EPOCH_US - 1, LAST_US + 1])
def test_a_time_that_four_bytes_cannot_hold_is_refused(time_us: int) -> None:
    with pytest.raises(ValueError, match="not between 2000 and 2068"):
        touched(*columns([(1, LAST_US), (2, time_us)]))


def test_a_note_is_in_the_database_as_it_was_made(database: Database) -> None:
    what = touched(*columns([(7, LAST_US), (2**31 - 1, NOTE_EPOCH_US), (7, NOTE_EPOCH_US + 3_599_999_999)]))
    with connect(database.ingest_url) as connection:
        note(connection, "vitals", what)
        note(connection, "activity", touched(*columns([])))
        stored = connection.execute("SELECT source, device_ids, from_s FROM readings.unsettled").fetchall()
    assert stored == [
        {
            "source": "vitals",
            "device_ids": [7, 7, 2**31 - 1],
            "from_s": [3599, NOTE_SECONDS_MAX, 0],
        }
    ]
