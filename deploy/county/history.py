"""Writes the county's last day into the readings, so that charts are full from the first look."""

import numpy as np

from care.db import Connection
from deploy.county.progress import Step
from gateway.model import Activity, AlarmSignal, DeviceStatus, VitalSigns
from gateway.simulator import events
from gateway.simulator.clock import HOUR_MS, MINUTE_MS
from gateway.simulator.events import Events, Said
from gateway.simulator.plan import County
from ingest import store
from ingest.batch import ActivityRow, MicroBatch, Rows, SignalRow, StatusRow, VitalsRow
from ingest.directory import Directory, Entry

ROWS_PER_STEP = 100_000
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
    signals: list[SignalRow] = []
    for begin in range(0, rows.size, ROWS_PER_STEP):
        batch = MicroBatch()
        _add_rows(batch.singles, entries, rows[begin : begin + ROWS_PER_STEP])
        signals += batch.singles.signals
        batch.singles.signals = []
        store.store(connection, batch)
        step("history", min(begin + ROWS_PER_STEP, rows.size), rows.size)
    return signals


def _add_rows(into: Rows, entries: list[Entry], rows: Events) -> None:
    for ts_ms, device, message in events.messages(rows):
        entry, time_us = entries[device], ts_ms * 1000
        whose = entry.assignment_at(time_us)
        match message:
            case VitalSigns():
                signs = (getattr(message, name) for name in VitalsRow._fields[4:])
                into.vitals.append(VitalsRow(time_us, entry.device_id, whose.resident_id, False, *signs))
            case Activity(event=event):
                into.activity.append(
                    ActivityRow(time_us, entry.device_id, whose.resident_id, whose.room_id, False, event)
                )
            case DeviceStatus(online=online, battery=battery, rssi=rssi, fw=fw):
                into.status.append(StatusRow(time_us, entry.device_id, False, online, battery, rssi, fw))
            case AlarmSignal():
                into.signals.append(SignalRow(time_us, entry, False, message))
