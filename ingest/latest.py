"""Latest state, newer wins: what of a batch is news, and the upsert that lets late data change nothing."""

from collections.abc import Mapping
from typing import NamedTuple

from psycopg import sql

from database.connections import Connection


class Column(NamedTuple):
    """A column of latest values: its SQL type, and the column with the time of its value."""

    type: str
    at: str


class LatestTable(NamedTuple):
    """A table with one row a key, whose columns each keep the newest value.

    `seen` is a column with just the newest time at which the key was heard of.
    """

    table: sql.Identifier
    key: str
    columns: Mapping[str, Column]
    seen: str | None = None

    def times(self) -> list[str]:
        """The columns that hold times, each once."""
        times = dict.fromkeys(column.at for column in self.columns.values())
        return [*times, *([self.seen] if self.seen else [])]


DEVICE_STATE = LatestTable(
    sql.Identifier("readings", "device_state"),
    "device_id",
    {
        "online": Column("boolean", "online_at"),
        "battery": Column("smallint", "battery_at"),
        "rssi": Column("smallint", "rssi_at"),
        "fw": Column("text", "fw_at"),
        "queued": Column("bigint", "queued_at"),
        "dropped": Column("bigint", "dropped_at"),
        "clock_off_ms": Column("bigint", "clock_off_at"),
    },
    seen="last_seen_at",
)


class Latest:
    """The newest of each column by key, gathered from the rows of one transaction."""

    def __init__(self, table: LatestTable) -> None:
        self._table = table
        self._values: dict[int, dict[str, tuple[int, object]]] = {}

    def note(self, key: int, column: str, value: object, time_us: int) -> None:
        """`value` was true at `time_us`; it stands unless something newer is noted."""
        values = self._values.setdefault(key, {})
        known = values.get(column)
        if known is None or time_us >= known[0]:
            values[column] = (time_us, value)

    def note_seen(self, key: int, time_us: int) -> None:
        """The key was heard of at `time_us`."""
        assert self._table.seen is not None, "this table has such a column"
        self.note(key, self._table.seen, None, time_us)

    def store(self, connection: Connection) -> None:
        """Bring the table up to date. Keys in order, so that two workers cannot deadlock."""
        if not self._values:
            return
        keys = sorted(self._values)
        params: dict[str, list[object]] = {self._table.key: list(keys)}
        for name, column in self._table.columns.items():
            params[name], params[column.at] = self._noted(keys, name)
        if self._table.seen is not None:
            _, params[self._table.seen] = self._noted(keys, self._table.seen)
        connection.execute(upsert(self._table), params)

    def _noted(self, keys: list[int], column: str) -> tuple[list[object], list[object]]:
        noted = [self._values[key].get(column, (None, None)) for key in keys]
        return [value for _, value in noted], [time_us for time_us, _ in noted]


def upsert(table: LatestTable) -> sql.Composed:
    """The statement: times come as microseconds since 1970 UTC, one array a column."""
    times = table.times()
    key = sql.Identifier(table.key)
    types = {
        table.key: "integer",
        **{name: column.type for name, column in table.columns.items()},
        **dict.fromkeys(times, "bigint"),
    }
    newer = [
        sql.SQL(
            "{column} = CASE WHEN excluded.{at} >= coalesce(stored.{at}, '-infinity')"
            " THEN excluded.{column} ELSE stored.{column} END"
        ).format(column=sql.Identifier(name), at=sql.Identifier(column.at))
        for name, column in table.columns.items()
    ] + [sql.SQL("{0} = greatest(stored.{0}, excluded.{0})").format(sql.Identifier(at)) for at in times]
    return sql.SQL(
        "INSERT INTO {table} AS stored ({key}, {columns}, {times})"
        " SELECT {key}, {columns}, {converted} FROM unnest({arrays}) AS new ({names})"
        " ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET {newer}"
    ).format(
        table=table.table,
        key=key,
        columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        times=sql.SQL(", ").join(map(sql.Identifier, times)),
        converted=sql.SQL(", ").join(
            sql.SQL("to_timestamp({} / 1000000.0)").format(sql.Identifier(at)) for at in times
        ),
        arrays=sql.SQL(", ").join(
            sql.SQL("{}::{}[]").format(sql.Placeholder(name), sql.SQL(type_)) for name, type_ in types.items()
        ),
        names=sql.SQL(", ").join(map(sql.Identifier, types)),
        newer=sql.SQL(", ").join(newer),
    )


STORE_EVERY_US = 15_000_000
"""The database's `last_seen_at` lags a device that keeps speaking by no more than this, in microseconds."""


class Heard:
    """What of the times at which devices were heard is worth a write.

    A device that speaks every second need not be written down every second: the shortest limit by which a
    silence is judged is ten minutes.
    """

    def __init__(self) -> None:
        self._stored_us: dict[int, int] = {}

    def news(self, heard_us: Mapping[int, int]) -> dict[int, int]:
        """Of times by device id, in microseconds since 1970 UTC, those that should be written now."""
        stored_us = self._stored_us
        return {
            device_id: time_us
            for device_id, time_us in heard_us.items()
            if time_us >= stored_us.get(device_id, 0) + STORE_EVERY_US
        }

    def note_stored(self, stored_us: Mapping[int, int]) -> None:
        """These are committed."""
        self._stored_us.update(stored_us)
