"""What pages and analytics ask of history, each as one query that the hypertables answer by index.

Raw readings for a day, hours for a season, days for a year: each at most some two thousand rows, however much
is stored. Times are aware; a range begins at `since` and ends before `until`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

from psycopg import sql
from psycopg.rows import DictRow

from database.connections import Connection
from database.queries import queries

_sql = queries("care", "sql/trends.sql")

RAW_ROWS_MAX = 20_000
"""Raw rows that one question returns at most: a day of a reading every five seconds."""


class Through(StrEnum):
    """The schema through which a connection may read."""

    SCOPE = "scoped"
    """In the transaction of a session (`identity.sessions.scope_of`): only what that person may see."""
    SERVICE = "readings"
    """As one of our own services."""


def statement(name: str, through: Through) -> sql.Composed:
    """The named query of sql/trends.sql for that schema. KeyError for another name."""
    return _sql[name].format(readings=sql.Identifier(through))


def site_latest(
    connection: Connection, site_id: int, *, through: Through = Through.SCOPE
) -> Sequence[DictRow]:
    """The latest state of everybody who lives at a site: each sign with its time, activity, in bed or not."""
    return _ask(connection, "site_latest", {"site_id": site_id}, through)


def devices_of(connection: Connection, resident_id: int, since: datetime, until: datetime) -> list[int]:
    """Devices that can have spoken of the resident in that time, whoever has them now."""
    params = {"resident_id": resident_id, "since": since, "until": until}
    return [row["device_id"] for row in connection.execute(_sql["devices_of"], params)]


def vitals(
    connection: Connection,
    resident_id: int,
    since: datetime,
    until: datetime,
    *,
    through: Through = Through.SCOPE,
) -> Sequence[DictRow]:
    """One resident's raw signs, by time: for a day or a few. At most RAW_ROWS_MAX rows, the earliest."""
    params = _of_resident(connection, resident_id, since, until)
    return _ask(connection, "vitals", {**params, "limit": RAW_ROWS_MAX}, through)


def activity(
    connection: Connection,
    resident_id: int,
    since: datetime,
    until: datetime,
    *,
    with_rooms: bool = False,
    through: Through = Through.SCOPE,
) -> Sequence[DictRow]:
    """What sensors saw of one resident, by time. At most RAW_ROWS_MAX rows, the earliest.

    Args:
        connection: In the transaction of a session, or of a service.
        resident_id: Whom.
        since: From when.
        until: To when, exclusive.
        with_rooms: Also what sensors of their rooms saw without knowing whom: right where nobody else lives.
        through: Which schema the connection may read.
    """
    params = _of_resident(connection, resident_id, since, until)
    return _ask(connection, "activity", {**params, "with_rooms": with_rooms, "limit": RAW_ROWS_MAX}, through)


def hours(
    connection: Connection,
    resident_id: int,
    since: datetime,
    until: datetime,
    *,
    through: Through = Through.SCOPE,
) -> Sequence[DictRow]:
    """One resident's mean, lowest and highest of each sign by hour (`hr`, `hr_min`, `hr_max` …).

    An hour that still runs is up to ten minutes behind.
    """
    return _ask(connection, "hours", _range(resident_id, since, until), through)


def days(
    connection: Connection, resident_id: int, since: date, until: date, *, through: Through = Through.SCOPE
) -> Sequence[DictRow]:
    """One resident's mean, lowest and highest of each sign by day in Asia/Shanghai, as `hours`."""
    return _ask(connection, "days", _range(resident_id, since, until), through)


def activity_days(
    connection: Connection,
    resident_id: int,
    since: datetime,
    until: datetime,
    *,
    with_rooms: bool = False,
    through: Through = Through.SCOPE,
) -> Sequence[DictRow]:
    """How often what happened by day in Asia/Shanghai, with first and last time. Arguments as `activity`."""
    params = _of_resident(connection, resident_id, since, until)
    return _ask(connection, "activity_days", {**params, "with_rooms": with_rooms}, through)


def _range(resident_id: int, since: date, until: date) -> dict[str, object]:
    return {"resident_id": resident_id, "since": since, "until": until}


def _of_resident(
    connection: Connection, resident_id: int, since: datetime, until: datetime
) -> dict[str, object]:
    device_ids = devices_of(connection, resident_id, since, until)
    return {**_range(resident_id, since, until), "device_ids": device_ids}


def _ask(
    connection: Connection, name: str, params: Mapping[str, object], through: Through
) -> Sequence[DictRow]:
    # Not prepared: a plan kept for any time would have to consider the chunks of all times.
    return connection.execute(statement(name, through), params, prepare=False).fetchall()
