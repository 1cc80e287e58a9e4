"""The only writer of readings: one micro-batch, one transaction.

COPY comes first, because it is fastest. Where a row is there already, the table's rows are merged instead;
where the database refuses a row for good, the batch is halved until the culprit is alone in the dead letters.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import psycopg
from psycopg import errors, sql

from care.db import Connection, queries
from gateway.errors import DeadReason
from gateway.model import ActivityEvent
from ingest import pgcopy
from ingest.batch import ActivityRow, DeadLetter, GatewayBatch, MicroBatch, Rows, StatusRow, VitalsRow
from ingest.clock import time_of
from ingest.heard import Heard
from ingest.latest import DEVICE_STATE, RESIDENT_STATE, Latest
from ingest.signals import store_signal

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/store.sql")

Row = TypeVar("Row", VitalsRow, ActivityRow, StatusRow)

_IN_BED = {ActivityEvent.IN_BED: True, ActivityEvent.OUT_OF_BED: False}


@dataclass
class Stored:
    """What became of a micro-batch."""

    rows: int = 0
    merges: int = 0
    repeated_batches: int = 0
    dead: list[DeadLetter] = field(default_factory=list)


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    merge: sql.SQL


_VITALS = _Table("vitals", VitalsRow._fields, _sql["merge_vitals"])
_ACTIVITY = _Table("activity", ActivityRow._fields, _sql["insert_activity"])
_STATUS = _Table("device_status", StatusRow._fields, _sql["insert_status"])


def store(connection: Connection, batch: MicroBatch, heard: Heard) -> Stored:
    """Commit everything in `batch`, or raise and commit nothing.

    `heard` remembers, between calls, what is known of the devices' last signs of life.

    Raises:
        psycopg.OperationalError: the database is away or busy; the same batch may be tried again.
    """
    stored = Stored()
    with connection.transaction():
        rows = _rows_to_store(connection, batch, stored)
        rows.vitals = _insert(connection, _VITALS, rows.vitals, stored, _copy_vitals)
        rows.activity = _insert(connection, _ACTIVITY, rows.activity, stored, _copy_rows)
        rows.status = _insert(connection, _STATUS, rows.status, stored, _copy_rows)
        for signal in rows.signals:
            store_signal(connection, signal)
        rows.heard = heard.news(rows.heard)
        _update_latest(connection, rows)
        stored.dead += rows.dead
        store_dead_letters(connection, stored.dead)
    heard.note_stored(rows.heard)
    stored.rows = len(rows.vitals) + len(rows.activity) + len(rows.status) + len(rows.signals)
    return stored


def store_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep what cannot be stored, for people to look at. The caller commits."""
    if letters:
        with connection.cursor() as cursor:
            cursor.executemany(_sql["insert_dead_letters"], [letter._asdict() for letter in letters])


def _rows_to_store(connection: Connection, batch: MicroBatch, stored: Stored) -> Rows:
    """The rows of single messages and of the batches that were not committed before."""
    if not batch.gateway_batches:
        return batch.singles
    by_key: dict[tuple[int, str], GatewayBatch] = {
        (given.gateway.device_id, given.batch_id): given for given in batch.gateway_batches
    }
    params = {
        "gateway_ids": [gateway_id for gateway_id, _ in by_key],
        "batch_ids": [batch_id for _, batch_id in by_key],
    }
    fresh = connection.execute(_sql["new_batches"], params).fetchall()
    stored.repeated_batches = len(batch.gateway_batches) - len(fresh)
    rows = Rows()
    rows.extend(batch.singles)
    for row in fresh:
        rows.extend(by_key[row["gateway_id"], row["batch_id"]].rows)
    return rows


def _insert(
    connection: Connection,
    table: _Table,
    rows: list[Row],
    stored: Stored,
    copy: Callable[[Connection, _Table, Sequence[Row]], None],
) -> list[Row]:
    """Store the rows; those that the database did not refuse."""
    if not rows:
        return rows
    try:
        with connection.transaction():
            copy(connection, table, rows)
    except errors.UniqueViolation:
        stored.merges += 1
    except psycopg.DataError:
        pass  # some row is refused; merging finds out which
    else:
        return rows
    return _merge(connection, table, rows, stored)


