"""Raw data goes only when its rollups are proven; ids and dead letters go by age."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from database.connections import Connection, connect
from ingest.retention import Forgotten, Keep, forget
from ingest.settle import backlog, settle
from tests.ingest.test_history import RHYTHM, assert_history_is_right, drain, ingest, rows_of, vitals_row
from tests.servers import Database

DAY = datetime(2026, 3, 1, tzinfo=UTC)
NOW = DAY + timedelta(days=92)
KEEP = Keep(raw_days=90, batch_days=61, dead_letter_days=180, late_s=60 * 86_400)


@pytest.fixture
def ingest_role(database: Database) -> Iterator[Connection]:
    with connect(database.ingest_url, autocommit=True) as connection:
        yield connection


def stored_hours(connection: Connection) -> list[datetime]:
    return sorted({row["time"] for row in rows_of(connection, "vitals")})


def test_a_chunk_is_dropped_once_its_rollups_are_proven(ingest_role: Connection) -> None:
    ingest(ingest_role, [vitals_row(second) for second in (1, 2, 3 * 86_400)])
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    settle(ingest_role, RHYTHM)
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    assert rows_of(ingest_role, "raw_chunk")[0]["kept_because"] == "it has hours that are not rolled up"
    assert backlog(ingest_role).kept_chunks == 1
    drain(ingest_role)
    assert_history_is_right(ingest_role)
    before = (rows_of(ingest_role, "vitals_hourly"), rows_of(ingest_role, "vitals_daily"))
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_dropped=1)
    assert len(stored_hours(ingest_role)) == 1, "the younger chunk stays"
    assert (rows_of(ingest_role, "vitals_hourly"), rows_of(ingest_role, "vitals_daily")) == before
    (told,) = rows_of(ingest_role, "raw_chunk")
    assert (told["row_count"], told["late_row_count"], told["kept_because"]) == (2, 0, None)
    assert backlog(ingest_role).kept_chunks == 0
    assert forget(ingest_role, KEEP, NOW) == Forgotten()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE readings.vitals_hourly SET hr_sum = hr_sum + 1",
        "UPDATE readings.vitals_hourly SET hr_max = 71",
        "DELETE FROM readings.vitals_hourly",
        "INSERT INTO readings.vitals (time, device_id, hr) VALUES ('2026-03-01T15:40Z', 9, 60)",
    ],
)
def test_a_chunk_whose_rollups_are_wrong_is_kept_and_said_so(
    ingest_role: Connection, owner: Connection, caplog: pytest.LogCaptureFixture, tampering: str
) -> None:
    ingest(ingest_role, [vitals_row(1)])
    drain(ingest_role)
    owner.execute(tampering)
    raw = rows_of(ingest_role, "vitals")
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    assert rows_of(ingest_role, "vitals") == raw
    assert "raw vitals of 2026-03-01 is kept" in caplog.text
    assert "not what its raw data gives" in rows_of(ingest_role, "raw_chunk")[0]["kept_because"]


def test_activity_is_proven_as_well(ingest_role: Connection, owner: Connection) -> None:
    owner.execute(
        "INSERT INTO readings.activity (time, device_id, event) VALUES ('2026-03-01T15:40Z', 4, 'motion')"
    )
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    owner.execute(
        "INSERT INTO readings.activity_hourly (hour, first_at, last_at, device_id, event_count, event)"
        " VALUES ('2026-03-01T15:00Z', '2026-03-01T15:40Z', '2026-03-01T15:40Z', 4, 1, 'motion')"
    )
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_dropped=1)
    assert rows_of(ingest_role, "activity") == []


def test_a_chunk_that_somebody_writes_into_is_waited_for_and_not_dropped(
    database: Database, ingest_role: Connection
) -> None:
    ingest(ingest_role, [vitals_row(1)])
    drain(ingest_role)
    with connect(database.ingest_url) as writer:
        ingest(writer, [vitals_row(2)])
        assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_kept=1)
    drain(ingest_role)
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_dropped=1)
    assert rows_of(ingest_role, "vitals_hourly")[0]["row_count"] == 2


def test_what_comes_after_the_drop_is_counted_and_let_go(ingest_role: Connection) -> None:
    ingest(ingest_role, [vitals_row(1)])
    drain(ingest_role)
    forget(ingest_role, KEEP, NOW)
    ingest(ingest_role, [vitals_row(2), vitals_row(3)])
    drain(ingest_role)
    assert rows_of(ingest_role, "vitals_hourly")[0]["row_count"] == 1
    assert forget(ingest_role, KEEP, NOW) == Forgotten(chunks_dropped=1)
    assert backlog(ingest_role).late_rows_dropped == 2
    assert rows_of(ingest_role, "vitals") == []


def test_raw_data_outlives_what_may_still_come_late() -> None:
    hasty = Keep(raw_days=8, batch_days=1, dead_letter_days=1, late_s=60 * 86_400)
    assert hasty.raw_edge(NOW) == NOW - timedelta(days=61)
    assert KEEP.raw_edge(NOW) == NOW - timedelta(days=90)


def test_the_role_of_ingest_can_drop_nothing_else(ingest_role: Connection) -> None:
    ingest(ingest_role, [vitals_row(1)])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ingest_role.execute("SELECT drop_chunks('readings.vitals', older_than => now())")
    recent = datetime.now(UTC) - timedelta(days=2)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="younger than 7 days"):
        ingest_role.execute("SELECT readings.drop_proven('vitals', %s, %s)", (recent, recent))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no chunk"):
        ingest_role.execute(
            "SELECT readings.drop_proven('vitals', %s, %s)",
            (DAY - timedelta(days=9), DAY - timedelta(days=8)),
        )


def test_old_batches_and_dead_letters_are_forgotten(
    ingest_role: Connection, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.retention.DELETED_ROWS_MAX", 3)
    owner.execute(
        """
        INSERT INTO readings.batch (gateway_id, batch_id, received_at)
        SELECT 1, n::text, now() - make_interval(days => n) FROM generate_series(55, 68) AS n
        """
    )
    owner.execute(
        """
        INSERT INTO readings.dead_letter (topic, payload, payload_bytes, reason, detail, received_at)
        SELECT n::text, '', 0, 'malformed', '', now() - make_interval(days => n)
        FROM generate_series(178, 183) AS n
        """
    )
    forgotten = forget(ingest_role, KEEP, NOW)
    assert (forgotten.batches, forgotten.dead_letters) == (8, 4)
    assert {row["batch_id"] for row in rows_of(ingest_role, "batch")} == {str(n) for n in range(55, 61)}
    assert {row["topic"] for row in rows_of(ingest_role, "dead_letter")} == {"178", "179"}


def test_how_devices_were_is_forgotten_with_the_raw_data(ingest_role: Connection) -> None:
    for time in ("2026-02-10T15:40Z", NOW.isoformat()):
        ingest_role.execute(
            "INSERT INTO readings.device_status (time, device_id, online) VALUES (%s, 4, true)", (time,)
        )
    assert forget(ingest_role, KEEP, NOW) == Forgotten(status_chunks=1)
    assert len(rows_of(ingest_role, "device_status")) == 1
    with pytest.raises(psycopg.DataError, match="younger than 7 days"):
        ingest_role.execute("SELECT readings.drop_device_status(now())")
