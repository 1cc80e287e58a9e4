"""Brings the latest state up to date with what ingest stored, and marks the hours whose rollups are stale.

One transaction takes notes (`ingest.unsettled`), reads again the rows that they speak of, and forgets them.
Killed anywhere, it has done nothing; done twice, it changes nothing: state is newer-wins over rows that are
there, whoever reads them.

Nothing is missed. A note is seen only with the rows it was committed with. Rows that are committed while
this reads have a note of their own, for a later round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg.rows import DictRow

from database.connections import Connection
from database.queries import queries

_sql = queries("ingest", "sql/settle.sql")

NOTE_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NOTES_MAX = 500
"""Notes looked at in one transaction …"""
PAIRS_MAX = 50_000
"""… of which it takes as many as name no more devices and hours than this, but at least one."""


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When a stale hour is rolled up.

    Attributes:
        delay_s: After its end, or after late data came.
        running_hour_s: At the longest, while the hour still runs.
    """

    delay_s: float = 60.0
    running_hour_s: float = 600.0


class Settled(NamedTuple):
    """What one transaction settled; `more`: whether notes were left over for the next."""

    notes: int
    pairs: int
    more: bool


class Backlog(NamedTuple):
    """How far derived data is behind.

    Attributes:
        unsettled: Notes that wait.
        unsettled_age_s: The age of the oldest; None when none waits.
        dirty_hours: Hours whose rollups are stale.
        overdue_s: How long ago the first of them was due; None when none is.
        kept_chunks: Chunks of raw data that are old enough to go, but not proven.
        late_rows_dropped: Rows that came after the raw data of their time was dropped.
    """

    unsettled: int
    unsettled_age_s: float | None
    dirty_hours: int
    overdue_s: float | None
    kept_chunks: int
    late_rows_dropped: int


def settle(
    connection: Connection,
    rhythm: Rhythm,
    *,
    notes_max: int = NOTES_MAX,
    pairs_max: int = PAIRS_MAX,
) -> Settled:
    """Settle the oldest notes in one transaction. Notes that another process has in hand are left to it."""
    connection.prepare_threshold = None  # a plan kept for any day would look at the chunks of all days
    with connection.transaction():
        found = connection.execute(_sql["take"], {"limit": notes_max}).fetchall()
        taken = _within(found, pairs_max)
        if not taken:
            return Settled(0, 0, more=False)
        ids = {"ids": [row["id"] for row in taken]}
        groups = connection.execute(_sql["gather"], ids).fetchall()
        for group in groups:
            _settle_day(connection, group, rhythm)
        connection.execute(_sql["forget"], ids)
    pairs = sum(len(group["device_ids"]) for group in groups)
    return Settled(len(taken), pairs, more=len(taken) < len(found) or len(found) == notes_max)


def backlog(connection: Connection) -> Backlog:
    """How far derived data is behind now."""
    row = connection.execute(_sql["backlog"]).fetchone()
    assert row is not None, "a query of aggregates has one row"
    return Backlog(**row)


def _within(notes: Sequence[DictRow], pairs_max: int) -> Sequence[DictRow]:
    pairs = 0
    for count, row in enumerate(notes):
        pairs += row["pairs"]
        if count and pairs > pairs_max:
            return notes[:count]
    return notes


def _settle_day(connection: Connection, group: DictRow, rhythm: Rhythm) -> None:
    """Everything that the notes name of one source and UTC day."""
    begin = NOTE_EPOCH + timedelta(days=group["day"])
    pairs = {
        "device_ids": group["device_ids"],
        "from_s": group["from_s"],
        "begin": begin,
        "end": begin + timedelta(days=1),
    }
    source = group["source"]
    connection.execute(_sql[f"{source}_state"], pairs)
    marks = {
        "source": source,
        "device_ids": group["device_ids"],
        "from_s": group["from_s"],
        "delay_s": rhythm.delay_s,
        "running_hour_s": rhythm.running_hour_s,
    }
    connection.execute(_sql["mark_dirty"], marks)
