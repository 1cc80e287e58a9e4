"""The writer: fast path and slow path store the same; one refused row costs nobody else."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.connections import Connection, connect
from ingest import pgcopy
from ingest.batch import MicroBatch
from ingest.clock import time_of
from ingest.latest import Heard
from ingest.rows import VITALS_COLUMNS, ActivityRow, StatusRow, VitalsRow
from ingest.settle import Rhythm, settle
from ingest.store import prepare, store
from protocol.signs import SIGNS
from tests.servers import Database

START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000

values = st.none() | st.integers(200, 450).map(lambda tenths: tenths / 10)
vitals_rows = st.builds(
    VitalsRow,
    time_us=st.integers(START_US, START_US + 30),
    device_id=st.integers(1, 3),
    resident_id=st.none() | st.integers(1, 3),
    clock_replaced=st.booleans(),
    signs=st.tuples(*[values] * len(SIGNS)),
)


@pytest.fixture
def ingest_role(database: Database) -> Iterator[Connection]:
    with connect(database.ingest_url, autocommit=True) as connection:
        yield connection


def batch_of(*rows: VitalsRow | ActivityRow | StatusRow) -> MicroBatch:
    batch = MicroBatch()
    for row in rows:
        if isinstance(row, VitalsRow):
            batch.singles.vitals.append(row)
        elif isinstance(row, ActivityRow):
            batch.singles.activity.append(row)
        else:
            batch.singles.status.append(row)
    return batch


def vitals_in(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM readings.vitals ORDER BY device_id, time").fetchall()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(vitals_rows, min_size=1, max_size=40, unique_by=lambda row: row[:2]))
def test_packed_rows_are_what_the_driver_would_write(ingest_role: Connection, rows: list[VitalsRow]) -> None:
    columns = ", ".join(["time", *VITALS_COLUMNS[1:]])
    with ingest_role.transaction(force_rollback=True), ingest_role.cursor() as cursor:
        with cursor.copy(f"COPY readings.vitals ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(pgcopy.pack_vitals(pgcopy.columns_of(rows)))
        packed = vitals_in(ingest_role)
        cursor.execute("DELETE FROM readings.vitals")
        with cursor.copy(f"COPY readings.vitals ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row((time_of(row.time_us), *row.flat()[1:]))
        assert vitals_in(ingest_role) == packed


def naive_store(rows: list[VitalsRow]) -> dict[tuple[int, int], list[float | None]]:
    """The slow twin: first value of each sign wins, whatever the order of batches."""
    stored: dict[tuple[int, int], list[float | None]] = {}
    for row in rows:
        signs = stored.setdefault((row.device_id, row.time_us), [None] * len(SIGNS))
        for index, value in enumerate(row.signs):
            if signs[index] is None:
                signs[index] = value
    return stored


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(vitals_rows, min_size=1, max_size=40), cuts=st.lists(st.integers(0, 40), max_size=4))
def test_any_batches_with_repeats_store_what_the_naive_twin_does(
    ingest_role: Connection, rows: list[VitalsRow], cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(rows)]
    with ingest_role.transaction(force_rollback=True):
        for start, end in itertools.pairwise(edges):
            store(ingest_role, prepare(batch_of(*rows[start:end])), Heard())
        found = {
            (row["device_id"], int(row["time"].timestamp() * 1_000_000 + 0.5)): [row[sign] for sign in SIGNS]
            for row in vitals_in(ingest_role)
        }
        assert found == naive_store(rows)
        settle(ingest_role, Rhythm())
        stored_rows = vitals_in(ingest_role)
        for resident_id in {row["resident_id"] for row in stored_rows} - {None}:
            state = ingest_role.execute(
                "SELECT * FROM readings.resident_state WHERE resident_id = %s", (resident_id,)
            ).fetchone()
            for sign in SIGNS:
                of_sign = [
                    row for row in stored_rows if row["resident_id"] == resident_id and row[sign] is not None
                ]
                if of_sign:
                    assert state is not None
                    assert state[f"{sign}_at"] == max(row["time"] for row in of_sign)


def test_the_one_refused_row_is_found_and_its_neighbours_are_stored(ingest_role: Connection) -> None:
    good = [StatusRow(START_US + n, 1, False, True, 50, -60, "1.0") for n in range(100)]
    bad = StatusRow(START_US + 500, 2, False, True, 50, -60, "nul \0 byte")
    stored = store(ingest_role, prepare(batch_of(*good[:33], bad, *good[33:])), Heard())
    assert stored.rows == 100
    assert [(letter.reason, letter.device_id) for letter in stored.dead] == [("refused_by_database", 2)]
    counts = ingest_role.execute(
        "SELECT (SELECT count(*) FROM readings.device_status) AS stored,"
        " (SELECT count(*) FROM readings.dead_letter) AS dead"
    ).fetchone()
    assert counts == {"stored": 100, "dead": 1}