def _copy_statement(table: _Table, options: str) -> sql.Composed:
    columns = ("time" if name == "time_us" else name for name in table.columns)
    return sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier("readings", table.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(options),
    )


def _copy_vitals(connection: Connection, table: _Table, rows: Sequence[VitalsRow]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(_copy_statement(table, "(FORMAT BINARY)")) as copy,
    ):
        copy.write(pgcopy.pack_vitals(rows))


def _copy_rows(
    connection: Connection, table: _Table, rows: Sequence[ActivityRow] | Sequence[StatusRow]
) -> None:
    with connection.cursor() as cursor, cursor.copy(_copy_statement(table, "")) as copy:
        for row in rows:
            copy.write_row((time_of(row.time_us), *row[1:]))


def _merge(connection: Connection, table: _Table, rows: list[Row], stored: Stored) -> list[Row]:
    """Insert what is new and complete what is there, halving around a row that is refused.

    Returns the rows that were not refused.
    """
    try:
        with connection.transaction():
            for generation in _without_repeats(rows):
                columns = zip(*generation, strict=True)
                params = dict(zip(table.columns, map(list, columns), strict=True))
                connection.execute(table.merge, params)
    except psycopg.DataError as error:
        if len(rows) == 1:
            stored.dead.append(_refused(table, rows[0], error))
            return []
        middle = len(rows) // 2
        first = _merge(connection, table, rows[:middle], stored)
        return first + _merge(connection, table, rows[middle:], stored)
    return rows


def _refused(table: _Table, row: Row, error: psycopg.DataError) -> DeadLetter:
    payload = repr(row).encode()
    return DeadLetter(
        f"readings.{table.name}",
        payload,
        len(payload),
        DeadReason.REFUSED_BY_DATABASE,
        (error.diag.message_primary or str(error)).strip(),
        device_id=row.device_id,
    )


def _without_repeats(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows in as few groups as let no group hold the same device and instant twice.

    One INSERT … ON CONFLICT DO UPDATE cannot touch a row twice.
    """
    generations: list[list[Row]] = []
    seen: dict[tuple[int, int], int] = {}
    for row in rows:
        key = (row.device_id, row.time_us)
        generation = seen.get(key, 0)
        seen[key] = generation + 1
        if generation == len(generations):
            generations.append([])
        generations[generation].append(row)
    return generations


def _update_latest(connection: Connection, rows: Rows) -> None:
    residents = Latest(RESIDENT_STATE)
    devices = Latest(DEVICE_STATE)
    for device_id, heard_us in rows.heard.items():
        devices.note_seen(device_id, heard_us)
    for vitals in rows.vitals:
        if vitals.resident_id is not None:
            _note_vitals(residents, vitals.resident_id, vitals)
    for activity in rows.activity:
        if activity.resident_id is not None:
            _note_activity(residents, activity.resident_id, activity)
    for status in rows.status:
        _note_status(devices, status)
    residents.store(connection)
    devices.store(connection)


def _note_vitals(residents: Latest, resident_id: int, row: VitalsRow) -> None:
    for sign, value in zip(pgcopy.VITALS_COLUMNS, row[4:], strict=True):
        if value is not None:
            residents.note(resident_id, sign, value, row.time_us)


def _note_activity(residents: Latest, resident_id: int, row: ActivityRow) -> None:
    residents.note(resident_id, "activity", row.event, row.time_us)
    residents.note(resident_id, "activity_room_id", row.room_id, row.time_us)
    in_bed = _IN_BED.get(ActivityEvent(row.event))
    if in_bed is not None:
        residents.note(resident_id, "in_bed", in_bed, row.time_us)


def _note_status(devices: Latest, row: StatusRow) -> None:
    for column in ("online", "battery", "rssi", "fw"):
        value = getattr(row, column)
        if value is not None:
            devices.note(row.device_id, column, value, row.time_us)
