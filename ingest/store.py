"""The only writer of readings: one micro-batch, one transaction.

Nearly always everything is new, and COPY is the fastest way to store it. What else can happen (a batch that
was committed before, a row that is there already, a row that the database refuses) undoes that transaction,
and the same micro-batch is stored carefully: repeated batches left out, rows merged into those that are
there, and around a refused row the batch is halved until the culprit is alone in the dead letters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import psycopg
from psycopg import errors, sql

from database.connections import Connection
from database.queries import queries
from ingest import pgcopy, unsettled
from ingest.batch import GatewayBatch, MicroBatch
from ingest.clock import time_of
from ingest.latest import DEVICE_STATE, Heard, Latest
from ingest.rows import VITALS_COLUMNS, ActivityRow, DeadLetter, Rows, StatusRow, VitalsRow
from ingest.signals import store_signal
from protocol.errors import DeadReason

_sql = queries("ingest", "sql/store.sql")

Row = TypeVar("Row", VitalsRow, ActivityRow, StatusRow)


@dataclass
class Stored:
    """What became of a micro-batch."""

    rows: int = 0
    carefully: bool = False
    repeated_batches: int = 0
    dead: list[DeadLetter] = field(default_factory=list)


class Prepared(NamedTuple):
    """A micro-batch made ready, so that storing it is little more than sending it.

    `vitals` are its vital signs in COPY's binary format; `heard` tells when each device was last heard, in
    microseconds since 1970 UTC.
    """

    batch: MicroBatch
    rows: Rows
    vitals: bytes
    heard: dict[int, int]
    touched_by_vitals: unsettled.Touched
    touched_by_activity: unsettled.Touched


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    merge: sql.SQL


_VITALS = _Table("vitals", VITALS_COLUMNS, _sql["merge_vitals"])
_ACTIVITY = _Table("activity", ActivityRow._fields, _sql["insert_activity"])
_STATUS = _Table("device_status", StatusRow._fields, _sql["insert_status"])


_NOTHING = unsettled.touched(np.empty(0, np.int32), np.empty(0, np.int64))


class _RepeatedBatchError(Exception):
    """A gateway's batch was committed before; handled within this module."""


def prepare(batch: MicroBatch) -> Prepared:
    """Do all that storing needs of the processor; waits for nothing."""
    rows = batch.all_rows()
    if not rows.vitals_count():
        return Prepared(batch, rows, b"", rows.heard, _NOTHING, _touched(rows.activity))
    parts = [pgcopy.columns_of(rows.vitals)] if rows.vitals else []
    heard = rows.heard
    if rows.blocks:
        parts.append(pgcopy.columns_of_blocks(rows.blocks))
        heard = _newest(heard, parts[-1])
    columns = pgcopy.by_device(parts)
    touched = unsettled.touched(columns.device_id, columns.time_us)
    return Prepared(batch, rows, pgcopy.pack_vitals(columns), heard, touched, _touched(rows.activity))


def _newest(heard: Mapping[int, int], columns: pgcopy.VitalsColumns) -> dict[int, int]:
    """When each device was last heard, by `heard` and by the times of its rows."""
    order = np.argsort(columns.device_id, kind="stable")
    devices, firsts = np.unique(columns.device_id[order], return_index=True)
    newest_us = np.maximum.reduceat(columns.time_us[order], firsts)
    newest = dict(zip(devices.tolist(), newest_us.tolist(), strict=True))
    for device_id, heard_us in heard.items():
        newest[device_id] = max(heard_us, newest.get(device_id, 0))
    return newest


def store(connection: Connection, prepared: Prepared, heard: Heard) -> Stored:
    """Commit everything that was prepared, or raise and commit nothing.

    `heard` remembers, between calls, what is known of the devices' last signs of life.

    Raises:
        psycopg.OperationalError: the database is away or busy; the same may be tried again.
    """
    news = heard.news(prepared.heard)
    try:
        stored = _store_fast(connection, prepared, news)
    except (_RepeatedBatchError, errors.UniqueViolation, psycopg.DataError):
        stored = _store_carefully(connection, prepared.batch, news)
    heard.note_stored(news)
    return stored


