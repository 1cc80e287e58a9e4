"""Forgets what is old enough: raw data with proven rollups, batches' ids, dead letters, attempts to sign in.

The proof and the drop are one transaction of a function in the database (`readings.drop_proven`): it locks
the chunk, makes its hours anew and compares them with the rollups, row by row. Ingest owns no table, so it
could not drop anything otherwise.

Raw data is kept at least as long as late data may come (`clock_past_s_max`), so that nothing can arrive for a
day whose raw data is gone. If settings were changed so that something did, the rollups stand as they are, and
the rows are counted (`readings.raw_chunk.late_row_count`) and dropped with the next round.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import errors, sql

from database.connections import Connection
from database.queries import queries

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/retention.sql")

DELETED_ROWS_MAX = 10_000
"""Rows deleted in one transaction."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """How long what is kept, in days.

    Attributes:
        raw_days: Raw vital signs and activity; and how devices were, of which nothing is rolled up.
        batch_days: Ids of gateways' batches, which an outbox may send again.
        dead_letter_days: Messages that could not be stored.
        late_s: How late data may come; raw data is kept at least a day longer.
        attempt_days: Who tried to sign in or to pair a gateway, and sessions that have ended.
    """

    raw_days: int
    batch_days: int
    dead_letter_days: int
    late_s: int
    attempt_days: int = 90

    def raw_edge(self, now: datetime) -> datetime:
        """Raw data before this may go."""
        return now - max(timedelta(days=self.raw_days), timedelta(seconds=self.late_s, days=1))


@dataclass
class Forgotten:
    """What a round did."""

    chunks_dropped: int = 0
    chunks_kept: int = 0
    status_chunks: int = 0
    batches: int = 0
    dead_letters: int = 0
    attempts: int = 0


def forget(connection: Connection, keep: Keep, now: datetime) -> Forgotten:
    """One round, on a connection in autocommit: each chunk and each bounded deletion is a transaction."""
    forgotten = Forgotten()
    chunks = connection.execute(_sql["old_chunks"], {"edge": keep.raw_edge(now)}).fetchall()
    for chunk in chunks:
        if (kept := _drop_proven(connection, chunk)) is None:
            forgotten.chunks_dropped += 1
        else:
            forgotten.chunks_kept += 1
            log.warning("raw %s of %s is kept: %s", chunk["source"], chunk["begins_at"].date(), kept)
    forgotten.status_chunks = _drop_statuses(connection, keep.raw_edge(now))
    forgotten.batches = _delete(connection, _sql["forget_batches"], keep.batch_days)
    forgotten.dead_letters = _delete(connection, _sql["forget_dead_letters"], keep.dead_letter_days)
    forgotten.attempts = _forget_attempts(connection, keep.attempt_days)
    log.info("retention: %s", forgotten)
    return forgotten


def _drop_proven(connection: Connection, chunk: dict[str, object]) -> str | None:
    """Drop the chunk; why it was kept, or None."""
    try:
        row = connection.execute(_sql["drop_proven"], chunk).fetchone()
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        return f"it is in use; the next round tries again ({str(error).strip()})"
    except errors.QueryCanceled:
        return "its proof took longer than a statement may; the next round tries again"
    assert row is not None, "a function has one result"
    kept: str | None = row["kept"]
    return kept


def _drop_statuses(connection: Connection, edge: datetime) -> int:
    try:
        row = connection.execute(_sql["drop_device_status"], {"edge": edge}).fetchone()
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        log.warning("old statuses are in use; the next round tries again: %s", str(error).strip())
        return 0
    assert row is not None, "a function has one result"
    return int(row["chunks"])


def _forget_attempts(connection: Connection, days: int) -> int:
    deleted = 0
    while True:
        params = {"days": days, "limit": DELETED_ROWS_MAX}
        row = connection.execute(_sql["forget_attempts"], params).fetchone()
        assert row is not None, "a function has one result"
        forgotten = int(row["forgotten"])
        deleted += forgotten
        if forgotten < DELETED_ROWS_MAX:
            return deleted


def _delete(connection: Connection, statement: sql.SQL, days: int) -> int:
    deleted = 0
    while True:
        count = connection.execute(statement, {"days": days, "limit": DELETED_ROWS_MAX}).rowcount
        deleted += count
        if count < DELETED_ROWS_MAX:
            return deleted
