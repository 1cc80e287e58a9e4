"""Writes the county's last day into the readings, so that charts are full from the first look."""

import time

import numpy as np

from database.connections import Connection
from deploy.county.progress import Step
from ingest import store
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule
from ingest.directory import Directory
from ingest.latest import Heard
from ingest.rows import SignalRow
from simulator import events
from simulator.clock import HOUR_MS, MINUTE_MS
from simulator.events import Events, Said
from simulator.plan import County

ROWS_PER_STEP = 100_000
HISTORY_S_MAX = 2 * 86_400
_VITALS_EVERY_MS = 5 * MINUTE_MS
_STATUS_EVERY_MS = HOUR_MS
_WHOLE_MS = 15 * MINUTE_MS
"""The last minutes are kept whole: who is offline is judged by them."""


def is_written(connection: Connection, county: County) -> bool:
    """Whether the county's devices have been heard of."""
    row = connection.execute(
        "SELECT 1 FROM readings.device_state JOIN care.device ON device.id = device_id"
        " WHERE device.name = ANY (%s) LIMIT 1",
        ([device.name for device in county.devices],),
    ).fetchone()
    return row is not None


def thinned(rows: Events, until_ms: int) -> Events:
    """`rows` with a reading of each device every five minutes and a status an hour; events are all kept."""
    recent = rows["ts_ms"] >= until_ms - _WHOLE_MS
    keep = recent | events.is_said(rows, Said.ACTIVITY) | events.is_said(rows, Said.ALARM)
    for said, every_ms in ((Said.VITALS, _VITALS_EVERY_MS), (Said.STATUS, _STATUS_EVERY_MS)):
        chosen = np.flatnonzero(events.is_said(rows, said))
        slot = rows["ts_ms"][chosen] // every_ms
        key = rows["device"][chosen].astype(np.int64) << 40 | slot
        keep[chosen[np.unique(key, return_index=True)[1]]] = True
    kept: Events = rows[keep]
    return kept


def write(
    connection: Connection,
    county: County,
    rows: Events,
    directory: Directory,
    step: Step,
) -> list[SignalRow]:
    """Store readings, activity and statuses through ingest's own store; the caller commits.

    Returns the alarm signals among them, which are not stored here.
    """
    entries = [directory.find(county.site_of(device.index), device.name) for device in county.devices]
    assembler = Assembler(directory, ClockRule(future_s_max=0, past_s_max=HISTORY_S_MAX))
    received_us = time.time_ns() // 1000
    heard = Heard()
    signals: list[SignalRow] = []
    for begin in range(0, rows.size, ROWS_PER_STEP):
        batch = MicroBatch()
        for _, device, message in events.messages(rows[begin : begin + ROWS_PER_STEP]):
            assembler.add_message(batch.singles, entries[device], message, received_us, live=False)
        signals += batch.singles.signals
        batch.singles.signals = []
        store.store(connection, store.prepare(batch), heard)
        step("last_day", min(begin + ROWS_PER_STEP, rows.size), rows.size)
    return signals