def store_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep what cannot be stored, for people to look at. The caller commits."""
    if letters:
        with connection.cursor() as cursor:
            cursor.executemany(_sql["insert_dead_letters"], [letter._asdict() for letter in letters])


def _store_fast(connection: Connection, prepared: Prepared, news: dict[int, int]) -> Stored:
    rows = prepared.rows
    with connection.transaction():
        if len(_new_batches(connection, prepared.batch)) < len(prepared.batch.gateway_batches):
            raise _RepeatedBatchError
        if prepared.vitals:
            _copy_packed(connection, prepared.vitals)
        if rows.activity:
            _copy_rows(connection, _ACTIVITY, rows.activity)
        if rows.status:
            _copy_rows(connection, _STATUS, rows.status)
        _mark_suspect(connection, prepared.batch.gateway_batches)
        unsettled.note(connection, "vitals", prepared.touched_by_vitals)
        unsettled.note(connection, "activity", prepared.touched_by_activity)
        _finish(connection, rows, news, rows.dead)
    return Stored(rows=rows.stored_count(), dead=rows.dead)


def _store_carefully(connection: Connection, batch: MicroBatch, news: dict[int, int]) -> Stored:
    stored = Stored(carefully=True)
    with connection.transaction():
        fresh = _new_batches(connection, batch)
        stored.repeated_batches = len(batch.gateway_batches) - len(fresh)
        rows = Rows()
        rows.extend(batch.singles)
        for given in fresh:
            rows.extend(given.rows)
        rows.unfold()
        rows.vitals = _insert(connection, _VITALS, rows.vitals, stored, _copy_vitals)
        rows.activity = _insert(connection, _ACTIVITY, rows.activity, stored, _copy_rows)
        rows.status = _insert(connection, _STATUS, rows.status, stored, _copy_rows)
        _mark_suspect(connection, fresh)
        unsettled.note(connection, "vitals", _touched(rows.vitals))
        unsettled.note(connection, "activity", _touched(rows.activity))
        stored.dead += rows.dead
        _finish(connection, rows, news, stored.dead)
    stored.rows = rows.stored_count()
    return stored


def _finish(connection: Connection, rows: Rows, news: dict[int, int], dead: Sequence[DeadLetter]) -> None:
    """What both ways have in common: signals, how the devices are, dead letters."""
    for signal in rows.signals:
        store_signal(connection, signal)
    _update_devices(connection, rows.status, news)
    store_dead_letters(connection, dead)


def _mark_suspect(connection: Connection, batches: Sequence[GatewayBatch]) -> None:
    """Mark the rows of batches whose gateway knew its clock to be wrong: rare, and free for all others."""
    for rows in (given.rows for given in batches if given.clock_suspect):
        vitals = [*rows.vitals, *(row for block in rows.blocks for row in block.rows())]
        for statement, marked in (("suspect_vitals", vitals), ("suspect_activity", rows.activity)):
            params = {
                "device_ids": [row.device_id for row in marked],
                "times_us": [row.time_us for row in marked],
            }
            connection.execute(_sql[statement], params)


def _new_batches(connection: Connection, batch: MicroBatch) -> list[GatewayBatch]:
    """Remember the gateways' batches; those that were not committed before, each once."""
    if not batch.gateway_batches:
        return []
    by_key = {(given.gateway.device_id, given.batch_id): given for given in batch.gateway_batches}
    params = {
        "gateway_ids": [gateway_id for gateway_id, _ in by_key],
        "batch_ids": [batch_id for _, batch_id in by_key],
    }
    fresh = connection.execute(_sql["new_batches"], params).fetchall()
    return [by_key[row["gateway_id"], row["batch_id"]] for row in fresh]


def _touched(rows: Sequence[VitalsRow] | Sequence[ActivityRow]) -> unsettled.Touched:
    if not rows:
        return _NOTHING
    device_id = np.array([row.device_id for row in rows], dtype=np.int32)
    return unsettled.touched(device_id, np.array([row.time_us for row in rows], dtype=np.int64))


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
    except (errors.UniqueViolation, psycopg.DataError):
        return _merge(connection, table, rows, stored)
    return rows


def _copy_statement(table: _Table, options: str) -> sql.Composed:
    columns = ("time" if name == "time_us" else name for name in table.columns)
    return sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier("readings", table.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(options),
    )


_COPY_VITALS = _copy_statement(_VITALS, "(FORMAT BINARY)")


def _copy_packed(connection: Connection, vitals: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY_VITALS) as copy:
        copy.write(vitals)


def _copy_vitals(connection: Connection, _: _Table, rows: Sequence[VitalsRow]) -> None:
    _copy_packed(connection, pgcopy.pack_vitals(pgcopy.columns_of(rows)))


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
                columns = zip(*map(_flat, generation), strict=True)
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


def _flat(row: Row) -> tuple[object, ...]:
    return row.flat() if isinstance(row, VitalsRow) else row


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


def _update_devices(connection: Connection, statuses: Sequence[StatusRow], news: dict[int, int]) -> None:
    devices = Latest(DEVICE_STATE)
    for device_id, heard_us in news.items():
        devices.note_seen(device_id, heard_us)
    for row in statuses:
        for column in DEVICE_STATE.columns:
            value = getattr(row, column)
            if value is not None:
                devices.note(row.device_id, column, value, row.time_us)
    devices.store(connection)
