"""Rollups by hour and day, made anew from raw data wherever a mark says that they are stale.

They equal what raw data gives, exactly: counts, extremes, and sums (which are exact in any order, because a
4-byte real within the signs' limits is a whole multiple of 2^-24, and a double holds 2^53 of these). Raw rows
are only ever added, completed, or joined to a person who was not known before: then their rows of nobody go.

The order within a transaction matters. Marks are deleted first; raw data is read by later statements, each of
which sees all that is committed by then (READ COMMITTED). Were both one statement, its one snapshot could
be older than rows whose settler found the mark still there, and so added none: these rows would be missed.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from database.connections import Connection
from database.leases import DutyLock, wait_for_turn
from database.queries import queries
from protocol.calendar import HOME_TIME

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/rollups.sql")

HOURS_MAX = 2_000
"""Hours of devices that one transaction makes anew."""
_DAY = timedelta(days=1)


class RolledUp(NamedTuple):
    """What one transaction did; `more`: whether it was full, so that others may be due."""

    hours: int
    more: bool


class _Mark(NamedTuple):
    device_id: int
    hour: datetime


def roll_up(connection: Connection, *, due: datetime | None = None, hours_max: int = HOURS_MAX) -> RolledUp:
    """Make anew, in one transaction, the rollups of the hours that are due by `due` (now)."""
    connection.prepare_threshold = None  # a plan kept for any day would look at the chunks of all days
    with connection.transaction():
        # Two that made the same day anew from different hours would each miss the other's.
        wait_for_turn(connection, DutyLock.ROLLUP_TRANSACTION)
        taken = connection.execute(_sql["take"], {"due": due, "limit": hours_max}).fetchall()
        by_day: dict[tuple[str, datetime], list[_Mark]] = defaultdict(list)
        for row in taken:
            by_day[row["source"], _utc_day(row["hour"])].append(_Mark(row["device_id"], row["hour"]))
        for (source, begin), marks in sorted(by_day.items()):
            _roll_up_day(connection, source, begin, sorted(marks))
    return RolledUp(len(taken), more=len(taken) == hours_max)


def _roll_up_day(connection: Connection, source: str, begin: datetime, marks: Sequence[_Mark]) -> None:
    bounds = {"begin": begin, "end": begin + _DAY}
    found = connection.execute(_sql["dropped"], {"source": source, **bounds}).fetchone()
    if found is not None and found["dropped"]:
        log.warning(
            "%s of %s came after the raw data of that day was dropped; its rollups stay as they are",
            source,
            begin.date(),
        )
        return
    hours = {
        "device_ids": [mark.device_id for mark in marks],
        "hours": [mark.hour for mark in marks],
        **bounds,
    }
    connection.execute(_sql[f"{source}_joined"], hours)
    cursor = connection.execute(_sql[source], hours)
    if source == "vitals":
        changed = {
            (row["resident_id"], row["hour"].astimezone(HOME_TIME).date())
            for row in cursor
            if row["resident_id"] is not None
        }
        _roll_up_residents(connection, sorted(changed))


def _roll_up_residents(connection: Connection, changed: Sequence[tuple[int, date]]) -> None:
    """The days of residents of which an hour changed."""
    if not changed:
        return
    days = [day for _, day in changed]
    params = {
        "resident_ids": [resident_id for resident_id, _ in changed],
        "days": days,
        "begin": _midnight(min(days)),
        "end": _midnight(max(days) + _DAY),
    }
    connection.execute(_sql["daily"], params)


def _utc_day(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=HOME_TIME)
